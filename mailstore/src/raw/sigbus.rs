//! A guard for mapped files. A load from a page that the file no longer has raises SIGBUS, which ends the process; here
//! a handler puts zero pages in its place and marks the mapping as poisoned, so that one damaged mailbox is an error of
//! one mailbox. (Cyrus: lmtpd "signaled to death by 7" at every start after a full disk.)
//!
//! The handler is async-signal-safe: it reads a fixed table of atomics, calls `mmap`, and nothing else.

use std::mem::MaybeUninit;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// How many mappings can be guarded at a time; more fall back to `pread`.
const SLOTS: usize = 4096;

struct Entry {
    taken: AtomicBool,
    /// Address of the mapping; 0 while the slot is not in use.
    start: AtomicUsize,
    len: AtomicUsize,
    poisoned: AtomicBool,
}

static TABLE: [Entry; SLOTS] = [const {
    Entry {
        taken: AtomicBool::new(false),
        start: AtomicUsize::new(0),
        len: AtomicUsize::new(0),
        poisoned: AtomicBool::new(false),
    }
}; SLOTS];

/// Where the search for a free slot begins.
static HINT: AtomicUsize = AtomicUsize::new(0);

/// A guarded mapping; dropping it ends the guard, so it must go before the mapping does.
pub(super) struct Slot(usize);

impl Slot {
    /// Whether a page of the mapping was missing.
    pub(super) fn is_poisoned(&self) -> bool {
        TABLE[self.0].poisoned.load(Ordering::Relaxed)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let entry = &TABLE[self.0];
        entry.start.store(0, Ordering::Release);
        entry.taken.store(false, Ordering::Release);
    }
}

/// Guards `len` bytes at `start`; nothing when all slots are taken or the handler can't be installed.
pub(super) fn guard(start: usize, len: usize) -> Option<Slot> {
    if !installed() {
        return None;
    }
    let first = HINT.fetch_add(1, Ordering::Relaxed);
    (0..SLOTS).map(|i| (first.wrapping_add(i)) % SLOTS).find_map(|at| {
        let entry = &TABLE[at];
        entry.taken.compare_exchange(false, true, Ordering::AcqRel, Ordering::Relaxed).ok()?;
        entry.poisoned.store(false, Ordering::Relaxed);
        entry.len.store(len, Ordering::Relaxed);
        entry.start.store(start, Ordering::Release);
        Some(Slot(at))
    })
}

/// Installs the handler once; answers whether it is in place.
fn installed() -> bool {
    static ONCE: Once = Once::new();
    static INSTALLED: AtomicBool = AtomicBool::new(false);
    ONCE.call_once(|| {
        let mut action = MaybeUninit::<libc::sigaction>::zeroed();
        // SAFETY: all zeros is a valid `sigaction` (default handler, empty mask, no flags).
        let action = unsafe { action.assume_init_mut() };
        action.sa_sigaction = handler as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
        // SAFETY: `action` is a fully initialised sigaction whose handler has the three-argument form that SA_SIGINFO
        // asks for and is async-signal-safe; the old action is not asked for.
        let done = unsafe { libc::sigaction(libc::SIGBUS, action, std::ptr::null_mut()) };
        INSTALLED.store(done == 0, Ordering::Release);
    });
    INSTALLED.load(Ordering::Acquire)
}

extern "C" fn handler(_signal: libc::c_int, info: *mut libc::siginfo_t, _context: *mut libc::c_void) {
    // SAFETY: the kernel passes a valid siginfo to an SA_SIGINFO handler.
    let info = unsafe { &*info };
    // SAFETY: for SIGBUS the address member of the union is the one that is set.
    let address = unsafe { info.si_addr() } as usize;
    for entry in &TABLE {
        let start = entry.start.load(Ordering::Acquire);
        let len = entry.len.load(Ordering::Relaxed);
        if start != 0 && address >= start && address - start < len {
            entry.poisoned.store(true, Ordering::Relaxed);
            if zero_pages(address, start + len) {
                return;
            }
            break;
        }
    }
    // Not ours, or no zero pages to be had: the default action ends the process, as it would have without us.
    // SAFETY: resetting a signal to its default is async-signal-safe; the faulting load is retried and kills us.
    unsafe { libc::signal(libc::SIGBUS, libc::SIG_DFL) };
}

/// Puts zero pages from the page of `address` up to the page of `end`; answers whether that worked.
fn zero_pages(address: usize, end: usize) -> bool {
    const PAGE: usize = 4096;
    let first = address & !(PAGE - 1);
    let len = (end - first).next_multiple_of(PAGE);
    // SAFETY: MAP_FIXED replaces pages of a mapping that is ours alone (found in the table, and its slot outlives no
    // map), which only raw copies read; a private anonymous read-only mapping of the same length takes its place.
    let at = unsafe {
        libc::mmap(
            first as *mut libc::c_void,
            len,
            libc::PROT_READ,
            libc::MAP_FIXED | libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
            0,
        )
    };
    at != libc::MAP_FAILED
}
