//! Changes. LDAP knows no transactions over entries, so that a change of more than one is written down first, as an entry of
//! its own (the *intent*), carried out step by step, and crossed out. Every step says what an entry is to be like, not what
//! is to happen to it: whoever finds an intent that somebody else has not crossed out does all of it again.
//!
//! The order of the steps is such that whatever is read between two of them is right, or mail waits: what is named is there
//! before what names it, and goes after it ([`Step::rank`]).

mod intent;
mod step;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use directory::{Actor, Address, AuditFile, Change, Entry as AuditEntry, Error, Event, Plan, Result, Revision, View};

use crate::Ldap;
use crate::link::{Trouble, code};
use crate::view::Look;
use intent::Intent;
pub(crate) use intent::part_name;
use step::{Failure, Step};

/// What whoever makes a change has in his hands.
#[derive(Debug)]
pub(crate) struct Changing {
    /// The last revision that was given out.
    last_revision: u64,
    /// Whether there may be an intent that is not crossed out: there was one, or it is not known.
    is_unsure: bool,
    /// An intent of which it is not known whether it was written; nothing of it was done, and nobody counts on it.
    abandoned: Option<u64>,
    audit: Arc<AuditFile>,
    /// The number of the last entry in the audit log.
    last_entry: u64,
    /// Entries that could not be written to the audit log yet.
    unwritten: Vec<AuditEntry>,
}

impl Changing {
    /// Before the first change.
    pub(crate) fn new(audit: Arc<AuditFile>) -> Changing {
        let last = audit.last(1).ok().and_then(|entries| entries.first().map(|entry| entry.number));
        Changing {
            last_revision: 0,
            is_unsure: true,
            abandoned: None,
            audit,
            last_entry: last.unwrap_or(0),
            unwritten: Vec::new(),
        }
    }

    /// A number that no row has: a time, but for clocks that go backwards.
    fn next_revision(&mut self) -> Revision {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = u64::try_from(now.as_micros()).unwrap_or(u64::MAX);
        self.last_revision = now.max(self.last_revision + 1);
        Revision(self.last_revision)
    }

    /// The entries of what happens now.
    fn entries(&self, actor: &Actor, events: &[Event]) -> Vec<AuditEntry> {
        (self.last_entry + 1..).zip(events).map(|(number, event)| AuditEntry::new(number, actor, event)).collect()
    }

    /// Writes entries of the audit log that are not in it. One that can't be written now is written with the next.
    fn note(&mut self, entries: Vec<AuditEntry>) {
        self.unwritten.extend(entries);
        // These numbers are given out, whatever becomes of the file.
        self.last_entry = self.unwritten.last().map_or(self.last_entry, |entry| entry.number.max(self.last_entry));
        let missing = match self.audit.missing(&self.unwritten) {
            Ok(missing) => missing,
            Err(error) => {
                tracing::error!(event = "directory.audit.failed", %error, "the audit log can't be read");
                return;
            }
        };
        match self.audit.append(&missing).and_then(|()| self.audit.sync()) {
            Ok(()) => self.unwritten.clear(),
            Err(error) => {
                tracing::error!(event = "directory.audit.failed", %error, "the audit log can't be written");
            }
        }
    }
}

impl Ldap {
    pub(crate) fn plan_and_change(
        &self,
        actor: &Actor,
        plan: &mut dyn FnMut(&dyn View) -> Result<Plan>,
    ) -> Result<Revision> {
        let mut changing = self.changing.lock();
        self.finish_intent(&mut changing)?;
        let view = Look::now(self.source(None));
        let Plan { changes, events } = plan(&view)?;
        let revision = changing.next_revision();
        if changes.is_empty() {
            return Ok(revision);
        }
        let entries = changing.entries(actor, &events);
        let mut intent = Intent { revision, steps: Step::of(changes, revision, &view)?, entries, parts: 0 };
        let Err(trouble) = self.write_intent(&mut intent) else {
            return self.carry_out(&mut changing, intent).map(|()| revision);
        };
        match &trouble {
            // What was planned may be wrong when that one is finished.
            Trouble::Refused { code: code::ENTRY_ALREADY_EXISTS, .. } => {
                changing.is_unsure = true;
                return Err(Error::Unavailable("another change was not finished: try again".into()));
            }
            Trouble::Refused { .. } => {}
            Trouble::Lost(_) => (changing.is_unsure, changing.abandoned) = (true, Some(revision.0)),
        }
        Err(trouble.into())
    }

    /// Entries of what is no change of a row.
    pub(crate) fn note_events(&self, actor: &Actor, events: &[Event]) -> Result<()> {
        let mut changing = self.changing.lock();
        // A change that is not finished has given numbers to its entries.
        self.finish_intent(&mut changing)?;
        let entries = changing.entries(actor, events);
        changing.note(entries);
        Ok(())
    }

    /// After a start: ends what a crash cut short.
    pub(crate) fn resume(&self) -> Result<()> {
        self.finish_intent(&mut self.changing.lock())
    }

    /// Writes what waits for the audit log.
    pub(crate) fn settle_audit(&self) {
        self.changing.lock().note(Vec::new());
    }

    /// Does what is written down and not crossed out.
    fn finish_intent(&self, changing: &mut Changing) -> Result<()> {
        if !changing.is_unsure {
            return Ok(());
        }
        if let Some(intent) = self.read_intent()? {
            if changing.abandoned == Some(intent.revision.0) {
                self.cross_out(intent.parts)?;
            } else {
                tracing::info!(event = "directory.ldap.resumed", steps = intent.steps.len(), "a change is finished");
                self.carry_out(changing, intent)?;
            }
        }
        (changing.is_unsure, changing.abandoned) = (false, None);
        Ok(())
    }

    fn carry_out(&self, changing: &mut Changing, intent: Intent) -> Result<()> {
        changing.is_unsure = true;
        changing.last_revision = changing.last_revision.max(intent.revision.0);
        let mut keys = HashMap::<Address, String>::new();
        intent.steps.iter().for_each(|step| step.name_key(&mut keys));
        for (position, step) in intent.steps.iter().enumerate() {
            let done = self.step(step, &mut keys);
            self.cache.clear();
            if let Err(Failure { error, is_untouched }) = done {
                if position == 0 && is_untouched && self.cross_out(intent.parts).is_ok() {
                    changing.is_unsure = false;
                    return Err(error);
                }
                tracing::error!(
                    event = "directory.ldap.unfinished",
                    %error,
                    "a change is done in part; the next change, or start, goes on"
                );
                return Err(error);
            }
        }
        *self.moving.write() = None;
        changing.note(intent.entries);
        if self.cross_out(intent.parts).is_ok() {
            changing.is_unsure = false;
        }
        Ok(())
    }
}

/// Passwords are in the user's entry, and written with it.
fn is_credentials(change: &Change) -> bool {
    matches!(change, Change::Credentials(..))
}
