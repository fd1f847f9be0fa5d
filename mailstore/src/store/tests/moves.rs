//! Mailboxes that are renamed and deleted, and whose names are given to others at once, while everything that works on files
//! is under way: no message may be lost, be read for another one, or land in another mailbox.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;

use super::*;
use crate::flags::Keyword;
use crate::ident::ContentHash;
use crate::mailbox::{FlagOp, StoreRequest};

/// How often the mailbox is renamed and its name given to another.
const ROUNDS: u32 = 40;

/// Messages in the mailbox that nobody expunges.
const KEPT: u32 = 40;

fn text(number: u32) -> Vec<u8> {
    format!("Subject: {number}\r\n\r\n{}", format!("{number} ").repeat(50 + number as usize % 100)).into_bytes()
}

fn new(store: &Store, number: u32) -> NewMessage {
    let mut writer = store.stage(DEFAULT_PARTITION).unwrap();
    writer.write(&text(number)).unwrap();
    NewMessage {
        staged: Arc::new(writer.finish().unwrap()),
        internal_date: Timestamp::now(),
        flags: SystemFlags::NONE,
        keywords: Vec::new(),
        seen: false,
    }
}

/// Reads every message of a mailbox; each must be what its record says. The texts, sorted. One that is expunged
/// meanwhile may be gone.
fn read(mailbox: &Arc<Mailbox>) -> Vec<Vec<u8>> {
    let records: Vec<_> = mailbox.read().records(1..=u32::MAX).collect();
    let mut texts = Vec::new();
    for record in records {
        match mailbox.open_message(record.uid) {
            Ok(file) => {
                let bytes = file.read_all(1 << 20).unwrap();
                assert_eq!(ContentHash::of(&bytes), record.hash, "{} of {}", record.uid, mailbox.name());
                texts.push(bytes);
            }
            Err(Error::Expunged { .. }) => {
                let there = mailbox.read().uids().contains(record.uid.get());
                assert!(!there, "{} of {} has no file", record.uid, mailbox.name());
            }
            Err(error) => panic!("{} of {}: {error}", record.uid, mailbox.name()),
        }
    }
    texts.sort();
    texts
}

/// What is done to the mailbox under whatever name, each by a thread of its own.
type Work = fn(&Store, &Arc<Mailbox>, u32);

/// Some come, go, and are forgotten for good.
fn repack(store: &Store, mailbox: &Arc<Mailbox>, turn: u32) {
    let messages: Vec<_> = (0..5).map(|n| new(store, 1_000_000 + turn * 10 + n)).collect();
    let uids = mailbox.append(&messages, &AppendOptions::default()).unwrap();
    drop(messages);
    let uids = uids.into_iter().map(Uid::get).collect();
    mailbox.remove_messages(&uids).unwrap();
    mailbox.repack(i64::MAX).unwrap();
}

/// One goes and comes back.
fn unexpunge(store: &Store, mailbox: &Arc<Mailbox>, turn: u32) {
    let uids = mailbox.append(&[new(store, 2_000_000 + turn)], &AppendOptions::default()).unwrap();
    let uids: UidSet = uids.into_iter().map(Uid::get).collect();
    mailbox.remove_messages(&uids).unwrap();
    store.settle();
    let back = mailbox.unexpunge(&uids).unwrap();
    let uids: UidSet = back.iter().map(|(_, new)| new.get()).collect();
    mailbox.remove_messages(&uids).unwrap();
}

/// Flags, new keywords, seen state until its file is replaced.
fn flags(_: &Store, mailbox: &Arc<Mailbox>, turn: u32) {
    let keyword = Keyword::parse(&format!("k{}", turn % 100)).unwrap();
    for op in [FlagOp::Add, FlagOp::Remove] {
        let request = StoreRequest {
            reader: "joe",
            uids: &(1..=KEPT).collect(),
            op,
            system: SystemFlags::FLAGGED,
            seen: true,
            keywords: std::slice::from_ref(&keyword),
            permitted: Permitted::ALL,
            unchanged_since: None,
        };
        mailbox.store(&request).unwrap();
    }
    mailbox.sync().unwrap();
}

fn reading(_: &Store, mailbox: &Arc<Mailbox>, _: u32) {
    read(mailbox);
    mailbox.copy_out().unwrap();
}

