//! Deleting mailboxes: put aside below `DELETED/` until they are purged, or removed at once. The mailboxes below a deleted
//! one stay where they are (RFC 9051, 6.3.5).

use std::ops::ControlFlow;
use std::sync::Arc;

use super::{Store, now};
use crate::acl::{Access, Rights};
use crate::error::{Error, Result};
use crate::index;
use crate::list::{Change, Intent, Row, RowState};
use crate::mailbox::Identity;
use crate::name::{DELETED_PREFIX, MailboxName, SEPARATOR};

/// How many mailboxes are purged in one batch.
const PURGE_BATCH: usize = 100;

impl Store {
    /// DELETE. Needs `x`. A user's INBOX can't be deleted, except by an administrator, and then with everything that the
    /// user has ([`delete_user`](Self::delete_user)). Blocks.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Denied`], [`Error::Invalid`] for an INBOX.
    pub fn delete(&self, access: &Access, name: &MailboxName) -> Result<()> {
        if name.is_inbox() && access.admin {
            self.permitted(access, name, Rights::DELETE_MAILBOX)?;
            return self.delete_user(name.owner().unwrap_or_default());
        }
        let _names = self.names.exclusive(&[name]);
        let (row, _) = self.permitted(access, name, Rights::DELETE_MAILBOX)?;
        if name.is_inbox() {
            return Err(Error::Invalid("INBOX can't be deleted".to_owned()));
        }
        self.delete_locked(&row)
    }

    /// Deletes a mailbox whose tree is locked.
    pub(super) fn delete_locked(&self, row: &Arc<Row>) -> Result<()> {
        if self.options.delayed_delete && !row.name.is_deleted() {
            self.put_aside(row)
        } else {
            self.remove_now(&[Arc::clone(row)])
        }
    }

    /// Removes the mailboxes that were deleted before `before` (Unix seconds) for good. Returns how many. Blocks.
    ///
    /// # Errors
    /// The disk's; mailboxes that are left are tried again by the next purge.
    pub fn purge_deleted(&self, before: i64) -> Result<u64> {
        self.purge(&self.deleted_before(before))
    }

    /// The mailboxes that were deleted before `before` (Unix seconds) and wait for their end. Memory only.
    #[must_use]
    pub fn deleted_before(&self, before: i64) -> Vec<Arc<Row>> {
        let mut old = Vec::new();
        self.list(&format!("{DELETED_PREFIX}{SEPARATOR}"), |_, row| {
            if row.modified < before {
                old.push(Arc::clone(row));
            }
            ControlFlow::Continue(())
        });
        old
    }

    /// Removes deleted mailboxes for good. Returns how many. Blocks.
    ///
    /// # Errors
    /// As for [`purge_deleted`](Self::purge_deleted).
    pub fn purge(&self, old: &[Arc<Row>]) -> Result<u64> {
        let mut purged = 0;
        for part in old.chunks(PURGE_BATCH) {
            let names: Vec<_> = part.iter().map(|row| &row.name).collect();
            let _names = self.names.exclusive(&names);
            // Somebody may have taken one back since.
            let part: Vec<_> = part.iter().filter(|row| self.row(&row.name).as_ref() == Some(row)).cloned().collect();
            self.remove_now(&part)?;
            purged += part.len() as u64;
        }
        Ok(purged)
    }

    fn put_aside(&self, row: &Row) -> Result<()> {
        let aside = Row {
            name: self.deleted_name(row)?,
            quota_root: None,
            special_use: Vec::new(),
            modified: now(),
            ..row.clone()
        };
        let intent = Intent {
            key: row.unique_id.to_string(),
            old: row.name.clone(),
            new: aside.name.clone(),
            tree: false,
            partitions: vec![row.partition.clone()],
        };
        let mut changes = vec![
            Change::Drop { name: row.name.clone(), id: row.unique_id.clone(), last: false },
            Change::Put(aside.clone()),
            Change::Begin(intent.clone()),
        ];
        let lost_root = self.root_that_goes(row);
        changes.extend(lost_root.iter().map(|root| Change::Limits(root.clone(), None)));
        let limits = lost_root.as_ref().and_then(|root| self.list.limits(root));
        let charged = self.charged(row)?;
        self.commit(changes)?;
        let open = self.registry.remove(&row.unique_id);
        if let Some(mailbox) = &open {
            mailbox.set_gone();
        }
        if let Err(error) = self.directories.carry_out(&intent) {
            self.take_back(row, &aside, &intent, lost_root.zip(limits));
            return Err(error);
        }
        self.commit(vec![Change::End(intent.key)])?;
        match &open {
            // Its charge goes with its identity; sessions that still hold it charge nobody.
            Some(mailbox) => mailbox.set_identity(self.identity(&aside)?),
            None => charged.release(),
        }
        self.forget_root(lost_root.as_ref());
        tracing::info!(event = "mailbox.deleted", mailbox = %row.name, aside = %aside.name);
        Ok(())
    }

