//! Rows and directories that lost each other.

use durable::disk::{Fault, FaultyDisk};

use super::*;

#[test]
fn a_directory_without_a_row_is_not_overwritten() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    store.create_user("joe", None).unwrap();
    let stray = dir.path().join("spool/user/joe/stray");
    std::fs::create_dir(&stray).unwrap();
    std::fs::write(stray.join("7."), "Subject: kept\r\n\r\n").unwrap();
    let joe = Access::user("joe");
    assert_eq!(kind(store.create(&joe, &name("user/joe/stray"), &CreateOptions::default())), ErrorKind::Invalid);
    assert!(stray.join("7.").exists());
    let findings = store.check(&mut |_| {}).unwrap().findings;
    assert_eq!(findings.len(), 1, "{findings:?}");
}

#[test]
fn directories_without_rows_are_listed_again() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    store.create_user("joe", kib(100)).unwrap();
    let joe = Access::user("joe");
    let sent = CreateOptions { special_use: vec![SpecialUse::Sent], ..CreateOptions::default() };
    store.create(&joe, &name("user/joe/a"), &sent).unwrap();
    store.set_acl(&joe, &name("user/joe/a"), &id("sue"), AclMode::Replace, rights("lr")).unwrap();
    append(&store, "user/joe/a", 700).unwrap();
    let before = store.row(&name("user/joe/a")).unwrap();
    store.close().unwrap();
    drop(store);

    // The mailboxes database is lost with all copies: the headers of the mailboxes give it back.
    for lost in ["mailboxes.db", "copies"] {
        std::fs::remove_dir_all(dir.path().join("config").join(lost)).unwrap();
    }
    let repair = StoreOptions { salvage: true, ..options(dir.path()) };
    let (store, _) = Store::open(repair, Arc::new(RealDisk)).unwrap();
    let unlisted = store.unlisted().unwrap();
    assert_eq!(unlisted.len(), 2);
    for found in unlisted {
        let adopted = store.adopt(&found.partition, &found.name.unwrap()).unwrap();
        assert!(found.has_header && adopted.warnings.is_empty(), "{adopted:?}");
    }
    let after = store.row(&name("user/joe/a")).unwrap();
    let kept = |row: &Row| (row.unique_id.clone(), row.uid_validity, row.acl.clone(), row.special_use.clone());
    assert_eq!(kept(&after), kept(&before));
    assert_eq!(store.quota(&name("user/joe")).unwrap().limits.storage_kib, Some(100), "from the quota file");
    assert_eq!(used(&store, "user/joe"), (700, 1));

    // A copy, and a directory of which only message files are left.
    let spool = dir.path().join("spool/user/joe");
    for copy in ["copy", "bare"] {
        std::fs::create_dir(spool.join(copy)).unwrap();
        std::fs::copy(spool.join("a/1."), spool.join(copy).join("7.")).unwrap();
    }
    for file in ["cyrus.header", "cyrus.index", "cyrus.cache", "cyrus.seen"] {
        std::fs::copy(spool.join("a").join(file), spool.join("copy").join(file)).unwrap();
    }
    std::fs::rename(spool.join("copy/7."), spool.join("copy/1.")).unwrap();
    let copy = store.adopt(DEFAULT_PARTITION, &name("user/joe/copy")).unwrap();
    assert_ne!(copy.row.unique_id, after.unique_id);
    assert_eq!((copy.row.acl.clone(), copy.row.special_use.clone()), (after.acl.clone(), vec![]));
    let bare = store.adopt(DEFAULT_PARTITION, &name("user/joe/bare")).unwrap();
    assert_eq!((bare.row.acl.to_string(), bare.warnings.len()), ("joe\tlrswipkxtecdan\t".to_owned(), 2));
    assert_eq!(store.mailbox(&name("user/joe/bare")).unwrap().read().uids().min(), Some(7));
    assert_eq!(used(&store, "user/joe"), (2100, 3));
    assert_eq!(kind(store.adopt(DEFAULT_PARTITION, &name("user/joe/none"))), ErrorKind::NotFound);
    assert_eq!(kind(store.adopt(DEFAULT_PARTITION, &name("user/joe/a"))), ErrorKind::Exists);
    check(&store);
}

#[test]
fn rows_without_directories() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    store.create_user("joe", None).unwrap();
    let joe = Access::user("joe");
    for text in ["user/joe/a", "user/joe/b"] {
        store.create(&joe, &name(text), &CreateOptions::default()).unwrap();
        append(&store, text, 100).unwrap();
        std::fs::remove_dir_all(dir.path().join("spool").join(text)).unwrap();
    }
    store.close().unwrap();
    drop(store);
    let (store, _) = open(dir.path());
    assert_eq!(kind(store.mailbox(&name("user/joe/a"))), ErrorKind::Corrupt);
    let missing: Vec<_> = store.without_directory().unwrap().iter().map(|row| row.name.to_string()).collect();
    assert_eq!(missing, ["user/joe/a", "user/joe/b"]);
    let before = store.row(&name("user/joe/a")).unwrap();
    let after = store.recreate(&name("user/joe/a")).unwrap();
    assert!(after.uid_validity > before.uid_validity && after.unique_id == before.unique_id);
    assert_eq!(store.mailbox(&name("user/joe/a")).unwrap().status().exists, 0);
    store.drop_row(&name("user/joe/b")).unwrap();
    assert_eq!(names(&store), ["user/joe", "user/joe/a"]);
    assert_eq!(kind(store.drop_row(&name("user/joe/a"))), ErrorKind::Invalid);
    check(&store);
}

#[test]
fn what_was_under_way_can_be_left_as_it_is() {
    let template = tempfile::tempdir().unwrap();
    let (store, _) = open(template.path());
    store.create_user("joe", None).unwrap();
    store.create(&Access::user("joe"), &name("user/joe/a"), &CreateOptions::default()).unwrap();
    store.close().unwrap();
    drop(store);
    let (mut unfinished, mut step) = (0, 0);
    loop {
        step += 1;
        let dir = tempfile::tempdir().unwrap();
        crashes::copy_tree(template.path(), dir.path());
        let disk = Arc::new(FaultyDisk::new(Arc::new(RealDisk)));
        let (store, _) = Store::open(options(dir.path()), Arc::clone(&disk) as _).unwrap();
        disk.set_fault(Some(Fault::Crash { at: disk.changes() + step, torn: 0 }));
        let joe = Access::user("joe");
        let made = store.create(&joe, &name("user/joe/new"), &CreateOptions::default());
        let renamed = store.rename(&joe, &name("user/joe/a"), &name("user/joe/b"));
        drop(store);
        if made.is_ok() && renamed.is_ok() {
            break;
        }
        let only_look = StoreOptions { leave_unfinished: true, ..options(dir.path()) };
        let (store, report) = Store::open(only_look, Arc::new(RealDisk)).unwrap();
        assert_eq!(report.completed, [""; 0], "step {step}");
        store.close().unwrap();
        drop(store);
        let (store, next) = open(dir.path());
        assert!(next.unfinished.is_empty());
        assert_eq!(next.completed.len(), report.unfinished.len(), "step {step}: {next:?}, {report:?}");
        check(&store);
        unfinished += report.unfinished.len();
    }
    assert!(unfinished > 5, "{unfinished} in {step} steps");
}
