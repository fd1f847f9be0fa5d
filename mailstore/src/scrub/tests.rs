//! Every kind of damage is found, of mailboxes that are closed and of those in use; what is derived is repaired.

use std::path::PathBuf;
use std::sync::Arc;

use durable::disk::RealDisk;

use super::*;
use crate::layout::Layout;
use crate::mailbox::{AppendOptions, Mailbox, NewMessage};
use crate::quota::QuotaLimits;
use crate::store::StoreOptions;

/// A scrubber that remembers, and stops when its budget is used up.
#[derive(Default)]
struct Recorder {
    findings: Vec<ScrubFinding>,
    octets: u64,
    largest: u64,
    budget: Option<u64>,
    reached: u32,
    /// Called before each block.
    meanwhile: Option<Box<dyn FnMut()>>,
    stop: Option<Arc<AtomicBool>>,
}

impl ScrubPace for Recorder {
    fn pace(&mut self, octets: u64) -> ControlFlow<()> {
        if let Some(meanwhile) = &mut self.meanwhile {
            meanwhile();
        }
        if self.budget.is_some_and(|budget| self.octets + octets > budget) {
            return ControlFlow::Break(());
        }
        self.octets += octets;
        self.largest = self.largest.max(octets);
        ControlFlow::Continue(())
    }

    fn reached(&mut self, uid: u32) {
        assert!(uid > self.reached, "messages come in the order of their UIDs");
        self.reached = uid;
    }

    fn found(&mut self, finding: ScrubFinding) {
        self.findings.push(finding);
    }

    fn stop(&self) -> Option<Arc<AtomicBool>> {
        self.stop.clone()
    }
}

struct Site {
    dir: tempfile::TempDir,
    store: Arc<Store>,
}

fn name(text: &str) -> MailboxName {
    MailboxName::parse(text).unwrap()
}

fn open(dir: &std::path::Path) -> Arc<Store> {
    let layout = Layout::new(dir.join("config"), dir.join("spool"));
    Store::open(StoreOptions { create: true, ..StoreOptions::new(layout) }, Arc::new(RealDisk)).unwrap().0
}

impl Site {
    /// joe with a quota and five messages, the last of them of more than one block. Everything is closed.
    fn new() -> Site {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path());
        store.create_user("joe", Some(QuotaLimits { storage_kib: Some(10_000), messages: None })).unwrap();
        let site = Site { dir, store };
        for size in [100, 200, 300, 400, 200_000] {
            site.append("user/joe", size);
        }
        site.store.settle();
        // Its row is an old one: what was changed a moment ago is on its way to the header.
        let row = site.store.row(&name("user/joe")).unwrap();
        site.store.put_row(crate::list::Row { modified: 1_700_000_000, ..crate::list::Row::clone(&row) }).unwrap();
        let site = site.restarted();
        drop(site.mailbox());
        site.restarted()
    }

    fn restarted(self) -> Site {
        let Site { dir, store } = self;
        store.close().unwrap();
        drop(store);
        let store = open(dir.path());
        Site { dir, store }
    }

    fn append(&self, mailbox: &str, size: usize) {
        let mut stage = self.store.stage(crate::DEFAULT_PARTITION).unwrap();
        let mut text = b"Subject: x\r\n\r\n".to_vec();
        text.resize(size, b'y');
        stage.write(&text).unwrap();
        let message = NewMessage {
            staged: Arc::new(stage.finish().unwrap()),
            internal_date: Timestamp::now(),
            flags: crate::flags::SystemFlags::NONE,
            keywords: Vec::new(),
            seen: false,
        };
        self.store.mailbox(&name(mailbox)).unwrap().append(&[message], &AppendOptions::default()).unwrap();
    }

    fn mailbox(&self) -> Arc<Mailbox> {
        self.store.mailbox(&name("user/joe")).unwrap()
    }

    fn inbox(&self) -> PathBuf {
        self.dir.path().join("spool/user/joe")
    }

    fn scrub(&self, dry_run: bool) -> Recorder {
        let mut by = Recorder::default();
        assert_eq!(self.store.scrub_mailbox(&name("user/joe"), 0, dry_run, &mut by).unwrap(), Scrubbed::Whole);
        self.store.scrub_above(dry_run, &mut by).unwrap();
        by
    }

    fn found(&self, dry_run: bool) -> Vec<(ScrubKind, &'static str, Option<u32>)> {
        self.scrub(dry_run).findings.into_iter().map(|finding| (finding.kind, finding.code, finding.uid)).collect()
    }
}

