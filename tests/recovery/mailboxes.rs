//! Damage to one mailbox - its metadata, its message files - and `reconstruct`, with the server stopped, running, and under
//! load.

use std::fs;
use std::path::Path;
use std::process::Output;

use harness::{Imap, Server};

use crate::fixture::{Fixture, Mode, Snapshot, Traffic, message};
use crate::invariants::{Expected, all_delivered, clients_see, exited, lines, store_is_sound, untouched};

pub(crate) const INBOX: &str = "user/joe";

/// A damage, and what must come of it.
struct Case {
    name: &'static str,
    /// Damages joe's INBOX, whose directory it is given.
    damage: fn(&Path),
    expected: fn() -> Expected,
    /// What the output must say, where nobody has the mailbox open; a server that has it open may know better.
    says: &'static [&'static str],
    /// What clients must see besides the invariants.
    look: fn(&Snapshot, Mode),
}

fn flags_lost(uids: std::ops::RangeInclusive<u32>) -> Expected {
    Expected {
        flags_lost: uids.clone().map(|uid| (INBOX, uid)).collect(),
        date_lost: uids.map(|uid| (INBOX, uid)).collect(),
        ..Expected::damage(INBOX)
    }
}

fn gone(uid: u32) -> Expected {
    Expected { gone: [(INBOX, uid)].into(), ..Expected::damage(INBOX) }
}

fn patch(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    change(&mut bytes);
    // In place, as a disk would.
    fs::write(path, bytes).unwrap();
}

/// Changes a field of the index header and makes its checksum right again.
fn patch_header(dir: &Path, at: usize, change: fn(u32) -> u32) {
    patch(&dir.join("cyrus.index"), |bytes| {
        let old = u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
        bytes[at..at + 4].copy_from_slice(&change(old).to_le_bytes());
        let crc = crc32fast::hash(&bytes[..252]);
        bytes[252..256].copy_from_slice(&crc.to_le_bytes());
    });
}

pub(crate) fn put(dir: &Path, file: &str, bytes: &[u8]) {
    use std::os::unix::fs::PermissionsExt;
    fs::write(dir.join(file), bytes).unwrap();
    fs::set_permissions(dir.join(file), fs::Permissions::from_mode(0o600)).unwrap();
}

fn remove(dir: &Path, files: &[&str]) {
    files.iter().for_each(|file| fs::remove_file(dir.join(file)).unwrap());
}

pub(crate) fn nothing(_: &Snapshot, _: Mode) {}

