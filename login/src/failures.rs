//! What comes of an attempt: its line in the log, and how long a failed one is left without an answer.

use std::time::Duration;

use tokio::time::Instant;
use tracing::info;
use wire::Connection;

use crate::{Entered, Failure};

/// A failed login is answered after 3 seconds, the next one after 6, and so on: guessing on one connection is slow, a
/// mistyped password costs little. The listener's limit on connections from one address bounds the rest.
const DELAY: Duration = Duration::from_secs(3);
/// No answer takes longer than 15 seconds: clients give up after some 20.
const LONGEST_DELAY: Duration = Duration::from_secs(15);

/// Failed logins of one connection.
#[derive(Debug, Default, Clone, Copy)]
pub struct Failures(u32);

impl Failures {
    /// Takes what came of an attempt to log in and gives it back. A failed login is counted, for this connection and for its
    /// address, and waits: its answer comes so and so long after the question, whatever the check has cost. A user with a
    /// slow hash from elsewhere answers like one who does not exist.
    ///
    /// # Errors
    /// Those of the attempt.
    pub async fn settle(
        &mut self,
        connection: &Connection,
        attempt: Result<Entered, Failure>,
    ) -> Result<Entered, Failure> {
        match &attempt {
            Ok(entered) => log(connection, entered),
            Err(Failure::Refused { claimed, guess, asked }) => {
                self.0 = self.0.saturating_add(1);
                let (info, failures) = (connection.info(), self.0);
                info!(event = "login.failed", conn = info.id, service = info.service, user = claimed.as_str(), peer = %info.peer, failures);
                connection.login_failed(*guess);
                tokio::time::sleep_until(self.answer_at(*asked, Instant::now())).await;
            }
            Err(_) => {}
        }
        attempt
    }

    /// How many there were.
    #[must_use]
    pub fn count(self) -> u32 {
        self.0
    }

    /// How long the answer to the last one waits.
    fn delay(self) -> Duration {
        DELAY.saturating_mul(self.0.max(1)).min(LONGEST_DELAY)
    }

    /// When what was asked then is answered. A check that took longer than the delay is answered after twice the delay, and
    /// so on, so that the time tells as little as it can; but nobody waits longer than [`LONGEST_DELAY`] for that.
    fn answer_at(self, asked: Instant, now: Instant) -> Instant {
        let (delay, taken) = (self.delay(), now.duration_since(asked));
        let whole = taken.as_nanos().div_ceil(delay.as_nanos()).max(1);
        let wait = delay.saturating_mul(u32::try_from(whole).unwrap_or(u32::MAX));
        asked + wait.min(LONGEST_DELAY)
    }
}

/// Says who is in.
fn log(connection: &Connection, entered: &Entered) {
    let info = connection.info();
    let (conn, service, tls) = (info.id, info.service, info.tls.map(|tls| tls.version));
    match entered {
        Entered::User(user) => {
            let (name, folder, app) = (user.account.user.as_str(), user.detail.as_deref(), user.app.as_deref());
            let proxy = user.proxy.as_ref().map(ToString::to_string);
            info!(event = "login.succeeded", conn, service, user = name, proxy, app, folder, peer = %info.peer, tls);
        }
        Entered::Anonymous { trace } => {
            info!(event = "login.succeeded", conn, service, user = "anonymous", trace = trace.as_str(), peer = %info.peer, tls);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_takes_longer() {
        let (connection, _peer) = Connection::memory(1);
        let mut failures = Failures::default();
        for expected in [3, 6, 9, 12, 15, 15] {
            let begin = Instant::now();
            let refused = failures.settle(&connection, Err(Failure::nobody())).await;
            assert!(matches!(refused, Err(Failure::Refused { .. })));
            assert_eq!(begin.elapsed().as_secs(), expected);
        }
        assert_eq!(failures.count(), 6);
        assert_eq!(Failures(u32::MAX).delay(), LONGEST_DELAY);
    }

    /// The answer comes as long after the question, whatever was done between them.
    #[tokio::test(start_paused = true)]
    async fn what_the_check_has_cost_is_not_seen() {
        let (connection, _peer) = Connection::memory(1);
        for (cost, expected) in [
            (0, 3000),
            (1, 3000),
            (40, 3000),
            (2999, 3000),
            (3000, 3000),
            (3001, 6000),
            (14_999, 15_000),
            (16_000, 16_000),
        ] {
            let asked = Instant::now();
            let refused = Failure::nobody();
            tokio::time::sleep(Duration::from_millis(cost)).await;
            let _ = Failures::default().settle(&connection, Err(refused)).await;
            assert_eq!(asked.elapsed().as_millis(), expected, "a check of {cost} ms");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_no_failed_login_waits_for_nothing() {
        let (connection, _peer) = Connection::memory(1);
        let mut failures = Failures::default();
        let begin = Instant::now();
        for failure in [Failure::Blocked, Failure::Sasl(wire::sasl::SaslError::Cancelled)] {
            assert!(failures.settle(&connection, Err(failure)).await.is_err());
        }
        let entered = Entered::Anonymous { trace: "joe@example.org".into() };
        assert_eq!(failures.settle(&connection, Ok(entered.clone())).await.unwrap(), entered);
        assert_eq!((begin.elapsed(), failures.count()), (Duration::ZERO, 0));
    }
}
