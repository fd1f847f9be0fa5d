//! Every kind of damage to one mailbox, closed and in use.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use durable::disk::{Disk, RealDisk};

use super::*;
use crate::acl::Access;
use crate::error::ErrorKind;
use crate::flags::{Keyword, SystemFlags};
use crate::ident::{Timestamp, Uid};
use crate::layout::Layout;
use crate::list::Row;
use crate::mailbox::{AppendOptions, FlagOp, Mailbox, NewMessage, Permitted, StoreRequest};
use crate::name::MailboxName;
use crate::store::{CreateOptions, Store, StoreOptions};
use crate::uid_set::{self, UidSet};

/// A store of joe's, whose INBOX has the messages 1 to 6: 1 is \Answered, 5 has `$Work`, 6 has `Todo`; joe has seen 1 to 3.
pub(super) struct Site {
    pub(super) dir: tempfile::TempDir,
    pub(super) store: Arc<Store>,
}

pub(super) fn name(text: &str) -> MailboxName {
    MailboxName::parse(text).unwrap()
}

pub(super) fn text(n: u32) -> String {
    format!("From: a@example.org\r\nSubject: number {n}\r\n\r\n{}\r\n", "x".repeat(n as usize * 10))
}

pub(super) fn options() -> RepairOptions {
    RepairOptions { settling: Duration::ZERO, ..RepairOptions::default() }
}

pub(super) fn open_store(dir: &Path, disk: Arc<dyn Disk>) -> Arc<Store> {
    let layout = Layout::new(dir.join("config"), dir.join("spool"));
    Store::open(StoreOptions { create: true, ..StoreOptions::new(layout) }, disk).unwrap().0
}

pub(super) fn append(store: &Store, mailbox: &str, n: u32, keywords: &[&str]) -> Uid {
    let mut stage = store.stage(crate::DEFAULT_PARTITION).unwrap();
    stage.write(text(n).as_bytes()).unwrap();
    let message = NewMessage {
        staged: Arc::new(stage.finish().unwrap()),
        internal_date: Timestamp { seconds: 1_700_000_000 + i64::from(n), zone_minutes: 60 },
        flags: if n == 1 { SystemFlags::ANSWERED } else { SystemFlags::NONE },
        keywords: keywords.iter().filter_map(|text| Keyword::parse(text)).collect(),
        seen: n <= 3,
    };
    let options = AppendOptions { reader: Some("joe".into()), ..AppendOptions::default() };
    store.mailbox(&name(mailbox)).unwrap().append(&[message], &options).unwrap()[0]
}

pub(super) fn fill(store: &Store) {
    store.create_user("joe", None).unwrap();
    store.create(&Access::user("joe"), &name("user/joe/Other"), &CreateOptions::default()).unwrap();
    for n in 1..=6 {
        let keywords: &[&str] = match n {
            5 => &["$Work"],
            6 => &["Todo"],
            _ => &[],
        };
        append(store, "user/joe", n, keywords);
    }
    append(store, "user/joe/Other", 1, &[]);
}

impl Site {
    fn new() -> Site {
        let dir = tempfile::tempdir().unwrap();
        let store = open_store(dir.path(), Arc::new(RealDisk));
        fill(&store);
        store.close().unwrap();
        drop(store);
        let store = open_store(dir.path(), Arc::new(RealDisk));
        Site { dir, store }
    }

    fn inbox(&self) -> PathBuf {
        self.dir.path().join("spool/user/joe")
    }

    fn mailbox(&self) -> Arc<Mailbox> {
        self.store.mailbox(&name("user/joe")).unwrap()
    }

    fn row(&self) -> Arc<Row> {
        self.store.row(&name("user/joe")).unwrap()
    }

    fn repair(&self, options: &RepairOptions) -> Repaired {
        self.store.reconstruct(&name("user/joe"), options).unwrap()
    }

    fn store_flag(&self, uids: &str, flag: SystemFlags) {
        let request = StoreRequest {
            reader: "joe",
            uids: &uid_set::parse(uids).unwrap(),
            op: FlagOp::Add,
            system: flag,
            seen: false,
            keywords: &[],
            permitted: Permitted::ALL,
            unchanged_since: None,
        };
        self.mailbox().store(&request).unwrap();
    }
}

