//! Group commit: threads that apply batches at the same time share one sync.
//!
//! A thread puts its batch into the queue. If nobody is committing it becomes the leader: takes all that is queued, writes
//! it to the journal, syncs once, updates the index and hands out the results. The others wait, and one of them leads the
//! next group. Nobody holds the queue's lock over a write or a sync.

use std::{collections::HashMap, sync::atomic::Ordering};

use parking_lot::MutexGuard;

use super::{Batch, Error, Ledger, batch::Row};
use crate::journal::{JournalWriter, WriteError};

/// Batches that wait for their turn, and results that wait for their threads.
#[derive(Debug, Default)]
pub(super) struct Queue {
    tickets: u64,
    waiting: Vec<Waiting>,
    results: HashMap<u64, Result<u64, Error>>,
    /// Somebody is writing.
    led: bool,
}

#[derive(Debug)]
struct Waiting {
    ticket: u64,
    payload: String,
    rows: Vec<Row>,
}

#[cfg(test)]
impl Queue {
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }
}

impl Ledger {
    pub(super) fn commit(&self, batch: Batch) -> Result<u64, Error> {
        let payload = batch.payload()?;
        let rows = batch.into_rows();
        let mut queue = self.queue.lock();
        let ticket = queue.tickets;
        queue.tickets += 1;
        queue.waiting.push(Waiting { ticket, payload, rows });
        loop {
            if let Some(result) = queue.results.remove(&ticket) {
                return result;
            }
            if queue.led {
                self.turn.wait(&mut queue);
                continue;
            }
            queue.led = true;
            let group = std::mem::take(&mut queue.waiting);
            let (tickets, result) = MutexGuard::unlocked(&mut queue, || {
                let tickets: Vec<_> = group.iter().map(|waiting| waiting.ticket).collect();
                (tickets, self.commit_group(group))
            });
            let numbered = tickets
                .into_iter()
                .enumerate()
                .map(|(index, ticket)| (ticket, result.clone().map(|first| first + index as u64)));
            queue.results.extend(numbered);
            queue.led = false;
            self.turn.notify_all();
        }
    }

    /// Runs `work` as a leader without a group: no batch is written meanwhile.
    pub(super) fn between_groups<T>(&self, work: impl FnOnce(&mut JournalWriter) -> T) -> T {
        let mut queue = self.queue.lock();
        while queue.led {
            self.turn.wait(&mut queue);
        }
        queue.led = true;
        let result = MutexGuard::unlocked(&mut queue, || work(&mut self.journal.lock()));
        queue.led = false;
        self.turn.notify_all();
        result
    }

    /// Returns the number of the first batch of the group.
    fn commit_group(&self, group: Vec<Waiting>) -> Result<u64, Error> {
        // The latch may have closed since these batches were let in.
        self.usable()?;
        let (first, last) = {
            let mut journal = self.journal.lock();
            let first = journal.last() + 1;
            let payloads = group.iter().map(|waiting| waiting.payload.as_str());
            match journal.append(&*self.disk, payloads) {
                Ok(()) => (first, journal.last()),
                Err(WriteError::Undone(error)) => {
                    tracing::error!(event = "ledger.append.failed", ledger = self.copies.name(), %error);
                    return Err(Error::Refused(error.into()));
                }
                Err(WriteError::Broken(error)) => return Err(self.latch(&error.to_string())),
            }
        };
        self.showing.store(last, Ordering::Release);
        let mut rows = group.into_iter().flat_map(|waiting| waiting.rows);
        self.latching(self.index.apply(&mut rows, last))?;
        self.applied.store(last, Ordering::Release);
        Ok(first)
    }
}
