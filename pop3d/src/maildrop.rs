//! A maildrop: one session's numbering of a mailbox's messages, made at login and never changed (RFC 1939, 4).

use std::sync::Arc;

use mailstore::{
    Access, FlagOp, Mailbox, MailboxName, Permitted, Record, Rights, StoreRequest, SystemFlags, Uid, UidSet,
    UidValidity,
};
use unicode_normalization::UnicodeNormalization;

use crate::context::Pop3;
use crate::lock::Lock;
use crate::options::Deletion;
use crate::outcome::Refused;
use crate::reply::Code;
use crate::syntax::MessageNumber;

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Maildrop {
    /// The mailbox, shared with everybody who has it open.
    pub(crate) mailbox: Arc<Mailbox>,
    /// What UIDs are valid under.
    pub(crate) validity: UidValidity,
    /// The messages; the first one has number 1.
    messages: Vec<Message>,
    /// How many of them are not marked as deleted, and their octets.
    left: (u32, u64),
    /// DELE is permitted.
    may_delete: bool,
    /// RETR may set \Seen.
    may_see: bool,
    /// Who reads.
    reader: String,
    /// Messages that were retrieved.
    retrieved: UidSet,
    _lock: Option<Lock>,
}

/// A message of a maildrop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Message {
    /// What the store knows it by.
    pub(crate) uid: Uid,
    /// Octets.
    pub(crate) size: u32,
    /// DELE was said.
    deleted: bool,
}

impl Maildrop {
    /// Opens a user's INBOX or one of the folders in it. Blocks.
    pub(crate) fn open(server: &Pop3, account: &directory::Account, folder: Option<&str>) -> Result<Maildrop, Refused> {
        let user = account.user.as_str();
        let inbox = MailboxName::inbox(user)?;
        let name = match folder {
            Some(folder) if folder.eq_ignore_ascii_case("INBOX") => inbox,
            // Names are in this form, so that two spellings cannot be two mailboxes (RFC 5198, 3).
            Some(folder) => inbox.child(&folder.nfc().collect::<String>())?,
            None => inbox,
        };
        let (mailbox, rights) = if server.options.use_acl {
            // The owner's rights are asked for, not an administrator's: the session is the user's.
            let access =
                Access { user: user.to_owned(), admin: false, groups: account.groups.clone(), anonymous: false };
            server.store.open_for(&access, &name, Rights::READ)?
        } else {
            (server.store.mailbox(&name)?, Rights::ALL)
        };
        let lock = match server.options.exclusive {
            true => Some(server.locks.take(mailbox.unique_id()).ok_or_else(in_use)?),
            false => None,
        };
        let hides = server.options.deletion == Deletion::Flag;
        let (messages, validity) = number(&mailbox, hides);
        let octets = messages.iter().map(|message| u64::from(message.size)).sum();
        let needed = match server.options.deletion {
            Deletion::Flag => Rights::DELETE_MESSAGES,
            Deletion::Expunge => Rights::DELETE_MESSAGES.with(Rights::EXPUNGE),
        };
        Ok(Maildrop {
            validity,
            left: (messages.len() as u32, octets),
            messages,
            may_delete: rights.contains(needed),
            may_see: server.options.mark_seen && rights.contains(Rights::SEEN),
            reader: user.to_owned(),
            retrieved: UidSet::new(),
            mailbox,
            _lock: lock,
        })
    }

    /// How many messages are not marked as deleted, and their octets.
    pub(crate) fn left(&self) -> (u32, u64) {
        self.left
    }

    /// The highest number.
    pub(crate) fn count(&self) -> u32 {
        self.messages.len() as u32
    }

    /// A message that is not marked as deleted.
    pub(crate) fn message(&self, number: MessageNumber) -> Result<Message, Refused> {
        match self.messages.get(number.get() as usize - 1) {
            Some(message) if message.deleted => Err(Refused::No(None, "That message is deleted".into())),
            Some(message) => Ok(*message),
            None => Err(no_such_message()),
        }
    }

