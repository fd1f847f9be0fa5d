//! A read-only shared mapping of a file that grows while it is mapped, and that an administrator's `cp` may cut or
//! overwrite at any moment. Bytes are copied out, never lent: a slice into the map could change under its reader.

use std::io;
use std::ops::Range;

use durable::disk::DiskFile;
use memmap2::{Mmap, MmapOptions};

use super::sigbus::{self, Slot};

/// The mapping lost its pages: the file was cut below what was read, or the disk failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Poisoned;

/// A mapping of the first `len` bytes of a file. It may reach beyond the file's end, so that a growing file needs no new
/// mapping for a while; the caller reads only what it knows to be there.
pub(crate) struct SharedMap {
    // Before the map is undone its slot must be free (drop order: fields in order).
    slot: Slot,
    map: Mmap,
}

impl SharedMap {
    /// Maps `len` bytes of `file`; nothing when all slots of the SIGBUS guard are in use, or `len` is 0. The caller then
    /// reads with `pread`.
    pub(crate) fn new(file: &DiskFile, len: usize) -> io::Result<Option<SharedMap>> {
        if len == 0 {
            return Ok(None);
        }
        // SAFETY: the map is only ever read through `read`, which copies raw bytes out without making a reference to
        // them, so that changes by other processes are never undefined behaviour of a `&[u8]`; cut pages are caught by
        // the guard that is registered below before the first read.
        let map = unsafe { MmapOptions::new().len(len).map(file.as_file()) }?;
        Ok(sigbus::guard(map.as_ptr() as usize, len).map(|slot| SharedMap { slot, map }))
    }

    /// How many bytes are mapped.
    pub(crate) fn len(&self) -> usize {
        self.map.len()
    }

    /// Whether all pages of a range are in memory at this moment. A range outside the mapping is not.
    pub(crate) fn is_in_memory(&self, bytes: Range<usize>) -> bool {
        const PAGE: usize = 4096;
        let start = bytes.start & !(PAGE - 1);
        if bytes.end > self.map.len() || bytes.is_empty() {
            return false;
        }
        // One byte for each page; ranges are asked for in pieces so that the answers fit on the stack.
        let mut resident = [0u8; 256];
        (start..bytes.end).step_by(PAGE * resident.len()).all(|from| {
            let len = (bytes.end - from).min(PAGE * resident.len());
            // SAFETY: `from < end <= len of the map`, so the pointer stays inside the mapping; it is a multiple of the page
            // size from its beginning, which is one.
            let at = unsafe { self.map.as_ptr().add(from) };
            // SAFETY: the range lies in the mapping, and `resident` has a byte for each page that it touches; the call
            // writes there and nowhere else, and reads nothing of the pages.
            let asked = unsafe { libc::mincore(at.cast_mut().cast(), len, resident.as_mut_ptr()) };
            asked == 0 && resident[..len.div_ceil(PAGE)].iter().all(|page| page & 1 == 1)
        })
    }

    /// Copies `out.len()` bytes from `offset`. An offset outside the mapping is answered like a lost page: it comes from
    /// a number on disk.
    pub(crate) fn read(&self, offset: usize, out: &mut [u8]) -> Result<(), Poisoned> {
        let end = offset.checked_add(out.len()).ok_or(Poisoned)?;
        if end > self.map.len() {
            return Err(Poisoned);
        }
        // SAFETY: `offset <= end <= len`, so the pointer stays inside the mapping.
        let from = unsafe { self.map.as_ptr().add(offset) };
        // SAFETY: both ranges hold `out.len()` bytes (checked above for the source) and can't overlap: `out` is an
        // exclusive reference, and no reference into the map exists. A page that is gone is replaced by zeros by the
        // SIGBUS guard.
        unsafe { std::ptr::copy_nonoverlapping(from, out.as_mut_ptr(), out.len()) };
        if self.slot.is_poisoned() { Err(Poisoned) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use durable::disk::{Disk, RealDisk};

    use super::*;

    #[cfg_attr(miri, ignore = "maps files")]
    #[test]
    fn reads_what_is_there_and_survives_a_cut() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        std::fs::write(&path, vec![7u8; 20_000]).unwrap();
        let file = RealDisk.open_read(Path::new(&path)).unwrap();
        let map = SharedMap::new(&file, 65_536).unwrap().unwrap();
        let mut buf = [0u8; 100];
        map.read(19_900, &mut buf).unwrap();
        assert_eq!(buf, [7; 100]);
        assert!(map.is_in_memory(5..19_999), "it was written a moment ago");
        assert!(!map.is_in_memory(60_000..65_537) && !map.is_in_memory(7..7));
        assert_eq!(map.read(65_500, &mut buf), Err(Poisoned));
        assert_eq!(map.read(usize::MAX, &mut buf), Err(Poisoned));

        // What an administrator's `cp` does: cut to nothing, then write.
        std::fs::OpenOptions::new().write(true).truncate(true).open(&path).unwrap();
        assert_eq!(map.read(8_192, &mut buf), Err(Poisoned));
        // Other mappings are not touched.
        std::fs::write(dir.path().join("g"), vec![9u8; 5_000]).unwrap();
        let other = RealDisk.open_read(&dir.path().join("g")).unwrap();
        let other = SharedMap::new(&other, 5_000).unwrap().unwrap();
        other.read(4_000, &mut buf).unwrap();
        assert_eq!(buf, [9; 100]);
    }

    #[test]
    fn a_growing_file_needs_no_new_mapping() {
        let dir = tempfile::tempdir().unwrap();
        let disk = RealDisk;
        let file = disk.create_new(&dir.path().join("f")).unwrap();
        let map = SharedMap::new(&file, 1 << 20).unwrap().unwrap();
        disk.write_at(&file, &[3; 10], 500_000).unwrap();
        let mut buf = [0u8; 10];
        map.read(500_000, &mut buf).unwrap();
        assert_eq!(buf, [3; 10]);
    }
}
