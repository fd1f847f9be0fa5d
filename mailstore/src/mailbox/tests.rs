//! The mailbox object on a real disk, without a store around it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use durable::disk::{Disk, RealDisk};
use message::collation::Needle;
use parking_lot::Mutex;

use super::*;
use crate::cache::{CacheBuf, CacheItem, CacheItems};
use crate::counters::Counters;
use crate::error::{ErrorKind, Result};
use crate::flags::{Keyword, SystemFlags};
use crate::ident::{ModSeq, Timestamp, Uid, UidValidity};
use crate::index::Glance;
use crate::quota::QuotaCheck;
use crate::stage::{StageWriter, Staged};
use crate::uid_set::{self, UidSet};

/// A store of one mailbox, whose worker runs when it is told to.
pub(super) struct Bench {
    disk: Arc<dyn Disk>,
    marks: Mutex<Marks>,
    later: Mutex<Vec<Box<dyn FnOnce() + Send>>>,
    dirty: AtomicUsize,
    boot: [u8; 16],
    keeps: bool,
    text_memory: TextMemory,
    pub(super) counters: Arc<Counters>,
    pub(super) damage: AtomicUsize,
}

impl Bench {
    pub(super) fn on(disk: Arc<dyn Disk>) -> Arc<Bench> {
        Bench::booted(disk, [1; 16])
    }

    pub(super) fn booted(disk: Arc<dyn Disk>, boot: [u8; 16]) -> Arc<Bench> {
        Arc::new(Bench { disk, boot, ..Bench::bare() })
    }

    fn bare() -> Bench {
        Bench {
            disk: Arc::new(RealDisk),
            marks: Mutex::new(Marks { last_uid: 1024, modseq: 1 << 20 }),
            later: Mutex::default(),
            dirty: AtomicUsize::new(0),
            boot: [1; 16],
            keeps: true,
            text_memory: TextMemory::new(1 << 20),
            counters: Arc::default(),
            damage: AtomicUsize::new(0),
        }
    }

    pub(super) fn marks(&self) -> Marks {
        *self.marks.lock()
    }

    pub(super) fn set_marks(&self, marks: Marks) {
        *self.marks.lock() = marks;
    }

    pub(super) fn run(&self) {
        loop {
            let work = std::mem::take(&mut *self.later.lock());
            if work.is_empty() {
                return;
            }
            work.into_iter().for_each(|work| work());
        }
    }
}

impl Surroundings for Bench {
    fn disk(&self) -> &Arc<dyn Disk> {
        &self.disk
    }
    fn boot_id(&self) -> [u8; 16] {
        self.boot
    }
    fn keeps_expunged(&self) -> bool {
        self.keeps
    }
    fn is_strict(&self) -> bool {
        false
    }
    fn note_dirty(&self, _mailbox: &Arc<Mailbox>) {
        self.dirty.fetch_add(1, Ordering::Relaxed);
    }
    fn raise_marks(&self, _id: &UniqueId, marks: Marks) -> Result<()> {
        *self.marks.lock() = marks;
        Ok(())
    }
    fn run_later(&self, work: Box<dyn FnOnce() + Send>) {
        self.later.lock().push(work);
    }
    fn text_memory(&self) -> &TextMemory {
        &self.text_memory
    }
    fn note_damage(&self, _id: &UniqueId) {
        self.damage.fetch_add(1, Ordering::Relaxed);
    }
    fn counters(&self) -> &Arc<Counters> {
        &self.counters
    }
}

pub(super) fn identity(dir: &Path, marks: Marks) -> Identity {
    Identity {
        name: MailboxName::parse("user/joe").unwrap(),
        unique_id: UniqueId::parse("abc").unwrap(),
        uid_validity: UidValidity::new(77).unwrap(),
        dir: dir.join("joe"),
        marks,
        quota: None,
        acl: "joe\tlrs\t".into(),
        row: "{}".into(),
    }
}

pub(super) fn create(bench: &Arc<Bench>, dir: &Path) {
    let around: Arc<dyn Surroundings> = Arc::clone(bench) as _;
    create_files(&around, &identity(dir, bench.marks())).unwrap();
    std::fs::create_dir_all(dir.join("stage.")).unwrap();
}

pub(super) fn open(bench: &Arc<Bench>, dir: &Path) -> Result<Arc<Mailbox>> {
    // Opening may raise the marks, so their lock must not be held over it.
    let marks = bench.marks();
    Mailbox::open(Arc::clone(bench) as _, identity(dir, marks))
}

