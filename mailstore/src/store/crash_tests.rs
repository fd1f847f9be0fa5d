//! The store on a disk that dies at every single change of every operation. The store is opened again on what is left: it
//! must be in order, and hold what it was said to hold.

use std::path::Path;
use std::sync::Arc;

use crashes::{End, Ends, World};
use durable::disk::{Disk, RealDisk};
use rustix::io::Errno;

use super::tests::{append, name, names, options, rights};
use super::*;
use crate::acl::{AclMode, Identifier};
use crate::cache::{CacheBuf, CacheItems};
use crate::quota::QuotaLimits;
use crate::{NewMessage, SystemFlags, Timestamp};

/// An operation on a store of joe and his folders a and a/b, and how to see that it happened.
struct Case {
    name: &'static str,
    run: fn(&Store) -> Result<()>,
    done: fn(&Store) -> bool,
    /// Whether an interrupted operation may be seen half done, and is ended by doing it again.
    repeatable: bool,
}

const CASES: &[Case] = &[
    Case {
        name: "create",
        run: |store| store.create(&Access::user("joe"), &name("user/joe/new/x"), &CreateOptions::default()).map(drop),
        done: |store| store.mailbox(&name("user/joe/new/x")).is_ok(),
        repeatable: false,
    },
    Case {
        name: "create user",
        run: |store| store.create_user("sue", Some(QuotaLimits { storage_kib: Some(7), messages: None })).map(drop),
        done: |store| {
            let there = store.mailbox(&name("user/sue")).is_ok();
            assert_eq!(store.quota(&name("user/sue")).is_ok(), there, "a quota root with its mailbox");
            there
        },
        repeatable: false,
    },
    Case {
        name: "create users",
        run: |store| {
            let limits = Some(QuotaLimits { storage_kib: Some(7), messages: None });
            let users = [("sue", limits), ("joe", None), ("tom", None)];
            let left = store.create_users(&users, &["Sent".to_owned(), "Old/2026".to_owned()])?;
            assert_eq!(left, [1], "joe is there");
            Ok(())
        },
        done: |store| {
            let there = store.mailbox(&name("user/sue")).is_ok();
            assert_eq!(store.quota(&name("user/sue")).is_ok(), there, "a quota root with its mailbox");
            for other in ["user/tom", "user/tom/Sent", "user/sue/Sent", "user/sue/Old/2026"] {
                assert_eq!(store.mailbox(&name(other)).is_ok(), there, "{other}");
            }
            if there {
                assert_eq!(store.row(&name("user/sue/Sent")).unwrap().quota_root, Some(name("user/sue")));
                assert_eq!(store.subscriptions("tom").unwrap().len(), 3);
            }
            there
        },
        repeatable: false,
    },
    Case {
        name: "delete with children",
        run: |store| store.delete(&Access::user("joe"), &name("user/joe/a")),
        done: |store| store.row(&name("user/joe/a")).is_none(),
        repeatable: false,
    },
    Case {
        name: "delete a leaf",
        run: |store| store.delete(&Access::user("joe"), &name("user/joe/a/b")),
        done: |store| store.row(&name("user/joe/a/b")).is_none(),
        repeatable: false,
    },
    Case {
        name: "delete and purge",
        run: |store| {
            store.delete(&Access::user("joe"), &name("user/joe/a"))?;
            store.purge_deleted(now() + 10).map(drop)
        },
        done: |store| store.row(&name("user/joe/a")).is_none(),
        repeatable: false,
    },
    Case {
        name: "rename a tree",
        run: |store| store.rename(&Access::user("joe"), &name("user/joe/a"), &name("user/joe/z/y")),
        done: |store| {
            let moved = store.row(&name("user/joe/z/y")).is_some();
            assert_eq!(store.row(&name("user/joe/z/y/b")).is_some(), moved, "all or nothing");
            assert_eq!(store.row(&name("user/joe/a")).is_none(), moved);
            moved
        },
        repeatable: false,
    },
    Case {
        name: "rename INBOX",
        run: |store| store.rename(&Access::user("joe"), &name("user/joe"), &name("user/joe/old")),
        done: |store| {
            let exists = |text: &str| store.mailbox(&name(text)).map_or(0, |mailbox| mailbox.status().exists);
            assert!(exists("user/joe") + exists("user/joe/old") > 0, "nothing is lost");
            exists("user/joe") == 0 && exists("user/joe/old") == 1
        },
        repeatable: true,
    },
    Case {
        name: "set an ACL",
        run: |store| {
            let sue = Identifier::parse("sue").unwrap();
            store.set_acl(&Access::user("joe"), &name("user/joe/a"), &sue, AclMode::Add, rights("lr"))
        },
        done: |store| {
            let sue = Identifier::parse("sue").unwrap();
            store.row(&name("user/joe/a")).is_some_and(|row| row.acl.entry(&sue) == rights("lr"))
        },
        repeatable: false,
    },
    Case {
        name: "set a quota",
        run: |store| {
            let limits = QuotaLimits { storage_kib: Some(9), messages: Some(3) };
            store.set_quota(&name("user/joe/a"), Some(limits))
        },
        done: |store| store.quota(&name("user/joe/a")).is_ok(),
        repeatable: false,
    },
    Case {
        name: "lift a quota",
        run: |store| store.set_quota(&name("user/joe"), None),
        done: |store| store.quota(&name("user/joe")).is_err(),
        repeatable: false,
    },
    Case {
        name: "subscribe",
        run: |store| store.subscribe("joe", &name("team")),
        done: |store| {
            let subscribed = store.subscriptions("joe").unwrap();
            assert!(subscribed.contains(&name("user/joe")), "what was subscribed stays");
            subscribed.contains(&name("team"))
        },
        repeatable: false,
    },
    Case {
        name: "delete user",
        run: |store| store.delete_user("joe"),
        done: |store| names(store).iter().all(|name| name.starts_with("DELETED/")) && store.quota_roots().is_empty(),
        repeatable: true,
    },
];

