//! A user's beginning and end, and what else belongs to him: subscriptions.

use std::sync::Arc;

use super::{CreateOptions, Store};
use crate::error::Result;
use crate::list::Row;
use crate::name::MailboxName;
use crate::quota::QuotaLimits;

impl Store {
    /// Makes a user's INBOX, its quota root if there are limits, and subscribes him to it. Doing it again is an error
    /// only if the INBOX exists. Blocks.
    ///
    /// # Errors
    /// [`Error::Exists`](crate::Error::Exists), [`Error::BadName`](crate::Error::BadName) when that can't be a user.
    pub fn create_user(&self, user: &str, quota: Option<QuotaLimits>) -> Result<Arc<Row>> {
        let inbox = MailboxName::inbox(user)?;
        let row = {
            let _names = self.names.exclusive(&[&inbox]);
            self.create_locked(&inbox, &CreateOptions::default(), quota)?
        };
        self.subscriptions.set(user, &inbox, true)?;
        Ok(row)
    }

    /// Removes everything of a user: INBOX and all folders, quota roots, subscriptions, and his entries in the lists of
    /// other mailboxes. After a crash in the middle, doing it again ends it. Blocks.
    ///
    /// # Errors
    /// The disk's; what is left goes when it is done again.
    pub fn delete_user(&self, user: &str) -> Result<()> {
        let inbox = MailboxName::inbox(user)?;
        {
            let _names = self.names.exclusive(&[&inbox]);
            let rows = self.list.tree(&inbox);
            // From the leaves up, so that directories move whole.
            for row in rows.iter().rev() {
                self.delete_locked(row)?;
            }
            for (root, _) in self.list.roots() {
                if root == inbox || root.is_below(&inbox) {
                    self.commit(vec![crate::list::Change::Limits(root.clone(), None)])?;
                    self.roots.remove(&root)?;
                }
            }
        }
        self.subscriptions.forget(user)?;
        let lists = self.forget_in_lists(user)?;
        tracing::info!(event = "user.deleted", user, lists);
        Ok(())
    }

    /// The mailboxes a user has subscribed to, in byte order; some may not exist any more. Blocks.
    ///
    /// # Errors
    /// The disk's. Damaged lines are passed over, and logged.
    pub fn subscriptions(&self, user: &str) -> Result<Vec<MailboxName>> {
        self.subscriptions.list(user)
    }

    /// SUBSCRIBE. Whether the mailbox must exist is the protocol's business (RFC 9051, 6.3.7, allows either). Blocks.
    ///
    /// # Errors
    /// [`Error::Limit`](crate::Error::Limit), or the disk's.
    pub fn subscribe(&self, user: &str, name: &MailboxName) -> Result<()> {
        self.usable()?;
        self.subscriptions.set(user, name, true).map(drop)
    }

    /// UNSUBSCRIBE; nothing happens if there is no such subscription. Blocks.
    ///
    /// # Errors
    /// The disk's.
    pub fn unsubscribe(&self, user: &str, name: &MailboxName) -> Result<()> {
        self.usable()?;
        self.subscriptions.set(user, name, false).map(drop)
    }

    /// The users who have subscription files, sorted. Blocks.
    ///
    /// # Errors
    /// The disk's.
    pub fn subscribers(&self) -> Result<Vec<String>> {
        self.subscriptions.users()
    }

    /// What is wrong with a user's subscription file: lines that are no mailbox names, and whether the others are out of
    /// order. Blocks.
    ///
    /// # Errors
    /// The disk's.
    pub fn subscription_damage(&self, user: &str) -> Result<(usize, bool)> {
        let loaded = self.subscriptions.load(user)?;
        Ok((loaded.bad_lines, loaded.unsorted))
    }

    /// Writes the good lines of a user's damaged subscription file back, sorted. Blocks.
    ///
    /// # Errors
    /// The disk's; the old file stays.
    pub fn repair_subscriptions(&self, user: &str) -> Result<()> {
        self.subscriptions.repair(user)
    }
}
