//! A row of the mailboxes database: what is known of a mailbox without looking into its directory
//! (docs/formats/mailboxes.md).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::acl::{Access, Acl, Rights};
use crate::ident::{UidValidity, UniqueId};
use crate::name::MailboxName;
use crate::special_use::SpecialUse;

/// What is going on with a mailbox.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RowState {
    /// Nothing: it can be used.
    #[default]
    Active,
    /// Its files are being made; nobody was told that it exists. A start-up removes it.
    Creating,
    /// Its files are being removed; nobody can use it any more. A start-up removes the rest.
    Deleting,
}

/// A mailbox as the mailboxes database knows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Row {
    /// Internal name.
    pub name: MailboxName,
    /// Identity for life.
    pub unique_id: UniqueId,
    /// UIDVALIDITY.
    pub uid_validity: UidValidity,
    /// Name of the partition that holds the directory.
    pub partition: String,
    /// Who may do what.
    pub acl: Acl,
    /// The quota root that governs it.
    pub quota_root: Option<MailboxName>,
    /// What it is for, sorted.
    pub special_use: Vec<SpecialUse>,
    /// When it was made, Unix seconds.
    pub created: i64,
    /// When the row last changed, Unix seconds; of a deleted mailbox, when that was.
    pub modified: i64,
    /// What is going on with it.
    pub state: RowState,
    /// Fields that a newer version wrote: kept as they are.
    pub(crate) other: BTreeMap<String, Value>,
}

impl Row {
    /// What `access` may do with the mailbox. A deleted mailbox keeps its list, but only administrators find it.
    #[must_use]
    pub fn rights(&self, access: &Access) -> Rights {
        if self.name.is_deleted() && !access.admin {
            return Rights::NONE;
        }
        self.acl.rights(access, self.name.owner())
    }

    /// The row as one line of JSON.
    pub(crate) fn encode(&self) -> String {
        let written = Written {
            name: self.name.as_str().into(),
            id: self.unique_id.as_str().into(),
            uidvalidity: self.uid_validity.get(),
            partition: self.partition.as_str().into(),
            acl: self.acl.to_string(),
            root: self.quota_root.as_ref().map(|root| root.as_str().into()),
            uses: self.special_use.iter().map(|known| known.as_str().to_owned()).collect(),
            created: self.created,
            modified: self.modified,
            state: self.state,
            other: self.other.clone(),
        };
        serde_json::json!(written).to_string()
    }

    /// Reads a row. Entries of its ACL and special uses that make no sense are left out, and logged.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn decode(text: &str) -> Result<Row, String> {
        let written: Written = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let name = MailboxName::parse(&written.name).map_err(|error| error.to_string())?;
        let (acl, bad) = Acl::parse_lenient(&written.acl);
        if bad > 0 {
            tracing::warn!(event = "mailboxes.acl.damaged", mailbox = %name, entries = bad);
        }
        let quota_root = written.root.as_deref().map(MailboxName::parse).transpose();
        let mut special_use: Vec<_> = written.uses.iter().filter_map(|text| SpecialUse::parse(text)).collect();
        special_use.sort_unstable();
        special_use.dedup();
        Ok(Row {
            unique_id: UniqueId::parse(&written.id).ok_or("bad unique id")?,
            uid_validity: UidValidity::new(written.uidvalidity).ok_or("UIDVALIDITY is 0")?,
            partition: written.partition,
            acl,
            quota_root: quota_root.map_err(|error| error.to_string())?,
            special_use,
            created: written.created,
            modified: written.modified,
            state: written.state,
            other: written.other,
            name,
        })
    }
}

/// The fields as they are written.
#[derive(Serialize, Deserialize)]
struct Written {
    name: String,
    id: String,
    uidvalidity: u32,
    partition: String,
    acl: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    root: Option<String>,
    #[serde(default, rename = "use", skip_serializing_if = "Vec::is_empty")]
    uses: Vec<String>,
    created: i64,
    modified: i64,
    #[serde(default, skip_serializing_if = "is_active")]
    state: RowState,
    #[serde(flatten)]
    other: BTreeMap<String, Value>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants a reference")]
fn is_active(state: &RowState) -> bool {
    *state == RowState::Active
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn sample(name: &str) -> Row {
        Row {
            name: MailboxName::parse(name).unwrap(),
            unique_id: UniqueId::random().unwrap(),
            uid_validity: UidValidity::new(1_000_000_001).unwrap(),
            partition: "default".into(),
            acl: Acl::parse("joe\tlrs\t").unwrap(),
            quota_root: Some(MailboxName::parse("user/joe").unwrap()),
            special_use: vec![SpecialUse::Drafts],
            created: 1,
            modified: 2,
            state: RowState::Active,
            other: BTreeMap::new(),
        }
    }

    #[test]
    fn reads_back_what_it_wrote() {
        let full = sample("user/joe/Entwürfe");
        let bare = Row { quota_root: None, special_use: vec![], state: RowState::Creating, ..sample("team") };
        for row in [full, bare] {
            assert_eq!(Row::decode(&row.encode()), Ok(row));
        }
    }

    #[test]
    fn fields_of_a_newer_version_stay() {
        let text = sample("team").encode().replacen('{', "{\"color\":{\"r\":1},", 1);
        let row = Row::decode(&text).unwrap();
        assert!(row.encode().contains("\"color\":{\"r\":1}"));
    }

    #[test]
    fn bad_rows() {
        let good = sample("team").encode();
        for (from, to) in [
            ("\"team\"", "\"../etc\""),
            ("1000000001", "0"),
            ("\"name\"", "\"nome\""),
            ("\"root\":\"user/joe\"", "\"root\":\"user\""),
        ] {
            assert!(Row::decode(&good.replace(from, to)).is_err(), "{from}");
        }
        assert!(Row::decode("").is_err());
        let row = Row::decode(&good.replace("joe\\tlrs\\t", "joe\\tlrs\\t\\u0007\\tl\\t")).unwrap();
        assert_eq!(row.acl, Acl::parse("joe\tlrs\t").unwrap());
    }
}
