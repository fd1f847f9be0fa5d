//! A read-only shared mapping of a file that grows while it is mapped, and that an administrator's `cp` may cut or
//! overwrite at any moment. Bytes are copied out, never lent: a slice into the map could change under its reader.

use std::io;
use std::ops::Range;

use bytes::BytesMut;
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
        // SAFETY: the map is only ever read through `read` and `append`, which copy raw bytes out without making a reference to
        // them, so that changes by other processes are never undefined behaviour of a `&[u8]`; cut pages are caught by
        // the guard that is registered below before the first read.
        let map = unsafe { MmapOptions::new().len(len).map(file.as_file()) }?;
        Ok(sigbus::guard(map.as_ptr() as usize, len).map(|slot| SharedMap { slot, map }))
    }

    /// How many bytes are mapped.
    pub(crate) fn len(&self) -> usize {
        self.map.len()
    }

    /// Whether it has lost pages, and answers nothing any more.
    pub(crate) fn is_poisoned(&self) -> bool {
        self.slot.is_poisoned()
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

    /// Tells the processor that these bytes will be read in a moment: a hint, which costs nothing where it is wrong. To
    /// wait for memory is otherwise a quarter of the work of listing a mailbox.
    pub(crate) fn expect(&self, bytes: Range<usize>) {
        #[cfg(target_arch = "x86_64")]
        {
            use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
            const LINE: usize = 64;
            for at in (bytes.start & !(LINE - 1)..bytes.end.min(self.map.len())).step_by(LINE) {
                // SAFETY: `at < end <= len of the map`, so the pointer stays inside the mapping.
                let line = unsafe { self.map.as_ptr().add(at) };
                // SAFETY: a prefetch reads nothing that the program could see and never faults.
                unsafe { _mm_prefetch::<_MM_HINT_T0>(line.cast()) };
            }
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = bytes;
    }

    /// The same behind the end of `out`, which grows by `len` bytes, or not at all.
    pub(crate) fn append(&self, offset: usize, len: usize, out: &mut BytesMut) -> Result<(), Poisoned> {
        let end = offset.checked_add(len).ok_or(Poisoned)?;
        if end > self.map.len() {
            return Err(Poisoned);
        }
        out.reserve(len);
        let before = out.len();
        // SAFETY: `offset <= end <= len of the map`, so the pointer stays inside the mapping.
        let from = unsafe { self.map.as_ptr().add(offset) };
        // SAFETY: the source holds `len` bytes (checked above), the target has room for them (reserved above), and they
        // can't overlap: the target is memory of `out` that nobody has a reference to. As in `read`, pages that are gone
        // are replaced by zeros.
        unsafe { std::ptr::copy_nonoverlapping(from, out.spare_capacity_mut().as_mut_ptr().cast(), len) };
        if self.slot.is_poisoned() {
            return Err(Poisoned);
        }
        // SAFETY: the bytes up to there were initialized by the copy, and capacity was reserved for them.
        unsafe { out.set_len(before + len) };
        Ok(())
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
        let mut out = BytesMut::from(&b"before"[..]);
        map.append(19_998, 2, &mut out).unwrap();
        map.append(3, 0, &mut out).unwrap();
        assert_eq!(map.append(65_500, 100, &mut out), Err(Poisoned));
        assert_eq!(map.append(usize::MAX, 100, &mut out), Err(Poisoned));
        assert_eq!(&out[..], b"before\x07\x07");
        assert_eq!(map.read(65_500, &mut buf), Err(Poisoned));
        assert_eq!(map.read(usize::MAX, &mut buf), Err(Poisoned));

        // What an administrator's `cp` does: cut to nothing, then write.
        std::fs::OpenOptions::new().write(true).truncate(true).open(&path).unwrap();
        assert_eq!(map.read(8_192, &mut buf), Err(Poisoned));
        assert_eq!(map.append(8_192, 1, &mut out), Err(Poisoned));
        assert_eq!(out.len(), 8);
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
