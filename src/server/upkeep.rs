//! Once a day: what was deleted long enough ago goes for good, and old deliveries are forgotten.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::services::Services;

/// The first time an hour after the start, when clients have reconnected and caches are warm again.
const FIRST: Duration = Duration::from_secs(60 * 60);
/// Then daily: what is kept for days need not go on the hour.
const EVERY: Duration = Duration::from_secs(24 * 60 * 60);
/// How far the system's clock may run ahead from one time to the next. What sets clocks right step by step stays far below.
const AHEAD: Duration = Duration::from_secs(60 * 60);

/// Runs until the server stops.
pub(super) async fn run(services: Arc<Services>, keep: Duration, shutdown: CancellationToken) {
    let mut wait = FIRST;
    let mut calendar = Calendar { date: SystemTime::now(), at: Instant::now() };
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(wait) => {}
        }
        wait = EVERY;
        let now = SystemTime::now();
        if let Some(ahead) = calendar.jumps_to(now, Instant::now()) {
            warn!(event = "upkeep.clock.jumped", seconds = ahead.as_secs());
            continue;
        }
        let (services, shutdown) = (Arc::clone(&services), shutdown.clone());
        if tokio::task::spawn_blocking(move || purge(&services, now, keep, &shutdown)).await.is_err() {
            warn!(event = "upkeep.panicked");
        }
    }
}

/// What the system's clock said, and when that was by one that nobody sets.
///
/// What was deleted is kept for days by the system's clock, the only one that outlives the process. Set forward by mistake, it
/// would make all of that old at once, for good; so it is believed a day later.
struct Calendar {
    date: SystemTime,
    at: Instant,
}

impl Calendar {
    /// Takes down what both clocks say now. By how much the first was set forward meanwhile, if it was.
    fn jumps_to(&mut self, date: SystemTime, at: Instant) -> Option<Duration> {
        let passed = at.duration_since(self.at);
        // One that was set back makes things younger, and harms nobody.
        let shown = date.duration_since(self.date).unwrap_or_default();
        (self.date, self.at) = (date, at);
        shown.checked_sub(passed).filter(|ahead| *ahead > AHEAD)
    }
}

/// One mailbox after the other, so that users notice nothing of it.
fn purge(services: &Services, now: SystemTime, keep: Duration, shutdown: &CancellationToken) {
    let store = &services.store;
    let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let before = i64::try_from(now.saturating_sub(keep).as_secs()).unwrap_or(i64::MAX);
    let deliveries = store.prune_duplicates();
    let mailboxes = store.purge_deleted(before).unwrap_or_else(|problem| {
        warn!(event = "upkeep.failed", error = %problem);
        0
    });
    let mut names = Vec::new();
    store.list("", |name, _| {
        names.push(name.clone());
        ControlFlow::Continue(())
    });
    let mut messages = 0;
    for name in names {
        if shutdown.is_cancelled() {
            break;
        }
        match store.mailbox(&name).and_then(|mailbox| mailbox.repack(before)) {
            Ok(forgotten) => messages += forgotten,
            // It was deleted meanwhile, or needs repair, which whoever opens it is told.
            Err(problem) => warn!(event = "upkeep.failed", mailbox = %name, error = %problem),
        }
    }
    info!(event = "upkeep.done", deliveries, mailboxes, messages);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each row: how far the system's clock and the other one went on, in hours, and what that is a jump of.
    #[test]
    fn a_clock_that_is_set_is_believed_the_next_time() {
        const YEAR: i64 = 365 * 24;
        let (date, at) = (UNIX_EPOCH + Duration::from_secs(1_800_000_000), Instant::now());
        let mut calendar = Calendar { date, at };
        let (mut date, mut at) = (date, at);
        for (shown, passed, jump) in [
            (24, 24, None),
            (25, 24, None),
            (26, 24, Some(2)),
            (24, 24, None),
            (YEAR, 24, Some(YEAR - 24)),
            (24, 24, None),
            (-YEAR, 24, None),
            (24, 24, None),
            // The machine slept.
            (24 * 7, 1, Some(24 * 7 - 1)),
            (0, 24, None),
        ] {
            let hours = |hours: i64| Duration::from_secs(hours.unsigned_abs() * 3600);
            date = if shown < 0 { date - hours(shown) } else { date + hours(shown) };
            at += hours(passed);
            assert_eq!(calendar.jumps_to(date, at), jump.map(hours), "{shown} {passed}");
        }
    }
}
