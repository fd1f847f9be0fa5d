//! Scrubbing the store: the server's own passes, a little all the time ([`go_on`]), and `scrub`, by hand.
//!
//! A pass goes over all mailboxes in the order of their names, and over what is above them in the end. Its place is saved
//! now and then ([`State`]), so that it goes on there after a restart. A budget of octets per second is kept ([`budget`]).

pub mod budget;
mod command;
mod state;
#[cfg(test)]
mod tests;

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use mailstore::{ErrorKind, MailboxName, ScrubFinding, ScrubKind, ScrubPace, Scrubbed, Store};

use self::budget::{Budget, Clock};
pub use self::command::{ScrubRequest, scrub};
pub use self::state::{Ended, Pass, State, Tally};

/// How often a pass saves its place: what is read again after a crash is worth half a minute of the budget.
const SAVE_EVERY: Duration = Duration::from_secs(30);

/// When a pass should begin or go on, in seconds from now; nothing if the last one is too recent (`every` in seconds).
#[must_use]
pub fn due_in(state: &State, every: u64, now: u64) -> u64 {
    match (&state.pass, &state.last) {
        (Some(_), _) | (None, None) => 0,
        (None, Some(last)) => last.started.saturating_add(every).saturating_sub(now),
    }
}

/// Shows what the last pass found among the store's counters. For a start of the server.
pub fn show_last(store: &Store) -> State {
    let state = State::read(&**store.disk(), store.layout().config());
    if let Some(last) = &state.last {
        show(store, last);
    }
    state
}

/// Goes on with the pass that is under way, or begins one, and repairs what can be. Ends when the pass does, or the clock.
/// Blocks.
///
/// # Errors
/// The disk's, where it concerns more than one mailbox; the pass can be gone on with.
pub fn go_on(store: &Store, octets_per_second: u64, clock: &dyn Clock) -> mailstore::Result<Scrubbed> {
    let config = store.layout().config();
    let pass = State::read(&**store.disk(), config).pass;
    let begins = pass.is_none();
    let pass = pass.unwrap_or_else(|| Pass { started: clock.unix(), tally: Tally::default(), mailbox: None, uid: 0 });
    let at = pass.mailbox.as_ref().map(ToString::to_string);
    tracing::info!(event = "scrub.begun", begins, at);
    let saved = clock.now();
    let mut run = Run { store, budget: Budget::new(clock, octets_per_second), clock, pass, saved, failed: None };
    let mut scrubbed = run.mailboxes()?;
    if scrubbed == Scrubbed::Whole {
        scrubbed = store.scrub_above(false, &mut run)?;
    }
    if scrubbed == Scrubbed::Stopped {
        run.save();
        tracing::info!(event = "scrub.stopped", mailboxes = run.pass.tally.mailboxes);
        return run.failed.map_or(Ok(Scrubbed::Stopped), |error| Err(error.into()));
    }
    end(store, run.pass.started, run.pass.tally, clock, true)?;
    Ok(Scrubbed::Whole)
}

/// A pass over the whole store has come to its end. `own`: it is the one that saves its place.
fn end(store: &Store, started: u64, tally: Tally, clock: &dyn Clock, own: bool) -> mailstore::Result<()> {
    let last = Ended { started, ended: clock.unix(), tally };
    State::change(&**store.disk(), store.layout().config(), |state| {
        state.last = Some(last);
        if own {
            state.pass = None;
        }
    })?;
    show(store, &last);
    let Tally { mailboxes, messages, octets, repaired, left } = tally;
    let seconds = last.ended.saturating_sub(started);
    tracing::info!(event = "scrub.finished", mailboxes, messages, octets, repaired, left, seconds);
    Ok(())
}

fn show(store: &Store, last: &Ended) {
    let counters = &store.counters().scrub;
    counters.last_pass.set(last.ended);
    counters.last_errors.set(last.tally.left);
}

/// The mailbox behind `after` in the order of names; the first one without it.
fn next(store: &Store, after: Option<&MailboxName>) -> Option<MailboxName> {
    let mut found = None;
    store.list_from("", after.map_or("", MailboxName::as_str), |row| {
        if Some(&row.name) == after {
            return ControlFlow::Continue(());
        }
        found = Some(row.name.clone());
        ControlFlow::Break(())
    });
    found
}

/// Logs a finding and counts it.
fn note(store: &Store, finding: &ScrubFinding, tally: &mut Tally) {
    let ScrubFinding { code, place, uid, what, remedy, .. } = finding;
    let counters = &store.counters().scrub;
    match finding.kind {
        ScrubKind::Repaired => {
            counters.repaired.add(1);
            tally.repaired += 1;
            tracing::warn!(event = "scrub.repaired", mailbox = place, code, uid, what);
        }
        ScrubKind::Left => {
            counters.errors.add(1);
            tally.left += 1;
            tracing::error!(event = "scrub.found", mailbox = place, code, uid, what, remedy);
        }
    }
}

/// The server's own pass.
struct Run<'a> {
    store: &'a Store,
    budget: Budget<'a>,
    clock: &'a dyn Clock,
    pass: Pass,
    /// When the place was saved.
    saved: Duration,
    /// Why it could not be saved.
    failed: Option<mailstore::disk::Error>,
}

impl Run<'_> {
    fn mailboxes(&mut self) -> mailstore::Result<Scrubbed> {
        // A mailbox in whose midst a pass was stopped may be gone.
        let midst = self.pass.mailbox.clone().filter(|name| self.pass.uid < u32::MAX && self.store.row(name).is_some());
        let mut name = midst.or_else(|| self.next());
        while let Some(mailbox) = name {
            if self.pass.mailbox.as_ref() != Some(&mailbox) {
                (self.pass.mailbox, self.pass.uid) = (Some(mailbox.clone()), 0);
            }
            match self.store.scrub_mailbox(&mailbox, self.pass.uid, false, self) {
                Ok(Scrubbed::Stopped) => return Ok(Scrubbed::Stopped),
                Ok(Scrubbed::Whole) => self.pass.tally.mailboxes += 1,
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
            self.pass.uid = u32::MAX;
            if self.save_sometimes().is_break() {
                return Ok(Scrubbed::Stopped);
            }
            name = self.next();
        }
        Ok(Scrubbed::Whole)
    }

    fn next(&self) -> Option<MailboxName> {
        next(self.store, self.pass.mailbox.as_ref())
    }

    fn save_sometimes(&mut self) -> ControlFlow<()> {
        if self.clock.now().saturating_sub(self.saved) >= SAVE_EVERY {
            self.save();
        }
        if self.failed.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn save(&mut self) {
        let pass = self.pass.clone();
        let (disk, config) = (self.store.disk(), self.store.layout().config());
        self.failed = State::change(&**disk, config, |state| state.pass = Some(pass)).err();
        self.saved = self.clock.now();
    }
}

impl ScrubPace for Run<'_> {
    fn pace(&mut self, octets: u64) -> ControlFlow<()> {
        self.budget.take(octets)?;
        self.pass.tally.octets += octets;
        self.save_sometimes()
    }

    fn reached(&mut self, uid: u32) {
        self.pass.tally.messages += 1;
        self.pass.uid = uid;
    }

    fn found(&mut self, finding: ScrubFinding) {
        note(self.store, &finding, &mut self.pass.tally);
    }

    fn stop(&self) -> Option<Arc<AtomicBool>> {
        self.clock.stop_flag()
    }
}
