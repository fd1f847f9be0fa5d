//! Quota roots: what they count, what they refuse, and how usage is found again.

use super::*;

#[test]
fn another_quota_root_must_have_room() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    store.create_user("joe", None).unwrap();
    let (joe, admin) = (Access::user("joe"), Access::admin("admin"));
    store.create(&admin, &name("team"), &CreateOptions::default()).unwrap();
    store.set_acl(&admin, &name("team"), &id("joe"), AclMode::Add, rights("k")).unwrap();
    store.set_quota(&name("team"), kib(1)).unwrap();
    for (text, size) in [("user/joe/small", 600), ("user/joe/large", 600)] {
        store.create(&joe, &name(text), &CreateOptions::default()).unwrap();
        append(&store, text, size).unwrap();
    }
    store.rename(&joe, &name("user/joe/small"), &name("team/small")).unwrap();
    assert_eq!(used(&store, "team"), (600, 1));
    assert_eq!(kind(store.rename(&joe, &name("user/joe/large"), &name("team/large"))), ErrorKind::OverQuota);
    assert_eq!(kind(append(&store, "team/small", 600)), ErrorKind::OverQuota);
    assert_eq!(store.row(&name("team/small")).unwrap().quota_root, Some(name("team")));
    check(&store);
}

#[test]
fn roots_take_over_what_lies_below_them() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    store.create_user("joe", kib(100)).unwrap();
    let joe = Access::user("joe");
    for (text, size) in [("user/joe/a", 100), ("user/joe/a/b", 200), ("user/joe/ab", 400)] {
        store.create(&joe, &name(text), &CreateOptions::default()).unwrap();
        append(&store, text, size).unwrap();
    }
    let all =
        || ["user/joe", "user/joe/a", "user/joe/a/b"].map(|root| store.quota(&name(root)).ok().map(|q| q.used.bytes));
    assert_eq!(all(), [Some(700), None, None]);
    store.set_quota(&name("user/joe/a"), kib(50)).unwrap();
    assert_eq!(all(), [Some(400), Some(300), None]);
    store.set_quota(&name("user/joe/a/b"), kib(0)).unwrap();
    assert_eq!(all(), [Some(400), Some(100), Some(200)]);
    assert_eq!(kind(append(&store, "user/joe/a/b", 10)), ErrorKind::OverQuota);
    check(&store);
    store.set_quota(&name("user/joe/a"), None).unwrap();
    assert_eq!(all(), [Some(500), None, Some(200)]);
    store.set_quota(&name("user/joe"), None).unwrap();
    store.set_quota(&name("user/joe/a/b"), None).unwrap();
    assert_eq!(all(), [None, None, None]);
    assert_eq!(kind(store.set_quota(&name("user/joe/none"), kib(1))), ErrorKind::NotFound);
    assert!(std::fs::read_dir(dir.path().join("config/quota/j")).unwrap().next().is_none());
    check(&store);
}

#[test]
fn quota_drift_is_found_and_fixed() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    store.create_user("joe", kib(1)).unwrap();
    append(&store, "user/joe", 500).unwrap();
    store.close().unwrap();
    drop(store);
    let file = dir.path().join("config/quota/j/user.joe");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "500\n1\nM 1 -1\n");
    std::fs::write(&file, "99999\n1\nM 1 -1\n").unwrap();
    let (store, _) = open(dir.path());
    assert_eq!(kind(append(&store, "user/joe", 1)), ErrorKind::OverQuota);
    let mut found = Vec::new();
    for dry_run in [true, false, false] {
        store.fix_quotas("", dry_run, |change| found.push((change.was.bytes, change.now.bytes))).unwrap();
    }
    assert_eq!(found, [(99999, 500), (99999, 500)]);
    append(&store, "user/joe", 100).unwrap();
    assert_eq!(used(&store, "user/joe"), (600, 2));
    check(&store);
}

#[test]
fn usage_is_summed_up_after_a_crash() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    store.create_user("joe", kib(100)).unwrap();
    append(&store, "user/joe", 500).unwrap();
    drop(store);
    std::fs::create_dir_all(dir.path().join("config/quota/j")).unwrap();
    std::fs::write(dir.path().join("config/quota/j/user.joe"), "7\n100\nM 1 -1\n").unwrap();
    let (store, _) = open(dir.path());
    assert_eq!(used(&store, "user/joe"), (500, 1));
    assert_eq!(
        store.check_quota(&name("user/joe/x"), 102_400 - 500, 1, QuotaCheck::Enforce).map_err(|e| e.kind()),
        Ok(())
    );
    assert_eq!(
        kind(store.check_quota(&name("user/joe/x"), 102_401 - 500, 1, QuotaCheck::Enforce)),
        ErrorKind::OverQuota
    );
    check(&store);
}

#[test]
fn copies_into_a_full_mailbox_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    store.create_user("joe", None).unwrap();
    store.create_user("sue", kib(1)).unwrap();
    append(&store, "user/joe", 2000).unwrap();
    let (joe, sue) = (store.mailbox(&name("user/joe")).unwrap(), store.mailbox(&name("user/sue")).unwrap());
    let all: UidSet = joe.read().uids().clone();
    let copy = CopyOptions { reader: "joe", permitted: Permitted::ALL, quota: QuotaCheck::Enforce };
    assert_eq!(kind(joe.copy_to(&all, &sue, &copy)), ErrorKind::OverQuota);
    let late = AppendOptions { quota: QuotaCheck::EnforceAfter, ..AppendOptions::default() };
    sue.append(&[message(&store, 2000).unwrap()], &late).unwrap();
    assert_eq!(kind(sue.append(&[message(&store, 1).unwrap()], &late)), ErrorKind::OverQuota);
    check(&store);
}
