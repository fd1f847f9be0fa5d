//! The open cyrus.cache: appended to with `pwrite`, read through a mapping when it is large.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use bytes::BytesMut;
use durable::disk::{Disk, DiskFile};

use crate::cache::{self, CacheBuf, CacheItem, CacheItems, FIXED, Head, MAX_RECORD};
use crate::error::Result;
use crate::ident::Uid;
use crate::index::CACHE_START;
use crate::raw::SharedMap;

/// The file's name in a mailbox directory.
pub(crate) const FILE: &str = "cyrus.cache";

/// Smaller caches are read with `pread`: a mapping would cost more than it saves.
const MAP_FROM: u64 = 128 << 10;

/// A mapping reaches this much beyond the end, so that appends seldom need a new one.
const MAP_SLACK: usize = 4 << 20;

/// The open cyrus.cache.
pub(crate) struct CacheFile {
    disk: Arc<dyn Disk>,
    file: DiskFile,
    map: Option<SharedMap>,
}

/// The generation of the cache in `dir`, if there is one.
pub(crate) fn generation(disk: &dyn Disk, dir: &Path) -> Option<u32> {
    let mut head = [0u8; 16];
    disk.open_read(&dir.join(FILE)).ok()?.read_exact_at(&mut head, 0).ok()?;
    cache::generation(&head)
}

impl CacheFile {
    /// Opens a cache of that generation; nothing if there is none, or it is not a cache, or of another generation.
    pub(crate) fn open(disk: &Arc<dyn Disk>, path: &Path, generation: u32) -> Result<Option<CacheFile>> {
        let file = match disk.open_rw(path) {
            Ok(file) => file,
            Err(error) if error.is_not_found() || error.is_not_regular() => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let mut head = [0u8; 16];
        let whole = file.read_exact_at(&mut head, 0).is_ok();
        let good = whole && cache::generation(&head) == Some(generation);
        Ok(good.then(|| CacheFile { disk: Arc::clone(disk), file, map: None }))
    }

    /// Replaces the cache with an empty one.
    pub(crate) fn create(disk: &Arc<dyn Disk>, path: &Path, generation: u32) -> Result<CacheFile> {
        disk.replace_file(path, &cache::file_header(generation))?;
        Ok(CacheFile { disk: Arc::clone(disk), file: disk.open_rw(path)?, map: None })
    }

    /// Makes an empty cache under a name that is free, without a sync: the caller fills and syncs it, and gives it its real
    /// name.
    pub(crate) fn write_new(disk: &Arc<dyn Disk>, path: &Path, generation: u32) -> Result<CacheFile> {
        let file = disk.create_new(path)?;
        disk.write_at(&file, &cache::file_header(generation), 0).inspect_err(|_| {
            // What can't be removed is recognised by its name.
            let _ = disk.unlink(path);
        })?;
        Ok(CacheFile { disk: Arc::clone(disk), file, map: None })
    }

    /// The same open file once more, without its mapping.
    pub(crate) fn again(&self) -> CacheFile {
        CacheFile { disk: Arc::clone(&self.disk), file: self.file.clone(), map: None }
    }

    /// Writes records at `offset`, the committed length.
    pub(crate) fn write(&self, offset: u64, records: &[u8]) -> Result<()> {
        Ok(self.disk.write_at(&self.file, records, offset)?)
    }

    /// Makes what was written durable.
    pub(crate) fn sync(&self) -> Result<()> {
        Ok(self.disk.sync_data(&self.file)?)
    }

    /// Makes reading cheap up to `len` bytes. A mapping that has lost pages gives way to a new one when the file is whole
    /// again, as after a repair; until then records are read with `pread`, which finds them missing without a fault.
    pub(crate) fn prepare(&mut self, len: u64) {
        if self.is_prepared(len) {
            return;
        }
        self.map = None;
        if len >= MAP_FROM && self.file.metadata().is_ok_and(|found| found.size >= len) {
            self.map = SharedMap::new(&self.file, len as usize + MAP_SLACK).unwrap_or_default();
        }
    }

    /// Whether reading up to `len` bytes is as cheap as it gets.
    pub(crate) fn is_prepared(&self, len: u64) -> bool {
        match &self.map {
            Some(map) => !map.is_poisoned() && (len <= map.len() as u64 || len < MAP_FROM),
            None => len < MAP_FROM,
        }
    }

    /// Copies items of a record out and checks them; answers whether they are good.
    pub(crate) fn read(&self, uid: Uid, offset: u64, len: u32, items: CacheItems, into: &mut CacheBuf) -> bool {
        let Some(map) = self.mapped(offset, len) else {
            // One read of the whole is cheaper than two.
            return is_possible(offset, len)
                && self.file.read_exact_at(into.room(len as usize), offset).is_ok()
                && into.check_whole(uid);
        };
        if items == CacheItems::ALL {
            return map.read(offset as usize, into.room(len as usize)).is_ok() && into.check_whole(uid);
        }
        let Some(head) = head(map, uid, offset, len) else { return false };
        let place = head.place(items);
        expect_next(map, offset, len, place.clone());
        map.read(offset as usize + place.start, into.room(place.len())).is_ok() && into.check(head, place.start, items)
    }

    /// A record whose items are wanted one by one, if it is mapped and its head is good.
    pub(crate) fn place(&self, uid: Uid, offset: u64, len: u32) -> Option<CachePlace<'_>> {
        let map = self.mapped(offset, len)?;
        let head = head(map, uid, offset, len)?;
        expect_next(
            map,
            offset,
            len,
            head.place(CacheItem::Envelope.into()).start..head.ends_at(CacheItem::BodyStructure),
        );
        Some(CachePlace { map, offset: offset as usize, head })
    }