/// The messages of the INBOX: flags, keywords, whether joe has seen it, and which of the texts it is.
type Seen = BTreeMap<u32, (u32, Vec<String>, bool, u32)>;

fn messages(mailbox: &Arc<Mailbox>) -> Seen {
    let reading = mailbox.read();
    let all: Vec<_> = reading.records(1..=u32::MAX).collect();
    let mut seen = Seen::new();
    for record in all {
        let body = mailbox.open_message(record.uid).unwrap().read_all(1 << 20).unwrap();
        assert_eq!(body.len() as u32, record.size);
        let which = (1..100).find(|n| text(*n).as_bytes() == body).unwrap_or(0);
        let keywords = reading.keywords_of(&record).map(|keyword| keyword.as_str().to_owned()).collect();
        let state = (record.flags.bits(), keywords, reading.reader("joe").has_seen(record.uid), which);
        seen.insert(record.uid.get(), state);
    }
    seen
}

fn uids(seen: &Seen) -> Vec<u32> {
    seen.keys().copied().collect()
}

fn codes(repaired: &Repaired) -> Vec<(&'static str, Option<u32>)> {
    let changes = repaired.events.iter().filter(|event| event.kind == RepairKind::Change);
    changes.map(|event| (event.code, event.uid)).collect()
}

/// A damage, the changes that repair it while the mailbox is closed, and the UIDs that are there afterwards.
struct Case {
    name: &'static str,
    damage: fn(&Path),
    changes: &'static [(&'static str, Option<u32>)],
    uids: &'static [u32],
    /// Whether flags and keywords of the messages that were not touched are as before.
    flags: bool,
}

fn patch(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = std::fs::read(path).unwrap();
    change(&mut bytes);
    std::fs::write(path, bytes).unwrap();
}

/// Changes a field of the index header and makes its checksum right again.
fn patch_header(dir: &Path, at: usize, value: u32) {
    patch(&dir.join("cyrus.index"), |bytes| {
        bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
        let crc = crc32fast::hash(&bytes[..252]);
        bytes[252..256].copy_from_slice(&crc.to_le_bytes());
    });
}

fn remove(dir: &Path, files: &[&str]) {
    files.iter().for_each(|file| std::fs::remove_file(dir.join(file)).unwrap());
}

fn put(dir: &Path, file: &str, n: u32) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::write(dir.join(file), text(n)).unwrap();
    std::fs::set_permissions(dir.join(file), std::fs::Permissions::from_mode(0o600)).unwrap();
}

const ALL: &[u32] = &[1, 2, 3, 4, 5, 6];

