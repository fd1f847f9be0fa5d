//! A repair on a disk that dies at every single change: run once to count them, then once for each of them with a crash
//! there, an error, or a power cut. A second run must find everything, and finish.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use durable::disk::{Disk, Fault, FaultyDisk, RealDisk};
use rustix::io::Errno;

use super::tests::{append, fill, name, open_store, options, text};
use super::*;
use crate::error::Result;
use crate::ident::Uid;
use crate::store::Store;

/// A damage of joe's INBOX, and which messages must be there when it is repaired.
struct Case {
    name: &'static str,
    damage: fn(&Path),
    /// How many messages there are.
    count: usize,
    options: fn() -> RepairOptions,
    /// Whether the mailbox is open while it is repaired.
    open: bool,
}

fn remove(dir: &Path, files: &[&str]) {
    files.iter().for_each(|file| std::fs::remove_file(dir.join(file)).unwrap());
}

fn put(dir: &Path, file: &str, n: u32) {
    std::fs::write(dir.join(file), text(n)).unwrap();
}

const CASES: &[Case] = &[
    Case { name: "index lost", damage: |dir| remove(dir, &["cyrus.index"]), count: 6, options, open: false },
    Case { name: "index lost, open", damage: |dir| remove(dir, &["cyrus.index"]), count: 6, options, open: true },
    Case {
        name: "all derived files lost",
        damage: |dir| remove(dir, &["cyrus.index", "cyrus.cache", "cyrus.header", "cyrus.seen"]),
        count: 6,
        options,
        open: false,
    },
    Case { name: "cache lost, open", damage: |dir| remove(dir, &["cyrus.cache"]), count: 6, options, open: true },
    Case {
        name: "messages lost, empty and put back",
        damage: |dir| {
            remove(dir, &["2."]);
            std::fs::write(dir.join("3."), "").unwrap();
            put(dir, "9.", 7);
            std::fs::write(dir.join("cyrus.index.NEW"), "x").unwrap();
        },
        count: 5,
        options,
        open: false,
    },
    Case {
        name: "messages that differ, renumbered",
        damage: |dir| {
            put(dir, "2.", 8);
            put(dir, "5.", 7);
        },
        count: 6,
        options: || RepairOptions { mismatch: Mismatch::Renumber, ..options() },
        open: true,
    },
    Case {
        name: "messages that differ, discarded",
        damage: |dir| put(dir, "2.", 8),
        count: 5,
        options: || RepairOptions { mismatch: Mismatch::Discard, ..options() },
        open: false,
    },
    Case {
        name: "new UIDVALIDITY",
        damage: |_| {},
        count: 6,
        options: || RepairOptions { bump_uid_validity: true, ..options() },
        open: true,
    },
];

/// What happens at the chosen change.
#[derive(Clone, Copy, Debug)]
enum End {
    Crash {
        torn: usize,
    },
    Error(Errno),
    /// A crash after which a choice of what was not synced is gone.
    PowerCut(u64),
}

const ENDS: &[End] = &[End::Crash { torn: 70 }, End::Error(Errno::NOSPC), End::PowerCut(1)];

#[test]
fn every_step_of_a_repair() {
    let template = tempfile::tempdir().unwrap();
    let store = open_store(template.path(), Arc::new(RealDisk));
    fill(&store);
    store.close().unwrap();
    drop(store);
    let template = template.path();
    // Most of the time goes into waiting for the disk.
    let table: BTreeMap<&str, u64> = std::thread::scope(|scope| {
        let cases: Vec<_> =
            CASES.iter().map(|case| scope.spawn(move || (case.name, every_step(template, case)))).collect();
        cases.into_iter().map(|case| case.join().unwrap()).collect()
    });
    println!("{:<36} {:>6} {:>9}", "reconstruct", "killed", "failures");
    for (name, tried) in table {
        println!("{name:<36} {tried:>6} {:>9}", 0);
    }
}

