//! What the fuzzers throw bytes at; only there when they are compiled (`--cfg fuzzing`, which cargo-fuzz sets). Where a
//! checksum guards a decoder the bytes are tried with a right one too, or nothing would ever get past it.

use crate::cache::{CacheBuf, CacheItem, generation};
use crate::header::MailboxHeader;
use crate::ident::{Uid, UidValidity};
use crate::index::{HEADER_SIZE, Header, RECORD_SIZE, Record};
use crate::list::Row;
use crate::seen::Seen;

/// Bytes as the header and as a record of an index: what is understood is written the same way.
pub fn index(bytes: &[u8]) {
    for bytes in [bytes.to_vec(), summed::<HEADER_SIZE>(bytes).to_vec()] {
        if let Ok(header) = Header::decode(&bytes) {
            assert_eq!(Header::decode(&header.encode()).ok(), Some(header));
        }
    }
    if let Some(record) = Record::decode(&summed::<RECORD_SIZE>(bytes)) {
        assert_eq!(Record::decode(&record.encode()), Some(record));
    }
}

/// Bytes as a record of a cache: whatever is handed out lies within it.
pub fn cache(bytes: &[u8]) {
    let Some(uid) = Uid::new(7) else { return };
    if let Some(Ok(bytes)) = bytes.get(..16).map(TryInto::try_into) {
        let _ = generation(bytes);
    }
    let mut addressed = bytes.to_vec();
    if addressed.len() >= 12 {
        addressed[..4].copy_from_slice(&(bytes.len() as u32).to_le_bytes());
        addressed[4..8].copy_from_slice(&uid.get().to_le_bytes());
    }
    for bytes in [bytes.to_vec(), addressed] {
        let mut buffer = CacheBuf::default();
        let len = bytes.len();
        if buffer.set(uid, bytes) {
            use CacheItem::{Bcc, Body, BodyStructure, Cc, Envelope, From, Headers, Sections, Subject, To};
            let items = [Envelope, BodyStructure, Body, Sections, Headers, From, To, Cc, Bcc, Subject];
            assert!(items.iter().map(|item| buffer.item(*item).len()).sum::<usize>() <= len);
        }
    }
}

/// Bytes as the text files of a mailbox, and as a row of the mailboxes database.
pub fn text(bytes: &[u8]) {
    let Some(validity) = UidValidity::new(1) else { return };
    let _ = Seen::decode(bytes, validity, |_, _| {});
    let seen = [b"angarium-seen 1 1\n", bytes].concat();
    let _ = Seen::decode(&seen, validity, |_, _| {});
    if let Ok(decoded) = MailboxHeader::decode(bytes) {
        let again = MailboxHeader::decode(&decoded.header.encode());
        assert_eq!(again.ok().map(|again| again.header), Some(decoded.header));
    }
    if let Ok(row) = std::str::from_utf8(bytes).map_err(drop).and_then(|text| Row::decode(text).map_err(drop)) {
        assert_eq!(Row::decode(&row.encode()), Ok(row));
    }
}

/// The first bytes with the checksum of all before the last four in those.
fn summed<const SIZE: usize>(bytes: &[u8]) -> [u8; SIZE] {
    let mut out = [0; SIZE];
    let len = bytes.len().min(SIZE);
    out[..len].copy_from_slice(&bytes[..len]);
    let crc = crc32fast::hash(&out[..SIZE - 4]);
    out[SIZE - 4..].copy_from_slice(&crc.to_le_bytes());
    out
}
