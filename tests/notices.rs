//! What administrators tell everybody: the message of the day, and how users are kept out while administrators are not.

#![allow(clippy::expect_used, clippy::panic, reason = "a test reports trouble by panicking")]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use harness::transcript::Protocol;
use harness::{ADMIN, Home, PASSWORD, Server, await_until};
use rustix::process::Signal;

const PROGRAM: &str = env!("CARGO_BIN_EXE_angarium");
const LOCKOUT: &str = "event=lockout.begun";

fn home() -> Home {
    let home = Home::new(PROGRAM, &[]);
    home.add_user(ADMIN);
    home.add_user("joe");
    home
}

/// A conversation in lines, after the greeting.
struct Talk(BufReader<TcpStream>);

impl Talk {
    fn open(server: &Server, protocol: Protocol) -> Self {
        let stream = TcpStream::connect(server.address(protocol)).expect("connected");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout is set");
        let mut talk = Self(BufReader::new(stream));
        talk.line();
        talk
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).expect("a line comes");
        line
    }

    /// Sends a line and returns the next one.
    fn say(&mut self, line: &str) -> String {
        self.0.get_mut().write_all(format!("{line}\r\n").as_bytes()).expect("sent");
        self.line()
    }

    /// What comes until the server closes.
    fn rest(mut self) -> String {
        let mut rest = String::new();
        self.0.read_to_string(&mut rest).expect("text to its end");
        rest
    }

    /// An IMAP session of `user`, with all lines up to the tagged reply of the login.
    fn login(server: &Server, user: &str) -> (Self, Vec<String>) {
        let mut talk = Self::open(server, Protocol::Imap);
        let mut lines = vec![talk.say(&format!("a LOGIN {user} {PASSWORD}"))];
        while !lines.last().is_some_and(|line| line.starts_with("a ")) {
            lines.push(talk.line());
        }
        (talk, lines)
    }
}

#[test]
fn the_message_of_the_day_is_shown_after_the_login() {
    let home = home();
    assert_eq!(home.must_run(&["motd"], b""), "none\n");
    home.must_run(&["motd", "-m", "Grüße „an alle“"], b"");
    let server = home.start();
    let (_joe, lines) = Talk::login(&server, "joe");
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert_eq!(lines[0], "* OK [ALERT] Grusse \"an alle\"\r\n");
    assert!(lines[1].starts_with("a OK [CAPABILITY "), "{lines:?}");

    home.must_run(&["motd", "-m", "Another"], b"");
    assert_eq!(home.must_run(&["motd"], b""), "Another\n");
    let mut sasl = Talk::open(&server, Protocol::Imap);
    // joe, correct-horse
    assert_eq!(sasl.say("a AUTHENTICATE PLAIN AGpvZQBjb3JyZWN0LWhvcnNl"), "* OK [ALERT] Another\r\n");
    // POP3 has nothing of the kind.
    let mut pop3 = server.pop3("joe");
    assert!(pop3.must("STAT").expect("answered").starts_with("+OK "));

    for bad in ["two\nlines", "", "   ", &"x".repeat(401)] {
        assert_eq!(home.run(&["motd", "-m", bad], b"").status.code(), Some(64), "{bad:?}");
    }
    home.must_run(&["motd", "--clear"], b"");
    assert_eq!(Talk::login(&server, "joe").1.len(), 1);

    // As Cyrus has it: an editor, and a signal.
    fs::write(home.config_dir().join("msg/motd"), "\n[edited] by \x1b[2J hand\r\n* BYE\n").expect("written");
    server.signal(Signal::HUP);
    await_until("the file is read at SIGHUP", || Talk::login(&server, "joe").1.len() == 2);
    assert_eq!(Talk::login(&server, "joe").1[0], "* OK [ALERT] edited] by [2J hand\r\n");
    server.stop(&[]);
}

