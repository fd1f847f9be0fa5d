//! The store on a real disk: what its operations do, who may do them, and what a start makes of what it finds.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use durable::disk::RealDisk;

use super::*;
use crate::acl::{AclMode, Identifier};
use crate::error::ErrorKind;
use crate::flags::SystemFlags;
use crate::mailbox::{CopyOptions, Permitted};
use crate::quota::{QuotaCheck, QuotaLimits, QuotaUsed};
use crate::special_use::SpecialUse;
use crate::uid_set::UidSet;

pub(super) fn name(text: &str) -> MailboxName {
    MailboxName::parse(text).unwrap()
}

pub(super) fn rights(text: &str) -> Rights {
    Rights::parse(text).unwrap()
}

fn id(text: &str) -> Identifier {
    Identifier::parse(text).unwrap()
}

pub(super) fn options(dir: &Path) -> StoreOptions {
    let layout = Layout::new(dir.join("config"), dir.join("spool"));
    StoreOptions { create: true, sync_window: Duration::from_millis(1), ..StoreOptions::new(layout) }
}

pub(super) fn open(dir: &Path) -> (Arc<Store>, OpenReport) {
    Store::open(options(dir), Arc::new(RealDisk)).unwrap()
}

pub(super) fn message(store: &Store, size: usize) -> Result<NewMessage> {
    let mut writer = store.stage(DEFAULT_PARTITION)?;
    let mut text = b"Subject: x\r\n\r\n".to_vec();
    text.resize(size, b'y');
    writer.write(&text)?;
    Ok(NewMessage {
        staged: Arc::new(writer.finish()?),
        internal_date: Timestamp::now(),
        flags: SystemFlags::NONE,
        keywords: Vec::new(),
        seen: false,
    })
}

pub(super) fn append(store: &Store, mailbox: &str, size: usize) -> Result<()> {
    let mailbox = store.mailbox(&name(mailbox))?;
    mailbox.append(&[message(store, size)?], &AppendOptions::default()).map(drop)
}

pub(super) fn names(store: &Store) -> Vec<String> {
    let mut all = Vec::new();
    store.list("", |name, _| {
        all.push(name.to_string());
        ControlFlow::Continue(())
    });
    all
}

fn used(store: &Store, root: &str) -> (u64, u64) {
    let QuotaUsed { bytes, messages } = store.quota(&name(root)).unwrap().used;
    (bytes, messages)
}

fn kib(storage_kib: u64) -> Option<QuotaLimits> {
    Some(QuotaLimits { storage_kib: Some(storage_kib), messages: None })
}

fn kind<T: std::fmt::Debug>(result: Result<T>) -> ErrorKind {
    result.unwrap_err().kind()
}

fn check(store: &Store) {
    let report = store.check(&mut |_| {}).unwrap();
    assert_eq!(report.findings, [], "the store is in order");
}

#[test]
fn mailboxes_live_through_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let (store, report) = open(dir.path());
    assert!(report.created);
    store.create_user("joe", kib(100)).unwrap();
    let joe = Access::user("joe");
    let drafts = CreateOptions { special_use: vec![SpecialUse::Drafts], ..CreateOptions::default() };
    store.create(&joe, &name("user/joe/Drafts"), &drafts).unwrap();
    append(&store, "user/joe", 1000).unwrap();
    append(&store, "user/joe/Drafts", 500).unwrap();
    let before = (store.row(&name("user/joe/Drafts")), used(&store, "user/joe"));
    check(&store);
    store.close().unwrap();
    assert_eq!(kind(store.mailbox(&name("user/joe/Drafts"))), ErrorKind::Unavailable);

    let (store, report) = open(dir.path());
    assert!(report.clean && !report.created);
    assert_eq!(names(&store), ["user/joe", "user/joe/Drafts"]);
    assert_eq!((store.row(&name("user/joe/Drafts")), used(&store, "user/joe")), before);
    assert_eq!(before.1, (1500, 2));
    assert_eq!(store.mailbox(&name("user/joe")).unwrap().status().exists, 1);
    assert_eq!(store.subscriptions("joe").unwrap(), [name("user/joe")]);
    check(&store);
}

#[test]
fn a_store_has_one_owner() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    let error = Store::open(options(dir.path()), Arc::new(RealDisk)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InUse);
    assert!(error.to_string().contains(&format!("pid {}", std::process::id())), "{error}");
    drop(store);
    assert!(!open(dir.path()).1.clean);
}

