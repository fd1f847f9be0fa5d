//! The server's own scrub: pass after pass over the whole store, each a little at a time ([`tools::scrub`]).

use std::sync::Arc;
use std::time::Duration;

use mailstore::Scrubbed;
use tokio_util::sync::CancellationToken;
use tools::scrub::budget::{Clock, SystemClock};
use tools::scrub::{due_in, go_on, show_last};
use tracing::{error, warn};

use crate::config::Scrub;
use crate::services::Services;

/// The first pass, or the rest of one, begins a minute after the start, when clients have reconnected; sooner where passes
/// are that short.
const FIRST: Duration = Duration::from_secs(60);
/// A pass that failed goes on after an hour: what was wrong with the disk may be over then.
const AFTER_FAILURE: Duration = Duration::from_secs(60 * 60);

/// Runs until the server stops; at once over if passes are switched off.
pub(super) async fn run(services: Arc<Services>, config: Scrub, shutdown: CancellationToken) {
    let mut state = show_last(&services.store);
    if config.every.0.is_zero() {
        return;
    }
    let clock = Arc::new(SystemClock::default());
    let mut least = FIRST.min(config.every.0);
    loop {
        let due = Duration::from_secs(due_in(&state, config.every.0.as_secs(), clock.unix()));
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(due.max(least)) => {}
        }
        let (pass, its_clock, rate) = (Arc::clone(&services), Arc::clone(&clock), config.bytes_per_second.0);
        let mut pass = tokio::task::spawn_blocking(move || go_on(&pass.store, rate, &*its_clock));
        let ended = tokio::select! {
            ended = &mut pass => ended,
            () = shutdown.cancelled() => {
                // It saves its place, and is waited for.
                clock.stop();
                pass.await
            }
        };
        least = match ended {
            Ok(Ok(Scrubbed::Whole)) => Duration::ZERO,
            Ok(Ok(Scrubbed::Stopped)) => return,
            Ok(Err(problem)) => {
                error!(event = "scrub.failed", error = %problem);
                AFTER_FAILURE
            }
            Err(_) => {
                warn!(event = "scrub.panicked");
                AFTER_FAILURE
            }
        };
        state = show_last(&services.store);
    }
}
