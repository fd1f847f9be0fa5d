//! Looking after the duplicate delivery database.

use super::{Store, now};

/// How long a delivery is remembered: the MTA gives up after five days at most, and repeats within hours.
const REMEMBERED: i64 = 3 * 24 * 3600;

impl Store {
    /// Forgets deliveries before that time (Unix seconds). Returns how many. Blocks.
    pub fn prune_duplicates_before(&self, before: i64) -> u64 {
        self.duplicates.prune(before)
    }

    /// Forgets deliveries of more than three days ago. Returns how many. Blocks.
    pub fn prune_duplicates(&self) -> u64 {
        self.duplicates.prune(now() - REMEMBERED)
    }
}
