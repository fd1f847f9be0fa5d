//! Quota roots of the store: which one governs a mailbox, what it is used for, and changing limits.

use std::sync::Arc;

use super::{Store, now};
use crate::error::{Error, Result};
use crate::index;
use crate::list::{Change, Row, RowState, not_found};
use crate::name::MailboxName;
use crate::quota::{QuotaCheck, QuotaLimits, QuotaRoot, QuotaUsage, QuotaUsed};

impl Store {
    /// The quota root that governs a name, which need not exist. Memory only.
    #[must_use]
    pub fn quota_root_of(&self, name: &MailboxName) -> Option<MailboxName> {
        self.list.root_of(name)
    }

    /// All quota roots in byte order, with their limits. Memory only.
    #[must_use]
    pub fn quota_roots(&self) -> Vec<(MailboxName, QuotaLimits)> {
        self.list.roots()
    }

    /// The limits of the quota root at a mailbox, if it is one. Memory only.
    #[must_use]
    pub fn quota_limits(&self, root: &MailboxName) -> Option<QuotaLimits> {
        self.list.limits(root)
    }

    /// Limits and usage of a quota root. Blocks when its usage has to be summed up first.
    ///
    /// # Errors
    /// [`Error::NotFound`] if there is no such root.
    pub fn quota(&self, root: &MailboxName) -> Result<QuotaUsage> {
        self.load_root(root)?.map(|root| root.usage()).ok_or_else(|| not_found(root))
    }

    /// Whether [`check_quota`](Self::check_quota) needs nothing but memory for this mailbox now.
    #[must_use]
    pub fn knows_quota(&self, name: &MailboxName) -> bool {
        self.list.root_of(name).is_none_or(|root| self.roots.loaded(&root).is_some())
    }

    /// Whether `messages` of together `bytes` may come into a mailbox now: to refuse a delivery before its message is
    /// received. Blocks like [`quota`](Self::quota).
    ///
    /// # Errors
    /// [`Error::OverQuota`].
    pub fn check_quota(&self, name: &MailboxName, bytes: u64, messages: u64, check: QuotaCheck) -> Result<()> {
        let Some(root) = self.list.root_of(name) else { return Ok(()) };
        let Some(root) = self.load_root(&root)? else { return Ok(()) };
        root.check(bytes, messages, check).inspect_err(|_| self.counters().quota.refusals.add(1))
    }

    /// Sets the limits of the quota root at a mailbox, which becomes one if it was not; without limits (`None`) it is one
    /// no longer, and what it governed counts to the next root above. Blocks.
    ///
    /// # Errors
    /// [`Error::NotFound`] if there is neither a root nor a mailbox of that name.
    pub fn set_quota(&self, root: &MailboxName, limits: Option<QuotaLimits>) -> Result<()> {
        let _names = self.names.exclusive(&[root]);
        self.set_quota_locked(root, limits)
    }

    /// Sets the limits of a quota root to what `decide` makes of those it has; nobody else changes them meanwhile. `decide`
    /// may write down elsewhere what it decides: whoever comes next reads that. Blocks.
    ///
    /// # Errors
    /// Those of [`set_quota`](Self::set_quota) and of `decide`; the limits stay then.
    pub fn change_quota<E: From<Error>>(
        &self,
        root: &MailboxName,
        decide: impl FnOnce(Option<QuotaLimits>) -> Result<Option<QuotaLimits>, E>,
    ) -> Result<(), E> {
        let _names = self.names.exclusive(&[root]);
        let now = self.list.limits(root);
        let limits = decide(now)?;
        if limits == now { Ok(()) } else { Ok(self.set_quota_locked(root, limits)?) }
    }

    /// The same for many roots at once: new limits of all that are roots and stay roots are one commit. `decide` gets the
    /// position of a root in `roots`. Blocks.
    ///
    /// # Errors
    /// As [`change_quota`](Self::change_quota). With those of `decide` all limits stay; else some may be changed.
    pub fn change_quotas<E: From<Error>>(
        &self,
        roots: &[MailboxName],
        mut decide: impl FnMut(usize, Option<QuotaLimits>) -> Result<Option<QuotaLimits>, E>,
    ) -> Result<(), E> {
        let _names = self.names.exclusive(&roots.iter().collect::<Vec<_>>());
        let (mut stay, mut others) = (Vec::new(), Vec::new());
        for (position, root) in roots.iter().enumerate() {
            let now = self.list.limits(root);
            let wanted = decide(position, now)?;
            match (now, wanted) {
                (now, wanted) if now == wanted => {}
                (Some(_), Some(limits)) => stay.push((root, limits)),
                _ => others.push((root, wanted)),
            }
        }
        if !stay.is_empty() {
            let changes = stay.iter().map(|(root, limits)| Change::Limits((*root).clone(), Some(*limits)));
            self.commit(changes.collect())?;
        }
        for (root, limits) in stay {
            // One that nobody has asked for yet takes the limits when it is loaded.
            if let Some(root) = self.roots.loaded(root) {
                root.set_limits(limits);
                self.roots.write(&root)?;
            }
        }
        others.into_iter().try_for_each(|(root, limits)| Ok(self.set_quota_locked(root, limits)?))
    }

