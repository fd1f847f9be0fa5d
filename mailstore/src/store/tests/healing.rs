//! Repairs in the background of a store in use.

use std::time::{Duration, Instant};

use super::*;
use crate::ident::Uid;

/// Waits for what another thread does; there is no event for it.
fn soon(what: &str, done: impl Fn() -> bool) {
    let begin = Instant::now();
    while !done() {
        assert!(begin.elapsed() < Duration::from_secs(30), "{what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn fill(store: &Store) {
    store.create_user("joe", None).unwrap();
    store.create_user("sue", None).unwrap();
    for size in [100, 200, 300] {
        append(store, "user/joe", size).unwrap();
        append(store, "user/sue", size).unwrap();
    }
}

/// Sets bits of one record of an index to zero, in place.
fn spoil(dir: &Path, number: usize) {
    let path = dir.join("cyrus.index");
    let mut bytes = std::fs::read(&path).unwrap();
    let at = crate::index::HEADER_SIZE + number * crate::index::RECORD_SIZE;
    bytes[at..at + crate::index::RECORD_SIZE].fill(0);
    // The same file, as a failing disk would have it.
    std::os::unix::fs::FileExt::write_all_at(&std::fs::File::options().write(true).open(&path).unwrap(), &bytes, 0)
        .unwrap();
}

#[test]
fn a_mailbox_that_is_damaged_while_open_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    fill(&store);
    store.heal_in_background().unwrap();
    let joe = store.mailbox(&name("user/joe")).unwrap();
    joe.sync().unwrap();
    spoil(&joe.dir(), 1);
    let (second, healing) = (Uid::new(2).unwrap(), &store.counters().healing);
    assert!(joe.read().record(second).is_none());
    soon("the mailbox is repaired", || healing.repaired.get() == 1);
    assert!(joe.read().record(second).is_some(), "the message is there again, in the open mailbox");
    assert_eq!(joe.status().exists, 3);

    // Once an hour is enough.
    spoil(&joe.dir(), 2);
    assert!(joe.read().record(Uid::new(3).unwrap()).is_none());
    assert_eq!((healing.skipped.get(), healing.waiting.get()), (1, 0));
    // Nobody else notices.
    assert_eq!(store.mailbox(&name("user/sue")).unwrap().status().exists, 3);
    drop(joe);
    store.close().unwrap();
}

#[test]
fn a_mailbox_that_is_damaged_when_it_is_opened_is_repaired_and_others_are_not_touched() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    fill(&store);
    store.close().unwrap();
    drop(store);
    let index = |user: &str| dir.path().join(format!("spool/user/{user}/cyrus.index"));
    std::fs::write(index("joe"), b"garbage").unwrap();
    let untouched = std::fs::read(index("sue")).unwrap();
    let (store, _) = open(dir.path());
    store.heal_in_background().unwrap();
    assert_eq!(store.mailbox(&name("user/joe")).unwrap().status().exists, 3);
    soon("the mailbox is repaired", || store.counters().healing.repaired.get() == 1);
    assert_eq!(store.counters().heals.index.get(), 1);
    assert_eq!(std::fs::read(index("sue")).unwrap(), untouched);
    store.close().unwrap();
    drop(store);
    let (store, _) = open(dir.path());
    assert_eq!(store.check_contents(&mut |_| {}).unwrap().findings, []);
    store.close().unwrap();
}

#[test]
fn what_may_be_the_last_trace_of_a_message_is_left_to_an_administrator() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    fill(&store);
    store.heal_in_background().unwrap();
    let joe = store.mailbox(&name("user/joe")).unwrap();
    std::fs::remove_file(joe.dir().join("1.")).unwrap();
    spoil(&joe.dir(), 2);
    assert!(joe.read().record(Uid::new(3).unwrap()).is_none());
    soon("the mailbox is looked at", || store.counters().healing.left.get() == 1);
    let uids: Vec<u32> = joe.read().uids().iter().collect();
    assert_eq!(uids, [1, 2, 3], "a message without a file is not expunged");
    drop(joe);
    store.close().unwrap();
}
