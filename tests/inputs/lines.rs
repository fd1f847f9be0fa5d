//! Lines of IMAP: how long they are, what is in them, and the tags that they begin with.

use harness::transcript::Protocol;

use crate::arena::Arena;
use crate::row::Answer::{LastWords, Says};
use crate::row::{Door, Row, filled};

/// Far more than any line may be, and quickly sent.
const FLOOD: usize = 32 << 20;

pub(crate) static ROWS: &[Row] = &[
    Row::made(
        "imap, before login: a line of 32 MiB",
        Door::Imap,
        || filled("", "a", FLOOD, "\r\n"),
        LastWords("* BAD [TOOBIG]"),
    ),
    Row::made(
        "imap, before login: a line of blanks",
        Door::Imap,
        || filled("a LOGIN", " ", FLOOD, "\r\n"),
        LastWords("a BAD [TOOBIG]"),
    ),
    Row::made("imap: a line of 32 MiB", Door::Selected, || filled("", "a", FLOOD, "\r\n"), Says("* BAD [TOOBIG]")),
    Row::made(
        "imap: a line that goes on after 64 MiB",
        Door::Selected,
        || filled("a SELECT ", "a", 80 << 20, ""),
        LastWords("a BAD [TOOBIG]"),
    ),
    Row::made(
        "imap, before login: a tag of 10 MB",
        Door::Imap,
        || filled("", "a", 10 << 20, " NOOP\r\n"),
        LastWords("* BAD [TOOBIG]"),
    ),
    Row::made(
        "imap, before login: a quoted string of 10 MB",
        Door::Imap,
        || filled("a LOGIN \"", "x", 10 << 20, "\" y\r\n"),
        LastWords("a BAD [TOOBIG]"),
    ),
    Row::made(
        "imap: a quoted string of 10 MB",
        Door::Selected,
        || filled("a SELECT \"", "x", 10 << 20, "\"\r\n"),
        Says("a BAD [TOOBIG]"),
    ),
    Row::each(
        "imap, before login: quotes that do not end",
        Door::Imap,
        &[
            (b"a LOGIN \"abc\r\n", Says("a BAD")),
            (b"a LOGIN \"abc\\\"\r\n", Says("a BAD")),
            (b"a LOGIN \"a\\x\" \"b\"\r\n", Says("a BAD")),
            (b"a LOGIN \"a\" \"\\n\"\r\n", Says("a BAD")),
            (b"a LOGIN \"a\"\"b\"\r\n", Says("a BAD")),
            (b"a LOGIN \"\r\nb\" c\r\n", Says("a BAD")),
        ],
    ),
    Row::each(
        "imap: octets that no line may hold",
        Door::Selected,
        &[
            (b"a SELECT \0\r\n", Says("a BAD")),
            (b"a SELECT \"\0\"\r\n", Says("a BAD")),
            (b"\0a NOOP\r\n", Says("* BAD")),
            (b"a NOOP\0\r\n", Says("a BAD")),
            (b"a SELECT \xff\xfe\r\n", Says("a BAD")),
            (b"a SELECT \"\xff\"\r\n", Says("a BAD")),
            (b"a SELECT \"\x80\"\r\n", Says("a BAD")),
            (b"a SELECT \x7f\r\n", Says("a BAD")),
            (b"a SELECT \x1b[2J\r\n", Says("a BAD")),
            (b"a SEL\xc3\x89CT INBOX\r\n", Says("a BAD")),
            (b"a SELECT x\ry\r\n", Says("a BAD")),
            (b"a NOOP\r\r\n", Says("a BAD")),
            (b"a NOOP\n", Says("a BAD")),
            (b"a SELECT \"x\ny\"\r\n", Says("a BAD")),
            (b"a NOOP\x0b\r\n", Says("a BAD")),
            (b"a\tNOOP\r\n", Says("* BAD")),
            (b"a  NOOP\r\n", Says("a BAD")),
        ],
    ),
    Row::each(
        "imap: overlong and truncated UTF-8",
        Door::Selected,
        &[
            (b"a SELECT \xc0\xaf\r\n", Says("a BAD")),
            (b"a SELECT \"..\xc0\xaf..\"\r\n", Says("a BAD")),
            (b"a SELECT \"\xe0\x80\xaf\"\r\n", Says("a BAD")),
            (b"a SELECT \"\xf0\x80\x80\xaf\"\r\n", Says("a BAD")),
            (b"a SELECT \"\xf8\x88\x80\x80\x80\"\r\n", Says("a BAD")),
            (b"a SELECT \"\xed\xa0\x80\"\r\n", Says("a BAD")),
            (b"a SELECT \"\xe2\x82\"\r\n", Says("a BAD")),
            (b"a SEARCH CHARSET UTF-8 SUBJECT \"\xe2\x82\"\r\n", Says("a BAD")),
        ],
    ),
    Row::each(
        "imap, before login: tags that are none",
        Door::Imap,
        &[
            (b"\r\n", Says("* BAD")),
            (b" NOOP\r\n", Says("* BAD")),
            (b"* NOOP\r\n", Says("* BAD")),
            (b"+ NOOP\r\n", Says("* BAD")),
            (b"a+b NOOP\r\n", Says("* BAD")),
            (b"(a NOOP\r\n", Says("* BAD")),
            (b"{3} NOOP\r\n", Says("* BAD")),
            (b"\"a\" NOOP\r\n", Says("* BAD")),
            (b"a%b NOOP\r\n", Says("* BAD")),
            (b"a* NOOP\r\n", Says("* BAD")),
            (b"\\a NOOP\r\n", Says("* BAD")),
            (b"a\xe9 NOOP\r\n", Says("* BAD")),
            (b"a\x1b NOOP\r\n", Says("* BAD")),
            (b"NOOP\r\n", Says("NOOP BAD")),
            (b"DONE\r\n", Says("DONE BAD")),
            (b"a\r\n", Says("a BAD")),
            (b"a \r\n", Says("a BAD")),
        ],
    ),
    Row::each(
        "imap, before login: commands of somebody who has logged in",
        Door::Imap,
        &[
            (b"a SELECT INBOX\r\n", Says("a BAD")),
            (b"a FETCH 1 BODY[]\r\n", Says("a BAD")),
            (b"a STATUS INBOX (MESSAGES)\r\n", Says("a BAD")),
            (b"a LIST \"\" *\r\n", Says("a BAD")),
            (b"a IDLE\r\n", Says("a BAD")),
            (b"a ENABLE QRESYNC\r\n", Says("a BAD")),
            (b"a EXPUNGE\r\n", Says("a BAD")),
            (b"a APPEND INBOX {1+}\r\nx\r\n", Says("a BAD")),
            (b"a APPEND INBOX {1}\r\n", Says("a BAD")),
        ],
    ),
    Row::made(
        "imap, before login: a tag of 300 octets",
        Door::Imap,
        || filled("", "a", 300, " NOOP\r\n"),
        Says("* BAD"),
    ),
    Row::each(
        "imap, before login: tags that look like replies",
        Door::Imap,
        &[
            (b"a] NOOP\r\n", Says("a] OK")),
            (b"[ALERT] NOOP\r\n", Says("[ALERT] OK")),
            (b"a OK done\r\n", Says("a BAD")),
            (b"* OK [CAPABILITY IMAP4rev1] x\r\n", Says("* BAD")),
            (b"OK OK OK\r\n", Says("OK BAD")),
        ],
    ),
    Row::made(
        "imap, before login: ID with 31 fields",
        Door::Imap,
        || filled("a ID (", "\"x\" NIL ", 31 * 8 + 9, "\"x\")\r\n"),
        Says("a BAD"),
    ),
    Row::made(
        "imap, before login: ID with a value of 2,000 octets",
        Door::Imap,
        || filled("a ID (\"name\" \"", "x", 2_000, "\")\r\n"),
        Says("a BAD"),
    ),
    Row::made(
        "imap: ENABLE with 10,000 names",
        Door::Selected,
        || filled("a ENABLE", " QRESYNC", 60_000, "\r\n"),
        Says("a BAD"),
    ),
    Row::play("imap: one tag for two commands in flight", |arena| {
        let mut joe = arena.joe();
        joe.connection.send(b"a NOOP\r\na FROBNICATE\r\na NOOP\r\n").unwrap();
        for expected in ["a OK", "a BAD", "a OK"] {
            let said = joe.connection.reply().unwrap().unwrap().to_string();
            assert!(said.starts_with(expected), "{said}");
        }
    }),
    Row::play("imap: names that would be replies of their own", replies_are_not_split),
    Row::play("imap: a megabyte where DONE belongs", too_much_for_idle),
    Row::play("imap: DONE in pieces, and commands in its place", |arena| {
        let mut joe = arena.joe();
        for (lines, expected) in [
            (&[&b"D"[..], b"ON", b"E\r", b"\n"][..], "a OK"),
            (&[b"done\r\n"], "a OK"),
            (&[b"b LOGOUT\r\n"], "a BAD"),
            (&[b"\r\n"], "a BAD"),
            (&[b"DONE\n"], "a BAD"),
            (&[b"DO\0NE\r\n"], "a BAD"),
            (&[b"DONE \r\n"], "a BAD"),
            (&[b"DONE\r\nb NOOP\r\n"], "a OK"),
        ] {
            joe.connection.send(b"a IDLE\r\n").unwrap();
            assert!(joe.connection.reply().unwrap().unwrap().0.starts_with(b"+"));
            for piece in lines {
                joe.connection.send(piece).unwrap();
            }
            let said = joe.connection.reply().unwrap().unwrap().to_string();
            assert!(said.starts_with(expected), "{lines:?}: {said}");
        }
        assert!(joe.connection.reply().unwrap().unwrap().0.starts_with(b"b OK"));
        joe.must("NOOP").unwrap();
    }),
    Row::play("imap: commands of one octet at a time", |arena| {
        let mut connection = arena.raw(Protocol::Imap);
        connection.reply().unwrap();
        for octet in b"a LOGIN {3}\r\n" {
            connection.send(&[*octet]).unwrap();
        }
        assert!(connection.reply().unwrap().unwrap().0.starts_with(b"+"));
        let rest = format!("joe \"{}\"\r\nb NOOP\r\n", harness::PASSWORD);
        for octet in rest.as_bytes() {
            connection.send(&[*octet]).unwrap();
        }
        for expected in ["a OK", "b OK"] {
            assert!(connection.reply().unwrap().unwrap().to_string().starts_with(expected));
        }
    }),
];

