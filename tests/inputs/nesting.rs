//! Parentheses, NOT and OR, sections and patterns without end: memory before login (CVE-2026-27857, Dovecot), the stack, and
//! work that grows faster than what asks for it.

use crate::arena::{Arena, grows_linearly};
use crate::row::Answer::{LastWords, Says};
use crate::row::{Door, Row, filled};

/// Longer than any line may be.
const ENDLESS: usize = 1_000_000;

/// Within the limit of a line, so that it is the grammar that must hold.
const LINE: usize = 60_000;

/// The same before login.
const SHORT: usize = 8_000;

pub(crate) static ROWS: &[Row] = &[
    Row::made(
        "imap, before login: a million parentheses",
        Door::Imap,
        || filled("a ", "(", ENDLESS, "\r\n"),
        LastWords("a BAD [TOOBIG]"),
    ),
    Row::made(
        "imap, before login: parentheses in LOGIN",
        Door::Imap,
        || filled("a LOGIN ", "(", SHORT, "\r\n"),
        Says("a BAD"),
    ),
    Row::made(
        "imap, before login: parentheses in ID",
        Door::Imap,
        || filled("a ID ", "(", SHORT, "\r\n"),
        Says("a BAD"),
    ),
    Row::made(
        "imap: a million parentheses in SEARCH",
        Door::Selected,
        || filled("a SEARCH ", "(", ENDLESS, "\r\n"),
        Says("a BAD [TOOBIG]"),
    ),
    Row::made("imap: parentheses in SEARCH", Door::Selected, || filled("a SEARCH ", "(", LINE, "\r\n"), Says("a BAD")),
    Row::made("imap: parentheses in FETCH", Door::Selected, || filled("a FETCH 1 ", "(", LINE, "\r\n"), Says("a BAD")),
    Row::made("imap: parentheses in LIST", Door::Selected, || filled("a LIST ", "(", LINE, "\r\n"), Says("a BAD")),
    Row::made(
        "imap: parentheses in STATUS",
        Door::Selected,
        || filled("a STATUS x ", "(", LINE, "\r\n"),
        Says("a BAD"),
    ),
    Row::made(
        "imap: parentheses in STORE",
        Door::Selected,
        || filled("a STORE 1 FLAGS ", "(", LINE, "\r\n"),
        Says("a BAD"),
    ),
    Row::made("imap: NOT without end", Door::Selected, || filled("a SEARCH ", "NOT ", LINE, "\r\n"), Says("a BAD")),
    Row::made("imap: 14,000 times NOT", Door::Selected, || filled("a SEARCH ", "NOT ", LINE, "ALL\r\n"), Says("a OK")),
    Row::made("imap: OR without end", Door::Selected, || filled("a SEARCH ", "OR ", LINE, "\r\n"), Says("a BAD")),
    Row::made(
        "imap: 8,000 times OR ALL",
        Door::Selected,
        || filled("a SEARCH ", "OR ALL ", LINE, "ALL\r\n"),
        Says("a BAD"),
    ),
    Row::made(
        "imap: NOT in parentheses without end",
        Door::Selected,
        || filled("a SEARCH ", "(NOT ", LINE, "\r\n"),
        Says("a BAD"),
    ),
    Row::made(
        "imap: OR in parentheses without end",
        Door::Selected,
        || filled("a SEARCH ", "OR (", LINE, "\r\n"),
        Says("a BAD"),
    ),
    Row::made(
        "imap: OR NOT in parentheses without end",
        Door::Selected,
        || filled("a SEARCH ", "OR NOT (", LINE, "\r\n"),
        Says("a BAD"),
    ),
    Row::made(
        "imap: parentheses closed and never opened",
        Door::Selected,
        || filled("a SEARCH ALL", ")", LINE, "\r\n"),
        Says("a BAD"),
    ),
    Row::play("imap: deep and wide searches take time by their length", searches_take_their_time),
    Row::made(
        "imap: a search for 3,000 texts",
        Door::Selected,
        || filled("a SEARCH ", "TEXT aaaaaaaaab ", LINE, "ALL\r\n"),
        Says("a OK"),
    )
    .seconds(30),
    Row::made(
        "imap: a charset of 60,000 octets",
        Door::Selected,
        || filled("a SEARCH CHARSET ", "x", LINE, " ALL\r\n"),
        Says("a NO [BADCHARSET"),
    ),
    Row::made(
        "imap: a section 100,000 parts deep",
        Door::Selected,
        || filled("a FETCH 1 BODY.PEEK[", "1.", 200_000, "1]\r\n"),
        Says("a BAD [TOOBIG]"),
    ),
    Row::made(
        "imap: a section 30,000 parts deep",
        Door::Selected,
        || filled("a FETCH 1 BODY.PEEK[", "1.", LINE, "1]\r\n"),
        Says("a BAD"),
    ),
    Row::each(
        "imap: sections and partials that cannot be",
        Door::Selected,
        &[
            (b"a FETCH 1 BODY.PEEK[4294967296]\r\n", Says("a BAD")),
            (b"a FETCH 1 BODY.PEEK[0]\r\n", Says("a BAD")),
            (b"a FETCH 1 BODY.PEEK[-1]\r\n", Says("a BAD")),
            (b"a FETCH 1 BODY.PEEK[1..2]\r\n", Says("a BAD")),
            (b"a FETCH 1 BODY.PEEK[.1]\r\n", Says("a BAD")),
            (b"a FETCH 1 BODY.PEEK[1.]\r\n", Says("a BAD")),
            (b"a FETCH 1 BODY.PEEK[\r\n", Says("a BAD")),
            (b"a FETCH 1 BODY.PEEK[]<1.0>\r\n", Says("a BAD")),
            (b"a FETCH 1 BODY.PEEK[]<-1.1>\r\n", Says("a BAD")),
            (b"a FETCH 1 BODY.PEEK[]<18446744073709551616.1>\r\n", Says("a BAD")),
            (b"a FETCH 1 BODY.PEEK[]<0.18446744073709551616>\r\n", Says("a BAD")),
        ],
    ),
    Row::each(
        "imap: sections and partials behind all there is",
        Door::Selected,
        &[
            (b"a FETCH 1 BODY.PEEK[4294967295]\r\n", Says("a OK")),
            (b"a FETCH 1 BODY.PEEK[1.2.3.4.5.6.7.8.9.10]\r\n", Says("a OK")),
            (b"a FETCH 1 BODY.PEEK[]<4294967295.4294967295>\r\n", Says("a OK")),
            (b"a FETCH 1 BINARY.PEEK[]<4294967295.4294967295>\r\n", Says("a OK")),
        ],
    ),
    Row::made(
        "imap: a header field list of 30,000 names",
        Door::Selected,
        || filled("a FETCH 1 BODY.PEEK[HEADER.FIELDS (", "x ", LINE, "x)]\r\n"),
        Says("a BAD"),
    ),
    Row::play("imap: twenty sessions that search without end", |arena| {
        std::thread::scope(|scope| {
            for _ in 0..20 {
                scope.spawn(|| {
                    let mut joe = arena.joe();
                    let command = filled("SEARCH ", "OR NOT SUBJECT aaab ", 40_000, "ALL");
                    let command = std::str::from_utf8(&command).unwrap();
                    for _ in 0..5 {
                        joe.must(command).unwrap();
                    }
                });
            }
        });
    })
    .mib(32)
    .seconds(60),
    Row::play("imap: one FETCH that asks a thousand times for a message", |arena| {
        let mut joe = arena.joe();
        let answer = joe.must(&format!("FETCH 1 ({})", vec!["BODY.PEEK[]"; 1_000].join(" "))).unwrap();
        assert_eq!(answer.untagged.len(), 1);
        let told = answer.untagged[0].0.len();
        assert!(told < 2_000, "{told} octets for a message of 300");
    }),
    Row::made(
        "imap: one FETCH of 200 different pieces",
        Door::Selected,
        || {
            let pieces: Vec<String> = (0..200).map(|at| format!("BODY.PEEK[]<{at}.1>")).collect();
            format!("a FETCH 1 ({})\r\n", pieces.join(" ")).into_bytes()
        },
        Says("a BAD"),
    ),
];

fn searches_take_their_time(arena: &Arena) {
    let mut joe = arena.joe();
    for (unit, end) in [("NOT ", "ALL"), ("(NOT ", ""), ("OR ", ""), ("OR NOT (", ""), ("1:*,", "1"), ("(", "")] {
        grows_linearly(unit, LINE / 4, |size| {
            let command = filled("SEARCH ", unit, size, end);
            let _ = joe.command(std::str::from_utf8(&command).unwrap()).unwrap();
            // BADs in a row would end the session.
            joe.must("NOOP").unwrap();
        });
    }
}
