//! One message's record in cyrus.index, 128 bytes: what FETCH, SEARCH and synchronisation need without the message.
//!
//! | offset | size | field |
//! |---|---|---|
//! | 0 | 4 | UID |
//! | 4 | 4 | size of the message file in bytes |
//! | 8 | 4 | size of its header block, blank line included |
//! | 12 | 4 | system flags; bit 31: expunged |
//! | 16 | 8 | internal date, Unix seconds |
//! | 24 | 8 | date of the Date field, Unix seconds (internal date where there is none) |
//! | 32 | 8 | Unix seconds at which the message came into this mailbox (SAVEDATE) |
//! | 40 | 2 | zone of the internal date, minutes |
//! | 42 | 2 | zone of the Date field, minutes |
//! | 44 | 4 | length of the cache record; 0 = none yet |
//! | 48 | 8 | mod-sequence of the last change |
//! | 56 | 8 | mod-sequence of the append |
//! | 64 | 16 | keywords, bit n = n-th name in cyrus.header |
//! | 80 | 8 | offset of the cache record in cyrus.cache |
//! | 88 | 32 | BLAKE3 of the message file |
//! | 120 | 4 | zero |
//! | 124 | 4 | CRC-32 of bytes 0 to 123 |
//!
//! Records begin at a multiple of 128 bytes, so none straddles a disk sector: a torn write spoils one record at most.

use message::Analysis;

use crate::flags::{KeywordBits, SystemFlags};
use crate::ident::{ContentHash, ModSeq, Timestamp, Uid};

/// Size of a record in bytes.
pub(crate) const RECORD_SIZE: usize = 128;

/// A message as the index knows it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Record {
    /// UID.
    pub uid: Uid,
    /// Size of the message in bytes (RFC822.SIZE).
    pub size: u32,
    /// Size of the header block in bytes, blank line included.
    pub header_size: u32,
    /// INTERNALDATE.
    pub internal_date: Timestamp,
    /// The Date field, or the internal date where there is none.
    pub sent_date: Timestamp,
    /// When the message came into this mailbox, Unix seconds.
    pub saved: i64,
    /// System flags that all readers share.
    pub flags: SystemFlags,
    /// Keywords.
    pub keywords: KeywordBits,
    /// Mod-sequence of the last change.
    pub modseq: ModSeq,
    /// Mod-sequence of the append.
    pub created_modseq: ModSeq,
    /// Hash of the message file.
    pub hash: ContentHash,
    pub(crate) cache_offset: u64,
    pub(crate) cache_len: u32,
}

impl Record {
    /// The record of a message that is new to a mailbox: no flags, and UID, mod-sequences and cache place still to come.
    pub(crate) fn of(analysis: &Analysis, size: u32, hash: ContentHash, internal_date: Timestamp) -> Record {
        Record {
            uid: Uid::MIN,
            size,
            // A message of more than 4 GiB is refused long before.
            header_size: u32::try_from(analysis.header_size).unwrap_or(size),
            internal_date,
            sent_date: analysis.sent_date.map_or(internal_date, Timestamp::from),
            saved: 0,
            flags: SystemFlags::NONE,
            keywords: 0,
            modseq: ModSeq::ZERO,
            created_modseq: ModSeq::ZERO,
            hash,
            cache_offset: 0,
            cache_len: 0,
        }
    }

    /// Whether the message was expunged and only its record is left.
    #[must_use]
    pub fn is_expunged(&self) -> bool {
        self.flags.contains(SystemFlags::EXPUNGED)
    }

    /// The record as it is written.
    pub(crate) fn encode(&self) -> [u8; RECORD_SIZE] {
        let mut b = [0u8; RECORD_SIZE];
        b[0..4].copy_from_slice(&self.uid.get().to_le_bytes());
        b[4..8].copy_from_slice(&self.size.to_le_bytes());
        b[8..12].copy_from_slice(&self.header_size.to_le_bytes());
        b[12..16].copy_from_slice(&self.flags.bits().to_le_bytes());
        b[16..24].copy_from_slice(&self.internal_date.seconds.to_le_bytes());
        b[24..32].copy_from_slice(&self.sent_date.seconds.to_le_bytes());
        b[32..40].copy_from_slice(&self.saved.to_le_bytes());
        b[40..42].copy_from_slice(&self.internal_date.zone_minutes.to_le_bytes());
        b[42..44].copy_from_slice(&self.sent_date.zone_minutes.to_le_bytes());
        b[44..48].copy_from_slice(&self.cache_len.to_le_bytes());
        b[48..56].copy_from_slice(&self.modseq.get().to_le_bytes());
        b[56..64].copy_from_slice(&self.created_modseq.get().to_le_bytes());
        b[64..80].copy_from_slice(&self.keywords.to_le_bytes());
        b[80..88].copy_from_slice(&self.cache_offset.to_le_bytes());
        b[88..120].copy_from_slice(&self.hash.0);
        let crc = crc32fast::hash(&b[..124]);
        b[124..].copy_from_slice(&crc.to_le_bytes());
        b
    }

