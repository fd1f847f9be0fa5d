//! cyrus.cache: for each message the bytes that clients ask for again and again, ready for the wire, so that listing a
//! mailbox opens no message (docs/formats/cache.md). Everything here is derived: a damaged or missing record is made anew
//! from the message file.
//!
//! The file begins with 16 bytes: magic `ANGCACH\n`, generation (u32), CRC-32 of the 12 bytes before. Records follow
//! without gaps:
//!
//! | offset | size | field |
//! |---|---|---|
//! | 0 | 4 | CRC-32 of everything behind it |
//! | 4 | 4 | length of the record, these fields included |
//! | 8 | 4 | UID: a record that an index offset hits by mistake is another message's |
//! | 12 | 2 | version, 1 |
//! | 14 | 2 | number of items, 10 |
//! | 16 | 4 each | length of each item |
//! | 56 | ... | the items, one behind the other |
//!
//! Items: ENVELOPE, BODYSTRUCTURE, BODY (as IMAP sends them), the section table, the cached header fields, and the
//! normalised From, To, Cc, Bcc and Subject for SEARCH.

use message::Analysis;

use crate::ident::Uid;

/// Number of items in a record.
const ITEMS: usize = 10;
/// Bytes before the items.
const FIXED: usize = 16 + 4 * ITEMS;
const VERSION: u16 = 1;
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
    items.iter().for_each(|i| b.extend_from_slice(i));
    let crc = crc32fast::hash(&b[4..]);
    b[..4].copy_from_slice(&crc.to_le_bytes());
    b
}

/// The same record for a message of another UID (a copy): only its address and checksum change.
pub(crate) fn readdress(record: &[u8], uid: Uid) -> Vec<u8> {
    let mut b = record.to_vec();
    if b.len() >= FIXED {
        b[8..12].copy_from_slice(&uid.get().to_le_bytes());
        let crc = crc32fast::hash(&b[4..]);
        b[..4].copy_from_slice(&crc.to_le_bytes());
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

    /// Checks the bytes that were filled in; on failure the buffer is empty.
    pub(crate) fn check(&mut self, uid: Uid) -> bool {
        let good = self.layout(uid).is_some();
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

    fn layout(&mut self, uid: Uid) -> Option<()> {
        let b = &self.bytes;
        let u32_at = |at: usize| b.get(at..at + 4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]));
        let head_ok = b.len() >= FIXED
            && u32_at(4)? as usize == b.len()
            && u32_at(8)? == uid.get()
            && b[12..14] == VERSION.to_le_bytes()
            && b[14..16] == (ITEMS as u16).to_le_bytes();
        if !head_ok || crc32fast::hash(&b[4..]) != u32_at(0)? {
            return None;
        }
        let mut end = FIXED;
        for (i, slot) in self.ends.iter_mut().enumerate() {
            end = end.checked_add(u32_at(16 + 4 * i)? as usize)?;
            *slot = end;
        }
        (end == b.len()).then_some(())
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