#[test]
fn a_missing_mailboxes_database_is_not_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    store.create_user("joe", None).unwrap();
    store.close().unwrap();
    drop(store);
    std::fs::remove_dir_all(dir.path().join("config/mailboxes.db")).unwrap();
    std::fs::remove_dir_all(dir.path().join("config/copies")).unwrap();
    assert_eq!(kind(Store::open(options(dir.path()), Arc::new(RealDisk))), ErrorKind::Unavailable);
}

#[test]
fn who_may_create() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    store.create_user("joe", None).unwrap();
    let (joe, sue, admin) = (Access::user("joe"), Access::user("sue"), Access::admin("admin"));
    let rows: &[(&Access, &str, Option<ErrorKind>)] = &[
        (&joe, "user/joe/a", None),
        (&joe, "user/joe/a", Some(ErrorKind::Exists)),
        (&joe, "user/joe/x/y/z", None),
        (&joe, "team", Some(ErrorKind::Denied)),
        (&joe, "user/joe", Some(ErrorKind::Denied)),
        (&joe, "user/sue", Some(ErrorKind::Denied)),
        (&joe, "user/sue/a", Some(ErrorKind::Denied)),
        (&sue, "user/joe/b", Some(ErrorKind::Denied)),
        (&sue, "user/joe/a", Some(ErrorKind::Denied)),
        (&admin, "user/bob/a", Some(ErrorKind::NotFound)),
        (&admin, "user/bob", None),
        (&admin, "team", None),
        (&admin, "DELETED/team", Some(ErrorKind::Denied)),
        (&joe, "team/x", Some(ErrorKind::Denied)),
        (&admin, "team/x", None),
    ];
    for (access, text, expected) in rows {
        let created = store.create(access, &name(text), &CreateOptions::default());
        assert_eq!(created.err().map(|error| error.kind()), *expected, "{} {text}", access.user);
    }
    let acl = |text: &str| store.row(&name(text)).unwrap().acl.to_string();
    assert_eq!(acl("user/joe/a"), "joe\tlrswipkxtecdan\t");
    assert_eq!(acl("user/bob"), "bob\tlrswipkxtecdan\t");
    assert_eq!((acl("team"), acl("team/x")), ("anyone\tlrs\t".into(), "anyone\tlrs\t".into()));
    check(&store);
}

#[test]
fn what_may_not_be_seen_does_not_exist() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    store.create_user("joe", None).unwrap();
    let (joe, sue) = (Access::user("joe"), Access::user("sue"));
    let inbox = name("user/joe");
    let all = |store: &Store, access: &Access, of: &MailboxName| {
        [
            kind(store.open_for(access, of, Rights::READ)),
            kind(store.acl(access, of)),
            kind(store.list_rights(access, of, &id("bob"))),
            kind(store.set_acl(access, of, &id("sue"), AclMode::Replace, rights("lr"))),
            kind(store.delete_acl(access, of, &id("joe"))),
            kind(store.delete(access, of)),
            kind(store.rename(access, of, &name("team"))),
            kind(store.check_post(access, &of.child("x").unwrap())),
        ]
    };
    assert_eq!(all(&store, &sue, &inbox), all(&store, &sue, &name("user/nobody")));
    assert_eq!(kind(store.my_rights(&sue, &inbox)), ErrorKind::NotFound);
    store.set_acl(&joe, &inbox, &id("sue"), AclMode::Add, rights("l")).unwrap();
    assert_eq!(kind(store.open_for(&sue, &inbox, Rights::READ)), ErrorKind::Denied);
    assert_eq!(kind(store.acl(&sue, &inbox)), ErrorKind::Denied);
    assert_eq!(store.my_rights(&sue, &inbox).unwrap(), rights("l"));
    store.set_acl(&joe, &inbox, &id("sue"), AclMode::Add, rights("r")).unwrap();
    assert_eq!(store.open_for(&sue, &inbox, Rights::READ).unwrap().1, rights("lr"));
    // Everybody's mail reaches an INBOX.
    store.check_post(&Access::anonymous(), &inbox).unwrap();
    check(&store);
}

