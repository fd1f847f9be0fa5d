//! The store that every recovery test begins with: seven mailboxes whose every property is known, made once and copied for
//! each test.
//!
//! | mailbox | messages | |
//! |---|---|---|
//! | `user/joe` | 10 | sizes, internal dates and file times all differ; flags and keywords on 1 to 6; quota root of 10 MiB |
//! | `user/joe/Lists` | 3 | |
//! | `user/joe/Lists/rust` | 2 | |
//! | `user/joe/Empty` | 0 | |
//! | `user/sue` | 4 | no quota |
//! | `user/admin` | 0 | |
//! | `team` | 2 | `anyone lrsp` |
//!
//! joe has seen 1 to 5 and 7 of his INBOX; sue, who has `lrs` on it, has seen 2. joe subscribes to `team`, INBOX and Lists.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use harness::{ADMIN, Home, Imap, Server};
use tempfile::TempDir;

/// The program.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_angarium");

/// Every mailbox of the fixture: internal name, who looks into it, and the name under which.
pub(crate) const MAILBOXES: [(&str, &str, &str); 7] = [
    ("team", "joe", "Shared Folders/team"),
    ("user/admin", ADMIN, "user/admin"),
    ("user/joe", "joe", "INBOX"),
    ("user/joe/Empty", "joe", "Empty"),
    ("user/joe/Lists", "joe", "Lists"),
    ("user/joe/Lists/rust", "joe", "Lists/rust"),
    ("user/sue", "sue", "INBOX"),
];

/// Whether the server runs while the tool does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// It is stopped: the tool owns the store.
    Offline,
    /// It runs, and nobody has the mailboxes open.
    Online,
    /// It runs, joe and sue have mailboxes selected, and mail is delivered all the time.
    Busy,
}

/// All of them.
pub(crate) const MODES: [Mode; 3] = [Mode::Offline, Mode::Online, Mode::Busy];

/// A copy of the store, and what is known of it.
pub(crate) struct Fixture {
    /// The directory, for running commands.
    pub(crate) home: Home,
    /// The server, while it runs.
    pub(crate) server: Option<Server>,
    /// What clients saw before the damage.
    pub(crate) before: Arc<Snapshot>,
    _own: TempDir,
    _template: Arc<Template>,
}

/// A store as clients see it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Snapshot {
    /// Mailboxes by internal name.
    pub(crate) mailboxes: BTreeMap<String, Mailbox>,
    /// joe's subscriptions, as LSUB lists them.
    pub(crate) subscribed: Vec<String>,
}

/// A mailbox as clients see it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Mailbox {
    /// UIDVALIDITY.
    pub(crate) uid_validity: u32,
    /// UIDNEXT.
    pub(crate) uid_next: u32,
    /// HIGHESTMODSEQ.
    pub(crate) modseq: u64,
    /// Messages by UID.
    pub(crate) messages: BTreeMap<u32, Message>,
    /// Its ACL: identifiers and rights.
    pub(crate) acl: BTreeMap<String, String>,
    /// What sue has seen, where she may look.
    pub(crate) seen_by_sue: BTreeSet<u32>,
}

/// A message as its mailbox's reader sees it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Message {
    /// Flags and keywords but \Recent.
    pub(crate) flags: BTreeSet<String>,
    /// INTERNALDATE.
    pub(crate) date: String,
    /// All of its bytes.
    pub(crate) body: Vec<u8>,
}

impl Fixture {
    /// A fresh copy. The server does not run.
    pub(crate) fn new() -> Self {
        let template = template();
        let own = TempDir::with_prefix("angarium-recovery-").unwrap();
        copy(template.dir.path(), own.path());
        let home = Home::at(PROGRAM, own.path(), SETTINGS);
        Self { home, server: None, before: Arc::clone(&template.snapshot), _own: own, _template: template }
    }

    /// A fresh copy in that mode, with the traffic if there is any: end it before looking at what was delivered.
    pub(crate) fn begin(mode: Mode) -> (Self, Option<Traffic>) {
        let mut fixture = Self::new();
        if mode != Mode::Offline {
            fixture.start();
        }
        let traffic = (mode == Mode::Busy).then(|| Traffic::start(fixture.server()));
        (fixture, traffic)
    }

