//! Opening a ledger: which of index, journal and dumps are good, and what to do about the others.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, AtomicU64},
    },
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use parking_lot::{Condvar, Mutex};

use super::{
    Ledger, OpenError, beside,
    commit::Queue,
    copies::{Copies, Listing},
    index::Index,
    recover::{CaughtUp, Evidence, Shortfall, count_rows},
    report::{OpenReport, Options, Rebuilt, TornTail},
    salvage,
    sled_index::{IndexOpenError, SledIndex},
};
use crate::{
    disk::{Disk, DiskFile, parent},
    journal::{self, Inspection, JournalWriter, WriteError},
};

pub(super) fn open(
    dir: &Path,
    copies_dir: &Path,
    name: &str,
    disk: Arc<dyn Disk>,
    options: &Options,
) -> Result<(Ledger, OpenReport), OpenError> {
    if name.is_empty() || !name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-')) {
        return Err(OpenError::BadName(name.into()));
    }
    let copies = Copies::new(copies_dir, name);
    if !disk.exists(copies_dir)? {
        if !options.create && !disk.exists(dir)? {
            return Err(OpenError::Missing(dir.into()));
        }
        disk.create_dir_all(copies_dir)?;
    }
    let lock = take_lock(&*disk, &copies)?;
    let listing = copies.list(&*disk)?;
    let index_exists = disk.exists(dir)?;
    let opening = Opening { dir, copies, disk, options, listing, lock };
    match (index_exists, opening.listing.is_empty()) {
        (false, true) if options.create => opening.found(),
        (false, true) => Err(OpenError::Missing(dir.into())),
        _ => opening.recover(index_exists),
    }
}

/// How long an owner that is going away is waited for; a second server gets its refusal after it.
const LOCK_PATIENCE: Duration = Duration::from_secs(1);

fn take_lock(disk: &dyn Disk, copies: &Copies) -> Result<DiskFile, OpenError> {
    let path = copies.lock();
    let file = match disk.open_rw(&path) {
        Err(error) if error.is_not_found() => match disk.create_new(&path) {
            Err(error) if error.is_exists() => disk.open_rw(&path)?,
            made => made?,
        },
        opened => opened?,
    };
    // A lock outlives its owner by moments: a process that ends, or one that it is just starting, which has the descriptor
    // until it runs its own program.
    let since = Instant::now();
    while !file.try_lock()? {
        if since.elapsed() > LOCK_PATIENCE {
            return Err(OpenError::InUse(path));
        }
        thread::sleep(Duration::from_millis(5));
    }
    Ok(file)
}

struct Opening<'a> {
    dir: &'a Path,
    copies: Copies,
    disk: Arc<dyn Disk>,
    options: &'a Options,
    listing: Listing,
    lock: DiskFile,
}

/// An index that is as complete as can be, and what is to be said about it.
struct Recovered {
    index: SledIndex,
    caught_up: CaughtUp,
    /// Every row was read, or written just now.
    read: bool,
    rebuilt: Option<Rebuilt>,
    salvaged: Vec<String>,
}

