//! Connections: TLS, slow clients, SASL, clients that vanish.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use harness::transcript::Protocol;
use harness::{Connection, Imap, PASSWORD, corpus};

use crate::attack::{Attack, Reaction, goes_on, provoke};

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
fn clients_that_only_wait() {
    let attack = Attack::begin();
    let idle: Vec<TcpStream> =
        (0..300).map(|_| TcpStream::connect(attack.server.address(Protocol::Imap)).unwrap()).collect();
    for mut socket in &idle {
        let _ = socket.write_all(b"a");
    }
    drop(attack.joe());
    drop(idle);
    attack.survived();
}

#[test]
fn many_clients_idle_on_one_mailbox() {
    let attack = Attack::begin();
    let mut idlers: Vec<Connection> = (0..40).map(|_| attack.insider()).collect();
    for connection in &mut idlers {
        connection.send(b"a IDLE\r\n").unwrap();
        assert!(connection.reply().unwrap().unwrap().0.starts_with(b"+"));
    }
    let mut lmtp = attack.server.lmtp();
    for number in 10..30 {
        let replies = lmtp.deliver("a@example.org", &["joe@example.org"], &corpus::small(number)).unwrap();
        assert!(replies[0].starts_with("250"), "{replies:?}");
    }
    for connection in &mut idlers {
        while !connection.reply().unwrap().expect("an idler stays").0.starts_with(b"* 23 EXISTS") {}
        connection.send(b"DO").unwrap();
        connection.send(b"NE\r\n").unwrap();
        assert!(goes_on(connection));
    }
    drop(idlers);
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
fn a_client_that_vanishes_at_every_byte() {
    let attack = Attack::begin();
    let session = format!(
        "a LOGIN joe \"{PASSWORD}\"\r\nb SELECT INBOX\r\nc APPEND INBOX {{20+}}\r\nSubject: half\r\n\r\nxyz\r\nd LOGOUT\r\n"
    );
    // Up to the end of the message, so that nothing complete has been sent.
    let end = session.find("xyz").unwrap() + 2;
    let descriptors = |pid: u32| fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count();
    let before = descriptors(attack.server.pid());
    for cut in 0..end {
        let mut socket = TcpStream::connect(attack.server.address(Protocol::Imap)).unwrap();
        socket.write_all(&session.as_bytes()[..cut]).unwrap();
    }
    let mut joe = attack.joe();
    assert_eq!(joe.must("SELECT INBOX").unwrap().number("EXISTS"), Some(3), "no half message");
    drop(joe);
    let home = attack.home.spool();
    let pid = attack.server.pid();
    // The last sessions may still be ending; a login that waits for its turn behind theirs shows when they have.
    for _ in 0..50 {
        drop(attack.joe());
        if descriptors(pid) <= before + 4 {
            break;
        }
    }
    assert!(descriptors(pid) <= before + 4, "{} descriptors, {before} before", descriptors(pid));
    attack.survived();
    let staged = fs::read_dir(home.join("stage.")).map_or(0, Iterator::count);
    assert_eq!(staged, 0, "files are left in stage./");
}

#[test]
fn a_client_that_stops_sending_and_goes_on_reading() {
    let attack = Attack::begin();
    let mut connection = attack.insider();
    connection.send(b"a FETCH 1:* BODY.PEEK[]\r\n").unwrap();
    connection.half_close().unwrap();
    let mut fetched = 0;
    while let Ok(Some(reply)) = connection.reply() {
        let is_message = reply.0.starts_with(b"* ") && reply.0.windows(7).any(|window| window == b" FETCH ");
        fetched += usize::from(is_message);
    }
    assert_eq!(fetched, 3);
    attack.survived();
}

#[test]
fn a_client_that_does_not_read_its_large_answer() {
    let attack = Attack::begin();
    let mut joe = attack.joe();
    let big = [b"Subject: big\r\n\r\n".to_vec(), b"0123456789abcdef\r\n".repeat(500_000)].concat();
    assert!(joe.append("INBOX", "", &big).unwrap().ok());
    let mut stuck: Vec<Connection> = (0..8).map(|_| attack.insider()).collect();
    for connection in &mut stuck {
        connection.send(&b"a FETCH 4 BODY.PEEK[]\r\n".repeat(20)).unwrap();
    }
    // No lock may be held meanwhile: others change the same mailbox.
    joe.must("SELECT INBOX").unwrap();
    joe.must("STORE 1:4 +FLAGS (\\Flagged)").unwrap();
    let replies = attack.server.lmtp().deliver("a@example.org", &["joe@example.org"], &corpus::small(50)).unwrap();
    assert!(replies[0].starts_with("250"), "{replies:?}");
    drop((stuck, joe));
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
