//! Many sessions in one quota root: whatever they do at the same time, the root says what its mailboxes use, and a limit is a
//! limit.

use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use super::*;

/// Messages that bring the root to its limit, to the octet.
const SIZE: usize = 128;

/// A store with joe's mailboxes and nobody's else.
fn site(dir: &Path, limit: Option<QuotaLimits>, folders: &[&str]) -> Arc<Store> {
    let (store, _) = open(dir);
    store.create_user("joe", limit).unwrap();
    for folder in folders {
        store.create(&Access::user("joe"), &name(folder), &CreateOptions::default()).unwrap();
    }
    store
}

fn send(store: &Store, folder: &str, size: usize, quota: QuotaCheck) -> Result<()> {
    let options = AppendOptions { quota, ..AppendOptions::default() };
    store.mailbox(&name(folder))?.append(&[message(store, size)?], &options).map(drop)
}

/// Numbers that look as if by chance, the same in each run.
struct Dice(NonZeroU64);

impl Dice {
    fn of(thread: u64) -> Dice {
        Dice(NonZeroU64::MIN.saturating_add(thread.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
    }

    /// One of `sides`, from 0.
    fn roll(&mut self, sides: u64) -> u64 {
        let mut x = self.0.get();
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        self.0 = NonZeroU64::new(x).unwrap();
        x % sides
    }
}

/// Rounds of each thread; more by `QUOTA_ROUNDS`.
fn rounds() -> u64 {
    std::env::var("QUOTA_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(60)
}

/// What the root believes is what its mailboxes use, by their indexes and by a recount of records and files.
fn assert_no_drift(store: &Store, root: &str) {
    let ledger = store.quota_ledger(&name(root), 0).unwrap();
    assert!(ledger.is_right(), "{ledger:?}");
    let sum = ledger.folders.iter().fold(QuotaUsed::default(), |sum, folder| sum.plus(folder.used));
    assert_eq!(sum, ledger.counted);
    let mut found = Vec::new();
    let deep = QuotaRepair { deep: true, dry_run: true, ..QuotaRepair::default() };
    store
        .repair_quotas(&deep, &mut |_| true, &mut |finding| {
            found.push(finding.to_string());
            true
        })
        .unwrap();
    assert_eq!(found, [""; 0]);
    check(store);
}

/// [QUO-2] [QUO-5] Appends of as many sessions as one likes fill a root to its last octet and not beyond.
#[test]
fn a_limit_is_met_exactly() {
    let folders = ["user/joe", "user/joe/a", "user/joe/b"];
    for limits in [
        QuotaLimits { storage_kib: Some(8), messages: None },
        QuotaLimits { storage_kib: None, messages: Some(64) },
        QuotaLimits { storage_kib: Some(8), messages: Some(64) },
    ] {
        let dir = tempfile::tempdir().unwrap();
        let store = site(dir.path(), Some(limits), &folders[1..]);
        let taken = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for thread in 0..6 {
                let (store, taken) = (&store, &taken);
                scope.spawn(move || {
                    loop {
                        match send(store, folders[thread % 3], SIZE, QuotaCheck::Enforce) {
                            Ok(()) => taken.fetch_add(1, Ordering::Relaxed),
                            Err(error) => break assert_eq!(error.kind(), ErrorKind::OverQuota),
                        };
                    }
                });
            }
        });
        assert_eq!((taken.into_inner(), used(&store, "user/joe")), (64, (8192, 64)), "{limits:?}");
        assert_no_drift(&store, "user/joe");
    }
}

/// [QUO-6] Deliveries that begin within the limit are taken, so usage goes beyond it by one message at most, however many
/// begin at once.
#[test]
fn deliveries_overshoot_by_one_message() {
    let dir = tempfile::tempdir().unwrap();
    let folders = ["user/joe", "user/joe/a", "user/joe/b", "user/joe/c"];
    let store = site(dir.path(), kib(4), &folders[1..]);
    for large in [1000, 1500, 3000] {
        std::thread::scope(|scope| {
            for folder in folders {
                let store = &store;
                scope.spawn(move || while send(store, folder, large, QuotaCheck::EnforceAfter).is_ok() {});
            }
        });
        let (bytes, _) = used(&store, "user/joe");
        assert!(bytes > 4096 && bytes <= 4096 + large as u64, "{bytes} with messages of {large}");
        assert_no_drift(&store, "user/joe");
        for folder in folders {
            let mailbox = store.mailbox(&name(folder)).unwrap();
            let all = mailbox.read().uids().clone();
            mailbox.remove_messages(&all).unwrap();
        }
        assert_eq!(used(&store, "user/joe"), (0, 0));
    }
}

/// Appends, copies, moves, expunges, renames within the root, and looks at it, all at once and close to the limit.
#[test]
fn what_sessions_do_at_once_leaves_no_drift() {
    const LIMIT: u64 = 16 * 1024;
    let dir = tempfile::tempdir().unwrap();
    let folders = ["user/joe", "user/joe/a", "user/joe/b", "user/joe/c"];
    let store = site(dir.path(), kib(LIMIT / 1024), &folders[1..]);
    let (most, refused) = (AtomicU64::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for thread in 0..6 {
            let (store, most, refused) = (&store, &most, &refused);
            scope.spawn(move || {
                let mut dice = Dice::of(thread);
                for _ in 0..rounds() {
                    let mut folder = || folders[dice.roll(4) as usize];
                    let (from, to) = (folder(), folder());
                    let done = match thread {
                        5 => rename(store, from),
                        _ => session(store, from, to, dice.roll(8), 64 + dice.roll(900) as usize),
                    };
                    match done.map_err(|error| error.kind()) {
                        Ok(()) => {}
                        Err(ErrorKind::OverQuota) => drop(refused.fetch_add(1, Ordering::Relaxed)),
                        // Another one has renamed the folder or expunged the message meanwhile, or the folder is itself.
                        Err(ErrorKind::NotFound | ErrorKind::Exists | ErrorKind::Invalid | ErrorKind::Expunged) => {}
                        Err(other) => panic!("{other:?}: {from} {to}"),
                    }
                    most.fetch_max(used(store, "user/joe").0, Ordering::Relaxed);
                }
            });
        }
        scope.spawn(|| {
            for _ in 0..rounds() {
                assert!(store.quota_ledger(&name("user/joe"), 3).unwrap().is_right());
            }
        });
    });
    assert!(refused.into_inner() > 0, "the limit was never met");
    let most = most.into_inner();
    assert!(most <= LIMIT && most > LIMIT / 2, "{most}");
    assert_no_drift(&store, "user/joe");
    drop(store);
    // By the mailboxes alone, as after a crash.
    let (store, report) = open(dir.path());
    assert!(!report.clean);
    assert_no_drift(&store, "user/joe");
}

