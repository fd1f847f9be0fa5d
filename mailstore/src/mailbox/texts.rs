//! One header field of all messages of a mailbox, as SEARCH compares it, in one piece of memory. To search ten thousand
//! messages is then one pass over some hundred kilobytes; to look them up in cyrus.cache one by one costs fifty times as
//! much. Derived from the cache when it is first searched, extended by what has come since, and given up when the memory
//! for all of them ([`TextMemory`]) is used up.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};

use message::collation::Needle;
use parking_lot::Mutex;

use crate::cache::{CacheBuf, CacheItem};
use crate::error::Result;
use crate::mailbox::Mailbox;
use crate::uid_set::UidSet;

/// Messages read under one lock: about a millisecond of work.
const AT_ONCE: usize = 1024;

/// Stands behind each text. No UTF-8 holds it, so that nothing is found across two messages.
const END: u8 = 0xff;

/// A header field that SEARCH asks for by name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TextField {
    /// From.
    From,
    /// To.
    To,
    /// Cc.
    Cc,
    /// Bcc.
    Bcc,
    /// Subject.
    Subject,
}

/// Number of fields.
const FIELDS: usize = 5;

impl TextField {
    /// The field in a cache record, normalised.
    #[must_use]
    pub fn item(self) -> CacheItem {
        match self {
            TextField::From => CacheItem::From,
            TextField::To => CacheItem::To,
            TextField::Cc => CacheItem::Cc,
            TextField::Bcc => CacheItem::Bcc,
            TextField::Subject => CacheItem::Subject,
        }
    }
}

/// The texts of one field.
#[derive(Clone, Default)]
pub struct Texts {
    /// The texts that are not empty, [`END`] behind each.
    octets: Vec<u8>,
    /// Whose they are, and where the next one begins.
    ends: Vec<(u32, usize)>,
    /// All messages up to this UID were read.
    up_to: u32,
}

impl Texts {
    /// The messages whose text holds `needle`. Some of them may be expunged by now.
    #[must_use]
    pub fn find(&self, needle: &Needle) -> UidSet {
        let (mut found, mut from) = (UidSet::new(), 0);
        while let Some(at) = self.octets.get(from..).and_then(|rest| needle.find_in_normalised(rest)) {
            let text = self.ends.partition_point(|(_, end)| *end <= from + at);
            let Some(&(uid, end)) = self.ends.get(text) else { break };
            found.insert(uid);
            from = end;
        }
        found
    }

    fn push(&mut self, uid: u32, text: &[u8]) {
        if !text.is_empty() {
            self.octets.extend_from_slice(text);
            self.octets.push(END);
            self.ends.push((uid, self.octets.len()));
        }
        self.up_to = uid;
    }

    /// Octets of memory.
    fn held(&self) -> usize {
        self.octets.capacity() + self.ends.capacity() * size_of::<(u32, usize)>()
    }
}

/// The texts of a mailbox, as far as they were searched.
#[derive(Default)]
pub(super) struct SearchedTexts(pub(super) [Mutex<Option<Arc<Texts>>>; FIELDS]);

impl Mailbox {
    /// The texts of a field, of all messages that the mailbox has at this moment; nothing if they need more memory than
    /// there is for all. Blocks.
    ///
    /// # Errors
    /// When a message has no cache record and its file can't be read.
    pub fn texts(self: &Arc<Self>, field: TextField) -> Result<Option<Arc<Texts>>> {
        let mut place = self.texts.0[field as usize].lock();
        let mut texts = place.take().unwrap_or_default();
        let last = self.read().uids().max().unwrap_or(0);
        if texts.up_to < last && !self.read_texts(field, Arc::make_mut(&mut texts))? {
            return Ok(None);
        }
        *place = Some(Arc::clone(&texts));
        drop(place);
        self.around.text_memory().hold(self, field, texts.held());
        Ok(Some(texts))
    }

    /// Reads what has come since; answers whether there is memory for all of it.
    fn read_texts(self: &Arc<Self>, field: TextField, texts: &mut Texts) -> Result<bool> {
        let limit = self.around.text_memory().limit;
        let mut cache = CacheBuf::default();
        loop {
            let reading = self.read_many();
            let mut records = reading.in_order();
            let mut some = false;
            for uid in reading.uids().range(texts.up_to.saturating_add(1)..).take(AT_ONCE) {
                if let Some(record) = records.find(uid) {
                    reading.cache(&record, field.item().into(), &mut cache)?;
                    texts.push(uid, cache.item(field.item()));
                }
                (some, texts.up_to) = (true, uid);
                if texts.held() > limit {
                    return Ok(false);
                }
            }
            if !some {
                return Ok(true);
            }
        }
    }

    fn forget_texts(&self, field: TextField) {
        // Whoever is at it now counts it again.
        if let Some(mut place) = self.texts.0[field as usize].try_lock() {
            *place = None;
        }
    }
}

/// What the texts of all mailboxes may hold together. Those that were not searched for longest are given up.
pub(crate) struct TextMemory {
    held: Mutex<Held>,
    /// Octets.
    limit: usize,
}

#[derive(Default)]
struct Held {
    /// Least recently searched first.
    order: VecDeque<(Weak<Mailbox>, TextField, usize)>,
    octets: usize,
}

impl TextMemory {
    /// Memory of `limit` octets.
    pub(crate) fn new(limit: usize) -> TextMemory {
        TextMemory { held: Mutex::default(), limit }
    }

    /// These texts were searched now and hold so many octets.
    fn hold(&self, mailbox: &Arc<Mailbox>, field: TextField, octets: usize) {
        let mut given_up = Vec::new();
        {
            let mut held = self.held.lock();
            held.order.retain(|(other, of, _)| other.as_ptr() != Arc::as_ptr(mailbox) || *of != field);
            held.order.push_back((Arc::downgrade(mailbox), field, octets));
            held.octets = held.order.iter().map(|(_, _, octets)| octets).sum();
            while held.octets > self.limit
                && let Some((mailbox, field, octets)) = held.order.pop_front()
            {
                held.octets -= octets;
                given_up.extend(mailbox.upgrade().map(|mailbox| (mailbox, field)));
            }
        }
        given_up.iter().for_each(|(mailbox, field)| mailbox.forget_texts(*field));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(texts: &[(u32, &str)]) -> Texts {
        let mut made = Texts::default();
        texts.iter().for_each(|(uid, text)| made.push(*uid, text.as_bytes()));
        made
    }

    #[test]
    fn finds_each_message_once() {
        let texts = texts(&[(1, "JOE JOE"), (2, ""), (5, "ANN"), (7, "BOJO"), (9, "EANN JOE")]);
        let check = |needle: &str, expected: &[u32]| {
            assert_eq!(texts.find(&Needle::new(needle)).iter().collect::<Vec<_>>(), expected, "{needle}");
        };
        check("joe", &[1, 9]);
        check("ann", &[5, 9]);
        check("jo", &[1, 7, 9]);
        check("joea", &[]);
        check("joejoe", &[]);
        check("carl", &[]);
        assert_eq!(Texts::default().find(&Needle::new("x")), UidSet::new());
    }
}
