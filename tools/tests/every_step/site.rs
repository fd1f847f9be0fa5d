//! The store that the tools work on, what they say, and what they must have led to.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::io::{self, BufRead, Cursor};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crashes::World;
use directory::{DomainName, Embedded, HashCost, Settings};
use mailstore::disk::{Disk, RealDisk};
use mailstore::{
    Access, AppendOptions, CacheBuf, CacheItems, CreateOptions, Finding, FlagOp, Keyword, Layout, MailboxName,
    NewMessage, OpenReport, Permitted, QuotaLimits, Severity, Store, StoreOptions, StoreRequest, SystemFlags,
    Timestamp, UidSet,
};
use tools::backup::{BackupRequest, Destination, backup};
use tools::{Console, Exit, Progress};

/// A store and a directory, open.
pub(crate) struct Site {
    pub(crate) store: Arc<Store>,
    pub(crate) directory: Embedded,
    pub(crate) report: OpenReport,
    pub(crate) path: PathBuf,
}

impl Site {
    /// Opens both on the disk of the try.
    pub(crate) fn open(world: &World, salvage: bool) -> Result<Site, String> {
        open(world.path(), world.disk(), world.boot(), salvage)
    }

    pub(crate) fn close(self) -> Result<(), String> {
        self.store.settle();
        self.store.close().map_err(|problem| problem.to_string())
    }
}

/// Where everything lies.
pub(crate) fn layout(path: &Path) -> Layout {
    Layout::new(path.join("config"), path.join("spool")).with_partition("big", path.join("big"))
}

fn open(path: &Path, disk: Arc<dyn Disk>, boot: [u8; 16], salvage: bool) -> Result<Site, String> {
    let options = StoreOptions {
        create: !salvage,
        salvage,
        boot_id: Some(boot),
        sync_window: Duration::from_millis(1),
        ..StoreOptions::new(layout(path))
    };
    let (store, report) = Store::open(options, Arc::clone(&disk)).map_err(|problem| problem.to_string())?;
    let settings = Settings {
        primary_domain: DomainName::parse("example.org").unwrap(),
        admins: vec![],
        hash_cost: HashCost { memory_kib: 8, passes: 1 },
        scram: directory::ScramCost::default(),
    };
    let directory = Embedded::open(&path.join("config"), disk, true, &settings);
    let (directory, _) = directory.map_err(|problem| problem.to_string())?;
    Ok(Site { store, directory, report, path: path.to_owned() })
}

/// Opens both on a disk in good order.
pub(crate) fn open_good(path: &Path) -> Result<Site, String> {
    open(path, Arc::new(RealDisk), [3; 16], false)
}

/// A console that remembers what was said.
pub(crate) struct Voice {
    pub(crate) out: Vec<String>,
    pub(crate) err: Vec<String>,
    pub(crate) stdin: Cursor<Vec<u8>>,
    directory: PathBuf,
}

impl Voice {
    pub(crate) fn at(directory: &Path) -> Self {
        Self { out: vec![], err: vec![], stdin: Cursor::default(), directory: directory.to_owned() }
    }

    /// Says why a command ends, as the program does.
    pub(crate) fn fails(&mut self, exit: Exit, problem: &dyn Display) -> Exit {
        self.err.push(problem.to_string());
        exit
    }
}

impl Console for Voice {
    fn out(&mut self, line: &str) -> io::Result<()> {
        self.out.push(line.to_owned());
        Ok(())
    }

    fn octets(&mut self, _: &[u8]) -> io::Result<()> {
        Ok(())
    }

    fn err(&mut self, line: &str) -> io::Result<()> {
        self.err.push(line.to_owned());
        Ok(())
    }

    fn progress(&mut self, _: &Progress) -> io::Result<()> {
        Ok(())
    }

    fn stdin(&mut self) -> &mut dyn BufRead {
        &mut self.stdin
    }

    fn directory(&self) -> &Path {
        &self.directory
    }
}

pub(crate) fn name(text: &str) -> MailboxName {
    MailboxName::parse(text).unwrap()
}

