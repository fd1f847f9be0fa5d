//! Sequence sets, flags and dates at their edges and beyond.

use harness::corpus;

use crate::arena::Arena;
use crate::row::Answer::Says;
use crate::row::{Door, Row, filled};

pub(crate) static ROWS: &[Row] = &[
    Row::each(
        "imap: sequence sets that are none",
        Door::Selected,
        &[
            (b"a FETCH 0 FLAGS\r\n", Says("a BAD")),
            (b"a FETCH *:0 FLAGS\r\n", Says("a BAD")),
            (b"a FETCH 4294967296 FLAGS\r\n", Says("a BAD")),
            (b"a FETCH 18446744073709551617 FLAGS\r\n", Says("a BAD")),
            (b"a FETCH 99999999999999999999999999 FLAGS\r\n", Says("a BAD")),
            (b"a FETCH 1:1:1 FLAGS\r\n", Says("a BAD")),
            (b"a FETCH ,1 FLAGS\r\n", Says("a BAD")),
            (b"a FETCH 1, FLAGS\r\n", Says("a BAD")),
            (b"a FETCH 1::2 FLAGS\r\n", Says("a BAD")),
            (b"a FETCH -1 FLAGS\r\n", Says("a BAD")),
            (b"a FETCH +1 FLAGS\r\n", Says("a BAD")),
            (b"a FETCH $1 FLAGS\r\n", Says("a BAD")),
            (b"a FETCH 1.5 FLAGS\r\n", Says("a BAD")),
            (b"a UID FETCH 0 FLAGS\r\n", Says("a BAD")),
            (b"a UID EXPUNGE 0\r\n", Says("a BAD")),
            (b"a UID STORE 4294967296 FLAGS ()\r\n", Says("a BAD")),
        ],
    ),
    Row::each(
        "imap: message numbers behind the last message",
        Door::Selected,
        &[
            (b"a FETCH 4 FLAGS\r\n", Says("a BAD")),
            (b"a FETCH 4294967295 FLAGS\r\n", Says("a BAD")),
            (b"a FETCH 1:4294967295 FLAGS\r\n", Says("a BAD")),
            (b"a STORE 1:4294967295 +FLAGS (x)\r\n", Says("a BAD")),
            (b"a COPY 1:4294967295 INBOX\r\n", Says("a BAD")),
            (b"a MOVE 4 INBOX\r\n", Says("a BAD")),
            (b"a UID FETCH 1:4294967295 FLAGS\r\n", Says("a OK")),
            (b"a UID FETCH 4294967295:4294967294 FLAGS\r\n", Says("a OK")),
            (b"a UID EXPUNGE 4:4294967295\r\n", Says("a OK")),
            (b"a FETCH *:* FLAGS\r\n", Says("a OK")),
            (b"a FETCH 3:1 FLAGS\r\n", Says("a OK")),
        ],
    ),
    Row::made(
        "imap: a sequence set of 100,000 ranges",
        Door::Selected,
        || filled("a FETCH ", "1:*,", 400_000, "1 FLAGS\r\n"),
        Says("a BAD [TOOBIG]"),
    ),
    Row::play("imap: a sequence set of 15,000 overlapping ranges", |arena| {
        let mut joe = arena.joe();
        for command in ["FETCH", "UID FETCH"] {
            let command = filled(&format!("{command} "), "1:*,", 60_000, "1 FLAGS");
            let answer = joe.must(std::str::from_utf8(&command).unwrap()).unwrap();
            assert_eq!(answer.untagged.len(), 3, "each message once");
        }
    }),
    Row::play("imap: 15,000 UIDs that are not there", |arena| {
        let mut joe = arena.joe();
        let set: Vec<String> = (0..9_000).map(|n| (100 + 2 * n).to_string()).collect();
        assert!(joe.must(&format!("UID FETCH {} FLAGS", set.join(","))).unwrap().untagged.is_empty());
        assert!(joe.must(&format!("UID STORE {} +FLAGS.SILENT (\\Seen)", set.join(","))).unwrap().untagged.is_empty());
    }),
    Row::play("imap: the longest range and an empty mailbox", |arena| {
        let mut joe = arena.joe_in("Empty");
        for command in ["FETCH 1:4294967295 FLAGS", "FETCH 1 FLAGS", "STORE 1 FLAGS ()"] {
            let status = joe.command(command).unwrap().status;
            assert!(status.starts_with("BAD"), "{command}: {status}");
        }
        joe.must("UID FETCH 1:4294967295 FLAGS").unwrap();
        joe.must("UID FETCH * FLAGS").unwrap();
        arena.remove("Empty");
    }),
    Row::made(
        "imap: 10,000 keywords in one STORE",
        Door::Selected,
        || {
            let keywords: Vec<String> = (0..10_000).map(|n| format!("k{n}")).collect();
            format!("a UID STORE 1:* +FLAGS ({})\r\n", keywords.join(" ")).into_bytes()
        },
        Says("a BAD"),
    ),
    Row::made(
        "imap: a keyword of a megabyte",
        Door::Selected,
        || filled("a STORE 1 +FLAGS (", "k", 1 << 20, ")\r\n"),
        Says("a BAD [TOOBIG]"),
    ),
    Row::each(
        "imap: flags that are none",
        Door::Selected,
        &[
            (b"a STORE 1 +FLAGS (\\Recent)\r\n", Says("a BAD")),
            (b"a STORE 1 +FLAGS (\\*)\r\n", Says("a BAD")),
            (b"a STORE 1 +FLAGS (\\)\r\n", Says("a BAD")),
            (b"a STORE 1 +FLAGS (a b) c\r\n", Says("a BAD")),
            (b"a STORE 1 +FLAGS ({1+}\r\nx)\r\n", Says("a BAD")),
            (b"a STORE 1 +FLAGS (\"x\")\r\n", Says("a BAD")),
            (b"a STORE 1 +FLAGS (x]y%)\r\n", Says("a BAD")),
            (b"a STORE 1 +FLAGS (\xc3\xa4)\r\n", Says("a BAD")),
        ],
    ),
    Row::play("imap: more keywords than a mailbox has room for", keywords_beyond_all_room),
    Row::each(
        "imap: dates that are none",
        Door::Selected,
        &[
            (b"a APPEND INBOX \"31-Feb-2026 00:00:00 +0000\" {1+}\r\nx\r\n", Says("a BAD")),
            (b"a APPEND INBOX \"29-Feb-2025 00:00:00 +0000\" {1+}\r\nx\r\n", Says("a BAD")),
            (b"a APPEND INBOX \"00-Jan-2026 00:00:00 +0000\" {1+}\r\nx\r\n", Says("a BAD")),
            (b"a APPEND INBOX \"01-Foo-2026 00:00:00 +0000\" {1+}\r\nx\r\n", Says("a BAD")),
            (b"a APPEND INBOX \"01-Jan-2026 24:00:00 +0000\" {1+}\r\nx\r\n", Says("a BAD")),
            (b"a APPEND INBOX \"01-Jan-2026 00:60:00 +0000\" {1+}\r\nx\r\n", Says("a BAD")),
            (b"a APPEND INBOX \"01-Jan-2026 00:00:00 +9999\" {1+}\r\nx\r\n", Says("a BAD")),
            (b"a APPEND INBOX \"01-Jan-2026 00:00:00\" {1+}\r\nx\r\n", Says("a BAD")),
            (b"a APPEND INBOX \"01-Jan-99999 00:00:00 +0000\" {1+}\r\nx\r\n", Says("a BAD")),
            (b"a APPEND INBOX \"\" {1+}\r\nx\r\n", Says("a BAD")),
            (b"a SEARCH SINCE 31-Feb-2026\r\n", Says("a BAD")),
            (b"a SEARCH BEFORE 1-Jan-99999\r\n", Says("a BAD")),
            (b"a SEARCH OLDER 0\r\n", Says("a BAD")),
            (b"a SEARCH YOUNGER 4294967296\r\n", Says("a BAD")),
            (b"a SEARCH SENTSINCE 1-Jan-9999\r\n", Says("a OK")),
            (b"a SEARCH BEFORE 1-Jan-0001\r\n", Says("a OK")),
            (b"a SEARCH OLDER 4294967295\r\n", Says("a OK")),
            (b"a SEARCH LARGER 18446744073709551615\r\n", Says("a BAD")),
            (b"a SEARCH SMALLER 9223372036854775807\r\n", Says("a OK")),
        ],
    ),
    Row::play("imap: dates at the ends of time come back as they came", |arena| {
        let mut joe = arena.joe_in("Dates");
        let dates = [
            " 1-Jan-1970 00:00:00 +0000",
            "19-Jan-2038 03:14:08 +0000",
            " 7-Feb-2106 06:28:16 +0000",
            " 1-Feb-2026 00:00:00 -1200",
            "29-Feb-2024 23:59:59 +1400",
        ];
        for (number, date) in dates.iter().enumerate() {
            let answer = joe.append("Dates", &format!("\"{date}\""), &corpus::small(number)).unwrap();
            assert!(answer.ok(), "{date}: {}", answer.status);
            let kept = &joe.fetch(&format!("FETCH {} INTERNALDATE", number + 1)).unwrap()[0].date;
            assert_eq!(kept.trim(), date.trim());
        }
        arena.remove("Dates");
    }),
];

fn keywords_beyond_all_room(arena: &Arena) {
    let mut joe = arena.joe_in("Keywords");
    assert!(joe.append("Keywords", "", &corpus::small(1)).unwrap().ok());
    let (mut taken, mut refused) = (0, 0);
    for number in 0..200 {
        let status = joe.command(&format!("STORE 1 +FLAGS.SILENT (k{number})")).unwrap().status;
        match &status {
            ok if ok.starts_with("OK") => taken += 1,
            no if no.starts_with("NO [LIMIT]") => refused += 1,
            other => panic!("{other}"),
        }
    }
    assert_eq!((taken, refused), (128, 72), "keywords of a mailbox");
    arena.remove("Keywords");
}
