//! The mailbox object on a disk that dies at every single change of every operation: the mailbox is opened again on what
//! is left, and looked at.

use std::path::Path;
use std::sync::Arc;

use crashes::{End, Ends, World};
use rustix::io::Errno;

use super::tests::{Bench, create, message, open, text};
use super::*;
use crate::error::Result;
use crate::flags::{Keyword, SystemFlags};
use crate::ident::Uid;
use crate::quota::QuotaCheck;
use crate::uid_set::{self, UidSet};

/// A mailbox of five messages, an operation on it, and what may be true afterwards.
struct Case {
    name: &'static str,
    run: fn(&Arc<Bench>, &Path, &Arc<Mailbox>) -> Result<()>,
    /// Which messages must be there, and which may be, whether the operation was acknowledged or not.
    outcome: fn(acknowledged: bool) -> (Vec<u32>, Vec<u32>),
}

const CASES: &[Case] = &[
    Case {
        name: "append",
        run: |bench, dir, mailbox| mailbox.append(&[message(bench, dir, 6)?], &AppendOptions::default()).map(|_| ()),
        outcome: |done| if done { (vec![1, 2, 3, 4, 5, 6], vec![]) } else { (vec![1, 2, 3, 4, 5], vec![6]) },
    },
    Case {
        name: "append with a new keyword",
        run: |bench, dir, mailbox| {
            let mut message = message(bench, dir, 6)?;
            message.keywords = vec![Keyword::parse("new").unwrap()];
            message.seen = true;
            let options = AppendOptions { reader: Some("joe".into()), ..AppendOptions::default() };
            mailbox.append(&[message], &options).map(|_| ())
        },
        outcome: |done| if done { (vec![1, 2, 3, 4, 5, 6], vec![]) } else { (vec![1, 2, 3, 4, 5], vec![6]) },
    },
    Case {
        name: "copy",
        run: |_, _, mailbox| {
            let options = CopyOptions { reader: "joe", permitted: Permitted::ALL, quota: QuotaCheck::Enforce };
            mailbox.copy_to(&uid_set::parse("1").unwrap(), mailbox, &options).map(|_| ())
        },
        outcome: |done| if done { (vec![1, 2, 3, 4, 5, 6], vec![]) } else { (vec![1, 2, 3, 4, 5], vec![6]) },
    },
    Case {
        name: "move",
        run: |_, _, mailbox| {
            let options = CopyOptions { reader: "joe", permitted: Permitted::ALL, quota: QuotaCheck::Enforce };
            mailbox.move_to(&uid_set::parse("1").unwrap(), mailbox, &options).map(|_| ())
        },
        outcome: |done| if done { (vec![2, 3, 4, 5, 6], vec![1]) } else { (vec![2, 3, 4, 5], vec![1, 6]) },
    },
    Case {
        name: "store",
        run: |_, _, mailbox| {
            let request = StoreRequest {
                reader: "joe",
                uids: &uid_set::parse("1:5").unwrap(),
                op: FlagOp::Add,
                system: SystemFlags::FLAGGED,
                seen: true,
                keywords: &[Keyword::parse("another").unwrap()],
                permitted: Permitted::ALL,
                unchanged_since: None,
            };
            mailbox.store(&request).map(|_| ())
        },
        outcome: |_| (vec![1, 2, 3, 4, 5], vec![]),
    },
    Case {
        name: "expunge",
        run: |bench, _, mailbox| {
            mailbox.remove_messages(&uid_set::parse("2,4").unwrap())?;
            bench.run();
            mailbox.sync()
        },
        outcome: |done| if done { (vec![1, 3, 5], vec![]) } else { (vec![1, 3, 5], vec![2, 4]) },
    },
    Case {
        name: "expunge and repack",
        run: |bench, _, mailbox| {
            mailbox.remove_messages(&uid_set::parse("2,4").unwrap())?;
            bench.run();
            mailbox.repack(i64::MAX)?;
            mailbox.close()
        },
        outcome: |done| if done { (vec![1, 3, 5], vec![]) } else { (vec![1, 3, 5], vec![2, 4]) },
    },
];

/// Everything that a disk can do to a process.
fn ends() -> Ends {
    Ends::of(&[
        End::Crash { torn: 0 },
        End::Crash { torn: 70 },
        End::Error(Errno::NOSPC),
        End::Error(Errno::IO),
        End::Full,
        End::ReadOnly,
    ])
    .and_power_cuts(4)
}

