//! Looking at a mailbox: a shared lock for a moment. Take it, copy out what is wanted of a few hundred messages, let go,
//! then talk to the client.

use std::cell::Cell;
use std::ops::RangeInclusive;
use std::sync::Arc;

use parking_lot::RwLockReadGuard;

use crate::cache::{CacheBuf, CacheItems};
use crate::cache_file::CachePlace;
use crate::error::Result;
use crate::flags::Keyword;
use crate::ident::{ContentHash, ModSeq, Uid, UidValidity};
use crate::index::{Cursor, Glance, Record};
use crate::mailbox::history::Changes;
use crate::mailbox::state::State;
use crate::mailbox::{Mailbox, heal};
use crate::seen::Reader;
use crate::uid_set::UidSet;

/// The mailbox's counters.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Status {
    /// Number of messages.
    pub exists: u32,
    /// The UID that the next message gets at least.
    pub uid_next: u32,
    /// UIDVALIDITY.
    pub uid_validity: UidValidity,
    /// HIGHESTMODSEQ.
    pub highest_modseq: ModSeq,
    /// Sum of the messages' sizes in bytes.
    pub size: u64,
    /// Number of messages that are \Deleted.
    pub deleted: u32,
}

/// A reader's view of \Seen and \Recent, borrowed from the mailbox.
#[derive(Clone, Copy)]
pub struct ReaderState<'a> {
    state: Option<&'a Reader>,
}

impl ReaderState<'_> {
    /// Whether the reader has seen the message.
    #[must_use]
    pub fn has_seen(&self, uid: Uid) -> bool {
        self.state.is_some_and(|r| r.seen.contains(uid.get()))
    }

    /// Messages above this UID are \Recent for the reader's next session.
    #[must_use]
    pub fn recent_above(&self) -> u32 {
        self.state.map_or(0, |r| r.recent_above)
    }

    /// All messages that the reader has seen; UIDs of expunged messages may be among them.
    #[must_use]
    pub fn seen(&self) -> UidSet {
        self.state.map(|r| r.seen.clone()).unwrap_or_default()
    }
}

/// Finds records of UIDs that are asked for in ascending order.
pub struct InOrder<'a> {
    mailbox: &'a Mailbox,
    state: &'a State,
    cursor: Cursor<'a>,
}

impl InOrder<'_> {
    /// The record of the message with that UID, which is larger than the last one asked for; nothing if it is gone.
    pub fn find(&mut self, uid: u32) -> Option<Record> {
        let uid = Uid::new(uid).filter(|uid| self.state.live.contains(uid.get()))?;
        let found = self.cursor.seek(uid).map(|(_, record)| record);
        if found.is_none() {
            self.mailbox.note_damage();
        }
        found
    }
}

/// Octets of the cache of which it is worth asking whether they are in memory, 8 MiB: eight questions. Messages that lie
/// farther apart are asked for seldom.
const FAR: u64 = 8 << 20;

/// Messages among which the first unseen one is looked for before the sets of a whole mailbox are compared.
const NEAR: usize = 64;

/// A shared lock on a mailbox. Hold it for memory work only: never over a sync, never over a client's socket.
pub struct Reading<'a> {
    mailbox: &'a Arc<Mailbox>,
    state: RwLockReadGuard<'a, State>,
    /// Cache records that were whole, counted in the end: thousands are read under one lock.
    hits: Cell<u64>,
}

impl Mailbox {
    /// Locks the mailbox for reading, for a moment.
    #[must_use]
    pub fn read<'a>(self: &'a Arc<Self>) -> Reading<'a> {
        Reading { mailbox: self, state: self.state.read(), hits: Cell::new(0) }
    }

    /// Locks the mailbox for reading many records or cache records: they are mapped first if that pays.
    #[must_use]
    pub fn read_many<'a>(self: &'a Arc<Self>) -> Reading<'a> {
        let state = self.state.read();
        if state.is_prepared() {
            return Reading { mailbox: self, state, hits: Cell::new(0) };
        }
        drop(state);
        let mut state = self.state.write();
        state.prepare();
        let state = parking_lot::RwLockWriteGuard::downgrade(state);
        Reading { mailbox: self, state, hits: Cell::new(0) }
    }

    /// The counters at this moment.
    #[must_use]
    pub fn status(self: &Arc<Self>) -> Status {
        self.read().status()
    }

    /// What changed after a mod-sequence.
    ///
    /// # Errors
    /// When the index can't be read.
    pub fn changes_since(self: &Arc<Self>, since: ModSeq) -> Result<Changes> {
        self.read().changes_since(since)
    }
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        if self.hits.get() > 0 {
            self.mailbox.around.counters().cache_hits.add(self.hits.get());
        }
    }
}