#[test]
fn a_list_is_kept_in_the_mailbox_too() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    store.create_user("joe", None).unwrap();
    let inbox = name("user/joe");
    store.set_acl(&Access::user("joe"), &inbox, &id("sue"), AclMode::Replace, rights("lrs")).unwrap();
    let header = std::fs::read(dir.path().join("spool/user/joe/cyrus.header")).unwrap();
    assert!(String::from_utf8_lossy(&header).contains("\njoe\tlrswipkxtecdan\tsue\tlrs\t\n"));
    drop(store);
    let (store, _) = open(dir.path());
    assert_eq!(store.acl(&Access::user("joe"), &inbox).unwrap().entry(&id("sue")), rights("lrs"));
}

#[test]
fn deleting_puts_aside_and_purging_removes() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    store.create_user("joe", kib(100)).unwrap();
    let (joe, admin) = (Access::user("joe"), Access::admin("admin"));
    for text in ["user/joe/a", "user/joe/a/b"] {
        store.create(&joe, &name(text), &CreateOptions::default()).unwrap();
        append(&store, text, 700).unwrap();
    }
    let held = store.mailbox(&name("user/joe/a")).unwrap();
    store.delete(&joe, &name("user/joe/a")).unwrap();
    assert!(held.is_gone());
    assert_eq!(kind(held.append(&[message(&store, 100).unwrap()], &AppendOptions::default())), ErrorKind::NotFound);
    assert_eq!(used(&store, "user/joe"), (700, 1));
    assert_eq!(store.mailbox(&name("user/joe/a/b")).unwrap().status().exists, 1, "what is below stays");
    // Deleted twice within the same second.
    store.create(&joe, &name("user/joe/a"), &CreateOptions::default()).unwrap();
    store.delete(&joe, &name("user/joe/a")).unwrap();
    let aside: Vec<_> = names(&store).into_iter().filter(|name| name.starts_with("DELETED/user/joe/a/")).collect();
    assert_eq!(aside.len(), 2);
    check(&store);

    // Hidden from its owner, not from administrators, who can take it back.
    assert_eq!(kind(store.my_rights(&joe, &name(&aside[0]))), ErrorKind::NotFound);
    store.set_acl(&admin, &name(&aside[0]), &id("admin"), AclMode::Add, rights("x")).unwrap();
    store.rename(&admin, &name(&aside[0]), &name("user/joe/back")).unwrap();
    assert_eq!(used(&store, "user/joe"), (1400, 2));
    assert_eq!(store.mailbox(&name("user/joe/back")).unwrap().status().exists, 1);
    check(&store);

    assert_eq!(store.purge_deleted(0).unwrap(), 0);
    assert_eq!(store.purge_deleted(now() + 100).unwrap(), 1);
    assert_eq!(names(&store), ["user/joe", "user/joe/a/b", "user/joe/back"]);
    assert!(!dir.path().join("spool/DELETED/user/joe").exists());
    assert_eq!(used(&store, "user/joe"), (1400, 2));
    check(&store);
}

#[test]
fn inboxes_are_deleted_by_administrators_only() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    let admin = Access::admin("admin");
    for user in ["joe", "joey", "sue"] {
        store.create_user(user, kib(10)).unwrap();
    }
    store.create(&Access::user("joe"), &name("user/joe/a"), &CreateOptions::default()).unwrap();
    store.set_quota(&name("user/joe/a"), kib(5)).unwrap();
    for (id, of) in [("joe", "user/sue"), ("-joe", "user/sue"), ("joey", "user/sue"), ("joe", "user/joey")] {
        let owner = Access::user(name(of).owner().unwrap());
        let id = Identifier::parse(id).unwrap();
        store.set_acl(&owner, &name(of), &id, AclMode::Replace, rights("lr")).unwrap();
    }
    assert_eq!(kind(store.delete(&Access::user("joe"), &name("user/joe"))), ErrorKind::Invalid);
    assert_eq!(kind(store.delete(&admin, &name("user/joe"))), ErrorKind::Denied, "no implicit x");
    store.set_acl(&admin, &name("user/joe"), &id("admin"), AclMode::Add, rights("x")).unwrap();
    store.delete(&admin, &name("user/joe")).unwrap();
    let left: Vec<_> = names(&store).into_iter().filter(|name| !name.starts_with("DELETED/user/joe/")).collect();
    assert_eq!(left, ["user/joey", "user/sue"]);
    assert_eq!(store.quota_roots().len(), 2);
    assert_eq!(store.subscriptions("joe").unwrap(), []);
    let acl = |of: &str| store.row(&name(of)).unwrap().acl.to_string();
    assert_eq!(acl("user/sue"), "sue\tlrswipkxtecdan\tjoey\tlr\t");
    assert_eq!(acl("user/joey"), "joey\tlrswipkxtecdan\t");
    assert!(!dir.path().join("spool/user/joe").exists());
    store.delete_user("joe").unwrap();
    store.create_user("joe", None).unwrap();
    assert_eq!(store.mailbox(&name("user/joe")).unwrap().status().exists, 0);
    check(&store);
}

