//! Access control lists of mailboxes, and what they mean for whoever asks (RFC 4314).

use std::sync::Arc;

use super::{Store, later_than};
use crate::acl::{self, Access, Acl, AclMode, Identifier, Rights};
use crate::error::{Error, Result};
use crate::list::{Change, Row, not_found};
use crate::name::MailboxName;
use crate::special_use::SpecialUse;

impl Store {
    /// What `access` may do with a mailbox; nothing if there is none. Memory only.
    #[must_use]
    pub fn rights(&self, access: &Access, name: &MailboxName) -> Rights {
        self.row(name).map_or(Rights::NONE, |row| row.rights(access))
    }

    /// GETACL: the list of a mailbox. Needs `a`. Memory only.
    ///
    /// # Errors
    /// [`Error::NotFound`] also where the asker may not know of the mailbox; [`Error::Denied`].
    pub fn acl(&self, access: &Access, name: &MailboxName) -> Result<Acl> {
        Ok(self.permitted(access, name, Rights::ADMINISTER)?.0.acl.clone())
    }

    /// MYRIGHTS: what the asker may do. Needs any of `l`, `r`, `i`, `k`, `x` and `a` (RFC 4314, 4). Memory only.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub fn my_rights(&self, access: &Access, name: &MailboxName) -> Result<Rights> {
        let rights = self.rights(access, name);
        let any = Rights::LOOKUP
            .with(Rights::READ)
            .with(Rights::INSERT)
            .with(Rights::CREATE)
            .with(Rights::DELETE_MAILBOX)
            .with(Rights::ADMINISTER);
        if rights.intersects(any) { Ok(rights) } else { Err(not_found(name)) }
    }

    /// LISTRIGHTS: the rights that `id` always has on a mailbox, and the groups that can be granted. Needs `a`.
    /// Memory only.
    ///
    /// # Errors
    /// As for [`acl`](Self::acl).
    pub fn list_rights(&self, access: &Access, name: &MailboxName, id: &Identifier) -> Result<(Rights, Vec<Rights>)> {
        self.permitted(access, name, Rights::ADMINISTER)?;
        Ok(acl::grantable(id, name.owner()))
    }

    /// SETACL: changes one entry of a mailbox's list. Needs `a`. Blocks.
    ///
    /// # Errors
    /// As for [`acl`](Self::acl), and [`Error::Limit`].
    pub fn set_acl(
        &self,
        access: &Access,
        name: &MailboxName,
        id: &Identifier,
        mode: AclMode,
        rights: Rights,
    ) -> Result<()> {
        let _names = self.names.exclusive(&[name]);
        let (row, _) = self.permitted(access, name, Rights::ADMINISTER)?;
        let mut acl = row.acl.clone();
        if acl.is_full_for(id) {
            return Err(Error::Limit("a list has at most 1000 entries"));
        }
        acl.set(id.clone(), mode, rights);
        self.change_row(&row, |row| row.acl = acl)
    }

    /// DELETEACL: removes one entry of a mailbox's list. Needs `a`. Blocks.
    ///
    /// # Errors
    /// As for [`acl`](Self::acl).
    pub fn delete_acl(&self, access: &Access, name: &MailboxName, id: &Identifier) -> Result<()> {
        self.set_acl(access, name, id, AclMode::Replace, Rights::NONE)
    }

    /// Whether mail may be posted to a mailbox: everybody's to an INBOX, else who has `p`. Memory only.
    ///
    /// # Errors
    /// As for [`open_for`](Self::open_for).
    pub fn check_post(&self, access: &Access, name: &MailboxName) -> Result<()> {
        if name.is_inbox() {
            return self.row(name).map(drop).ok_or_else(|| not_found(name));
        }
        self.permitted(access, name, Rights::POST).map(drop)
    }

    /// Sets what a mailbox is for (SETMETADATA `/private/specialuse`, `cyradm`). Needs `a`. Blocks.
    ///
    /// # Errors
    /// [`Error::Invalid`] when another mailbox of the same owner has that use already, or none can.
    pub fn set_special_use(&self, access: &Access, name: &MailboxName, uses: &[SpecialUse]) -> Result<()> {
        let _names = self.names.exclusive(&[name]);
        let (row, _) = self.permitted(access, name, Rights::ADMINISTER)?;
        self.check_special_use(name, uses)?;
        let mut uses = uses.to_vec();
        uses.sort_unstable();
        uses.dedup();
        self.change_row(&row, |row| row.special_use = uses)
    }

    /// One mailbox of a user is for one thing: a client that looks for \Sent must find one. Called with the tree locked.
    pub(super) fn check_special_use(&self, name: &MailboxName, uses: &[SpecialUse]) -> Result<()> {
        if uses.is_empty() {
            return Ok(());
        }
        let Some(owner) = name.owner().filter(|_| !name.is_inbox() && !name.is_deleted()) else {
            return Err(Error::Invalid(format!("{name} can have no special use: it is not a folder of a user")));
        };
        let tree = self.list.tree(&MailboxName::inbox(owner)?);
        for wanted in uses {
            if let Some(other) = tree.iter().find(|row| row.name != *name && row.special_use.contains(wanted)) {
                return Err(Error::Invalid(format!("{} has the special use {wanted} already", other.name)));
            }
        }
        Ok(())
    }

    /// Changes a row, and tells the mailbox and its cyrus.header. Called with the tree locked.
    pub(super) fn change_row(&self, row: &Row, change: impl FnOnce(&mut Row)) -> Result<()> {
        let mut new = row.clone();
        change(&mut new);
        if new == *row {
            return Ok(());
        }
        new.modified = later_than(row);
        self.commit(vec![Change::Put(new.clone())])?;
        self.refresh(&new);
        Ok(())
    }

    /// Brings an open mailbox and cyrus.header in step with a row. The row is durable and counts; so what goes wrong here
    /// is repaired by `reconstruct`, and no reason to say that the change failed.
    pub(super) fn refresh(&self, row: &Row) {
        let refreshed = self.open_row(row).and_then(|mailbox| {
            mailbox.set_identity(self.identity(row)?);
            mailbox.write_header_file()
        });
        if let Err(error) = refreshed {
            tracing::warn!(event = "mailbox.header.stale", mailbox = %row.name, %error);
        }
    }

    /// Takes a user who ceases to exist out of all lists.
    pub(super) fn forget_in_lists(&self, user: &str) -> Result<u64> {
        let mut named: Vec<Arc<Row>> = Vec::new();
        self.list("", |_, row| {
            if row.acl.entries().any(|(id, _)| id.name() == user) {
                named.push(Arc::clone(row));
            }
            std::ops::ControlFlow::Continue(())
        });
        for row in &named {
            let _names = self.names.exclusive(&[&row.name]);
            // It may have changed since.
            if let Some(row) = self.row(&row.name) {
                self.change_row(&row, |row| {
                    row.acl.forget(user);
                })?;
            }
        }
        Ok(named.len() as u64)
    }
}
