//! Quota roots follow what the directory says of users: at the start, for what a stop in the middle of a change has left, and
//! daily, for directories that others write to.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use directory::{Actor, Error, Service};
use tokio_util::sync::CancellationToken;
use tools::CommandError;
use tools::accounts::follow_rows;
use tracing::{info, warn};

use crate::services::Services;

/// How often the whole directory is gone through.
const EVERY: Duration = Duration::from_secs(24 * 60 * 60);

/// Runs until the server stops.
pub(super) async fn run(services: Arc<Services>, shutdown: CancellationToken) {
    loop {
        let (services, stop) = (Arc::clone(&services), shutdown.clone());
        if tokio::task::spawn_blocking(move || follow(&services, &stop)).await.is_err() {
            warn!(event = "quota.limits.panicked");
        }
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

fn follow(services: &Services, stop: &CancellationToken) {
    let service = Service::new(&*services.directory, Actor::server());
    let mut wanted = |_: &_| if stop.is_cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(true) };
    let followed = follow_rows(&services.store, &service, false, &mut wanted, &mut |_| ControlFlow::Continue(()));
    match followed {
        Ok(()) => {}
        // Whoever keeps the directory says so.
        Err(problem @ CommandError::Directory(Error::Unavailable(_))) => {
            info!(event = "quota.limits.postponed", error = %problem);
        }
        Err(problem) => warn!(event = "quota.limits.failed", error = %problem),
    }
}
