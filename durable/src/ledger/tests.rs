//! A ledger under every accident we could think of. Each test ends by opening what is left and comparing it with a model.

mod crash;
mod damage;
mod lazy;
mod model;
mod process;

use std::{collections::BTreeMap, fs, path::PathBuf, thread};

use super::*;
use crate::disk::RealDisk;

/// Two directories of a ledger, kept while it is opened again and again.
struct Home {
    root: tempfile::TempDir,
}

type Model = BTreeMap<String, String>;

impl Home {
    fn new() -> Self {
        Self { root: tempfile::tempdir().unwrap() }
    }

    fn dir(&self) -> PathBuf {
        self.root.path().join("rows.db")
    }

    fn copies(&self) -> PathBuf {
        self.root.path().join("copies")
    }

    fn copy(&self, file: &str) -> PathBuf {
        self.copies().join(file)
    }

    fn try_open(&self, disk: Arc<dyn Disk>, options: &Options) -> Result<(Ledger, OpenReport), OpenError> {
        Ledger::open(&self.dir(), &self.copies(), "rows", disk, options)
    }

    fn create(&self) -> Ledger {
        self.try_open(Arc::new(RealDisk), &creating()).unwrap().0
    }

    fn open(&self) -> (Ledger, OpenReport) {
        self.try_open(Arc::new(RealDisk), &Options::default()).unwrap()
    }

    fn refusal(&self) -> Vec<String> {
        match self.try_open(Arc::new(RealDisk), &Options::default()) {
            Err(OpenError::Incomplete { why, .. }) => why,
            other => panic!("not refused: {other:?}"),
        }
    }

    /// A copy of everything, to be damaged.
    fn duplicate(&self) -> Home {
        let copy = Home::new();
        copy_tree(self.root.path(), copy.root.path());
        copy
    }

    fn files(&self, containing: &str) -> Vec<String> {
        let all = [self.root.path().to_owned(), self.copies()];
        let entries = all.iter().flat_map(|dir| fs::read_dir(dir).unwrap());
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.retain(|name| name.contains(containing));
        names.sort();
        names
    }
}

fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_tree(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn creating() -> Options {
    // A small cache: these tests open hundreds of ledgers.
    Options { create: true, cache_bytes: 8 << 20, ..Options::default() }
}

/// Batch `n` of a fixed history: sets its own row and a shared one, and removes the row of batch `n - 3`.
fn batch(n: u64) -> Batch {
    let mut batch = Batch::new();
    batch.put(format!("row/{n:04}"), &format!("value {n}")).unwrap();
    batch.put("newest", &n).unwrap();
    if n > 3 {
        batch.remove(format!("row/{:04}", n - 3));
    }
    batch
}

/// What the rows are after batches 1 to `n`.
fn model(n: u64) -> Model {
    let mut model: Model =
        (n.saturating_sub(2).max(1)..=n).map(|n| (format!("row/{n:04}"), format!("\"value {n}\""))).collect();
    if n > 0 {
        model.insert("newest".into(), n.to_string());
    }
    model
}

fn fill(ledger: &Ledger, numbers: std::ops::RangeInclusive<u64>) {
    for n in numbers {
        assert_eq!(ledger.apply(batch(n)).unwrap(), n);
    }
}

fn rows(ledger: &Ledger) -> Model {
    ledger.range(Bound::Unbounded, None).unwrap().map(|row| row.map(|(key, json)| (key, json.0)).unwrap()).collect()
}

/// The rows are those after exactly `n` batches, and all parts agree.
fn check(ledger: &Ledger, n: u64) {
    assert_eq!(ledger.last_seq(), n);
    assert_eq!(rows(ledger), model(n));
    let report = ledger.verify().unwrap();
    assert_eq!(report, VerifyReport { rows: model(n).len() as u64, problems: vec![] });
}

#[test]
fn rows_come_back_in_order() {
    let home = Home::new();
    let ledger = home.create();
    fill(&ledger, 1..=9);
    check(&ledger, 9);
    assert_eq!(ledger.get("newest").unwrap().unwrap().parse::<u64>().unwrap(), 9);
    assert_eq!(ledger.get("none").unwrap(), None);
    let keys = |rows: Rows<'_>| rows.map(|row| row.unwrap().0).collect::<Vec<_>>();
    assert_eq!(keys(ledger.scan_prefix("row/").unwrap()), ["row/0007", "row/0008", "row/0009"]);
    assert_eq!(keys(ledger.scan_prefix("row/0008").unwrap()), ["row/0008"]);
    let after = Bound::Excluded("row/0007");
    assert_eq!(keys(ledger.range(after, Some("row/0009")).unwrap()), ["row/0008"]);
    assert_eq!(ledger.apply(Batch::new()).unwrap(), 9);
}

#[test]
fn a_clean_stop_replays_nothing_and_an_unclean_one_loses_nothing() {
    let home = Home::new();
    let ledger = home.create();
    fill(&ledger, 1..=5);
    ledger.close().unwrap();
    assert!(matches!(ledger.apply(batch(6)), Err(Error::Closed)));
    assert!(matches!(ledger.get("newest"), Err(Error::Closed)));
    drop(ledger);
    let (ledger, report) = home.open();
    assert_eq!(report, OpenReport { clean: true, ..OpenReport::default() });
    fill(&ledger, 6..=8);
    drop(ledger);
    let (ledger, report) = home.open();
    assert!(!report.clean && report.rebuilt.is_none() && report.journal_renewed.is_none(), "{report:?}");
    check(&ledger, 8);
    ledger.close().unwrap();
    drop(ledger);
    // A mark that is noise marks nothing, however long it is.
    for noise in [10, 10_000] {
        let mark = home.copies().join(home.files(".clean").pop().unwrap());
        fs::write(mark, vec![0xa5; noise]).unwrap();
        let (ledger, report) = home.open();
        assert!(!report.clean, "{report:?}");
        check(&ledger, 8);
        ledger.close().unwrap();
    }
}

#[test]
fn dumps_bound_the_journal() {
    let home = Home::new();
    let ledger = home.create();
    ledger.maintain().unwrap();
    assert!(home.files(".dump").is_empty(), "nothing to dump");
    for round in 0..4u64 {
        fill(&ledger, round * 10 + 1..=round * 10 + 10);
        ledger.dump_now().unwrap();
        check(&ledger, round * 10 + 10);
    }
    // All dumps are of this hour: only the newest stays, and no journal before it.
    assert_eq!(home.files(".dump").len(), 1, "{:?}", home.files("rows"));
    assert!(home.files("rows.journal.").len() <= 1, "{:?}", home.files("rows"));
    fill(&ledger, 41..=45);
    ledger.maintain().unwrap();
    assert_eq!(home.files(".dump").len(), 1, "not due yet");
    drop(ledger);
    check(&home.open().0, 45);
}

#[test]
fn threads_keep_order_and_see_what_was_acknowledged() {
    const THREADS: u64 = 8;
    const EACH: u64 = 25;
    let home = Home::new();
    let ledger = home.create();
    let mut seqs: Vec<u64> = thread::scope(|scope| {
        let ledger = &ledger;
        let apply = move |thread, n| {
            let mut batch = Batch::new();
            batch.put(format!("{thread}/{n}"), &n).unwrap();
            let seq = ledger.apply(batch).unwrap();
            // What was acknowledged is visible.
            assert!(ledger.get(&format!("{thread}/{n}")).unwrap().is_some());
            seq
        };
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| scope.spawn(move || (0..EACH).map(|n| apply(thread, n)).collect::<Vec<_>>()))
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    seqs.sort_unstable();
    assert_eq!(seqs, (1..=THREADS * EACH).collect::<Vec<_>>());
    assert!(ledger.verify().unwrap().problems.is_empty());
}

#[test]
fn batches_that_wait_together_share_one_sync() {
    const THREADS: u64 = 8;
    let home = Home::new();
    let faulty = Arc::new(crate::disk::FaultyDisk::new(Arc::new(RealDisk)));
    let (ledger, _) = home.try_open(faulty.clone(), &creating()).unwrap();
    let before = faulty.changes() as usize;
    thread::scope(|scope| {
        ledger.between_groups(|_| {
            for n in 1..=THREADS {
                let ledger = &ledger;
                scope.spawn(move || {
                    let mut batch = Batch::new();
                    batch.put(format!("{n}"), &n).unwrap();
                    ledger.apply(batch).unwrap()
                });
            }
            while ledger.queue.lock().waiting() < THREADS as usize {
                thread::yield_now();
            }
        });
    });
    let ops: Vec<_> = faulty.trace()[before..].iter().map(|traced| traced.op).collect();
    assert_eq!(ops, [crate::disk::Op::Write, crate::disk::Op::Sync]);
    assert_eq!(ledger.last_seq(), THREADS);
    assert!(ledger.verify().unwrap().problems.is_empty());
}

#[test]
fn one_owner_and_no_accidental_birth() {
    let home = Home::new();
    assert!(matches!(home.try_open(Arc::new(RealDisk), &Options::default()), Err(OpenError::Missing(_))));
    let ledger = home.create();
    assert!(matches!(home.try_open(Arc::new(RealDisk), &creating()), Err(OpenError::InUse(_))));
    drop(ledger);
    let bad = Ledger::open(&home.dir(), &home.copies(), "../x", Arc::new(RealDisk), &creating());
    assert!(matches!(bad, Err(OpenError::BadName(_))));
    assert!(!home.try_open(Arc::new(RealDisk), &creating()).unwrap().1.created);
}

#[test]
fn values_that_cannot_be_kept_are_refused() {
    let home = Home::new();
    let ledger = home.create();
    let mut huge = Batch::new();
    huge.put("k", &"x".repeat(crate::journal::MAX_LINE)).unwrap();
    assert!(matches!(ledger.apply(huge), Err(Error::Value(_))));
    fill(&ledger, 1..=2);
    check(&ledger, 2);
}

#[test]
fn a_change_costs_the_same_however_many_rows_there_are() {
    let cost = |rows: u64| {
        let home = Home::new();
        let disk = Arc::new(crate::disk::FaultyDisk::new(Arc::new(RealDisk)));
        let (ledger, _) = home.try_open(Arc::clone(&disk) as _, &creating()).unwrap();
        let mut many = Batch::new();
        for n in 0..rows {
            many.put(format!("many/{n:08}"), &n).unwrap();
        }
        ledger.apply(many).unwrap();
        ledger.dump_now().unwrap();
        let journal = || fs::metadata(home.copy("rows.journal")).unwrap().len();
        let before = (disk.changes(), journal());
        for n in 0..10u64 {
            let mut one = Batch::new();
            one.put("one", &(1000 + n)).unwrap();
            ledger.apply(one).unwrap();
        }
        // Writes and syncs; bytes up to the digits of a checksum.
        (disk.changes() - before.0, journal() - before.1)
    };
    assert_eq!(cost(10), cost(20_000));
}
