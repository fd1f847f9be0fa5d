//! SASL exchanges that are nonsense, too long, or given up (CVE-2019-11494, CVE-2019-11499, CVE-2017-15132,
//! CVE-2025-59028, Dovecot: crashes, leaks, and other people's logins lost).

use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use harness::transcript::Protocol;
use harness::{Imap, PASSWORD};

use crate::arena::Arena;
use crate::row::Answer::Says;
use crate::row::{Door, Row, filled};

/// Exchanges that are given up, of each kind.
const GIVEN_UP: usize = 2_000;

/// Commands and responses of an exchange, up to where it is given up.
const STEPS: &[&[&str]] = &[
    &["AUTHENTICATE PLAIN"],
    &["AUTHENTICATE LOGIN"],
    &["AUTHENTICATE LOGIN", "am9l"],
    &["AUTHENTICATE SCRAM-SHA-256"],
    &["AUTHENTICATE SCRAM-SHA-256 biwsbj1qb2Uscj1mb28="],
];

pub(crate) static ROWS: &[Row] = &[
    Row::each(
        "imap: initial responses that are none",
        Door::Imap,
        &[
            (b"a AUTHENTICATE PLAIN !\r\n", Says("a BAD")),
            (b"a AUTHENTICATE PLAIN ====\r\n", Says("a BAD")),
            (b"a AUTHENTICATE PLAIN AA\r\n", Says("a BAD")),
            (b"a AUTHENTICATE PLAIN =\r\n", Says("a BAD")),
            (b"a AUTHENTICATE PLAIN AAAA\r\n", Says("a BAD")),
            (b"a AUTHENTICATE PLAIN AGpvZQ==\r\n", Says("a BAD")),
            (b"a AUTHENTICATE PLAIN AGpvZQB4AHg=\r\n", Says("a BAD")),
            (b"a AUTHENTICATE PLAIN AGpvZQD//g==\r\n", Says("a BAD")),
            (b"a AUTHENTICATE PLAIN AGpvZQB4 AGpvZQB4\r\n", Says("a BAD")),
            (b"a AUTHENTICATE\r\n", Says("a BAD")),
            (b"a AUTHENTICATE (PLAIN)\r\n", Says("a BAD")),
            (b"a AUTHENTICATE GSSAPI\r\n", Says("a NO")),
            (b"a AUTHENTICATE SCRAM-SHA-256-PLUS\r\n", Says("a NO")),
        ],
    ),
    Row::play("imap: responses that are none", |arena| {
        for response in ["=", "====", "AA", "AAAA", "AGpvZQ==", "AGpvZQAA", "!", "AGpvZQB4AHg=", "", " *", "**", "\0"] {
            let mut imap = arena.stranger();
            imap.connection.send(b"a AUTHENTICATE PLAIN\r\n").unwrap();
            assert_eq!(imap.connection.reply().unwrap().unwrap().to_string(), "+ ");
            imap.connection.send(format!("{response}\r\n").as_bytes()).unwrap();
            let said = imap.connection.reply().unwrap().unwrap().to_string();
            assert!(said.starts_with("a BAD"), "{response:?}: {said}");
            imap.must("NOOP").unwrap();
        }
    }),
    Row::play("imap: 10 MB where a response belongs", |arena| {
        let mut imap = arena.stranger();
        for _ in 0..2 {
            imap.connection.send(b"a AUTHENTICATE PLAIN\r\n").unwrap();
            assert_eq!(imap.connection.reply().unwrap().unwrap().to_string(), "+ ");
            imap.connection.send(&filled("", "A", 10 << 20, " b LOGOUT\r\n")).unwrap();
            assert!(imap.connection.reply().unwrap().unwrap().to_string().starts_with("a BAD"));
            imap.must("NOOP").expect("all of the line was skipped, and nothing else");
        }
        imap.connection.send(b"c AUTHENTICATE PLAIN\r\n").unwrap();
        assert_eq!(imap.connection.reply().unwrap().unwrap().to_string(), "+ ");
        let right = STANDARD.encode(format!("\0joe\0{PASSWORD}"));
        imap.connection.send(format!("{right}\r\n").as_bytes()).unwrap();
        assert!(imap.connection.reply().unwrap().unwrap().to_string().starts_with("c OK"));
    }),
    Row::made(
        "imap: an initial response that is longer than a line",
        Door::Imap,
        || filled("a AUTHENTICATE PLAIN ", "A", 12_000, "\r\n"),
        Says("a BAD [TOOBIG]"),
    ),
    Row::play("imap: first messages of SCRAM that are none", |arena| {
        let long = format!("n,,n=joe,r={}", "x".repeat(129));
        for first in [
            "",
            "n",
            "n,,",
            "n,,n=joe",
            "n,,n=joe,r=",
            "n,,n=,r=x",
            "n,,r=x,n=joe",
            "n,,m=ext,n=joe,r=x",
            "n,a=,n=joe,r=x",
            "n,,n=j=oe,r=x",
            "n,,n=joe,r=\u{7f}",
            "x,,n=joe,r=x",
            "p=tls-exporter,,n=joe,r=x",
            long.as_str(),
        ] {
            let mut imap = arena.stranger();
            let first = if first.is_empty() { "=".to_owned() } else { STANDARD.encode(first) };
            let status = imap.command(&format!("AUTHENTICATE SCRAM-SHA-256 {first}")).unwrap().status;
            assert!(status.starts_with("BAD"), "{first}: {status}");
            imap.must("NOOP").unwrap();
        }
    }),
    Row::play("imap: 10,000 exchanges that are given up", given_up).mib(2).seconds(60),
    Row::play("imap: 500 clients that vanish in an exchange", |arena| {
        for steps in STEPS {
            for _ in 0..100 {
                let mut socket = std::net::TcpStream::connect(arena.server.address(Protocol::Imap)).unwrap();
                let said: String = steps.iter().map(|line| format!("{line}\r\n")).collect();
                socket.write_all(format!("a {said}").as_bytes()).unwrap();
            }
        }
        Imap::login(arena.server.address(Protocol::Imap), "joe", PASSWORD).expect("others log in meanwhile");
    })
    .mib(4),
    Row::play("pop3: exchanges that are given up at every step", |arena| {
        let mut pop3 = arena.pop3();
        for first in ["AUTH PLAIN", "AUTH LOGIN", "AUTH LOGIN am9l", "AUTH SCRAM-SHA-256 biwsbj1qb2Uscj1mb28="] {
            for last in ["*", "!", "AA", "\0"] {
                assert!(pop3.command(first).unwrap().starts_with("+ "), "{first}");
                assert!(pop3.command(last).unwrap().starts_with("-ERR"), "{first} {last}");
                pop3.must("CAPA").unwrap();
                pop3.rest().unwrap();
            }
        }
    }),
    // As many passwords as there are processors are hashed at a time, eight at most, each in 19 MiB.
    Row::play("imap: 24 guesses at once", |arena| {
        let address = arena.server.address(Protocol::Imap);
        let guess = move |number: usize| {
            let mut imap = Imap::open(address).unwrap();
            let status = imap.command(&format!("LOGIN joe wrong{number}")).unwrap().status;
            assert!(status.starts_with("NO [AUTHENTICATIONFAILED]"), "{status}");
        };
        let guesses: Vec<_> = (0..24).map(|number| std::thread::spawn(move || guess(number))).collect();
        guesses.into_iter().for_each(|guess| guess.join().unwrap());
    })
    .mib(8 * 19 + 16)
    .seconds(60),
];

/// All in a few sessions, so that what is kept of each would add up.
fn given_up(arena: &Arena) {
    for steps in STEPS {
        let mut imap = arena.stranger();
        let exchange = format!("a {}\r\n*\r\n", steps.join("\r\n"));
        // BADs in a row would end the session.
        let some = [exchange.repeat(10), "b NOOP\r\n".to_owned()].concat();
        for _ in 0..GIVEN_UP / 10 {
            imap.connection.send(some.as_bytes()).unwrap();
            let (mut cancelled, mut challenges) = (0, 0);
            loop {
                let said = imap.connection.reply().unwrap().unwrap().to_string();
                match &said {
                    ok if ok.starts_with("b OK") => break,
                    bad if bad.starts_with("a BAD") => cancelled += 1,
                    challenge if challenge.starts_with("+ ") => challenges += 1,
                    other => panic!("{steps:?}: {other}"),
                }
            }
            assert_eq!((cancelled, challenges), (10, 10 * steps.len()), "{steps:?}");
        }
    }
}