pub(super) fn stage(bench: &Bench, dir: &Path, text: &str) -> Result<Arc<Staged>> {
    let mut w = StageWriter::new(Arc::clone(&bench.disk), &dir.join("stage."), 1 << 20, Arc::default());
    w.write(text.as_bytes())?;
    Ok(Arc::new(w.finish()?))
}

pub(super) fn text(n: u32) -> String {
    format!("From: a{n}@example.com\r\nSubject: message {n}\r\n\r\nbody {n}\r\n")
}

pub(super) fn message(bench: &Bench, dir: &Path, n: u32) -> Result<NewMessage> {
    Ok(NewMessage {
        staged: stage(bench, dir, &text(n))?,
        internal_date: Timestamp { seconds: 1_700_000_000 + i64::from(n), zone_minutes: 60 },
        flags: SystemFlags::NONE,
        keywords: Vec::new(),
        seen: false,
    })
}

pub(super) fn filled(messages: u32) -> (tempfile::TempDir, Arc<Bench>, Arc<Mailbox>) {
    let dir = tempfile::tempdir().unwrap();
    let bench = Bench::on(Arc::new(RealDisk));
    create(&bench, dir.path());
    let mailbox = open(&bench, dir.path()).unwrap();
    for n in 1..=messages {
        let uids = mailbox.append(&[message(&bench, dir.path(), n).unwrap()], &AppendOptions::default()).unwrap();
        assert_eq!(uids, [Uid::new(n).unwrap()]);
    }
    (dir, bench, mailbox)
}

pub(super) fn set(text: &str) -> UidSet {
    uid_set::parse(text).unwrap()
}

pub(super) fn store(
    mailbox: &Arc<Mailbox>,
    uids: &str,
    op: FlagOp,
    system: SystemFlags,
    seen: bool,
    keywords: &[&str],
) -> Stored {
    let keywords: Vec<_> = keywords.iter().map(|k| Keyword::parse(k).unwrap()).collect();
    let request = StoreRequest {
        reader: "joe",
        uids: &set(uids),
        op,
        system,
        seen,
        keywords: &keywords,
        permitted: Permitted::ALL,
        unchanged_since: None,
    };
    mailbox.store(&request).unwrap()
}

/// Every message as one line: what must survive whatever happens to derived files.
pub(super) fn picture(mailbox: &Arc<Mailbox>) -> Vec<String> {
    let reading = mailbox.read_many();
    let joe = reading.reader("joe");
    let mut buf = CacheBuf::default();
    let line = |record: crate::index::Record| {
        reading.cache(&record, CacheItems::ALL, &mut buf).unwrap();
        let keywords: Vec<_> = reading.keywords_of(&record).map(Keyword::to_string).collect();
        let subject = String::from_utf8_lossy(buf.item(CacheItem::Subject)).into_owned();
        let seen = joe.has_seen(record.uid);
        format!("{} {subject} {:?} {seen} {keywords:?} {}", record.uid, record.flags, record.internal_date.seconds)
    };
    reading.records(1..=u32::MAX).map(line).collect()
}

#[test]
fn append_and_look() {
    let (_dir, _bench, mailbox) = filled(3);
    let status = mailbox.status();
    assert_eq!((status.exists, status.uid_next, status.deleted), (3, 4, 0));
    assert_eq!(status.size, (1..=3).map(|n| text(n).len() as u64).sum::<u64>());
    let file = mailbox.open_message(Uid::new(2).unwrap()).unwrap();
    assert_eq!(file.read_all(1 << 20).unwrap(), text(2).as_bytes());
    assert_eq!(picture(&mailbox).len(), 3);
    assert!(picture(&mailbox)[1].contains("MESSAGE 2") || picture(&mailbox)[1].contains("message 2"));
    let changes = mailbox.changes_since(ModSeq::new(2)).unwrap();
    assert_eq!(uid_set::format(&changes.changed), "2:3");
}

