//! A mailbox as a backup holds it: its small files as they were at one moment, and which message files belong to them.
//! Written for [`Mailbox::copy_out`], read back by [`MailboxCopy::read`] wherever it lies: a backup need not be part of a
//! store, nor be writable.

use std::path::Path;
use std::sync::Arc;

use durable::disk::Disk;

use crate::error::{Error, Result};
use crate::flags::Keyword;
use crate::header::{self, MailboxHeader};
use crate::ident::UidValidity;
use crate::index::{self, HEADER_SIZE, Header, RECORD_SIZE, Record, encode_all};
use crate::mailbox::Mailbox;
use crate::seen::{self, Seen};
use crate::uid_set::UidSet;

/// The small files of a mailbox at one moment. cyrus.cache is not among them: it is made anew from the messages.
#[derive(Clone, Debug)]
pub struct MailboxFiles {
    /// UIDVALIDITY.
    pub uid_validity: UidValidity,
    /// Names and contents of cyrus.header, cyrus.index and cyrus.seen.
    pub files: Vec<(&'static str, Vec<u8>)>,
    /// The messages, in UID order.
    pub messages: Vec<Record>,
    /// Index records that cannot be read: messages that may be missing here until the mailbox is reconstructed.
    pub unreadable: u32,
}

/// A mailbox in a backup.
#[derive(Clone, Debug)]
pub struct MailboxCopy {
    /// The messages, in UID order.
    pub messages: Vec<Record>,
    keywords: Vec<Keyword>,
    seen: Seen,
}

/// Largest index that is read of a backup: that of sixteen million messages.
const MAX_INDEX: u64 = 2 << 30;

impl Mailbox {
    /// The mailbox's files as they are at this moment, without expunged messages. Message files never change, and stay
    /// for days when they are expunged, so they can be copied afterwards. Blocks.
    ///
    /// # Errors
    /// The disk's.
    pub fn copy_out(self: &Arc<Self>) -> Result<MailboxFiles> {
        let Some(_stays) = self.stay() else { return Err(Error::NotFound(self.name().to_string())) };
        let (dir, disk) = (self.dir(), self.around.disk());
        let state = self.state.read();
        let mut messages = Vec::with_capacity(state.live.len() as usize);
        let mut unreadable = 0;
        state.index.scan(state.header.records, |_, record| match record {
            Some(record) if record.is_expunged() => {}
            Some(record) => messages.push(record),
            None => unreadable += 1,
        })?;
        let uid_validity = state.header.uid_validity;
        let header = Header {
            records: messages.len() as u32,
            exists: messages.len() as u32,
            // Nobody has closed this copy, and its cache is still to be made.
            clean: None,
            // Who comes back with older numbers learns that records of expunged messages are missing.
            deleted_modseq: state.header.highest_modseq,
            ..state.header.clone()
        };
        let seen = state.seen.encode(uid_validity);
        drop(state);
        let mut bytes = header.encode().to_vec();
        bytes.extend_from_slice(&encode_all(&messages));
        let names = disk.read(&dir.join(header::FILE), header::MAX_SIZE)?;
        Ok(MailboxFiles {
            uid_validity,
            files: vec![(header::FILE, names), (index::FILE, bytes), (seen::FILE, seen)],
            messages,
            unreadable,
        })
    }
}

impl MailboxCopy {
    /// Reads the small files in `dir`. Damaged records are left out; flags and seen state that can't be read are lost.
    ///
    /// # Errors
    /// When there is no index that can be believed.
    pub fn read(disk: &dyn Disk, dir: &Path) -> Result<MailboxCopy> {
        let path = dir.join(index::FILE);
        let bytes = disk.read(&path, MAX_INDEX)?;
        let header = bytes.get(..HEADER_SIZE).and_then(|bytes| Header::decode(bytes).ok());
        let header = header.ok_or_else(|| Error::corrupt(&path, "no index header"))?;
        let records = bytes.get(HEADER_SIZE..).unwrap_or_default().as_chunks::<RECORD_SIZE>().0;
        let messages = records
            .iter()
            .take(header.records as usize)
            .filter_map(Record::decode)
            .filter(|record| !record.is_expunged())
            .collect();
        let decoded = disk.read(&dir.join(header::FILE), header::MAX_SIZE).ok();
        let decoded = decoded.and_then(|bytes| MailboxHeader::decode(&bytes).ok());
        let seen = disk.read(&dir.join(seen::FILE), seen::MAX_SIZE).unwrap_or_default();
        Ok(MailboxCopy {
            messages,
            keywords: decoded.map(|decoded| decoded.header.keywords).unwrap_or_default(),
            seen: Seen::decode(&seen, header.uid_validity, |_, _| {}),
        })
    }

    /// The names of a message's keywords.
    pub fn keywords_of(&self, record: &Record) -> impl Iterator<Item = &Keyword> {
        let bits = record.keywords;
        self.keywords.iter().enumerate().filter(move |(at, _)| bits >> at & 1 == 1).map(|(_, name)| name)
    }

    /// The messages that a reader has seen.
    #[must_use]
    pub fn seen_by(&self, reader: &str) -> UidSet {
        self.seen.reader(reader).map(|reader| reader.seen.clone()).unwrap_or_default()
    }
}