    /// The directory of a mailbox.
    pub(crate) fn dir(&self, mailbox: &str) -> PathBuf {
        self.home.spool().join(mailbox)
    }

    /// A file of a mailbox.
    pub(crate) fn file(&self, mailbox: &str, file: &str) -> PathBuf {
        self.dir(mailbox).join(file)
    }

    /// Starts the server.
    pub(crate) fn start(&mut self) -> &Server {
        self.server.get_or_insert_with(|| self.home.start())
    }

    /// The running server.
    pub(crate) fn server(&self) -> &Server {
        self.server.as_ref().expect("the server runs")
    }

    /// Stops the server in good order, whatever it has logged.
    pub(crate) fn stop(&mut self) {
        if let Some(server) = self.server.take() {
            let log = server.log();
            assert!(!log.contains("panicked at"), "{log}");
            // Every line contains the empty text: all trouble was announced.
            server.stop(&[String::new()]);
        }
    }

    /// Runs a command.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.home.run(arguments, b"")
    }

    /// What clients see now. Starts the server if it does not run.
    pub(crate) fn look(&mut self) -> Snapshot {
        self.start();
        Snapshot::take(self.server())
    }

    /// The bytes of every file of a mailbox's directory, by name.
    pub(crate) fn files(&self, mailbox: &str) -> BTreeMap<String, Vec<u8>> {
        let mut files = BTreeMap::new();
        for entry in fs::read_dir(self.dir(mailbox)).into_iter().flatten().map(Result::unwrap) {
            if entry.file_type().unwrap().is_file() {
                files.insert(entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap());
            }
        }
        files
    }
}

impl Snapshot {
    /// What clients see of the fixture's mailboxes, and of any others of joe's.
    pub(crate) fn take(server: &Server) -> Self {
        let mut sessions: BTreeMap<&str, Imap> = BTreeMap::new();
        for user in ["joe", "sue", ADMIN] {
            sessions.insert(user, server.imap(user));
        }
        let mut snapshot = Self::default();
        for (name, reader, seen_as) in all_mailboxes(sessions.get_mut("joe").unwrap()) {
            let mut mailbox = sessions.get_mut(reader.as_str()).and_then(|imap| Mailbox::take(imap, &seen_as));
            if let Some(mailbox) = &mut mailbox {
                mailbox.acl = acl(sessions.get_mut(ADMIN).unwrap(), &name);
                if name == "user/joe" {
                    mailbox.seen_by_sue = seen(sessions.get_mut("sue").unwrap(), "Other Users/joe");
                }
            }
            snapshot.mailboxes.extend(mailbox.map(|mailbox| (name, mailbox)));
        }
        let subscribed = sessions.get_mut("joe").unwrap().must("LSUB \"\" *").unwrap();
        snapshot.subscribed = subscribed.untagged.iter().map(ToString::to_string).collect();
        snapshot
    }
}

impl Mailbox {
    /// Everything about one mailbox; `None` if it cannot be selected.
    fn take(imap: &mut Imap, name: &str) -> Option<Self> {
        let selected = imap.command(&format!("EXAMINE {}", quoted(name))).unwrap();
        if !selected.ok() {
            return None;
        }
        let number = |code: &str| selected.code(code).and_then(|text| text.parse().ok()).unwrap_or_default();
        let mut mailbox = Self {
            uid_validity: number("UIDVALIDITY") as u32,
            uid_next: number("UIDNEXT") as u32,
            modseq: number("HIGHESTMODSEQ"),
            ..Self::default()
        };
        if selected.number("EXISTS") != Some(0) {
            for fetched in imap.fetch("FETCH 1:* (UID FLAGS INTERNALDATE BODY.PEEK[])").unwrap() {
                let flags = fetched.flags.split(' ').filter(|flag| !flag.is_empty() && *flag != "\\Recent");
                let message = Message {
                    flags: flags.map(str::to_owned).collect(),
                    date: fetched.date.trim().to_owned(),
                    body: fetched.body,
                };
                let twice = mailbox.messages.insert(fetched.uid, message);
                assert!(twice.is_none(), "{name}: UID {} comes twice", fetched.uid);
            }
            // Derived data that is wrong would show here.
            let count = mailbox.messages.len();
            let derived = imap.must(&format!("FETCH 1:{count} (RFC822.SIZE ENVELOPE BODYSTRUCTURE)")).unwrap().untagged;
            // Others may be delivered meanwhile.
            let fetched = derived.iter().filter(|reply| reply.to_string().contains(" FETCH (RFC822.SIZE ")).count();
            assert_eq!(fetched, count, "{name}");
        }
        imap.must("UNSELECT").unwrap();
        Some(mailbox)
    }

