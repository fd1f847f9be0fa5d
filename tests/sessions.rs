//! Sessions as an administrator sees and ends them, and as a load balancer hands them in.

#![allow(clippy::expect_used, clippy::panic, reason = "a test reports trouble by panicking")]

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use harness::transcript::Protocol;
use harness::{Home, Imap, PASSWORD, Server};
use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_angarium");

struct Site {
    home: Home,
    server: Server,
}

impl Site {
    fn new(settings: &[&str]) -> Self {
        let home = Home::new(PROGRAM, settings);
        home.add_user("joe");
        home.add_user("sue");
        let server = home.start();
        Self { home, server }
    }

    fn login(&self, user: &str) -> Imap {
        Imap::login(self.server.address(Protocol::Imap), user, PASSWORD).expect("the user logs in")
    }

    /// What `angarium who --json` says of the sessions that have logged in.
    fn who(&self, arguments: &[&str]) -> Vec<Value> {
        let said = self.home.must_run(&[&["who", "--json"], arguments].concat(), b"");
        let rows = said.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
        rows.filter(|row| !row["user"].is_null()).collect()
    }

    fn code(&self, arguments: &[&str]) -> i32 {
        self.home.run(arguments, b"").status.code().expect("an exit code")
    }

    /// A connection that begins with a header and waits for the greeting.
    fn raw(&self, header: &[u8]) -> BufReader<TcpStream> {
        let mut stream = TcpStream::connect(self.server.address(Protocol::Imap)).expect("connected");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout is set");
        stream.write_all(header).expect("sent");
        BufReader::new(stream)
    }
}

fn line(stream: &mut BufReader<TcpStream>) -> String {
    let mut line = String::new();
    stream.read_line(&mut line).expect("a line comes");
    line
}

/// Whether the server has closed the connection without another word.
fn is_closed(stream: &mut BufReader<TcpStream>) -> bool {
    match stream.read(&mut [0]) {
        Ok(count) => count == 0,
        Err(error) => error.kind() == ErrorKind::ConnectionReset,
    }
}

#[test]
fn who_is_there_and_what_he_does() {
    let site = Site::new(&[]);
    assert_eq!(site.who(&[]), Vec::<Value>::new());
    let mut joe = site.login("joe");
    joe.must("ID (\"name\" \"Rider\" \"version\" \"1.0\")").expect("told");
    joe.must("SELECT INBOX").expect("selected");
    let _sue = site.login("sue");
    let rows = site.who(&[]);
    assert_eq!(rows.len(), 2, "{rows:?}");
    assert_eq!(rows[0]["user"], "joe");
    assert_eq!(rows[0]["service"], "imap");
    assert_eq!(rows[0]["mailbox"], "user/joe");
    assert_eq!(rows[0]["client"], "Rider 1.0");
    assert!(rows[0]["octets_in"].as_u64() > Some(30) && rows[0]["octets_out"].as_u64() > Some(100), "{rows:?}");
    assert_eq!((&rows[1]["user"], &rows[1]["mailbox"]), (&"sue".into(), &Value::Null));
    joe.must("CLOSE").expect("closed");
    assert_eq!(site.who(&["joe"])[0]["mailbox"], Value::Null);
    let table = site.home.must_run(&["who", "sue"], b"");
    assert!(table.lines().count() == 2 && table.contains(" sue "), "{table}");
    joe.must("LOGOUT").expect("gone");
    assert_eq!(site.who(&["joe"]), Vec::<Value>::new());
    site.server.stop(&[]);
    let home = site.home;
    assert_eq!(home.run(&["who"], b"").status.code(), Some(69), "no server");
    assert_eq!(home.run(&["kick", "--all"], b"").status.code(), Some(69));
}

#[test]
fn sessions_end_when_they_are_told_to() {
    let site = Site::new(&[]);
    let (mut idle, mut other) = (site.login("joe"), site.login("sue"));
    idle.must("SELECT INBOX").expect("selected");
    let tag = idle.send(b"IDLE").expect("sent");
    assert_eq!(site.code(&["kick"]), 64, "nobody named");
    assert_eq!(site.code(&["kick", "--user", "ann"]), 66, "nobody there");
    assert_eq!(site.code(&["kick", "--user", "joe", "-m", "two\nlines"]), 64);
    assert_eq!(site.code(&["kick", "--user", "joe", "-m", "Back at noon"]), 0);
    let answer = idle.answer(&tag);
    let said = format!("{answer:?}");
    assert!(said.contains("Back at noon") || answer.is_err(), "{said}");
    assert_eq!(site.who(&["joe"]), Vec::<Value>::new());
    other.must("NOOP").expect("others are left alone");

    // By number, and one that does not read its answers.
    let mut deaf = site.raw(b"");
    line(&mut deaf);
    let login = format!("a LOGIN joe {PASSWORD}\r\n");
    deaf.get_mut().write_all(login.as_bytes()).expect("sent");
    assert!(line(&mut deaf).starts_with("a OK"));
    let mail = [&b"Subject: large\r\n\r\n"[..], &b"text\r\n".repeat(2_000_000)].concat();
    assert!(other.append("INBOX", "", &mail).expect("appended").ok());
    let mut sue = site.raw(b"");
    line(&mut sue);
    let commands = format!("a LOGIN sue {PASSWORD}\r\nb SELECT INBOX\r\nc FETCH 1 (BODY[] BODY[TEXT])\r\n");
    sue.get_mut().write_all(commands.as_bytes()).expect("sent");
    let id = loop {
        let rows = site.who(&["sue"]);
        if let Some(row) = rows.iter().find(|row| row["mailbox"] == "user/sue") {
            break row["id"].to_string();
        }
    };
    assert_eq!(site.code(&["kick", &id]), 0);
    let mut rest = Vec::new();
    let _ = sue.read_to_end(&mut rest);
    assert!(!rest.windows(4).any(|window| window == b"c OK"), "the command was not finished");
    assert_eq!(site.code(&["kick", "--from", "127.0.0.0/8"]), 0);
    assert_eq!(site.who(&[]), Vec::<Value>::new());
    site.server.stop(&[]);
}