    /// Reads a record; nothing if its checksum is wrong or its UID is 0.
    pub(crate) fn decode(b: &[u8; RECORD_SIZE]) -> Option<Record> {
        if !is_whole(b) {
            return None;
        }
        let mut hash = [0; 32];
        hash.copy_from_slice(&b[88..120]);
        Some(Record {
            uid: Uid::new(u32_at(b, 0))?,
            size: u32_at(b, 4),
            header_size: u32_at(b, 8),
            flags: SystemFlags::from_bits(u32_at(b, 12)),
            internal_date: Timestamp { seconds: u64_at(b, 16) as i64, zone_minutes: i16_at(b, 40) },
            sent_date: Timestamp { seconds: u64_at(b, 24) as i64, zone_minutes: i16_at(b, 42) },
            saved: u64_at(b, 32) as i64,
            cache_len: u32_at(b, 44),
            modseq: ModSeq::new(u64_at(b, 48)),
            created_modseq: ModSeq::new(u64_at(b, 56)),
            keywords: u128::from(u64_at(b, 64)) | u128::from(u64_at(b, 72)) << 64,
            cache_offset: u64_at(b, 80),
            hash: ContentHash(hash),
        })
    }
}

/// Records one behind the other, as they are written.
pub(crate) fn encode_all(records: &[Record]) -> Vec<u8> {
    records.iter().flat_map(Record::encode).collect()
}

/// Whether the checksum of a record is right. The CRC-32 of any bytes and their own CRC-32 behind them is always the same
/// number; a run of 128 bytes is checked twice as fast as one of 124 and a comparison.
pub(super) fn is_whole(b: &[u8; RECORD_SIZE]) -> bool {
    const OF_ALL_THAT_END_IN_THEIR_OWN: u32 = 0x2144_df1c;
    crc32fast::hash(b) == OF_ALL_THAT_END_IN_THEIR_OWN
}

pub(super) fn u32_at(b: &[u8; RECORD_SIZE], at: usize) -> u32 {
    u32::from_le_bytes([b[at], b[at + 1], b[at + 2], b[at + 3]])
}

pub(super) fn u64_at(b: &[u8; RECORD_SIZE], at: usize) -> u64 {
    u64::from(u32_at(b, at)) | u64::from(u32_at(b, at + 4)) << 32
}

pub(super) fn i16_at(b: &[u8; RECORD_SIZE], at: usize) -> i16 {
    i16::from_le_bytes([b[at], b[at + 1]])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_back_what_it_wrote_and_notices_every_flipped_bit() {
        let record = Record {
            uid: Uid::new(4_000_000_000).unwrap(),
            size: 70_000,
            header_size: 2_000,
            internal_date: Timestamp { seconds: -1, zone_minutes: -330 },
            sent_date: Timestamp { seconds: 1_790_000_000, zone_minutes: 840 },
            saved: 1_790_000_001,
            flags: SystemFlags::FLAGGED.with(SystemFlags::EXPUNGED),
            keywords: 1 << 127 | 1,
            modseq: ModSeq::new(u64::MAX),
            created_modseq: ModSeq::new(3),
            hash: ContentHash::of(b"x"),
            cache_offset: 1 << 41,
            cache_len: 3_000,
        };
        let good = record.encode();
        assert_eq!(Record::decode(&good), Some(record));
        for bit in 0..good.len() * 8 {
            let mut bad = good;
            bad[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Record::decode(&bad), None, "bit {bit}");
        }
        assert_eq!(Record::decode(&[0; RECORD_SIZE]), None);
    }
}