    /// Bytes of all messages.
    pub(crate) fn bytes(&self) -> u64 {
        self.messages.values().map(|message| message.body.len() as u64).sum()
    }

    /// The UIDs.
    pub(crate) fn uids(&self) -> Vec<u32> {
        self.messages.keys().copied().collect()
    }
}

/// Deliveries and sessions that go on while a tool works; what was promised must be there in the end.
pub(crate) struct Traffic {
    stop: Arc<AtomicBool>,
    delivered: Arc<AtomicUsize>,
    deliverer: JoinHandle<Vec<Vec<u8>>>,
    readers: Vec<JoinHandle<()>>,
}

impl Traffic {
    /// Delivers to joe's INBOX without a pause; joe and sue read all the time.
    pub(crate) fn start(server: &Server) -> Self {
        static SERIAL: AtomicUsize = AtomicUsize::new(0);
        let (stop, delivered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let (stopped, counted) = (Arc::clone(&stop), Arc::clone(&delivered));
        let mut lmtp = server.lmtp();
        let deliverer = std::thread::spawn(move || {
            let mut kept = Vec::new();
            while !stopped.load(Ordering::Relaxed) {
                let number = SERIAL.fetch_add(1, Ordering::Relaxed);
                let message =
                    format!("From: load@example.org\r\nSubject: load {number}\r\n\r\n{number}\r\n").into_bytes();
                let replies = lmtp.deliver("load@example.org", &["joe@example.org"], &message).unwrap();
                // A refusal must be one that the client tries again after.
                assert!(replies[0].starts_with("250") || replies[0].starts_with('4'), "{replies:?}");
                if replies[0].starts_with("250") {
                    kept.push(message);
                    counted.fetch_add(1, Ordering::Relaxed);
                }
            }
            kept
        });
        let readers = [("joe", "INBOX"), ("joe", "Lists"), ("sue", "INBOX"), ("sue", "Other Users/joe")];
        let readers = readers.map(|(user, mailbox)| {
            let (address, stopped) = (server.address(harness::transcript::Protocol::Imap), Arc::clone(&stop));
            std::thread::spawn(move || read_all_the_time(address, user, mailbox, &stopped))
        });
        let traffic = Self { stop, delivered, deliverer, readers: readers.into() };
        traffic.await_more(3);
        traffic
    }

    /// Waits until so many more messages were delivered.
    pub(crate) fn await_more(&self, count: usize) {
        let wanted = self.delivered.load(Ordering::Relaxed) + count;
        let begin = SystemTime::now();
        while self.delivered.load(Ordering::Relaxed) < wanted {
            assert!(begin.elapsed().unwrap_or_default() < Duration::from_secs(60), "no mail is delivered any more");
            assert!(!self.deliverer.is_finished(), "deliveries have ended");
            std::thread::yield_now();
        }
    }

    /// Ends it; returns the messages whose delivery was acknowledged.
    pub(crate) fn finish(self) -> Vec<Vec<u8>> {
        self.stop.store(true, Ordering::Relaxed);
        self.readers.into_iter().for_each(|reader| reader.join().expect("a reader does not panic"));
        self.deliverer.join().expect("the deliverer does not panic")
    }
}

/// Selects, asks, and selects again when told to. The server may say NO or BYE; it may never answer nonsense.
fn read_all_the_time(address: std::net::SocketAddr, user: &str, mailbox: &str, stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        let mut imap = Imap::login(address, user, harness::PASSWORD).expect("logins work all the time");
        let selected = imap.command(&format!("SELECT {}", quoted(mailbox)));
        if !selected.is_ok_and(|answer| answer.ok()) {
            std::thread::yield_now();
            continue;
        }
        while !stop.load(Ordering::Relaxed) {
            let asked = ["NOOP", "FETCH 1:5 (UID FLAGS ENVELOPE)", "UID FETCH 1:* (FLAGS)", "NOOP"];
            // The connection ends where the mailbox has to be selected anew.
            if asked.iter().any(|command| imap.command(command).is_err()) {
                break;
            }
        }
    }
}

