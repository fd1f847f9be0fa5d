//! The tools at work while the power is cut: those that mend, in the server or without one, those that remove for good, and
//! what moves mailboxes. A second run on what is left must lead to where an undisturbed run leads, and what no run was to
//! touch must be there at every moment, under the UIDs it had.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Child, Output};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use harness::transcript::Protocol;
use harness::{DOMAIN, Home, Imap, PASSWORD, Server};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::disk::Disk;

/// A small file system: it is copied often.
const IMAGE_SIZE: u64 = 64 << 20;

/// How often each work is cut off before its end, in equal distances.
const CUTS: u64 = 2;

/// A work is over by then, on the busiest of machines.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long the counter of the disk's writes is left alone: the kernel tells nobody when it moves.
const GLANCE: Duration = Duration::from_micros(200);

/// What trouble the log of a start after a power cut may tell of.
const ANNOUNCED: [&str; 14] = [
    "mailbox.index.repaired",
    "mailbox.index.missing",
    "mailbox.index.damaged",
    "mailbox.cache.",
    "mailbox.header.rebuilt",
    "mailbox.reconstruct.",
    "mailbox.files.",
    "mailbox.file.",
    "mailbox.seen.damaged",
    "store.recovered",
    "ledger.tail.cut",
    "reconstruct.",
    "quota.",
    "sled::config",
];

/// What is cut off.
struct Work {
    name: &'static str,
    /// What is made wrong before, while nobody has the store.
    damage: fn(&Home),
    deed: Deed,
    /// A server has the store, and does it.
    live: bool,
    /// How the Message-IDs begin of what it takes away.
    removes: Option<&'static str>,
    /// What an operator runs after it.
    then: &'static [&'static str],
}

enum Deed {
    /// A command of the program.
    Tool(&'static [&'static str]),
    /// A command of joe's.
    Imap(&'static str),
    /// A backup: half of one must not pass for a whole one.
    Backup,
}

const TOOL: Work = Work { name: "", damage: |_| {}, deed: Deed::Tool(&[]), live: true, removes: None, then: &[] };

const WORKS: [Work; 10] = [
    Work {
        name: "reconstruct",
        damage: wreck,
        deed: Deed::Tool(&["reconstruct", "-r", "-f"]),
        then: &["quota", "-f"],
        live: false,
        ..TOOL
    },
    Work {
        name: "reconstruct, live",
        damage: wreck,
        deed: Deed::Tool(&["reconstruct", "-r", "-f"]),
        then: &["quota", "-f"],
        ..TOOL
    },
    Work { name: "ctl_mboxlist -r", damage: lose_list, deed: Deed::Tool(&["ctl_mboxlist", "-r"]), live: false, ..TOOL },
    Work { name: "quota -f", damage: spoil_quota, deed: Deed::Tool(&["quota", "-f"]), ..TOOL },
    Work { name: "cyr_expire", deed: Deed::Tool(&["cyr_expire", "-X", "0s", "-E", "0s"]), ..TOOL },
    Work { name: "unexpunge", deed: Deed::Tool(&["unexpunge", "-a", "user/joe"]), ..TOOL },
    Work { name: "rename", deed: Deed::Imap("RENAME Lists Archive"), ..TOOL },
    Work { name: "delete", deed: Deed::Imap("DELETE Lists/rust"), removes: Some("<rust-"), ..TOOL },
    Work { name: "backup", deed: Deed::Backup, ..TOOL },
    Work {
        name: "restore",
        deed: Deed::Tool(&["restore", "--from", "first", "user/joe", "--into", "user/joe/Restored"]),
        ..TOOL
    },
];

/// Mailboxes, with the flags of each message by its Message-ID.
type Picture = BTreeMap<String, BTreeMap<String, String>>;

/// Which message each UID of each UIDVALIDITY stands for.
type Identities = BTreeMap<(u32, u32), String>;