pub(crate) fn text(n: usize) -> String {
    format!(
        "From: a@example.org\r\nMessage-ID: <{n}@example.org>\r\nSubject: number {n}\r\n\r\n{}\r\n",
        "x".repeat(n * 10)
    )
}

pub(crate) fn append(store: &Store, mailbox: &str, n: usize) {
    let mut stage = store.stage(mailstore::DEFAULT_PARTITION).unwrap();
    stage.write(text(n).as_bytes()).unwrap();
    let message = NewMessage {
        staged: Arc::new(stage.finish().unwrap()),
        internal_date: Timestamp { seconds: 1_700_000_000 + n as i64, zone_minutes: 60 },
        flags: if n == 1 { SystemFlags::ANSWERED } else { SystemFlags::NONE },
        keywords: if n == 5 { vec![Keyword::parse("$Work").unwrap()] } else { vec![] },
        seen: n <= 3,
    };
    let options = AppendOptions { reader: Some("joe".into()), ..AppendOptions::default() };
    store.mailbox(&name(mailbox)).unwrap().append(&[message], &options).unwrap();
}

/// joe with two folders and a quota, from one of which messages were expunged, and one deleted folder; sue; a backup of it.
pub(crate) fn prepare(path: &Path) {
    let site = open(path, Arc::new(RealDisk), [1; 16], false).unwrap();
    let (store, joe) = (&site.store, Access::user("joe"));
    store.create_user("joe", Some(QuotaLimits { storage_kib: Some(1000), messages: None })).unwrap();
    store.create_user("sue", None).unwrap();
    for folder in ["user/joe/a", "user/joe/b", "user/joe/gone"] {
        store.create(&joe, &name(folder), &CreateOptions::default()).unwrap();
    }
    for n in 1..=6 {
        append(store, "user/joe", n);
    }
    append(store, "user/joe/a", 7);
    append(store, "user/joe/b", 8);
    append(store, "user/joe/gone", 9);
    append(store, "user/sue", 10);
    store.subscribe("joe", &name("user/joe/a")).unwrap();
    for uid in 1..=2 {
        let id = store.row(&name("user/joe")).unwrap().unique_id.clone();
        store.duplicates().mark(&format!("<{uid}@example.org>"), &id, 1_000_000);
    }
    let inbox = store.mailbox(&name("user/joe")).unwrap();
    let request = StoreRequest {
        reader: "joe",
        uids: &UidSet::from_iter([2]),
        op: FlagOp::Add,
        system: SystemFlags::FLAGGED,
        seen: false,
        keywords: &[],
        permitted: Permitted::ALL,
        unchanged_since: None,
    };
    inbox.store(&request).unwrap();
    drop(inbox);
    store.settle();
    let request =
        BackupRequest { to: Destination::Directory("backup".into()), previous: None, hard_link: false, json: false };
    let backed_up = backup(store, &site.directory, &request, &mut Voice::at(path)).unwrap();
    assert_eq!(backed_up, Exit::Ok);
    store.mailbox(&name("user/joe")).unwrap().remove_messages(&UidSet::from_iter([5, 6])).unwrap();
    store.delete(&joe, &name("user/joe/gone")).unwrap();
    let mbox: String = (20..23)
        .map(|n| format!("From a@example.org Mon Jan  1 00:00:00 2024\n{}\n", text(n).replace("\r\n", "\n")))
        .collect();
    std::fs::write(path.join("mbox"), mbox).unwrap();
    for part in ["maildir/cur", "maildir/new", "maildir/tmp"] {
        std::fs::create_dir_all(path.join(part)).unwrap();
    }
    for n in 30..33 {
        std::fs::write(path.join(format!("maildir/cur/{n}.x:2,FS")), text(n)).unwrap();
    }
    site.close().unwrap();
}

/// A message, with what a reader sees of it: text, flags, keywords, whether joe has seen it.
type Seen = (String, u32, Vec<String>, bool);

/// Everything that a tool must have led to whatever came between: all but times, UIDs and new identities.
#[derive(PartialEq, Clone, Debug)]
pub(crate) struct Outcome {
    mailboxes: BTreeMap<String, (String, Vec<Seen>)>,
    quotas: Vec<String>,
    subscriptions: Vec<String>,
    deliveries: usize,
    users: Vec<String>,
}