/// Copies of it, elsewhere and in itself.
fn copy(store: &Store, mailbox: &Arc<Mailbox>, turn: u32) {
    let options = CopyOptions { reader: "joe", permitted: Permitted::ALL, quota: QuotaCheck::Ignore };
    let elsewhere = store.mailbox(&name("user/sue")).unwrap();
    for target in [&elsewhere, mailbox] {
        let uid = 1 + turn % KEPT;
        let copies = mailbox.copy_to(&UidSet::from_iter([uid]), target, &options).unwrap();
        let file = target.open_message(copies[0].1).unwrap();
        assert_eq!(file.read_all(1 << 20).unwrap(), text(uid), "a copy is a copy of that message");
        target.remove_messages(&UidSet::from_iter([copies[0].1.get()])).unwrap();
    }
}

/// The messages of the mailbox that has the place in a round.
fn others(round: u32) -> impl Iterator<Item = u32> {
    (0..3).map(move |n| 3_000_000 + round * 10 + n)
}

/// Another mailbox takes the place of one that is away, with messages under the same UIDs, and is deleted.
fn pass_by(store: &Store, here: &MailboxName, messages: &[NewMessage]) {
    let joe = Access::user("joe");
    store.create(&joe, here, &CreateOptions::default()).unwrap();
    let other = store.mailbox(here).unwrap();
    other.append(messages, &AppendOptions::default()).unwrap();
    assert_eq!(read(&other).len(), messages.len());
    drop(other);
    store.delete(&joe, here).unwrap();
}

/// All messages of mailboxes that were deleted.
fn deleted(store: &Store) -> Vec<Vec<u8>> {
    let mut texts = Vec::new();
    for deleted in names(store).iter().filter(|name| name.starts_with("DELETED/")) {
        texts.extend(read(&store.mailbox(&name(deleted)).unwrap()));
    }
    texts.sort();
    texts
}

/// Ends all work when the one that has it is over, above all by a panic.
struct EndsForAll<'a>(&'a AtomicBool);

impl Drop for EndsForAll<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

#[test]
fn a_mailbox_that_moves_takes_everything_along() {
    const WORKS: [Work; 5] = [repack, unexpunge, flags, reading, copy];
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    for user in ["joe", "sue"] {
        store.create_user(user, None).unwrap();
    }
    let (joe, [here, there]) = (Access::user("joe"), ["user/joe/here", "user/joe/there"].map(name));
    store.create(&joe, &here, &CreateOptions::default()).unwrap();
    let mailbox = store.mailbox(&here).unwrap();
    let kept: Vec<_> = (1..=KEPT).map(|n| new(&store, n)).collect();
    mailbox.append(&kept, &AppendOptions::default()).unwrap();
    let (over, turns) = (AtomicBool::new(false), AtomicU32::new(0));
    thread::scope(|scope| {
        for work in WORKS {
            let (store, mailbox, over, turns) = (&store, &mailbox, &over, &turns);
            scope.spawn(move || {
                let _ends = EndsForAll(over);
                while !over.load(Ordering::Acquire) {
                    work(store, mailbox, turns.fetch_add(1, Ordering::Relaxed));
                }
            });
        }
        for round in 0..ROUNDS {
            if over.load(Ordering::Acquire) {
                break;
            }
            store.rename(&joe, &here, &there).unwrap();
            let others: Vec<_> = others(round).map(|n| new(&store, n)).collect();
            pass_by(&store, &here, &others);
            store.rename(&joe, &there, &here).unwrap();
        }
        over.store(true, Ordering::Release);
    });
    let mut expected: Vec<_> = (1..=KEPT).map(text).collect();
    expected.sort();
    assert_eq!(read(&mailbox), expected);
    drop(mailbox);
    let mut all: Vec<_> = (0..ROUNDS).flat_map(others).map(text).collect();
    all.sort();
    assert_eq!(deleted(&store), all);
    store.settle();
    check(&store);
    store.close().unwrap();
    drop(store);
    let (store, report) = open(dir.path());
    assert!(report.clean);
    assert_eq!((read(&store.mailbox(&here).unwrap()), deleted(&store)), (expected, all));
    check(&store);
}
