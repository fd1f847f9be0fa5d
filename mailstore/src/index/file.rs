//! The open index: reading records by number through a mapping or, where there is none, with `pread`; writing with
//! `pwrite`. Numbers run from 0 over all records, expunged ones included.

use std::path::Path;
use std::sync::Arc;

use durable::disk::{Disk, DiskFile};

use super::header::{HEADER_SIZE, Header, HeaderError};
use super::record::{RECORD_SIZE, Record, encode_all};
use crate::error::{Error, Result};
use crate::quota::QuotaUsed;
use crate::raw::SharedMap;

/// Below this many records the file is read whole at open (one `pread` is cheaper than mapping it) and mapped only when
/// single records are wanted.
const READ_WHOLE: u32 = 5_000;

/// Records that are read together when all are: 64 KiB at a time costs 11 ns a record; a mapping would cost a page fault
/// every 32 records.
pub(super) const READ_AT_ONCE: usize = 512;

/// Below this many records single ones are read with `pread`.
const FEW: u32 = 64;

/// A mapping reaches this much beyond the last record, so that appends seldom need a new one.
const MAP_SLACK: usize = 1 << 20;

/// Largest index: 2^25 records fill 4 GiB of address space, and no mailbox of that size works with any client.
const MAX_RECORDS: u32 = 1 << 25;

/// The open cyrus.index.
pub(crate) struct IndexFile {
    disk: Arc<dyn Disk>,
    file: DiskFile,
    map: Option<SharedMap>,
}

/// What was read at open.
pub(crate) struct Loaded {
    /// The header, as it stands in the file.
    pub(crate) header: Header,
    /// How many whole records the file holds, at most `header.records`.
    pub(crate) records: u32,
}

/// What the quota root of the mailbox in `dir` is charged for it, by its index header alone. Nothing if there is no
/// header to be believed: the mailbox's repair charges what it finds.
pub(crate) fn quota_used(disk: &dyn Disk, dir: &Path) -> QuotaUsed {
    header(disk, dir).map(|header| header.quota_used()).unwrap_or_default()
}

/// The index header of the mailbox in `dir`, if it can be read and believed.
pub(crate) fn header(disk: &dyn Disk, dir: &Path) -> Option<Header> {
    let mut bytes = [0u8; HEADER_SIZE];
    let got = disk.open_read(&dir.join(super::FILE)).ok()?.read_at(&mut bytes, 0).ok()?;
    Header::decode(&bytes[..got]).ok()
}

impl IndexFile {
    /// Opens an index and reads its header.
    pub(crate) fn open(disk: &Arc<dyn Disk>, path: &Path) -> Result<(IndexFile, Loaded)> {
        let file = disk.open_rw(path)?;
        let mut bytes = [0u8; HEADER_SIZE];
        let got = file.read_at(&mut bytes, 0)?;
        let header = Header::decode(&bytes[..got]).map_err(|error| match error {
            HeaderError::Damaged(what) => Error::corrupt(path, what),
            HeaderError::Newer => Error::Unavailable(format!("{} was written by a newer version", path.display())),
        })?;
        let body = file.metadata()?.size.saturating_sub(HEADER_SIZE as u64);
        let whole = u32::try_from(body / RECORD_SIZE as u64).unwrap_or(u32::MAX);
        let records = header.records.min(whole).min(MAX_RECORDS);
        Ok((IndexFile { disk: Arc::clone(disk), file, map: None }, Loaded { header, records }))
    }

    /// Writes a whole new index under its own name, synced, and opens it. Readers of the old file keep it.
    pub(crate) fn replace(disk: &Arc<dyn Disk>, path: &Path, header: &Header, records: &[Record]) -> Result<IndexFile> {
        let mut bytes = Vec::with_capacity(HEADER_SIZE + records.len() * RECORD_SIZE);
        bytes.extend_from_slice(&header.encode());
        records.iter().for_each(|r| bytes.extend_from_slice(&r.encode()));
        disk.replace_file(path, &bytes)?;
        Ok(IndexFile { disk: Arc::clone(disk), file: disk.open_rw(path)?, map: None })
    }

    /// Writes a whole new index under a name that is free, without a sync, and keeps it open: the caller syncs it and
    /// gives it its real name.
    pub(crate) fn write_new(
        disk: &Arc<dyn Disk>,
        path: &Path,
        header: &Header,
        records: &[Record],
    ) -> Result<IndexFile> {
        /// 1 MiB at a time, however many records there are.
        const CHUNK: usize = (1 << 20) / RECORD_SIZE;
        let file = disk.create_new(path)?;
        disk.write_at(&file, &header.encode(), 0)?;
        for (n, chunk) in records.chunks(CHUNK).enumerate() {
            disk.write_at(&file, &encode_all(chunk), offset((n * CHUNK) as u32))?;
        }
        Ok(IndexFile { disk: Arc::clone(disk), file, map: None })
    }