const CASES: &[Case] = &[
    Case {
        name: "1 index truncated mid-record",
        damage: |dir| {
            let file = fs::File::options().write(true).open(dir.join("cyrus.index")).unwrap();
            file.set_len(256 + 3 * 128 + 7).unwrap();
        },
        expected: || flags_lost(4..=10),
        says: &["records are missing", "uid 4: found", "uid 10: found"],
        look: |now, mode| {
            if mode != Mode::Busy {
                let joe = &now.mailboxes[INBOX];
                // From the topmost Received field, or the file's time.
                assert!(joe.messages[&5].date.contains("-Apr-2025 11:12:13 +0000"), "{}", joe.messages[&5].date);
                assert!(joe.messages[&4].date.contains("-Sep-2020 "), "{}", joe.messages[&4].date);
            }
        },
    },
    Case {
        name: "2 index header zeroed",
        damage: |dir| patch(&dir.join("cyrus.index"), |bytes| bytes[..160].fill(0)),
        expected: || flags_lost(1..=10),
        says: &["cyrus.index is unreadable", "flags are lost", "uid 1: found"],
        look: nothing,
    },
    Case {
        name: "3 index deleted",
        damage: |dir| remove(dir, &["cyrus.index"]),
        expected: || flags_lost(1..=10),
        says: &["cyrus.index is missing", "flags are lost"],
        look: nothing,
    },
    Case {
        name: "4 cache deleted",
        damage: |dir| remove(dir, &["cyrus.cache"]),
        expected: || Expected::damage(INBOX),
        says: &["cyrus.cache is missing: made anew"],
        look: nothing,
    },
    Case {
        name: "5 cache of another generation",
        damage: |dir| patch(&dir.join("cyrus.cache"), |bytes| bytes[8] ^= 0xff),
        expected: || Expected::damage(INBOX),
        says: &["cyrus.cache belongs to another index"],
        look: nothing,
    },
    Case {
        name: "7 header deleted",
        damage: |dir| remove(dir, &["cyrus.header"]),
        expected: || Expected { flags_lost: [(INBOX, 5), (INBOX, 6)].into(), ..Expected::damage(INBOX) },
        says: &["cyrus.header is missing", "2 keywords dropped"],
        look: |now, mode| {
            let flags = |uid| now.mailboxes[INBOX].messages[&uid].flags.clone();
            assert!(flags(1).contains("\\Answered"), "{:?}", flags(1));
            // A server that has the mailbox open knows the names.
            assert_eq!(flags(5).contains("$Work"), mode == Mode::Busy, "{:?}", flags(5));
        },
    },
    Case {
        name: "8 header garbage",
        damage: |dir| fs::write(dir.join("cyrus.header"), [0xa5; 400]).unwrap(),
        expected: || Expected { flags_lost: [(INBOX, 5), (INBOX, 6)].into(), ..Expected::damage(INBOX) },
        says: &["cyrus.header is not a mailbox header", "2 keywords dropped"],
        look: nothing,
    },
    Case {
        name: "10 header, index and cache deleted",
        damage: |dir| remove(dir, &["cyrus.header", "cyrus.index", "cyrus.cache"]),
        expected: || flags_lost(1..=10),
        says: &["cyrus.header is missing", "cyrus.index is missing", "uid 10: found"],
        look: nothing,
    },
    Case {
        name: "11 more records claimed than there are",
        damage: |dir| patch_header(dir, 48, |count| count + 5),
        expected: || flags_lost(1..=10),
        says: &["5 records are missing"],
        look: nothing,
    },
    Case {
        name: "11 more messages claimed than there are",
        damage: |dir| patch_header(dir, 52, |count| count + 5),
        expected: || flags_lost(1..=10),
        says: &["counters were wrong"],
        look: nothing,
    },
    Case {
        name: "13 last UID too small",
        damage: |dir| patch_header(dir, 28, |_| 7),
        expected: || flags_lost(1..=10),
        says: &["the last UID was 7, but there is 10"],
        look: nothing,
    },
    Case {
        name: "15 a record's checksum",
        damage: |dir| patch(&dir.join("cyrus.index"), |bytes| bytes[256 + 2 * 128 + 9] ^= 0x40),
        expected: || flags_lost(3..=3),
        says: &["1 records have a wrong checksum", "uid 3: found"],
        look: nothing,
    },
    Case {
        name: "15 the header's checksum",
        damage: |dir| patch(&dir.join("cyrus.index"), |bytes| bytes[254] ^= 1),
        expected: || flags_lost(1..=10),
        says: &["cyrus.index is unreadable"],
        look: nothing,
    },
    Case {
        name: "16 a message file missing",
        damage: |dir| remove(dir, &["4."]),
        expected: || gone(4),
        says: &["user/joe: uid 4: not found"],
        look: nothing,
    },
    Case {
        name: "17 a file beyond UIDNEXT",
        damage: |dir| put(dir, "5000.", &message(77)),
        expected: || Expected::damage(INBOX),
        says: &["uid 5000: found"],
        look: |now, _| {
            let joe = &now.mailboxes[INBOX];
            assert!(joe.messages[&5000].body == message(77) && joe.messages[&5000].flags.is_empty());
            assert!(joe.uid_next >= 5001);
        },
    },
    Case {
        name: "19 an empty message file",
        damage: |dir| fs::write(dir.join("7."), b"").unwrap(),
        expected: || gone(7),
        says: &["user/joe: uid 7: the file is empty: removed"],
        look: nothing,
    },
    Case {
        name: "21 bare LF",
        damage: |dir| put(dir, "6000.", b"A: b\n\nx\n"),
        expected: || Expected::damage(INBOX),
        says: &["uid 6000: found", "note: uid 6000: it has bare LF"],
        look: |now, _| assert_eq!(now.mailboxes[INBOX].messages[&6000].body, b"A: b\n\nx\n"),
    },
    Case {
        name: "22 odd files",
        damage: |dir| {
            for file in ["core", "5.bak", ".swp", "05.", "-1.", "99999999999."] {
                fs::write(dir.join(file), b"From: x\r\n\r\n").unwrap();
            }
        },
        expected: || Expected::damage(INBOX),
        says: &[
            "odd file core",
            "odd file 5.bak",
            "odd file .swp",
            "odd file 05.",
            "odd file -1.",
            "odd file 99999999999.",
        ],
        look: |now, mode| assert!(mode == Mode::Busy || now.mailboxes[INBOX].messages.len() == 10),
    },
    Case {
        name: "36 seen state garbage",
        damage: |dir| fs::write(dir.join("cyrus.seen"), [0xa5; 500]).unwrap(),
        expected: || Expected { seen_lost: [INBOX].into(), ..Expected::damage(INBOX) },
        says: &["cyrus.seen is damaged"],
        look: nothing,
    },
    Case {
        name: "36 a bad set in the seen state",
        damage: |dir| {
            patch(&dir.join("cyrus.seen"), |bytes| {
                let rest = "joe 10 1700000000 =5:1,,x";
                bytes.extend_from_slice(format!("{:08x} {rest}\n", crc32fast::hash(rest.as_bytes())).as_bytes());
            });
        },
        expected: || Expected { seen_lost: [INBOX].into(), ..Expected::damage(INBOX) },
        says: &["cyrus.seen is damaged"],
        look: |now, _| assert_eq!(now.mailboxes[INBOX].seen_by_sue, [2].into(), "sue's line was good"),
    },
    Case {
        name: "36 lines of the seen state in another order",
        damage: |dir| {
            patch(&dir.join("cyrus.seen"), |bytes| {
                let text = String::from_utf8(bytes.clone()).unwrap();
                let mut all: Vec<_> = text.lines().collect();
                let garbage = "zzz not a line";
                all.insert(1, garbage);
                *bytes = format!("{}\n", all.join("\n")).into_bytes();
            });
        },
        expected: || Expected::damage(INBOX),
        says: &["cyrus.seen is damaged"],
        look: nothing,
    },
    Case {
        name: "36 seen state deleted",
        damage: |dir| remove(dir, &["cyrus.seen"]),
        expected: || Expected { seen_lost: [INBOX].into(), ..Expected::damage(INBOX) },
        says: &["cyrus.seen is missing"],
        look: nothing,
    },
];

