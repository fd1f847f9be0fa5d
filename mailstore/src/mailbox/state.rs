//! The state of an open mailbox, in memory only as far as the files don't say it cheaply: about two bits for each
//! message. Whoever holds the lock sees index, cache, seen state and these sets agree.

use durable::disk::DiskFile;

use crate::cache_file::CacheFile;
use crate::flags::{Keyword, SystemFlags};
use crate::ident::Uid;
use crate::index::{Cursor, Glance, Header, IndexFile, Record};
use crate::mailbox::history::History;
use crate::seen::Seen;
use crate::uid_set::UidSet;

/// To look at a record costs a tenth of finding one: up to so many are stepped over.
const STEP_OVER: u64 = 8;

/// What `Mailbox::state` guards.
pub(super) struct State {
    pub(super) header: Header,
    pub(super) index: IndexFile,
    pub(super) cache: CacheFile,
    pub(super) seen: Seen,
    pub(super) seen_file: DiskFile,
    /// UIDs of live messages.
    pub(super) live: UidSet,
    /// Those of them that are \Deleted.
    pub(super) deleted: UidSet,
    /// Keyword names, by bit.
    pub(super) keywords: Vec<Keyword>,
    pub(super) history: History,
    /// The last UID that was given out, committed or still on its way.
    pub(super) assigned: u32,
    /// Counts the repairs after which views of the mailbox can't be brought up to date.
    pub(super) incarnation: u64,
    /// Whether a record could not be read although it was good at open.
    pub(super) damaged: bool,
}

impl State {
    /// Maps what is about to be read often.
    pub(super) fn prepare(&mut self) {
        self.index.prepare(self.header.records);
        self.cache.prepare(self.header.cache_len);
    }

    /// Whether [`prepare`](Self::prepare) has nothing to do: readers need not wait for each other then.
    pub(super) fn is_prepared(&self) -> bool {
        self.index.is_prepared(self.header.records) && self.cache.is_prepared(self.header.cache_len)
    }

    /// The live message with that UID and its record's number.
    pub(super) fn find(&self, uid: Uid) -> Option<(u32, Record)> {
        if self.live.contains(uid.get()) { self.cursor().seek(uid) } else { None }
    }

    /// The live messages of `uids` in UID order, with their records' numbers.
    pub(super) fn select<'a>(&'a self, uids: &UidSet) -> impl Iterator<Item = (u32, Record)> + use<'a> {
        let mut cursor = self.cursor();
        (uids & &self.live).into_iter().filter_map(Uid::new).filter_map(move |uid| cursor.seek(uid))
    }

    /// Looks at the live messages of `uids` in UID order.
    pub(super) fn glance(&self, uids: &UidSet, mut each: impl FnMut(&Glance)) {
        let wanted = uids & &self.live;
        let end = |uid: Option<u32>| uid.and_then(Uid::new).and_then(|uid| self.find(uid)).map(|(number, _)| number);
        let (Some(first), Some(last)) = (end(wanted.min()), end(wanted.max())) else {
            // An end that is damaged: whatever else is there is found one by one.
            return self.select(&wanted).for_each(|(_, record)| each(&Glance::from(&record)));
        };
        let span = u64::from(last - first) + 1;
        if span == wanted.len() {
            return self.index.glance(first, last, each);
        }
        if span > wanted.len().saturating_mul(STEP_OVER) {
            return self.select(&wanted).for_each(|(_, record)| each(&Glance::from(&record)));
        }
        let mut next = wanted.iter().peekable();
        self.index.glance(first, last, |glance| {
            while next.next_if(|uid| *uid < glance.uid).is_some() {}
            if next.next_if_eq(&glance.uid).is_some() {
                each(glance);
            }
        });
    }

    /// For finding records by ascending UID.
    pub(super) fn cursor(&self) -> Cursor<'_> {
        Cursor::new(&self.index, self.header.records, self.header.last_uid)
    }

    /// Keeps the sets in step with a record that was written.
    pub(super) fn note(&mut self, record: &Record) {
        let uid = record.uid.get();
        if record.is_expunged() {
            self.live.remove(uid);
            self.deleted.remove(uid);
            return;
        }
        self.live.insert(uid);
        if record.flags.contains(SystemFlags::DELETED) {
            self.deleted.insert(uid);
        } else {
            self.deleted.remove(uid);
        }
    }
}
