//! The open cyrus.cache: appended to with `pwrite`, read through a mapping when it is large.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use durable::disk::{Disk, DiskFile};

use crate::cache::{self, CacheBuf, MAX_RECORD};
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
        disk.write_at(&file, &cache::file_header(generation), 0)?;
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

    /// Makes reading cheap up to `len` bytes.
    pub(crate) fn prepare(&mut self, len: u64) {
        let mapped = self.map.as_ref().map_or(0, SharedMap::len) as u64;
        if len > mapped && len >= MAP_FROM {
            self.map = SharedMap::new(&self.file, len as usize + MAP_SLACK).unwrap_or_default();
        }
    }

    /// Copies a record out and checks it; answers whether it is good.
    pub(crate) fn read(&self, uid: Uid, offset: u64, len: u32, into: &mut CacheBuf) -> bool {
        if !(1..=MAX_RECORD).contains(&len) || offset < CACHE_START {
            return false;
        }
        let room = into.room(len as usize);
        let copied = match &self.map {
            Some(map) if offset + u64::from(len) <= map.len() as u64 => map.read(offset as usize, room).is_ok(),
            _ => self.file.read_exact_at(room, offset).is_ok(),
        };
        copied && into.check(uid)
    }

    /// The same, of the front alone where that spares copying: ENVELOPE, BODYSTRUCTURE and BODY.
    pub(crate) fn read_front(&self, uid: Uid, offset: u64, len: u32, into: &mut CacheBuf) -> bool {
        let Some(map) = self.map.as_ref().filter(|map| offset.saturating_add(u64::from(len)) <= map.len() as u64)
        else {
            return self.read(uid, offset, len, into);
        };
        let mut head = [0; cache::FIXED];
        if !(cache::FIXED as u32..=MAX_RECORD).contains(&len)
            || offset < CACHE_START
            || map.read(offset as usize, &mut head).is_err()
        {
            return false;
        }
        let front = cache::front_len(&head).filter(|front| *front <= len as usize);
        front.is_some_and(|front| map.read(offset as usize, into.room(front)).is_ok() && into.check_front(uid, len))
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