impl Opening<'_> {
    fn found(self) -> Result<(Ledger, OpenReport), OpenError> {
        self.copies.tidy(&*self.disk, &self.listing)?;
        // The journal first: an index without a journal would be a ledger that lost its record.
        let journal = JournalWriter::start(&*self.disk, self.copies.dir(), self.copies.name(), 0)
            .map_err(WriteError::into_disk)?;
        self.disk.create_dir_all(parent(self.dir))?;
        let index = self.open_index(self.dir)?.map_err(OpenError::Index)?;
        self.settle(&index)?;
        let report = OpenReport { created: true, ..OpenReport::default() };
        Ok((self.ledger(index, journal, 0, true), report))
    }

    fn recover(mut self, index_exists: bool) -> Result<(Ledger, OpenReport), OpenError> {
        let active = match self.listing.active {
            true => Some(journal::inspect(&*self.disk, &self.copies.active())?),
            false => None,
        };
        if let Some(found) = active.as_ref().filter(|found| found.version > u64::from(journal::VERSION)) {
            return Err(OpenError::Newer(found.path.clone()));
        }
        let recovered = self.recover_index(index_exists, active.as_ref())?;
        let applied = recovered.caught_up.applied;
        let mut report = OpenReport {
            clean: self.listing.clean == Some(applied),
            replayed: recovered.caught_up.replayed,
            rebuilt: recovered.rebuilt,
            salvaged: recovered.salvaged,
            ..OpenReport::default()
        };
        self.settle(&recovered.index)?;
        let checked = report.clean || recovered.read;
        if self.listing.suspect {
            self.copies.unsuspect(&*self.disk)?;
        }
        if !report.salvaged.is_empty() {
            self.set_aside_beyond(applied)?;
        }
        let journal = self.recover_journal(active, applied, &mut report)?;
        self.copies.tidy(&*self.disk, &self.listing)?;
        self.copies.unmark_clean(&*self.disk)?;
        self.log(&report);
        let renewed = report.journal_renewed.is_some() || report.rebuilt.is_some();
        self.listing.dumps.retain(|dump| dump.seq <= applied);
        let ledger = self.ledger(recovered.index, journal, applied, checked);
        if renewed {
            // The chain of copies may be broken before this point: make a new end to hang on to.
            ledger.dump_now().map_err(|error| OpenError::Index(error.to_string()))?;
        }
        Ok((ledger, report))
    }

    /// The index that is there, if it can be completed; else a new one.
    fn recover_index(&self, index_exists: bool, active: Option<&Inspection>) -> Result<Recovered, OpenError> {
        let evidence = Evidence { disk: &*self.disk, copies: &self.copies, listing: &self.listing, active };
        let mut why = Vec::new();
        if index_exists {
            match self.open_index(self.dir)? {
                Err(damage) => why.push(damage),
                Ok(index) => match self.complete(&evidence, &index) {
                    Ok((caught_up, read)) => {
                        return Ok(Recovered { index, caught_up, read, rebuilt: None, salvaged: Vec::new() });
                    }
                    Err(Shortfall::Disk(error)) => return Err(error.into()),
                    Err(shortfall) => why.push(format!("index: {shortfall}")),
                },
            }
        } else {
            why.push("the index is missing".into());
        }
        if let Some(damage) = active.and_then(|found| found.damage.as_ref()) {
            why.push(damage.clone());
        }
        if let Some(recovered) = self.rebuild(&evidence, &mut why, index_exists)? {
            return Ok(recovered);
        }
        if self.options.salvage {
            return self.salvage(&evidence, why, index_exists);
        }
        let (dir, repair) = (self.dir.into(), self.options.repair.clone());
        Err(OpenError::Incomplete { dir, why, repair })
    }

    /// Completes the index that is there. The second answer is whether all of it was read.
    fn complete(&self, evidence: &Evidence<'_>, index: &SledIndex) -> Result<(CaughtUp, bool), Shortfall> {
        // At a clean stop and before each dump the index was made durable: less than that is damage, which sled answers
        // by quietly starting from an older (or no) state.
        let durable = self.listing.clean.max(self.listing.dumps.first().map(|dump| dump.seq)).unwrap_or(0);
        let applied = index.applied()?;
        if applied < durable {
            return Err(Shortfall::Gap(format!("it was durable up to batch {durable} and has only {applied}")));
        }
        let caught_up = evidence.catch_up(index, 0)?;
        let unclean = self.listing.clean != Some(caught_up.applied);
        let read = self.listing.suspect || (unclean && self.reads_at_once(index));
        if read {
            // It opens, and may yet have pages that cannot be read: now is the time to know.
            count_rows(index)?;
        }
        Ok((caught_up, read))
    }

    fn reads_at_once(&self, index: &SledIndex) -> bool {
        index.size().is_none_or(|size| size <= self.options.check_bytes)
    }

    /// Makes a new index beside the old one, from the newest copy that leads to a proof, and puts it in place.
    fn rebuild(
        &self,
        evidence: &Evidence<'_>,
        why: &mut Vec<String>,
        index_exists: bool,
    ) -> Result<Option<Recovered>, OpenError> {
        let sources = self.listing.dumps.iter().map(Some).chain([None]);
        for source in sources {
            // Nobody else builds here: we hold the lock. What is there is a crash's.
            let scratch = beside(self.dir, ".rebuild");
            remove_tree(&scratch);
            let index = self.open_index(&scratch)?.map_err(OpenError::Index)?;
            let built = match source {
                Some(dump) => evidence.fill_from_dump(&index, dump),
                None => evidence.fill_from_journal(&index),
            };
            let built = built.and_then(|caught_up| {
                index.flush()?;
                Ok(caught_up)
            });
            drop(index);
            match built {
                Ok(caught_up) => {
                    let moved_to = self.put_in_place(&scratch, index_exists)?;
                    let index = self.open_index(self.dir)?.map_err(OpenError::Index)?;
                    let rebuilt = Some(Rebuilt { why: why.join("; "), moved_to, dump: source.map(|dump| dump.seq) });
                    return Ok(Some(Recovered { index, caught_up, read: true, rebuilt, salvaged: Vec::new() }));
                }
                Err(shortfall) => {
                    remove_tree(&scratch);
                    match shortfall {
                        Shortfall::Index(error) => return Err(OpenError::Index(error)),
                        other => why.push(match source {
                            Some(dump) => format!("dump {}: {other}", dump.seq),
                            None => format!("journal alone: {other}"),
                        }),
                    }
                }
            }
        }
        Ok(None)
    }

    /// Whatever has the most, on the administrator's word.
    fn salvage(&self, evidence: &Evidence<'_>, why: Vec<String>, index_exists: bool) -> Result<Recovered, OpenError> {
        let mut salvaged = why.clone();
        let mut opened = if index_exists { self.open_index(self.dir)?.ok() } else { None };
        let newest_dump = self.listing.dumps.first().map_or(0, |dump| dump.seq);
        let whole = |index: &mut SledIndex| {
            index.applied().is_ok_and(|applied| applied >= newest_dump) && count_rows(index).is_ok()
        };
        if let Some(index) = opened.take_if(whole) {
            let (applied, replayed) = evidence.salvage(&index).map_err(shortfall)?;
            salvaged.push(format!("taken: the whole index, and {replayed} changes of the journal"));
            return Ok(Recovered {
                index,
                caught_up: CaughtUp { applied, replayed },
                read: true,
                rebuilt: None,
                salvaged,
            });
        }
        let scratch = beside(self.dir, ".rebuild");
        if !index_exists && let Some(recovered) = self.finish_salvage(evidence, &scratch, &why)? {
            return Ok(recovered);
        }
        let gathered = evidence.gather(opened.as_ref().map(|index| index as &dyn Index)).map_err(shortfall)?;
        drop(opened);
        salvaged.extend(gathered.sources.iter().map(|source| format!("taken: {source}")));
        let caught_up = CaughtUp { applied: gathered.highest, replayed: 0 };
        let dump = gathered.dump;
        remove_tree(&scratch);
        let index = self.open_index(&scratch)?.map_err(OpenError::Index)?;
        salvage::fill(&index, gathered).map_err(|error| OpenError::Index(error.to_string()))?;
        drop(index);
        let moved_to = self.put_in_place(&scratch, index_exists)?;
        let index = self.open_index(self.dir)?.map_err(OpenError::Index)?;
        let rebuilt = Some(Rebuilt { why: why.join("; "), moved_to, dump });
        Ok(Recovered { index, caught_up, read: true, rebuilt, salvaged })
    }

    /// A salvage that ended after the damaged index was put aside and before the new one was in its place: what was gathered
    /// from the damaged one is only there.
    fn finish_salvage(
        &self,
        evidence: &Evidence<'_>,
        scratch: &Path,
        why: &[String],
    ) -> Result<Option<Recovered>, OpenError> {
        if !self.disk.exists(scratch)? {
            return Ok(None);
        }
        let Ok(index) = self.open_index(scratch)? else { return Ok(None) };
        // The number is written last: without it the filling was cut short.
        let whole = index.applied().is_ok_and(|applied| applied > 0) && count_rows(&index).is_ok();
        drop(index);
        if !whole {
            return Ok(None);
        }
        self.put_in_place(scratch, false)?;
        let index = self.open_index(self.dir)?.map_err(OpenError::Index)?;
        let (applied, replayed) = evidence.salvage(&index).map_err(shortfall)?;
        let mut salvaged = why.to_vec();
        salvaged.push(format!("taken: what an earlier repair gathered, and {replayed} changes of the journal"));
        let rebuilt = Some(Rebuilt { why: why.join("; "), moved_to: None, dump: None });
        Ok(Some(Recovered { index, caught_up: CaughtUp { applied, replayed }, read: true, rebuilt, salvaged }))
    }

    /// The inner error says that the content is no good.
    fn open_index(&self, dir: &Path) -> Result<Result<SledIndex, String>, OpenError> {
        match SledIndex::open(dir, self.options.cache_bytes) {
            Ok(index) => Ok(Ok(index)),
            Err(IndexOpenError::Damaged(why)) => Ok(Err(why)),
            Err(IndexOpenError::InUse) => Err(OpenError::InUse(dir.into())),
            Err(IndexOpenError::Environment(why)) => Err(OpenError::Index(why)),
        }
    }

    fn put_in_place(&self, scratch: &Path, index_exists: bool) -> Result<Option<PathBuf>, OpenError> {
        let moved_to = index_exists.then(|| beside(self.dir, &format!(".bad.{}", now())));
        if let Some(aside) = &moved_to {
            self.disk.rename_no_replace(self.dir, aside)?;
        }
        self.disk.rename_no_replace(scratch, self.dir)?;
        self.disk.sync_dir(parent(self.dir))?;
        Ok(moved_to)
    }

    /// After a repair that lost something, copies that go on beyond it belong to another history: their batch numbers will
    /// be given again.
    fn set_aside_beyond(&mut self, applied: u64) -> Result<(), OpenError> {
        let archived = std::mem::take(&mut self.listing.archived).into_iter().map(|after| self.copies.archived(after));
        let (kept, beyond): (Vec<_>, _) =
            std::mem::take(&mut self.listing.dumps).into_iter().partition(|d| d.seq <= applied);
        let dumps = beyond.into_iter().map(|dump| dump.path(self.copies.dir(), self.copies.name()));
        for path in archived.chain(dumps) {
            self.disk.rename_no_replace(&path, &beside(&path, &format!(".bad.{}", now())))?;
        }
        self.listing.dumps = kept;
        Ok(())
    }

    /// The index and its directory entries are durable; from here on replays start from it.
    fn settle(&self, index: &SledIndex) -> Result<(), OpenError> {
        index.flush().map_err(|error| OpenError::Index(error.to_string()))?;
        self.disk.sync_dir(self.dir)?;
        self.disk.sync_dir(parent(self.dir))?;
        Ok(())
    }

    /// Cuts a torn tail, or begins a new journal where the old one does not fit the index.
    fn recover_journal(
        &self,
        active: Option<Inspection>,
        applied: u64,
        report: &mut OpenReport,
    ) -> Result<JournalWriter, OpenError> {
        let renew = match &active {
            None => Some(format!("{} is missing", self.copies.active().display())),
            Some(found) => found.damage.clone().or_else(|| {
                (found.last != applied).then(|| format!("{}: ends before batch {applied}", found.path.display()))
            }),
        };
        if let (None, Some(found), Some(after)) = (&renew, &active, active.as_ref().and_then(|found| found.after)) {
            let end = found.torn.unwrap_or(found.len);
            let journal = JournalWriter::resume(&*self.disk, &found.path, end, found.last, after)?;
            if found.torn.is_some() {
                let file = self.disk.open_rw(&found.path)?;
                self.disk.set_len(&file, end)?;
                self.disk.sync_data(&file)?;
                report.torn = Some(TornTail { path: found.path.clone(), bytes: found.len - end });
            }
            if self.listing.archived.contains(&after) {
                // A rotation was cut short between the second name and the new file.
                self.disk.unlink(&self.copies.archived(after))?;
            }
            return Ok(journal);
        }
        if let Some(found) = &active {
            let aside = beside(&found.path, &format!(".bad.{}", now()));
            match self.disk.link(&found.path, &aside) {
                Err(error) if !error.is_exists() => return Err(error.into()),
                _ => self.disk.sync_dir(self.copies.dir())?,
            }
        }
        report.journal_renewed = renew;
        JournalWriter::start(&*self.disk, self.copies.dir(), self.copies.name(), applied)
            .map_err(|error| error.into_disk().into())
    }

    fn log(&self, report: &OpenReport) {
        let ledger = self.copies.name();
        if let Some(torn) = &report.torn {
            tracing::warn!(event = "ledger.tail.cut", ledger, bytes = torn.bytes);
        }
        if let Some(rebuilt) = &report.rebuilt {
            let moved_to = rebuilt.moved_to.as_deref().map(|path| path.display().to_string());
            tracing::error!(
                event = "ledger.index.rebuilt",
                ledger,
                error = rebuilt.why,
                moved_to,
                replayed = report.replayed
            );
        }
        if let Some(why) = &report.journal_renewed {
            tracing::error!(event = "ledger.journal.renewed", ledger, error = why);
        }
        for why in &report.salvaged {
            tracing::error!(event = "ledger.salvaged", ledger, error = why);
        }
        tracing::info!(event = "ledger.opened", ledger, clean = report.clean, replayed = report.replayed);
    }

    fn ledger(self, index: SledIndex, journal: JournalWriter, applied: u64, checked: bool) -> Ledger {
        let newest = self.listing.dumps.first();
        Ledger {
            index: Box::new(index),
            queue: Mutex::new(Queue::default()),
            turn: Condvar::new(),
            journal: Mutex::new(journal),
            applied: AtomicU64::new(applied),
            showing: AtomicU64::new(applied),
            maintenance: Mutex::new(()),
            last_dump: AtomicU64::new(newest.map_or(0, |dump| dump.seq)),
            last_dump_time: AtomicI64::new(newest.map_or(0, |dump| dump.time)),
            closed: AtomicBool::new(false),
            latch: Mutex::new(None),
            latched: AtomicBool::new(false),
            checked: AtomicBool::new(checked),
            disk: self.disk,
            copies: self.copies,
            _lock: self.lock,
        }
    }
}

fn shortfall(shortfall: Shortfall) -> OpenError {
    match shortfall {
        Shortfall::Disk(error) => error.into(),
        Shortfall::Index(what) | Shortfall::Gap(what) => OpenError::Index(what),
    }
}

/// Removes a half-built index of ours. It is sled's directory, which the store's disk knows nothing about; what cannot be
/// removed makes the next step fail.
fn remove_tree(dir: &Path) {
    let _ = std::fs::remove_dir_all(dir);
}

pub(super) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