#[test]
fn a_tree_is_renamed_whole() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    store.create_user("joe", kib(100)).unwrap();
    let joe = Access::user("joe");
    for text in ["user/joe/a", "user/joe/a/b/c", "user/joe/ab"] {
        store.create(&joe, &name(text), &CreateOptions::default()).unwrap();
        append(&store, text, 300).unwrap();
    }
    store.set_quota(&name("user/joe/a/b/c"), kib(1)).unwrap_or_default();
    assert_eq!((used(&store, "user/joe"), used(&store, "user/joe/a/b/c")), ((600, 2), (300, 1)));
    let (held, before) = (store.mailbox(&name("user/joe/a")).unwrap(), store.row(&name("user/joe/a")).unwrap());
    for (old, new, expected) in [
        ("user/joe/a", "user/joe/a/x", ErrorKind::Invalid),
        ("user/joe/a/b/c", "user/joe/a/b", ErrorKind::Invalid),
        ("user/joe/a", "user/joe/ab", ErrorKind::Exists),
        ("user/joe/none", "user/joe/x", ErrorKind::NotFound),
        ("user/joe/a", "team", ErrorKind::Denied),
    ] {
        assert_eq!(kind(store.rename(&joe, &name(old), &name(new))), expected, "{old} {new}");
    }
    store.rename(&joe, &name("user/joe/a"), &name("user/joe/new/z")).unwrap();
    assert_eq!(names(&store), ["user/joe", "user/joe/ab", "user/joe/new/z", "user/joe/new/z/b/c"]);
    let after = store.row(&name("user/joe/new/z")).unwrap();
    assert_eq!((&after.unique_id, after.uid_validity), (&before.unique_id, before.uid_validity));
    assert_eq!(held.name(), name("user/joe/new/z"));
    held.append(&[message(&store, 100).unwrap()], &AppendOptions::default()).unwrap();
    assert_eq!(store.mailbox(&name("user/joe/new/z")).unwrap().status().exists, 2);
    assert_eq!((used(&store, "user/joe"), used(&store, "user/joe/new/z/b/c")), ((700, 3), (300, 1)));
    assert_eq!(kind(store.quota(&name("user/joe/a/b/c"))), ErrorKind::NotFound);
    assert!(!dir.path().join("spool/user/joe/a").exists());
    check(&store);
    store.close().unwrap();
    drop((store, held));
    let (store, _) = open(dir.path());
    assert_eq!((used(&store, "user/joe"), used(&store, "user/joe/new/z/b/c")), ((700, 3), (300, 1)));
    check(&store);
}

