//! What repairs need of the store.

use std::sync::Arc;

use parking_lot::RwLockWriteGuard;

use super::Store;
use crate::error::Result;
use crate::ident::UidValidity;
use crate::list::{Change, Row};
use crate::mailbox::{Marks, Surroundings};
use crate::name::MailboxName;

impl Store {
    /// Nobody opens, makes, renames or removes mailboxes of the tree that `name` is in, as long as this is held.
    pub(crate) fn lock_tree(&self, name: &MailboxName) -> Vec<RwLockWriteGuard<'_, ()>> {
        self.names.exclusive(&[name])
    }

    /// A UIDVALIDITY that no mailbox ever had.
    pub(crate) fn new_uid_validity(&self, now: i64) -> UidValidity {
        self.list.new_uid_validity(now)
    }

    /// Replaces the row of a mailbox, and nothing else. Called with the tree locked.
    pub(crate) fn put_row(&self, row: Row) -> Result<()> {
        self.commit(vec![Change::Put(row)])
    }

    /// Durably raises the high-water marks of a mailbox that is closed.
    pub(crate) fn raise_marks(&self, row: &Row, marks: Marks) -> Result<()> {
        self.list.raise_marks(&row.unique_id, marks)
    }

    /// What mailboxes see of the store.
    pub(crate) fn surroundings(&self) -> Arc<dyn Surroundings> {
        Arc::clone(&self.shared) as _
    }
}