#[test]
fn users_are_kept_out_and_administrators_are_not() {
    let home = home();
    let server = home.start();
    let (mut idle, _) = Talk::login(&server, "joe");
    assert_eq!(idle.say("b IDLE"), "+ idling\r\n");
    let (mut quiet, _) = Talk::login(&server, "joe");
    assert!(quiet.say("b NOOP").starts_with("b OK"));
    let mut pop3 = Talk::open(&server, Protocol::Pop3);
    assert!(pop3.say("USER joe").starts_with("+OK"));
    assert!(pop3.say(&format!("PASS {PASSWORD}")).starts_with("+OK"));
    let mut lmtp = Talk::open(&server, Protocol::Lmtp);
    assert!(lmtp.say("LHLO mx.example.org").starts_with("250-"));
    let (mut admin, _) = Talk::login(&server, ADMIN);
    let mut stranger = Talk::open(&server, Protocol::Imap);

    assert_eq!(home.must_run(&["lockout"], b""), "none\n");
    let said = home.must_run(&["lockout", "-m", "Back at noon"], b"");
    assert_eq!(said, "4 sessions ended\n");
    assert_eq!(idle.rest(), "* BYE Back at noon\r\n");
    assert_eq!(quiet.rest(), "* BYE Back at noon\r\n");
    assert_eq!(pop3.rest(), "-ERR [SYS/TEMP] Back at noon\r\n");
    assert!(lmtp.rest().ends_with("421 4.3.2 Back at noon\r\n"));

    // Who was there and had not logged in may be an administrator.
    assert!(stranger.say("a CAPABILITY").starts_with("* CAPABILITY"));
    assert!(admin.say("b NOOP").starts_with("b OK"));
    let (late, lines) = Talk::login(&server, ADMIN);
    assert!(lines[0].starts_with("a OK"), "{lines:?}");
    drop(late);
    let (user, lines) = Talk::login(&server, "joe");
    assert_eq!(lines, ["a NO [UNAVAILABLE] Back at noon\r\n"]);
    assert_eq!(user.rest(), "* BYE Back at noon\r\n");
    let mut pop3 = Talk::open(&server, Protocol::Pop3);
    assert!(pop3.say("USER joe").starts_with("+OK"));
    assert_eq!(pop3.say(&format!("PASS {PASSWORD}")), "-ERR [SYS/TEMP] Back at noon\r\n");
    assert_eq!(pop3.rest(), "");
    let mut lmtp = Talk::open(&server, Protocol::Lmtp);
    assert!(lmtp.say("LHLO mx.example.org").starts_with("250-"));
    let mut answer = lmtp.say("MAIL FROM:<a@example.org>");
    while answer.starts_with("250") {
        answer = lmtp.line();
    }
    assert_eq!(answer, "421 4.3.2 Back at noon\r\n");
    assert_eq!(lmtp.rest(), "");

    // A monitor is not alarmed, and says what is the matter.
    let status = home.must_run(&["status"], b"");
    assert!(status.contains("only administrators can log in: Back at noon"), "{status}");

    // It outlives the server.
    server.stop(&[LOCKOUT.to_owned()]);
    assert_eq!(home.must_run(&["lockout"], b""), "Back at noon\n");
    let server = home.start();
    assert!(Talk::login(&server, "joe").1[0].starts_with("a NO [UNAVAILABLE]"));
    assert_eq!(home.must_run(&["lockout", "--clear"], b""), "");
    assert!(Talk::login(&server, "joe").1[0].starts_with("a OK"));

    // As Cyrus has it, with a file that says nothing.
    fs::write(home.config_dir().join("msg/shutdown"), "").expect("written");
    server.signal(Signal::HUP);
    await_until("the file is read at SIGHUP", || Talk::login(&server, "joe").1[0].starts_with("a NO [UNAVAILABLE]"));
    fs::remove_file(home.config_dir().join("msg/shutdown")).expect("removed");
    server.signal(Signal::HUP);
    await_until("the file is missed at SIGHUP", || Talk::login(&server, "joe").1[0].starts_with("a OK"));
    server.stop(&[LOCKOUT.to_owned()]);
}