/// Whatever a name holds, it does not end the line that it is told in.
fn replies_are_not_split(arena: &Arena) {
    let mut joe = arena.joe();
    let forged = "x\r\na OK [READ-WRITE] done\r\n* 999 EXISTS";
    for utf8 in [false, true] {
        if utf8 {
            joe.must("ENABLE IMAP4rev2").unwrap();
        }
        for command in
            ["SELECT", "CREATE", "DELETE", "SUBSCRIBE", "STATUS", "GETACL", "LIST \"\"", "LSUB \"\"", "ID", "FETCH"]
        {
            let text = match command {
                // What a client asks for is repeated with its answer.
                "FETCH" => {
                    format!("a FETCH 1 BODY.PEEK[HEADER.FIELDS ({{{}+}}\r\n{forged})]\r\n", forged.len())
                }
                "STATUS" => format!("a STATUS {{{}+}}\r\n{forged} (MESSAGES)\r\n", forged.len()),
                "ID" => format!("a ID (\"name\" {{{}+}}\r\n{forged})\r\n", forged.len()),
                _ => format!("a {command} {{{}+}}\r\n{forged}\r\n", forged.len()),
            };
            joe.connection.send(text.as_bytes()).unwrap();
            joe.connection.send(b"b NOOP\r\n").unwrap();
            let mut told = Vec::new();
            loop {
                let said = joe.connection.reply().unwrap().unwrap().to_string();
                if said.starts_with("b OK") {
                    break;
                }
                told.push(said);
            }
            let tagged = told.iter().filter(|said| said.starts_with("a ")).count();
            assert_eq!(tagged, 1, "{command}: {told:?}");
            assert!(!told.iter().any(|said| said.starts_with("* 999") || said.starts_with("a OK [READ-WRITE] done")));
            joe.must("SELECT INBOX").unwrap();
        }
    }
}

/// The line is skipped to its end: nothing of it is a command, and the next DONE is one.
fn too_much_for_idle(arena: &Arena) {
    let mut joe = arena.joe();
    for _ in 0..2 {
        joe.connection.send(b"a IDLE\r\n").unwrap();
        assert!(joe.connection.reply().unwrap().unwrap().0.starts_with(b"+"));
        joe.connection.send(&filled("", "D", 1 << 20, " b LOGOUT\r\n")).unwrap();
        assert!(joe.connection.reply().unwrap().unwrap().0.starts_with(b"a BAD"));
        joe.must("NOOP").unwrap();
        joe.connection.send(b"c IDLE\r\n").unwrap();
        assert!(joe.connection.reply().unwrap().unwrap().0.starts_with(b"+"));
        joe.connection.send(b"DONE\r\n").unwrap();
        assert!(joe.connection.reply().unwrap().unwrap().0.starts_with(b"c OK"));
    }
}