/// Lines that report a change.
pub(crate) fn changes(output: &Output) -> Vec<String> {
    let is_change = |line: &String| line.contains(": ") && !line.contains(": note: ") && !line.contains(": error: ");
    lines(output).into_iter().filter(is_change).collect()
}

/// How many changes the log reports.
fn logged(fixture: &Fixture, output: &Output, before: usize) -> usize {
    let log = match &fixture.server {
        Some(server) => server.log(),
        None => String::from_utf8_lossy(&output.stderr).into_owned(),
    };
    count_logged(&log) - before
}

fn count_logged(log: &str) -> usize {
    log.matches("event=\"reconstruct.changed\"").count() + log.matches("event=reconstruct.changed").count()
}

/// Runs `reconstruct` with -n, then in earnest, then again, and checks what it says (7, 8). Returns what it said.
pub(crate) fn reconstruct(fixture: &Fixture, arguments: &[&str], mode: Mode, context: &str) -> Vec<String> {
    let all = |extra: &'static str| [&["reconstruct", extra], arguments].concat();
    let dry = fixture.run(&all("-n"));
    exited(&dry, 0);
    let before = fixture.server.as_ref().map_or(0, |server| count_logged(&server.log()));
    let output = fixture.run(&[&["reconstruct"], arguments].concat());
    exited(&output, 0);
    let made = changes(&output);
    // Under load the numbers in a line may be others a moment later.
    if mode != Mode::Busy {
        assert_eq!(changes(&dry), made, "{context}: a dry run lists what is changed (7)");
    }
    assert_eq!(logged(fixture, &output, before), made.len(), "{context}: a line of log for each change (8)");
    let again = fixture.run(&all("-q"));
    exited(&again, 0);
    assert_eq!(changes(&again), Vec::<String>::new(), "{context}: a second run changes nothing (7)");
    lines(&output)
}

fn check(case: &Case, mode: Mode) {
    let context = format!("{} ({mode:?})", case.name);
    let expected = (case.expected)();
    let (fixture, traffic) = Fixture::begin(mode);
    let others = untouched(&fixture, &expected);
    (case.damage)(&fixture.dir(INBOX));
    let said = reconstruct(&fixture, &[INBOX], mode, &context).join("\n");
    if mode != Mode::Busy {
        for text in case.says {
            assert!(said.contains(text), "{context}: {text:?} is not said:\n{said}");
        }
        assert!(untouched(&fixture, &expected) == others, "{context}: another mailbox was touched (6)");
    }
    finish(fixture, traffic, &expected, mode, &context, case.look);
}

