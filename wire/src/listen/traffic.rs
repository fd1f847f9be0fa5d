//! What the listeners of one service have seen of connections, for whoever shows it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Refusal;

/// Counts of one service.
#[derive(Debug, Default)]
pub struct Traffic {
    accepted: AtomicU64,
    ended: AtomicU64,
    refused_total: AtomicU64,
    refused_address: AtomicU64,
    refused_rate: AtomicU64,
    refused_memory: AtomicU64,
}

impl Traffic {
    /// Connections that got a session since the start.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    /// Sessions that run now.
    #[must_use]
    pub fn open(&self) -> u64 {
        // Read in this order, lest one that begins and ends meanwhile counts as ended only.
        let ended = self.ended.load(Ordering::Acquire);
        self.accepted.load(Ordering::Relaxed).saturating_sub(ended)
    }

    /// Connections that were turned away for this reason since the start.
    #[must_use]
    pub fn refused(&self, why: Refusal) -> u64 {
        self.of(why).load(Ordering::Relaxed)
    }

    pub(super) fn refuse(&self, why: Refusal) {
        self.of(why).fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn begin(self: &Arc<Self>) -> Open {
        self.accepted.fetch_add(1, Ordering::Relaxed);
        Open(Arc::clone(self))
    }

    fn of(&self, why: Refusal) -> &AtomicU64 {
        match why {
            Refusal::Total => &self.refused_total,
            Refusal::Address => &self.refused_address,
            Refusal::Rate => &self.refused_rate,
            Refusal::Memory => &self.refused_memory,
        }
    }
}

/// A session that runs, until it is dropped.
#[derive(Debug)]
pub(super) struct Open(Arc<Traffic>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.ended.fetch_add(1, Ordering::Release);
    }
}
