//! A copy of the mailbox list that an administrator saved, whatever wrote it: what `ctl_mboxlist -u` loads, and what
//! `ctl_mboxlist -r` fills gaps from.

use std::collections::{BTreeMap, HashMap};

use crate::acl::Acl;
use crate::error::{Error, Result};
use crate::ident::{UidValidity, UniqueId};
use crate::list::Row;
use crate::mailbox::Marks;
use crate::name::MailboxName;
use crate::quota::QuotaLimits;
use crate::special_use::SpecialUse;

/// A mailbox as a saved copy knows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SavedMailbox {
    /// Internal name.
    pub name: MailboxName,
    /// Where its directory was, if the copy says so.
    pub partition: Option<String>,
    /// Who may do what.
    pub acl: Acl,
    /// Its identity, if the copy says so.
    pub unique_id: Option<UniqueId>,
    /// Its UIDVALIDITY, if the copy says so.
    pub uid_validity: Option<UidValidity>,
    /// What it is for.
    pub special_use: Vec<SpecialUse>,
}

/// A saved copy.
#[derive(Clone, Default, Debug)]
pub struct SavedList {
    pub(super) mailboxes: BTreeMap<MailboxName, SavedMailbox>,
    pub(super) limits: BTreeMap<MailboxName, QuotaLimits>,
    pub(super) marks: HashMap<UniqueId, Marks>,
    pub(super) uid_validity: u32,
}

impl SavedList {
    /// Takes a mailbox in; a later one of the same name replaces it.
    pub fn insert(&mut self, mailbox: SavedMailbox) {
        self.uid_validity = self.uid_validity.max(mailbox.uid_validity.map_or(0, UidValidity::get));
        self.mailboxes.insert(mailbox.name.clone(), mailbox);
    }

    /// Takes the limits of a quota root in.
    pub fn insert_limits(&mut self, root: MailboxName, limits: QuotaLimits) {
        self.limits.insert(root, limits);
    }

    /// Takes an entry of our own database in, as its dumps hold them (docs/formats/mailboxes.md).
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn insert_entry(&mut self, key: &str, value: &str) -> Result<(), String> {
        let json = |error: serde_json::Error| error.to_string();
        match key.split_once('/') {
            Some(("N", _)) => {
                let row = Row::decode(value)?;
                if row.state == crate::list::RowState::Deleting {
                    return Ok(());
                }
                self.insert(SavedMailbox {
                    partition: Some(row.partition),
                    acl: row.acl,
                    unique_id: Some(row.unique_id),
                    uid_validity: Some(row.uid_validity),
                    special_use: row.special_use,
                    name: row.name,
                });
            }
            Some(("M", id)) => {
                let (last_uid, modseq) = serde_json::from_str(value).map_err(json)?;
                let id = UniqueId::parse(id).ok_or("bad unique id")?;
                self.marks.insert(id, Marks { last_uid, modseq });
            }
            Some(("Q", root)) => {
                let root = MailboxName::parse(root).map_err(|error| error.to_string())?;
                self.insert_limits(root, serde_json::from_str(value).map_err(json)?);
            }
            Some(("V", "uidvalidity")) => {
                self.uid_validity = self.uid_validity.max(serde_json::from_str(value).map_err(json)?);
            }
            // Derived, or of the moment.
            Some(("I" | "X", _)) => {}
            _ => return Err("unknown key".to_owned()),
        }
        Ok(())
    }

    /// The mailboxes, in byte order.
    pub fn mailboxes(&self) -> impl ExactSizeIterator<Item = &SavedMailbox> {
        self.mailboxes.values()
    }

    /// The limits of quota roots.
    pub fn limits(&self) -> impl Iterator<Item = (&MailboxName, QuotaLimits)> {
        self.limits.iter().map(|(root, limits)| (root, *limits))
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.mailboxes.is_empty()
    }

    pub(super) fn acl(&self, name: &MailboxName) -> Option<&Acl> {
        self.mailboxes.get(name).map(|saved| &saved.acl)
    }
}

impl SavedMailbox {
    /// A row for it, where nothing else is known.
    pub(super) fn row(&self, fallback_partition: &str, uid_validity: UidValidity, now: i64) -> Result<Row> {
        let random = || UniqueId::random().map_err(|error| Error::Unavailable(format!("random numbers: {error}")));
        Ok(Row {
            name: self.name.clone(),
            unique_id: self.unique_id.clone().map_or_else(random, Ok)?,
            uid_validity,
            partition: self.partition.clone().unwrap_or_else(|| fallback_partition.to_owned()),
            acl: self.acl.clone(),
            quota_root: None,
            special_use: self.special_use.clone(),
            created: now,
            modified: now,
            state: crate::list::RowState::Active,
            other: BTreeMap::new(),
        })
    }
}
