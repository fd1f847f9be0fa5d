//! The store on a real disk: what its operations do, who may do them, and what a start makes of what it finds.

mod healing;
mod hierarchy;
mod ledger;
mod moves;
mod quota;
mod quota_races;
mod recovery;
mod relist;

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
