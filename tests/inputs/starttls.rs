//! STARTTLS and STLS. What somebody in the middle puts behind them in clear text must not run as if it had come encrypted
//! (CVE-2021-33515, CVE-2021-38542, and thirteen servers more); what was said before must be forgotten.

use std::io::{Read, Write};
use std::net::TcpStream;

use harness::transcript::Protocol;
use harness::{Connection, Imap, PASSWORD};

use crate::arena::Arena;
use crate::row::Answer::LastWords;
use crate::row::{Door, Row};

pub(crate) static ROWS: &[Row] = &[
    Row::each(
        "imap: clear text behind STARTTLS",
        Door::Imap,
        &[
            (b"a STARTTLS\r\nb LOGIN joe correct-horse\r\nc SELECT INBOX\r\n", LastWords("a BAD")),
            (b"a STARTTLS\r\nb LOGOUT\r\n", LastWords("a BAD")),
            (b"a STARTTLS\r\nx", LastWords("a BAD")),
            (b"a STARTTLS\r\n\r\n", LastWords("a BAD")),
            (b"a STARTTLS\r\n\x16\x03\x01", LastWords("a BAD")),
        ],
    ),
    Row::each(
        "pop3: clear text behind STLS",
        Door::Pop3,
        &[
            (b"STLS\r\nUSER joe\r\nPASS correct-horse\r\nDELE 1\r\nQUIT\r\n", LastWords("-ERR")),
            (b"STLS\r\nx", LastWords("-ERR")),
            (b"STLS\r\n\x16\x03\x01", LastWords("-ERR")),
        ],
    ),
    Row::each(
        "lmtp: clear text behind STARTTLS",
        Door::Lmtp,
        &[
            (b"STARTTLS\r\nMAIL FROM:<evil@example.org>\r\nRCPT TO:<joe@example.org>\r\n", LastWords("421")),
            (b"STARTTLS\r\nQUIT\r\n", LastWords("421")),
            (b"STARTTLS\r\n\x16\x03\x01", LastWords("421")),
        ],
    ),
    Row::play("all: clear text where a handshake belongs", |arena| {
        for (protocol, before, start) in STARTS {
            for garbage in [&b"b NOOP\r\nRSET\r\nCAPA\r\n"[..], b"\0", &[0x16, 3, 1, 0xff, 0xff], &[0x80; 3_000]] {
                let mut socket = begun(arena, protocol, before, start);
                let _ = socket.write_all(garbage);
                let _ = socket.shutdown(std::net::Shutdown::Write);
                let mut rest = Vec::new();
                let _ = socket.read_to_end(&mut rest);
                let alert = rest.is_empty() || rest[0] == 0x15;
                assert!(alert, "{protocol:?}: {}", rest.escape_ascii());
            }
        }
    }),
    Row::play("all: TLS within TLS, and after login", tls_is_begun_once),
    Row::play("all: what was said before TLS is forgotten", |arena| {
        let mut pop3 = arena.pop3();
        pop3.must("USER joe").unwrap();
        pop3.must("STLS").unwrap();
        pop3.connection.start_tls().unwrap();
        assert!(pop3.command(&format!("PASS {PASSWORD}")).unwrap().starts_with("-ERR Send USER first"));
        let mut lmtp = arena.server.lmtp();
        assert!(lmtp.command("STARTTLS").unwrap().starts_with("220"));
        lmtp.connection.start_tls().unwrap();
        assert!(lmtp.command("MAIL FROM:<a@example.org>").unwrap().starts_with("503"));
        let mut imap = arena.stranger();
        imap.must("STARTTLS").unwrap();
        imap.connection.start_tls().unwrap();
        let offered = imap.must("CAPABILITY").unwrap().untagged[0].to_string();
        assert!(!offered.contains("STARTTLS") && offered.contains("AUTH=PLAIN"), "{offered}");
    }),
];

/// Where TLS begins with a command: what comes before it, and the command.
const STARTS: [(Protocol, &str, &str); 3] = [
    (Protocol::Imap, "", "a STARTTLS\r\n"),
    (Protocol::Pop3, "", "STLS\r\n"),
    (Protocol::Lmtp, "LHLO x\r\n", "STARTTLS\r\n"),
];

/// A socket on which the server waits for a handshake.
fn begun(arena: &Arena, protocol: Protocol, before: &str, start: &str) -> TcpStream {
    let mut socket = TcpStream::connect(arena.server.address(protocol)).unwrap();
    socket.set_read_timeout(Some(harness::PATIENCE)).unwrap();
    let mut lines = [0; 4096];
    // Each reply comes in one piece: the server sends what it has when it waits for more.
    assert!(socket.read(&mut lines).unwrap() > 0, "a greeting");
    for said in [before, start].into_iter().filter(|said| !said.is_empty()) {
        socket.write_all(said.as_bytes()).unwrap();
        assert!(socket.read(&mut lines).unwrap() > 0, "{said}");
    }
    socket
}

fn tls_is_begun_once(arena: &Arena) {
    let secure = |protocol| {
        let mut connection: Connection = arena.raw(protocol);
        connection.start_tls().unwrap();
        connection
    };
    let mut imap = Imap::over(secure(Protocol::Imaps)).unwrap();
    assert!(imap.command("STARTTLS").unwrap().status.starts_with("BAD"));
    imap.must(&format!("LOGIN joe {PASSWORD}")).unwrap();
    assert!(imap.command("STARTTLS").unwrap().status.starts_with("BAD"));
    let mut clear = arena.joe();
    assert!(clear.command("STARTTLS").unwrap().status.starts_with("BAD"));
    clear.must("NOOP").unwrap();
    let mut pop3 = harness::Pop3::over(secure(Protocol::Pop3s)).unwrap();
    assert!(pop3.command("STLS").unwrap().starts_with("-ERR"));
    let mut pop3 = pop3.login("joe", PASSWORD).unwrap();
    assert!(pop3.command("STLS").unwrap().starts_with("-ERR"));
    pop3.must("NOOP").unwrap();
    let mut lmtp = arena.server.lmtp();
    assert!(lmtp.command("STARTTLS").unwrap().starts_with("220"));
    lmtp.connection.start_tls().unwrap();
    assert!(lmtp.command("LHLO x").unwrap().starts_with("250"));
    assert!(lmtp.command("STARTTLS").unwrap().starts_with("503"));
    assert!(lmtp.command("MAIL FROM:<a@example.org>").unwrap().starts_with("250"));
    assert!(lmtp.command("STARTTLS").unwrap().starts_with("503"));
}
