//! How much may be read in which time: a bucket that fills at a steady rate, one second's worth at most, and a clock that
//! tests can turn.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// What an unused budget is good for later: nobody's disk notices a second.
const BURST: Duration = Duration::from_secs(1);

/// Time, and the end of it.
pub trait Clock: Send + Sync {
    /// Time since some moment.
    fn now(&self) -> Duration;

    /// Unix seconds.
    fn unix(&self) -> u64;

    /// Waits. `Break`: whoever waits is to stop.
    fn sleep(&self, time: Duration) -> ControlFlow<()>;

    /// Set when whoever works by it is to stop, also where he does not wait.
    fn stop_flag(&self) -> Option<Arc<AtomicBool>> {
        None
    }
}

/// The system's clock; [`stop`](Self::stop) wakes whoever sleeps by it, for good.
#[derive(Debug)]
pub struct SystemClock {
    begin: Instant,
    stopped: Mutex<bool>,
    wake: Condvar,
    over: Arc<AtomicBool>,
}

impl Default for SystemClock {
    fn default() -> Self {
        Self { begin: Instant::now(), stopped: Mutex::default(), wake: Condvar::new(), over: Arc::default() }
    }
}

impl SystemClock {
    /// From now on nobody sleeps.
    pub fn stop(&self) {
        *self.stopped.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.over.store(true, Ordering::Release);
        self.wake.notify_all();
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Duration {
        self.begin.elapsed()
    }

    fn unix(&self) -> u64 {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
    }

    fn sleep(&self, time: Duration) -> ControlFlow<()> {
        let stopped = self.stopped.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.wake.wait_timeout_while(stopped, time, |stopped| !*stopped);
        let (stopped, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if *stopped { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn stop_flag(&self) -> Option<Arc<AtomicBool>> {
        Some(Arc::clone(&self.over))
    }
}

/// A budget of octets.
pub struct Budget<'a> {
    clock: &'a dyn Clock,
    /// Octets in a second; nothing for no limit.
    rate: Option<u64>,
    /// When all that was taken so far will have been paid for.
    paid_at: Duration,
}

impl<'a> Budget<'a> {
    /// A full bucket. A rate of 0 is no limit.
    pub fn new(clock: &'a dyn Clock, octets_per_second: u64) -> Self {
        let rate = Some(octets_per_second).filter(|rate| *rate > 0);
        Self { clock, rate, paid_at: clock.now().saturating_sub(BURST) }
    }

    /// Takes octets, and waits until they are paid for. `Break`: the clock has stopped.
    pub fn take(&mut self, octets: u64) -> ControlFlow<()> {
        let Some(rate) = self.rate else { return self.clock.sleep(Duration::ZERO) };
        let now = self.clock.now();
        // In nanoseconds without overflow: 2^64 octets at one a second.
        let cost = u128::from(octets) * 1_000_000_000 / u128::from(rate);
        let cost = Duration::from_nanos(u64::try_from(cost).unwrap_or(u64::MAX));
        self.paid_at = self.paid_at.max(now.saturating_sub(BURST)).saturating_add(cost);
        self.clock.sleep(self.paid_at.saturating_sub(now))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    /// A clock that goes on only when somebody sleeps.
    #[derive(Default)]
    pub(crate) struct FakeClock {
        now: Mutex<Duration>,
        /// Sleeps until it stops; 0 for never.
        pub(crate) sleeps_left: AtomicU64,
    }

    impl FakeClock {
        pub(crate) fn advance(&self, time: Duration) {
            *self.now.lock().unwrap() += time;
        }
    }

    impl Clock for FakeClock {
        fn now(&self) -> Duration {
            *self.now.lock().unwrap()
        }

        fn unix(&self) -> u64 {
            1_700_000_000 + self.now().as_secs()
        }

        fn sleep(&self, time: Duration) -> ControlFlow<()> {
            self.advance(time);
            match self.sleeps_left.load(Ordering::Relaxed) {
                0 => ControlFlow::Continue(()),
                1 => ControlFlow::Break(()),
                left => {
                    self.sleeps_left.store(left - 1, Ordering::Relaxed);
                    ControlFlow::Continue(())
                }
            }
        }
    }

    #[test]
    fn no_second_has_more_than_its_share() {
        let clock = FakeClock::default();
        let mut budget = Budget::new(&clock, 1000);
        // When each octet was read, in any order of sizes, with pauses that fill the bucket.
        let mut log = Vec::new();
        let mut taken = 0;
        for turn in 0..500_u64 {
            let octets = 1 + turn * 7919 % 300;
            assert!(budget.take(octets).is_continue());
            taken += octets;
            log.push((clock.now(), octets));
            if turn % 100 == 99 {
                clock.advance(Duration::from_secs(60));
            }
        }
        for (at, (begin, _)) in log.iter().enumerate() {
            let window = log[at..].iter().take_while(|(time, _)| *time <= *begin + Duration::from_secs(1));
            let octets: u64 = window.map(|(_, octets)| octets).sum();
            assert!(octets <= 1000 + 1000 + 300, "{octets} within a second from {begin:?}");
        }
        let busy = clock.now() - Duration::from_secs(5 * 60);
        assert!(busy >= Duration::from_millis(taken - 6 * 1000), "{taken} octets in {busy:?}");
        assert!(busy <= Duration::from_millis(taken), "nor is it slower than it must be: {taken} octets in {busy:?}");
    }

    #[test]
    fn extremes() {
        let clock = FakeClock::default();
        let mut free = Budget::new(&clock, 0);
        assert!(free.take(u64::MAX).is_continue());
        assert_eq!(clock.now(), Duration::ZERO);
        let mut slow = Budget::new(&clock, 1);
        assert!(slow.take(u64::MAX).is_continue());
        assert!(slow.take(u64::MAX).is_continue());
        clock.sleeps_left.store(1, Ordering::Relaxed);
        assert!(free.take(1).is_break());
        assert!(Budget::new(&clock, 5).take(1).is_break());
    }

    #[test]
    fn a_stopped_clock_wakes_whoever_sleeps() {
        let clock = SystemClock::default();
        assert!(clock.sleep(Duration::ZERO).is_continue());
        std::thread::scope(|scope| {
            let sleeper = scope.spawn(|| clock.sleep(Duration::from_secs(3600)));
            clock.stop();
            assert!(sleeper.join().unwrap().is_break());
        });
        assert!(clock.sleep(Duration::ZERO).is_break());
    }
}
