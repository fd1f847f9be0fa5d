//! Hostile LMTP clients.

use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

use harness::transcript::Protocol;

use crate::attack::Attack;

#[test]
fn recipients_without_end() {
    let attack = Attack::begin();
    let mut lmtp = attack.server.lmtp();
    assert!(lmtp.command("MAIL FROM:<a@example.org>").unwrap().starts_with("250"));
    let mut refused = 0;
    for number in 0..5_000 {
        let recipient = if number % 2 == 0 { "joe".to_owned() } else { format!("nobody{number}") };
        let reply = lmtp.command(&format!("RCPT TO:<{recipient}@example.org>")).unwrap();
        refused += usize::from(!reply.starts_with("250"));
    }
    assert!(refused >= 2_500);
    assert!(lmtp.command("RSET").unwrap().starts_with("250"));
    attack.survived();
}

#[test]
fn addresses_that_are_none() {
    let attack = Attack::begin();
    let mut lmtp = attack.server.lmtp();
    assert!(lmtp.command("MAIL FROM:<a@example.org>").unwrap().starts_with("250"));
    for path in [
        "<\"\"@example.org>",
        "<@a,@b:c@d>",
        "<joe@example.org",
        "joe",
        "<>",
        "<\"../../x\"@example.org>",
        "<joe\0@example.org>",
        "<@>",
        "<joe@>",
        "<joe@[127.0.0.1>",
        "<+@example.org>",
        "<\"joe\\\"@example.org>",
    ] {
        let reply = lmtp.command(&format!("RCPT TO:{path}")).unwrap();
        assert!(reply.starts_with('5'), "{path}: {reply}");
    }
    let long = format!("RCPT TO:<joe@example.org> {}", "x".repeat(1 << 20));
    let _ = lmtp.connection.send(format!("{long}\r\n").as_bytes());
    let reply = lmtp.final_line();
    assert!(!reply.is_ok_and(|reply| reply.starts_with("250")));
    attack.survived();
}

#[test]
fn chunks_that_lie() {
    let attack = Attack::begin();
    for command in ["BDAT 4294967296", "BDAT 18446744073709551616 LAST", "BDAT -1", "BDAT", "BDAT 5 FIRST", "BDAT 0x5"]
    {
        let mut lmtp = attack.server.lmtp();
        assert!(lmtp.command("MAIL FROM:<a@example.org>").unwrap().starts_with("250"));
        assert!(lmtp.command("RCPT TO:<joe@example.org>").unwrap().starts_with("250"));
        let reply = lmtp.command(command);
        assert!(!reply.is_ok_and(|reply| reply.starts_with("250")), "{command}");
    }
    attack.survived();
}

#[test]
fn commands_without_end() {
    let attack = Attack::begin();
    let mut lmtp = attack.server.lmtp();
    let _ = lmtp.connection.send(&vec![b'x'; 32 << 20]);
    let reply = lmtp.final_line();
    assert!(!reply.is_ok_and(|reply| reply.starts_with("250")));
    attack.survived();
}

#[test]
fn a_message_without_end() {
    let attack = Attack::begin_with(&["limits.message_size = \"1 MiB\""]);
    let mut lmtp = attack.server.lmtp();
    assert!(lmtp.command("MAIL FROM:<a@example.org>").unwrap().starts_with("250"));
    assert!(lmtp.command("RCPT TO:<joe@example.org>").unwrap().starts_with("250"));
    assert!(lmtp.command("DATA").unwrap().starts_with("354"));
    let _ = lmtp.connection.send(&b"x\r\n".repeat(10_000_000));
    drop(lmtp);
    let mut joe = attack.joe();
    assert_eq!(joe.must("SELECT INBOX").unwrap().number("EXISTS"), Some(3));
    drop(joe);
    attack.survived();
}

#[test]
fn clients_that_vanish_before_their_answers() {
    let attack = Attack::begin();
    let session =
        b"LHLO x\r\nMAIL FROM:<a@example.org>\r\nRCPT TO:<joe@example.org>\r\nRCPT TO:<sue@example.org>\r\nDATA\r\n\
        Message-ID: <once@example.org>\r\nSubject: x\r\n\r\nx\r\n.\r\n";
    let mut cut = 0;
    while cut < session.len() - 3 {
        let mut socket = TcpStream::connect(attack.server.address(Protocol::Lmtp)).unwrap();
        socket.set_write_timeout(Some(Duration::from_secs(10))).unwrap();
        let _ = socket.write_all(&session[..cut]);
        cut += 3;
    }
    let mut joe = attack.joe();
    assert_eq!(joe.must("SELECT INBOX").unwrap().number("EXISTS"), Some(3), "nothing complete was sent");
    drop(joe);
    // The whole of it, again and again without waiting for an answer: stored once, or for every one that was complete,
    // but never in half.
    for _ in 0..10 {
        let mut socket = TcpStream::connect(attack.server.address(Protocol::Lmtp)).unwrap();
        socket.write_all(session).unwrap();
    }
    attack.survived();
}