    /// The header as it stands in the file now; nothing if it can't be believed.
    pub(crate) fn read_header(&self) -> Option<Header> {
        let mut bytes = [0u8; HEADER_SIZE];
        let got = self.file.read_at(&mut bytes, 0).ok()?;
        Header::decode(&bytes[..got]).ok()
    }

    /// How many whole records the file holds now, whatever its header says.
    pub(crate) fn whole_records(&self) -> Result<u32> {
        let body = self.file.metadata()?.size.saturating_sub(HEADER_SIZE as u64);
        Ok(u32::try_from(body / RECORD_SIZE as u64).unwrap_or(u32::MAX).min(MAX_RECORDS))
    }

    /// Opens an index that was written by this process a moment ago.
    pub(crate) fn reopen(disk: &Arc<dyn Disk>, path: &Path) -> Result<IndexFile> {
        Ok(IndexFile { disk: Arc::clone(disk), file: disk.open_rw(path)?, map: None })
    }

    /// Calls `each` with every record from number 0 to `count` - 1 in order: the record, or nothing where its checksum
    /// is wrong.
    pub(crate) fn scan(&self, count: u32, mut each: impl FnMut(u32, Option<Record>)) -> Result<()> {
        let mut bytes = vec![0u8; RECORD_SIZE * READ_AT_ONCE.min(count.max(1) as usize)];
        let mut number = 0;
        while number < count {
            let n = READ_AT_ONCE.min((count - number) as usize);
            let whole = self.read_some(number, &mut bytes[..n * RECORD_SIZE])?;
            for (i, raw) in bytes.as_chunks::<RECORD_SIZE>().0.iter().take(n).enumerate() {
                each(number + i as u32, if i < whole { Record::decode(raw) } else { None });
            }
            number += n as u32;
        }
        Ok(())
    }

    /// Reads records from that number on with `pread`; answers how many whole ones there are.
    pub(super) fn read_some(&self, number: u32, records: &mut [u8]) -> Result<usize> {
        Ok(self.file.read_at(records, offset(number))? / RECORD_SIZE)
    }

    /// Makes reading single records cheap: maps the file for at least `count` records, unless it is so small that
    /// `pread` serves.
    pub(crate) fn prepare(&mut self, count: u32) {
        if self.is_prepared(count) {
            return;
        }
        let slack = if count < READ_WHOLE { MAP_SLACK / 8 } else { MAP_SLACK };
        // A mapping that has lost pages gives way to a new one when the file is whole again.
        self.map = None;
        if !self.file.metadata().is_ok_and(|found| found.size >= offset(count)) {
            return;
        }
        // Without a mapping (no address space, no slot of the guard) records are read with pread.
        self.map = SharedMap::new(&self.file, offset(count) as usize + slack).unwrap_or_default();
    }

    /// Whether reading single records is as cheap as it gets.
    pub(crate) fn is_prepared(&self, count: u32) -> bool {
        self.map.as_ref().map_or(count < FEW, |map| map.len() as u64 >= offset(count) && !map.is_poisoned())
    }

    /// The record of that number; nothing where it is damaged or the file is shorter by now.
    pub(crate) fn read(&self, number: u32) -> Option<Record> {
        let mut raw = [0u8; RECORD_SIZE];
        if self.read_raw(number, &mut raw) { Record::decode(&raw) } else { None }
    }

    /// Copies whole records from that number on; answers whether all of them are there.
    pub(super) fn read_raw(&self, number: u32, records: &mut [u8]) -> bool {
        let at = offset(number);
        match &self.map {
            Some(map) if map.len() >= at as usize + records.len() => map.read(at as usize, records).is_ok(),
            _ => self.file.read_exact_at(records, at).is_ok(),
        }
    }

    /// Writes records one behind the other from number `first` on.
    pub(crate) fn write(&self, first: u32, records: &[u8]) -> Result<()> {
        Ok(self.disk.write_at(&self.file, records, offset(first))?)
    }

    /// Writes the header: the commit point.
    pub(crate) fn write_header(&self, header: &Header) -> Result<()> {
        Ok(self.disk.write_at(&self.file, &header.encode(), 0)?)
    }

    /// The disk that the index is on.
    pub(crate) fn disk(&self) -> &dyn Disk {
        &*self.disk
    }

    /// The open file, for a sync outside of the mailbox's lock.
    pub(crate) fn file(&self) -> &DiskFile {
        &self.file
    }
}

fn offset(number: u32) -> u64 {
    HEADER_SIZE as u64 + u64::from(number) * RECORD_SIZE as u64
}
