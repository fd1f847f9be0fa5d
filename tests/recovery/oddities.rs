//! Damages beyond the list that the repair tools were built against: what else a disk, an administrator or a careless
//! script can do to a store, with the server stopped, running, and under load.

use std::fs;
use std::path::{Path, PathBuf};

use crate::fixture::{Fixture, MAILBOXES, MODES, Mode, message};
use crate::invariants::{Expected, exited, lines, store_is_sound};
use crate::mailboxes::{INBOX, finish, nothing, put};

const LISTS: &str = "user/joe/Lists";
const RUST: &str = "user/joe/Lists/rust";

/// A damage, the commands that are given one after the other, and what must come of it.
struct Oddity {
    name: &'static str,
    damage: fn(&Fixture),
    commands: &'static [&'static [&'static str]],
    expected: fn() -> Expected,
    /// What the commands must say, where nobody has the mailbox open.
    says: &'static [&'static str],
    /// When it shows: a running server has the list in memory, and mailboxes that somebody reads.
    modes: &'static [Mode],
}

const REPAIR: &[&[&str]] = &[&["reconstruct", "-r", "-f", "user.joe"]];
const LIST: &[&[&str]] = &[&["ctl_mboxlist", "-r"]];

const BASE: Oddity = Oddity {
    name: "",
    damage: |_| {},
    commands: REPAIR,
    expected: || Expected::damage(INBOX),
    says: &[],
    modes: &MODES,
};

