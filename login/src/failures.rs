//! How long a failed login is left without an answer.

use std::time::Duration;

use wire::Connection;

/// A failed login is answered after 3 seconds, the next one after 6, and so on: guessing on one connection is slow, a
/// mistyped password costs little. The listener's limit on connections from one address bounds the rest.
const DELAY: Duration = Duration::from_secs(3);
/// No answer takes longer than 15 seconds: clients give up after some 20.
const LONGEST_DELAY: Duration = Duration::from_secs(15);

/// Failed logins of one connection.
#[derive(Debug, Default, Clone, Copy)]
pub struct Failures(u32);

impl Failures {
    /// Notes a failed login, for this connection and for its address, and waits.
    pub async fn add(&mut self, connection: &Connection, guess: Option<u64>) {
        connection.login_failed(guess);
        self.0 = self.0.saturating_add(1);
        tokio::time::sleep(self.delay()).await;
    }

    /// How many there were.
    #[must_use]
    pub fn count(self) -> u32 {
        self.0
    }

    /// How long the answer to the last one waits.
    fn delay(self) -> Duration {
        DELAY.saturating_mul(self.0).min(LONGEST_DELAY)
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
            let begin = tokio::time::Instant::now();
            failures.add(&connection, None).await;
            assert_eq!(begin.elapsed().as_secs(), expected);
        }
        assert_eq!(failures.count(), 6);
        assert_eq!(Failures(u32::MAX).delay(), LONGEST_DELAY);
    }
}
