//! Whether the server may be asked: one that can't be reached is left alone for a while.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// The first wait after a failure. It doubles with each.
const FIRST_WAIT: Duration = Duration::from_millis(100);

/// That the server can't be reached.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Outage {
    /// Since when.
    pub(crate) since: Instant,
    /// Why.
    pub(crate) why: String,
}

#[derive(Debug)]
pub(super) struct Gate {
    state: Mutex<State>,
    longest: Duration,
}

#[derive(Debug, Default)]
struct State {
    outage: Option<Outage>,
    wait: Duration,
    next: Option<Instant>,
}

impl Gate {
    /// Open; waits get no longer than `longest`.
    pub(super) fn new(longest: Duration) -> Gate {
        Gate { state: Mutex::default(), longest }
    }

    /// Whether to try; if not, why the last try failed.
    pub(super) fn may_try(&self) -> Result<(), String> {
        self.may_try_at(Instant::now())
    }

    fn may_try_at(&self, now: Instant) -> Result<(), String> {
        let state = self.state.lock();
        match (&state.outage, state.next) {
            (Some(outage), Some(next)) if now < next => Err(outage.why.clone()),
            _ => Ok(()),
        }
    }

    /// A try has failed.
    pub(super) fn failed(&self, why: &str) {
        self.failed_at(Instant::now(), why);
    }

    fn failed_at(&self, now: Instant, why: &str) {
        let mut state = self.state.lock();
        // Once for each reason: a wrong password that turns up during an outage is news.
        if state.outage.as_ref().is_none_or(|outage| outage.why != why) {
            tracing::error!(event = "directory.ldap.lost", reason = why, "logins and mail wait for the LDAP server");
        }
        let since = state.outage.as_ref().map_or(now, |outage| outage.since);
        state.outage = Some(Outage { since, why: why.to_owned() });
        // Several who have waited for the same answer are one failure.
        if state.next.is_none_or(|next| now >= next) {
            state.wait = (state.wait * 2).clamp(FIRST_WAIT.min(self.longest), self.longest);
            state.next = Some(now + state.wait);
        }
    }

    /// The server has answered.
    pub(super) fn reached(&self) {
        let mut state = self.state.lock();
        if let Some(outage) = state.outage.take() {
            let seconds = outage.since.elapsed().as_secs();
            tracing::info!(event = "directory.ldap.back", seconds, "the LDAP server answers again");
        }
        *state = State::default();
    }

    pub(super) fn outage(&self) -> Option<Outage> {
        self.state.lock().outage.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_up_to_the_longest() {
        let gate = Gate::new(Duration::from_millis(350));
        let mut now = Instant::now();
        assert_eq!(gate.may_try_at(now), Ok(()));
        for wait in [100, 200, 350, 350].map(Duration::from_millis) {
            gate.failed_at(now, "no");
            gate.failed_at(now, "no");
            assert_eq!(gate.may_try_at(now + wait - Duration::from_millis(1)), Err("no".into()));
            now += wait;
            assert_eq!(gate.may_try_at(now), Ok(()), "{wait:?}");
        }
        assert_eq!(gate.outage().unwrap().why, "no");
        gate.reached();
        assert_eq!(gate.outage(), None);
        gate.failed_at(now, "again");
        assert_eq!(gate.may_try_at(now + Duration::from_millis(100)), Ok(()), "the first wait again");
    }
}
