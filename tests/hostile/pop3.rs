//! Hostile POP3 clients.

use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

use harness::Pop3;
use harness::transcript::Protocol;

use crate::attack::{Attack, soon};

#[test]
fn lines_that_are_none() {
    let attack = Attack::begin();
    let nul = b"USER j\0e\r\n".to_vec();
    let long = [&b"USER "[..], &vec![b'x'; 1 << 20], b"\r\n"].concat();
    let words = [&b"TOP "[..], &b"1 ".repeat(5_000), b"\r\n"].concat();
    for bytes in
        [nul, long, words, b"\r\n".to_vec(), b"QUIT\n".to_vec(), b"\xff\xfe\r\n".to_vec(), b"AUTH\rX\r\n".to_vec()]
    {
        let mut connection = attack.raw(Protocol::Pop3);
        connection.reply().unwrap();
        let _ = connection.send(&bytes);
        let reply = connection.reply().unwrap().expect("an answer").to_string();
        assert!(reply.starts_with("-ERR"), "{reply}");
        connection.send(b"CAPA\r\n").unwrap();
        // A line that was skipped may have been answered in pieces; what counts is that commands are understood again.
        while !connection.reply().unwrap().expect("an answer").to_string().starts_with("+OK") {}
    }
    attack.survived();
}

#[test]
fn a_line_without_end() {
    let attack = Attack::begin();
    let mut connection = attack.raw(Protocol::Pop3);
    connection.reply().unwrap();
    let _ = connection.send(&vec![b'x'; 32 << 20]);
    let reply = connection.reply();
    assert!(!reply.is_ok_and(|reply| reply.is_some_and(|reply| reply.to_string().starts_with("+OK"))));
    attack.survived();
}

#[test]
fn numbers_that_are_none() {
    let attack = Attack::begin();
    let mut pop3 = attack.server.pop3("joe");
    for number in
        ["0", "-1", "+1", "4", "4294967295", "4294967296", "18446744073709551616", "1e9", "0x1", "1 1", "*", "\u{661}"]
    {
        for command in ["RETR", "DELE", "LIST", "UIDL"] {
            let reply = pop3.command(&format!("{command} {number}")).unwrap();
            assert!(reply.starts_with("-ERR"), "{command} {number}: {reply}");
            // Twenty in a row would end the session.
            pop3.must("NOOP").unwrap();
        }
    }
    for lines in ["4294967295", "18446744073709551616", "99999999999999999999999999"] {
        assert_eq!(pop3.body(&format!("TOP 1 {lines}")).unwrap(), harness::corpus::small(1));
    }
    attack.survived();
}

#[test]
fn thousands_of_deletions_and_second_thoughts() {
    let attack = Attack::begin();
    let mut pop3 = attack.server.pop3("joe");
    for _ in 0..3 {
        pop3.connection.send(&b"DELE 1\r\nRSET\r\n".repeat(5_000)).unwrap();
        for _ in 0..10_000 {
            assert!(pop3.line().unwrap().starts_with("+OK"));
        }
    }
    pop3.must("QUIT").unwrap();
    assert_eq!(attack.joe().must("SELECT INBOX").unwrap().number("EXISTS"), Some(3));
    attack.survived();
}

/// Responses wait in memory only up to a mark: a client that asks for a lot and reads nothing is not read from any more.
#[test]
fn a_client_that_asks_and_does_not_read() {
    let attack = Attack::begin();
    let mut joe = attack.joe();
    let message = [&b"Subject: large\r\n\r\n"[..], &b".\r\n".repeat(1_000_000)].concat();
    assert!(joe.append("INBOX", "", &message).unwrap().ok());
    drop(joe);
    let mut pop3 = attack.server.pop3("joe");
    pop3.connection.set_patience(Duration::from_secs(2)).unwrap();
    let _ = pop3.connection.send(&b"RETR 4\r\n".repeat(100_000));
    drop(pop3);
    attack.survived();
}

/// CVE-2021-33515: what stands behind STLS in the clear is not run, and not taken for part of the handshake.
#[test]
fn garbage_behind_stls() {
    let attack = Attack::begin();
    for behind in [&b"USER joe\r\nPASS correct-horse\r\nDELE 1\r\nQUIT\r\n"[..], b"\x16\x03\x01", b"x"] {
        let mut socket = TcpStream::connect(attack.server.address(Protocol::Pop3)).unwrap();
        socket.write_all(&[b"STLS\r\n", behind].concat()).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut answer = Vec::new();
        let _ = std::io::Read::read_to_end(&mut socket, &mut answer);
        let answer = String::from_utf8_lossy(&answer).into_owned();
        assert!(!answer.contains("Begin TLS") && answer.lines().count() == 2, "{answer}");
    }
    attack.survived();
}

/// An exchange that is given up at any step leaves nothing behind, and the next one begins anew.
#[test]
fn exchanges_that_are_given_up() {
    let attack = Attack::begin();
    let before = attack.descriptors();
    for _ in 0..50 {
        let mut pop3 = Pop3::open(attack.server.address(Protocol::Pop3)).unwrap();
        for first in
            ["AUTH PLAIN", "AUTH LOGIN", "AUTH LOGIN am9l", "AUTH SCRAM-SHA-256", "AUTH SCRAM-SHA-256 biwsbj1qb2Uscj14"]
        {
            assert!(pop3.command(first).unwrap().starts_with("+ "), "{first}");
            assert!(pop3.command("*").unwrap().starts_with("-ERR"), "{first}");
        }
        assert!(pop3.command("AUTH SCRAM-SHA-256 biwsbj1qb2Uscj14").unwrap().starts_with("+ "));
    }
    soon("connections are closed", || attack.descriptors() <= before + 2);
    attack.survived();
}

#[test]
fn clients_that_vanish() {
    let attack = Attack::begin();
    let session = b"USER joe\r\nPASS correct-horse\r\nDELE 1\r\nDELE 2\r\nRETR 3\r\nUIDL\r\nNOOP\r\n";
    for cut in (0..session.len()).step_by(5) {
        let mut socket = TcpStream::connect(attack.server.address(Protocol::Pop3)).unwrap();
        let _ = socket.write_all(&session[..cut]);
    }
    // Nothing was deleted, and the maildrop is free again.
    soon("the maildrop is free", || {
        Pop3::open(attack.server.address(Protocol::Pop3))
            .and_then(|pop3| pop3.login("joe", harness::PASSWORD))
            .is_ok_and(|mut pop3| pop3.must("STAT").is_ok_and(|stat| stat.starts_with("+OK 3 ")))
    });
    attack.survived();
}
