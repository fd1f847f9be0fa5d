//! cyrus.cache: for each message the bytes that clients ask for again and again, ready for the wire, so that listing a
//! mailbox opens no message (docs/formats/cache.md). Everything here is derived: a damaged or missing record is made anew
//! from the message file.
//!
//! The file begins with 16 bytes: magic `ANGCACH\n`, generation (u32), CRC-32 of the 12 bytes before. Records follow
//! without gaps:
//!
//! | offset | size | field |
//! |---|---|---|
//! | 0 | 4 | CRC-32 of the rest of the front: of everything up to the end of item 2 |
//! | 4 | 4 | length of the record, these fields included |
//! | 8 | 4 | UID: a record that an index offset hits by mistake is another message's |
//! | 12 | 2 | version, 2 |
//! | 14 | 2 | number of items, 10 |
//! | 16 | 4 each | length of each item |
//! | 56 | 4 | CRC-32 of everything behind the front |
//! | 60 | ... | the items, one behind the other |
//!
//! The front is what a client asks for to list a mailbox: it can be read and checked without the rest.
//!
//! Items: 0 ENVELOPE, 1 BODYSTRUCTURE, 2 BODY (as IMAP sends them), the section table, the cached header fields, and the
//! normalised From, To, Cc, Bcc and Subject for SEARCH.

use message::Analysis;

use crate::ident::Uid;

/// Number of items in a record.
const ITEMS: usize = 10;
/// Bytes before the items.
pub(crate) const FIXED: usize = 20 + 4 * ITEMS;
/// Items of the front.
const FRONT_ITEMS: usize = 3;
/// Where the checksum of what is behind the front stands.
const REST_CRC: usize = FIXED - 4;
const VERSION: u16 = 2;
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
    b.extend_from_slice(&[0; 4]);
    b.extend_from_slice(&(len as u32).to_le_bytes());
    b.extend_from_slice(&uid.get().to_le_bytes());
    b.extend_from_slice(&VERSION.to_le_bytes());
    b.extend_from_slice(&(ITEMS as u16).to_le_bytes());
    items.iter().for_each(|i| b.extend_from_slice(&(i.len() as u32).to_le_bytes()));
    b.extend_from_slice(&[0; 4]);
    items.iter().for_each(|i| b.extend_from_slice(i));
    let front = FIXED + items[..FRONT_ITEMS].iter().map(|i| i.len()).sum::<usize>();
    let rest = crc32fast::hash(&b[front..]);
    b[REST_CRC..FIXED].copy_from_slice(&rest.to_le_bytes());
    seal_front(&mut b, front);
    b
}

/// How long the front is, by the first [`FIXED`] bytes of a record, which were not checked.
pub(crate) fn front_len(head: &[u8; FIXED]) -> Option<usize> {
    let lengths = head[16..].as_chunks::<4>().0.iter().take(FRONT_ITEMS);
    lengths.map(|len| u32::from_le_bytes(*len) as usize).try_fold(FIXED, usize::checked_add)
}

fn seal_front(record: &mut [u8], front: usize) {
    let crc = crc32fast::hash(&record[4..front]);
    record[..4].copy_from_slice(&crc.to_le_bytes());
}

/// The same record for a message of another UID (a copy): only its address and checksum change.
pub(crate) fn readdress(record: &[u8], uid: Uid) -> Vec<u8> {
    let mut b = record.to_vec();
    let front = b.first_chunk().and_then(front_len).filter(|front| *front <= b.len());
    if let Some(front) = front {
        b[8..12].copy_from_slice(&uid.get().to_le_bytes());
        seal_front(&mut b, front);
    }
    b
}

/// A cache record, copied out of the file and checked. Reuse one for many messages: it keeps its memory.
#[derive(Default)]
pub struct CacheBuf {
    bytes: Vec<u8>,
    ends: [usize; ITEMS],
}

impl CacheBuf {
    /// Room for a record of `len` bytes, to be filled by the caller.
    pub(crate) fn room(&mut self, len: usize) -> &mut [u8] {
        // What is there from the last record is overwritten; only growth is filled with zeros.
        self.bytes.resize(len, 0);
        &mut self.bytes
    }

    /// Takes a record that was just made.
    pub(crate) fn set(&mut self, uid: Uid, record: Vec<u8>) -> bool {
        self.bytes = record;
        self.check(uid)
    }

    /// Checks the bytes that were filled in: a whole record. On failure the buffer is empty.
    pub(crate) fn check(&mut self, uid: Uid) -> bool {
        let len = self.bytes.len();
        self.check_as(uid, |buf| (buf.ends[ITEMS - 1] == len && buf.is_rest_good()).then_some(()))
    }

    /// Checks the bytes that were filled in: the front of a record of `len` bytes. The items behind it are empty then. On
    /// failure the buffer is empty.
    pub(crate) fn check_front(&mut self, uid: Uid, len: u32) -> bool {
        self.check_as(uid, |buf| {
            let whole = buf.ends[ITEMS - 1] == len as usize && buf.ends[FRONT_ITEMS - 1] == buf.bytes.len();
            buf.ends[FRONT_ITEMS..].fill(buf.bytes.len());
            whole.then_some(())
        })
    }

