//! A look at many records: the fields that a search compares, without the rest of the record and without its checksum.
//! All records were checked when the index was opened, and whoever reads one whole checks it again; a search over ten
//! thousand messages would spend most of its time on that.

use super::file::IndexFile;
use super::file::READ_AT_ONCE;
use super::record::{RECORD_SIZE, Record, i16_at, is_whole, u32_at, u64_at};
use crate::error::Result;
use crate::flags::{KeywordBits, SystemFlags};
use crate::ident::{ModSeq, Timestamp};

/// What a search compares.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Glance {
    /// UID.
    pub uid: u32,
    /// Size of the message in bytes.
    pub size: u32,
    /// System flags that all readers share.
    pub flags: SystemFlags,
    /// Keywords.
    pub keywords: KeywordBits,
    /// INTERNALDATE.
    pub internal_date: Timestamp,
    /// The Date field, or the internal date where there is none.
    pub sent_date: Timestamp,
    /// Mod-sequence of the last change.
    pub modseq: ModSeq,
}

/// Records looked at with one copy: 8 KiB.
const AT_ONCE: usize = 64;

impl Glance {
    fn decode(b: &[u8; RECORD_SIZE]) -> Glance {
        Glance {
            uid: u32_at(b, 0),
            size: u32_at(b, 4),
            flags: SystemFlags::from_bits(u32_at(b, 12)),
            internal_date: Timestamp { seconds: u64_at(b, 16) as i64, zone_minutes: i16_at(b, 40) },
            sent_date: Timestamp { seconds: u64_at(b, 24) as i64, zone_minutes: i16_at(b, 42) },
            modseq: ModSeq::new(u64_at(b, 48)),
            keywords: u128::from(u64_at(b, 64)) | u128::from(u64_at(b, 72)) << 64,
        }
    }
}

impl From<&Record> for Glance {
    fn from(record: &Record) -> Glance {
        Glance {
            uid: record.uid.get(),
            size: record.size,
            flags: record.flags,
            keywords: record.keywords,
            internal_date: record.internal_date,
            sent_date: record.sent_date,
            modseq: record.modseq,
        }
    }
}

impl IndexFile {
    /// Looks at every record from number 0 to `count` - 1 in order, and checks it: the record, or nothing where its
    /// checksum is wrong.
    pub(crate) fn survey(&self, count: u32, mut each: impl FnMut(Option<&Glance>)) -> Result<()> {
        let mut bytes = vec![0; RECORD_SIZE * READ_AT_ONCE.min(count.max(1) as usize)];
        let mut number = 0;
        while number < count {
            let records = READ_AT_ONCE.min((count - number) as usize);
            let whole = self.read_some(number, &mut bytes[..records * RECORD_SIZE])?;
            for (at, raw) in bytes.as_chunks::<RECORD_SIZE>().0.iter().take(records).enumerate() {
                let glance = Glance::decode(raw);
                each((at < whole && glance.uid > 0 && is_whole(raw)).then_some(&glance));
            }
            number += records as u32;
        }
        Ok(())
    }

    /// Looks at the records `first` to `last`, expunged ones included. Where they can't be read, nothing is seen.
    pub(crate) fn glance(&self, first: u32, last: u32, mut each: impl FnMut(&Glance)) {
        let mut bytes = [0; RECORD_SIZE * AT_ONCE];
        let mut number = first;
        while number <= last {
            let records = AT_ONCE.min((last - number) as usize + 1);
            let chunk = &mut bytes[..records * RECORD_SIZE];
            if !self.read_raw(number, chunk) {
                return;
            }
            chunk.as_chunks::<RECORD_SIZE>().0.iter().for_each(|record| each(&Glance::decode(record)));
            number += records as u32;
        }
    }
}
