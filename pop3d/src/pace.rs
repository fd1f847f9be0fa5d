//! LOGIN-DELAY (RFC 2449, 6.5): how soon a user may log in again.

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// Users whose last login is looked at for being old enough to be forgotten, each time this many are known: memory stays
/// within twice the users of one delay.
const TIDY_ABOVE: usize = 1_000;

/// When users have logged in last.
#[derive(Debug, Default)]
pub(crate) struct Pace(Mutex<Logins>);

#[derive(Debug, Default)]
struct Logins {
    last: HashMap<String, Instant>,
    tidy_above: usize,
}

impl Pace {
    /// Whether `user` may log in now; if so, it is the last login from now on.
    pub(crate) fn admit(&self, user: &str, delay: Duration) -> bool {
        if delay.is_zero() {
            return true;
        }
        let now = Instant::now();
        let recent = |last: &Instant| now.duration_since(*last) < delay;
        let mut logins = self.0.lock();
        if logins.last.get(user).is_some_and(recent) {
            return false;
        }
        if logins.last.len() >= logins.tidy_above.max(TIDY_ABOVE) {
            logins.last.retain(|_, last| recent(last));
            logins.tidy_above = logins.last.len() * 2;
        }
        logins.last.insert(user.to_owned(), now);
        true
    }

    /// The login did not come to anything: the next try is not held against the user.
    pub(crate) fn forget(&self, user: &str) {
        self.0.lock().last.remove(user);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_delay_is_kept() {
        let (pace, delay) = (Pace::default(), Duration::from_secs(60));
        assert!(pace.admit("joe", delay));
        assert!(!pace.admit("joe", delay));
        assert!(pace.admit("sue", delay));
        tokio::time::advance(Duration::from_secs(59)).await;
        assert!(!pace.admit("joe", delay));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(pace.admit("joe", delay));
        pace.forget("joe");
        assert!(pace.admit("joe", delay));
        assert!(pace.admit("joe", Duration::ZERO));
    }

    #[tokio::test(start_paused = true)]
    async fn old_logins_are_forgotten() {
        let (pace, delay) = (Pace::default(), Duration::from_secs(1));
        for number in 0..10 * TIDY_ABOVE {
            assert!(pace.admit(&number.to_string(), delay));
            if number % TIDY_ABOVE == 0 {
                tokio::time::advance(delay).await;
            }
        }
        assert!(pace.0.lock().last.len() <= 2 * TIDY_ABOVE);
    }
}
