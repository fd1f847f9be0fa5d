//! All rows at once, for whoever keeps them in memory: read from the newest dump and the journal after it, in one pass over
//! flat files. Going through the index costs some ten times as much, and nothing proves that it reads right: a dump has a
//! checksum over everything.

use std::{fmt, ops::Bound, path::Path};

use parking_lot::Mutex;

use super::{
    Error, Json, Ledger,
    batch::Row,
    index::{Index, IndexRows},
    recover::{Evidence, Shortfall},
};
use crate::{disk, dump, journal};

/// Takes a key and its value, or nothing for a value when the row is removed.
pub type Visit<'a> = dyn FnMut(&str, Option<&str>) + Send + 'a;

impl Ledger {
    /// Gives every row of the newest dump to `visit`, and then every change of the journal after it. `true` if that led to
    /// exactly the present rows, by the proof that [`Ledger::open`] asks for. Otherwise what was given is to be forgotten, and
    /// [`range`](Self::range) tells the rows: there is no dump yet, or what was found wrong with it is in the log.
    ///
    /// For the time between [`Ledger::open`] and the first change; called later it may say `false`.
    ///
    /// # Errors
    /// The disk's, as [`Error::Copy`].
    pub fn load_copies(&self, visit: &mut Visit<'_>) -> Result<bool, Error> {
        self.usable()?;
        match self.read_copies(visit) {
            Ok(found) => Ok(found),
            Err(Shortfall::Disk(error)) => Err(Error::Copy(error.into())),
            Err(shortfall) => {
                tracing::error!(event = "ledger.copy.damaged", ledger = self.copies.name(), error = %shortfall);
                Ok(false)
            }
        }
    }

    fn read_copies(&self, visit: &mut Visit<'_>) -> Result<bool, Shortfall> {
        let listing = self.copies.list(&*self.disk)?;
        let Some(newest) = listing.dumps.first() else { return Ok(false) };
        let active = journal::inspect(&*self.disk, &self.copies.active())?;
        let path = newest.path(self.copies.dir(), self.copies.name());
        let facts = dump::read(&*self.disk, &path, self.copies.name(), &mut |key, value| {
            visit(key, Some(value));
            Ok(())
        })
        .map_err(|error| Shortfall::Gap(error.to_string()))?;
        let evidence = Evidence { disk: &*self.disk, copies: &self.copies, listing: &listing, active: Some(&active) };
        let stream = Stream(Mutex::new(State { visit, applied: facts.seq }));
        let reached = evidence.catch_up(&stream, facts.through)?.applied;
        Ok(reached == self.last_seq())
    }
}

/// An index that keeps nothing: what is replayed into it goes on to the visitor.
struct Stream<'a, 'b>(Mutex<State<'a, 'b>>);

struct State<'a, 'b> {
    visit: &'a mut Visit<'b>,
    applied: u64,
}

impl fmt::Debug for Stream<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stream(..)")
    }
}

impl Index for Stream<'_, '_> {
    fn get(&self, _: &str) -> Result<Option<Json>, Error> {
        Ok(None)
    }

    fn range(&self, _: Bound<&str>) -> IndexRows {
        Box::new(std::iter::empty())
    }

    fn range_back(&self) -> IndexRows {
        Box::new(std::iter::empty())
    }

    fn apply(&self, rows: &mut dyn Iterator<Item = Row>, seq: u64) -> Result<(), Error> {
        let mut state = self.0.lock();
        for (key, value) in rows {
            (state.visit)(&key, value.as_deref());
        }
        state.applied = seq;
        Ok(())
    }

    fn applied(&self) -> Result<u64, Error> {
        Ok(self.0.lock().applied)
    }

    fn flush(&self) -> Result<(), Error> {
        Ok(())
    }

    fn dir(&self) -> &Path {
        Path::new("")
    }
}

impl Ledger {
    /// Reads every row of the index once, if it has not been done since an unclean stop: sled may open after one and yet have
    /// pages that it cannot read. The owner calls it when there is time; `pause` is called now and then. Nothing is held
    /// meanwhile.
    ///
    /// # Errors
    /// [`Error::Latched`] if a row cannot be read. The next start reads the index first, and makes it anew.
    pub fn check_index(&self, pause: &mut dyn FnMut() -> bool) -> Result<(), Error> {
        if self.checked.load(std::sync::atomic::Ordering::Acquire) {
            return Ok(());
        }
        self.usable()?;
        for (number, row) in (1u64..).zip(self.index.range(Bound::Unbounded)) {
            self.latching(row)?;
            if number.is_multiple_of(ROWS_AT_ONCE) && !pause() {
                return Ok(());
            }
        }
        self.checked.store(true, std::sync::atomic::Ordering::Release);
        Ok(())
    }

    /// Whether every row of the index was read, or written, since the last unclean stop.
    #[must_use]
    pub fn is_checked(&self) -> bool {
        self.checked.load(std::sync::atomic::Ordering::Acquire)
    }

    /// The index failed: the next start must not take its word.
    pub(super) fn suspect_index(&self) {
        if let Err(error) = self.copies.suspect(&*self.disk) {
            // Then that start finds out by itself, sooner or later.
            let error: disk::Error = error;
            tracing::error!(event = "ledger.mark.failed", ledger = self.copies.name(), %error);
        }
    }
}

/// Between two pauses of a check: some milliseconds.
const ROWS_AT_ONCE: u64 = 4096;