    fn set_quota_locked(&self, root: &MailboxName, limits: Option<QuotaLimits>) -> Result<()> {
        match (self.list.limits(root), limits) {
            (Some(_), Some(limits)) => {
                self.commit(vec![Change::Limits(root.clone(), Some(limits))])?;
                if let Some(root) = self.load_root(root)? {
                    root.set_limits(limits);
                    self.roots.write(&root)?;
                }
                Ok(())
            }
            (None, None) => Ok(()),
            (None, Some(limits)) => {
                if self.row(root).is_none() || root.is_deleted() {
                    return Err(not_found(root));
                }
                let above = self.list.root_of(root);
                self.roots.add(root, limits);
                self.change_root(root, Some(limits), above.as_ref(), Some(root)).inspect_err(|_| {
                    // The change did not happen; nobody knows of the new root.
                    if let Err(error) = self.roots.remove(root) {
                        tracing::warn!(event = "quota.remove.failed", %root, %error);
                    }
                })?;
                self.write_root(root)
            }
            (Some(_), None) => {
                let above = root.parent().and_then(|above| self.list.root_of(&above));
                self.change_root(root, None, Some(root), above.as_ref())?;
                self.roots.remove(root)?;
                above.map_or(Ok(()), |above| self.write_root(&above))
            }
        }
    }

    /// The quota root of that name, if there is one; loaded when it is needed for the first time.
    pub(super) fn load_root(&self, name: &MailboxName) -> Result<Option<Arc<QuotaRoot>>> {
        match self.list.limits(name) {
            Some(limits) => self.roots.get(name, limits, || self.recount(name)).map(Some),
            None => Ok(None),
        }
    }

    /// What the mailboxes that a root governs use, by their index headers.
    pub(crate) fn recount(&self, root: &MailboxName) -> Result<QuotaUsed> {
        let mut sum = QuotaUsed::default();
        for row in self.list.tree(root) {
            if row.state == RowState::Active && row.quota_root.as_ref() == Some(root) {
                let dir = self.layout().mailbox_dir(&row.partition, &row.name)?;
                let used = index::quota_used(&**self.disk(), &dir);
                sum.bytes = sum.bytes.saturating_add(used.bytes);
                sum.messages = sum.messages.saturating_add(used.messages);
            }
        }
        Ok(sum)
    }

    /// Hands what lies at and below `place` from one root to another. The mailboxes are open while the change happens, so
    /// that the charge of each moves in one step.
    fn change_root(
        &self,
        place: &MailboxName,
        limits: Option<QuotaLimits>,
        from: Option<&MailboxName>,
        to: Option<&MailboxName>,
    ) -> Result<()> {
        let governed = |row: &Arc<Row>| row.state == RowState::Active && row.quota_root.as_ref() == from;
        let rows: Vec<_> = self.list.tree(place).into_iter().filter(governed).collect();
        let mut held = Vec::with_capacity(rows.len());
        for row in &rows {
            match self.open_row(row) {
                Ok(mailbox) => held.push(mailbox),
                // Its usage is unknown anyway.
                Err(error) => tracing::warn!(event = "mailbox.open.failed", mailbox = %row.name, %error),
            }
        }
        let mut changes = vec![Change::Limits(place.clone(), limits)];
        let now = now();
        changes.extend(
            rows.iter().map(|row| Change::Put(Row { quota_root: to.cloned(), modified: now, ..Row::clone(row) })),
        );
        self.commit(changes)?;
        for mailbox in held {
            if let Some(row) = self.list.by_id(mailbox.unique_id()) {
                self.refresh(&row);
            }
        }
        Ok(())
    }

    fn write_root(&self, name: &MailboxName) -> Result<()> {
        match self.roots.loaded(name) {
            Some(root) => self.roots.write(&root),
            None => Ok(()),
        }
    }
}
