//! From the files to a complete index, with proof: catching an index up with the journal, and building one from a dump.

use std::ops::Bound;
use std::path::Path;

use super::{
    Error,
    batch::{Batch, Row},
    copies::{Copies, Listing},
    index::Index,
};
use crate::{
    disk::{self, Disk},
    dump,
    journal::{self, Inspection, Line},
};

/// What is known before the index is looked at.
pub(super) struct Evidence<'a> {
    pub(super) disk: &'a dyn Disk,
    pub(super) copies: &'a Copies,
    pub(super) listing: &'a Listing,
    pub(super) active: Option<&'a Inspection>,
}

/// Why an index cannot be made complete.
#[derive(Debug, thiserror::Error)]
pub(super) enum Shortfall {
    #[error(transparent)]
    Disk(#[from] disk::Error),
    #[error("{0}")]
    Index(String),
    #[error("{0}")]
    Gap(String),
}

impl From<Error> for Shortfall {
    fn from(error: Error) -> Self {
        Self::Index(error.to_string())
    }
}

/// How an index was completed.
#[derive(Clone, Copy, Debug)]
pub(super) struct CaughtUp {
    pub(super) applied: u64,
    pub(super) replayed: u64,
}

/// How many lines are given to the index at a time: one atomic step that stays far below its segment size limits.
pub(super) const LINES_PER_STEP: usize = 256;

impl Evidence<'_> {
    /// Applies to `index`, which has everything up to its own number, all batches of the journal beyond it, and proves that
    /// nothing is missing: the numbers have no gap, and reach as far as any trace of a promise.
    pub(super) fn catch_up(&self, index: &dyn Index, at_least: u64) -> Result<CaughtUp, Shortfall> {
        let start = index.applied()?;
        let mut replay = Replay { index, applied: start, rows: Vec::new(), lines: 0 };
        let outcome = self.replay_all(&mut replay);
        replay.step()?;
        outcome?;
        let applied = replay.applied;
        let promised = [
            at_least,
            self.listing.clean.unwrap_or(0),
            self.listing.dumps.first().map_or(0, |dump| dump.seq),
            self.active.map_or(0, |found| found.synced),
        ];
        let promised = promised.into_iter().max().unwrap_or(0);
        if applied < promised {
            return Err(Shortfall::Gap(format!("batches {} to {promised} are missing", applied + 1)));
        }
        if self.active.is_none() && self.listing.clean != Some(applied) {
            return Err(Shortfall::Gap(format!("{} is missing", self.copies.active().display())));
        }
        Ok(CaughtUp { applied, replayed: applied - start })
    }

    fn replay_all(&self, replay: &mut Replay<'_>) -> Result<(), Shortfall> {
        let archived = &self.listing.archived;
        let active_after = self.active.and_then(|found| found.after);
        for (position, &after) in archived.iter().enumerate() {
            let next = archived.get(position + 1).copied().or(active_after);
            // Wholly before the index; or a second name of the active file, left by a rotation cut short.
            if next.is_some_and(|next| next <= replay.applied) || active_after == Some(after) {
                continue;
            }
            let path = self.copies.archived(after);
            journal::replay(self.disk, &path, u64::MAX, &mut |line| replay.line(&path, line))?;
        }
        if let Some(active) = self.active {
            let end = active.torn.unwrap_or(active.len);
            if active.after.is_some_and(|after| after > replay.applied) {
                return Err(Shortfall::Gap(format!(
                    "batches after {} are missing before {}",
                    replay.applied,
                    active.path.display()
                )));
            }
            journal::replay(self.disk, &active.path, end, &mut |line| replay.line(&active.path, line))?;
        }
        Ok(())
    }

    /// Fills the empty `index` from a dump and the journal after it.
    pub(super) fn fill_from_dump(&self, index: &dyn Index, dump: &dump::DumpName) -> Result<CaughtUp, Shortfall> {
        let path = dump.path(self.copies.dir(), self.copies.name());
        let mut rows: Vec<Row> = Vec::new();
        let facts = dump::read(self.disk, &path, self.copies.name(), &mut |key, value| {
            rows.push((key.into(), Some(value.into())));
            if rows.len() < LINES_PER_STEP {
                return Ok(());
            }
            index.apply(&mut rows.drain(..), 0).map_err(|error| error.to_string())
        })
        .map_err(|error| Shortfall::Gap(error.to_string()))?;
        index.apply(&mut rows.drain(..), facts.seq)?;
        self.catch_up(index, facts.through)
    }

    /// Fills the empty `index` from a journal that was never rotated.
    pub(super) fn fill_from_journal(&self, index: &dyn Index) -> Result<CaughtUp, Shortfall> {
        self.catch_up(index, 0)
    }
}

/// Gives lines to the index, in steps, if each follows the one before.
struct Replay<'a> {
    index: &'a dyn Index,
    applied: u64,
    rows: Vec<Row>,
    lines: usize,
}

impl Replay<'_> {
    fn line(&mut self, path: &Path, line: Line<'_>) -> Result<(), Shortfall> {
        if line.seq <= self.applied {
            return Ok(());
        }
        let gap = |what: &str| Shortfall::Gap(format!("{}: batch {} {what}", path.display(), line.seq));
        if line.seq - 1 != self.applied {
            return Err(gap(&format!("follows batch {}", self.applied)));
        }
        self.rows.extend(Batch::parse(line.payload).ok_or_else(|| gap("is not a list of rows"))?);
        self.applied = line.seq;
        self.lines += 1;
        if self.lines == LINES_PER_STEP { self.step() } else { Ok(()) }
    }

    fn step(&mut self) -> Result<(), Shortfall> {
        if self.lines > 0 {
            self.index.apply(&mut self.rows.drain(..), self.applied)?;
            self.lines = 0;
        }
        Ok(())
    }
}

/// Reads every row once: an index that cannot be read to its end is damaged whatever its number says.
pub(super) fn count_rows(index: &dyn Index) -> Result<u64, Error> {
    let mut rows = 0;
    for row in index.range(Bound::Unbounded) {
        row?;
        rows += 1;
    }
    Ok(rows)
}