struct Template {
    dir: TempDir,
    snapshot: Arc<Snapshot>,
}

/// One for all tests that run at the same time; the last of them removes it, which nothing does with what is static.
fn template() -> Arc<Template> {
    static TEMPLATE: Mutex<Weak<Template>> = Mutex::new(Weak::new());
    let mut template = TEMPLATE.lock().unwrap_or_else(PoisonError::into_inner);
    template.upgrade().unwrap_or_else(|| {
        let built = Arc::new(build());
        *template = Arc::downgrade(&built);
        built
    })
}

/// The tools are tried here: the server, which repairs some of the damage by itself, must not be faster.
const SETTINGS: &[&str] = &["store.heal = \"off\""];

fn build() -> Template {
    let dir = TempDir::with_prefix("angarium-template-").unwrap();
    let home = Home::at(PROGRAM, dir.path(), SETTINGS);
    home.must_run(
        &["user", "add", "joe", "--password-stdin", "--quota", "10"],
        format!("{}\n", harness::PASSWORD).as_bytes(),
    );
    home.add_user("sue");
    home.add_user(ADMIN);
    let server = home.start();
    fill(&server);
    age(&home);
    let snapshot = Arc::new(Snapshot::take(&server));
    server.stop(&[]);
    let _ = fs::remove_file(dir.path().join("server.log"));
    let _ = fs::remove_file(dir.path().join("notify"));
    assert_eq!(snapshot.mailboxes.len(), MAILBOXES.len());
    assert_eq!(snapshot.mailboxes["user/joe"].uids(), (1..=10).collect::<Vec<_>>());
    Template { dir, snapshot }
}

/// Messages, flags, ACLs, subscriptions.
fn fill(server: &Server) {
    let mut joe = server.imap("joe");
    for command in ["CREATE Lists", "CREATE Lists/rust", "CREATE Empty", "SETACL INBOX sue lrs"] {
        joe.must(command).unwrap();
    }
    for n in 1..=10 {
        append(&mut joe, "INBOX", n, &format!(" \"{:02}-Mar-2024 10:20:30 +0100\"", n));
    }
    for n in 1..=3 {
        append(&mut joe, "Lists", 20 + n, "");
    }
    for n in 1..=2 {
        append(&mut joe, "Lists/rust", 30 + n, "");
    }
    joe.must("SELECT INBOX").unwrap();
    let flags = [(1, "\\Answered"), (2, "\\Flagged"), (3, "\\Deleted"), (4, "\\Draft"), (5, "$Work"), (6, "Todo")];
    for (uid, flag) in flags {
        joe.must(&format!("UID STORE {uid} +FLAGS ({flag})")).unwrap();
    }
    joe.must("UID STORE 1:5,7 +FLAGS (\\Seen)").unwrap();
    joe.must("UNSELECT").unwrap();
    let mut admin = server.imap(ADMIN);
    for command in ["CREATE team", "SETACL team anyone lrsp", "SETACL team admin lrswipkxtea"] {
        admin.must(command).unwrap();
    }
    for n in 1..=2 {
        append(&mut admin, "team", 40 + n, "");
    }
    let mut sue = server.imap("sue");
    for n in 1..=4 {
        append(&mut sue, "INBOX", 50 + n, "");
    }
    sue.must("SELECT \"Other Users/joe\"").unwrap();
    sue.must("UID STORE 2 +FLAGS (\\Seen)").unwrap();
    for command in ["SUBSCRIBE INBOX", "SUBSCRIBE Lists", "SUBSCRIBE \"Shared Folders/team\""] {
        joe.must(command).unwrap();
    }
}

