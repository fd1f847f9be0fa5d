//! What is counted: plain atomics, read by whoever shows them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// What a directory in an LDAP server has counted since it was opened.
#[derive(Debug, Default)]
pub struct Meter {
    /// Requests that the server has answered, whatever it said.
    pub answered: AtomicU64,
    /// Requests without an answer: the connection was lost, or it took too long.
    pub lost: AtomicU64,
    /// Microseconds that all of these took together.
    pub micros: AtomicU64,
    /// Connections that were made, logins by bind among them.
    pub connected: AtomicU64,
    /// Connections that could not be made, or that the server did not let us in on.
    pub refused: AtomicU64,
    /// Questions answered from memory.
    pub remembered: AtomicU64,
    /// Questions that the server was asked.
    pub asked: AtomicU64,
    /// Questions answered from memory because the server did not answer, logins among them.
    pub bridged: AtomicU64,
}

impl Meter {
    /// Counts a request.
    pub(crate) fn note(&self, took: Duration, is_answered: bool) {
        add(if is_answered { &self.answered } else { &self.lost });
        self.micros.fetch_add(u64::try_from(took.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// How long all requests took together.
    #[must_use]
    pub fn waited(&self) -> Duration {
        Duration::from_micros(self.micros.load(Ordering::Relaxed))
    }
}

pub(crate) fn add(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
