//! Text of clients on its way into the log: it must neither end a line nor act on a terminal.

use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use harness::await_until;
use harness::transcript::Protocol;

use crate::arena::{Arena, BALANCER};
use crate::row::Row;

/// A line that was never logged, and a few things that terminals do.
const FORGED: &str = "x\r\n2026-01-01T00:00:00.000Z ERROR event=forged user=joe \u{1b}[2J\u{1b}]0;x\u{7}\u{9b}31m\u{202e}\u{2028}\u{85}\u{8}";

pub(crate) static ROWS: &[Row] = &[
    Row::play("all: text that would forge a line of the log", |arena| {
        let log = arena.server.log_size();
        std::thread::scope(|scope| {
            // Each failed login is left without an answer for a while.
            for forge in [imap_login, imap_plain, pop3_user, imap_id, lmtp, balancer] {
                scope.spawn(move || forge(arena));
            }
        });
        // What was said is there, as far as it is logged at all.
        let said = || arena.server.log_from(log);
        // Of headers that are refused, some are: `proxy.refused` is not written for each.
        for (event, service) in [
            ("login.failed", " service=imap "),
            ("login.failed", " service=pop3 "),
            ("imap.client.named", ""),
            ("lmtp.message.received", ""),
        ] {
            let event = format!("event={event}");
            await_until(&event, || said().lines().any(|line| line.contains(&event) && line.contains(service)));
        }
        let said = said();
        assert!(said.contains("forged"), "names are logged, escaped:\n{said}");
        for line in said.lines() {
            let begin = line.split(' ').next().unwrap_or_default();
            assert!(begin.len() == 24 && begin.ends_with('Z') && begin.starts_with("20"), "no line of ours: {line:?}");
            assert!(!line.starts_with("2026-01-01T00:00:00.000Z"), "{line:?}");
            let plain = line.chars().all(|c| !c.is_control() && !matches!(c, '\u{2028}'..='\u{202e}'));
            assert!(plain, "{line:?}");
        }
    })
    .mib(64)
    .seconds(30),
    Row::play("all: names of a megabyte do not fill the log", |arena| {
        let log = arena.server.log_size();
        let mut imap = arena.stranger();
        let long = "x".repeat(4_000);
        assert!(imap.command(&format!("LOGIN \"{long}\" wrong")).unwrap().status.starts_with("NO"));
        imap.must(&format!("ID (\"name\" \"{}\" \"version\" \"{}\")", &long[..1_024], &long[..1_024])).unwrap();
        let mut lmtp = arena.server.lmtp();
        lmtp.command(&format!("MAIL FROM:<{}@example.org>", &long[..3_000])).unwrap();
        lmtp.command("MAIL FROM:<a@example.org>").unwrap();
        lmtp.command(&format!("RCPT TO:<{}@example.org>", &long[..3_000])).unwrap();
        let said = arena.server.log_from(log);
        let longest = said.lines().map(str::len).max().unwrap_or(0);
        assert!(longest < 1_500, "a line of {longest} octets");
    }),
    Row::play("imap: a client's name in the list of sessions", |arena| {
        let mut joe = arena.joe();
        let forged = FORGED.replace('"', "");
        let tag = joe.send(format!("ID (\"name\" {{{}+}}\r\n{forged})", forged.len()).as_bytes()).unwrap();
        assert!(joe.answer(&tag).unwrap().ok());
        for arguments in [&["who"][..], &["who", "--json"]] {
            let shown = arena.home.must_run(arguments, b"");
            assert!(shown.lines().any(|line| line.contains("forged")), "{shown:?}");
            assert!(!shown.contains('\u{1b}') && !shown.lines().any(|line| line.starts_with("2026-")), "{shown:?}");
        }
    }),
];

fn imap_login(arena: &Arena) {
    let mut imap = arena.stranger();
    let tag = imap.send(format!("LOGIN {{{}+}}\r\n{FORGED} wrong", FORGED.len()).as_bytes()).unwrap();
    assert!(imap.answer(&tag).unwrap().status.starts_with("NO"));
}

fn imap_plain(arena: &Arena) {
    let response = STANDARD.encode(format!("{FORGED}\0{FORGED}\0wrong"));
    let status = arena.stranger().command(&format!("AUTHENTICATE PLAIN {response}")).unwrap().status;
    assert!(status.starts_with("NO"), "{status}");
}

fn pop3_user(arena: &Arena) {
    let mut pop3 = arena.pop3();
    pop3.must(&format!("USER {}", FORGED.replace(['\r', '\n'], ""))).unwrap();
    assert!(pop3.command("PASS wrong").unwrap().starts_with("-ERR"));
}

fn imap_id(arena: &Arena) {
    let mut imap = arena.stranger();
    let tag = imap
        .send(format!("ID (\"name\" {{{0}+}}\r\n{FORGED} \"version\" {{{0}+}}\r\n{FORGED})", FORGED.len()).as_bytes());
    assert!(imap.answer(&tag.unwrap()).unwrap().ok());
}

fn lmtp(arena: &Arena) {
    let mut lmtp = arena.server.lmtp();
    let text = FORGED.replace(['\r', '\n'], "");
    lmtp.command(&format!("LHLO {text}")).unwrap();
    lmtp.command(&format!("MAIL FROM:<\"{text}\"@example.org> SMTPUTF8")).unwrap();
    lmtp.command("RSET").unwrap();
    assert!(lmtp.command("MAIL FROM:<a@example.org> SMTPUTF8").unwrap().starts_with("250"));
    lmtp.command(&format!("RCPT TO:<\"{text}\"@example.org>")).unwrap();
    assert!(lmtp.command("RCPT TO:<bob@example.org>").unwrap().starts_with("250"));
    assert!(lmtp.command("DATA").unwrap().starts_with("354"));
    let message = format!("Message-ID: <{text}@x>\r\nSubject: x\r\n\r\nx\r\n.\r\n");
    lmtp.connection.send(message.as_bytes()).unwrap();
    assert!(lmtp.final_line().unwrap().starts_with("250"));
}

fn balancer(arena: &Arena) {
    for header in
        [format!("PROXY TCP4 {FORGED} 1 1 1\r\n"), format!("{FORGED}{FORGED}"), format!("PROXY UNKNOWN {FORGED}")]
    {
        let mut socket = arena.socket(Protocol::Imap, BALANCER);
        let _ = socket.write_all(header.as_bytes());
        let _ = std::io::Read::read(&mut socket, &mut [0; 64]);
    }
}
