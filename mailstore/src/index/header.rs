//! The header of cyrus.index, 256 bytes: what is true of the mailbox as a whole.
//!
//! | offset | size | field |
//! |---|---|---|
//! | 0 | 8 | magic `ANGINDX\n` |
//! | 8 | 2 | major version, 1: a reader refuses a newer one |
//! | 10 | 2 | minor version, 0: a reader takes a newer one and keeps what it doesn't know |
//! | 12 | 4 | header size, 256 |
//! | 16 | 4 | record size, 128 |
//! | 20 | 4 | generation: must equal that of cyrus.cache; raised by each rewrite of both |
//! | 24 | 4 | UIDVALIDITY |
//! | 28 | 4 | last UID that was assigned |
//! | 32 | 8 | highest mod-sequence |
//! | 40 | 8 | expunges up to this mod-sequence may be forgotten (records were repacked) |
//! | 48 | 4 | number of records, expunged ones included: the commit point |
//! | 52 | 4 | number of live messages |
//! | 56 | 8 | bytes of live messages: what the quota root is charged |
//! | 64 | 8 | committed length of cyrus.cache |
//! | 72 | 4 | bit 0: closed cleanly |
//! | 76 | 4 | nanoseconds of the directory's change time at the clean close |
//! | 80 | 8 | seconds of it |
//! | 88 | 16 | boot id of the kernel that last wrote |
//! | 104 | 8 | Unix seconds of the last append |
//! | 112 | 8 | Unix seconds of the last repack |
//! | 120 | 132 | zero; kept as it is |
//! | 252 | 4 | CRC-32 of bytes 0 to 251 |

use crate::ident::{ModSeq, UidValidity};
use crate::quota::QuotaUsed;

/// Size of the header in bytes.
pub(crate) const HEADER_SIZE: usize = 256;

/// Where the first record of cyrus.cache stands: behind the cache's own header.
pub(crate) const CACHE_START: u64 = 16;

const MAGIC: &[u8; 8] = b"ANGINDX\n";
const MAJOR: u16 = 1;
const MINOR: u16 = 0;
const CLEAN: u32 = 1;
const SPARE: std::ops::Range<usize> = 120..252;

/// The header's fields.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Header {
    pub(crate) generation: u32,
    pub(crate) uid_validity: UidValidity,
    pub(crate) last_uid: u32,
    pub(crate) highest_modseq: ModSeq,
    pub(crate) deleted_modseq: ModSeq,
    pub(crate) records: u32,
    pub(crate) exists: u32,
    pub(crate) used: u64,
    pub(crate) cache_len: u64,
    /// Change time (ctime) of the directory, if the mailbox was closed cleanly: seconds and nanoseconds.
    pub(crate) clean: Option<(i64, u32)>,
    pub(crate) boot_id: [u8; 16],
    pub(crate) last_append: i64,
    pub(crate) last_repack: i64,
    pub(crate) minor: u16,
    pub(crate) spare: [u8; 132],
}

/// Why a header can't be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum HeaderError {
    /// It is damaged: the index is rebuilt.
    Damaged(&'static str),
    /// A newer version wrote it: it is left alone.
    Newer,
}

impl Header {
    /// The header of an empty mailbox.
    pub(crate) fn new(uid_validity: UidValidity, generation: u32) -> Header {
        Header {
            generation,
            uid_validity,
            last_uid: 0,
            // RFC 7162, 3.1.2.1: HIGHESTMODSEQ is at least 1, also of an empty mailbox.
            highest_modseq: ModSeq::new(1),
            deleted_modseq: ModSeq::ZERO,
            records: 0,
            exists: 0,
            used: 0,
            cache_len: CACHE_START,
            clean: None,
            boot_id: [0; 16],
            last_append: 0,
            last_repack: 0,
            minor: MINOR,
            spare: [0; 132],
        }
    }

    /// What the mailbox's quota root is charged for it.
    pub(crate) fn quota_used(&self) -> QuotaUsed {
        QuotaUsed { bytes: self.used, messages: u64::from(self.exists) }
    }

