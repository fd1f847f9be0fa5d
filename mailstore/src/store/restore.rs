//! Loading a saved copy of the mailbox list (`ctl_mboxlist -u`), and taking mailboxes out of the list (`-d -x`).

use super::{CreateOptions, SavedList, SavedMailbox, Store};
use crate::error::{Error, Result};
use crate::layout::DEFAULT_PARTITION;
use crate::list::{Change, Row, not_found};
use crate::name::MailboxName;

/// What became of a mailbox of a saved copy.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RestoredRow {
    /// It was as the copy says.
    Unchanged,
    /// It was there, and has the copy's ACL and special uses now.
    Changed,
    /// Its directory was there, and is listed with the copy's ACL.
    Listed,
    /// It was not there: it is made, empty.
    Created,
}

impl RestoredRow {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unchanged => "unchanged",
            Self::Changed => "changed",
            Self::Listed => "listed from its directory",
            Self::Created => "created",
        }
    }
}

impl Store {
    /// Makes a mailbox be as a saved copy says. Nothing is ever taken away: identity and UIDVALIDITY of a mailbox that is
    /// there, or whose directory is, stay its own; one that is made has a new UIDVALIDITY. Blocks.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the copy has it on another partition than it is, or on one that is not configured.
    pub fn restore_row(&self, saved: &SavedMailbox, dry_run: bool) -> Result<RestoredRow> {
        let name = &saved.name;
        let _names = self.names.exclusive(&[name]);
        let partition = saved.partition.as_deref().unwrap_or(DEFAULT_PARTITION);
        if let Some(row) = self.row(name) {
            if saved.partition.as_ref().is_some_and(|partition| *partition != row.partition) {
                let what = format!("is on partition {}, not {partition}: rename it there", row.partition);
                return Err(Error::Invalid(what));
            }
            return self.restore_live(&row, saved, dry_run);
        }
        let dir = self.layout().mailbox_dir(partition, name)?;
        if self.directories.holds_mailbox(&dir)? {
            if !dry_run {
                let adopted = self.adopt_locked(partition, name)?;
                self.change_row(&adopted.row, |row| row.acl = saved.acl.clone())?;
            }
            return Ok(RestoredRow::Listed);
        }
        if name.is_deleted() {
            return Err(Error::Invalid("was deleted, and its directory is gone".to_owned()));
        }
        if !dry_run {
            if let Some(validity) = saved.uid_validity {
                self.list.note_uid_validity(validity.get());
            }
            let taken = |known: &&crate::special_use::SpecialUse| self.check_special_use(name, &[**known]).is_ok();
            let options = CreateOptions {
                special_use: saved.special_use.iter().filter(taken).copied().collect(),
                partition: Some(partition.to_owned()),
                acl: Some(saved.acl.clone()),
                unique_id: saved.unique_id.clone().filter(|id| self.list.by_id(id).is_none()),
            };
            self.create_locked(name, &options, None)?;
        }
        Ok(RestoredRow::Created)
    }

    fn restore_live(&self, row: &Row, saved: &SavedMailbox, dry_run: bool) -> Result<RestoredRow> {
        let mut uses = row.special_use.clone();
        uses.extend(saved.special_use.iter().filter(|known| self.check_special_use(&row.name, &[**known]).is_ok()));
        uses.sort_unstable();
        uses.dedup();
        if row.acl == saved.acl && row.special_use == uses {
            return Ok(RestoredRow::Unchanged);
        }
        if !dry_run {
            self.change_row(row, |row| (row.acl, row.special_use) = (saved.acl.clone(), uses))?;
        }
        Ok(RestoredRow::Changed)
    }

    /// Sets the limits of the quota roots of a saved copy that are no roots now. Returns which. Blocks.
    ///
    /// # Errors
    /// The disk's.
    pub fn restore_limits(&self, saved: &SavedList, dry_run: bool) -> Result<Vec<MailboxName>> {
        let mut restored = Vec::new();
        for (root, limits) in saved.limits() {
            let exists = self.row(root).is_some() || dry_run;
            if exists && self.quota_limits(root).is_none() {
                if !dry_run {
                    self.set_quota(root, Some(limits))?;
                }
                restored.push(root.clone());
            }
        }
        Ok(restored)
    }

    /// Gives every entry of the mailboxes database whose key begins with `prefix` to `each`, in key order. Blocks.
    ///
    /// # Errors
    /// The database's.
    pub fn database_entries(&self, prefix: &str, each: &mut dyn FnMut(&str, &str)) -> Result<()> {
        self.list.entries(prefix, each)
    }

    /// Sets (or, without a value, removes) an entry of the mailboxes database, past all that keeps entries in step. Only for
    /// a store that nobody else uses, and that is closed afterwards. Blocks.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a value that the store could not read, or the database's.
    pub fn set_database_entry(&self, key: &str, value: Option<&str>) -> Result<()> {
        self.usable()?;
        self.list.set_entry(key, value)?;
        tracing::warn!(event = "mailboxes.entry.set", key, removed = value.is_none());
        Ok(())
    }

    /// Takes a mailbox out of the list; its directory stays, and so do its high-water marks. Blocks.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub fn unlist(&self, name: &MailboxName) -> Result<()> {
        let _names = self.names.exclusive(&[name]);
        let row = self.row(name).ok_or_else(|| not_found(name))?;
        self.let_go(&row);
        self.commit(vec![Change::Drop { name: name.clone(), id: row.unique_id.clone(), last: false }])?;
        tracing::warn!(event = "mailbox.unlisted", mailbox = %name, "its directory stays");
        row.quota_root.as_ref().map_or(Ok(()), |root| self.recount_loaded(root))
    }
}