#[test]
fn what_tools_do_survives_a_power_cut() {
    let directory = TempDir::with_prefix("angarium-powercut-").expect("a temporary directory");
    let Some(disk) = Disk::create(directory.path(), IMAGE_SIZE) else {
        println!("SKIPPED what_tools_do_survives_a_power_cut: needs root and loop devices");
        return;
    };
    let settings = ["store.expunge_mode = \"delayed\"", "store.delete_mode = \"delayed\""];
    let home = Home::at(env!("CARGO_BIN_EXE_angarium"), &disk.mounted, &settings);
    let (before, known) = prepare(&home);
    let mut trial = Trial { disk, home, before, known };
    let template = trial.disk.keep("template");
    for work in &WORKS {
        trial.every_cut(work, &template);
    }
}

struct Trial {
    disk: Disk,
    home: Home,
    before: Picture,
    known: Identities,
}

impl Trial {
    /// Runs a work and cuts it off: first after its end, to see how much it writes and where it leads.
    fn every_cut(&mut self, work: &Work, template: &Path) {
        let expected = OnceCell::new();
        let writes = self.one_cut(work, template, u64::MAX, &expected);
        for cut in 1..=CUTS {
            self.one_cut(work, template, writes * cut / (CUTS + 1), &expected);
        }
        println!("{}: cut off {} times within {writes} writes to the disk", work.name, CUTS + 1);
    }

    /// Cuts a work off when the disk has seen so many writes. Returns how many it had seen.
    fn one_cut(&mut self, work: &Work, template: &Path, at: u64, expected: &OnceCell<Picture>) -> u64 {
        self.disk.go_back_to(template);
        (work.damage)(&self.home);
        // What an administrator or a disk has done is there; the test is of what comes after it.
        self.disk.sync();
        let server = work.live.then(|| self.home.start());
        let begin = self.disk.written();
        let mut working = work.deed.begin(&self.home, server.as_ref());
        let deadline = Instant::now() + PATIENCE;
        while !working.has_ended() && self.disk.written() - begin < at {
            assert!(Instant::now() < deadline, "{}: does not come to its end", work.name);
            std::thread::sleep(GLANCE);
        }
        let writes = self.disk.written() - begin;
        let whole = working.has_ended();
        match &server {
            Some(server) => server.signal(Signal::STOP),
            None => working.freeze(),
        }
        let after_the_cut = self.disk.copy();
        if let Some(server) = server {
            server.kill();
        }
        let said = working.end();
        assert!(!whole || said.is_ok(), "{}: {said:?}", work.name);
        self.disk.replace_by(&after_the_cut);
        self.judge(work, whole, &format!("{}, cut off after {writes} writes", work.name), expected);
        writes
    }

    fn judge(&self, work: &Work, whole: bool, context: &str, expected: &OnceCell<Picture>) {
        let mut known = self.known.clone();
        let server = if work.live {
            let server = self.home.start();
            let found = look(&server, &mut known, context);
            self.nothing_is_missing(&found, work, context);
            work.again(&self.home, Some(&server), whole, context);
            if whole {
                let in_the_end = look(&server, &mut known, context);
                assert_eq!(messages(&found), messages(&in_the_end), "{context}: it had come to its end");
            }
            server
        } else {
            work.again(&self.home, None, whole, context);
            self.home.start()
        };
        let found = look(&server, &mut known, context);
        self.nothing_is_missing(&found, work, context);
        assert_eq!(&found, expected.get_or_init(|| found.clone()), "{context}");
        server.stop(&ANNOUNCED.map(str::to_owned));
        self.home.check_store();
    }

    /// What was there before, and is not taken away, is there at every moment.
    fn nothing_is_missing(&self, found: &Picture, work: &Work, context: &str) {
        let there: Vec<&String> = found.values().flat_map(BTreeMap::keys).collect();
        let before = self.before.values().flat_map(BTreeMap::keys);
        let stays = |id: &&String| !work.removes.is_some_and(|begin| id.starts_with(begin));
        let missing: Vec<&String> = before.filter(stays).filter(|id| !there.contains(id)).collect();
        assert!(missing.is_empty(), "{context}: {missing:?} are missing of {found:?}");
    }
}

/// Who is at it.
enum Working {
    Child(Child),
    Session(JoinHandle<Result<(), String>>),
}