#[test]
fn every_step_of_every_operation() {
    let template = crashes::directory();
    let before = prepare(template.path());
    let ends = Ends::of(&[End::Crash { torn: 3 }, End::Error(Errno::NOSPC), End::Error(Errno::IO), End::Full])
        .and_power_cuts(3);
    crashes::table("operations of the store", CASES, |case| {
        let start = |world: &World| open(world.path(), world.disk(), 1);
        let judge = |world: &World, acknowledged: bool| judge(case, world, acknowledged, &before);
        crashes::every_step(case.name, template.path(), &ends, start, |world, store| operate(case, world, store), judge)
    });
}

/// A delivery that dies is repeated by whoever got no answer: the message is there once, whatever step it died at.
#[test]
fn a_repeated_delivery_leaves_one_copy() {
    let template = crashes::directory();
    prepare(template.path());
    let ends = Ends::of(&[End::Crash { torn: 0 }, End::Crash { torn: 50 }, End::Error(Errno::NOSPC), End::Full]);
    let row = crashes::every_step(
        "a delivery that is repeated",
        template.path(),
        &ends,
        |world| open(world.path(), world.disk(), 1),
        |_, store| drop(deliver_once(&store)),
        |world, ()| {
            let store = open(world.path(), world.disk(), 1);
            deliver_once(&store).unwrap();
            for to in ["user/joe", "user/joe/a"] {
                let mailbox = store.mailbox(&name(to)).unwrap();
                let copies = mailbox.read().records(0..=u32::MAX).filter(|found| found.size == 200).count();
                assert_eq!(copies, 1, "{world}: {to}");
            }
        },
    );
    println!("{} steps, ended {} times", row.steps, row.tried);
    assert_eq!(row.failures, [""; 0]);
}