impl Reading<'_> {
    /// The counters.
    #[must_use]
    pub fn status(&self) -> Status {
        let header = &self.state.header;
        Status {
            exists: self.state.live.len() as u32,
            uid_next: header.last_uid.saturating_add(1),
            uid_validity: header.uid_validity,
            highest_modseq: header.highest_modseq,
            size: header.used,
            deleted: self.state.deleted.len() as u32,
        }
    }

    /// Another number than before means that a repair has changed the mailbox in a way that a session can't follow: it must
    /// be selected anew.
    #[must_use]
    pub fn incarnation(&self) -> u64 {
        self.state.incarnation
    }

    /// The UIDs of all messages; a message's rank is its sequence number at this moment.
    #[must_use]
    pub fn uids(&self) -> &UidSet {
        &self.state.live
    }

    /// The UIDs of all messages that are \Deleted.
    #[must_use]
    pub fn deleted(&self) -> &UidSet {
        &self.state.deleted
    }

    /// All keyword names, by bit.
    #[must_use]
    pub fn keywords(&self) -> &[Keyword] {
        &self.state.keywords
    }

    /// The names of a message's keywords.
    pub fn keywords_of<'s>(&'s self, record: &Record) -> impl Iterator<Item = &'s Keyword> + use<'s> {
        let bits = record.keywords;
        self.state.keywords.iter().enumerate().filter(move |(at, _)| bits >> at & 1 == 1).map(|(_, name)| name)
    }

    /// A message's record; nothing if there is no such message.
    #[must_use]
    pub fn record(&self, uid: Uid) -> Option<Record> {
        let found = self.state.find(uid).map(|(_, record)| record);
        if found.is_none() && self.state.live.contains(uid.get()) {
            self.mailbox.note_damage();
        }
        found
    }

    /// Whether one of the messages has this content.
    #[must_use]
    pub fn holds(&self, content: ContentHash) -> bool {
        self.records(0..=u32::MAX).any(|record| record.hash == content)
    }

    /// The records of all messages in a range of UIDs, in UID order.
    pub fn records(&self, uids: RangeInclusive<u32>) -> impl Iterator<Item = Record> + use<'_> {
        let mut wanted = self.state.live.clone();
        wanted.remove_range(0..*uids.start());
        if let Some(above) = uids.end().checked_add(1) {
            wanted.remove_range(above..=u32::MAX);
        }
        self.records_of(&wanted)
    }

    /// The records of those of `uids` that are messages, in UID order.
    pub fn records_of(&self, uids: &UidSet) -> impl Iterator<Item = Record> + use<'_> {
        self.state.select(uids).map(|(_, record)| record)
    }

    /// Looks at those of `uids` that are messages, in UID order. Cheaper than [`records_of`](Self::records_of) where a few
    /// fields of many messages are wanted; a record that went bad since the mailbox was opened is not noticed.
    pub fn glance(&self, uids: &UidSet, each: impl FnMut(&Glance)) {
        self.state.glance(uids, each);
    }

    /// For looking messages up one after another, by ascending UID.
    #[must_use]
    pub fn in_order(&self) -> InOrder<'_> {
        InOrder { mailbox: self.mailbox, state: &self.state, cursor: self.state.cursor() }
    }

    /// Whether the cache records of a range of messages can be read without a wait for the disk, as far as can be told
    /// cheaply: cache records stand in the order of UIDs, but for those that were made anew.
    #[must_use]
    pub fn is_cache_in_memory(&self, uids: RangeInclusive<u32>) -> bool {
        let ends = [*uids.start(), *uids.end()].map(|uid| Uid::new(uid).and_then(|uid| self.record(uid)));
        match ends {
            [Some(first), Some(last)] if first.cache_len > 0 && last.cache_len > 0 => {
                let range = first.cache_offset..last.cache_offset.saturating_add(u64::from(last.cache_len));
                let asked = range.end.saturating_sub(range.start);
                (1..=FAR).contains(&asked) && self.state.cache.is_in_memory(range)
            }
            _ => false,
        }
    }

    /// What a reader has seen.
    #[must_use]
    pub fn reader(&self, user: &str) -> ReaderState<'_> {
        ReaderState { state: self.state.seen.reader(user) }
    }

    /// How many messages a reader has not seen.
    #[must_use]
    pub fn unseen(&self, user: &str) -> u32 {
        let seen = self.state.seen.reader(user).map_or(0, |r| r.seen.intersection_len(&self.state.live));
        (self.state.live.len() - seen) as u32
    }

    /// The first message that a reader has not seen.
    #[must_use]
    pub fn first_unseen(&self, user: &str) -> Option<Uid> {
        let live = &self.state.live;
        let first = match self.state.seen.reader(user) {
            Some(reader) => {
                let near = live.iter().take(NEAR).find(|uid| !reader.seen.contains(*uid));
                near.or_else(|| (live - &reader.seen).min())
            }
            None => live.min(),
        };
        first.and_then(Uid::new)
    }

    /// How many messages are \Recent for a reader's next session.
    #[must_use]
    pub fn recent(&self, user: &str) -> u32 {
        let above = self.reader(user).recent_above();
        (self.state.live.len() - self.state.live.rank(above)) as u32
    }

    /// The sum of the sizes of the messages that are \Deleted, in bytes (RFC 9208: DELETED-STORAGE).
    #[must_use]
    pub fn deleted_size(&self) -> u64 {
        self.records_of(&self.state.deleted).map(|r| u64::from(r.size)).sum()
    }

    /// Copies items of a message's cache record into `into`. A record that is damaged, or was never made, is made from
    /// the message file, and written to the cache in the background.
    ///
    /// # Errors
    /// When there is no cache record and the message file can't be read.
    pub fn cache(&self, record: &Record, items: CacheItems, into: &mut CacheBuf) -> Result<()> {
        if self.cache_if_whole(record, items, into) { Ok(()) } else { heal::fill(self.mailbox, record, into) }
    }

    /// Copies items of a message's cache record into `into` if they are whole; answers whether they are. Reads no message
    /// file.
    #[must_use]
    pub fn cache_if_whole(&self, record: &Record, items: CacheItems, into: &mut CacheBuf) -> bool {
        let whole = self.state.cache.read(record.uid, record.cache_offset, record.cache_len, items, into);
        self.hits.set(self.hits.get() + u64::from(whole));
        whole
    }

    /// A message's cache record, for copying single items of it to where they are wanted; nothing if it is not mapped or
    /// not good.
    #[must_use]
    pub fn cache_place(&self, record: &Record) -> Option<CachePlace<'_>> {
        let place = self.state.cache.place(record.uid, record.cache_offset, record.cache_len);
        self.hits.set(self.hits.get() + u64::from(place.is_some()));
        place
    }

    /// What changed after a mod-sequence.
    ///
    /// # Errors
    /// When the index can't be read.
    pub fn changes_since(&self, since: ModSeq) -> Result<Changes> {
        let header = &self.state.header;
        let modseq = header.highest_modseq;
        if let Some((changed, expunged)) = self.state.history.since(since) {
            return Ok(Changes { changed, expunged, complete: true, modseq });
        }
        let mut changes = Changes { complete: since >= header.deleted_modseq, modseq, ..Changes::default() };
        self.state.index.scan(header.records, |_, record| match record {
            Some(r) if r.modseq > since && r.is_expunged() => {
                changes.expunged.insert(r.uid.get());
            }
            Some(r) if r.modseq > since => {
                changes.changed.insert(r.uid.get());
            }
            _ => {}
        })?;
        Ok(changes)
    }
}
