//! A row of the mailboxes database: what is known of a mailbox without looking into its directory
//! (docs/formats/mailboxes.md).

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::de::{self, Deserializer, MapAccess, Visitor};
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
        Row::decode_after(text, &mut Neighbour::default())
    }

    /// The same; what it has in common with the row before is shared.
    pub(crate) fn decode_after(text: &str, before: &mut Neighbour) -> Result<Row, String> {
        let stored: Stored<'_> = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let name = MailboxName::parse(&stored.name).map_err(|error| error.to_string())?;
        if before.acl_text.as_deref() != Some(&*stored.acl) {
            let (acl, bad) = Acl::parse_lenient(&stored.acl);
            if bad > 0 {
                tracing::warn!(event = "mailboxes.acl.damaged", mailbox = %name, entries = bad);
            }
            before.acl_text = (bad == 0).then(|| stored.acl.into_owned());
            before.acl = acl;
        }
        if before.root.as_ref().map(MailboxName::as_str) != stored.root.as_deref() {
            let same = stored.root.as_deref() == Some(name.as_str());
            let root = if same { Some(Ok(name.clone())) } else { stored.root.as_deref().map(MailboxName::parse) };
            before.root = root.transpose().map_err(|error| error.to_string())?;
        }
        let mut special_use: Vec<_> = stored.uses.iter().filter_map(|text| SpecialUse::parse(text)).collect();
        special_use.sort_unstable();
        special_use.dedup();
        Ok(Row {
            unique_id: UniqueId::parse(&stored.id).ok_or("bad unique id")?,
            uid_validity: UidValidity::new(stored.uidvalidity).ok_or("UIDVALIDITY is 0")?,
            partition: stored.partition.into_owned(),
            acl: before.acl.clone(),
            quota_root: before.root.clone(),
            special_use,
            created: stored.created,
            modified: stored.modified,
            state: stored.state,
            other: stored.other,
            name,
        })
    }
}

/// What rows beside each other have in common most of the time.
#[derive(Default)]
pub(crate) struct Neighbour {
    /// The ACL as it was written, if all of it made sense.
    acl_text: Option<String>,
    acl: Acl,
    root: Option<MailboxName>,
}

/// The fields as they are written.
#[derive(Serialize)]
struct Written {
    name: String,
    id: String,
    uidvalidity: u32,
    partition: String,
    acl: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    root: Option<String>,
    #[serde(rename = "use", skip_serializing_if = "Vec::is_empty")]
    uses: Vec<String>,
    created: i64,
    modified: i64,
    #[serde(skip_serializing_if = "is_active")]
    state: RowState,
    #[serde(flatten)]
    other: BTreeMap<String, Value>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants a reference")]
fn is_active(state: &RowState) -> bool {
    *state == RowState::Active
}

/// The same as they are read. By hand: what serde makes for unknown fields keeps a copy of all of them first, and a start
/// reads a million rows.
#[derive(Default)]
struct Stored<'a> {
    name: Cow<'a, str>,
    id: Cow<'a, str>,
    uidvalidity: u32,
    partition: Cow<'a, str>,
    acl: Cow<'a, str>,
    root: Option<Cow<'a, str>>,
    uses: Vec<String>,
    created: i64,
    modified: i64,
    state: RowState,
    other: BTreeMap<String, Value>,
}

/// Text that is not copied unless it has something escaped.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// The fields that every row has, as bits of what was seen.
const REQUIRED: [&str; 7] = ["name", "id", "uidvalidity", "partition", "acl", "created", "modified"];

impl<'de> Deserialize<'de> for Stored<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Fields)
    }
}

struct Fields;

impl<'de> Visitor<'de> for Fields {
    type Value = Stored<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a row")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Stored<'de>, A::Error> {
        let mut row = Stored::default();
        let mut seen = [false; REQUIRED.len()];
        while let Some(Text(field)) = map.next_key()? {
            if let Some(at) = REQUIRED.iter().position(|required| *required == field) {
                seen[at] = true;
            }
            match &*field {
                "name" => row.name = map.next_value::<Text<'_>>()?.0,
                "id" => row.id = map.next_value::<Text<'_>>()?.0,
                "uidvalidity" => row.uidvalidity = map.next_value()?,
                "partition" => row.partition = map.next_value::<Text<'_>>()?.0,
                "acl" => row.acl = map.next_value::<Text<'_>>()?.0,
                "root" => row.root = map.next_value::<Option<Text<'_>>>()?.map(|root| root.0),
                "use" => row.uses = map.next_value()?,
                "created" => row.created = map.next_value()?,
                "modified" => row.modified = map.next_value()?,
                "state" => row.state = map.next_value()?,
                _ => drop(row.other.insert(field.into_owned(), map.next_value()?)),
            }
        }
        match seen.iter().position(|seen| !seen) {
            Some(at) => Err(de::Error::missing_field(REQUIRED[at])),
            None => Ok(row),
        }
    }
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
    fn what_two_rows_have_in_common_is_shared() {
        let one = sample("user/joe/a");
        let same = Row { name: MailboxName::parse("user/joe/b").unwrap(), ..sample("user/joe/b") };
        let other = Row {
            acl: Acl::parse("joe\tlrs\tsue\tl\t").unwrap(),
            quota_root: Some(MailboxName::parse("user/joe/b").unwrap()),
            ..same.clone()
        };
        let bare = Row { acl: Acl::new(), quota_root: None, ..same.clone() };
        for row in [&same, &other, &bare, &one] {
            for before in [&one, &other, &bare] {
                let mut neighbour = Neighbour::default();
                Row::decode_after(&before.encode(), &mut neighbour).unwrap();
                assert_eq!(Row::decode_after(&row.encode(), &mut neighbour).as_ref(), Ok(row));
                // A bad entry is left out each time.
                let damaged = row.encode().replace("joe\\tlrs\\t", "joe\\tlrs\\t\\u0007\\tl\\t");
                for _ in 0..2 {
                    assert_eq!(Row::decode_after(&damaged, &mut neighbour).as_ref(), Ok(row));
                }
            }
        }
    }

    #[test]
    fn what_is_wrong_with_one_row_stays_with_it() {
        let damaged = Row { acl: Acl::new(), ..sample("a") }
            .encode()
            .replace("\"acl\":\"\"", "\"acl\":\"\\u0007\\tl\\tsue\\tl\\t\"");
        let bare = Row { acl: Acl::new(), quota_root: None, ..sample("b") };
        let mut neighbour = Neighbour::default();
        let row = Row::decode_after(&damaged, &mut neighbour).unwrap();
        assert_eq!(row.acl, Acl::parse("sue\tl\t").unwrap());
        assert_eq!(Row::decode_after(&bare.encode(), &mut neighbour).unwrap(), bare);
    }

    #[test]
    fn bad_rows() {
        let good = sample("team").encode();
        for (from, to) in [
            ("\"team\"", "\"../etc\""),
            ("1000000001", "0"),
            ("\"name\"", "\"nome\""),
            ("\"root\":\"user/joe\"", "\"root\":\"user\""),
            ("\"created\":1,", ""),
            ("\"created\":1,", "\"created\":[],"),
        ] {
            assert!(Row::decode(&good.replace(from, to)).is_err(), "{from}");
        }
        assert!(Row::decode("").is_err());
        let row = Row::decode(&good.replace("joe\\tlrs\\t", "joe\\tlrs\\t\\u0007\\tl\\t")).unwrap();
        assert_eq!(row.acl, Acl::parse("joe\tlrs\t").unwrap());
    }
}