/// Everything that must be true in the end.
pub(crate) fn finish(
    mut fixture: Fixture,
    traffic: Option<Traffic>,
    expected: &Expected,
    mode: Mode,
    context: &str,
    look: fn(&Snapshot, Mode),
) {
    if let Some(traffic) = &traffic {
        traffic.await_more(5);
    }
    let kept = traffic.map(Traffic::finish).unwrap_or_default();
    exited(&fixture.run(&["quota", "-f", "-q"]), 0);
    let now = clients_see(&mut fixture, expected, context);
    all_delivered(&now, &kept, context);
    look(&now, mode);
    next_message(fixture.server(), &now, context);
    fixture.stop();
    store_is_sound(&fixture, context);
}

/// The next message gets a UID that no message had.
fn next_message(server: &Server, now: &Snapshot, context: &str) {
    let mut joe = server.imap("joe");
    let answer = joe.append("INBOX", "", &message(88)).unwrap();
    let code = answer.code("APPENDUID").unwrap_or_else(|| panic!("{context}: {}", answer.status));
    let uid: u32 = code.rsplit_once(' ').unwrap().1.parse().unwrap();
    assert!(uid >= now.mailboxes[INBOX].uid_next, "{context}: UID {uid}");
}

#[test]
fn offline() {
    CASES.iter().for_each(|case| check(case, Mode::Offline));
}

#[test]
fn online() {
    CASES.iter().for_each(|case| check(case, Mode::Online));
}

#[test]
fn under_load() {
    CASES.iter().for_each(|case| check(case, Mode::Busy));
}

#[test]
fn a_healthy_store_is_not_touched() {
    for mode in [Mode::Offline, Mode::Online] {
        let (mut fixture, _) = Fixture::begin(mode);
        let before = untouched(&fixture, &Expected::default());
        for arguments in [&["reconstruct"][..], &["reconstruct", "-G"], &["reconstruct", "-r", "-f", "user.joe"]] {
            let output = fixture.run(arguments);
            exited(&output, 0);
            assert!(changes(&output).is_empty(), "{:?}", lines(&output));
        }
        assert!(untouched(&fixture, &Expected::default()) == before, "{mode:?}");
        fixture.stop();
    }
}

/// Replies to NOOP, as text.
fn noop(imap: &mut Imap) -> Vec<String> {
    imap.must("NOOP").unwrap().untagged.iter().map(ToString::to_string).collect()
}

#[test]
fn sessions_are_told_what_has_changed() {
    let (mut fixture, _) = Fixture::begin(Mode::Online);
    let (mut joe, mut sue) = (fixture.server().imap("joe"), fixture.server().imap("sue"));
    joe.must("SELECT INBOX").unwrap();
    sue.must("SELECT \"Other Users/joe\"").unwrap();
    remove(&fixture.dir(INBOX), &["4."]);
    put(&fixture.dir(INBOX), "5000.", &message(77));
    exited(&fixture.run(&["reconstruct", "user.joe"]), 0);
    for session in [&mut joe, &mut sue] {
        let told = noop(session);
        assert!(told.contains(&"* 4 EXPUNGE".to_owned()) && told.contains(&"* 10 EXISTS".to_owned()), "{told:?}");
    }
    // What can't be told needs another SELECT.
    remove(&fixture.dir(INBOX), &["cyrus.cache"]);
    exited(&fixture.run(&["reconstruct", "--bump-uidvalidity", "user.joe"]), 0);
    let told = joe.command("NOOP").and_then(|_| joe.command("NOOP"));
    assert!(told.is_err(), "{told:?}");
    let mut joe = fixture.server().imap("joe");
    assert_eq!(joe.must("SELECT INBOX").unwrap().number("EXISTS"), Some(10));
    assert!(!fixture.server().log().contains("panicked"));
    fixture.stop();
}

#[test]
fn odd_files_are_removed_when_asked() {
    let (fixture, _) = Fixture::begin(Mode::Offline);
    put(&fixture.dir(INBOX), "core", b"x");
    put(&fixture.dir(INBOX), "cyrus.expunge", b"kept");
    let said = reconstruct(&fixture, &["-O", INBOX], Mode::Offline, "-O");
    assert!(said.iter().any(|line| line == "user/joe: odd file core: removed"), "{said:?}");
    assert!(!fixture.file(INBOX, "core").exists() && fixture.file(INBOX, "cyrus.expunge").exists());
}
