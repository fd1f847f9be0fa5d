//! Renaming mailboxes. A tree moves with one batch of the mailbox list and one directory rename, whatever its size.
//! INBOX stays: its messages move into a new mailbox (RFC 9051, 6.3.6).

use std::sync::Arc;

use super::{Store, later_than};
use crate::acl::{Access, Rights};
use crate::error::{Error, Result};
use crate::index;
use crate::list::{Change, Intent, Row, RowState, not_found};
use crate::mailbox::{CopyOptions, Mailbox, Permitted};
use crate::name::MailboxName;
use crate::quota::{QuotaCheck, QuotaUsed};

impl Store {
    /// RENAME, with everything below the mailbox. Needs `x` on it and `k` above its new name. Blocks.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Denied`], [`Error::Exists`], [`Error::OverQuota`] when another quota root has no room
    /// for it, [`Error::Invalid`] for a mailbox below itself.
    pub fn rename(&self, access: &Access, old: &MailboxName, new: &MailboxName) -> Result<()> {
        let _names = self.names.exclusive(&[old, new]);
        let (row, _) = self.permitted(access, old, Rights::DELETE_MAILBOX)?;
        self.check_may_create(access, new)?;
        if new.is_inbox() {
            return Err(Error::Invalid("a user's INBOX is not made by renaming".to_owned()));
        }
        if old.is_inbox() {
            // The INBOX stays, so there is one mailbox more.
            self.check_count(access, new, 1)?;
            return self.rename_inbox(access, old, new);
        }
        if new.is_below(old) || old.is_below(new) {
            return Err(Error::Invalid(format!("{old} can't be renamed to {new}: one is below the other")));
        }
        let plan = self.plan(&row, new)?;
        if old.owner() != new.owner() {
            self.check_count(access, new, plan.rows.len())?;
        }
        self.check_room(&plan)?;
        self.move_tree(plan)
    }

    /// What moves where.
    fn plan(&self, row: &Arc<Row>, new: &MailboxName) -> Result<Plan> {
        let old = row.name.clone();
        // What lies below a deleted mailbox was deleted on its own.
        let tree = !old.is_deleted();
        let sources = if tree { self.list.tree(&old) } else { vec![Arc::clone(row)] };
        let mut plan = Plan { old, new: new.clone(), tree, rows: Vec::new(), roots: Vec::new() };
        for (root, limits) in self.list.roots() {
            if tree && (root == plan.old || root.is_below(&plan.old)) {
                let moved = root.rebased(&plan.old, new)?;
                plan.roots.push((root, moved, limits));
            }
        }
        for source in sources {
            if source.state != RowState::Active {
                return Err(Error::InUse(source.name.to_string()));
            }
            let name = source.name.rebased(&plan.old, new)?;
            if self.list.any(&name).is_some() {
                return Err(Error::Exists(name.to_string()));
            }
            let dir = self.layout().mailbox_dir(&source.partition, &name)?;
            if self.directories.holds_mailbox(&dir)? {
                let what = format!("{} holds the files of an unlisted mailbox: run reconstruct", dir.display());
                return Err(Error::Invalid(what));
            }
            let same_owner = name.owner() == source.name.owner();
            let target = Row {
                quota_root: plan.root_of(&name).or_else(|| self.list.root_of(&name)),
                // Another user may have such a mailbox already.
                special_use: if same_owner { source.special_use.clone() } else { Vec::new() },
                modified: later_than(&source),
                name,
                ..Row::clone(&source)
            };
            plan.rows.push((source, target));
        }
        Ok(plan)
    }

    /// Whether the quota roots that get mailboxes have room for them.
    fn check_room(&self, plan: &Plan) -> Result<()> {
        let mut needs: Vec<(&MailboxName, QuotaUsed)> = Vec::new();
        for (source, target) in &plan.rows {
            let Some(root) = target.quota_root.as_ref().filter(|root| source.quota_root.as_ref() != Some(root)) else {
                continue;
            };
            if plan.roots.iter().any(|(_, moved, _)| moved == root) {
                continue;
            }
            let dir = self.layout().mailbox_dir(&source.partition, &source.name)?;
            let used = index::quota_used(&**self.disk(), &dir);
            match needs.iter_mut().find(|(other, _)| *other == root) {
                Some((_, sum)) => {
                    sum.bytes = sum.bytes.saturating_add(used.bytes);
                    sum.messages = sum.messages.saturating_add(used.messages);
                }
                None => needs.push((root, used)),
            }
        }
        for (root, used) in needs {
            if let Some(root) = self.load_root(root)? {
                root.check(used.bytes, used.messages, QuotaCheck::Enforce)?;
            }
        }
        Ok(())
    }

