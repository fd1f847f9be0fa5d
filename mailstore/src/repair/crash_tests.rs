//! A repair on a disk that dies at every single change. A second run must find everything, and finish.

use std::path::Path;
use std::sync::Arc;

use crashes::{End, Ends, World};
use durable::disk::RealDisk;
use rustix::io::Errno;

use super::tests::{append, fill, name, open_store, options, text};
use super::*;
use crate::error::Result;
use crate::ident::Uid;
use crate::mailbox::Mailbox;
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

#[test]
fn every_step_of_a_repair() {
    let template = crashes::directory();
    let store = open_store(template.path(), Arc::new(RealDisk));
    fill(&store);
    store.close().unwrap();
    drop(store);
    let ends = Ends::of(&[End::Crash { torn: 70 }, End::Error(Errno::NOSPC), End::Full]).and_power_cuts(2);
    crashes::table("repair of a mailbox", CASES, |case| {
        let open = |world: &World| {
            let store = open_store(world.path(), world.disk());
            let open = case.open.then(|| store.mailbox(&name("user/joe")).unwrap());
            (case.damage)(&world.path().join("spool/user/joe"));
            (store, open)
        };
        let repair = |_: &World, (store, open): (Arc<Store>, Option<Arc<Mailbox>>)| {
            // Whether it comes to its end is for the second run to see.
            let _ = store.reconstruct(&name("user/joe"), &(case.options)());
            open.as_ref().map_or(0, |mailbox| mailbox.status().uid_next)
        };
        let judge = |world: &World, next: u32| {
            let context = world.to_string();
            let store = open_store(world.path(), world.disk());
            second_run(&store, case, &context).unwrap_or_else(|error| panic!("{context}: {error}"));
            inspect(&store, case, next, &context);
        };
        crashes::every_step(case.name, template.path(), &ends, open, repair, judge)
    });
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