    /// The directory could not follow its row: the row goes back.
    fn take_back(
        &self,
        row: &Row,
        aside: &Row,
        intent: &Intent,
        root: Option<(MailboxName, crate::quota::QuotaLimits)>,
    ) {
        let mut changes = vec![
            Change::Drop { name: aside.name.clone(), id: aside.unique_id.clone(), last: false },
            Change::Put(row.clone()),
            Change::End(intent.key.clone()),
        ];
        changes.extend(root.map(|(name, limits)| Change::Limits(name, Some(limits))));
        let back = Intent { old: intent.new.clone(), new: intent.old.clone(), ..intent.clone() };
        if let Err(error) = self.directories.carry_out(&back).and_then(|()| self.commit(changes)) {
            tracing::error!(event = "mailbox.delete.undo.failed", mailbox = %row.name, %error);
        }
    }

    /// Removes mailboxes whose trees are locked, with their files.
    pub(super) fn remove_now(&self, rows: &[Arc<Row>]) -> Result<()> {
        let mut changes = Vec::new();
        let mut charged = Vec::new();
        let mut roots = Vec::new();
        for row in rows {
            changes.push(Change::Put(Row { state: RowState::Deleting, ..Row::clone(row) }));
            charged.push(self.charged(row)?);
            roots.extend(self.root_that_goes(row));
        }
        changes.extend(roots.iter().map(|root| Change::Limits(root.clone(), None)));
        self.commit(changes)?;
        for (row, charged) in rows.iter().zip(charged) {
            match self.registry.remove(&row.unique_id) {
                Some(mailbox) => {
                    mailbox.set_gone();
                    mailbox.set_identity(Identity { quota: None, ..Identity::clone(&mailbox.identity()) });
                }
                None => charged.release(),
            }
        }
        roots.iter().for_each(|root| self.forget_root(Some(root)));
        for row in rows {
            self.directories.wipe(&row.partition, &row.name)?;
            tracing::info!(event = "mailbox.removed", mailbox = %row.name);
        }
        let gone = |row: &Arc<Row>| Change::Drop { name: row.name.clone(), id: row.unique_id.clone(), last: true };
        self.commit(rows.iter().map(gone).collect())
    }

    /// `DELETED/<name>/<hexadecimal time>`, which nothing has yet. A name that would become too long keeps its owner and
    /// gets the unique id for the rest.
    fn deleted_name(&self, row: &Row) -> Result<MailboxName> {
        let mut time = now();
        loop {
            let long = format!("{DELETED_PREFIX}/{}/{time:08X}", row.name);
            let name = MailboxName::parse(&long).or_else(|_| {
                let tree = super::names::tree_of(&row.name);
                MailboxName::parse(&format!("{DELETED_PREFIX}/{tree}/{}/{time:08X}", row.unique_id))
            })?;
            let dir = self.layout().mailbox_dir(&row.partition, &name)?;
            if self.list.any(&name).is_none() && !self.disk().exists(&dir)? {
                return Ok(name);
            }
            time += 1;
        }
    }

    /// The quota root at a mailbox, if it governs nothing else.
    fn root_that_goes(&self, row: &Row) -> Option<MailboxName> {
        self.list.limits(&row.name)?;
        let governs = |other: &Arc<Row>| other.name != row.name && other.quota_root.as_ref() == Some(&row.name);
        (!self.list.tree(&row.name).iter().any(governs)).then(|| row.name.clone())
    }

    pub(super) fn forget_root(&self, root: Option<&MailboxName>) {
        if let Some(root) = root
            && let Err(error) = self.roots.remove(root)
        {
            tracing::warn!(event = "quota.remove.failed", %root, %error);
        }
    }

    /// What a mailbox is charged for at the moment.
    fn charged(&self, row: &Row) -> Result<Charged> {
        let Some(root) = row.quota_root.as_ref() else { return Ok(Charged(None)) };
        let Some(root) = self.load_root(root)? else { return Ok(Charged(None)) };
        let dir = self.layout().mailbox_dir(&row.partition, &row.name)?;
        Ok(Charged(Some((root, index::quota_used(&**self.disk(), &dir)))))
    }
}

/// What a quota root gets back.
struct Charged(Option<(Arc<crate::quota::QuotaRoot>, crate::quota::QuotaUsed)>);

impl Charged {
    fn release(self) {
        if let Some((root, used)) = self.0 {
            root.credit(used.bytes, used.messages);
        }
    }
}