    fn move_tree(&self, plan: Plan) -> Result<()> {
        // Mailboxes whose root changes must be open, so that their charge moves with them; all others may be.
        let mut open = Vec::new();
        for (source, target) in &plan.rows {
            if source.quota_root == target.quota_root {
                open.extend(self.registry.get(&source.unique_id));
            } else {
                open.push(self.open_row(source)?);
            }
        }
        for (_, moved, limits) in &plan.roots {
            self.roots.add(moved, *limits);
        }
        let intent = plan.intent();
        self.commit(plan.changes(Change::Begin(intent.clone())))?;
        let _moving: Vec<_> = open.iter().map(Mailbox::begin_move).collect();
        if let Err(error) = self.directories.carry_out(&intent) {
            let back = Intent { old: intent.new.clone(), new: intent.old.clone(), ..intent.clone() };
            let undone = self
                .directories
                .carry_out(&back)
                .and_then(|()| self.commit(plan.inverse().changes(Change::End(intent.key))));
            if let Err(error) = undone {
                tracing::error!(event = "mailbox.rename.undo.failed", mailbox = %plan.old, %error);
            }
            return Err(error);
        }
        for mailbox in &open {
            let Some(row) = self.list.by_id(mailbox.unique_id()) else { continue };
            mailbox.set_identity(self.identity(&row)?);
            // Only a copy of the row, for the case that the mailboxes database is lost: nobody waits for it.
            let mailbox = Arc::clone(mailbox);
            self.shared.background.run_later(Box::new(move || {
                if let Err(error) = mailbox.write_header_file()
                    && !mailbox.is_gone()
                {
                    tracing::warn!(event = "mailbox.header.stale", mailbox = %mailbox.name(), %error);
                }
            }));
        }
        for (root, ..) in &plan.roots {
            self.roots.remove(root)?;
        }
        self.commit(vec![Change::End(intent.key)])?;
        tracing::info!(event = "mailbox.renamed", mailbox = %plan.old, new = %plan.new, count = plan.rows.len());
        Ok(())
    }

    /// Makes the new mailbox and moves all messages of INBOX into it. The folders of INBOX stay where they are.
    fn rename_inbox(&self, access: &Access, inbox: &MailboxName, new: &MailboxName) -> Result<()> {
        let row = self.row(inbox).ok_or_else(|| not_found(inbox))?;
        let source = self.open_row(&row)?;
        let made = self.create_locked(new, &super::CreateOptions::default(), None)?;
        let target = self.open_row(&made)?;
        // Within one quota root usage is the same afterwards, whatever the limit.
        let quota = if row.quota_root == made.quota_root { QuotaCheck::Ignore } else { QuotaCheck::Enforce };
        let options = CopyOptions { reader: &access.user, permitted: Permitted::ALL, quota };
        let uids = source.read().uids().clone();
        if let Err(error) = source.move_to(&uids, &target, &options) {
            // Messages whose originals are still there may go again; when the removal failed, copies stay, so that
            // nothing is lost.
            if target.read().uids().is_empty() {
                drop(target);
                self.remove_now(&[made])?;
            }
            return Err(error);
        }
        // Else a power cut could bring the originals back beside their copies.
        source.sync()
    }
}

/// A rename that was checked.
struct Plan {
    old: MailboxName,
    new: MailboxName,
    tree: bool,
    /// Rows before and after.
    rows: Vec<(Arc<Row>, Row)>,
    /// Quota roots that move: name before, name after, limits.
    roots: Vec<(MailboxName, MailboxName, crate::quota::QuotaLimits)>,
}

impl Plan {
    /// The quota root that moves along and governs the new name `name`.
    fn root_of(&self, name: &MailboxName) -> Option<MailboxName> {
        let governs = |root: &&MailboxName| *root == name || name.is_below(root);
        self.roots.iter().map(|(_, moved, _)| moved).filter(governs).max_by_key(|root| root.as_str().len()).cloned()
    }

    fn intent(&self) -> Intent {
        let mut partitions: Vec<_> = self.rows.iter().map(|(row, _)| row.partition.clone()).collect();
        partitions.sort_unstable();
        partitions.dedup();
        let key = self.rows.first().map(|(row, _)| row.unique_id.to_string()).unwrap_or_default();
        Intent { key, old: self.old.clone(), new: self.new.clone(), tree: self.tree, partitions }
    }

    fn changes(&self, last: Change) -> Vec<Change> {
        let mut changes = Vec::with_capacity(self.rows.len() * 2 + self.roots.len() * 2 + 1);
        for (row, _) in &self.rows {
            changes.push(Change::Drop { name: row.name.clone(), id: row.unique_id.clone(), last: false });
        }
        changes.extend(self.rows.iter().map(|(_, row)| Change::Put(row.clone())));
        changes.extend(self.roots.iter().map(|(old, ..)| Change::Limits(old.clone(), None)));
        changes.extend(self.roots.iter().map(|(_, new, limits)| Change::Limits(new.clone(), Some(*limits))));
        changes.push(last);
        changes
    }

    /// The way back.
    fn inverse(&self) -> Plan {
        Plan {
            old: self.new.clone(),
            new: self.old.clone(),
            tree: self.tree,
            rows: self.rows.iter().map(|(old, new)| (Arc::new(new.clone()), Row::clone(old))).collect(),
            roots: self.roots.iter().map(|(old, new, limits)| (new.clone(), old.clone(), *limits)).collect(),
        }
    }
}
