//! Literals of IMAP: their announcements, their sizes, their number (RFC 9051, 4.3; RFC 7888). Many small ones in one
//! command were CVE-2024-34055 (Cyrus) and CVE-2025-61600 (Stalwart), memory before login CVE-2026-27857 (Dovecot).

use crate::row::Answer::{LastWords, Says};
use crate::row::{Door, Row};

pub(crate) static ROWS: &[Row] = &[
    Row::each(
        "imap, before login: literals of impossible sizes",
        Door::Imap,
        &[
            (b"a LOGIN {4097}\r\n", Says("a BAD [TOOBIG]")),
            (b"a LOGIN {4294967295}\r\n", Says("a BAD [TOOBIG]")),
            (b"a LOGIN {9223372036854775807}\r\n", Says("a BAD [TOOBIG]")),
            (b"a LOGIN {9223372036854775808}\r\n", Says("a BAD [TOOBIG]")),
            (b"a LOGIN {18446744073709551616}\r\n", Says("a BAD [TOOBIG]")),
            (b"a LOGIN {99999999999999999999999}\r\n", Says("a BAD [TOOBIG]")),
            (b"a LOGIN {2147483647+}\r\n", LastWords("* BYE")),
            (b"a LOGIN {9223372036854775807+}\r\n", LastWords("* BYE")),
            (b"a LOGIN {18446744073709551616+}\r\n", LastWords("* BYE")),
        ],
    ),
    Row::each(
        "imap: literals of impossible sizes",
        Door::Selected,
        &[
            (b"a SELECT {4294967295}\r\n", Says("a BAD [TOOBIG]")),
            (b"a SELECT {18446744073709551616}\r\n", Says("a BAD [TOOBIG]")),
            (b"a SEARCH SUBJECT {1048577}\r\n", Says("a BAD [TOOBIG]")),
            (b"a APPEND INBOX {8388609}\r\n", Says("a NO [TOOBIG]")),
            (b"a APPEND INBOX {9223372036854775807}\r\n", Says("a NO [TOOBIG]")),
            (b"a APPEND INBOX ~{9223372036854775807}\r\n", Says("a NO [TOOBIG]")),
            (b"a APPEND INBOX {9223372036854775808}\r\n", Says("a BAD [TOOBIG]")),
            (b"a APPEND INBOX {9223372036854775807+}\r\n", LastWords("* BYE")),
            (b"a APPEND INBOX {99999999999999999999+}\r\n", LastWords("* BYE")),
            (b"a APPEND nowhere {9223372036854775807+}\r\n", LastWords("* BYE")),
        ],
    ),
    Row::made(
        "imap: a literal of 2 GB that does not wait, and some of it",
        Door::Selected,
        || [b"a APPEND INBOX {2147483647+}\r\n".to_vec(), vec![b'x'; 16 << 20]].concat(),
        LastWords("* BYE"),
    ),
    Row::made(
        "imap: a literal that is a little larger than a message may be",
        Door::Selected,
        || [b"a APPEND INBOX {8388609+}\r\n".to_vec(), vec![b'x'; (8 << 20) + 1], b"\r\n".to_vec()].concat(),
        Says("a NO [TOOBIG]"),
    ),
    Row::made(
        "imap: a refused literal that holds commands",
        Door::Selected,
        || {
            let commands = b"b DELETE INBOX\r\n".repeat(70_000);
            [format!("a SELECT {{{}+}}\r\n", commands.len()).into_bytes(), commands, b"\r\n".to_vec()].concat()
        },
        Says("a BAD [TOOBIG]"),
    ),
    Row::made(
        "imap: 100,000 literals of one octet in one SEARCH",
        Door::Selected,
        || [b"a SEARCH".to_vec(), b" SUBJECT {1+}\r\nx".repeat(100_000), b"\r\n".to_vec()].concat(),
        Says("a BAD [TOOBIG]"),
    ),
    Row::made(
        "imap: 100,000 empty literals in one SEARCH",
        Door::Selected,
        || [b"a SEARCH".to_vec(), b" SUBJECT {0+}\r\n".repeat(100_000), b"\r\n".to_vec()].concat(),
        Says("a BAD [TOOBIG]"),
    ),
    Row::made(
        "imap: one literal more than a command may have",
        Door::Selected,
        || [b"a SEARCH".to_vec(), b" SUBJECT {0+}\r\n".repeat(1_001), b"\r\n".to_vec()].concat(),
        Says("a BAD [TOOBIG]"),
    ),
    Row::made(
        "imap: as many literals as a command may have",
        Door::Selected,
        || [b"a SEARCH".to_vec(), b" SUBJECT {0+}\r\n".repeat(1_000), b"\r\n".to_vec()].concat(),
        Says("a OK"),
    ),
    Row::made(
        "imap: literals of 64 KiB, together more than a command may have",
        Door::Selected,
        || {
            let one = [b" SUBJECT {65536+}\r\n".to_vec(), vec![b'x'; 65_536]].concat();
            [b"a SEARCH".to_vec(), one.repeat(100), b"\r\n".to_vec()].concat()
        },
        Says("a BAD [TOOBIG]"),
    ),
    Row::made(
        "imap: 101 messages in one APPEND",
        Door::Selected,
        || [b"a APPEND INBOX".to_vec(), b" {1+}\r\nx".repeat(101), b"\r\n".to_vec()].concat(),
        Says("a NO [LIMIT]"),
    ),
    Row::each(
        "imap: an APPEND that is called off behind its first message",
        Door::Selected,
        &[
            (b"a APPEND INBOX {1+}\r\nx {0+}\r\n\r\n", Says("a NO")),
            (b"a APPEND INBOX {1+}\r\nx nonsense\r\n", Says("a BAD")),
            (b"a APPEND INBOX {1+}\r\nx (\\Seen) {-1}\r\n", Says("a BAD")),
            (b"a APPEND INBOX {1+}\r\nx {99999999999+}\r\n", LastWords("* BYE")),
        ],
    ),
    Row::made(
        "imap, before login: a thousand literals in one LOGIN",
        Door::Imap,
        || [b"a LOGIN".to_vec(), b" {1+}\r\nx".repeat(1_000), b"\r\n".to_vec()].concat(),
        Says("a BAD [TOOBIG]"),
    ),
    Row::made(
        "imap, before login: a million literals in one LOGIN",
        Door::Imap,
        || [b"a LOGIN".to_vec(), b" {1+}\r\nx".repeat(1_000_000), b"\r\n".to_vec()].concat(),
        LastWords("a BAD [TOOBIG]"),
    ),
    Row::each(
        "imap: announcements that are none",
        Door::Selected,
        &[
            (b"a SELECT {-1}\r\n", Says("a BAD")),
            (b"a SELECT {+}\r\n", Says("a BAD")),
            (b"a SELECT {}\r\n", Says("a BAD")),
            (b"a SELECT {1 }\r\n", Says("a BAD")),
            (b"a SELECT { 1}\r\n", Says("a BAD")),
            (b"a SELECT {x}\r\n", Says("a BAD")),
            (b"a SELECT {0x5}\r\n", Says("a BAD")),
            (b"a SELECT {1++}\r\n", Says("a BAD")),
            (b"a SELECT {1-}\r\n", Says("a BAD")),
            (b"a SELECT {1\r\n", Says("a BAD")),
            (b"a SELECT {1+}x\r\n", Says("a BAD")),
            (b"a SELECT ~{x}\r\n", Says("a BAD")),
            (b"a SELECT {\xd9\xa1}\r\n", Says("a BAD")),
            (b"a SELECT {00000000001}\r\n", Says("a BAD")),
            (b"a SELECT {1}\n", Says("a BAD")),
            // What they announce all the same is not taken for a command.
            (b"a SELECT {0000000009+}\r\nb LOGOUT\n\r\n", Says("a BAD")),
            (b"a SELECT {10+}\nb LOGOUT\r\n\r\n", Says("a BAD")),
            (b"a SELECT \"{10+}\r\nb LOGOUT\r\n\r\n", Says("a BAD")),
        ],
    ),
    Row::each(
        "imap, before login: a literal that is not sent on",
        Door::Imap,
        &[(b"a LOGIN {3+}\r\njo", LastWords("* BYE"))],
    )
    .seconds(20),
    Row::each(
        "imap: a literal8 where none may be",
        Door::Selected,
        &[
            (b"a SELECT ~{5+}\r\nINBOX\r\n", Says("a BAD")),
            (b"a SEARCH SUBJECT ~{1+}\r\n\0\r\n", Says("a BAD")),
            (b"a SELECT {5+}\r\nIN\0OX\r\n", Says("a BAD")),
        ],
    ),
    Row::each(
        "imap, before login: a literal8 where none may be",
        Door::Imap,
        &[
            (b"a LOGIN ~{3+}\r\njoe x\r\n", Says("a BAD")),
            (b"a LOGIN {3+}\r\nj\0e x\r\n", Says("a BAD")),
            (b"~{3+}\r\nabc NOOP\r\n", Says("* BAD")),
            (b"{1+}\r\na NOOP\r\n", Says("* BAD")),
        ],
    ),
];