const CASES: &[Case] = &[
    Case { name: "nothing", damage: |_| {}, changes: &[], uids: ALL, flags: true },
    Case {
        name: "index cut in a record",
        damage: |dir| patch(&dir.join("cyrus.index"), |bytes| bytes.truncate(256 + 3 * 128 + 7)),
        changes: &[
            ("index.damaged", None),
            ("message.added", Some(4)),
            ("message.added", Some(5)),
            ("message.added", Some(6)),
        ],
        uids: ALL,
        flags: false,
    },
    Case {
        name: "index header zeroed",
        damage: |dir| patch(&dir.join("cyrus.index"), |bytes| bytes[..160].fill(0)),
        changes: &[
            ("index.rebuilt", None),
            ("message.added", Some(1)),
            ("message.added", Some(2)),
            ("message.added", Some(3)),
            ("message.added", Some(4)),
            ("message.added", Some(5)),
            ("message.added", Some(6)),
        ],
        uids: ALL,
        flags: false,
    },
    Case {
        name: "cache deleted",
        damage: |dir| remove(dir, &["cyrus.cache"]),
        changes: &[("cache.rebuilt", None)],
        uids: ALL,
        flags: true,
    },
    Case {
        name: "cache of another generation",
        damage: |dir| {
            patch(&dir.join("cyrus.cache"), |bytes| {
                bytes[8] ^= 1;
                let crc = crc32fast::hash(&bytes[..12]);
                bytes[12..16].copy_from_slice(&crc.to_le_bytes());
            });
        },
        changes: &[("cache.rebuilt", None)],
        uids: ALL,
        flags: true,
    },
    Case {
        name: "a bit of the cache",
        damage: |dir| patch(&dir.join("cyrus.cache"), |bytes| *bytes.last_mut().unwrap() ^= 1),
        changes: &[("cache.record", Some(6))],
        uids: ALL,
        flags: true,
    },
    Case {
        name: "header deleted",
        damage: |dir| remove(dir, &["cyrus.header"]),
        changes: &[("header.rebuilt", None), ("keywords.dropped", None)],
        uids: ALL,
        flags: false,
    },
    Case {
        name: "all three deleted",
        damage: |dir| remove(dir, &["cyrus.header", "cyrus.index", "cyrus.cache"]),
        changes: &[
            ("header.rebuilt", None),
            ("index.rebuilt", None),
            ("message.added", Some(1)),
            ("message.added", Some(2)),
            ("message.added", Some(3)),
            ("message.added", Some(4)),
            ("message.added", Some(5)),
            ("message.added", Some(6)),
        ],
        uids: ALL,
        flags: false,
    },
    Case {
        name: "counters",
        damage: |dir| patch_header(dir, 52, 11),
        changes: &[("index.counters", None)],
        uids: ALL,
        flags: true,
    },
    Case {
        name: "more records than there are",
        damage: |dir| patch_header(dir, 48, 11),
        changes: &[("index.damaged", None)],
        uids: ALL,
        flags: true,
    },
    Case {
        name: "last UID too small",
        damage: |dir| patch_header(dir, 28, 3),
        changes: &[("index.last_uid", None)],
        uids: ALL,
        flags: true,
    },
    Case {
        name: "a record's checksum",
        damage: |dir| patch(&dir.join("cyrus.index"), |bytes| bytes[256 + 128 + 5] ^= 1),
        changes: &[("index.damaged", None), ("message.added", Some(2))],
        uids: ALL,
        flags: false,
    },
    Case {
        name: "a message is missing",
        damage: |dir| remove(dir, &["4."]),
        changes: &[("message.missing", Some(4))],
        uids: &[1, 2, 3, 5, 6],
        flags: true,
    },
    Case {
        name: "an empty message",
        damage: |dir| std::fs::write(dir.join("4."), "").unwrap(),
        changes: &[("message.empty", Some(4))],
        uids: &[1, 2, 3, 5, 6],
        flags: true,
    },
    Case {
        name: "an empty stray",
        damage: |dir| std::fs::write(dir.join("40."), "").unwrap(),
        changes: &[("message.empty", Some(40))],
        uids: ALL,
        flags: true,
    },
    Case {
        name: "odd files and leftovers",
        damage: |dir| {
            for file in ["core", "5.bak", "05.", "cyrus.index.NEW", "cyrus.seen.1-0123456789abcdef.tmp"] {
                std::fs::write(dir.join(file), "x").unwrap();
            }
        },
        changes: &[("file.leftover", None), ("file.leftover", None)],
        uids: ALL,
        flags: true,
    },
    Case {
        name: "seen deleted",
        damage: |dir| remove(dir, &["cyrus.seen"]),
        changes: &[("seen.repaired", None)],
        uids: ALL,
        flags: true,
    },
    Case {
        name: "seen garbage",
        damage: |dir| std::fs::write(dir.join("cyrus.seen"), [0xa5; 300]).unwrap(),
        changes: &[("seen.repaired", None)],
        uids: ALL,
        flags: true,
    },
    Case {
        name: "a file beyond the last UID",
        damage: |dir| put(dir, "50.", 50),
        changes: &[("message.added", Some(50)), ("index.restored", None)],
        uids: &[1, 2, 3, 4, 5, 6, 50],
        flags: true,
    },
    Case {
        name: "a message of another size",
        damage: |dir| put(dir, "2.", 52),
        changes: &[("message.differs", Some(2))],
        uids: ALL,
        flags: true,
    },
];