/// What is there now, on a disk in good order. `twice`: messages may be there twice where they came without an answer.
pub(crate) fn outcome(path: &Path, context: &str, twice: bool) -> Outcome {
    let site = open(path, Arc::new(RealDisk), [3; 16], false).unwrap_or_else(|problem| panic!("{context}: {problem}"));
    let store = &site.store;
    let mut rows = Vec::new();
    store.list("", |_, row| {
        rows.push(Arc::clone(row));
        ControlFlow::Continue(())
    });
    let mut mailboxes = BTreeMap::new();
    for row in rows {
        let mailbox = store.mailbox(&row.name).unwrap_or_else(|problem| panic!("{context}: {}: {problem}", row.name));
        let mut messages: Vec<Seen> = Vec::new();
        let reading = mailbox.read();
        for record in reading.records(1..=u32::MAX) {
            // What a power cut took of derived data is made anew where it is asked for.
            reading.cache(&record, CacheItems::ALL, &mut CacheBuf::default()).unwrap();
            let body = mailbox.open_message(record.uid).unwrap().read_all(1 << 20).unwrap();
            let keywords = reading.keywords_of(&record).map(|keyword| keyword.as_str().to_owned()).collect();
            let seen = reading.reader("joe").has_seen(record.uid);
            messages.push((String::from_utf8(body).unwrap(), record.flags.bits(), keywords, seen));
        }
        messages.sort();
        if twice {
            messages.dedup();
        }
        // The end of a deleted mailbox's name is when it was deleted.
        let shown = match row.name.as_str().strip_prefix("DELETED/") {
            Some(place) => format!("DELETED/{}", place.rsplit_once('/').unwrap().0),
            None => row.name.to_string(),
        };
        mailboxes.insert(shown, (format!("{} {:?} {}", row.acl, row.quota_root, row.partition), messages));
    }
    // A message that came twice is counted twice.
    let quota = |root: MailboxName| {
        let quota = store.quota(&root).unwrap();
        if twice { format!("{root} {:?}", quota.limits) } else { format!("{root} {quota:?}") }
    };
    let quotas = store.quota_roots().into_iter().map(|(root, _)| quota(root)).collect();
    let subscriptions = store.subscriptions("joe").unwrap().iter().map(ToString::to_string).collect();
    let mut deliveries = 0;
    store.duplicates().each(|_, _| {
        deliveries += 1;
        true
    });
    let users = directory::Directory::users(&site.directory, None).unwrap();
    let users = users.iter().map(|user| format!("{} {:?}", user.uid, user.state)).collect();
    store.settle();
    let findings = store.check_contents(&mut |_| {}).unwrap().findings;
    // Directories that nobody lists are what `ctl_mboxlist -d -x` leaves.
    let is_damage = |found: &&Finding| found.severity == Severity::Damage && !found.what.starts_with("unlisted");
    let damage: Vec<_> = findings.iter().filter(is_damage).collect();
    assert!(damage.is_empty(), "{context}: {damage:#?}");
    site.close().unwrap();
    let half: Vec<_> = leftovers(path);
    assert!(half.is_empty(), "{context}: half-written files are left: {half:?}");
    Outcome { mailboxes, quotas, subscriptions, deliveries, users }
}

/// Files that are no more than the beginning of something.
fn leftovers(path: &Path) -> Vec<PathBuf> {
    let (mut left, mut todo) = (Vec::new(), vec![path.join("config"), path.join("spool"), path.join("big")]);
    while let Some(directory) = todo.pop() {
        for entry in std::fs::read_dir(&directory).into_iter().flatten().map(Result::unwrap) {
            let name = entry.file_name().into_string().unwrap();
            if entry.file_type().unwrap().is_dir() {
                todo.push(entry.path());
            } else if name.ends_with(".NEW") || name.ends_with(".tmp") || directory.ends_with("stage.") {
                left.push(entry.path());
            }
        }
    }
    left
}
