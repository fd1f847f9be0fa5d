//! The work around a ledger: dumps, rotation, checking, the clean stop.

use std::{collections::BTreeMap, ops::Bound, sync::atomic::Ordering};

use super::{Error, Ledger, memory_index::MemoryIndex, open::now, recover::Evidence};
use crate::{
    disk,
    dump::{self, DumpName, DumpWriter},
    journal::{self, WriteError},
};

/// A dump at least this often, if there was a change (seconds).
const DUMP_INTERVAL: i64 = 3600;

/// And whenever the journal has grown by so many batches: replaying them takes about a second.
const DUMP_BATCHES: u64 = 100_000;

/// What a check of a ledger found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// Rows in the index.
    pub rows: u64,
    /// Every way in which index, journal and dumps disagree or are damaged; empty if all is well.
    pub problems: Vec<String>,
}

impl Ledger {
    /// Writes a dump and rotates the journal if that is due; cheap if not. The owner calls it every minute or so.
    pub fn maintain(&self) -> Result<(), Error> {
        let behind = self.last_seq() - self.last_dump.load(Ordering::Acquire);
        let age = now() - self.last_dump_time.load(Ordering::Acquire);
        // A clock that was set back must not stop the dumps.
        let due = behind > 0 && (behind >= DUMP_BATCHES || !(0..DUMP_INTERVAL).contains(&age));
        if due { self.dump_now() } else { Ok(()) }
    }

    /// Writes a dump, begins a new journal file, and removes dumps and journals that are not needed any more. Changes go on
    /// meanwhile.
    pub fn dump_now(&self) -> Result<(), Error> {
        let _one_at_a_time = self.maintenance.lock();
        self.usable()?;
        let time = now();
        let seq = self.last_seq();
        // Replays start from what the index has on disk; the journals before the dump may go only if it has the dump too.
        self.latching(self.index.flush())?;
        self.write_dump(&DumpName { seq, time })?;
        self.last_dump.store(seq, Ordering::Release);
        self.last_dump_time.store(time, Ordering::Release);
        let (disk, copies) = (&*self.disk, &self.copies);
        self.between_groups(|journal| journal.rotate(disk, copies.dir(), copies.name())).map_err(
            |error| match error {
                WriteError::Undone(error) => copy(error),
                WriteError::Broken(error) => self.latch(&error.to_string()),
            },
        )?;
        self.prune().map_err(copy)
    }

    /// Stops cleanly: nothing will be replayed at the next start. Later calls answer [`Error::Closed`].
    ///
    /// A ledger that is dropped without this is as good; its next start reads more.
    pub fn close(&self) -> Result<(), Error> {
        let _one_at_a_time = self.maintenance.lock();
        self.usable()?;
        self.between_groups(|_| {
            self.closed.store(true, Ordering::Release);
            self.latching(self.index.flush())?;
            if !self.checked.load(Ordering::Acquire) {
                // What an unclean stop may have done to the index is not known yet: that is left to the next owner.
                return Ok(());
            }
            self.copies.mark_clean(&*self.disk, self.last_seq()).map_err(copy)
        })
    }

    /// Reads everything: rows of the index against newest dump and journal, every journal line, every dump. For the
    /// administrator's check; it stops changes and holds all rows of the dump in memory.
    pub fn verify(&self) -> Result<VerifyReport, Error> {
        let _one_at_a_time = self.maintenance.lock();
        self.usable()?;
        self.between_groups(|_| {
            let mut report = VerifyReport::default();
            let rows = self.check_copies(&mut report).map_err(copy)?;
            self.check_rows(rows, &mut report)?;
            Ok(report)
        })
    }

