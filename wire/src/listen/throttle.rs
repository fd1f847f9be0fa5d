//! Log lines that a flood of connections would make a flood of.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Such a line is written once in this time, with the number of those that it stands for.
const EVERY: Duration = Duration::from_secs(10);

/// Lets one of many equal lines through.
#[derive(Debug, Default)]
pub(super) struct Throttle(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// When the last one came through.
    last: Option<Instant>,
    /// Those that did not since.
    kept_back: u64,
}

impl Throttle {
    /// Counts a line. If it is to be written: how many it stands for, itself included.
    pub(super) fn pass(&self) -> Option<u64> {
        self.pass_at(Instant::now())
    }

    fn pass_at(&self, now: Instant) -> Option<u64> {
        // Two numbers; nothing panics between their changes.
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.kept_back += 1;
        if state.last.is_some_and(|last| now.saturating_duration_since(last) < EVERY) {
            return None;
        }
        state.last = Some(now);
        Some(std::mem::take(&mut state.kept_back))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_in_ten_seconds_stands_for_all() {
        let (throttle, start) = (Throttle::default(), Instant::now());
        let at = |seconds| throttle.pass_at(start + Duration::from_secs(seconds));
        assert_eq!([at(0), at(0), at(9), at(10), at(11), at(30)], [Some(1), None, None, Some(3), None, Some(2)]);
    }
}