#[test]
fn flags_keywords_and_seen() {
    let (dir, bench, mailbox) = filled(5);
    let first = store(&mailbox, "1:3,9", FlagOp::Add, SystemFlags::FLAGGED, true, &["$Work", "todo"]);
    assert_eq!(uid_set::format(&first.changed), "1:3");
    let again = store(&mailbox, "1:3", FlagOp::Add, SystemFlags::FLAGGED, true, &["TODO"]);
    assert!(again.changed.is_empty(), "nothing changed, so no mod-sequence");
    assert_eq!(again.modseq, first.modseq);
    store(&mailbox, "2", FlagOp::Remove, SystemFlags::FLAGGED, true, &["todo", "unknown"]);
    store(&mailbox, "3", FlagOp::Replace, SystemFlags::DRAFT, false, &[]);
    let before = picture(&mailbox);
    assert_eq!(mailbox.read().unseen("joe"), 4);
    assert_eq!(mailbox.read().first_unseen("joe").unwrap().get(), 2);
    assert_eq!(mailbox.read().unseen("sue"), 5);
    assert_eq!(mailbox.take_recent("joe", true).unwrap(), 0);
    assert_eq!(mailbox.take_recent("joe", false).unwrap(), 0);
    assert_eq!(mailbox.take_recent("joe", false).unwrap(), 5);
    // Whether it was closed or killed.
    for close in [false, true] {
        if close {
            mailbox.close().unwrap();
        }
        let reopened = open(&bench, dir.path()).unwrap();
        assert_eq!(picture(&reopened), before, "closed: {close}");
        assert_eq!(reopened.status(), mailbox.status());
        assert_eq!(reopened.read().recent("joe"), 0);
    }
}

#[test]
fn unchanged_since() {
    let (_dir, _bench, mailbox) = filled(3);
    let since = mailbox.status().highest_modseq;
    store(&mailbox, "2", FlagOp::Add, SystemFlags::FLAGGED, false, &[]);
    let request = StoreRequest {
        reader: "joe",
        uids: &set("1:3"),
        op: FlagOp::Add,
        system: SystemFlags::ANSWERED,
        seen: false,
        keywords: &[],
        permitted: Permitted::ALL,
        unchanged_since: Some(since),
    };
    let stored = mailbox.store(&request).unwrap();
    assert_eq!((uid_set::format(&stored.changed), uid_set::format(&stored.failed)), ("1,3".into(), "2".into()));
}

#[test]
fn what_is_not_permitted_stays() {
    let (_dir, _bench, mailbox) = filled(1);
    store(&mailbox, "1", FlagOp::Add, SystemFlags::DELETED.with(SystemFlags::FLAGGED), true, &["k"]);
    let request = StoreRequest {
        reader: "joe",
        uids: &set("1"),
        op: FlagOp::Replace,
        system: SystemFlags::NONE,
        seen: false,
        keywords: &[],
        permitted: Permitted { system: SystemFlags::FLAGGED, seen: false, keywords: false },
        unchanged_since: None,
    };
    mailbox.store(&request).unwrap();
    let reading = mailbox.read();
    let record = reading.record(Uid::MIN).unwrap();
    assert_eq!(record.flags, SystemFlags::DELETED);
    assert_eq!(record.keywords, 1);
    assert!(reading.reader("joe").has_seen(Uid::MIN));
}

#[test]
fn expunge_repack_and_history() {
    let (dir, bench, mailbox) = filled(6);
    let start = mailbox.status().highest_modseq;
    store(&mailbox, "2,4,5", FlagOp::Add, SystemFlags::DELETED, false, &[]);
    let some = mailbox.expunge(Some(&set("1:4"))).unwrap();
    assert_eq!(uid_set::format(&some.uids), "2,4");
    // A session that was not told yet can still read it, before and after the file is put aside.
    mailbox.open_message(Uid::new(2).unwrap()).unwrap();
    bench.run();
    mailbox.open_message(Uid::new(2).unwrap()).unwrap();
    assert!(!dir.path().join("joe/2.").exists());
    let changes = mailbox.changes_since(start).unwrap();
    assert_eq!((uid_set::format(&changes.expunged), changes.complete), ("2,4".into(), true));
    let before = picture(&mailbox);
    assert_eq!(mailbox.repack(0).unwrap(), 0, "nothing is old enough");
    assert_eq!(mailbox.repack(i64::MAX).unwrap(), 2);
    assert_eq!(picture(&mailbox), before);
    assert_eq!(mailbox.open_message(Uid::new(2).unwrap()).unwrap_err().kind(), ErrorKind::Expunged);
    let reopened = open(&bench, dir.path()).unwrap();
    assert_eq!(picture(&reopened), before);
    let changes = reopened.changes_since(start).unwrap();
    assert!(!changes.complete, "what was repacked can't be told any more");
    // UIDs of expunged messages are not used again.
    let next = reopened.append(&[message(&bench, dir.path(), 7).unwrap()], &AppendOptions::default()).unwrap();
    assert_eq!(next, [Uid::new(7).unwrap()]);
}