fn damaged(mailboxes: &[&'static str]) -> Expected {
    Expected { damaged: mailboxes.iter().copied().collect(), ..Expected::default() }
}

fn config(fixture: &Fixture, file: &str) -> PathBuf {
    fixture.home.config_dir().join(file)
}

fn copies(fixture: &Fixture, of: fn(&str) -> bool) -> Vec<PathBuf> {
    let entries = fs::read_dir(config(fixture, "copies")).unwrap().map(|entry| entry.unwrap().path());
    let named = |path: &PathBuf| of(&path.file_name().unwrap().to_string_lossy());
    let mut found: Vec<_> = entries.filter(named).collect();
    found.sort();
    found
}

fn special(path: &Path, kind: rustix::fs::FileType) {
    rustix::fs::mknodat(rustix::fs::CWD, path, kind, rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR, 0).unwrap();
}

const ODDITIES: &[Oddity] = &[
    Oddity {
        name: "a message that only root may read",
        damage: |fixture| {
            use std::os::unix::fs::PermissionsExt;
            fs::set_permissions(fixture.file(INBOX, "3."), fs::Permissions::from_mode(0o400)).unwrap();
            fs::set_permissions(fixture.file(INBOX, "4."), fs::Permissions::from_mode(0o666)).unwrap();
        },
        says: &["uid 4: "],
        ..BASE
    },
    Oddity {
        name: "a symbolic link to somebody's file",
        damage: |fixture| std::os::unix::fs::symlink("/etc/passwd", fixture.file(INBOX, "5000.")).unwrap(),
        says: &["5000."],
        ..BASE
    },
    Oddity {
        name: "a symbolic link instead of a message",
        damage: |fixture| {
            fs::remove_file(fixture.file(INBOX, "5.")).unwrap();
            std::os::unix::fs::symlink("/etc/passwd", fixture.file(INBOX, "5.")).unwrap();
        },
        expected: || Expected { gone: [(INBOX, 5)].into(), ..Expected::damage(INBOX) },
        says: &["uid 5: "],
        ..BASE
    },
    Oddity {
        name: "a FIFO",
        damage: |fixture| special(&fixture.file(INBOX, "5000."), rustix::fs::FileType::Fifo),
        says: &["5000."],
        ..BASE
    },
    Oddity {
        name: "a directory instead of a message",
        damage: |fixture| {
            fs::remove_file(fixture.file(INBOX, "5.")).unwrap();
            fs::create_dir(fixture.file(INBOX, "5.")).unwrap();
        },
        expected: || Expected { gone: [(INBOX, 5)].into(), ..Expected::damage(INBOX) },
        says: &["uid 5: "],
        ..BASE
    },
    Oddity {
        name: "the indexes of two mailboxes exchanged",
        damage: |fixture| {
            let (one, other) = (fixture.file(LISTS, "cyrus.index"), fixture.file(RUST, "cyrus.index"));
            let (first, second) = (fs::read(&one).unwrap(), fs::read(&other).unwrap());
            fs::write(one, second).unwrap();
            fs::write(other, first).unwrap();
        },
        expected: || {
            let lost = [(LISTS, 1), (LISTS, 2), (LISTS, 3), (RUST, 1), (RUST, 2)];
            Expected {
                flags_lost: lost.into(),
                date_lost: lost.into(),
                new_validity: [LISTS, RUST].into(),
                seen_lost: [LISTS, RUST].into(),
                ..damaged(&[INBOX, LISTS, RUST])
            }
        },
        modes: &[Mode::Offline, Mode::Online],
        ..BASE
    },
    Oddity {
        name: "two directories with one unique id",
        damage: |fixture| {
            let _ = fs::copy(fixture.file(LISTS, "cyrus.header"), fixture.file(RUST, "cyrus.header")).unwrap();
        },
        expected: || damaged(&[INBOX, LISTS, RUST]),
        ..BASE
    },
    Oddity {
        name: "a quota file lost",
        damage: |fixture| fs::remove_file(config(fixture, "quota/j/user.joe")).unwrap(),
        commands: &[&["quota", "-f"]],
        ..BASE
    },
    Oddity {
        name: "a quota file that is a directory",
        damage: |fixture| {
            fs::remove_file(config(fixture, "quota/j/user.joe")).unwrap();
            fs::create_dir(config(fixture, "quota/j/user.joe")).unwrap();
            fs::remove_dir(config(fixture, "quota/j/user.joe")).unwrap();
            fs::write(config(fixture, "quota/j/user.joe"), [0xff; 300]).unwrap();
        },
        commands: &[&["quota", "-f"]],
        ..BASE
    },
    Oddity {
        name: "garbage between the lines of a subscription file",
        damage: |fixture| {
            let file = config(fixture, "user/j/joe.sub");
            let mut text = fs::read(&file).unwrap();
            text.splice(0..0, *b"\xff\xfe\0\n../../etc/passwd\t\n");
            fs::write(file, text).unwrap();
        },
        commands: &[&["subs", "--repair"]],
        says: &["joe: 2 bad lines"],
        ..BASE
    },
    Oddity {
        name: "the journal of the mailbox list cut off",
        damage: |fixture| {
            let file = config(fixture, "copies/mailboxes.journal");
            let length = fs::metadata(&file).unwrap().len();
            fs::File::options().write(true).open(file).unwrap().set_len(length.saturating_sub(20)).unwrap();
        },
        commands: LIST,
        modes: &[Mode::Offline],
        ..BASE
    },
    Oddity {
        name: "the dump damaged and the database lost",
        damage: |fixture| {
            for dump in copies(fixture, |name| name.starts_with("mailboxes.") && name.ends_with(".dump")) {
                let mut bytes = fs::read(&dump).unwrap();
                let middle = bytes.len() / 2;
                bytes[middle] ^= 0x20;
                fs::write(dump, bytes).unwrap();
            }
            fs::remove_dir_all(config(fixture, "mailboxes.db")).unwrap();
        },
        commands: LIST,
        modes: &[Mode::Offline],
        ..BASE
    },
    Oddity {
        name: "everything of the mailbox list overwritten with noise",
        damage: |fixture| {
            let noise: Vec<u8> = (0u32..5000).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
            fs::write(config(fixture, "mailboxes.db/db"), &noise).unwrap();
            for copy in copies(fixture, |name| name.starts_with("mailboxes.") && !name.ends_with(".lock")) {
                fs::write(copy, &noise).unwrap();
            }
        },
        commands: LIST,
        modes: &[Mode::Offline],
        ..BASE
    },
    Oddity {
        name: "files of the future",
        damage: |fixture| {
            let future = std::time::SystemTime::now() + std::time::Duration::from_secs(400 * 24 * 3600);
            for entry in fs::read_dir(fixture.dir(INBOX)).unwrap().map(Result::unwrap) {
                if entry.file_type().unwrap().is_file() {
                    fs::File::options().write(true).open(entry.path()).unwrap().set_modified(future).unwrap();
                }
            }
        },
        ..BASE
    },
    Oddity {
        name: "a message file put back under a UID that is the next one",
        damage: |fixture| put(&fixture.dir(INBOX), "11.", &message(77)),
        ..BASE
    },
];

fn check(oddity: &Oddity, mode: Mode) {
    let context = format!("{} ({mode:?})", oddity.name);
    let expected = (oddity.expected)();
    let (fixture, traffic) = Fixture::begin(mode);
    (oddity.damage)(&fixture);
    let mut said = Vec::new();
    for command in oddity.commands {
        let output = fixture.run(command);
        exited(&output, 0);
        said.extend(lines(&output));
    }
    let said = said.join("\n");
    if mode == Mode::Offline {
        for text in oddity.says {
            assert!(said.contains(text), "{context}: {text:?} is not said:\n{said}");
        }
    }
    for command in oddity.commands.iter().filter(|command| command[0] == "reconstruct") {
        let again = fixture.run(&[*command, &["-q"]].concat());
        exited(&again, 0);
        assert_eq!(crate::mailboxes::changes(&again), [""; 0], "{context}: a second run (7)");
    }
    finish(fixture, traffic, &expected, mode, &context, nothing);
}

/// Tries all of them before it fails.
fn check_all(mode: Mode) {
    let tried: Vec<_> = ODDITIES.iter().filter(|oddity| oddity.modes.contains(&mode)).collect();
    let fails = |oddity: &&&Oddity| std::panic::catch_unwind(|| check(oddity, mode)).is_err();
    let failed: Vec<_> = tried.iter().filter(fails).map(|oddity| oddity.name).collect();
    println!("{mode:?}: {} damages, failures {}", tried.len(), failed.len());
    assert!(failed.is_empty(), "{mode:?}: {failed:#?}");
}

#[test]
fn offline() {
    check_all(Mode::Offline);
}

#[test]
fn online() {
    check_all(Mode::Online);
}

#[test]
fn under_load() {
    check_all(Mode::Busy);
}

/// A newer version may know more than we do: its index is not touched, and nothing else suffers. Who wants to go back to this
/// version all the same moves the index out of the way.
#[test]
fn an_index_of_a_future_version_is_left_alone() {
    for mode in [Mode::Offline, Mode::Online] {
        let context = format!("a future version ({mode:?})");
        let (mut fixture, _) = Fixture::begin(mode);
        let file = fixture.file(INBOX, "cyrus.index");
        let mut bytes = fs::read(&file).unwrap();
        bytes[8] = 9;
        let crc = crc32fast::hash(&bytes[..252]);
        bytes[252..256].copy_from_slice(&crc.to_le_bytes());
        fs::write(&file, &bytes).unwrap();
        let refused = fixture.run(&["reconstruct", "-r", "user.joe"]);
        exited(&refused, 75);
        assert!(lines(&refused).iter().any(|line| line.contains("written by a newer version")), "{context}");
        assert!(fs::read(&file).unwrap() == bytes, "{context}: it is as it was");
        fixture.start();
        let mut joe = fixture.server().imap("joe");
        assert!(joe.command("SELECT INBOX").unwrap().status.starts_with("NO"), "{context}");
        joe.must("SELECT Lists").unwrap();
        let replies = fixture.server().lmtp().deliver("a@example.org", &["joe@example.org"], &message(93)).unwrap();
        assert!(replies[0].starts_with('4'), "{context}: mail waits: {replies:?}");
        drop(joe);
        fixture.stop();
        fs::rename(&file, file.with_extension("newer")).unwrap();
        exited(&fixture.run(&["reconstruct", "user.joe"]), 0);
        let all: std::collections::BTreeSet<_> = (1..=10).map(|uid| (INBOX, uid)).collect();
        let expected = Expected { flags_lost: all.clone(), date_lost: all, ..Expected::damage(INBOX) };
        finish(fixture, None, &expected, mode, &context, nothing);
    }
}

/// The list's row is later than what cyrus.header says: an old header came back from a backup.
#[test]
fn an_acl_of_an_old_header_does_not_count() {
    for mode in MODES {
        let context = format!("an old header ({mode:?})");
        let mut fixture = Fixture::new();
        let old = fs::read(fixture.file(LISTS, "cyrus.header")).unwrap();
        fixture.start();
        fixture.server().imap("joe").must("SETACL Lists sue lr").unwrap();
        let wanted = fixture.run(&["ctl_mboxlist", "-d"]);
        if mode == Mode::Offline {
            fixture.stop();
        }
        fs::write(fixture.file(LISTS, "cyrus.header"), old).unwrap();
        for command in [&["reconstruct", "-r", "user.joe"][..], &["ctl_mboxlist", "-r"]] {
            exited(&fixture.run(command), 0);
        }
        assert_eq!(lines(&fixture.run(&["ctl_mboxlist", "-d"])), lines(&wanted), "{context} (10)");
        fixture.stop();
        let header = fs::read(fixture.file(LISTS, "cyrus.header")).unwrap();
        assert!(String::from_utf8_lossy(&header).contains("sue\tlr\t"), "{context}: the header follows the list");
        store_is_sound(&fixture, &context);
        assert_eq!(MAILBOXES.len(), 7);
    }
}
