//! The log: every line of a session says whose it is, and every command ends with a line.

#![allow(clippy::expect_used, clippy::panic, reason = "a test reports trouble by panicking")]

use std::collections::BTreeMap;

use harness::transcript::Protocol;
use harness::{Home, Imap, PASSWORD, Server};
use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_angarium");

/// What the server does for itself, also while sessions run.
const OWN: &[&str] = &["scrub.", "mailboxes.", "server.", "upkeep.", "listener."];

fn mail() -> Vec<u8> {
    b"From: a@example.org\r\nMessage-ID: <1@example.org>\r\nSubject: x\r\n\r\ntext\r\n".to_vec()
}

/// The lines since the start, parsed.
fn lines(server: &Server) -> Vec<Value> {
    let log = server.log();
    let lines = log.lines().filter(|line| line.starts_with('{'));
    lines.map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

fn event(line: &Value) -> &str {
    line["event"].as_str().unwrap_or("-")
}

/// Everything that sessions do: what works, what fails, what is done on other threads.
fn busy(server: &Server) {
    let address = server.address(Protocol::Imap);
    assert!(Imap::login(address, "joe", "wrong").is_err());
    let mut joe = server.imap("joe");
    joe.must("CREATE Work").expect("made");
    assert!(joe.append("Work", "", &mail()).expect("answered").ok());
    joe.must("SELECT Work").expect("selected");
    joe.must("FETCH 1 BODY[]").expect("fetched");
    joe.must("SEARCH TEXT text").expect("searched");
    joe.must("COPY 1 INBOX").expect("copied");
    assert!(!joe.command("SELECT Nowhere").expect("answered").ok());
    assert!(!joe.command("XYZZY").expect("answered").ok());
    joe.must("RENAME Work Play").expect("renamed");
    joe.must("DELETE Play").expect("deleted");
    joe.must("LOGOUT").expect("gone");
    let mut lmtp = server.lmtp();
    let replies = lmtp.deliver("a@example.org", &["joe@example.org", "nobody@example.org"], &mail()).expect("answered");
    assert!(replies[0].starts_with("250") && replies[1].starts_with("550"), "{replies:?}");
    drop(lmtp);
    let mut pop3 = server.pop3("joe");
    pop3.body("RETR 1").expect("a message");
    pop3.must("DELE 1").expect("marked");
    pop3.must("QUIT").expect("gone");
}

#[test]
fn every_line_of_a_session_carries_its_number() {
    let home = Home::new(PROGRAM, &["log.level = \"debug,log=warn,sled=warn\"", "log.format = \"json\""]);
    home.add_user("joe");
    let server = home.start();
    busy(&server);
    home.must_run(&["who"], b"");
    for end in ["imap.session.ended", "pop3.session.ended", "lmtp.session.closed", "control.command"] {
        server.await_log(&format!("\"event\":\"{end}\""));
    }
    let all = lines(&server);
    let first = all.iter().position(|line| event(line) == "connection.opened").expect("a session");
    for line in &all[first..] {
        let own = OWN.iter().any(|prefix| event(line).starts_with(prefix));
        assert!(line["conn"].is_u64() || own, "whose is this?\n{line}");
    }
    // What the store says of a session's work, from whichever thread.
    for wanted in ["mailbox.created", "mailbox.renamed", "mailbox.deleted"] {
        assert!(all.iter().any(|line| event(line) == wanted && line["conn"].is_u64()), "{wanted}");
    }
    check_delivery(&all);
    check_commands(&all);
    server.stop(&[]);
}

/// A delivery's lines have its identifier, those before and behind it have none.
fn check_delivery(all: &[Value]) {
    let received = all.iter().find(|line| event(line) == "lmtp.message.received").expect("a delivery");
    let ours: Vec<_> = all.iter().filter(|line| line["conn"] == received["conn"]).collect();
    assert!(received["delivery"].as_str().is_some_and(|id| id.split('-').count() == 3), "{received}");
    let with: Vec<_> = ours.iter().filter(|line| !line["delivery"].is_null()).collect();
    assert!(with.len() >= 2 && with.iter().all(|line| line["delivery"] == received["delivery"]), "{with:?}");
    let quit = ours.last().expect("an end");
    assert!(quit["delivery"].is_null(), "{quit}");
}

/// Each command has one line with what it cost, and octets are all somebody's.
fn check_commands(all: &[Value]) {
    let mut octets: BTreeMap<u64, u64> = BTreeMap::new();
    let mut commands = Vec::new();
    for line in all.iter().filter(|line| event(line).ends_with(".command.finished")) {
        assert!(line["ms"].as_f64().is_some_and(|ms| ms >= 0.0), "{line}");
        assert!(line["octets_out"].is_u64(), "{line}");
        *octets.entry(line["conn"].as_u64().expect("a number")).or_default() +=
            line["octets_in"].as_u64().expect("octets");
        let text = |key: &str| line[key].as_str().expect("text").to_owned();
        commands.push((text("command"), text("result")));
    }
    for (command, result) in [
        ("LOGIN", "no"),
        ("LOGIN", "ok"),
        ("APPEND", "ok"),
        ("FETCH", "ok"),
        ("SELECT", "no"),
        ("LOGOUT", "ok"),
        ("RCPT", "no"),
        ("DATA", "ok"),
        ("RETR", "ok"),
        ("QUIT", "ok"),
    ] {
        let expected = (command.to_owned(), result.to_owned());
        assert!(commands.contains(&expected), "{expected:?} in {commands:?}");
    }
    let mut ended = 0;
    for line in all.iter().filter(|line| ["imap.session.ended", "pop3.session.ended"].contains(&event(line))) {
        let conn = line["conn"].as_u64().expect("a number");
        if line["user"] == "joe" {
            assert_eq!(line["octets_in"].as_u64(), octets.get(&conn).copied(), "{line}");
            ended += 1;
        }
    }
    assert_eq!(ended, 2);
    assert!(!all.iter().any(|line| line.to_string().contains(PASSWORD)));
}