impl Working {
    fn has_ended(&mut self) -> bool {
        match self {
            Working::Child(child) => child.try_wait().expect("a child can be asked").is_some(),
            Working::Session(session) => session.is_finished(),
        }
    }

    /// A process that has ended stays as it is.
    fn freeze(&self) {
        let Working::Child(child) = self else { return };
        let pid = Pid::from_raw(i32::try_from(child.id()).expect("a process id")).expect("a process has an id");
        let _ = kill_process(pid, Signal::STOP);
    }

    /// What became of it, if it had ended; else it does now.
    fn end(self) -> Result<(), String> {
        match self {
            Working::Child(mut child) => {
                if child.try_wait().expect("a child can be asked").is_none() {
                    child.kill().expect("the process takes signals");
                }
                succeeded(&child.wait_with_output().expect("the program ends"))
            }
            Working::Session(session) => session.join().expect("a session does not panic"),
        }
    }
}

impl Work {
    /// The second run, and what comes after it.
    fn again(&self, home: &Home, server: Option<&Server>, whole: bool, context: &str) {
        self.deed.again(home, server, whole, context);
        if !self.then.is_empty() {
            home.must_run(self.then, b"");
        }
    }
}

impl Deed {
    fn begin(&self, home: &Home, server: Option<&Server>) -> Working {
        match (self, server) {
            (Deed::Tool(arguments), _) => Working::Child(home.begin(arguments)),
            (Deed::Backup, _) => Working::Child(home.begin(&["backup", "saved"])),
            (Deed::Imap(command), server) => {
                let address = server.expect("a server for the session").address(Protocol::Imap);
                let (mut joe, command) = (Imap::login(address, "joe", PASSWORD).expect("joe logs in"), *command);
                Working::Session(std::thread::spawn(move || {
                    joe.must(command).map(drop).map_err(|problem| problem.to_string())
                }))
            }
        }
    }

    /// The second run, to its end. `whole`: the first one had come to its own.
    fn again(&self, home: &Home, server: Option<&Server>, whole: bool, context: &str) {
        match self {
            Deed::Tool(arguments) => {
                let said = succeeded(&home.run(arguments, b""));
                assert!(said.is_ok(), "{context}: the second run: {said:?}");
            }
            // Where the first one had done it, there is nothing of the name any more.
            Deed::Imap(_) => drop(self.begin(home, server).end()),
            Deed::Backup => {
                /// There is no manifest, so it is no backup.
                const NO_BACKUP: i32 = 66;
                let verified = home.run(&["backup", "--verify", "saved"], b"");
                if !whole && verified.status.code() == Some(NO_BACKUP) {
                    let refused = home.run(&["restore", "--from", "saved", "user/joe"], b"");
                    assert_eq!(refused.status.code(), Some(NO_BACKUP), "{context}: nobody believes half of it");
                    let _ = fs::remove_dir_all(home.path().join("saved"));
                    home.must_run(&["backup", "saved"], b"");
                    home.must_run(&["backup", "--verify", "saved"], b"");
                } else {
                    let said = succeeded(&verified);
                    assert!(said.is_ok(), "{context}: what calls itself a backup is one: {said:?}");
                }
            }
        }
    }
}

fn succeeded(output: &Output) -> Result<(), String> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let said = || format!("{}\n{}{}", output.status, text(&output.stdout), text(&output.stderr));
    if output.status.success() { Ok(()) } else { Err(said()) }
}

/// joe with folders and a quota, from whose INBOX messages were expunged; a backup of him.
fn prepare(home: &Home) -> (Picture, Identities) {
    let password = format!("{PASSWORD}\n");
    home.must_run(&["user", "add", "joe", "--quota", "10", "--password-stdin"], password.as_bytes());
    let server = home.start();
    let mut joe = server.imap("joe");
    for folder in ["Lists", "Lists/rust"] {
        joe.must(&format!("CREATE {folder}")).expect("created");
    }
    for (mailbox, name, count) in [("INBOX", "inbox", 12), ("Lists", "lists", 6), ("Lists/rust", "rust", 3)] {
        for n in 0..count {
            let flags = ["", "(\\Flagged)", "(\\Seen $Work)"][n % 3];
            let answer = joe.append(mailbox, flags, &message(&format!("<{name}-{n}@{DOMAIN}>"))).expect("an answer");
            assert!(answer.ok(), "{answer:?}");
        }
    }
    home.must_run(&["backup", "first"], b"");
    joe.must("SELECT INBOX").expect("selected");
    joe.must("UID STORE 3:5 +FLAGS.SILENT (\\Deleted)").expect("marked");
    joe.must("UID EXPUNGE 3:5").expect("expunged");
    let mut known = Identities::new();
    let before = look(&server, &mut known, "before");
    server.stop(&[]);
    (before, known)
}

