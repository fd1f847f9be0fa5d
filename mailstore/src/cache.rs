//! cyrus.cache: for each message the bytes that clients ask for again and again, ready for the wire, so that listing a
//! mailbox opens no message (docs/formats/cache.md). Everything here is derived: a damaged or missing record is made anew
//! from the message file.
//!
//! The file begins with 16 bytes: magic `ANGCACH\n`, generation (u32), CRC-32 of the 12 bytes before. Records follow
//! without gaps:
//!
//! | offset | size | field |
//! |---|---|---|
//! | 0 | 4 | length of the record, these fields included |
//! | 4 | 4 | UID: a record that an index offset hits by mistake is another message's |
//! | 8 | 2 | version, 3 |
//! | 10 | 2 | number of items, 10 |
//! | 12 | 8 each | of each item: its length and its CRC-32 |
//! | 92 | ... | the items, one behind the other |
//!
//! Each item can be read and checked without the others. The head needs no checksum of its own: the lengths must add up to
//! what index and record say, and a wrong one moves an item to bytes that its checksum does not fit.
//!
//! Items: ENVELOPE, BODYSTRUCTURE, BODY (as IMAP sends them), the section table, the cached header fields, and the
//! normalised From, To, Cc, Bcc and Subject for SEARCH.

use message::Analysis;

use crate::ident::Uid;

/// Number of items in a record.
const ITEMS: usize = 10;
/// Where the lengths and checksums of the items begin.
const TABLE: usize = 12;
/// Bytes before the items.
pub(crate) const FIXED: usize = TABLE + 8 * ITEMS;
const VERSION: u16 = 3;
const MAGIC: &[u8; 8] = b"ANGCACH\n";

/// Longest cache record: a message with ten thousand parts stays below 8 MiB; a longer length on disk is damage.
pub(crate) const MAX_RECORD: u32 = 64 << 20;

/// The first bytes of the file.
pub(crate) fn file_header(generation: u32) -> [u8; 16] {
    let mut b = [0u8; 16];
    b[..8].copy_from_slice(MAGIC);
    b[8..12].copy_from_slice(&generation.to_le_bytes());
    let crc = crc32fast::hash(&b[..12]);
    b[12..].copy_from_slice(&crc.to_le_bytes());
    b
}

/// The generation in the first bytes of a file; nothing if they are not a cache's.
pub(crate) fn generation(b: &[u8; 16]) -> Option<u32> {
    let n = u32::from_le_bytes([b[8], b[9], b[10], b[11]]);
    (*b == file_header(n)).then_some(n)
}

/// An item of a cache record, in the order in which they stand there.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum CacheItem {
    /// ENVELOPE as IMAP sends it (RFC 9051, 7.5.2).
    Envelope,
    /// BODYSTRUCTURE as IMAP sends it.
    BodyStructure,
    /// BODY (no extension data) as IMAP sends it.
    Body,
    /// The section table, to be read with `message::Sections`.
    Sections,
    /// The cached header fields, to be read with the `message` crate.
    Headers,
    /// From, normalised for SEARCH: UTF-8.
    From,
    /// To, normalised for SEARCH.
    To,
    /// Cc, normalised for SEARCH.
    Cc,
    /// Bcc, normalised for SEARCH.
    Bcc,
    /// Subject, normalised for SEARCH.
    Subject,
}

/// A run of items: what is read of a record with one copy.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CacheItems {
    first: CacheItem,
    last: CacheItem,
}

impl CacheItems {
    /// The whole record.
    pub const ALL: CacheItems = CacheItems { first: CacheItem::Envelope, last: CacheItem::Subject };

    /// The shortest run that has all of `items`; nothing if there are none.
    pub fn with(items: impl IntoIterator<Item = CacheItem>) -> Option<CacheItems> {
        items
            .into_iter()
            .map(CacheItems::from)
            .reduce(|a, b| CacheItems { first: a.first.min(b.first), last: a.last.max(b.last) })
    }
}

impl From<CacheItem> for CacheItems {
    fn from(item: CacheItem) -> CacheItems {
        CacheItems { first: item, last: item }
    }
}