/// Delivers a message of 200 octets to two mailboxes, but to none that has it, as LMTP does.
fn deliver_once(store: &Arc<Store>) -> Result<()> {
    let mut writer = store.stage("default")?;
    writer.write(&[b'x'; 200])?;
    let staged = Arc::new(writer.finish()?);
    let mut targets = Vec::new();
    for to in ["user/joe", "user/joe/a"] {
        let mailbox = store.mailbox(&name(to))?;
        if store.duplicates().delivered_at("<1@x>", mailbox.unique_id()).is_none() {
            let (staged, flags) = (Arc::clone(&staged), SystemFlags::NONE);
            let message =
                NewMessage { staged, internal_date: Timestamp::now(), flags, keywords: Vec::new(), seen: false };
            targets.push((mailbox, message));
        }
    }
    let mailboxes = targets.iter().map(|(mailbox, _)| mailbox.unique_id());
    let noted = store.duplicates().begin("<1@x>", staged.hash(), mailboxes, now());
    let delivered = Store::deliver(&targets, &AppendOptions::default());
    noted.end(&delivered.iter().map(Result::is_ok).collect::<Vec<_>>());
    delivered.into_iter().try_for_each(|result| result.map(drop))
}

/// Returns whether it was acknowledged.
fn operate(case: &Case, world: &World, store: Arc<Store>) -> bool {
    let acknowledged = (case.run)(&store).is_ok();
    world.acknowledged();
    store.settle();
    if world.is_undisturbed() {
        assert!(acknowledged && (case.done)(&store), "{}", case.name);
    }
    acknowledged
}

fn judge(case: &Case, world: &World, acknowledged: bool, before: &[String]) {
    let context = format!("{} {world} acknowledged {acknowledged}", case.name);
    let store = open(world.path(), world.disk(), 2);
    let done = (case.done)(&store);
    assert!(done || !acknowledged, "{context}: was promised");
    if !done && !case.repeatable {
        assert_eq!(names(&store), *before, "{context}: not half done");
    }
    read_caches(&store);
    let report = store.check_contents(&mut |_| {}).unwrap();
    // What was not synced may have reached the disk in any order, an index record before its cache record: that is a note.
    let wrong: Vec<_> = report.findings.iter().filter(|found| found.severity == crate::Severity::Damage).collect();
    assert!(wrong.is_empty(), "{context}: {wrong:#?}");
    if !done && case.repeatable {
        let repeated = (case.run)(&store);
        assert!(repeated.is_ok() || case.name == "rename INBOX", "{context}: {repeated:?}");
    }
}

/// What a power cut took of derived data is made anew where somebody asks for it.
fn read_caches(store: &Store) {
    for text in names(store) {
        let mailbox = store.mailbox(&name(&text)).unwrap();
        let reading = mailbox.read();
        for record in reading.records(1..=u32::MAX) {
            reading.cache(&record, CacheItems::ALL, &mut CacheBuf::default()).unwrap();
        }
    }
    store.settle();
}

/// A store of joe with two folders, one message in each mailbox, closed in order. Returns the mailboxes' names.
fn prepare(dir: &Path) -> Vec<String> {
    let store = open(dir, Arc::new(RealDisk), 1);
    store.create_user("joe", Some(QuotaLimits { storage_kib: Some(100), messages: None })).unwrap();
    for text in ["user/joe/a", "user/joe/a/b"] {
        store.create(&Access::user("joe"), &name(text), &CreateOptions::default()).unwrap();
    }
    for text in ["user/joe", "user/joe/a", "user/joe/a/b"] {
        append(&store, text, 300).unwrap();
    }
    let before = names(&store);
    store.close().unwrap();
    before
}

fn open(dir: &Path, disk: Arc<dyn Disk>, boot: u8) -> Arc<Store> {
    let options = StoreOptions { boot_id: Some([boot; 16]), ..options(dir) };
    Store::open(options, disk).unwrap().0
}