    /// The header as it is written.
    pub(crate) fn encode(&self) -> [u8; HEADER_SIZE] {
        let mut b = [0u8; HEADER_SIZE];
        b[0..8].copy_from_slice(MAGIC);
        b[8..10].copy_from_slice(&MAJOR.to_le_bytes());
        b[10..12].copy_from_slice(&self.minor.to_le_bytes());
        b[12..16].copy_from_slice(&(HEADER_SIZE as u32).to_le_bytes());
        b[16..20].copy_from_slice(&(super::RECORD_SIZE as u32).to_le_bytes());
        b[20..24].copy_from_slice(&self.generation.to_le_bytes());
        b[24..28].copy_from_slice(&self.uid_validity.get().to_le_bytes());
        b[28..32].copy_from_slice(&self.last_uid.to_le_bytes());
        b[32..40].copy_from_slice(&self.highest_modseq.get().to_le_bytes());
        b[40..48].copy_from_slice(&self.deleted_modseq.get().to_le_bytes());
        b[48..52].copy_from_slice(&self.records.to_le_bytes());
        b[52..56].copy_from_slice(&self.exists.to_le_bytes());
        b[56..64].copy_from_slice(&self.used.to_le_bytes());
        b[64..72].copy_from_slice(&self.cache_len.to_le_bytes());
        if let Some((seconds, nanos)) = self.clean {
            b[72..76].copy_from_slice(&CLEAN.to_le_bytes());
            b[76..80].copy_from_slice(&nanos.to_le_bytes());
            b[80..88].copy_from_slice(&seconds.to_le_bytes());
        }
        b[88..104].copy_from_slice(&self.boot_id);
        b[104..112].copy_from_slice(&self.last_append.to_le_bytes());
        b[112..120].copy_from_slice(&self.last_repack.to_le_bytes());
        b[SPARE].copy_from_slice(&self.spare);
        let crc = crc32fast::hash(&b[..252]);
        b[252..].copy_from_slice(&crc.to_le_bytes());
        b
    }

    /// Reads a header.
    ///
    /// # Errors
    /// What is wrong with it, for the log.
    pub(crate) fn decode(b: &[u8]) -> Result<Header, HeaderError> {
        let b: &[u8; HEADER_SIZE] = b
            .get(..HEADER_SIZE)
            .and_then(|b| b.try_into().ok())
            .ok_or(HeaderError::Damaged("shorter than its header"))?;
        if &b[0..8] != MAGIC {
            return Err(HeaderError::Damaged("not an index (bad magic)"));
        }
        if crc32fast::hash(&b[..252]) != u32_at(b, 252) {
            return Err(HeaderError::Damaged("the header's checksum is wrong"));
        }
        if u16::from_le_bytes([b[8], b[9]]) != MAJOR {
            return Err(HeaderError::Newer);
        }
        if u32_at(b, 12) as usize != HEADER_SIZE || u32_at(b, 16) as usize != super::RECORD_SIZE {
            return Err(HeaderError::Newer);
        }
        let mut boot_id = [0; 16];
        boot_id.copy_from_slice(&b[88..104]);
        let mut spare = [0; 132];
        spare.copy_from_slice(&b[SPARE]);
        Ok(Header {
            generation: u32_at(b, 20),
            uid_validity: UidValidity::new(u32_at(b, 24)).ok_or(HeaderError::Damaged("UIDVALIDITY is 0"))?,
            last_uid: u32_at(b, 28),
            highest_modseq: ModSeq::new(u64_at(b, 32)),
            deleted_modseq: ModSeq::new(u64_at(b, 40)),
            records: u32_at(b, 48),
            exists: u32_at(b, 52),
            used: u64_at(b, 56),
            cache_len: u64_at(b, 64),
            clean: (u32_at(b, 72) & CLEAN != 0).then(|| (u64_at(b, 80) as i64, u32_at(b, 76))),
            boot_id,
            last_append: u64_at(b, 104) as i64,
            last_repack: u64_at(b, 112) as i64,
            minor: u16::from_le_bytes([b[10], b[11]]),
            spare,
        })
    }
}

fn u32_at(b: &[u8; HEADER_SIZE], at: usize) -> u32 {
    u32::from_le_bytes([b[at], b[at + 1], b[at + 2], b[at + 3]])
}

fn u64_at(b: &[u8; HEADER_SIZE], at: usize) -> u64 {
    u64::from(u32_at(b, at)) | u64::from(u32_at(b, at + 4)) << 32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Header {
        let mut h = Header::new(UidValidity::new(1_000_000_001).unwrap(), 7);
        h.last_uid = 12;
        h.highest_modseq = ModSeq::new(1 << 40);
        h.records = 11;
        h.exists = 10;
        h.used = 1 << 33;
        h.clean = Some((1_790_000_000, 999_999_999));
        h.boot_id = [5; 16];
        h
    }

    #[test]
    fn reads_back_what_it_wrote() {
        assert_eq!(Header::decode(&sample().encode()), Ok(sample()));
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let good = sample().encode();
        for bit in 0..good.len() * 8 {
            let mut bad = good;
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(Header::decode(&bad).is_err(), "bit {bit}");
        }
        for len in 0..good.len() {
            assert!(Header::decode(&good[..len]).is_err());
        }
    }
}