#[test]
fn copy_and_move() {
    let (_dir, bench, mailbox) = filled(3);
    let other = tempfile::tempdir().unwrap();
    create(&bench, other.path());
    let target = open(&bench, other.path()).unwrap();
    store(&mailbox, "2:3", FlagOp::Add, SystemFlags::FLAGGED, true, &["k"]);
    let options = CopyOptions { reader: "joe", permitted: Permitted::ALL, quota: QuotaCheck::Enforce };
    let copied = mailbox.copy_to(&set("1:2,99"), &target, &options).unwrap();
    assert_eq!(copied.iter().map(|(a, b)| (a.get(), b.get())).collect::<Vec<_>>(), [(1, 1), (2, 2)]);
    assert_eq!(picture(&target), picture(&mailbox)[..2]);
    mailbox.move_to(&set("3"), &target, &options).unwrap();
    assert_eq!((mailbox.status().exists, target.status().exists), (2, 3));
    mailbox.copy_to(&set("1"), &mailbox, &options).unwrap();
    assert_eq!(mailbox.status().exists, 3);
}

#[test]
fn a_killed_append_is_taken_in_under_its_uid() {
    let (dir, bench, mailbox) = filled(2);
    // Linked but never committed: what a crash leaves.
    let mut w = StageWriter::new(Arc::clone(&bench.disk), &dir.path().join("stage."), 1 << 20, Arc::default());
    w.set_internal_date(Timestamp { seconds: 1_600_000_000, zone_minutes: 0 });
    w.write(text(3).as_bytes()).unwrap();
    let staged = w.finish().unwrap();
    std::fs::hard_link(staged.path(), dir.path().join("joe/3.")).unwrap();
    drop(mailbox);
    let mailbox = open(&bench, dir.path()).unwrap();
    let lines = picture(&mailbox);
    assert_eq!(lines.len(), 3);
    assert!(lines[2].ends_with("1600000000"), "{}", lines[2]);
    assert_eq!(mailbox.status().uid_next, 4);
    let again = open(&bench, dir.path()).unwrap();
    assert_eq!(picture(&again), lines, "a second open changes nothing");
}

#[test]
fn derived_files_can_go() {
    let (dir, bench, mailbox) = filled(4);
    store(&mailbox, "1:2", FlagOp::Add, SystemFlags::FLAGGED, true, &["k"]);
    store(&mailbox, "3", FlagOp::Add, SystemFlags::DELETED, false, &[]);
    mailbox.expunge(None).unwrap();
    bench.run();
    mailbox.close().unwrap();
    let before = picture(&mailbox);
    let validity = mailbox.status().uid_validity;
    let joe = dir.path().join("joe");
    drop(mailbox);

    std::fs::remove_file(joe.join("cyrus.cache")).unwrap();
    let mailbox = open(&bench, dir.path()).unwrap();
    assert_eq!(picture(&mailbox), before);
    bench.run();
    mailbox.close().unwrap();
    let mailbox = open(&bench, dir.path()).unwrap();
    assert!(bench.later.lock().is_empty() && picture(&mailbox) == before, "the cache was healed");

    for damage in ["gone", "zeros", "cut"] {
        let index = joe.join("cyrus.index");
        match damage {
            "gone" => std::fs::remove_file(&index).unwrap(),
            "zeros" => std::fs::write(&index, [0; 300]).unwrap(),
            _ => std::fs::write(&index, &std::fs::read(&index).unwrap()[..256 + 128 + 60]).unwrap(),
        }
        let mailbox = open(&bench, dir.path()).unwrap();
        let status = mailbox.status();
        assert_eq!((status.exists, status.uid_validity), (3, validity), "{damage}");
        assert_eq!(uid_set::format(mailbox.read().uids()), "1:2,4", "{damage}: the expunged one stays away");
        assert!(status.uid_next > 4);
        mailbox.close().unwrap();
    }

    std::fs::write(joe.join("cyrus.seen"), b"rubbish").unwrap();
    std::fs::write(joe.join("cyrus.header"), b"rubbish").unwrap();
    let mailbox = open(&bench, dir.path()).unwrap();
    assert_eq!(mailbox.status().exists, 3);
    assert!(mailbox.read().keywords().is_empty());
    assert!(joe.join("cyrus.header.bad").exists());
    store(&mailbox, "1", FlagOp::Add, SystemFlags::NONE, true, &["other"]);
    assert!(picture(&mailbox)[1].contains("[]"), "a lost keyword's bit means nothing any more");
}