#[test]
fn every_step_of_every_operation() {
    crashes::table("operations of a mailbox", CASES, |case| {
        let empty = crashes::directory();
        crashes::every_step(
            case.name,
            empty.path(),
            &ends(),
            open_filled,
            |world, site| operate(case, world, site),
            judge,
        )
    });
}

/// A mailbox of five messages, synced.
fn open_filled(world: &World) -> (Arc<Bench>, Arc<Mailbox>) {
    let (dir, bench) = (world.path(), Bench::on(world.disk()));
    create(&bench, dir);
    world.disk().sync_dir(dir).unwrap();
    let mailbox = open(&bench, dir).unwrap();
    for n in 1..=5 {
        mailbox.append(&[message(&bench, dir, n).unwrap()], &AppendOptions::default()).unwrap();
    }
    mailbox.sync().unwrap();
    (bench, mailbox)
}

/// What the operation leaves in memory: the mailbox database's marks, UIDNEXT, and which messages there must and may be.
type Left = (Marks, u32, (Vec<u32>, Vec<u32>));

fn operate(case: &Case, world: &World, (bench, mailbox): (Arc<Bench>, Arc<Mailbox>)) -> Left {
    let acknowledged = (case.run)(&bench, world.path(), &mailbox).is_ok();
    world.acknowledged();
    let next = mailbox.status().uid_next;
    drop(mailbox);
    (bench.marks(), next, (case.outcome)(acknowledged))
}

fn judge(world: &World, (marks, next, expected): Left) {
    let (dir, context) = (world.path(), world.to_string());
    let reopened = Bench::booted(world.disk(), world.boot());
    reopened.set_marks(marks);
    let mailbox = open(&reopened, dir).unwrap_or_else(|e| panic!("{context}: {e}"));
    reopened.run();
    inspect(&mailbox, &context, expected);
    assert!(mailbox.status().uid_next >= next.min(marks.last_uid), "{context}: UIDs would be used again");
    // Whatever happened, the mailbox is as good as new.
    let fresh = mailbox.append(&[message(&reopened, dir, 99).unwrap()], &AppendOptions::default()).unwrap()[0];
    assert!(fresh.get() >= next, "{context}: UID {fresh} was used before");
    let again = open(&reopened, dir).unwrap();
    assert_eq!(again.read().uids(), mailbox.read().uids(), "{context}: a second open finds something else");
}

fn inspect(mailbox: &Arc<Mailbox>, context: &str, (must, may): (Vec<u32>, Vec<u32>)) {
    let live: UidSet = mailbox.read().uids().clone();
    let must: UidSet = must.into_iter().collect();
    let possible = &must | &may.into_iter().collect::<UidSet>();
    // A power cut may leave a gap behind the last message that was surely there.
    assert!(must.is_subset(&live), "{context}: lost {:?}", &must - &live);
    assert!(live.is_subset(&possible), "{context}: {:?} came from nowhere", &live - &possible);
    let mut used = 0;
    for uid in &live {
        let uid = Uid::new(uid).unwrap();
        let bytes = mailbox.open_message(uid).unwrap_or_else(|e| panic!("{context}: {e}")).read_all(1 << 20).unwrap();
        let expected = if uid.get() == 6 { [text(6), text(1)] } else { [text(uid.get()), text(uid.get())] };
        assert!(expected.iter().any(|t| t.as_bytes() == bytes), "{context}: UID {uid} is not the message");
        let record = mailbox.read().record(uid).unwrap_or_else(|| panic!("{context}: UID {uid} has no record"));
        assert_eq!(record.size as usize, bytes.len(), "{context}");
        assert_eq!(record.hash, crate::ident::ContentHash::of(&bytes), "{context}");
        let mut buf = crate::cache::CacheBuf::default();
        mailbox.read().cache(&record, crate::cache::CacheItems::ALL, &mut buf).unwrap();
        assert!(buf.item(crate::cache::CacheItem::Envelope).starts_with(b"("), "{context}");
        used += u64::from(record.size);
    }
    let status = mailbox.status();
    assert_eq!((u64::from(status.exists), status.size), (live.len(), used), "{context}");
}