fn every_step(template: &Path, case: &Case) -> u64 {
    let steps = try_once(template, case, None);
    assert!(steps > 3, "{}: nothing was counted", case.name);
    for end in ENDS {
        for step in 1..=steps {
            try_once(template, case, Some((step, *end)));
        }
    }
    steps * ENDS.len() as u64
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(|entry| entry.unwrap()) {
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &to.join(entry.file_name())),
            false => drop(std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap()),
        }
    }
}

fn inbox(dir: &Path) -> PathBuf {
    dir.join("spool/user/joe")
}

/// Repairs, ending the world at a step of it; returns how many steps there are.
fn try_once(template: &Path, case: &Case, end: Option<(u64, End)>) -> u64 {
    let dir = tempfile::tempdir().unwrap();
    let graveyard = tempfile::tempdir().unwrap();
    copy(template, dir.path());
    let faulty = Arc::new(FaultyDisk::with_power_cuts(Arc::new(RealDisk), graveyard.path()).unwrap());
    let store = open_store(dir.path(), Arc::clone(&faulty) as Arc<dyn Disk>);
    let open = case.open.then(|| store.mailbox(&name("user/joe")).unwrap());
    (case.damage)(&inbox(dir.path()));
    let before = faulty.changes();
    if let Some((step, end)) = end {
        let at = before + step;
        faulty.set_fault(Some(match end {
            End::Crash { torn } => Fault::Crash { at, torn },
            End::PowerCut(_) => Fault::Crash { at, torn: 0 },
            End::Error(errno) => Fault::Fail { at, errno, lasting: false },
        }));
    }
    let done = store.reconstruct(&name("user/joe"), &(case.options)());
    let steps = faulty.changes() - before;
    let next = open.as_ref().map_or(0, |mailbox| mailbox.status().uid_next);
    drop(open);
    drop(store);
    if let Some((_, End::PowerCut(seed))) = end {
        faulty.lose_unsynced(seed).unwrap();
    }
    // It remembers open files, the store's lock among them.
    drop(faulty);
    let context = format!("{} at step {end:?} of {steps}: {:?}", case.name, done.err());
    let store = open_store(dir.path(), Arc::new(RealDisk));
    second_run(&store, case, &context).unwrap_or_else(|error| panic!("{context}: {error}"));
    inspect(&store, case, next, &context);
    steps
}

/// What a second run does, on what the first one left: it finishes, and a third one changes nothing.
fn second_run(store: &Store, case: &Case, context: &str) -> Result<()> {
    let options = RepairOptions { bump_uid_validity: false, ..(case.options)() };
    let inbox = name("user/joe");
    store.reconstruct(&inbox, &options)?;
    let third = store.reconstruct(&inbox, &options)?;
    let changes = third.events.iter().filter(|event| event.kind != RepairKind::Note).count();
    assert_eq!(changes, 0, "{context}: a third run finds {:?}", third.events);
    Ok(())
}

/// Everything is there, and as good as new.
fn inspect(store: &Arc<Store>, case: &Case, next: u32, context: &str) {
    let mailbox = store.mailbox(&name("user/joe")).unwrap_or_else(|error| panic!("{context}: {error}"));
    let uids: Vec<u32> = mailbox.read().uids().iter().collect();
    assert_eq!(uids.len(), case.count, "{context}: {uids:?}");
    for uid in uids {
        let bytes = mailbox.open_message(Uid::new(uid).unwrap()).unwrap().read_all(1 << 20).unwrap();
        assert!((1..10).any(|n| text(n).as_bytes() == bytes), "{context}: UID {uid} is no message of ours");
    }
    let fresh = append(store, "user/joe", 9, &["$Work"]).get();
    assert!(fresh >= next, "{context}: UID {fresh} was used before");
    drop(mailbox);
    let findings = store.check_contents(&mut |_| {}).unwrap().findings;
    let damage: Vec<_> = findings.iter().filter(|found| found.severity == crate::Severity::Damage).collect();
    assert!(damage.is_empty(), "{context}: {damage:?}");
}