/// Runs a case on a mailbox that is closed, or open as `open` says.
fn check(case: &Case, open: bool) {
    let site = Site::new();
    let held = open.then(|| site.mailbox());
    let context = format!("{} ({})", case.name, if open { "open" } else { "closed" });
    let other = Site::new();
    let before = messages(&other.mailbox());
    let validity = site.row().uid_validity;
    (case.damage)(&site.inbox());
    let dry = site.repair(&RepairOptions { dry_run: true, ..options() });
    let repaired = site.repair(&options());
    assert_eq!(dry.events, repaired.events, "{context}: a dry run says the same");
    if !open {
        assert_eq!(codes(&repaired), case.changes, "{context}: {:?}", repaired.events);
    }
    let again = site.repair(&options());
    assert_eq!(codes(&again), [], "{context}: a second run");
    let mailbox = site.mailbox();
    assert!(held.is_none_or(|held| Arc::ptr_eq(&held, &mailbox)), "{context}");
    let after = messages(&mailbox);
    assert_eq!(uids(&after), case.uids, "{context}");
    if case.flags {
        for (uid, (flags, keywords, ..)) in after.iter().filter(|(uid, _)| before.contains_key(uid)) {
            assert_eq!((flags, keywords), (&before[uid].0, &before[uid].1), "{context}: uid {uid}");
        }
    }
    assert_eq!(mailbox.status().uid_validity, validity, "{context}");
    assert!(mailbox.status().uid_next > 6, "{context}");
    let findings = site.store.check_contents(&mut |_| {}).unwrap().findings;
    let damage: Vec<_> = findings.iter().filter(|f| f.severity == crate::Severity::Damage).collect();
    assert!(damage.is_empty(), "{context}: {damage:?}");
    // The mailbox is as good as new, now and after the next start.
    assert!(append(&site.store, "user/joe", 99, &["$Work"]).get() > *case.uids.last().unwrap(), "{context}");
    drop(mailbox);
    site.store.close().unwrap();
    let Site { dir, store } = site;
    drop(store);
    let store = open_store(dir.path(), Arc::new(RealDisk));
    assert_eq!(
        store
            .reconstruct(&name("user/joe"), &options())
            .unwrap()
            .events
            .iter()
            .filter(|e| e.kind != RepairKind::Note)
            .count(),
        0,
        "{context}: after a start"
    );
    let now = messages(&store.mailbox(&name("user/joe")).unwrap());
    assert_eq!(now.len(), case.uids.len() + 1, "{context}");
}

#[test]
fn every_damage_of_a_closed_mailbox() {
    CASES.iter().for_each(|case| check(case, false));
}

#[test]
fn every_damage_of_a_mailbox_in_use() {
    CASES.iter().for_each(|case| check(case, true));
}

#[test]
fn a_mailbox_in_use_loses_nothing_that_memory_knows() {
    for file in ["cyrus.header", "cyrus.index", "cyrus.cache", "cyrus.seen"] {
        let site = Site::new();
        let mailbox = site.mailbox();
        let before = messages(&mailbox);
        remove(&site.inbox(), &[file]);
        site.repair(&options());
        assert_eq!(messages(&mailbox), before, "{file}");
        assert!(site.inbox().join(file).exists(), "{file}");
    }
}

#[test]
fn a_healthy_mailbox_is_not_touched() {
    let site = Site::new();
    let files = |site: &Site| -> BTreeMap<String, (Vec<u8>, std::time::SystemTime)> {
        let entries = std::fs::read_dir(site.inbox()).unwrap().map(|entry| entry.unwrap());
        let files = entries.filter(|entry| entry.file_type().unwrap().is_file());
        files
            .map(|entry| {
                let modified = entry.metadata().unwrap().modified().unwrap();
                (entry.file_name().into_string().unwrap(), (std::fs::read(entry.path()).unwrap(), modified))
            })
            .collect()
    };
    let before = files(&site);
    for contents in [false, true] {
        let repaired = site.repair(&RepairOptions { contents, ..options() });
        assert_eq!((repaired.events, repaired.messages), (vec![], 6));
        assert!(files(&site) == before);
    }
}

