//! Mailbox names that lead elsewhere, names that are none, and patterns that could match for ever. Names that look alike,
//! and names that many fight for, are in `tests/hostile/names.rs`.

use std::fs;

use crate::arena::{Arena, grows_linearly};
use crate::row::Answer::Says;
use crate::row::{Door, Row, filled};

/// Names of no mailbox: traversal, plain and in modified UTF-7, and what modified UTF-7 may not be (RFC 3501, 5.1.3).
const NAMES: &[&str] = &[
    "../../../evil",
    "..",
    ".",
    "/",
    "//",
    "a//b",
    "/etc",
    "a/..",
    "a/./b",
    "a/../../../../evil",
    "a/../../sue",
    "~joe",
    "~/x",
    ".hidden",
    "x/.hidden",
    "1.",
    "stage.",
    "expunged.",
    "cyrus.index",
    "x/cyrus.header",
    "Other Users",
    "Other Users/",
    "Other Users/../joe",
    "Other Users/sue/../joe",
    "Shared Folders",
    "Shared Folders/user/sue",
    "Shared Folders/DELETED/user/joe",
    "INBOX/x",
    "x*",
    "x%y",
    "",
    // The separator, dots, NUL, controls and plain letters in disguise.
    "&AC8-..&AC8-",
    "..&AC8-..&AC8-evil",
    "&AC4ALg-",
    "x&AC4AL-",
    "x&AAA-y",
    "x&AAo-y",
    "x&AGE-y",
    "x&AGEA-y",
    "&ACY-",
    // Unterminated, outside of the alphabet, lone surrogates, set padding bits, runs that should be one.
    "x&",
    "x&U,",
    "x&U,-&U,-",
    "x&!!!-",
    "x&2AA-",
    "x&3AA-",
    "x&2ADYAA-",
    "x&AOT-",
    "x&AOQ-&APY-",
    "x&A-",
];

/// The same as octets in a session whose names are UTF-8.
const UTF8_NAMES: &[&[u8]] = &[
    b"x\xc0\xafy",
    b"..\xc0\xaf..\xc0\xafevil",
    b"\xc0\xae\xc0\xae/evil",
    b"\xe0\x80\xaf",
    b"\xf0\x80\x80\xaf",
    b"\xf8\x88\x80\x80\x80",
    b"\xed\xa0\x80",
    b"\xed\xa0\x81\xed\xb0\x80",
    b"\xf4\x90\x80\x80",
    b"x\xe2\x82",
    b"\xff",
    b"x\ny",
    b"x\r\ny",
    b"x\x1b[2Jy",
    b"x\x7fy",
    b"x\xc2\x85y",
    b"x\xe2\x80\xa8y",
    b"../../../evil",
    b"a/../b",
];