    fn write_dump(&self, name: &DumpName) -> Result<(), Error> {
        let mut dump = DumpWriter::start(&*self.disk, self.copies.dir(), self.copies.name(), name).map_err(copy)?;
        for row in self.range(Bound::Unbounded, None)? {
            let (key, value) = row?;
            dump.row(&key, value.as_str()).map_err(copy)?;
        }
        let rows = dump.finish(self.showing.load(Ordering::Acquire)).map_err(copy)?;
        tracing::info!(event = "ledger.dumped", ledger = self.copies.name(), seq = name.seq, rows);
        Ok(())
    }

    /// Journals are kept as long as the oldest kept dump needs them, so every kept dump leads to the present.
    fn prune(&self) -> disk::Result<()> {
        let mut listing = self.copies.list(&*self.disk)?;
        let gone = dump::superfluous(&listing.dumps);
        for dump in &gone {
            self.disk.unlink(&dump.path(self.copies.dir(), self.copies.name()))?;
        }
        listing.dumps.retain(|dump| !gone.contains(dump));
        let Some(oldest) = listing.dumps.last() else { return Ok(()) };
        // Ascending: a journal ends where the next one starts. The last archived one ends with the active one's start.
        for pair in listing.archived.windows(2) {
            if pair[1] <= oldest.seq {
                self.disk.unlink(&self.copies.archived(pair[0]))?;
            }
        }
        self.disk.sync_dir(self.copies.dir())
    }

    /// Checks the copies, and returns the rows they lead to (if they do).
    fn check_copies(&self, report: &mut VerifyReport) -> disk::Result<Option<BTreeMap<String, String>>> {
        let listing = self.copies.list(&*self.disk)?;
        let newest = MemoryIndex::default();
        let mut through = None;
        for (age, dump) in listing.dumps.iter().enumerate() {
            let path = dump.path(self.copies.dir(), self.copies.name());
            let read = dump::read(&*self.disk, &path, self.copies.name(), &mut |key, value| {
                if age == 0 {
                    newest.insert(key, value);
                }
                Ok(())
            });
            match read {
                Ok(facts) if age == 0 => {
                    newest.set_applied(facts.seq);
                    through = Some(facts.through);
                }
                Ok(_) => {}
                Err(error) => report.problems.push(error.to_string()),
            }
        }
        for &after in &listing.archived {
            let found = journal::inspect(&*self.disk, &self.copies.archived(after))?;
            if let Some(damage) = found.damage {
                report.problems.push(damage);
            } else if found.torn.is_some() {
                report.problems.push(format!("{}: the end is bad", found.path.display()));
            }
        }
        let active = journal::inspect(&*self.disk, &self.copies.active())?;
        report.problems.extend(active.damage.clone());
        if active.torn.is_some() || active.last != self.last_seq() {
            report.problems.push(format!("{}: ends before batch {}", active.path.display(), self.last_seq()));
        }
        if through.is_none() && !listing.dumps.is_empty() {
            return Ok(None);
        }
        let evidence = Evidence { disk: &*self.disk, copies: &self.copies, listing: &listing, active: Some(&active) };
        match evidence.catch_up(&newest, through.unwrap_or(0)) {
            Ok(_) => Ok(Some(newest.into_rows())),
            Err(why) => {
                report.problems.push(why.to_string());
                Ok(None)
            }
        }
    }

    fn check_rows(&self, expected: Option<BTreeMap<String, String>>, report: &mut VerifyReport) -> Result<(), Error> {
        let mut left = expected;
        for row in self.index.range(Bound::Unbounded) {
            let (key, value) = self.latching(row)?;
            report.rows += 1;
            if let Some(left) = &mut left {
                match left.remove(&key) {
                    Some(recorded) if recorded == value.as_str() => {}
                    Some(_) => report.problems.push(format!("row {key:?} differs from the journal")),
                    None => report.problems.push(format!("row {key:?} is not in the journal")),
                }
            }
        }
        let missing = left.into_iter().flatten().map(|(key, _)| format!("row {key:?} is missing in the index"));
        report.problems.extend(missing);
        Ok(())
    }
}

fn copy(error: disk::Error) -> Error {
    Error::Copy(error.into())
}
