//! Makes sled's flush durable. sled 0.34 ends a flush with `sync_file_range`, which writes neither a file's size nor the
//! drive's cache (sync_file_range(2), "none of these operations write out the file's metadata"); after a power cut more
//! than half of such databases could not be opened. The program's own symbol of that name takes precedence over the C
//! library's, and calls `fdatasync` instead. Nothing else in the program uses `sync_file_range`.

use std::sync::atomic::{AtomicU64, Ordering};

static SYNCS: AtomicU64 = AtomicU64::new(0);

/// How often sled has synced through this module since the process started: proof, for a test, that the symbol is the
/// one in use.
pub fn syncs() -> u64 {
    SYNCS.load(Ordering::Relaxed)
}

/// Takes the C library's place: a full data sync of the file, whatever range was asked for.
// SAFETY: the symbol has the C library's signature and contract (0, or -1 with errno set, which fdatasync gives).
#[unsafe(no_mangle)]
#[expect(unreachable_pub, reason = "the linker reaches it")]
pub extern "C" fn sync_file_range(
    fd: libc::c_int,
    _offset: libc::off64_t,
    _bytes: libc::off64_t,
    _flags: libc::c_uint,
) -> libc::c_int {
    SYNCS.fetch_add(1, Ordering::Relaxed);
    // SAFETY: fdatasync takes any descriptor number and answers EBADF for a bad one.
    unsafe { libc::fdatasync(fd) }
}

#[cfg(test)]
mod tests {
    #[test]
    fn sled_syncs_through_us() {
        let dir = tempfile::tempdir().unwrap();
        let before = super::syncs();
        let db = sled::open(dir.path()).unwrap();
        db.insert(b"k", b"v").unwrap();
        db.flush().unwrap();
        assert!(super::syncs() > before, "sled's flush did not reach our fdatasync");
    }
}