#[test]
fn files_that_were_put_back_get_new_uids() {
    for open in [false, true] {
        let site = Site::new();
        let held = open.then(|| site.mailbox());
        if !open {
            // Expunged and forgotten: no trace of 2 is left in the index.
            let mailbox = site.mailbox();
            mailbox.remove_messages(&[2, 3].into_iter().collect::<UidSet>()).unwrap();
            site.store.settle();
            mailbox.repack(i64::MAX).unwrap();
        } else {
            site.mailbox().remove_messages(&[2, 3].into_iter().collect::<UidSet>()).unwrap();
            site.store.settle();
        }
        put(&site.inbox(), "2.", 2);
        let kept = site.repair(&RepairOptions { reinject: false, ..options() });
        assert_eq!(codes(&kept), [], "{:?}", kept.events);
        assert_eq!((kept.events[0].code, kept.events[0].uid), ("message.stray", Some(2)));
        let next = site.mailbox().status().uid_next;
        let repaired = site.repair(&options());
        assert_eq!(codes(&repaired), [("message.reinjected", Some(2))]);
        let after = messages(&site.mailbox());
        assert_eq!(uids(&after), [1, 4, 5, 6, next]);
        assert_eq!(after[&next].3, 2);
        assert_eq!(codes(&site.repair(&options())), []);
        drop(held);
    }
}

#[test]
fn contents_that_differ() {
    let cases = [
        (Mismatch::Update, "message.differs", vec![1, 2, 3, 4, 5, 6]),
        (Mismatch::Renumber, "message.renumbered", vec![2, 3, 4, 5, 6, 7]),
        (Mismatch::Discard, "message.discarded", vec![2, 3, 4, 5, 6]),
    ];
    for (mismatch, code, expected) in cases {
        let site = Site::new();
        let _held = site.mailbox();
        patch(&site.inbox().join("1."), |bytes| *bytes.last_mut().unwrap() = b' ');
        assert_eq!(codes(&site.repair(&options())), [], "the size is the same");
        let options = RepairOptions { contents: true, mismatch, ..options() };
        assert_eq!(codes(&site.repair(&options)), [(code, Some(1))]);
        assert_eq!(uids(&messages_of_any(&site)), expected);
        assert_eq!(codes(&site.repair(&options)), []);
        let findings = site.store.check_contents(&mut |_| {}).unwrap().findings;
        assert!(findings.is_empty(), "{findings:?}");
    }
}

fn messages_of_any(site: &Site) -> Seen {
    messages(&site.mailbox())
}

fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap().map(|entry| entry.unwrap()) {
        if entry.file_type().unwrap().is_file() {
            let target = to.join(entry.file_name());
            let _ = std::fs::remove_file(&target);
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// An administrator untars an old copy of the directory over the mailbox.
#[test]
fn a_directory_that_was_put_back() {
    for open in [false, true] {
        let site = Site::new();
        let backup = tempfile::tempdir().unwrap();
        copy(&site.inbox(), backup.path());
        let mailbox = site.mailbox();
        for n in 11..=14 {
            append(&site.store, "user/joe", n, if n == 11 { &["Later"] } else { &[] });
        }
        site.store_flag("1:2", SystemFlags::FLAGGED);
        mailbox.remove_messages(&[3, 4, 9, 10].into_iter().collect::<UidSet>()).unwrap();
        site.store.settle();
        mailbox.repack(i64::MAX).unwrap();
        let status = mailbox.status();
        let incarnation = mailbox.read().incarnation();
        drop(mailbox);
        let site = if open {
            site
        } else {
            site.store.close().unwrap();
            let Site { dir, store } = site;
            drop(store);
            let store = open_store(dir.path(), Arc::new(RealDisk));
            Site { dir, store }
        };
        copy(backup.path(), &site.inbox());
        let context = if open { "open" } else { "closed" };
        let dry = site.repair(&RepairOptions { dry_run: true, ..options() });
        let repaired = site.repair(&options());
        assert_eq!(dry.events, repaired.events, "{context}");
        assert!(repaired.events.iter().any(|event| event.code == "index.restored"), "{context}: {repaired:?}");
        assert_eq!(codes(&site.repair(&options())), [], "{context}");
        let mailbox = site.mailbox();
        let after = messages(&mailbox);
        assert_eq!(uids(&after), [1, 2, 3, 4, 5, 6, 7, 8], "{context}");
        assert_eq!(
            after.values().map(|message| message.3).collect::<Vec<_>>(),
            [1, 2, 3, 4, 5, 6, 11, 12],
            "{context}"
        );
        assert_eq!(after[&1].0, SystemFlags::ANSWERED.bits(), "{context}: flags are those of the copy");
        assert_eq!(after[&5].1, ["$Work"], "{context}");
        if open {
            assert_eq!(after[&7].1, ["Later"], "memory knows");
            assert_ne!(mailbox.read().incarnation(), incarnation, "sessions select again");
        }
        let now = mailbox.status();
        assert_eq!(now.uid_validity, status.uid_validity, "{context}");
        assert!(now.uid_next >= status.uid_next, "{context}: UIDs 9 and 10 were used: {now:?}");
        let modseqs = mailbox.read().records(1..=u32::MAX).map(|record| record.modseq).min().unwrap();
        assert!(modseqs > status.highest_modseq, "{context}: all clients resynchronise");
        assert!(append(&site.store, "user/joe", 20, &[]).get() >= status.uid_next, "{context}");
        let findings = site.store.check_contents(&mut |_| {}).unwrap().findings;
        assert!(findings.is_empty(), "{context}: {findings:?}");
    }
}

/// Only cyrus.* comes from the backup: messages that were expunged since, and are kept, are there again.
#[test]
fn an_index_that_was_put_back_alone() {
    let site = Site::new();
    let backup = tempfile::tempdir().unwrap();
    copy(&site.inbox(), backup.path());
    let mailbox = site.mailbox();
    mailbox.remove_messages(&[2, 3].into_iter().collect::<UidSet>()).unwrap();
    site.store.settle();
    (1..=6).for_each(|uid| std::fs::remove_file(backup.path().join(format!("{uid}."))).unwrap());
    copy(backup.path(), &site.inbox());
    let repaired = site.repair(&options());
    assert!(codes(&repaired).contains(&("message.taken_back", Some(2))), "{repaired:?}");
    assert_eq!(codes(&site.repair(&options())), []);
    assert_eq!(uids(&messages(&mailbox)), [1, 2, 3, 4, 5, 6]);
    let findings = site.store.check_contents(&mut |_| {}).unwrap().findings;
    assert!(findings.is_empty(), "{findings:?}");
}

#[test]
fn the_index_of_an_earlier_mailbox_of_that_name() {
    let site = Site::new();
    let joe = Access::user("joe");
    let other = name("user/joe/Other");
    let dir = site.inbox().join("Other");
    let backup = tempfile::tempdir().unwrap();
    site.store.close().unwrap();
    copy(&dir, backup.path());
    let Site { dir: top, store } = site;
    drop(store);
    let store = open_store(top.path(), Arc::new(RealDisk));
    store.delete(&joe, &other).unwrap();
    store.create(&joe, &other, &CreateOptions::default()).unwrap();
    append(&store, "user/joe/Other", 30, &[]);
    let before = store.row(&other).unwrap();
    store.close().unwrap();
    drop(store);
    copy(backup.path(), &dir);
    let store = open_store(top.path(), Arc::new(RealDisk));
    let repaired = store.reconstruct(&other, &options()).unwrap();
    assert!(repaired.events.iter().any(|event| event.code == "uidvalidity.raised"), "{repaired:?}");
    let after = store.row(&other).unwrap();
    assert!(after.uid_validity > before.uid_validity && after.unique_id == before.unique_id);
    assert_eq!(codes(&store.reconstruct(&other, &options()).unwrap()), []);
    let mailbox = store.mailbox(&other).unwrap();
    assert_eq!((mailbox.status().uid_validity, mailbox.status().exists), (after.uid_validity, 1));
}

#[test]
fn what_is_asked_for() {
    let site = Site::new();
    let held = site.mailbox();
    let before = (held.status().uid_validity, messages(&held));
    let repaired = site.repair(&RepairOptions { bump_uid_validity: true, ..options() });
    assert_eq!(codes(&repaired), [("uidvalidity.raised", None)]);
    assert!(held.status().uid_validity > before.0);
    assert_eq!(site.row().uid_validity, held.status().uid_validity);
    assert_eq!(messages(&held), before.1, "nothing else changes");

    std::fs::write(site.inbox().join("core"), "x").unwrap();
    let repaired = site.repair(&RepairOptions { odd_files: OddFiles::Ignore, ..options() });
    assert_eq!(repaired.events, []);
    let repaired = site.repair(&RepairOptions { odd_files: OddFiles::Remove, ..options() });
    assert_eq!(codes(&repaired), [("file.odd", None)]);
    assert!(!site.inbox().join("core").exists());

    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(site.inbox().join("2."), std::fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(site.repair(&options()).events[0].kind, RepairKind::Note);
    let repaired = site.repair(&RepairOptions { fix_modes: true, ..options() });
    assert_eq!(codes(&repaired), [("file.mode", Some(2))]);
    assert_eq!(std::fs::metadata(site.inbox().join("2.")).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(site.repair(&options()).events, []);

    let error = site.store.reconstruct(&name("user/nobody"), &options()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

#[test]
fn directories_are_listed_again() {
    let site = Site::new();
    let joe = Access::user("joe");
    let gone = name("user/joe/Gone");
    site.store.create(&joe, &gone, &CreateOptions::default()).unwrap();
    append(&site.store, "user/joe/Gone", 5, &["$Work"]);
    let before = site.store.row(&gone).unwrap();
    site.store.close().unwrap();
    let dir = site.inbox().join("Gone");
    let backup = tempfile::tempdir().unwrap();
    copy(&dir, backup.path());
    let Site { dir: top, store } = site;
    drop(store);
    let store = open_store(top.path(), Arc::new(RealDisk));
    store.delete(&joe, &gone).unwrap();
    store.purge_deleted(i64::MAX).unwrap();
    std::fs::create_dir_all(&dir).unwrap();
    copy(backup.path(), &dir);
    patch(&dir.join("cyrus.cache"), |bytes| *bytes.last_mut().unwrap() ^= 1);
    let dry = RepairOptions { dry_run: true, ..options() };
    let (would, dry) = store.list_again(crate::DEFAULT_PARTITION, &gone, &dry).unwrap();
    assert!(store.row(&gone).is_none());
    let (adopted, repaired) = store.list_again(crate::DEFAULT_PARTITION, &gone, &options()).unwrap();
    assert_eq!((would.warnings, dry.events), (adopted.warnings, repaired.events.clone()));
    assert_eq!(codes(&repaired), [("cache.record", Some(1))]);
    let after = store.row(&gone).unwrap();
    assert_eq!(
        (&after.unique_id, after.uid_validity, &after.acl),
        (&before.unique_id, before.uid_validity, &before.acl)
    );
    assert_eq!(messages(&store.mailbox(&gone).unwrap())[&1].1, ["$Work"]);
}

/// Deliveries and flag changes go on while a mailbox is repaired over and over.
#[test]
fn a_mailbox_in_full_use() {
    let site = Site::new();
    let stop = std::sync::atomic::AtomicBool::new(false);
    let delivered = std::thread::scope(|scope| {
        let deliverer = scope.spawn(|| {
            let mut uids = Vec::new();
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                uids.push(append(&site.store, "user/joe", 30, &[]).get());
            }
            uids
        });
        let flagger = scope.spawn(|| {
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                site.store_flag("1:3", SystemFlags::FLAGGED);
                site.store_flag("5", SystemFlags::DRAFT);
            }
        });
        for turn in 0..30 {
            match turn % 5 {
                0 => remove(&site.inbox(), &["cyrus.cache"]),
                1 => remove(&site.inbox(), &["cyrus.index"]),
                2 => put(&site.inbox(), &format!("{}.", 1_000_000 * (turn + 1)), 70),
                3 => remove(&site.inbox(), &["cyrus.header", "cyrus.seen"]),
                _ => {}
            }
            site.repair(&options());
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        flagger.join().unwrap();
        deliverer.join().unwrap()
    });
    let after = messages(&site.mailbox());
    assert!(delivered.iter().all(|uid| after.get(uid).is_some_and(|message| message.3 == 30)));
    assert_eq!(after.len(), 6 + delivered.len() + 6);
    assert_eq!(after[&5].0, SystemFlags::DRAFT.bits());
    site.store.settle();
    let findings = site.store.check_contents(&mut |_| {}).unwrap().findings;
    assert!(findings.is_empty(), "{findings:?}");
}