    /// The messages from `number` on that are not marked as deleted, with their numbers.
    pub(crate) fn from(&self, number: u32) -> impl Iterator<Item = (u32, Message)> + '_ {
        let start = number.max(1) as usize - 1;
        let rest = self.messages.get(start..).unwrap_or_default();
        rest.iter().zip(start as u32 + 1..).filter(|(message, _)| !message.deleted).map(|(message, n)| (n, *message))
    }

    /// Marks a message as deleted.
    pub(crate) fn delete(&mut self, number: MessageNumber) -> Result<(), Refused> {
        let size = self.message(number)?.size;
        if !self.may_delete {
            return Err(Refused::with(Code::SysPerm, "You may not delete messages here"));
        }
        if let Some(message) = self.messages.get_mut(number.get() as usize - 1) {
            message.deleted = true;
            self.left = (self.left.0 - 1, self.left.1 - u64::from(size));
        }
        Ok(())
    }

    /// Takes all marks away.
    pub(crate) fn reset(&mut self) {
        let mut octets = 0;
        for message in &mut self.messages {
            message.deleted = false;
            octets += u64::from(message.size);
        }
        self.left = (self.messages.len() as u32, octets);
    }

    /// A message's record. One that somebody else has expunged since login is gone, though its file may wait for its end.
    pub(crate) fn record(&self, message: Message) -> Result<Record, Refused> {
        let reading = self.mailbox.read();
        let valid = reading.status().uid_validity == self.validity && !self.mailbox.is_gone();
        reading.record(message.uid).filter(|_| valid).ok_or_else(Refused::gone)
    }

    /// Notes that a message was retrieved.
    pub(crate) fn note_retrieved(&mut self, uid: Uid) {
        if self.may_see {
            self.retrieved.insert(uid.get());
        }
    }

    /// What is left to do when the session ends; nothing if nothing is.
    pub(crate) fn leave(&mut self) -> Option<Leaving> {
        let retrieved = std::mem::take(&mut self.retrieved);
        (!retrieved.is_empty()).then(|| Leaving {
            mailbox: Arc::clone(&self.mailbox),
            validity: self.validity,
            reader: self.reader.clone(),
            retrieved,
        })
    }

    /// What DELE has marked.
    pub(crate) fn deleted(&self) -> Deleted {
        Deleted {
            mailbox: Arc::clone(&self.mailbox),
            validity: self.validity,
            reader: self.reader.clone(),
            uids: self.messages.iter().filter(|message| message.deleted).map(|m| m.uid.get()).collect(),
        }
    }
}

/// Messages that QUIT deletes.
#[derive(Debug)]
pub(crate) struct Deleted {
    mailbox: Arc<Mailbox>,
    validity: UidValidity,
    reader: String,
    uids: UidSet,
}

impl Deleted {
    /// Deletes them (RFC 1939, 6); returns how many were still there. Blocks.
    pub(crate) fn carry_out(&self, deletion: Deletion) -> Result<u64, mailstore::Error> {
        if !holds(&self.mailbox, self.validity) {
            return Ok(0);
        }
        Ok(match deletion {
            Deletion::Expunge => self.mailbox.remove_messages(&self.uids)?.uids.len(),
            Deletion::Flag => store(&self.mailbox, &self.reader, &self.uids, SystemFlags::DELETED, false)?,
        })
    }
}

/// What a session leaves behind, however it ends.
#[derive(Debug)]
pub(crate) struct Leaving {
    mailbox: Arc<Mailbox>,
    validity: UidValidity,
    reader: String,
    retrieved: UidSet,
}

impl Leaving {
    /// Sets \Seen on what was retrieved, all in one change. Blocks.
    pub(crate) fn carry_out(&self) -> Result<(), mailstore::Error> {
        if holds(&self.mailbox, self.validity) {
            store(&self.mailbox, &self.reader, &self.retrieved, SystemFlags::NONE, true)?;
        }
        Ok(())
    }
}

/// Whether UIDs of then are UIDs of now.
fn holds(mailbox: &Arc<Mailbox>, validity: UidValidity) -> bool {
    !mailbox.is_gone() && mailbox.status().uid_validity == validity
}

fn store(
    mailbox: &Arc<Mailbox>,
    reader: &str,
    uids: &UidSet,
    system: SystemFlags,
    seen: bool,
) -> Result<u64, mailstore::Error> {
    let permitted = Permitted { system, seen, keywords: false };
    let request =
        StoreRequest { reader, uids, op: FlagOp::Add, system, seen, keywords: &[], permitted, unchanged_since: None };
    Ok(mailbox.store(&request)?.changed.len())
}

/// The messages of this moment.
fn number(mailbox: &Arc<Mailbox>, hides_deleted: bool) -> (Vec<Message>, UidValidity) {
    let reading = mailbox.read_many();
    let uids = reading.uids();
    let mut messages = Vec::with_capacity(uids.len() as usize);
    reading.glance(uids, |glance| {
        if let Some(uid) = Uid::new(glance.uid)
            && !(hides_deleted && glance.flags.contains(SystemFlags::DELETED))
        {
            messages.push(Message { uid, size: glance.size, deleted: false });
        }
    });
    (messages, reading.status().uid_validity)
}

fn in_use() -> Refused {
    Refused::with(Code::InUse, "The mailbox is in use by another session")
}

/// The answer for a number that no message has.
pub(crate) fn no_such_message() -> Refused {
    Refused::No(None, "No such message".into())
}