/// Changes one octet of a file, in place.
fn spoil(path: PathBuf, at: u64) {
    use std::os::unix::fs::FileExt;
    let file = std::fs::File::options().read(true).write(true).open(path).unwrap();
    let mut octet = [0];
    file.read_exact_at(&mut octet, at).unwrap();
    file.write_all_at(&[octet[0] ^ 0x10], at).unwrap();
}

type Damage = fn(&Site);
/// What it is, how it is done, what is found, and whether a second scrub finds it again.
type Case = (&'static str, Damage, &'static [(ScrubKind, &'static str, Option<u32>)]);

use ScrubKind::{Left, Repaired};

const CASES: &[Case] = &[
    ("nothing", |_| {}, &[]),
    (
        "a message is gone",
        |site| std::fs::remove_file(site.inbox().join("2.")).unwrap(),
        &[(Left, "message.missing", Some(2))],
    ),
    (
        "a message is empty",
        |site| std::fs::write(site.inbox().join("2."), "").unwrap(),
        &[(Left, "message.empty", Some(2))],
    ),
    (
        "a message has another octet",
        |site| spoil(site.inbox().join("5."), 150_000),
        &[(Left, "message.differs", Some(5))],
    ),
    (
        "a message is shorter",
        |site| std::fs::write(site.inbox().join("1."), "short").unwrap(),
        &[(Left, "message.differs", Some(1))],
    ),
    (
        "a message is longer",
        |site| {
            let path = site.inbox().join("3.");
            let text = std::fs::read(&path).unwrap();
            std::fs::write(path, [text, b"more".to_vec()].concat()).unwrap();
        },
        &[(Left, "message.differs", Some(3))],
    ),
    (
        "a message is a directory",
        |site| {
            std::fs::remove_file(site.inbox().join("4.")).unwrap();
            std::fs::create_dir(site.inbox().join("4.")).unwrap();
        },
        &[(Left, "message.unreadable", Some(4))],
    ),
    (
        "the cache is gone",
        |site| std::fs::remove_file(site.inbox().join("cyrus.cache")).unwrap(),
        &[(Repaired, "cache.rebuilt", None)],
    ),
    (
        "the cache has another octet",
        |site| spoil(site.inbox().join("cyrus.cache"), 200),
        &[(Repaired, "cache.record", None)],
    ),
    (
        "the header is that of another time",
        |site| {
            let path = site.inbox().join("cyrus.header");
            let mut header = crate::header::MailboxHeader::decode(&std::fs::read(&path).unwrap()).unwrap().header;
            header.acl.push_str("sue\tlrs\t");
            let text = header.encode();
            std::fs::write(path, text).unwrap();
        },
        &[(Repaired, "header.updated", None)],
    ),
    (
        "a subscription file is damaged",
        |site| {
            let path = site.store.layout().subscriptions("joe");
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "user/joe\t\n\u{7f}bad/../name\t\n").unwrap();
        },
        &[(Left, "store.check", None)],
    ),
    (
        "a directory is not listed",
        |site| {
            std::fs::create_dir(site.inbox().join("Lost")).unwrap();
            std::fs::copy(site.inbox().join("cyrus.header"), site.inbox().join("Lost/cyrus.header")).unwrap();
        },
        &[(Left, "store.check", None)],
    ),
];

#[test]
fn every_kind_of_damage_is_found() {
    for in_use in [false, true] {
        for (case, damage, expected) in CASES {
            let site = Site::new();
            let held = in_use.then(|| site.mailbox());
            if let Some(mailbox) = &held {
                // Its files are mapped.
                let _ = mailbox.read_many().records(1..=9).count();
            }
            damage(&site);
            let context = format!("{case}, in use: {in_use}");
            assert_eq!(site.found(true), *expected, "{context}, dry run");
            assert_eq!(site.found(true), *expected, "{context}: a dry run changes nothing");
            assert_eq!(site.found(false), *expected, "{context}");
            let left: Vec<_> = expected.iter().copied().filter(|finding| finding.0 == Left).collect();
            assert_eq!(site.found(false), left, "{context}: what can be repaired is");
            if left.is_empty() {
                assert_eq!(site.store.check_contents(&mut |_| {}).unwrap().findings, [], "{context}");
            }
            assert_eq!(site.mailbox().status().exists, 5, "{context}: no message goes");
        }
    }
}

/// An index is for `reconstruct`: what it held must not be lost before an administrator has seen that.
#[test]
fn an_index_that_cannot_be_read_is_left() {
    let site = Site::new();
    let index = site.inbox().join("cyrus.index");
    std::fs::write(&index, "no index at all").unwrap();
    for dry_run in [true, false] {
        let by = site.scrub(dry_run);
        let finding = by.findings.iter().find(|finding| finding.code == "index.rebuilt").expect("it is found");
        assert_eq!(finding.kind, Left);
        assert_eq!(finding.remedy, "run `reconstruct user/joe`");
        assert!(finding.to_string().starts_with("user/joe: cyrus.index is unreadable"), "{finding}");
        assert!(!finding.what.contains("anew"), "{finding}");
        assert_eq!(std::fs::read(&index).unwrap(), b"no index at all", "it is not touched");
    }
    assert!(site.store.open_mailbox(&name("user/joe")).is_none(), "nor is the mailbox opened");
    let site = Site::new();
    spoil(site.inbox().join("cyrus.index"), crate::index::HEADER_SIZE as u64 + 10);
    let found = site.found(false);
    assert!(found.contains(&(Left, "index.damaged", None)), "{found:?}");
    assert!(found.iter().all(|finding| finding.0 == Left), "{found:?}");
}

#[test]
fn counters_and_usage_are_repaired() {
    let site = Site::new();
    let file = site.store.layout().quota_file(&name("user/joe"));
    let good = site.store.quota(&name("user/joe")).unwrap().used;
    std::fs::write(&file, "7\n10000\nM 1 -1\n").unwrap();
    let counted = &site.store.counters().quota;
    let shown = || (counted.drift_octets.get(), counted.drift_roots.get(), counted.corrected.get());
    assert_eq!(site.found(true), [(Repaired, "quota.usage", None)]);
    assert_eq!(shown(), (good.bytes - 7, 1, 0), "a dry run");
    assert_eq!(site.found(false), [(Repaired, "quota.usage", None)]);
    assert_eq!(shown(), (good.bytes - 7, 1, 1));
    assert_eq!(std::fs::read_to_string(&file).unwrap().lines().next(), Some(good.bytes.to_string().as_str()));
    assert_eq!(site.found(false), []);
    assert_eq!(shown(), (0, 0, 1), "nothing is wrong any more");
    assert_eq!(site.store.quota(&name("user/joe")).unwrap().used, good);
    assert_eq!(counted.drifts.get(), 2);
}

#[test]
fn a_mailbox_is_not_opened_and_reads_are_small() {
    let site = Site::new();
    let by = site.scrub(false);
    assert_eq!(by.findings, []);
    assert!(site.store.open_mailbox(&name("user/joe")).is_none());
    assert!(by.octets > 201_000 && by.largest <= 64 << 10, "{} {}", by.octets, by.largest);
    assert_eq!(by.reached, 5);
    let counted = &site.store.counters().scrub;
    assert_eq!(counted.messages.get(), 5);
    assert!(counted.octets.get() >= 201_000 && counted.octets.get() <= by.octets);
}

#[test]
fn it_stops_and_goes_on_where_it_was() {
    let site = Site::new();
    spoil(site.inbox().join("1."), 50);
    spoil(site.inbox().join("5."), 50);
    let mut first = Recorder { budget: Some(100_000), ..Recorder::default() };
    let inbox = name("user/joe");
    assert_eq!(site.store.scrub_mailbox(&inbox, 0, false, &mut first).unwrap(), Scrubbed::Stopped);
    assert_eq!(first.reached, 4);
    let uids = |by: &Recorder| by.findings.iter().map(|finding| finding.uid).collect::<Vec<_>>();
    assert_eq!(uids(&first), [Some(1)], "what was found is told before it stops");
    let mut second = Recorder::default();
    assert_eq!(site.store.scrub_mailbox(&inbox, first.reached, false, &mut second).unwrap(), Scrubbed::Whole);
    assert_eq!(uids(&second), [Some(5)]);
    assert!(second.octets < 450_000, "message 5, twice");
    assert_eq!(
        site.store.scrub_mailbox(&name("user/nobody"), 0, false, &mut second).unwrap_err().kind(),
        crate::ErrorKind::NotFound
    );
}

#[test]
fn it_stops_also_where_no_message_is_read() {
    let site = Site::new();
    std::fs::remove_file(site.inbox().join("cyrus.cache")).unwrap();
    let mut by = Recorder { stop: Some(Arc::new(AtomicBool::new(true))), ..Recorder::default() };
    assert_eq!(site.store.scrub_mailbox(&name("user/joe"), 0, false, &mut by).unwrap(), Scrubbed::Stopped);
    assert_eq!((by.findings, by.reached), (vec![], 0));
    assert!(!site.inbox().join("cyrus.cache").exists(), "nothing was repaired");
    // Above the mailboxes there is something to pay for all the time.
    for number in 0..40 {
        let folder = name(&format!("user/joe/{number}"));
        site.store.create(&crate::Access::user("joe"), &folder, &crate::CreateOptions::default()).unwrap();
    }
    let mut whole = Recorder::default();
    assert_eq!(site.store.scrub_above(false, &mut whole).unwrap(), Scrubbed::Whole);
    assert!(whole.octets > 100_000, "{}", whole.octets);
    for budget in (0..whole.octets).step_by(30_000) {
        let mut by = Recorder { budget: Some(budget), ..Recorder::default() };
        assert_eq!(site.store.scrub_above(false, &mut by).unwrap(), Scrubbed::Stopped, "{budget}");
    }
}

/// Messages are expunged, and the mailbox is renamed and deleted, while it is read: none of that is damage.
#[test]
fn what_happens_meanwhile_is_no_damage() {
    let joe = crate::Access::user("joe");
    let site = Site::new();
    let (folder, renamed) = (name("user/joe/Old"), name("user/joe/New"));
    site.store.create(&joe, &folder, &crate::CreateOptions::default()).unwrap();
    for _ in 0..6 {
        site.append("user/joe/Old", 1000);
    }
    let (store, mailbox) = (Arc::clone(&site.store), site.store.mailbox(&folder).unwrap());
    let (from, to, owner) = (folder.clone(), renamed.clone(), joe.clone());
    let mut turn = 0;
    let busy = move || {
        turn += 1;
        match turn {
            2 => {
                mailbox.remove_messages(&crate::uid_set::parse("2:3").unwrap()).unwrap();
                store.settle();
            }
            4 => store.rename(&owner, &from, &to).unwrap(),
            _ => {}
        }
    };
    let mut by = Recorder { meanwhile: Some(Box::new(busy)), ..Recorder::default() };
    assert_eq!(site.store.scrub_mailbox(&folder, 0, false, &mut by).unwrap(), Scrubbed::Whole);
    assert_eq!((by.findings, by.reached), (vec![], 6));
    assert_eq!(site.store.mailbox(&renamed).unwrap().status().exists, 4, "it was renamed meanwhile");

    let store = Arc::clone(&site.store);
    let mut turn = 0;
    let busy = move || {
        turn += 1;
        if turn == 3 {
            store.delete(&joe, &renamed).unwrap();
        }
    };
    let mut by = Recorder { meanwhile: Some(Box::new(busy)), ..Recorder::default() };
    assert_eq!(site.store.scrub_mailbox(&name("user/joe/New"), 0, false, &mut by).unwrap(), Scrubbed::Whole);
    assert_eq!(by.findings, []);
}