/// A balancer on this machine: its clients are who the header says, and have the limits and rights of that address.
#[test]
fn a_load_balancer_speaks_for_its_clients() {
    let site = Site::new(&["server.proxies = [\"127.0.0.0/8\"]", "limits.connections_per_address = 2"]);
    let header = b"PROXY TCP4 192.0.2.7 198.51.100.1 4711 143\r\n";
    let mut first = site.raw(header);
    assert!(line(&mut first).contains("LOGINDISABLED"), "not from this machine, and not encrypted");
    first.get_mut().write_all(format!("a LOGIN joe {PASSWORD}\r\n").as_bytes()).expect("sent");
    assert!(line(&mut first).starts_with("a NO [PRIVACYREQUIRED]"));

    // Version 2, with TLS up to the balancer.
    let mut tls = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x14".to_vec();
    tls.extend([192, 0, 2, 7, 198, 51, 100, 1, 0x12, 0x67, 0, 143, 0x20, 0, 5, 1, 0, 0, 0, 0]);
    let mut second = site.raw(&tls);
    assert!(!line(&mut second).contains("LOGINDISABLED"));
    second.get_mut().write_all(format!("a LOGIN joe {PASSWORD}\r\n").as_bytes()).expect("sent");
    assert!(line(&mut second).starts_with("a OK"));
    assert_eq!(site.who(&["joe"])[0]["peer"], "192.0.2.7:4711");
    // The third of that address is one too many; the balancer's own are not counted.
    assert!(is_closed(&mut site.raw(header)));
    let mut check = site.raw(b"\r\n\r\n\0\r\nQUIT\n\x20\x00\x00\x00");
    assert!(line(&mut check).starts_with("* OK"));
    // To be on this machine is nothing that a header can claim for a client elsewhere.
    let mut claim = site.raw(b"PROXY TCP4 127.0.0.1 127.0.0.1 4711 143\r\n");
    assert!(line(&mut claim).starts_with("* OK"));
    // Without a header nobody comes in.
    assert!(is_closed(&mut site.raw(b"a LOGIN joe correct-horse\r\nxxxxxxxxxxxx\r\n")));
    assert_eq!(site.code(&["kick", "--from", "192.0.2.7"]), 0);
    site.server.stop(&["event=proxy.refused".to_owned()]);
}

/// Who is no balancer of ours cannot be anybody else.
#[test]
fn a_header_from_elsewhere_is_nonsense() {
    let site = Site::new(&["server.proxies = [\"192.0.2.1\"]"]);
    let mut stream = site.raw(b"PROXY TCP4 192.0.2.7 198.51.100.1 4711 143\r\n");
    assert!(line(&mut stream).starts_with("* OK"));
    let answer = line(&mut stream);
    assert!(answer.contains(" BAD "), "{answer}");
    site.server.stop(&[]);
}

/// A connection of a client of the balancer's that speaks TLS to it.
fn header(client: [u8; 4]) -> Vec<u8> {
    let mut header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x14".to_vec();
    header.extend(client);
    header.extend([198, 51, 100, 1, 0x12, 0x67, 0, 143, 0x20, 0, 5, 1, 0, 0, 0, 0]);
    header
}

/// A dictionary is not read to its end, from however many connections; a client with an old password harms nobody.
#[test]
fn who_guesses_passwords_is_turned_away() {
    let site = Site::new(&["server.proxies = [\"127.0.0.0/8\"]", "limits.failed_logins = 2"]);
    let (guesser, household) = ([192, 0, 2, 7], [203, 0, 113, 9]);
    let attempt = |client, password: &str| {
        let mut stream = site.raw(&header(client));
        line(&mut stream);
        stream.get_mut().write_all(format!("a LOGIN joe {password}\r\n").as_bytes()).expect("sent");
        line(&mut stream)
    };
    std::thread::scope(|scope| {
        let wrong = |client, password: &'static str| {
            let attempt = &attempt;
            scope.spawn(move || assert!(attempt(client, password).starts_with("a NO [AUTHENTICATIONFAILED]")))
        };
        let all = [
            wrong(guesser, "first"),
            wrong(guesser, "second"),
            wrong(household, "old"),
            wrong(household, "old"),
            wrong(household, "old"),
        ];
        all.into_iter().for_each(|thread| thread.join().expect("wrong passwords are answered"));
    });
    // Not even the right one is looked at, whichever the protocol.
    assert!(attempt(guesser, PASSWORD).starts_with("a NO [UNAVAILABLE] Too many failed logins"));
    assert!(attempt([192, 0, 2, 8], PASSWORD).starts_with("a OK"));
    assert!(attempt(household, PASSWORD).starts_with("a OK"));
    let mut pop = TcpStream::connect(site.server.address(Protocol::Pop3)).expect("connected");
    pop.write_all(&header(guesser)).expect("sent");
    let mut pop = BufReader::new(pop);
    line(&mut pop);
    for (command, expected) in [("USER joe", "+OK"), (&*format!("PASS {PASSWORD}"), "-ERR [SYS/TEMP] Too many failed")]
    {
        pop.get_mut().write_all(format!("{command}\r\n").as_bytes()).expect("sent");
        let answer = line(&mut pop);
        assert!(answer.starts_with(expected), "{answer}");
    }
    site.server.stop(&["event=login.blocked".to_owned()]);
}