/// A message whose length and text follow from its name.
fn message(id: &str) -> Vec<u8> {
    let lines = 5 + id.bytes().map(usize::from).sum::<usize>() % 200;
    let text = format!("{id} is a message of which nothing may be lost\r\n").repeat(lines);
    format!("From: sender@{DOMAIN}\r\nMessage-ID: {id}\r\nSubject: {lines} lines\r\n\r\n{text}").into_bytes()
}

/// An index and a header lost, a message put in.
fn wreck(home: &Home) {
    let joe = home.spool().join("user/joe");
    fs::remove_file(joe.join("cyrus.index")).expect("there");
    fs::remove_file(joe.join("Lists/cyrus.header")).expect("there");
    fs::write(joe.join("Lists/rust/9."), message(&format!("<put-in@{DOMAIN}>"))).expect("written");
}

fn lose_list(home: &Home) {
    let config = home.config_dir();
    fs::remove_dir_all(config.join("mailboxes.db")).expect("there");
    for entry in fs::read_dir(config.join("copies")).expect("there").map(|entry| entry.expect("readable")) {
        if entry.file_name().to_string_lossy().starts_with("mailboxes.") {
            fs::remove_file(entry.path()).expect("there");
        }
    }
}

fn spoil_quota(home: &Home) {
    fs::write(home.config_dir().join("quota/j/user.joe"), "1\n10240\nM 1 -1\n").expect("written");
}

/// Everything that joe has. Each message must be what it was, and stand under no UID that stood for another one.
fn look(server: &Server, known: &mut Identities, context: &str) -> Picture {
    let mut joe = server.imap("joe");
    let listed = joe.must("LIST \"\" \"*\"").expect("a list");
    let names: Vec<String> = listed
        .untagged
        .iter()
        .filter_map(|reply| {
            let line = reply.to_string();
            Some(line.strip_prefix("* LIST ")?.split_once(" \"/\" ")?.1.trim().trim_matches('"').to_owned())
        })
        .collect();
    let mut picture = Picture::new();
    for name in names {
        let opened = joe.must(&format!("EXAMINE \"{name}\"")).expect("the mailbox opens");
        let validity: u32 = opened.code("UIDVALIDITY").and_then(|value| value.parse().ok()).expect("a UIDVALIDITY");
        let mut messages = BTreeMap::new();
        for fetched in joe.fetch("UID FETCH 1:* (UID FLAGS BODY.PEEK[])").expect("a FETCH") {
            let id =
                identity(&fetched.body).unwrap_or_else(|| panic!("{context}: {name} {} is none of ours", fetched.uid));
            assert_eq!(fetched.body, message(&id), "{context}: {name} {}", fetched.uid);
            let stood_for = known.entry((validity, fetched.uid)).or_insert_with(|| id.clone());
            assert_eq!(*stood_for, id, "{context}: {name} {}", fetched.uid);
            let mut flags: Vec<&str> = fetched.flags.split(' ').filter(|flag| *flag != "\\Recent").collect();
            flags.sort_unstable();
            assert!(messages.insert(id.clone(), flags.join(" ")).is_none(), "{context}: {id} is twice in {name}");
        }
        picture.insert(name, messages);
    }
    picture
}

/// The picture without flags.
fn messages(picture: &Picture) -> BTreeMap<&str, Vec<&str>> {
    picture.iter().map(|(name, its)| (name.as_str(), its.keys().map(String::as_str).collect())).collect()
}

fn identity(message: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(message);
    text.lines().find_map(|line| line.strip_prefix("Message-ID: ")).map(str::to_owned)
}
