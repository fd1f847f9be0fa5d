//! Finding records by UID. Records stand in UID order, and expunged ones keep their place until a repack, so that
//! arithmetic mostly knows where a record is: one read finds it, however large the mailbox.

use super::file::IndexFile;
use super::record::Record;
use crate::ident::Uid;

/// Where in an index the last record was found; UIDs are to be asked for in ascending order.
pub(crate) struct Cursor<'a> {
    index: &'a IndexFile,
    /// Number of records.
    count: u32,
    /// No record has a larger UID.
    last_uid: u32,
    /// The number behind the last record found.
    next: u32,
    /// Its UID, 0 before the first.
    uid: u32,
}

impl<'a> Cursor<'a> {
    /// At the beginning of an index of `count` records, none of them of a UID above `last_uid`.
    pub(crate) fn new(index: &'a IndexFile, count: u32, last_uid: u32) -> Cursor<'a> {
        Cursor { index, count, last_uid, next: 0, uid: 0 }
    }

    /// The record of that UID with its number, if there is one and it is whole.
    pub(crate) fn seek(&mut self, uid: Uid) -> Option<(u32, Record)> {
        let uid = uid.get();
        let (before, behind) = (uid.checked_sub(self.uid)?, self.last_uid.checked_sub(uid)?);
        // As many records as UIDs fit between the last record found and this one, and between this one and the end.
        let high = self.next.saturating_add(before.checked_sub(1)?).min(self.count.checked_sub(1)?);
        let low = (self.count - 1).saturating_sub(behind).max(self.next);
        let found = self.probe(low, uid).or_else(|| self.probe(high, uid)).or_else(|| self.halve(low, high, uid))?;
        (self.next, self.uid) = (found.0 + 1, uid);
        Some(found)
    }

    fn probe(&self, number: u32, uid: u32) -> Option<(u32, Record)> {
        let record = self.index.read(number).filter(|record| record.uid.get() == uid)?;
        Some((number, record))
    }

    /// Binary search among the records `low` to `high`; a damaged one on the way is stepped over.
    fn halve(&self, low: u32, high: u32, uid: u32) -> Option<(u32, Record)> {
        let (mut low, mut high) = (low, high + 1);
        while low < high {
            let middle = low + (high - low) / 2;
            match (middle..high).find_map(|number| Some((number, self.index.read(number)?))) {
                Some((number, record)) if record.uid.get() == uid => return Some((number, record)),
                Some((number, record)) if record.uid.get() < uid => low = number + 1,
                _ => high = middle,
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use durable::disk::{Disk, RealDisk};

    use super::*;
    use crate::ident::{ContentHash, Timestamp, UidValidity};
    use crate::index::{Header, RECORD_SIZE};

    fn record(uid: u32) -> Record {
        let analysis = message::analyse(b"Subject: s\r\n\r\n", &message::Limits::default());
        let date = Timestamp { seconds: 0, zone_minutes: 0 };
        Record { uid: Uid::new(uid).unwrap(), ..Record::of(&analysis, 1, ContentHash([0; 32]), date) }
    }

    fn index(dir: &std::path::Path, uids: &[u32]) -> IndexFile {
        let disk: Arc<dyn Disk> = Arc::new(RealDisk);
        let header = Header::new(UidValidity::at(1, None), 1);
        let records: Vec<Record> = uids.iter().copied().map(record).collect();
        IndexFile::replace(&disk, &dir.join("cyrus.index"), &header, &records).unwrap()
    }

    #[test]
    fn every_record_is_found_whatever_is_missing() {
        let dir = tempfile::tempdir().unwrap();
        let check = |uids: &[u32], last_uid: u32| {
            let index = index(dir.path(), uids);
            let count = uids.len() as u32;
            let number = |uid: u32| uids.iter().position(|&known| known == uid).map(|at| at as u32);
            let mut cursor = Cursor::new(&index, count, last_uid);
            for uid in 1..=last_uid + 2 {
                let wanted = Uid::new(uid).unwrap();
                let found = |found: Option<(u32, Record)>| found.map(|(at, record)| (at, record.uid.get()));
                let expected = number(uid).map(|at| (at, uid));
                assert_eq!(found(Cursor::new(&index, count, last_uid).seek(wanted)), expected, "{uid} of {uids:?}");
                assert_eq!(found(cursor.seek(wanted)), expected, "{uid} of {uids:?}, in order");
            }
        };
        check(&[], 9);
        check(&[1], 1);
        check(&[5], 9);
        check(&(1..=20).collect::<Vec<_>>(), 20);
        check(&(1..=20).collect::<Vec<_>>(), 27);
        check(&[1, 2, 3, 10, 11, 12], 12);
        check(&[4, 5, 9, 17, 18, 30, 31, 32, 33, 40], 44);
        check(&(1..=40).step_by(3).collect::<Vec<_>>(), 60);
    }

    #[test]
    fn damaged_records_hide_no_others() {
        let dir = tempfile::tempdir().unwrap();
        let uids: Vec<u32> = (1..=40).step_by(2).collect();
        let index = index(dir.path(), &uids);
        for damaged in [0, 7, 8, 9, 19] {
            index.write(damaged, &[0; RECORD_SIZE]).unwrap();
        }
        let mut cursor = Cursor::new(&index, 20, 39);
        for (number, &uid) in uids.iter().enumerate() {
            let found = cursor.seek(Uid::new(uid).unwrap()).map(|(at, record)| (at as usize, record.uid.get()));
            let whole = ![0, 7, 8, 9, 19].contains(&number);
            assert_eq!(found, whole.then_some((number, uid)));
        }
    }
}