/// The cache record of a message.
pub(crate) fn encode(uid: Uid, analysis: &Analysis) -> Vec<u8> {
    let items: [&[u8]; ITEMS] = [
        &analysis.envelope,
        &analysis.bodystructure,
        &analysis.body,
        &analysis.sections,
        &analysis.headers,
        analysis.searchable.from.as_bytes(),
        analysis.searchable.to.as_bytes(),
        analysis.searchable.cc.as_bytes(),
        analysis.searchable.bcc.as_bytes(),
        analysis.searchable.subject.as_bytes(),
    ];
    let len = FIXED + items.iter().map(|i| i.len()).sum::<usize>();
    let mut b = Vec::with_capacity(len);
    b.extend_from_slice(&(len as u32).to_le_bytes());
    b.extend_from_slice(&uid.get().to_le_bytes());
    b.extend_from_slice(&VERSION.to_le_bytes());
    b.extend_from_slice(&(ITEMS as u16).to_le_bytes());
    for item in items {
        b.extend_from_slice(&(item.len() as u32).to_le_bytes());
        b.extend_from_slice(&crc32fast::hash(item).to_le_bytes());
    }
    items.iter().for_each(|i| b.extend_from_slice(i));
    b
}

/// The same record for a message of another UID (a copy): only its address changes.
pub(crate) fn readdress(record: &[u8], uid: Uid) -> Vec<u8> {
    let mut b = record.to_vec();
    if let Some(address) = b.get_mut(4..8) {
        address.copy_from_slice(&uid.get().to_le_bytes());
    }
    b
}

/// Where the items of a record end, counted from its beginning, and their checksums.
#[derive(Clone, Copy, Default)]
pub(crate) struct Head {
    ends: [u32; ITEMS],
    crcs: [u32; ITEMS],
}

impl Head {
    /// Reads the first bytes of a record; nothing unless they are those of a record of `len` bytes of that message.
    pub(crate) fn decode(bytes: &[u8; FIXED], uid: Uid, len: u32) -> Option<Head> {
        let u32_at = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let is_ours = u32_at(0) == len
            && u32_at(4) == uid.get()
            && bytes[8..10] == VERSION.to_le_bytes()
            && bytes[10..12] == (ITEMS as u16).to_le_bytes();
        if !is_ours {
            return None;
        }
        let (mut head, mut end) = (Head::default(), FIXED as u32);
        for item in 0..ITEMS {
            end = end.checked_add(u32_at(TABLE + 8 * item))?;
            head.ends[item] = end;
            head.crcs[item] = u32_at(TABLE + 8 * item + 4);
        }
        (end == len).then_some(head)
    }

    /// Where a run of items is, counted from the beginning of the record.
    pub(crate) fn place(&self, items: CacheItems) -> std::ops::Range<usize> {
        let (first, last) = (items.first as usize, items.last as usize);
        let start = first.checked_sub(1).map_or(FIXED as u32, |before| self.ends[before]);
        start as usize..self.ends[last] as usize
    }

    /// Where an item ends, counted from the beginning of the record.
    pub(crate) fn ends_at(&self, item: CacheItem) -> usize {
        self.ends[item as usize] as usize
    }

    /// Whether these are the bytes of an item.
    pub(crate) fn fits(&self, item: CacheItem, bytes: &[u8]) -> bool {
        crc32fast::hash(bytes) == self.crcs[item as usize]
    }
}

/// What was asked for of a cache record, copied out of the file and checked. Reuse one for many messages: it keeps its
/// memory. Items that were not asked for are empty.
#[derive(Default)]
pub struct CacheBuf {
    head: Head,
    /// A stretch of the record.
    bytes: Vec<u8>,
    /// Where in the record it begins.
    start: usize,
}

impl CacheBuf {
    /// Room for `len` bytes of a record, to be filled by the caller, who then calls [`check`](Self::check).
    pub(crate) fn room(&mut self, len: usize) -> &mut [u8] {
        // What is there from the last record is overwritten; only growth is filled with zeros.
        self.bytes.resize(len, 0);
        &mut self.bytes
    }

    /// Takes a whole record; answers whether it is one of that message.
    pub(crate) fn set(&mut self, uid: Uid, record: Vec<u8>) -> bool {
        self.bytes = record;
        self.check_whole(uid)
    }

    /// Checks the bytes that were filled in: a whole record. On failure the buffer is empty.
    pub(crate) fn check_whole(&mut self, uid: Uid) -> bool {
        let len = u32::try_from(self.bytes.len()).ok();
        match self.bytes.first_chunk().zip(len).and_then(|(head, len)| Head::decode(head, uid, len)) {
            Some(head) => self.check(head, 0, CacheItems::ALL),
            None => {
                self.empty();
                false
            }
        }
    }

