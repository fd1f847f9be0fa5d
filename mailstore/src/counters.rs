//! What a store counts of its own life, for whoever shows it (docs/metrics.md). Plain atomics: to count costs one relaxed
//! addition, and nobody waits for a reader. They begin at zero with the process.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

/// A number that grows, or one that says how something is now.
#[derive(Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds `n`.
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    /// Makes it `n`.
    pub fn set(&self, n: u64) {
        self.0.store(n, Ordering::Relaxed);
    }

    /// What it is.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for Counter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().fmt(f)
    }
}

/// All counts of a store.
#[derive(Debug, Default)]
pub struct Counters {
    /// Messages that came into a mailbox: delivered, appended, copied.
    pub appended: Counter,
    /// Their sizes together, in octets.
    pub appended_octets: Counter,
    /// Messages that were expunged.
    pub expunged: Counter,
    /// Syncs of message files, before they are linked into a mailbox.
    pub message_syncs: Counter,
    /// Syncs of directories with new messages: one for all that wait for it.
    pub directory_syncs: Counter,
    /// Syncs of a mailbox's index, cache and seen state: three each.
    pub mailbox_syncs: Counter,
    /// Cache records that were whole when they were wanted.
    pub cache_hits: Counter,
    /// Cache records that were made anew because they were missing or damaged.
    pub cache_heals: Counter,
    /// Mailboxes whose files were not in order when they were opened.
    pub heals: Heals,
    /// Repairs in the background.
    pub healing: Healing,
    /// Quotas.
    pub quota: Quota,
    /// What the scrubber has done.
    pub scrub: Scrub,
}

/// What quota roots have refused, and how right their usage was.
#[derive(Debug, Default)]
pub struct Quota {
    /// Messages that were refused because a quota was full, and questions for room that were answered with no.
    pub refusals: Counter,
    /// Roots whose usage was found wrong.
    pub drifts: Counter,
    /// Those of them that were put right.
    pub corrected: Counter,
    /// Octets by which all roots together were wrong, too much or too little, when the last look at all of them ended.
    pub drift_octets: Counter,
    /// Roots that were wrong then.
    pub drift_roots: Counter,
}

/// What was put in order when a mailbox was opened, by file.
#[derive(Debug, Default)]
pub struct Heals {
    /// cyrus.index: brought in step with the message files.
    pub index: Counter,
    /// cyrus.header: made anew.
    pub header: Counter,
    /// cyrus.cache: begun anew.
    pub cache: Counter,
    /// cyrus.seen: what could be read of it is kept.
    pub seen: Counter,
    /// The index header's counters.
    pub counters: Counter,
}

/// Repairs in the background ([`Store::heal_in_background`](crate::Store::heal_in_background)).
#[derive(Debug, Default)]
pub struct Healing {
    /// Mailboxes that wait for theirs now.
    pub waiting: Counter,
    /// Ended, and all is in order.
    pub repaired: Counter,
    /// Ended, and something is left for an administrator.
    pub left: Counter,
    /// Could not be done.
    pub failed: Counter,
    /// Not begun: too many wait, or the mailbox had one within the hour.
    pub skipped: Counter,
}

/// What the scrubber has done.
#[derive(Debug, Default)]
pub struct Scrub {
    /// Octets of message files, indexes and caches read.
    pub octets: Counter,
    /// Message files compared with their hashes.
    pub messages: Counter,
    /// Findings that were repaired.
    pub repaired: Counter,
    /// Findings that are left for an administrator.
    pub errors: Counter,
    /// Unix seconds at which the last full pass ended; 0 if there was none.
    pub last_pass: Counter,
    /// Findings of the last full pass that were left for an administrator.
    pub last_errors: Counter,
}