#[test]
fn a_tree_can_be_renamed_over_a_place_that_only_has_children() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    store.create_user("joe", None).unwrap();
    let joe = Access::user("joe");
    for text in ["user/joe/a", "user/joe/a/x", "user/joe/b/y"] {
        store.create(&joe, &name(text), &CreateOptions::default()).unwrap();
        append(&store, text, 300).unwrap();
    }
    store.rename(&joe, &name("user/joe/a"), &name("user/joe/b")).unwrap();
    assert_eq!(names(&store), ["user/joe", "user/joe/b", "user/joe/b/x", "user/joe/b/y"]);
    for text in ["user/joe/b", "user/joe/b/x", "user/joe/b/y"] {
        assert_eq!(store.mailbox(&name(text)).unwrap().status().exists, 1, "{text}");
    }
    assert!(!dir.path().join("spool/user/joe/a").exists());
    check(&store);
}

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
fn renaming_inbox_moves_its_messages() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    store.create_user("joe", kib(1)).unwrap();
    let joe = Access::user("joe");
    store.create(&joe, &name("user/joe/a"), &CreateOptions::default()).unwrap();
    append(&store, "user/joe", 400).unwrap();
    append(&store, "user/joe", 400).unwrap();
    assert_eq!(kind(store.rename(&joe, &name("user/joe"), &name("user/joe/a"))), ErrorKind::Exists);
    store.rename(&joe, &name("user/joe"), &name("user/joe/old")).unwrap();
    assert_eq!(names(&store), ["user/joe", "user/joe/a", "user/joe/old"]);
    let exists = |text: &str| store.mailbox(&name(text)).unwrap().status().exists;
    assert_eq!((exists("user/joe"), exists("user/joe/old")), (0, 2));
    assert_eq!(used(&store, "user/joe"), (800, 2));
    append(&store, "user/joe", 100).unwrap();
    assert_eq!(store.mailbox(&name("user/joe")).unwrap().read().uids().min(), Some(3));
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
fn a_use_is_unique_to_its_user() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    store.create_user("joe", None).unwrap();
    store.create_user("sue", None).unwrap();
    let sent = CreateOptions { special_use: vec![SpecialUse::Sent], ..CreateOptions::default() };
    for (user, text, expected) in [
        ("joe", "user/joe/Sent", None),
        ("joe", "user/joe/Sent2", Some(ErrorKind::Invalid)),
        ("sue", "user/sue/Sent", None),
    ] {
        let created = store.create(&Access::user(user), &name(text), &sent);
        assert_eq!(created.err().map(|error| error.kind()), expected, "{text}");
    }
    let joe = Access::user("joe");
    assert_eq!(kind(store.set_special_use(&joe, &name("user/joe"), &[SpecialUse::Junk])), ErrorKind::Invalid);
    store.set_special_use(&joe, &name("user/joe/Sent"), &[SpecialUse::Junk, SpecialUse::Sent]).unwrap();
    store.delete(&joe, &name("user/joe/Sent")).unwrap();
    store.create(&joe, &name("user/joe/Sent2"), &sent).unwrap();
    check(&store);
}

#[test]
fn idle_mailboxes_are_closed_and_open_again() {
    let dir = tempfile::tempdir().unwrap();
    let few = StoreOptions { max_idle: 4, ..options(dir.path()) };
    let (store, _) = Store::open(few, Arc::new(RealDisk)).unwrap();
    store.create_user("joe", None).unwrap();
    let joe = Access::user("joe");
    let held = store.mailbox(&name("user/joe")).unwrap();
    let folders: Vec<_> = (0..20).map(|n| format!("user/joe/f{n}")).collect();
    for text in &folders {
        store.create(&joe, &name(text), &CreateOptions::default()).unwrap();
    }
    for _ in 0..3 {
        for text in &folders {
            append(&store, text, 100).unwrap();
        }
    }
    store.registry.evict();
    assert!(Arc::ptr_eq(&held, &store.mailbox(&name("user/joe")).unwrap()), "one in use is never closed");
    for text in &folders {
        assert_eq!(store.mailbox(&name(text)).unwrap().status().exists, 3, "{text}");
    }
    check(&store);
}

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
fn deliveries_go_on_while_their_mailbox_moves() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    store.create_user("joe", kib(10_000)).unwrap();
    let joe = Access::user("joe");
    store.create(&joe, &name("user/joe/a"), &CreateOptions::default()).unwrap();
    let mailbox = store.mailbox(&name("user/joe/a")).unwrap();
    let moving = AtomicBool::new(true);
    let accepted: usize = std::thread::scope(|scope| {
        let deliver = || {
            let mut delivered = 0;
            while moving.load(Ordering::Acquire) || delivered < 20 {
                mailbox.append(&[message(&store, 100).unwrap()], &AppendOptions::default()).unwrap();
                delivered += 1;
            }
            delivered
        };
        let threads: Vec<_> = (0..2).map(|_| scope.spawn(deliver)).collect();
        for (old, new) in [("user/joe/a", "user/joe/b"), ("user/joe/b", "user/joe/a")].into_iter().cycle().take(10) {
            store.rename(&joe, &name(old), &name(new)).unwrap();
        }
        for limits in [kib(1000), None].into_iter().cycle().take(10) {
            store.set_quota(&name("user/joe/a"), limits).unwrap();
        }
        moving.store(false, Ordering::Release);
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(mailbox.status().exists as usize, accepted);
    assert_eq!(used(&store, "user/joe").1 as usize, accepted);
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