#[test]
fn a_power_cut_may_cost_numbers_but_reuses_none() {
    let (dir, bench, mailbox) = filled(2);
    let marks = *bench.marks.lock();
    drop(mailbox);
    let rebooted = Bench::booted(Arc::new(RealDisk), [2; 16]);
    *rebooted.marks.lock() = marks;
    let mailbox = open(&rebooted, dir.path()).unwrap();
    assert_eq!(mailbox.status().uid_next, marks.last_uid + 1);
    let uids = mailbox.append(&[message(&rebooted, dir.path(), 3).unwrap()], &AppendOptions::default()).unwrap();
    assert_eq!(uids[0].get(), marks.last_uid + 1);
    assert!(rebooted.marks.lock().last_uid > marks.last_uid);
}

#[test]
fn a_bloated_seen_file_is_replaced_by_its_essence() {
    let (dir, bench, mailbox) = filled(3);
    let bloat = || {
        for _ in 0..400 {
            store(&mailbox, "1", FlagOp::Add, SystemFlags::NONE, true, &[]);
            store(&mailbox, "1", FlagOp::Remove, SystemFlags::NONE, true, &[]);
        }
        store(&mailbox, "1:2", FlagOp::Add, SystemFlags::NONE, true, &[]);
    };
    let size = || std::fs::metadata(dir.path().join("joe/cyrus.seen")).unwrap().len();
    bloat();
    assert!(size() > 16 << 10);
    // Repack and close sync while they hold the maintenance lock.
    mailbox.remove_messages(&set("3")).unwrap();
    mailbox.repack(i64::MAX).unwrap();
    mailbox.close().unwrap();
    assert!(size() < 1 << 10);
    bloat();
    mailbox.sync().unwrap();
    assert!(size() < 1 << 10);
    let before = picture(&mailbox);
    assert_eq!(picture(&open(&bench, dir.path()).unwrap()), before);
}

#[test]
fn files_that_were_put_back_are_not_written_over() {
    let (dir, _bench, mailbox) = filled(3);
    let joe = dir.path().join("joe");
    mailbox.remove_messages(&set("3")).unwrap();
    let saved = ["cyrus.seen", "cyrus.index"].map(|name| {
        let bytes = std::fs::read(joe.join(name)).unwrap();
        // As tar does: another file of that name.
        std::fs::remove_file(joe.join(name)).unwrap();
        std::fs::write(joe.join(name), &bytes).unwrap();
        (name, bytes)
    });
    for _ in 0..400 {
        store(&mailbox, "1", FlagOp::Add, SystemFlags::NONE, true, &[]);
        store(&mailbox, "1", FlagOp::Remove, SystemFlags::NONE, true, &[]);
    }
    mailbox.sync().unwrap();
    assert_eq!(mailbox.repack(i64::MAX).unwrap(), 0);
    mailbox.close().unwrap();
    for (name, bytes) in saved {
        assert!(std::fs::read(joe.join(name)).unwrap() == bytes, "{name}");
    }
    let left: Vec<_> = std::fs::read_dir(&joe).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| durable::disk::is_temporary_name(name)), "{left:?}");
}

#[test]
fn a_taken_file_name_is_stepped_over() {
    let (dir, bench, mailbox) = filled(1);
    std::fs::write(dir.path().join("joe/2."), b"foreign").unwrap();
    let uids = mailbox.append(&[message(&bench, dir.path(), 3).unwrap()], &AppendOptions::default()).unwrap();
    assert_eq!(uids[0].get(), 3);
    assert_eq!(std::fs::read(dir.path().join("joe/2.")).unwrap(), b"foreign");
}

