//! Connections: TLS, slow clients, SASL, clients that vanish.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use harness::transcript::Protocol;
use harness::{Connection, Imap, PASSWORD};

use crate::attack::{Attack, Reaction, provoke};

#[test]
fn garbage_on_the_tls_port() {
    let attack = Attack::begin();
    let address = attack.server.address(Protocol::Imaps);
    for garbage in [&b"a LOGIN joe x\r\n"[..], &[0x16, 3, 1, 0xff, 0xff], &[0xff; 20_000], b"GET / HTTP/1.1\r\n\r\n"] {
        let mut socket = TcpStream::connect(address).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let _ = socket.write_all(garbage);
        let _ = socket.shutdown(std::net::Shutdown::Write);
        let mut rest = Vec::new();
        let _ = socket.read_to_end(&mut rest);
        assert!(!rest.windows(4).any(|window| window == b"* OK"), "no greeting without TLS");
    }
    attack.survived();
}

#[test]
fn handshakes_that_never_end() {
    let attack = Attack::begin();
    let address = attack.server.address(Protocol::Imaps);
    let mut half_open = Vec::new();
    for _ in 0..200 {
        let mut socket = TcpStream::connect(address).unwrap();
        socket.write_all(&[0x16, 3, 1, 2, 0, 1, 0]).unwrap();
        half_open.push(socket);
    }
    let mut connection = Connection::open(address, true).unwrap();
    connection.start_tls().expect("others still get their handshake");
    let mut imap = Imap::over(connection).unwrap();
    imap.must(&format!("LOGIN joe \"{PASSWORD}\"")).unwrap();
    drop((half_open, imap));
    attack.survived();
}

#[test]
fn tls_that_ends_without_goodbye_in_the_middle_of_a_message() {
    let attack = Attack::begin();
    for _ in 0..20 {
        let mut connection = attack.raw(Protocol::Imaps);
        connection.start_tls().unwrap();
        let mut imap = Imap::over(connection).unwrap();
        imap.must(&format!("LOGIN joe \"{PASSWORD}\"")).unwrap();
        imap.connection.send(b"a APPEND INBOX {1000+}\r\nSubject: half").unwrap();
    }
    let mut joe = attack.joe();
    assert_eq!(joe.must("SELECT INBOX").unwrap().number("EXISTS"), Some(3));
    drop(joe);
    attack.survived();
}

#[test]
fn a_megabyte_instead_of_done() {
    let attack = Attack::begin();
    let mut connection = attack.insider();
    connection.send(b"a IDLE\r\n").unwrap();
    assert!(connection.reply().unwrap().unwrap().0.starts_with(b"+"));
    assert_ne!(provoke(&mut connection, &vec![b'D'; 1 << 20], "a"), Reaction::Obeyed);
    attack.survived();
}

#[test]
fn sasl_nonsense() {
    let attack = Attack::begin();
    for response in ["=", "====", "AA", "AAAA", "AGpvZQ==", "AGpvZQAA", "!", "AGpvZQB4AHg=", ""] {
        let mut connection = attack.stranger();
        connection.send(b"a AUTHENTICATE PLAIN\r\n").unwrap();
        assert!(connection.reply().unwrap().unwrap().0.starts_with(b"+"));
        let reaction = provoke(&mut connection, format!("{response}\r\n").as_bytes(), "a");
        assert_ne!(reaction, Reaction::Obeyed, "{response}");
    }
    let mut connection = attack.stranger();
    connection.send(b"a AUTHENTICATE PLAIN\r\n").unwrap();
    connection.reply().unwrap();
    assert_ne!(provoke(&mut connection, &vec![b'A'; 10 << 20], "a"), Reaction::Obeyed);
    for _ in 0..200 {
        let mut connection = attack.stranger();
        connection.send(b"a AUTHENTICATE PLAIN\r\n").unwrap();
        drop(connection);
    }
    attack.survived();
}

#[test]
fn logins_in_parallel() {
    let attack = Attack::begin();
    let address = attack.server.address(Protocol::Imap);
    let threads: Vec<_> = (0..16)
        .map(|_| {
            std::thread::spawn(move || {
                let mut imap = Imap::open(address).unwrap();
                assert!(!imap.command("LOGIN joe wrong").unwrap().ok());
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    attack.survived();
}

#[test]
fn text_that_would_forge_a_log_line() {
    let attack = Attack::begin();
    let mut connection = attack.stranger();
    let forged = "x\r\n2026-01-01T00:00:00Z ERROR forged: event=forged \u{1b}[31m";
    let command = format!("a LOGIN {{{}+}}\r\n{forged} {{1+}}\r\nx\r\n", forged.len());
    assert_ne!(provoke(&mut connection, command.as_bytes(), "a"), Reaction::Obeyed);
    let mut connection = attack.insider();
    let command = format!("a ID (\"name\" {{{}+}}\r\n{forged})\r\n", forged.len());
    assert_ne!(provoke(&mut connection, command.as_bytes(), "a"), Reaction::HungUp);
    let log = attack.server.log();
    assert!(!log.lines().any(|line| line.contains("ERROR forged") && line.starts_with("2026-01-01")), "{log}");
    assert!(!log.contains("\u{1b}[31m"), "{log}");
    attack.survived();
}
