//! A sorted map of string keys to JSON values that survives whatever happens to its index.
//!
//! Three things in two directories:
//! - the journal (`<copies>/<name>.journal`): the record. [`Ledger::apply`] appends a line and syncs it before anybody
//!   can see the change; threads that apply at the same time share one sync;
//! - the index (`<dir>`, one sled tree): the current rows. It is updated after the journal and synced lazily; what it
//!   misses after an unclean stop is replayed from the journal;
//! - dumps (`<copies>/<name>.*.dump`): all rows at some moment, so that journals end somewhere.
//!
//! [`Ledger::open`] proves that what it opens is complete, by sequence numbers and checksums, or refuses. A damaged index
//! is moved aside and rebuilt; a damaged journal is put aside when the index proves to have everything that was in it.
//! Both are reported in [`OpenReport`] and logged as errors. It does not read rows: a page of the index that cannot be read
//! is found when a row on it is wanted, or by [`Ledger::check_index`]. Either way the ledger is out of service then, and the
//! index is marked, so that the next start reads all of it before it believes anything. Whoever wants all rows in memory
//! gets them from the copies ([`Ledger::load_copies`]).
//!
//! Lock order: maintenance, then the commit queue, then the journal writer. None is held by a reader.

mod batch;
mod commit;
mod copies;
mod error;
mod index;
mod load;
mod maintain;
mod memory_index;
mod open;
mod recover;
mod report;
mod salvage;
mod sled_index;

use std::{
    ops::Bound,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
    },
};

use parking_lot::{Condvar, Mutex};

use crate::{disk::Disk, journal::JournalWriter};
pub use batch::{Batch, Json};
use commit::Queue;
use copies::Copies;
pub use error::{Error, OpenError};
use index::{Index, IndexRows};
pub use load::Visit;
pub use maintain::VerifyReport;
pub use report::{OpenReport, Options, Rebuilt, TornTail};

/// See the module text. Shared by reference: every method takes `&self`.
#[derive(Debug)]
pub struct Ledger {
    disk: Arc<dyn Disk>,
    copies: Copies,
    index: Box<dyn Index>,
    queue: Mutex<Queue>,
    turn: Condvar,
    /// Only the leader of a group commit takes it.
    journal: Mutex<JournalWriter>,
    /// Every batch up to here is durable and visible.
    applied: AtomicU64,
    /// Batches up to here may be visible in part.
    showing: AtomicU64,
    /// One dump at a time.
    maintenance: Mutex<()>,
    last_dump: AtomicU64,
    last_dump_time: AtomicI64,
    closed: AtomicBool,
    /// The first error that made the ledger unusable.
    latch: Mutex<Option<Arc<str>>>,
    latched: AtomicBool,
    /// Every row of the index could be read since the last unclean stop.
    checked: AtomicBool,
    /// Keeps other processes out; released with the last descriptor.
    _lock: crate::disk::DiskFile,
}

impl Ledger {
    /// Opens (or with [`Options::create`] founds) the ledger `name` with its index in `dir` and its journal and dumps in
    /// `copies`.
    ///
    /// # Errors
    /// See [`OpenError`]; in particular [`OpenError::Incomplete`] when something that was promised may be missing. Nothing
    /// on disk has been changed then.
    pub fn open(
        dir: &Path,
        copies: &Path,
        name: &str,
        disk: Arc<dyn Disk>,
        options: &Options,
    ) -> Result<(Self, OpenReport), OpenError> {
        open::open(dir, copies, name, disk, options)
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Result<Option<Json>, Error> {
        self.usable()?;
        self.latching(self.index.get(key))
    }

    /// The rows whose keys begin with `prefix`, in key order.
    pub fn scan_prefix(&self, prefix: &str) -> Result<Rows<'_>, Error> {
        self.usable()?;
        Ok(Rows { ledger: self, rows: self.index.range(Bound::Included(prefix)), end: End::Prefix(prefix.into()) })
    }

    /// The rows from `start` (included) up to `end` (excluded; `None` for all), in key order.
    ///
    /// Rows see changes that happen while they are read; each row is whole.
    pub fn range(&self, start: Bound<&str>, end: Option<&str>) -> Result<Rows<'_>, Error> {
        self.usable()?;
        let end = end.map_or(End::Open, |end| End::Before(end.into()));
        Ok(Rows { ledger: self, rows: self.index.range(start), end })
    }

    /// Applies a batch, wholly or not at all; returns its number once it is durable and visible.
    ///
    /// Concurrent calls are ordered by the numbers they get. An empty batch changes nothing and returns the last number.
    ///
    /// # Errors
    /// After [`Error::Refused`] nothing has changed and later batches may succeed. [`Error::Latched`] is final: the ledger
    /// must be opened again.
    pub fn apply(&self, batch: Batch) -> Result<u64, Error> {
        self.usable()?;
        if batch.is_empty() {
            return Ok(self.last_seq());
        }
        self.commit(batch)
    }

    /// The number of the last batch that is durable and visible; 0 in a new ledger.
    #[must_use]
    pub fn last_seq(&self) -> u64 {
        self.applied.load(Ordering::Acquire)
    }

    /// Where the index lies, for messages to the administrator.
    #[must_use]
    pub fn index_dir(&self) -> &Path {
        self.index.dir()
    }

    fn usable(&self) -> Result<(), Error> {
        if self.latched.load(Ordering::Acquire) {
            let why = self.latch.lock().clone().unwrap_or_default();
            return Err(Error::Latched(why));
        }
        if self.closed.load(Ordering::Acquire) { Err(Error::Closed) } else { Ok(()) }
    }

    /// Any error of the index is final: sled itself keeps it, and its pages can no longer be trusted.
    fn latching<T>(&self, result: Result<T, Error>) -> Result<T, Error> {
        result.map_err(|error| match error {
            Error::Index(why) => {
                self.suspect_index();
                self.latch(&format!("index: {why}"))
            }
            other => other,
        })
    }

    fn latch(&self, why: &str) -> Error {
        let mut latch = self.latch.lock();
        let why = latch.get_or_insert_with(|| {
            tracing::error!(event = "ledger.failed", ledger = self.copies.name(), error = why);
            why.into()
        });
        self.latched.store(true, Ordering::Release);
        Error::Latched(why.clone())
    }
}

/// Rows of a ledger in key order. Ends after the first error.
pub struct Rows<'a> {
    ledger: &'a Ledger,
    rows: IndexRows,
    end: End,
}

enum End {
    Open,
    Before(String),
    Prefix(String),
    Reached,
}

impl Iterator for Rows<'_> {
    type Item = Result<(String, Json), Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let row = match &self.end {
            End::Reached => None,
            _ => self.rows.next(),
        };
        let wanted = match (&row, &self.end) {
            (None, _) | (_, End::Reached) => return None,
            (Some(Ok((key, _))), End::Before(end)) => key < end,
            (Some(Ok((key, _))), End::Prefix(prefix)) => key.starts_with(prefix.as_str()),
            (Some(Ok(_)), End::Open) => true,
            (Some(Err(_)), _) => {
                self.end = End::Reached;
                return row.map(|row| self.ledger.latching(row));
            }
        };
        if wanted {
            return row;
        }
        self.end = End::Reached;
        None
    }
}

/// The path of a second thing beside a directory, such as `mailboxes.db.bad.1763841234`.
fn beside(dir: &Path, suffix: &str) -> PathBuf {
    let mut name = dir.file_name().unwrap_or_default().to_os_string();
    name.push(suffix);
    dir.with_file_name(name)
}

#[cfg(test)]
mod tests;