    /// Checks the bytes that were filled in: those of a record from `start` on, with `items` among them. On failure the
    /// buffer is empty.
    pub(crate) fn check(&mut self, head: Head, start: usize, items: CacheItems) -> bool {
        (self.head, self.start) = (head, start);
        let fits = |item: &CacheItem| head.fits(*item, self.item(*item));
        let good = EACH[items.first as usize..=items.last as usize].iter().all(fits);
        if !good {
            self.empty();
        }
        good
    }

    fn empty(&mut self) {
        self.bytes.clear();
        self.head = Head::default();
    }

    /// The whole record, if it was asked for.
    pub(crate) fn record(&self) -> &[u8] {
        if self.start == 0 { &self.bytes } else { &[] }
    }

    /// An item; empty if it was not asked for.
    #[must_use]
    pub fn item(&self, item: CacheItem) -> &[u8] {
        let place = self.head.place(item.into());
        let held = place.start.checked_sub(self.start).zip(place.end.checked_sub(self.start));
        held.and_then(|(start, end)| self.bytes.get(start..end)).unwrap_or_default()
    }

    /// Octets that are held.
    #[must_use]
    pub fn octets(&self) -> usize {
        self.bytes.len()
    }
}

/// All items, by number.
const EACH: [CacheItem; ITEMS] = {
    use CacheItem::{Bcc, Body, BodyStructure, Cc, Envelope, From, Headers, Sections, Subject, To};
    [Envelope, BodyStructure, Body, Sections, Headers, From, To, Cc, Bcc, Subject]
};

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Vec<u8> {
        let analysis = message::analyse(b"Subject: s\r\nFrom: a@b\r\n\r\nx\r\n", &message::Limits::default());
        encode(Uid::MIN, &analysis)
    }

    #[test]
    fn reads_back_what_it_wrote() {
        let mut buf = CacheBuf::default();
        assert!(buf.set(Uid::MIN, record()));
        assert!(buf.item(CacheItem::Envelope).starts_with(b"("));
        assert!(!buf.item(CacheItem::Sections).is_empty());
        assert_eq!(buf.record(), record());
        assert!(!buf.set(Uid::MAX, record()), "another message's record");
        let moved = readdress(&record(), Uid::MAX);
        assert!(buf.set(Uid::MAX, moved.clone()));
        assert!(!buf.set(Uid::MIN, moved));
    }

    #[test]
    fn items_can_be_read_alone() {
        let whole = record();
        let mut expected = CacheBuf::default();
        assert!(expected.set(Uid::MIN, whole.clone()));
        let head = |bytes: &[u8]| Head::decode(bytes.first_chunk()?, Uid::MIN, whole.len() as u32);
        let read = |bytes: &[u8], items: CacheItems| {
            let head = head(bytes)?;
            let place = head.place(items);
            let mut buf = CacheBuf::default();
            buf.room(place.len()).copy_from_slice(&bytes[place.clone()]);
            buf.check(head, place.start, items).then_some(buf)
        };
        for first in EACH {
            for last in EACH.into_iter().filter(|last| *last >= first) {
                let items = CacheItems::with([last, first]).unwrap();
                let place = head(&whole).unwrap().place(items);
                let buf = read(&whole, items).unwrap();
                for item in EACH {
                    let held = if (first..=last).contains(&item) { expected.item(item) } else { b"" };
                    assert_eq!(buf.item(item), held, "{item:?} of {items:?}");
                }
                for at in place {
                    let mut bad = whole.clone();
                    bad[at] ^= 1;
                    assert!(read(&bad, items).is_none(), "byte {at}");
                }
            }
        }
        assert_eq!(CacheItems::with([]), None);
    }

    #[test]
    fn damage_is_noticed() {
        let good = record();
        let mut buf = CacheBuf::default();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            assert!(!buf.set(Uid::MIN, bad), "byte {at}");
            assert!(!buf.set(Uid::MIN, good[..at].to_vec()), "cut at {at}");
            assert!(buf.item(CacheItem::Envelope).is_empty() && buf.octets() == 0);
            let mut zeros = good.clone();
            zeros[at..].fill(0);
            assert!(!buf.set(Uid::MIN, zeros) || good[at..].iter().all(|b| *b == 0), "zeros from {at}");
        }
        assert!(!buf.set(Uid::MIN, vec![0; FIXED]));
        assert_eq!(generation(&file_header(77)), Some(77));
        assert_eq!(generation(&[0; 16]), None);
    }
}