    fn mapped(&self, offset: u64, len: u32) -> Option<&SharedMap> {
        let end = offset.saturating_add(u64::from(len));
        self.map.as_ref().filter(|map| is_possible(offset, len) && end <= map.len() as u64)
    }

    /// Whether those bytes can be read without a wait for the disk: a hint, true at this moment.
    pub(crate) fn is_in_memory(&self, bytes: Range<u64>) -> bool {
        match &self.map {
            Some(map) if bytes.end <= map.len() as u64 => map.is_in_memory(bytes.start as usize..bytes.end as usize),
            _ => self.file.is_cached(bytes),
        }
    }

    /// The open file, for a sync outside of the mailbox's lock.
    pub(crate) fn file(&self) -> &DiskFile {
        &self.file
    }
}

/// A record in the mapped cache, its head read and its items not.
pub struct CachePlace<'a> {
    map: &'a SharedMap,
    offset: usize,
    head: Head,
}

impl CachePlace<'_> {
    /// Copies an item to the end of `out` and checks it; answers whether it is good. If it is not, what was appended must
    /// be taken back.
    #[must_use]
    pub fn append(&self, item: CacheItem, out: &mut BytesMut) -> bool {
        let (place, before) = (self.head.place(item.into()), out.len());
        self.map.append(self.offset + place.start, place.len(), out).is_ok()
            && out.get(before..).is_some_and(|bytes| self.head.fits(item, bytes))
    }
}

/// Whether a record can be at that place. Both numbers come from the disk.
fn is_possible(offset: u64, len: u32) -> bool {
    (FIXED as u32..=MAX_RECORD).contains(&len) && offset >= CACHE_START
}

/// Whoever lists a mailbox reads the record behind this one next, and items that are about where this one's are.
fn expect_next(map: &SharedMap, offset: u64, len: u32, items: Range<usize>) {
    /// What is worth asking for ahead.
    const AHEAD: usize = 1024;
    let next = offset as usize + len as usize;
    map.expect(next..next + FIXED);
    map.expect(next + items.start..next + items.end.min(items.start + AHEAD));
}

fn head(map: &SharedMap, uid: Uid, offset: u64, len: u32) -> Option<Head> {
    let mut bytes = [0; FIXED];
    map.read(offset as usize, &mut bytes).ok()?;
    Head::decode(&bytes, uid, len)
}

#[cfg(test)]
mod tests {
    use durable::disk::RealDisk;
    use message::Limits;

    use super::*;

    #[cfg_attr(miri, ignore = "maps files")]
    #[test]
    fn a_mapping_that_lost_its_pages_is_made_anew() {
        let dir = tempfile::tempdir().unwrap();
        let disk: Arc<dyn Disk> = Arc::new(RealDisk);
        let path = dir.path().join(FILE);
        let (uid, at, len) = (Uid::new(1).unwrap(), 2 * MAP_FROM, 3 * MAP_FROM);
        let record = cache::encode(uid, &message::analyse(b"Subject: x\r\n\r\ny\r\n", &Limits::default()));
        let mut cache = CacheFile::create(&disk, &path, 7).unwrap();
        let write = |cache: &CacheFile| {
            cache.write(at, &record).unwrap();
            cache.write(len - 1, &[0]).unwrap();
        };
        let read =
            |cache: &CacheFile| cache.read(uid, at, record.len() as u32, CacheItems::ALL, &mut CacheBuf::default());
        write(&cache);
        cache.prepare(len);
        assert!(read(&cache) && cache.map.is_some());
        std::fs::File::options().write(true).open(&path).unwrap().set_len(CACHE_START).unwrap();
        assert!(!read(&cache), "its pages are gone");
        assert!(!cache.is_prepared(len));
        cache.prepare(len);
        assert!(cache.map.is_none() && !read(&cache), "nothing to map");
        write(&cache);
        assert!(read(&cache), "without a mapping");
        cache.prepare(len);
        assert!(cache.is_prepared(len) && cache.map.is_some() && read(&cache));
    }
}