    fn check_as(&mut self, uid: Uid, rest: impl FnOnce(&mut Self) -> Option<()>) -> bool {
        let good = self.layout(uid).and_then(|()| rest(self)).is_some();
        if !good {
            self.bytes.clear();
            self.ends = [0; ITEMS];
        }
        good
    }

    /// The whole record.
    pub(crate) fn record(&self) -> &[u8] {
        &self.bytes
    }

    /// Finds the items, and checks the front.
    fn layout(&mut self, uid: Uid) -> Option<()> {
        let b = &self.bytes;
        let head: &[u8; FIXED] = b.first_chunk()?;
        let u32_at = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let front = b.get(4..front_len(head)?)?;
        let head_ok = u32_at(8) == uid.get()
            && head[12..14] == VERSION.to_le_bytes()
            && head[14..16] == (ITEMS as u16).to_le_bytes();
        if !head_ok || crc32fast::hash(front) != u32_at(0) {
            return None;
        }
        let mut end = FIXED;
        for (i, slot) in self.ends.iter_mut().enumerate() {
            end = end.checked_add(u32_at(16 + 4 * i) as usize)?;
            *slot = end;
        }
        (end == u32_at(4) as usize).then_some(())
    }

    fn is_rest_good(&self) -> bool {
        let rest = self.bytes.get(self.ends[FRONT_ITEMS - 1]..).map(crc32fast::hash);
        rest.is_some_and(|crc| self.bytes.get(REST_CRC..FIXED) == Some(&crc.to_le_bytes()[..]))
    }

    fn item(&self, n: usize) -> &[u8] {
        let start = if n == 0 { FIXED } else { self.ends[n - 1] };
        self.bytes.get(start..self.ends[n]).unwrap_or_default()
    }

    /// ENVELOPE as IMAP sends it (RFC 9051, 7.5.2).
    #[must_use]
    pub fn envelope(&self) -> &[u8] {
        self.item(0)
    }

    /// BODYSTRUCTURE as IMAP sends it.
    #[must_use]
    pub fn bodystructure(&self) -> &[u8] {
        self.item(1)
    }

    /// BODY (no extension data) as IMAP sends it.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        self.item(2)
    }

    /// The section table, to be read with `message::Sections`.
    #[must_use]
    pub fn sections(&self) -> &[u8] {
        self.item(3)
    }

    /// The cached header fields, to be read with the `message` crate.
    #[must_use]
    pub fn headers(&self) -> &[u8] {
        self.item(4)
    }

    /// From, normalised for SEARCH: UTF-8.
    #[must_use]
    pub fn from(&self) -> &[u8] {
        self.item(5)
    }

    /// To, normalised for SEARCH.
    #[must_use]
    pub fn to(&self) -> &[u8] {
        self.item(6)
    }

    /// Cc, normalised for SEARCH.
    #[must_use]
    pub fn cc(&self) -> &[u8] {
        self.item(7)
    }

    /// Bcc, normalised for SEARCH.
    #[must_use]
    pub fn bcc(&self) -> &[u8] {
        self.item(8)
    }

    /// Subject, normalised for SEARCH.
    #[must_use]
    pub fn subject(&self) -> &[u8] {
        self.item(9)
    }
}

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
        assert!(buf.envelope().starts_with(b"("));
        assert!(!buf.sections().is_empty());
        assert!(!buf.set(Uid::MAX, record()), "another message's record");
    }

    #[test]
    fn the_front_can_be_read_alone() {
        let whole = record();
        let mut expected = CacheBuf::default();
        assert!(expected.set(Uid::MIN, whole.clone()));
        let front = front_len(whole.first_chunk().unwrap()).unwrap();
        let read = |bytes: &[u8], len: usize| {
            let mut buf = CacheBuf::default();
            buf.room(bytes.len()).copy_from_slice(bytes);
            buf.check_front(Uid::MIN, len as u32).then_some(buf)
        };
        let buf = read(&whole[..front], whole.len()).unwrap();
        assert_eq!(
            (buf.envelope(), buf.bodystructure(), buf.body()),
            (expected.envelope(), expected.bodystructure(), expected.body())
        );
        assert!(buf.sections().is_empty() && buf.subject().is_empty());
        assert!(read(&whole[..front - 1], whole.len()).is_none());
        assert!(read(&whole[..front], whole.len() + 1).is_none());
        for at in 0..front {
            let mut bad = whole[..front].to_vec();
            bad[at] ^= 1;
            assert!(read(&bad, whole.len()).is_none(), "byte {at}");
        }
        let moved = readdress(&whole, Uid::MAX);
        assert!(CacheBuf::default().set(Uid::MAX, moved.clone()));
        assert!(!CacheBuf::default().set(Uid::MIN, moved));
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
            assert!(buf.envelope().is_empty());
        }
        assert_eq!(generation(&file_header(77)), Some(77));
        assert_eq!(generation(&[0; 16]), None);
    }
}
