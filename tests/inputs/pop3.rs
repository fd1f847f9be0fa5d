//! POP3: lines, numbers and orders of commands that are none.

use harness::{PASSWORD, corpus};

use crate::row::Answer::{LastWords, Says};
use crate::row::{Door, Row, filled};

pub(crate) static ROWS: &[Row] = &[
    Row::made(
        "pop3, before login: USER with a megabyte",
        Door::Pop3,
        || filled("USER ", "x", 1 << 20, "\r\n"),
        Says("-ERR"),
    ),
    Row::made(
        "pop3, before login: PASS with a megabyte",
        Door::Pop3,
        || [b"USER joe\r\n".to_vec(), filled("PASS ", "x", 1 << 20, "\r\n")].concat(),
        Says("+OK"),
    ),
    Row::made("pop3, before login: a line of 32 MiB", Door::Pop3, || filled("", "x", 32 << 20, "\r\n"), Says("-ERR")),
    Row::made("pop3: a line of 32 MiB", Door::Maildrop, || filled("RETR ", "1", 32 << 20, "\r\n"), Says("-ERR")),
    Row::made("pop3: TOP with 5,000 words", Door::Maildrop, || filled("TOP ", "1 ", 10_000, "\r\n"), Says("-ERR")),
    Row::each(
        "pop3, before login: lines that are none",
        Door::Pop3,
        &[
            (b"\r\n", Says("-ERR")),
            (b" \r\n", Says("-ERR")),
            (b"QUIT\n", Says("-ERR")),
            (b"USER j\0e\r\n", Says("-ERR")),
            (b"USER \xff\xfe\r\n", Says("-ERR")),
            (b"USER \xc0\xaf\r\n", Says("-ERR")),
            (b"\xff\xfe\r\n", Says("-ERR")),
            (b"AUTH\rX\r\n", Says("-ERR")),
            (b"QUIT\r\r\n", Says("-ERR")),
            (b"QUIT\0\r\n", Says("-ERR")),
            (b"\x1b[2J\r\n", Says("-ERR")),
        ],
    ),
    Row::each(
        "pop3, before login: commands of somebody who has logged in",
        Door::Pop3,
        &[
            (b"RETR 1\r\n", Says("-ERR")),
            (b"TOP 1 1\r\n", Says("-ERR")),
            (b"DELE 1\r\n", Says("-ERR")),
            (b"LIST\r\n", Says("-ERR")),
            (b"UIDL\r\n", Says("-ERR")),
            (b"STAT\r\n", Says("-ERR")),
            (b"RSET\r\n", Says("-ERR")),
            (b"NOOP\r\n", Says("-ERR")),
            (b"PASS correct-horse\r\n", Says("-ERR")),
            (b"APOP joe 00000000000000000000000000000000\r\n", Says("-ERR")),
        ],
    ),
    Row::each(
        "pop3: message numbers that are none",
        Door::Maildrop,
        &[
            (b"RETR 0\r\n", Says("-ERR")),
            (b"RETR 4\r\n", Says("-ERR")),
            (b"RETR -1\r\n", Says("-ERR")),
            (b"RETR +1\r\n", Says("-ERR")),
            (b"RETR 1 1\r\n", Says("-ERR")),
            (b"RETR 1e0\r\n", Says("-ERR")),
            (b"RETR 0x1\r\n", Says("-ERR")),
            (b"RETR *\r\n", Says("-ERR")),
            (b"RETR 1:3\r\n", Says("-ERR")),
            (b"RETR \xd9\xa1\r\n", Says("-ERR")),
            (b"RETR 4294967295\r\n", Says("-ERR")),
            (b"RETR 4294967297\r\n", Says("-ERR")),
            (b"RETR 18446744073709551617\r\n", Says("-ERR")),
            (b"DELE 0\r\n", Says("-ERR")),
            (b"DELE 4294967297\r\n", Says("-ERR")),
            (b"LIST 18446744073709551617\r\n", Says("-ERR")),
            (b"UIDL 0\r\n", Says("-ERR")),
            (b"TOP 1\r\n", Says("-ERR")),
            (b"TOP 1 -1\r\n", Says("-ERR")),
            (b"TOP 1 x\r\n", Says("-ERR")),
            (b"TOP 0 99999999999999999999999999\r\n", Says("-ERR")),
        ],
    ),
    Row::play("pop3: TOP with more lines than there are", |arena| {
        let mut pop3 = arena.server.pop3("joe");
        for lines in ["4294967295", "18446744073709551616", "99999999999999999999999999"] {
            assert_eq!(pop3.body(&format!("TOP 1 {lines}")).unwrap(), corpus::small(1));
        }
    }),
    Row::each(
        "pop3: commands behind QUIT",
        Door::Maildrop,
        &[
            (b"QUIT\r\nDELE 1\r\nDELE 2\r\nQUIT\r\n", LastWords("+OK")),
            (b"QUIT\r\nUSER amy\r\nPASS x\r\n", LastWords("+OK")),
        ],
    ),
    Row::play("pop3: 15,000 deletions and second thoughts", |arena| {
        let mut pop3 = arena.server.pop3("joe");
        for _ in 0..3 {
            pop3.connection.send(&b"DELE 1\r\nRSET\r\n".repeat(5_000)).unwrap();
            for _ in 0..10_000 {
                assert!(pop3.line().unwrap().starts_with("+OK"));
            }
        }
        pop3.must("QUIT").unwrap();
    })
    .seconds(30),
    Row::play("pop3: nonsense without end", |arena| {
        let mut pop3 = arena.pop3();
        let _ = pop3.connection.send(&b"x\r\n".repeat(100_000));
        let mut refused = 0;
        while pop3.line().is_ok_and(|line| line.starts_with("-ERR")) {
            refused += 1;
        }
        assert!(refused <= 21, "{refused} times");
    }),
    Row::play("pop3: folders that lead elsewhere", |arena| {
        let mut pop3 = arena.pop3();
        for folder in
            ["../sue", "../../../etc", "/etc", "..", "a//b", "nowhere", "Other Users/sue", "cyrus.index", "*", "\u{1b}"]
        {
            pop3.must(&format!("USER joe+{folder}")).unwrap();
            let said = pop3.command(&format!("PASS {PASSWORD}")).unwrap();
            assert!(said.starts_with("-ERR"), "{folder}: {said}");
        }
    }),
    Row::each(
        "pop3: languages that lead elsewhere",
        Door::Pop3,
        &[(b"LANG ../../../etc/passwd\r\n", Says("-ERR")), (b"LANG \x1b[2J\r\n", Says("-ERR"))],
    ),
    Row::play("pop3: PASS behind a USER who is somebody else by then", |arena| {
        let mut pop3 = arena.pop3();
        for user in ["joe", "", "joe\t", " ", "joe\u{a0}"] {
            let _ = pop3.command(&format!("USER {user}")).unwrap();
        }
        // What was refused is not what was said before.
        assert!(pop3.command(&format!("PASS {PASSWORD}")).unwrap().starts_with("-ERR"));
    })
    .mib(32),
];