fn append(imap: &mut Imap, mailbox: &str, number: usize, date: &str) {
    let answer = imap.append(mailbox, date.trim(), &message(number)).unwrap();
    assert!(answer.ok(), "{mailbox}: {}", answer.status);
}

/// A message of a size that no other has. Every second one says when it was received.
pub(crate) fn message(number: usize) -> Vec<u8> {
    let received = match number % 2 {
        1 => format!("Received: from a by b; Tue, {:02} Apr 2025 11:12:13 +0000\r\n", number % 28 + 1),
        _ => String::new(),
    };
    let head = format!(
        "{received}From: Ann <ann@example.org>\r\nTo: joe@example.org\r\nSubject: message {number}\r\n\
         Message-ID: <recovery-{number}@example.org>\r\nDate: Mon, 1 Jan 2024 00:00:00 +0000\r\n\r\n"
    );
    [head.into_bytes(), b"0123456789 and so on\r\n".repeat(number * 3 + 1)].concat()
}

/// Gives message files times that are neither their internal dates nor now.
fn age(home: &Home) {
    for (mailbox, ..) in MAILBOXES {
        for entry in fs::read_dir(home.spool().join(mailbox)).unwrap().map(Result::unwrap) {
            let name = entry.file_name().into_string().unwrap();
            if let Some(uid) = name.strip_suffix('.').and_then(|uid| uid.parse::<u64>().ok()) {
                let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_600_000_000 + uid * 3600);
                File::options().write(true).open(entry.path()).unwrap().set_modified(time).unwrap();
            }
        }
    }
}

/// Copies a directory, with the files' times.
pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let (kind, target) = (entry.file_type().unwrap(), to.join(entry.file_name()));
        if kind.is_dir() {
            copy(&entry.path(), &target);
        } else if kind.is_file() {
            fs::copy(entry.path(), &target).unwrap();
            let modified = entry.metadata().unwrap().modified().unwrap();
            File::options().write(true).open(&target).unwrap().set_modified(modified).unwrap();
        }
    }
}

/// The fixture's mailboxes, and whatever else joe has: internal name, reader, the reader's name for it.
fn all_mailboxes(joe: &mut Imap) -> Vec<(String, String, String)> {
    let mut all: Vec<_> =
        MAILBOXES.iter().map(|(a, b, c)| ((*a).to_owned(), (*b).to_owned(), (*c).to_owned())).collect();
    for reply in joe.must("LIST \"\" *").unwrap().untagged {
        let line = reply.to_string();
        let Some(name) = line.rsplit_once("\"/\" ").map(|(_, name)| name.trim_matches('"').to_owned()) else {
            continue;
        };
        let known = all.iter().any(|(_, reader, seen_as)| reader == "joe" && *seen_as == name);
        if !known && !name.starts_with("Other Users") && !name.starts_with("Shared Folders") {
            all.push((format!("user/joe/{name}"), "joe".to_owned(), name));
        }
    }
    all
}

fn seen(imap: &mut Imap, mailbox: &str) -> BTreeSet<u32> {
    if !imap.command(&format!("EXAMINE {}", quoted(mailbox))).unwrap().ok() {
        return BTreeSet::new();
    }
    let messages = imap.fetch("UID FETCH 1:* (FLAGS)").unwrap_or_default();
    imap.must("UNSELECT").unwrap();
    messages.into_iter().filter(|message| message.flags.contains("\\Seen")).map(|message| message.uid).collect()
}

fn acl(admin: &mut Imap, mailbox: &str) -> BTreeMap<String, String> {
    let answer = admin.command(&format!("GETACL {}", quoted(mailbox))).unwrap();
    let line = answer.untagged.first().map(ToString::to_string).unwrap_or_default();
    let words: Vec<_> = line.split(' ').skip(3).map(|word| word.trim_matches('"').to_owned()).collect();
    words.chunks_exact(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect()
}

fn quoted(text: &str) -> String {
    format!("\"{text}\"")
}
