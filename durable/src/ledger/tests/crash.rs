//! The process dies, the power fails or the disk is full at every single change of our files.

use rustix::io::Errno;

use super::*;
use crate::disk::{Fault, FaultyDisk};

/// What a run promised before it ended.
struct Outcome {
    acknowledged: u64,
    /// Batches that got an error or no answer.
    attempted: u64,
}

/// A history with everything in it. Stops at the first error, as a server would.
fn run(home: &Home, disk: Arc<dyn Disk>) -> Outcome {
    let mut outcome = Outcome { acknowledged: 0, attempted: 0 };
    let Ok((ledger, _)) = home.try_open(disk, &creating()) else { return outcome };
    let mut run = || -> Result<(), Error> {
        for n in 1..=9 {
            outcome.attempted = n;
            ledger.apply(batch(n))?;
            outcome.acknowledged = n;
            if n % 3 == 0 {
                ledger.dump_now()?;
            }
        }
        ledger.close()
    };
    let _ = run();
    outcome
}

/// Whether what is left may be opened: a crash before the first acknowledged batch may leave nothing at all.
fn reopen(home: &Home, outcome: &Outcome, context: &str) {
    let options = Options { create: outcome.acknowledged == 0, ..creating() };
    let (ledger, report) = home.try_open(Arc::new(RealDisk), &options).unwrap_or_else(|e| panic!("{context}: {e}"));
    let last = ledger.last_seq();
    assert!((outcome.acknowledged..=outcome.attempted).contains(&last), "{context}: {last}, {report:?}");
    check(&ledger, last);
    // It goes on as if nothing had happened.
    fill(&ledger, last + 1..=last + 2);
    ledger.dump_now().unwrap();
    check(&ledger, last + 2);
}

fn changes_of_a_run() -> u64 {
    let home = Home::new();
    let disk = Arc::new(FaultyDisk::new(Arc::new(RealDisk)));
    assert_eq!(run(&home, disk.clone()).acknowledged, 9);
    disk.changes()
}

#[test]
fn killed_at_every_change() {
    for at in 1..=changes_of_a_run() {
        let home = Home::new();
        let disk = Arc::new(FaultyDisk::new(Arc::new(RealDisk)));
        disk.set_fault(Some(Fault::Crash { at, torn: at as usize * 7 % 40 }));
        let outcome = run(&home, disk.clone());
        assert!(disk.crashed());
        if at % 3 == 0 {
            // The index lost everything.
            let _ = fs::remove_dir_all(home.dir());
        }
        reopen(&home, &outcome, &format!("crash at {at}: {:?}", disk.trace().last()));
    }
}

#[test]
fn power_cut_at_every_change() {
    for at in 1..=changes_of_a_run() {
        for seed in [1, 2 + at * 4, 3 + at * 4] {
            let (home, graveyard) = (Home::new(), tempfile::tempdir().unwrap());
            let disk = Arc::new(FaultyDisk::with_power_cuts(Arc::new(RealDisk), graveyard.path()).unwrap());
            disk.set_fault(Some(Fault::Crash { at, torn: usize::MAX }));
            let outcome = run(&home, disk.clone());
            let report = disk.lose_unsynced(seed).unwrap();
            // sled's own files were not under our control: it may as well have lost them.
            let _ = fs::remove_dir_all(home.dir());
            reopen(&home, &outcome, &format!("power cut at {at}, seed {seed}: {report:?}"));
        }
    }
}

#[test]
fn an_error_at_every_change_loses_nothing() {
    for errno in [Errno::NOSPC, Errno::IO] {
        for at in 1..=changes_of_a_run() {
            let home = Home::new();
            let disk = Arc::new(FaultyDisk::new(Arc::new(RealDisk)));
            disk.set_fault(Some(Fault::Fail { at, errno, lasting: false }));
            let outcome = run(&home, disk);
            reopen(&home, &outcome, &format!("{errno} at {at}"));
        }
    }
}

/// As [`run`], but goes on after each error that is not final, as a server does.
fn persist(home: &Home, disk: Arc<dyn Disk>) -> Outcome {
    let mut outcome = Outcome { acknowledged: 0, attempted: 0 };
    let Ok((ledger, _)) = home.try_open(disk, &creating()) else { return outcome };
    while outcome.acknowledged < 9 {
        outcome.attempted = outcome.acknowledged + 1;
        match ledger.apply(batch(outcome.attempted)) {
            Ok(seq) => assert_eq!(seq, outcome.attempted),
            Err(Error::Refused(_)) => continue,
            Err(_) => break,
        }
        outcome.acknowledged = outcome.attempted;
        if outcome.acknowledged.is_multiple_of(2) {
            let _ = ledger.dump_now();
        }
    }
    outcome
}

#[test]
fn going_on_after_an_error_loses_nothing() {
    let whole = Arc::new(FaultyDisk::new(Arc::new(RealDisk)));
    assert_eq!(persist(&Home::new(), whole.clone()).acknowledged, 9);
    for at in 1..=whole.changes() {
        for lost_index in [false, true] {
            let home = Home::new();
            let disk = Arc::new(FaultyDisk::new(Arc::new(RealDisk)));
            disk.set_fault(Some(Fault::Fail { at, errno: Errno::NOSPC, lasting: false }));
            let outcome = persist(&home, disk);
            if lost_index {
                let _ = fs::remove_dir_all(home.dir());
            }
            reopen(&home, &outcome, &format!("error at {at}, index lost: {lost_index}"));
        }
    }
}

#[test]
fn a_full_disk_refuses_and_recovers_without_a_restart() {
    let home = Home::new();
    let disk = Arc::new(FaultyDisk::new(Arc::new(RealDisk)));
    let (ledger, _) = home.try_open(disk.clone(), &creating()).unwrap();
    fill(&ledger, 1..=2);
    disk.set_fault(Some(Fault::ShortWrite { at: disk.changes() + 1, keep: 11, errno: Errno::NOSPC }));
    assert!(matches!(ledger.apply(batch(3)), Err(Error::Refused(error)) if error.is_full()));
    check(&ledger, 2);
    fill(&ledger, 3..=4);
    check(&ledger, 4);
}

#[test]
fn a_failed_sync_latches_and_is_undone() {
    let home = Home::new();
    let disk = Arc::new(FaultyDisk::new(Arc::new(RealDisk)));
    let (ledger, _) = home.try_open(disk.clone(), &creating()).unwrap();
    fill(&ledger, 1..=2);
    disk.set_fault(Some(Fault::Fail { at: disk.changes() + 2, errno: Errno::IO, lasting: false }));
    assert!(matches!(ledger.apply(batch(3)), Err(Error::Latched(_))));
    assert!(matches!(ledger.apply(batch(3)), Err(Error::Latched(_))));
    assert!(matches!(ledger.get("newest"), Err(Error::Latched(_))));
    assert!(matches!(ledger.dump_now(), Err(Error::Latched(_))));
    assert!(matches!(ledger.close(), Err(Error::Latched(_))));
    drop(ledger);
    check(&home.open().0, 2);
}
