//! Quota roots: what they count, what they refuse, and how usage is found again.

use super::*;
use crate::RepairOptions;
use crate::list::Change;

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

/// After an orderly stop the quota file is believed; what a mailbox without an index was charged for is in it.
#[test]
fn a_mailbox_that_is_made_anew_is_charged_once() {
    for by_repair in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let (store, _) = open(dir.path());
        store.create_user("joe", kib(100)).unwrap();
        store.create(&Access::user("joe"), &name("user/joe/a"), &CreateOptions::default()).unwrap();
        append(&store, "user/joe", 100).unwrap();
        append(&store, "user/joe/a", 200).unwrap();
        store.close().unwrap();
        drop(store);
        std::fs::remove_file(dir.path().join("spool/user/joe/a/cyrus.index")).unwrap();
        let (store, _) = open(dir.path());
        if by_repair {
            store.reconstruct(&name("user/joe/a"), &RepairOptions::default()).unwrap();
        } else {
            store.mailbox(&name("user/joe/a")).unwrap();
        }
        assert_eq!(used(&store, "user/joe"), (300, 2), "by reconstruct: {by_repair}");
        check(&store);
    }
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
    let lines = |dry_run| repaired(&store, &QuotaRepair { dry_run, ..QuotaRepair::default() });
    assert_eq!(lines(true), ["user/joe: usage was 99999, now 500"]);
    assert_eq!(lines(false), ["user/joe: usage was 99999, now 500"]);
    assert_eq!(lines(false), [""; 0]);
    // The file alone, while the server knows better; a file that is gone comes back without a word.
    std::fs::write(&file, "1\n1\nM 1 -1\n").unwrap();
    assert_eq!(lines(false), ["user/joe: usage was 1, now 500"]);
    std::fs::remove_file(&file).unwrap();
    assert_eq!(lines(false), [""; 0]);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "500\n1\nM 1 -1\n");
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
fn a_usage_that_nobody_wanted_since_a_crash_is_not_believed() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    store.create_user("joe", kib(100)).unwrap();
    store.create_user("sue", kib(100)).unwrap();
    store.close().unwrap();
    drop(store);
    let (store, _) = open(dir.path());
    append(&store, "user/joe", 500).unwrap();
    drop(store);
    // A crash; then a run that needs no quota of joe's, and ends in order.
    std::fs::write(dir.path().join("config/quota/j/user.joe"), "7\n100\nM 1 -1\n").unwrap();
    for _ in 0..2 {
        let (store, _) = open(dir.path());
        assert_eq!(used(&store, "user/sue"), (0, 0));
        store.close().unwrap();
    }
    let (store, report) = open(dir.path());
    assert!(report.clean);
    assert_eq!((used(&store, "user/joe"), used(&store, "user/sue")), ((500, 1), (0, 0)));
    store.close().unwrap();
    drop(store);
    assert_eq!(std::fs::metadata(dir.path().join("config/store.clean")).unwrap().len(), 0, "all were counted");
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

/// What a repair says.
fn repaired(store: &Store, request: &QuotaRepair) -> Vec<String> {
    let mut lines = Vec::new();
    store
        .repair_quotas(request, &mut |_| true, &mut |finding| {
            lines.push(finding.to_string());
            true
        })
        .unwrap();
    lines
}