#[test]
fn taken_file_names_do_not_lead_beyond_the_high_water_mark() {
    let (dir, bench, mailbox) = filled(1);
    let mark = bench.marks().last_uid;
    for uid in 2..=mark + 5 {
        std::fs::write(dir.path().join(format!("joe/{uid}.")), b"foreign").unwrap();
    }
    let uids = mailbox.append(&[message(&bench, dir.path(), 3).unwrap()], &AppendOptions::default()).unwrap();
    assert_eq!(uids[0].get(), mark + 6);
    assert!(bench.marks().last_uid >= mark + 6);
}

#[test]
fn concurrent_appends_share_syncs_and_keep_order() {
    let (dir, bench, mailbox) = filled(0);
    let threads: Vec<_> = (0..8u32)
        .map(|t| {
            let (mailbox, bench, dir) = (Arc::clone(&mailbox), Arc::clone(&bench), dir.path().to_owned());
            std::thread::spawn(move || {
                let append = |n: u32| {
                    let message = message(&bench, &dir, t * 100 + n).unwrap();
                    let uid = mailbox.append(&[message], &AppendOptions::default()).unwrap()[0];
                    let file = mailbox.open_message(uid).unwrap().read_all(1 << 20).unwrap();
                    assert_eq!(file, text(t * 100 + n).as_bytes());
                };
                (0..25).for_each(append);
            })
        })
        .collect();
    threads.into_iter().for_each(|t| t.join().unwrap());
    assert_eq!(mailbox.status().exists, 200);
    assert_eq!(uid_set::format(mailbox.read().uids()), "1:200");
    let reopened = open(&bench, dir.path()).unwrap();
    assert_eq!(picture(&reopened), picture(&mailbox));
    assert_eq!(std::fs::read_dir(dir.path().join("stage.")).unwrap().count(), 0);
}

#[test]
fn large_mailboxes_are_found_by_step_and_by_search() {
    let (_dir, _bench, mailbox) = filled(300);
    let dense: Vec<_> = mailbox.read_many().records_of(&set("50:250")).map(|r| r.uid.get()).collect();
    assert_eq!(dense, (50..=250).collect::<Vec<_>>());
    let sparse: Vec<_> = mailbox.read_many().records_of(&set("1,150,299,4000")).map(|r| r.uid.get()).collect();
    assert_eq!(sparse, [1, 150, 299]);
}

#[test]
fn searched_texts_are_given_up_when_the_memory_is_used_up() {
    let (dir, bench, mailbox) = filled(20);
    let held = |field: TextField| mailbox.texts.0[field as usize].lock().is_some();
    let find =
        |field, needle: &str| uid_set::format(&mailbox.texts(field).unwrap().unwrap().find(&Needle::new(needle)));
    assert_eq!(find(TextField::Subject, "MESSAGE 1"), "1,10:19");
    assert_eq!(find(TextField::From, "7@"), "7,17");
    assert!(held(TextField::Subject) && held(TextField::From) && !held(TextField::Cc));
    // What has come since, and what is gone: the caller masks it with what is there.
    mailbox.append(&[message(&bench, dir.path(), 27).unwrap()], &AppendOptions::default()).unwrap();
    assert_eq!(find(TextField::From, "a27@"), "21");

    let dir = tempfile::tempdir().unwrap();
    let little: Arc<Bench> = Arc::new(Bench { text_memory: TextMemory::new(1), ..Bench::bare() });
    create(&little, dir.path());
    let mailbox = open(&little, dir.path()).unwrap();
    mailbox.append(&[message(&little, dir.path(), 1).unwrap()], &AppendOptions::default()).unwrap();
    assert!(mailbox.texts(TextField::From).unwrap().is_none());
    assert!(mailbox.texts.0[TextField::From as usize].lock().is_none(), "one octet is not enough for it");
}

#[test]
fn a_glance_sees_what_the_records_say() {
    let (_dir, _bench, mailbox) = filled(300);
    store(&mailbox, "7:20,299", FlagOp::Add, SystemFlags::FLAGGED, false, &["$Work"]);
    store(&mailbox, "30:40,100", FlagOp::Add, SystemFlags::DELETED, false, &[]);
    mailbox.expunge(None).unwrap();
    let reading = mailbox.read_many();
    for uids in ["1:300", "1:29", "1,300", "1,50,100,150,200,250", "29:41", "100", "301:400", ""] {
        let mut seen = Vec::new();
        reading.glance(&set(uids), |glance| seen.push(*glance));
        let records: Vec<_> = reading.records_of(&set(uids)).map(|record| Glance::from(&record)).collect();
        assert_eq!(seen, records, "{uids}");
    }
}