pub(crate) static ROWS: &[Row] = &[
    Row::play("imap: names that lead out of the mail store", names_are_refused),
    Row::play("imap: names that are no UTF-8, after ENABLE IMAP4rev2", utf8_names_are_refused),
    Row::made(
        "imap: a name of 10,000 octets",
        Door::Selected,
        || filled("a CREATE \"", "x", 10_000, "\"\r\n"),
        Says("a NO"),
    ),
    Row::made(
        "imap: a component of 256 octets",
        Door::Selected,
        || filled("a CREATE ", "x", 265, "\r\n"),
        Says("a NO"),
    ),
    Row::made(
        "imap: a name of 1,000 levels",
        Door::Selected,
        || filled("a CREATE ", "x/", 2_000, "x\r\n"),
        Says("a NO"),
    ),
    Row::made(
        "imap: a name of 10,000 encoded letters",
        Door::Selected,
        || filled("a CREATE \"&", "AOQ", 30_000, "-\"\r\n"),
        Says("a NO"),
    ),
    Row::play("imap: patterns made of wildcards", wildcards),
    Row::made(
        "imap: LIST with 10,000 patterns",
        Door::Selected,
        || filled("a LIST \"\" (", "a* ", 30_000, "b)\r\n"),
        Says("a BAD"),
    ),
    Row::play("imap: other people's mailboxes look like none", |arena| {
        let mut joe = arena.joe();
        for command in [
            "SELECT @",
            "EXAMINE @",
            "STATUS @ (MESSAGES)",
            "DELETE @",
            "RENAME @ x",
            "GETACL @",
            "SETACL @ joe lrs",
            "DELETEACL @ amy",
            "LISTRIGHTS @ joe",
            "MYRIGHTS @",
            "GETQUOTAROOT @",
            "COPY 1 @",
            "UID MOVE 1 @",
            "APPEND @ {1+}\r\nx",
        ] {
            let mut answers = ["Other Users/amy", "Other Users/nobody"].map(|name| {
                let answer = joe.command(&command.replace("@", &format!("\"{name}\""))).unwrap();
                assert!(answer.status.starts_with("NO"), "{command} {name}: {}", answer.status);
                // What SELECT leaves is not at issue.
                joe.must("SELECT INBOX").unwrap();
                answer.status
            });
            answers.sort();
            assert_eq!(answers[0], answers[1], "{command}");
        }
        assert!(!joe.must("LIST \"\" *").unwrap().untagged.iter().any(|line| line.to_string().contains("amy")));
    }),
];

fn names_are_refused(arena: &Arena) {
    let mut joe = arena.joe();
    let before = below(arena);
    for name in NAMES {
        for command in ["CREATE", "SELECT", "EXAMINE", "DELETE", "SUBSCRIBE", "RENAME INBOX", "COPY 1", "STATUS"] {
            let items = if command == "STATUS" { " (MESSAGES)" } else { "" };
            let status = joe.command(&format!("{command} \"{name}\"{items}")).unwrap().status;
            assert!(status.starts_with("NO"), "{command} {name:?}: {status}");
            joe.must("SELECT INBOX").unwrap();
        }
    }
    assert_eq!(below(arena), before, "something was made");
}

fn utf8_names_are_refused(arena: &Arena) {
    let mut joe = arena.joe();
    joe.must("ENABLE IMAP4rev2").unwrap();
    let before = below(arena);
    for name in UTF8_NAMES {
        for command in ["CREATE", "SELECT", "SUBSCRIBE", "RENAME INBOX"] {
            let text = [format!("{command} {{{}+}}\r\n", name.len()).as_bytes(), name].concat();
            let tag = joe.send(&text).unwrap();
            let status = joe.answer(&tag).unwrap().status;
            assert!(status.starts_with("NO"), "{command} {}: {status}", name.escape_ascii());
        }
    }
    assert_eq!(below(arena), before, "something was made");
}

/// The names of all that the server keeps in directories, and of what stands beside its own.
fn below(arena: &Arena) -> Vec<String> {
    let mut names = Vec::new();
    for directory in [arena.home.path().to_owned(), arena.home.spool(), arena.home.spool().join("user/joe")] {
        let entries = fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path().display().to_string());
        names.extend(entries.filter(|name| fs::metadata(name).is_ok_and(|found| found.is_dir())));
    }
    names.sort();
    names
}

fn wildcards(arena: &Arena) {
    let name = "a".repeat(200);
    let mut joe = arena.joe_in(&name);
    for (unit, end) in [("*%", "b"), ("*a", "b"), ("%a", "b"), ("*", ""), ("a*", "b"), ("*%*%a", "c")] {
        grows_linearly(unit, 10_000, |size| {
            let command = filled("LIST \"\" \"", unit, size, &format!("{end}\""));
            joe.command(std::str::from_utf8(&command).unwrap()).unwrap();
            joe.must("NOOP").unwrap();
        });
    }
    assert_eq!(joe.must("LIST \"\" \"*a%*a\"").unwrap().untagged.len(), 1);
    drop(joe);
    arena.remove(&name);
}
