//! LMTP: addresses that are none (CVE-2020-10967, CVE-2020-7046, CVE-2019-19722, Dovecot), chunks that lie, and ends of
//! messages that only some servers see (CVE-2023-51764, SMTP smuggling).

use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use harness::PASSWORD;

use crate::row::Answer::{LastWords, Says};
use crate::row::{Door, Row, filled};

pub(crate) static ROWS: &[Row] = &[
    Row::made("lmtp: a line of 32 MiB", Door::Lmtp, || filled("", "x", 32 << 20, "\r\n"), Says("500")),
    Row::made(
        "lmtp: an address behind a megabyte of parameters",
        Door::Recipient,
        || filled("RCPT TO:<joe@example.org> ", "X=x ", 1 << 20, "\r\n"),
        Says("500"),
    ),
    Row::made(
        "lmtp: an address with a long route",
        Door::Recipient,
        || filled("RCPT TO:<", "@a.example,", 3_900, ":joe@example.org>\r\n"),
        Says("5"),
    ),
    Row::each(
        "lmtp: lines that are none",
        Door::Lmtp,
        &[
            (b"\r\n", Says("500")),
            (b" NOOP\r\n", Says("500")),
            (b"NOOP\n", Says("500")),
            (b"NOOP\r\r\n", Says("500")),
            (b"NO\0OP\r\n", Says("500")),
            (b"\xff\xfe\r\n", Says("500")),
            (b"MAIL FROM:<\xc0\xaf@example.org>\r\n", Says("500")),
            (b"EHLO x\r\n", Says("500")),
            (b"HELO x\r\n", Says("500")),
            (b"ETRN x\r\n", Says("500")),
            (b"TURN\r\n", Says("500")),
        ],
    ),
    Row::each(
        "lmtp: addresses that are none",
        Door::Recipient,
        &[
            (b"RCPT TO:<>\r\n", Says("501")),
            (b"RCPT TO:joe\r\n", Says("5")),
            (b"RCPT TO:<joe@example.org\r\n", Says("501")),
            (b"RCPT TO:<\"\"@example.org>\r\n", Says("5")),
            (b"RCPT TO:<\"\"@x>\r\n", Says("5")),
            (b"RCPT TO:<@a,@b:c@d>\r\n", Says("5")),
            (b"RCPT TO:<\"../../x\"@example.org>\r\n", Says("5")),
            (b"RCPT TO:<../../x@example.org>\r\n", Says("5")),
            (b"RCPT TO:<joe+../../x@example.org>\r\n", Says("250")),
            (b"RCPT TO:<joe\0@example.org>\r\n", Says("500")),
            (b"RCPT TO:<joe@example.org>\0\r\n", Says("500")),
            (b"RCPT TO:<@>\r\n", Says("501")),
            (b"RCPT TO:<joe@>\r\n", Says("501")),
            (b"RCPT TO:<joe@[127.0.0.1>\r\n", Says("501")),
            (b"RCPT TO:<joe@example.org\xe2>\r\n", Says("500")),
            (b"RCPT TO:<j\xc3\xb6@example.org>\r\n", Says("5")),
            (b"RCPT TO:<+@example.org>\r\n", Says("5")),
            (b"RCPT TO:<\"joe\\\"@example.org>\r\n", Says("501")),
            (b"RCPT TO:<group:joe@example.org,amy@example.org;>\r\n", Says("501")),
            (b"RCPT TO:<joe@example.org>,<amy@example.org>\r\n", Says("501")),
        ],
    ),
    Row::play("lmtp: 5,000 recipients", |arena| {
        let mut lmtp = arena.server.lmtp();
        assert!(lmtp.command("MAIL FROM:<a@example.org>").unwrap().starts_with("250"));
        let mut codes = std::collections::BTreeMap::new();
        for number in 0..5_000 {
            let user = if number % 2 == 0 { "joe".to_owned() } else { format!("nobody{number}") };
            let said = lmtp.command(&format!("RCPT TO:<{user}@example.org>")).unwrap();
            *codes.entry(said[..9].to_owned()).or_insert(0) += 1;
        }
        assert_eq!((codes["250 2.1.5"], codes["550 5.1.1"], codes["452 4.5.3"]), (1_000, 999, 3_001));
        assert!(lmtp.command("RSET").unwrap().starts_with("250"));
    })
    .seconds(30),
    Row::play("lmtp: recipients without end", |arena| {
        let mut lmtp = arena.server.lmtp();
        assert!(lmtp.command("MAIL FROM:<a@example.org>").unwrap().starts_with("250"));
        let some = b"RCPT TO:<nobody@example.org>\r\n".repeat(1_000);
        let mut refused = 0;
        'all: for _ in 0..20 {
            if lmtp.connection.send(&some).is_err() {
                break;
            }
            for _ in 0..1_000 {
                match lmtp.final_line() {
                    Ok(said) if said.starts_with("550") => refused += 1,
                    _ => break 'all,
                }
            }
        }
        assert_eq!(refused, 10_000);
    })
    .seconds(30),
    Row::each(
        "lmtp: a message before its recipients",
        Door::Lmtp,
        &[
            (b"DATA\r\n", Says("503")),
            (b"RCPT TO:<joe@example.org>\r\n", Says("503")),
            (b"BDAT 6 LAST\r\nQUIT\r\n", Says("503")),
            (b"BDAT 0 LAST\r\n", Says("503")),
            (b"BDAT 4294967296 LAST\r\n", LastWords("552")),
        ],
    ),
    Row::each(
        "lmtp: chunks that lie",
        Door::Recipient,
        &[
            (b"BDAT\r\n", LastWords("501")),
            (b"BDAT LAST\r\n", LastWords("501")),
            (b"BDAT -1\r\n", LastWords("501")),
            (b"BDAT 0x5\r\n", LastWords("501")),
            (b"BDAT 5 FIRST\r\n", LastWords("501")),
            (b"BDAT 5 LAST LAST\r\n", LastWords("501")),
            (b"BDAT 18446744073709551616 LAST\r\n", LastWords("501")),
            (b"BDAT 18446744073709551615 LAST\r\n", LastWords("552")),
            (b"BDAT 4294967296\r\n", LastWords("552")),
            (b"BDAT 4\r\nabcdX\r\n", Says("250")),
        ],
    ),
    Row::play("lmtp: 10,000 chunks of one octet", |arena| {
        let mut lmtp = arena.server.lmtp();
        for line in ["MAIL FROM:<a@example.org>", "RCPT TO:<joe@example.org>"] {
            assert!(lmtp.command(line).unwrap().starts_with("250"));
        }
        let _ = lmtp.connection.send(&b"BDAT 1\r\nx".repeat(10_000));
        let mut taken = 0;
        while lmtp.final_line().is_ok_and(|said| said.starts_with("250")) {
            taken += 1;
        }
        assert!((900..1_000).contains(&taken), "{taken} were taken");
    }),
    Row::each(
        "lmtp: ends of a message that are none",
        Door::Data,
        &[
            (b"Subject: x\r\n\r\nx\n.\nMAIL FROM:<evil@example.org>\r\n.\r\n", Says("554")),
            (b"Subject: x\r\n\r\nx\n.\r\nMAIL FROM:<evil@example.org>\r\n.\r\n", Says("554")),
            (b"Subject: x\r\n\r\nx\r\n.\nMAIL FROM:<evil@example.org>\r\n.\r\n", Says("554")),
            (b"Subject: x\r\n\r\nx\r.\rMAIL FROM:<evil@example.org>\r\n.\r\n", Says("554")),
            (b"Subject: x\r\n\r\nx\r.\r\nMAIL FROM:<evil@example.org>\r\n.\r\n", Says("554")),
            (b"Subject: x\r\n\r\nx\r\n.\rMAIL FROM:<evil@example.org>\r\n.\r\n", Says("554")),
            (b"Subject: x\r\n\r\nx\r\n\0.\r\nMAIL FROM:<evil@example.org>\r\n.\r\n", Says("554")),
            (b"Subject: x\r\n\r\nx\r\r\n.\r\n", Says("554")),
        ],
    ),
    Row::made(
        "lmtp: a message that is larger than allowed",
        Door::Data,
        || [b"Subject: x\r\n\r\n".to_vec(), b"0123456789\r\n".repeat(1_000_000), b".\r\n".to_vec()].concat(),
        Says("552"),
    ),
    Row::made(
        "lmtp: a header of 4 MiB",
        Door::Data,
        || [b"X: x\r\n".repeat(700_000), b"\r\nx\r\n.\r\n".to_vec()].concat(),
        Says("5"),
    ),
    Row::made(
        "lmtp: 64 MiB of a chunk that is refused",
        Door::Recipient,
        || filled("BDAT 4294967296 LAST\r\n", "x", 64 << 20, ""),
        LastWords("552"),
    ),
    Row::made(
        "lmtp: 64 MiB of a chunk that cannot be measured",
        Door::Recipient,
        || filled("BDAT 4294967296 LAST LAST\r\n", "x", 64 << 20, ""),
        LastWords("501"),
    ),
    Row::made(
        "lmtp: 300 MiB of a message",
        Door::Data,
        || filled("Subject: x\r\n\r\n", "0123456789abcdef\r\n", 300 << 20, ""),
        LastWords("552"),
    )
    .seconds(60),
    Row::play("lmtp: a message that is not sent on", |arena| {
        let mut lmtp = arena.server.lmtp();
        for line in ["MAIL FROM:<a@example.org>", "RCPT TO:<joe@example.org>", "DATA"] {
            lmtp.command(line).unwrap();
        }
        lmtp.connection.send(b"Subject: half\r\n\r\nx\r\n.").unwrap();
        let begin = Instant::now();
        assert!(lmtp.final_line().unwrap().starts_with("421"));
        assert!(begin.elapsed().as_secs() < 9, "{:?}", begin.elapsed());
        assert!(lmtp.connection.reply().unwrap().is_none());
    })
    .seconds(20),
    Row::each(
        "lmtp: logins that are none",
        Door::Lmtp,
        &[
            (b"AUTH\r\n", Says("501")),
            (b"AUTH \r\n", Says("501")),
            (b"AUTH PLAIN a b\r\n", Says("501")),
            (b"AUTH PLAIN !\r\n", Says("501")),
            (b"AUTH PLAIN =\r\n", Says("501")),
            (b"AUTH PLAIN AAAA\r\n", Says("501")),
            (b"AUTH PLAIN AGpvZQB4AHg=\r\n", Says("501")),
            (b"AUTH PLAIN AGpvZQD//g==\r\n", Says("501")),
            (b"AUTH PLAIN AGpv\0ZQB4\r\n", Says("500")),
            (b"AUTH \xff\xfe =\r\n", Says("500")),
            (b"AUTH ../PLAIN =\r\n", Says("50")),
            (b"AUTH GSSAPI =\r\n", Says("504")),
            (b"AUTH EXTERNAL =\r\n", Says("504")),
            (b"AUTH ANONYMOUS =\r\n", Says("504")),
            (b"AUTH SCRAM-SHA-256-PLUS =\r\n", Says("504")),
            (b"AUTH OAUTHBEARER bixhPWpvZSw=\r\n", Says("501")),
        ],
    ),
    Row::each(
        "lmtp: logins in the midst of a transaction",
        Door::Recipient,
        &[(b"AUTH PLAIN AGpvZQB4\r\n", Says("503")), (b"AUTH PLAIN\r\n", Says("503")), (b"AUTH\r\n", Says("503"))],
    ),
    Row::made(
        "lmtp: an initial response that is longer than a line",
        Door::Lmtp,
        || filled("AUTH PLAIN ", "A", 20_000, "\r\n"),
        Says("500"),
    ),
    Row::play("lmtp: 10 MiB where a response belongs, and an exchange given up", |arena| {
        let mut lmtp = arena.server.lmtp();
        for _ in 0..2 {
            assert!(lmtp.command("AUTH PLAIN").unwrap().starts_with("334"));
            lmtp.connection.send(&filled("", "A", 10 << 20, "\r\n")).unwrap();
            assert!(lmtp.final_line().unwrap().starts_with("500"));
            assert!(lmtp.command("NOOP").unwrap().starts_with("250"), "all of the line was skipped, and nothing else");
            assert!(lmtp.command("AUTH PLAIN").unwrap().starts_with("334"));
            assert!(lmtp.command("*").unwrap().starts_with("501"));
        }
        let right = STANDARD.encode(format!("\0joe\0{PASSWORD}"));
        assert!(lmtp.command(&format!("AUTH PLAIN {right}")).unwrap().starts_with("235"));
        assert!(lmtp.command(&format!("AUTH PLAIN {right}")).unwrap().starts_with("503"), "once");
    }),
    Row::play("lmtp: responses that are commands", |arena| {
        let mut lmtp = arena.server.lmtp();
        assert!(lmtp.command("AUTH LOGIN").unwrap().starts_with("334"));
        let commands = b"MAIL FROM:<evil@example.org>\r\nRCPT TO:<joe@example.org>\r\n";
        lmtp.connection.send(commands).unwrap();
        assert!(lmtp.final_line().unwrap().starts_with("501"), "the first is no response");
        assert!(lmtp.final_line().unwrap().starts_with("503"), "nobody has said MAIL");
    }),
    Row::play("lmtp: three guesses, and on", |arena| {
        let mut lmtp = arena.server.lmtp();
        let guess = |number: usize| STANDARD.encode(format!("\0joe\0wrong{number}"));
        let guesses: String = (0..100).map(|number| format!("AUTH PLAIN {}\r\n", guess(number))).collect();
        lmtp.connection.send(guesses.as_bytes()).unwrap();
        for expected in ["535", "535", "421"] {
            assert!(lmtp.final_line().unwrap().starts_with(expected));
        }
        assert!(lmtp.connection.reply().unwrap().is_none());
    })
    .mib(48)
    .seconds(60),
    Row::play("lmtp: commands without a message", |arena| {
        let mut lmtp = arena.server.lmtp();
        lmtp.connection.send(&b"NOOP\r\n".repeat(2_000)).unwrap();
        let mut taken = 0;
        let last = loop {
            match lmtp.final_line() {
                Ok(said) if said.starts_with("250") => taken += 1,
                other => break other,
            }
        };
        assert!(taken < 1_000, "{taken}");
        assert!(last.unwrap().starts_with("421"));
    }),
    Row::play("lmtp: nonsense without end", |arena| {
        let mut lmtp = arena.server.lmtp();
        lmtp.connection.send(&b"x\r\n".repeat(100_000)).unwrap();
        for _ in 0..20 {
            assert!(lmtp.final_line().unwrap().starts_with("500"));
        }
        assert!(lmtp.final_line().unwrap().starts_with("421"));
    }),
];
