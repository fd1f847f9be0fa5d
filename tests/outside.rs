//! Mail servers outside of the trusted networks: turned away, unless they can say who they are.

#![allow(clippy::expect_used, clippy::panic, reason = "a test reports trouble by panicking")]

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use harness::transcript::Protocol;
use harness::{Connection, Home, PASSWORD, Server};

const PROGRAM: &str = env!("CARGO_BIN_EXE_angarium");

/// Whoever connects says where from, so that a test on loopback can come from elsewhere.
const BALANCED: &str = "server.proxies = [\"127.0.0.1/32\"]";

/// A mail server somewhere else.
struct Stranger(Connection);

impl Stranger {
    /// Connects, and reads the greeting.
    fn open(server: &Server) -> (Self, String) {
        let mut connection = Connection::open(server.address(Protocol::Lmtp), false).expect("connected");
        connection.send(b"PROXY TCP4 192.0.2.9 192.0.2.1 40000 24\r\n").expect("sent");
        let greeting = connection.reply().expect("answered").expect("a greeting").to_string();
        (Self(connection), greeting)
    }

    /// The last line of the reply to a line, and those before it.
    fn say(&mut self, line: &str) -> (String, Vec<String>) {
        self.0.send(format!("{line}\r\n").as_bytes()).expect("sent");
        let mut before = Vec::new();
        loop {
            let reply = self.0.reply().expect("answered").expect("open").to_string();
            match reply.as_bytes().get(3) {
                Some(b'-') => before.push(reply),
                _ => return (reply, before),
            }
        }
    }

    #[track_caller]
    fn expect(&mut self, line: &str, expected: &str) {
        let (said, _) = self.say(line);
        assert!(said.starts_with(expected), "{line}: {said}");
    }

    fn starts_tls(&mut self) {
        self.expect("STARTTLS", "220");
        self.0.start_tls().expect("a handshake");
        self.expect("LHLO mx.example.org", "250");
    }
}

fn plain(user: &str, password: &str) -> String {
    format!("AUTH PLAIN {}", STANDARD.encode(format!("\0{user}\0{password}")))
}

#[test]
fn nobody_from_elsewhere_is_heard() {
    // With deliverers, too, where they could not log in.
    let home = Home::new(PROGRAM, &[BALANCED]);
    let server = home.start();
    let (mut stranger, greeting) = Stranger::open(&server);
    assert!(greeting.starts_with("554 5.7.1 "), "{greeting}");
    assert!(stranger.0.reply().expect("answered").is_none(), "and that is the end");
    server.stop(&["lmtp.session.refused".to_owned()]);
}

#[test]
fn who_logs_in_as_a_deliverer_delivers() {
    let home = Home::new(PROGRAM, &[BALANCED, "lmtp.deliverers = [\"Relay\"]"]);
    for user in ["joe", "relay", "admin"] {
        home.add_user(user);
    }
    let app = home.must_run(&["user", "app-password", "add", "relay", "mx", "--protocol", "lmtp"], b"");
    let app = app.lines().last().expect("it is shown").trim().to_owned();
    let server = home.start();

    let (mut stranger, greeting) = Stranger::open(&server);
    assert!(greeting.starts_with("220 "), "{greeting}");
    let (_, offered) = stranger.say("LHLO mx.example.org");
    assert!(!offered.iter().any(|line| line.contains("AUTH")), "no password in clear text: {offered:?}");
    stranger.expect("MAIL FROM:<a@example.org>", "530 5.7.0 ");
    stranger.expect(&plain("relay", PASSWORD), "538 5.7.11 ");
    stranger.expect("RCPT TO:<joe@example.org>", "503 ");
    stranger.expect("DATA", "503 ");
    stranger.expect("BDAT 3 LAST\r\na", "503 ");
    stranger.starts_tls();
    stranger.expect("MAIL FROM:<a@example.org>", "530 5.7.0 ");
    // Other users may log in, and that is all.
    stranger.expect(&plain("joe", PASSWORD), "235 ");
    stranger.expect("MAIL FROM:<a@example.org>", "550 5.7.1 ");

    for (user, password, delivers) in [
        ("relay", PASSWORD, true),
        ("RELAY", PASSWORD, true),
        ("relay", app.as_str(), true),
        ("admin", PASSWORD, false),
    ] {
        let (mut stranger, _) = Stranger::open(&server);
        stranger.expect("LHLO mx.example.org", "250");
        stranger.starts_tls();
        stranger.expect(&plain(user, password), "235 ");
        stranger.expect("MAIL FROM:<a@example.org>", if delivers { "250 " } else { "550 5.7.1 " });
        if delivers {
            stranger.expect("RCPT TO:<joe@example.org>", "250 ");
            stranger.expect("DATA", "354 ");
            stranger.expect("Subject: from elsewhere\r\n\r\nx\r\n.", "250 2.");
            // Who it was counts for this connection, and no longer than TLS does.
            stranger.expect("MAIL FROM:<b@example.org>", "250 ");
        }
    }
    // A wrong password is a wrong password.
    let (mut stranger, _) = Stranger::open(&server);
    stranger.expect("LHLO mx.example.org", "250");
    stranger.starts_tls();
    stranger.expect(&plain("relay", "wrong"), "535 ");
    stranger.expect("MAIL FROM:<a@example.org>", "530 ");
    let received = server.log().matches("event=lmtp.recipient.delivered").count();
    assert_eq!(received, 3);
    server.stop(&[]);
}