#[test]
fn roots_of_rows_are_put_right_and_roots_of_nothing_go() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    store.create_user("joe", kib(100)).unwrap();
    store.create_user("sue", kib(50)).unwrap();
    append(&store, "user/joe", 500).unwrap();
    // What no operation of ours leaves behind.
    let wrong = Row { quota_root: Some(name("user/sue")), ..Row::clone(&store.row(&name("user/joe")).unwrap()) };
    let lost = QuotaLimits { storage_kib: Some(7), messages: None };
    store.commit(vec![Change::Put(wrong), Change::Limits(name("user/gone"), Some(lost))]).unwrap();
    std::fs::create_dir_all(dir.path().join("config/quota/a")).unwrap();
    std::fs::write(dir.path().join("config/quota/a/user.ann"), "5\n5\n").unwrap();
    let all = ["user/joe: quota root user/sue --> user/joe", "user/gone: removed", "user.ann: removed"];
    let request = QuotaRepair { dry_run: true, ..QuotaRepair::default() };
    let dry = repaired(&store, &request);
    assert!(all.iter().all(|line| dry.iter().any(|said| said == line)), "{dry:?}");
    assert!(dir.path().join("config/quota/a/user.ann").exists());
    let mut real = repaired(&store, &QuotaRepair::default());
    real.retain(|line| !line.contains("usage"));
    assert_eq!(real, all);
    assert!(!dir.path().join("config/quota/a/user.ann").exists());
    assert_eq!((used(&store, "user/joe"), used(&store, "user/sue")), ((500, 1), (0, 0)));
    assert_eq!(repaired(&store, &QuotaRepair::default()), [""; 0]);
    check(&store);
}

#[test]
fn deep_repair_adds_up_records_and_files() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    store.create_user("joe", kib(100)).unwrap();
    for size in [300, 400, 500] {
        append(&store, "user/joe", size).unwrap();
    }
    let mailbox = dir.path().join("spool/user/joe");
    std::fs::write(mailbox.join("2."), "short").unwrap();
    std::fs::remove_file(mailbox.join("3.")).unwrap();
    let deep = QuotaRepair { deep: true, ..QuotaRepair::default() };
    let expected = [
        "user/joe uid 2: index says 400 bytes, the file has 5: run reconstruct",
        "user/joe uid 3: no file: run reconstruct",
    ];
    assert_eq!(repaired(&store, &deep), expected);
    store.mailbox(&name("user/joe")).unwrap().spoil_counters(9);
    assert_eq!(repaired(&store, &deep)[0], "user/joe: index says 1209 bytes in 3 messages, records say 1200 in 3");
    assert_eq!(repaired(&store, &deep), expected);
    assert_eq!(used(&store, "user/joe"), (1200, 3));
}

#[test]
fn mail_that_arrives_during_a_repair_counts_once() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    store.create_user("joe", kib(1 << 20)).unwrap();
    let folders = ["user/joe", "user/joe/a", "user/joe/b"];
    for folder in &folders[1..] {
        store.create(&Access::user("joe"), &name(folder), &CreateOptions::default()).unwrap();
    }
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let deliveries: Vec<_> = folders
            .into_iter()
            .map(|folder| {
                let store = &store;
                scope.spawn(move || {
                    for round in 0..40 {
                        let mailbox = store.mailbox(&name(folder)).unwrap();
                        let mut message = message(store, 100 + round).unwrap();
                        if round % 4 == 1 {
                            message.flags = SystemFlags::DELETED;
                        }
                        mailbox.append(&[message], &AppendOptions::default()).unwrap();
                        if round % 4 == 3 {
                            mailbox.expunge(None).unwrap();
                        }
                    }
                })
            })
            .collect();
        scope.spawn(|| {
            let mut rounds = 0;
            while !done.load(Ordering::Acquire) || rounds < 20 {
                // The usage is right all the time, so nothing is ever found.
                let lines = repaired(&store, &QuotaRepair::default());
                assert_eq!(lines, [""; 0], "round {rounds}");
                rounds += 1;
            }
        });
        deliveries.into_iter().for_each(|thread| thread.join().unwrap());
        done.store(true, Ordering::Release);
    });
    check(&store);
}

#[test]
fn a_drift_is_corrected_while_mail_arrives() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    store.create_user("joe", kib(1 << 20)).unwrap();
    std::thread::scope(|scope| {
        let delivery = scope.spawn(|| (0..60).for_each(|_| append(&store, "user/joe", 100).unwrap()));
        for _ in 0..10 {
            // As a lost update would leave it.
            store.roots.loaded(&name("user/joe")).unwrap().take_over(QuotaUsed { bytes: 7777, messages: 7 });
            assert_eq!(repaired(&store, &QuotaRepair::default()).len(), 1);
        }
        delivery.join().unwrap();
    });
    assert_eq!(used(&store, "user/joe"), (6000, 60));
    check(&store);
}
