//! Once a day: what was deleted long enough ago goes for good, and old deliveries are forgotten.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::services::Services;

/// The first time an hour after the start, when clients have reconnected and caches are warm again.
const FIRST: Duration = Duration::from_secs(60 * 60);
/// Then daily: what is kept for days need not go on the hour.
const EVERY: Duration = Duration::from_secs(24 * 60 * 60);

/// Runs until the server stops.
pub(super) async fn run(services: Arc<Services>, keep: Duration, shutdown: CancellationToken) {
    let mut wait = FIRST;
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(wait) => {}
        }
        wait = EVERY;
        let (services, shutdown) = (Arc::clone(&services), shutdown.clone());
        if tokio::task::spawn_blocking(move || purge(&services, keep, &shutdown)).await.is_err() {
            warn!(event = "upkeep.panicked");
        }
    }
}

/// One mailbox after the other, so that users notice nothing of it.
fn purge(services: &Services, keep: Duration, shutdown: &CancellationToken) {
    let store = &services.store;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
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
