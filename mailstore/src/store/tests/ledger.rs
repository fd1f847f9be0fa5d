//! What the folders below a quota root use, told one by one.

use super::*;
use crate::store::quota_repair::side_by_side;

fn folders(ledger: &QuotaLedger) -> Vec<(&str, u64, u64, u64)> {
    let row = |folder: &'_ FolderUse| (folder.used.bytes, folder.used.messages, folder.expunged.bytes);
    let rows = ledger.folders.iter().map(|folder| (folder.mailbox.as_str(), row(folder)));
    rows.map(|(name, (bytes, messages, expunged))| (name, bytes, messages, expunged)).collect()
}

#[test]
fn folders_are_told_with_what_is_kept_in_them() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    store.create_user("joe", kib(100)).unwrap();
    store.create_user("joey", kib(100)).unwrap();
    let joe = Access::user("joe");
    for folder in ["user/joe/a", "user/joe/a/b", "user/joe/own", "user/joe/own/c"] {
        store.create(&joe, &name(folder), &CreateOptions::default()).unwrap();
    }
    store.set_quota(&name("user/joe/own"), kib(10)).unwrap();
    for (folder, size) in [
        ("user/joe", 100),
        ("user/joe/a", 300),
        ("user/joe/a", 400),
        ("user/joe/a/b", 500),
        ("user/joe/own/c", 900),
        ("user/joey", 5000),
    ] {
        append(&store, folder, size).unwrap();
    }
    let a = store.mailbox(&name("user/joe/a")).unwrap();
    let before: UidSet = a.read().uids().clone();
    a.remove_messages(&before).unwrap();
    append(&store, "user/joe/a", 250).unwrap();
    store.settle();
    let open_or_closed = |store: &Store| {
        let ledger = store.quota_ledger(&name("user/joe"), 2).unwrap();
        assert!(ledger.is_right());
        assert_eq!(
            folders(&ledger),
            [("user/joe/a/b", 500, 1, 0), ("user/joe/a", 250, 1, 700), ("user/joe", 100, 1, 0)],
            "the largest first; not of another root, nor of somebody of nearly that name"
        );
        assert_eq!(ledger.counted, QuotaUsed { bytes: 850, messages: 3 });
        let usage = ledger.usage.unwrap();
        assert_eq!((usage.used, usage.limits.storage_kib), (ledger.counted, Some(100)));
        let largest: Vec<_> = ledger.largest.iter().map(|m| (m.mailbox.as_str(), m.uid, m.size)).collect();
        assert_eq!(largest, [("user/joe/a/b", 1, 500), ("user/joe/a", 3, 250)], "what is expunged is none");
        assert!(ledger.largest.iter().all(|message| message.internal_date > 1_700_000_000));
    };
    open_or_closed(&store);
    // Without a root: whatever lies there, whoever is charged for it.
    store.set_quota(&name("user/joe"), None).unwrap();
    let ledger = store.quota_ledger(&name("user/joe"), 0).unwrap();
    assert_eq!((ledger.usage, ledger.counted.bytes, ledger.folders.len()), (None, 1750, 5));
    assert_eq!(ledger.largest, []);
    assert_eq!(kind(store.quota_ledger(&name("user/nobody"), 0)), ErrorKind::NotFound);
    store.set_quota(&name("user/joe"), kib(100)).unwrap();
    drop(a);
    store.close().unwrap();
    drop(store);
    let (store, _) = open(dir.path());
    open_or_closed(&store);
    // What the root says is not what its mailboxes use.
    store.roots.loaded(&name("user/joe")).unwrap().take_over(QuotaUsed { bytes: 1000, messages: 2 });
    let ledger = store.quota_ledger(&name("user/joe"), 0).unwrap();
    assert!(!ledger.is_right());
    assert_eq!((ledger.usage.unwrap().used.bytes, ledger.counted.bytes), (1850, 850));
    assert_eq!(used(&store, "user/joe"), (1850, 5), "nothing is changed by looking");
    // A folder without an index has nothing to tell.
    std::fs::remove_file(dir.path().join("spool/user/joe/a/b/cyrus.index")).unwrap();
    assert_eq!(store.quota_ledger(&name("user/joe"), 9).unwrap().counted.bytes, 350);
}

#[test]
fn many_are_looked_at_side_by_side() {
    for count in [0, 1, 255, 256, 257, 5000] {
        let mut items: Vec<usize> = (0..count).collect();
        side_by_side(&mut items, |item| *item += 1).unwrap();
        assert!(items.into_iter().eq(1..=count), "{count}");
    }
}
