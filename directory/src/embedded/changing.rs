//! Changes: planned, written as one batch with their entries in the audit log, taken into memory.

use super::Embedded;
use super::moving::Moving;
use super::row_format::Rewrite;
use crate::actor::Actor;
use crate::audit::{Entry, Event};
use crate::credentials::Credentials;
use crate::domain::DomainName;
use crate::error::Result;
use crate::view::View;
use crate::{Change, Plan, Revision};

/// Entries that wait in the ledger for the audit log to be synced: one sync for so many, and a tail of the file that is
/// quickly looked through after a crash.
const UNSYNCED: usize = 64;

/// What whoever makes a change has in his hands.
#[derive(Debug, Default)]
pub(super) struct Changing {
    /// A renaming whose rows are not all rewritten yet.
    pub(super) moving: Option<Moving>,
    outbox: Outbox,
}

/// Entries of the audit log in the ledger.
#[derive(Debug, Default)]
struct Outbox {
    /// The number of the last entry there ever was.
    last: u64,
    /// Numbers in the ledger that are not known to be durable in the file.
    waiting: Vec<u64>,
    /// Numbers that are, and can leave the ledger with the next change. The last one stays: numbers go on after it.
    settled: Vec<u64>,
    /// Entries that could not be written to the file yet.
    unwritten: Vec<Entry>,
}

impl Embedded {
    pub(super) fn plan_and_change(
        &self,
        actor: &Actor,
        plan: &mut dyn FnMut(&dyn View) -> Result<Plan>,
    ) -> Result<Revision> {
        let mut changing = self.changing.lock();
        self.go_on_moving(&mut changing)?;
        let Plan { mut changes, events } = plan(&*self.rows.read())?;
        let revision = self.next_revision();
        if changes.is_empty() {
            return Ok(revision);
        }
        let entries = changing.outbox.entries(actor, &events);
        if let [Change::RenameDomain { from, to }] = &changes[..] {
            self.rename(&mut changing, from, to, revision, &entries)?;
        } else {
            let mut rewrite = Rewrite::default();
            for change in &mut changes {
                rewrite.change(change, revision)?;
            }
            self.write(&mut changing, rewrite, &entries)?;
            self.take(changes);
        }
        self.write_audit(&mut changing, entries);
        self.maintain();
        Ok(revision)
    }

    /// Entries of what is no change of a row: in the ledger first, as those of changes, and then in the file.
    pub(super) fn note_events(&self, actor: &Actor, events: &[Event]) -> Result<()> {
        let mut changing = self.changing.lock();
        let entries = changing.outbox.entries(actor, events);
        self.write(&mut changing, Rewrite::default(), &entries)?;
        self.write_audit(&mut changing, entries);
        self.maintain();
        Ok(())
    }

    /// Changes are an administrator's and rare: the one that makes a dump due, at most once an hour, pays for it. The change
    /// itself is safe already, so a failed dump is only worth a line in the log.
    fn maintain(&self) {
        if let Err(error) = self.ledger.maintain() {
            tracing::error!(event = "directory.copy.failed", %error, "the safety copy could not be written");
        }
    }

    /// After a start: ends what a crash cut short.
    pub(super) fn resume(&self, moves: Vec<(DomainName, DomainName)>, outbox: Vec<Entry>) {
        let mut changing = self.changing.lock();
        changing.outbox.last = outbox.last().map_or(0, |entry| entry.number);
        changing.outbox.waiting = outbox.iter().map(|entry| entry.number).collect();
        match self.audit.missing(&outbox) {
            Ok(missing) => self.write_audit(&mut changing, missing),
            Err(error) => {
                tracing::error!(event = "directory.audit.failed", %error, "the audit log can't be read");
                changing.outbox.unwritten = outbox;
            }
        }
        for (from, to) in moves {
            self.resume_move(&mut changing, from, to);
        }
    }

    /// A number that no row has yet.
    pub(super) fn next_revision(&self) -> Revision {
        Revision(self.ledger.last_seq() + 1)
    }

    /// Writes rows, with entries of the audit log.
    pub(super) fn write(&self, changing: &mut Changing, mut rewrite: Rewrite, entries: &[Entry]) -> Result<()> {
        for entry in entries {
            rewrite.entry(entry)?;
        }
        for number in &changing.outbox.settled {
            rewrite.settled(*number);
        }
        rewrite.apply(&self.ledger)?;
        changing.outbox.settled.clear();
        changing.outbox.waiting.extend(entries.iter().map(|entry| entry.number));
        if let Some(entry) = entries.last() {
            changing.outbox.last = entry.number;
        }
        Ok(())
    }

    /// Takes into memory what is on disk, and forgets what was remembered of passwords that are no more.
    pub(super) fn take(&self, changes: Vec<Change>) {
        let mut rows = self.rows.write();
        for change in &changes {
            match change {
                Change::Credentials(user, new) if rows.credentials.get(user).is_some_and(|old| loses(old, new)) => {
                    self.passwords.forget(user);
                }
                Change::DeleteUser(user) => {
                    self.passwords.forget(user);
                    if let Some(logins) = &self.logins {
                        logins.forget(user);
                    }
                }
                _ => {}
            }
        }
        rows.apply(changes);
    }

    /// Writes entries to the file. One that can't be is in the ledger, and is written with the next.
    fn write_audit(&self, changing: &mut Changing, entries: Vec<Entry>) {
        let outbox = &mut changing.outbox;
        outbox.unwritten.extend(entries);
        let mut written = self.audit.append(&outbox.unwritten);
        if written.is_ok() {
            outbox.unwritten.clear();
            if outbox.waiting.len() >= UNSYNCED {
                written = self.audit.sync();
                if written.is_ok() {
                    outbox.settle();
                }
            }
        }
        if let Err(error) = written {
            tracing::error!(event = "directory.audit.failed", %error, "the audit log can't be written");
        }
    }

    /// Makes the file durable before a clean stop. What can't be is in the ledger.
    pub(super) fn settle_audit(&self) {
        let mut changing = self.changing.lock();
        self.write_audit(&mut changing, Vec::new());
        if changing.outbox.unwritten.is_empty() && self.audit.sync().is_ok() {
            changing.outbox.settle();
        }
    }
}

impl Outbox {
    /// The entries of what happens now.
    fn entries(&self, actor: &Actor, events: &[Event]) -> Vec<Entry> {
        (self.last + 1..).zip(events).map(|(number, event)| Entry::new(number, actor, event)).collect()
    }

    /// All that waits is durable.
    fn settle(&mut self) {
        let last = self.last;
        self.settled.extend(self.waiting.iter().filter(|number| **number != last));
        self.waiting.retain(|number| *number == last);
    }
}

/// Whether a password that was good is not any more.
fn loses(old: &Credentials, new: &Credentials) -> bool {
    old.hash != new.hash || old.apps.iter().any(|app| new.apps.iter().all(|kept| kept.hash != app.hash))
}