/// Folders go back and forth between two roots, and a root comes and goes above one of them, while all of them are written to.
#[test]
fn what_changes_its_root_takes_its_charge_along() {
    let dir = tempfile::tempdir().unwrap();
    let store = site(dir.path(), kib(1 << 20), &["user/joe/a", "user/joe/b"]);
    let admin = Access::admin("admin");
    store.create(&admin, &name("team"), &CreateOptions::default()).unwrap();
    store.set_acl(&admin, &name("team"), &id("joe"), AclMode::Add, rights("lrswipkxte")).unwrap();
    store.set_quota(&name("team"), kib(1 << 20)).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..3 {
            let store = &store;
            scope.spawn(move || {
                let mut dice = Dice::of(thread);
                for _ in 0..rounds() {
                    let names = ["user/joe/a", "user/joe/b", "team/a"];
                    let folder = names[dice.roll(3) as usize];
                    match session(store, folder, "user/joe", dice.roll(6), 64 + dice.roll(900) as usize) {
                        Ok(()) => {}
                        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Expunged) => {}
                        Err(error) => panic!("{error}"),
                    }
                }
            });
        }
        scope.spawn(|| {
            let joe = Access::user("joe");
            for _ in 0..rounds() / 4 {
                store.rename(&joe, &name("user/joe/a"), &name("team/a")).unwrap();
                store.set_quota(&name("user/joe/b"), kib(1 << 20)).unwrap();
                store.rename(&joe, &name("team/a"), &name("user/joe/a")).unwrap();
                store.set_quota(&name("user/joe/b"), None).unwrap();
            }
        });
    });
    for root in ["user/joe", "team"] {
        assert_no_drift(&store, root);
    }
    assert_eq!(used(&store, "team"), (0, 0));
}

/// One thing that a session does with two folders.
fn session(store: &Store, from: &str, to: &str, what: u64, size: usize) -> Result<()> {
    let (from, to) = (store.mailbox(&name(from))?, store.mailbox(&name(to))?);
    let first: UidSet = from.read().uids().iter().take(2).collect();
    let copy = CopyOptions { reader: "joe", permitted: Permitted::ALL, quota: QuotaCheck::Enforce };
    match what {
        0 => from.remove_messages(&first).map(drop),
        1 => from.copy_to(&first, &to, &copy).map(drop),
        2 if !Arc::ptr_eq(&from, &to) => from.move_to(&first, &to, &copy).map(drop),
        _ => from.append(&[message(store, size)?], &AppendOptions::default()).map(drop),
    }
}

/// There and back again; the INBOX stays.
fn rename(store: &Store, folder: &str) -> Result<()> {
    if folder == "user/joe" {
        return Ok(());
    }
    let (joe, here, away) = (Access::user("joe"), name(folder), name(&format!("{folder}-away")));
    store.rename(&joe, &here, &away)?;
    store.rename(&joe, &away, &here)
}
