//! What all connections together hold in buffers, and what is done about it.
//!
//! Counted is what stands still: input that is not a whole command yet, arguments of the command under way, replies that a
//! peer does not take, and what a session keeps of a message before it goes to disk. A connection tells the account when
//! it begins to wait with something in its hands, and when that has changed; one that answers small commands in time never
//! touches it. What a command works with on its way to a reply is not counted.
//!
//! Above half of the budget buffers are smaller, so that all get slower before any is refused. At the budget whatever needs a
//! large buffer is refused for a while, and so are new connections. Nobody who is in is thrown out.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use thiserror::Error;

use crate::limits;

/// Octets that a connection may always ask for: 16 KiB, any usual command. Only what is larger is refused.
const SMALL: u64 = 16 * 1024;

/// Why there is no memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NoMemory {
    /// All connections together hold too much: a matter of time.
    #[error("Out of memory for large commands, try again later")]
    Now,
    /// The connection itself would hold too much.
    #[error("Command needs more memory than a connection may have")]
    Ever,
}

/// The account of all connections.
#[derive(Debug)]
pub struct Memory {
    used: AtomicU64,
    limit: AtomicU64,
    /// For one connection.
    each: AtomicU64,
    refused: AtomicU64,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            used: AtomicU64::new(0),
            limit: AtomicU64::new(u64::MAX),
            each: AtomicU64::new(limits::CONNECTION_MEMORY),
            refused: AtomicU64::new(0),
        }
    }
}

impl Memory {
    /// Sets the budget of all connections and that of each, in octets.
    pub fn set_limits(&self, limit: u64, each: u64) {
        self.limit.store(limit, Ordering::Relaxed);
        self.each.store(each, Ordering::Relaxed);
    }

    /// What is held now.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// What may be held.
    #[must_use]
    pub fn limit(&self) -> u64 {
        self.limit.load(Ordering::Relaxed)
    }

    /// How often somebody was refused memory.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Whether nobody gets a large buffer now.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.used() >= self.limit()
    }

    /// Whether buffers should be small.
    fn is_tight(&self) -> bool {
        self.used() >= self.limit() / 2
    }
}

/// What one connection holds; given back when dropped.
#[derive(Debug)]
pub(crate) struct Held {
    memory: Arc<Memory>,
    octets: u64,
}

impl Held {
    pub(crate) fn new(memory: Arc<Memory>) -> Self {
        Self { memory, octets: 0 }
    }

    /// Whether buffers should be small.
    pub(crate) fn is_tight(&self) -> bool {
        self.memory.is_tight()
    }

    /// It holds this much now.
    pub(crate) fn set(&mut self, octets: u64) {
        // Wraps for less, which adds the same as a subtraction.
        let change = octets.wrapping_sub(self.octets);
        if change != 0 {
            self.memory.used.fetch_add(change, Ordering::Relaxed);
            self.octets = octets;
        }
    }

    /// Whether it may hold this much.
    ///
    /// # Errors
    /// [`NoMemory`]; it is noted as a refusal.
    pub(crate) fn may_hold(&self, octets: u64) -> Result<(), NoMemory> {
        let more = octets.saturating_sub(self.octets);
        if more <= SMALL {
            return Ok(());
        }
        let why = if octets > self.memory.each.load(Ordering::Relaxed) {
            NoMemory::Ever
        } else if self.memory.used().saturating_add(more) > self.memory.limit() {
            NoMemory::Now
        } else {
            return Ok(());
        };
        self.memory.refused.fetch_add(1, Ordering::Relaxed);
        Err(why)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.set(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_is_that_of_the_parts() {
        let memory = Arc::new(Memory::default());
        let (mut one, mut two) = (Held::new(Arc::clone(&memory)), Held::new(Arc::clone(&memory)));
        for (first, second) in [(5, 0), (5, 7), (100, 7), (0, 7), (3, 0)] {
            one.set(first);
            two.set(second);
            assert_eq!(memory.used(), first + second);
        }
        drop(one);
        assert_eq!(memory.used(), 0);
    }

    #[test]
    fn what_is_refused() {
        let memory = Arc::new(Memory::default());
        memory.set_limits(1_000_000, 400_000);
        let (mut other, mut held) = (Held::new(Arc::clone(&memory)), Held::new(Arc::clone(&memory)));
        let mut check = |others, own, wanted, expected: Result<(), NoMemory>| {
            other.set(others);
            held.set(own);
            assert_eq!(held.may_hold(wanted), expected, "{others} {own} {wanted}");
        };
        check(0, 0, 400_000, Ok(()));
        check(0, 0, 400_001, Err(NoMemory::Ever));
        check(600_000, 0, 400_000, Ok(()));
        check(600_001, 0, 400_000, Err(NoMemory::Now));
        // What it has already is not wanted again.
        check(600_000, 300_000, 400_000, Ok(()));
        // A usual command gets through always.
        check(2_000_000, 0, SMALL, Ok(()));
        check(2_000_000, 390_000, 390_000 + SMALL, Ok(()));
        check(2_000_000, 0, SMALL + 1, Err(NoMemory::Now));
        assert_eq!(memory.refused(), 3);
        assert!(memory.is_full());
        drop(other);
        assert!(!memory.is_full());
    }
}
