//! Waiting for what another process does in its own time and tells nobody: a line of its log, a file, a descriptor closed.

use std::time::{Duration, Instant};

/// How long it may take: a debug build on a busy machine. Only a failing test ever waits this long.
const PATIENCE: Duration = Duration::from_secs(30);

/// Between two looks: a test must notice what happens, not be a load.
const PACE: Duration = Duration::from_millis(5);

/// Waits until it is so; fails the test, which says `what` was waited for, if that takes too long.
#[track_caller]
pub fn await_until(what: &str, is_so: impl FnMut() -> bool) {
    assert!(comes_true(is_so), "{what}: not after {PATIENCE:?}");
}

/// Whether it is so in the end.
pub(crate) fn comes_true(mut is_so: impl FnMut() -> bool) -> bool {
    let begin = Instant::now();
    while !is_so() {
        if begin.elapsed() >= PATIENCE {
            return false;
        }
        std::thread::sleep(PACE);
    }
    true
}
