//! Which rights commands need (RFC 4314, 4), and what a set of rights lets a session do with its mailbox.
//!
//! Mailboxes are opened through [`open`] with one of these constants, so a command cannot forget to ask. Without the right to
//! look a mailbox up, every answer is the one for a mailbox that does not exist (RFC 4314, 6).

use std::sync::Arc;

use mailstore::{Mailbox, MailboxName, Permitted, Rights, SystemFlags};

use crate::context::Context;
use crate::outcome::CommandError;
use crate::session::Account;

/// SELECT, EXAMINE, STATUS, and copying out of a mailbox.
pub(crate) const READ: Rights = Rights::READ;
/// APPEND, and copying into a mailbox.
pub(crate) const INSERT: Rights = Rights::INSERT;
/// SUBSCRIBE, LIST, MYRIGHTS.
pub(crate) const LOOKUP: Rights = Rights::LOOKUP;
/// GETQUOTAROOT (RFC 9208, 4.1).
pub(crate) const QUOTA: Rights = Rights::READ;

/// Rights to change something in a mailbox: a session without any of them has it read-only.
pub(crate) const CHANGING: Rights = Rights::SEEN
    .with(Rights::WRITE)
    .with(Rights::INSERT)
    .with(Rights::DELETE_MESSAGES)
    .with(Rights::EXPUNGE)
    .with(Rights::ANNOTATE);

/// Opens a mailbox for a user who needs some rights, and tells all the rights that the user has. One that is open already
/// is shared without leaving the reactor.
pub(crate) async fn open(
    context: &Context,
    account: &Arc<Account>,
    name: MailboxName,
    needed: Rights,
) -> Result<(Arc<Mailbox>, Rights), CommandError> {
    // Held so that it stays open meanwhile.
    if let Some(_open) = context.server.store.open_mailbox(&name) {
        return Ok(context.server.store.open_for(&account.access, &name, needed)?);
    }
    let account = Arc::clone(account);
    context.blocking(move |server| server.store.open_for(&account.access, &name, needed)).await
}

/// The flags that `rights` allow to change (RFC 4314, 4: STORE): `s` is for \Seen, `t` for \Deleted, `w` for all others,
/// new keywords too.
pub(crate) fn permitted(rights: Rights) -> Permitted {
    let write = rights.contains(Rights::WRITE);
    let mut system = SystemFlags::NONE;
    if write {
        system = system.with(SystemFlags::ANSWERED).with(SystemFlags::FLAGGED).with(SystemFlags::DRAFT);
    }
    if rights.contains(Rights::DELETE_MESSAGES) {
        system = system.with(SystemFlags::DELETED);
    }
    Permitted { system, seen: rights.contains(Rights::SEEN), keywords: write }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_by_rights() {
        let other = SystemFlags::ANSWERED.with(SystemFlags::FLAGGED).with(SystemFlags::DRAFT);
        let check = |rights: &str, system, seen, keywords| {
            assert_eq!(permitted(Rights::parse(rights).unwrap()), Permitted { system, seen, keywords }, "{rights}");
        };
        check("lr", SystemFlags::NONE, false, false);
        check("lrs", SystemFlags::NONE, true, false);
        check("lrw", other, false, true);
        check("lrt", SystemFlags::DELETED, false, false);
        check("lrswipkxtean", SystemFlags::CLIENT, true, true);
    }

    #[test]
    fn a_session_without_rights_to_change_is_read_only() {
        for (rights, read_only) in [("lr", true), ("lrpkxa", true), ("lrs", false), ("lri", false), ("lre", false)] {
            assert_eq!(!Rights::parse(rights).unwrap().intersects(CHANGING), read_only, "{rights}");
        }
    }
}
