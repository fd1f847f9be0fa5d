//! Telling the service manager that we are alive (sd_notify(3), `WATCHDOG=1`): only when a thread for connections and a
//! thread that may block both come round in time, and the mailbox list can be used. A manager that hears nothing for the time it has named restarts us.

use std::sync::Arc;
use std::time::Duration;

use mailstore::Store;
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use crate::notify::notify;

/// Runs until the server stops; at once if the manager wants no such signs.
pub(super) async fn run(store: Arc<Store>, shutdown: CancellationToken) {
    let asked = (std::env::var("WATCHDOG_USEC").ok(), std::env::var("WATCHDOG_PID").ok());
    let Some(limit) = limit(asked.0.as_deref(), asked.1.as_deref(), std::process::id()) else { return };
    // Twice in the time, as sd_watchdog_enabled(3) advises.
    let every = limit / 2;
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(every) => {}
        }
        let asked = Arc::clone(&store);
        match tokio::time::timeout(every, tokio::task::spawn_blocking(move || asked.is_usable())).await {
            Ok(Ok(true)) => notify("WATCHDOG=1"),
            Ok(Ok(false)) => {
                error!(event = "server.store.unusable", "the mailbox list needs a restart: the manager is told nothing")
            }
            _ => warn!(event = "server.threads.busy", "no thread for the disk was free in time"),
        }
    }
}

/// The time within which the manager wants a sign, if it wants one of this process.
fn limit(usec: Option<&str>, pid: Option<&str>, own: u32) -> Option<Duration> {
    let meant = pid.is_none_or(|pid| pid.parse() == Ok(own));
    let usec: u64 = usec?.parse().ok()?;
    (meant && usec > 0).then(|| Duration::from_micros(usec))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_meant() {
        let check = |usec, pid, expected: Option<u64>| {
            assert_eq!(limit(usec, pid, 7), expected.map(Duration::from_secs), "{usec:?} {pid:?}");
        };
        check(None, None, None);
        check(Some("30000000"), None, Some(30));
        check(Some("30000000"), Some("7"), Some(30));
        check(Some("30000000"), Some("8"), None);
        check(Some("0"), None, None);
        check(Some("soon"), None, None);
    }
}
