//! Protocol traces: what is recorded, what is left out, and that nobody waits for whoever reads it.

#![allow(clippy::expect_used, clippy::panic, reason = "a test reports trouble by panicking")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use harness::transcript::Protocol;
use harness::{Home, Imap, PASSWORD, await_until};

const PROGRAM: &str = env!("CARGO_BIN_EXE_angarium");
/// Stands in messages only.
const PRIVATE: &str = "xyzzy-private";

fn home() -> Home {
    let home = Home::new(PROGRAM, &[]);
    home.add_user("joe");
    home.add_user("sue");
    home
}

fn mail() -> Vec<u8> {
    format!("Subject: x\r\n\r\n{}", format!("{PRIVATE}\r\n").repeat(100)).into_bytes()
}

/// Every octet in the files of joe's traces.
fn files(home: &Home) -> Vec<String> {
    let found = fs::read_dir(home.config_dir().join("log/joe")).into_iter().flatten();
    let mut texts: Vec<String> = found
        .map(|entry| {
            let path = entry.expect("an entry").path();
            assert_eq!(path.metadata().expect("a file").permissions().mode() & 0o777, 0o600);
            fs::read_to_string(path).expect("text")
        })
        .collect();
    texts.sort_by_key(String::len);
    texts
}

#[test]
fn a_users_sessions_go_to_files() {
    let home = home();
    let server = home.start();
    let mut before = server.imap("joe");
    let begun = home.must_run(&["trace", "--user", "joe"], b"");
    assert!(begun.ends_with("/log/joe for 1h\n"), "{begun}");
    assert!(home.must_run(&["trace", "--list"], b"").starts_with("joe: 0 records, 0 lost"));

    before.must("NOOP").expect("answered");
    before.must("LOGOUT").expect("answered");
    let mut joe = server.imap("joe");
    assert!(joe.append("INBOX", "(\\Seen)", &mail()).expect("answered").ok());
    joe.must("SELECT INBOX").expect("selected");
    joe.must("FETCH 1 (UID BODY[])").expect("fetched");
    let mut sue = server.imap("sue");
    sue.must("SELECT INBOX").expect("selected");
    joe.must("LOGOUT").expect("gone");
    await_until("the end is written", || {
        let files = files(&home);
        let ended = |text: &str| text.lines().last().is_some_and(|line| line.contains(" S: ") && line.contains(" OK "));
        files.len() == 2 && files.iter().all(|text| text.contains("* BYE") && text.ends_with('\n') && ended(text))
    });
    let texts = files(&home);
    assert!(texts[0].contains(" C: ") && texts[0].contains(" NOOP\n"), "{}", texts[0]);
    let long = &texts[1];
    let (size, literal) = (format!("[{} octets]\n", mail().len()), format!("BODY[] {{{}}}\n", mail().len()));
    for expected in
        [" imap from 127.0.0.1:", "SELECT INBOX\n", " S: * 1 EXISTS\n", &size, &literal, "OK FETCH completed\n"]
    {
        assert!(long.contains(expected), "{expected}\n{long}");
    }
    for text in &texts {
        assert!(!text.contains(PASSWORD) && !text.contains(PRIVATE) && !text.contains("sue"), "{text}");
    }

    // Nothing more when it is over.
    assert_eq!(home.must_run(&["trace", "--user", "joe", "--stop"], b""), "1 traces ended\n");
    assert_eq!(home.run(&["trace", "--user", "joe", "--stop"], b"").status.code(), Some(66));
    assert_eq!(home.must_run(&["trace", "--list"], b""), "");
    server.imap("joe").must("NOOP").expect("answered");
    assert_eq!(files(&home), texts);
    for wrong in [&["trace"][..], &["trace", "--user", "joe", "--address", "127.0.0.1"], &["trace", "--user", "a b"]] {
        assert_eq!(home.run(wrong, b"").status.code(), Some(64), "{wrong:?}");
    }
    server.stop(&[]);
}

/// `angarium trace --follow`, which runs until it is killed or the server ends.
struct Follower {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Follower {
    fn new(home: &Home, arguments: &[&str]) -> Self {
        let mut child = Command::new(PROGRAM)
            .args([&["trace", "--follow"], arguments].concat())
            .current_dir(home.path())
            .env("ANGARIUM_CONFIG", home.path().join("angarium.toml"))
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let lines = BufReader::new(child.stdout.take().expect("a pipe"));
        await_until("the trace is on", || !home.must_run(&["trace", "--list"], b"").is_empty());
        Self { child, lines }
    }

    /// The lines up to one that contains `last`.
    fn until(&mut self, last: &str) -> String {
        let mut all = String::new();
        while !all.lines().last().is_some_and(|line| line.contains(last)) {
            assert!(self.lines.read_line(&mut all).expect("text") > 0, "no {last} in\n{all}");
        }
        all
    }
}

#[test]
fn an_address_is_followed_on_the_terminal() {
    let home = home();
    let server = home.start();
    let mut follower = Follower::new(&home, &["--address", "127.0.0.0/8"]);
    let mut lmtp = server.lmtp();
    let replies = lmtp.deliver("a@example.org", &["joe@example.org"], &mail()).expect("answered");
    assert!(replies[0].starts_with("250"), "{replies:?}");
    drop(lmtp);
    let text = follower.until("delivered as");
    assert!(text.contains("C: LHLO ") && text.contains("C: RCPT TO:<joe@example.org>"), "{text}");
    assert!(text.contains("octets]") && !text.contains(PRIVATE), "{text}");

    let mut pop3 = server.pop3("joe");
    assert!(String::from_utf8_lossy(&pop3.body("RETR 1").expect("a message")).contains(PRIVATE));
    pop3.must("QUIT").expect("answered");
    let text = follower.until("C: QUIT");
    assert!(text.contains("S: +OK mail.example.org") && text.contains("C: USER joe"), "{text}");
    assert!(text.contains("C: PASS [hidden]") && text.contains("C: RETR 1"), "{text}");
    assert!(!text.contains(PASSWORD) && !text.contains(PRIVATE), "{text}");

    let mut joe = server.imap("joe");
    joe.must("LOGOUT").expect("gone");
    let text = follower.until("* BYE");
    assert!(text.contains(" LOGIN [hidden]") && !text.contains(PASSWORD), "{text}");

    // A literal that is refused takes its command with it: what comes next is no rest of it.
    for refused in ["APPEND INBOX {310}", "APPEND INBOX {3+}\r\nabc", "NOOP {999999}"] {
        let mut joe = Imap::open(server.address(Protocol::Imap)).expect("greeted");
        let answer = joe.command(refused).expect("answered");
        assert!(answer.status.starts_with("BAD"), "{refused}: {answer:?}");
        joe.must(&format!("LOGIN joe {PASSWORD}")).expect("logged in");
        joe.must("LOGOUT").expect("gone");
        let text = follower.until("* BYE");
        assert!(text.contains(" LOGIN [hidden]") && !text.contains(PASSWORD), "{refused}: {text}");
    }

    // A terminal that is gone ends the trace, at the latest when there is something to show.
    follower.child.kill().expect("killed");
    follower.child.wait().expect("ended");
    await_until("the trace ends", || {
        server.imap("joe").must("LOGOUT").expect("gone");
        home.must_run(&["trace", "--list"], b"").is_empty()
    });

    // One that reads on does not keep the server from stopping.
    let mut follower = Follower::new(&home, &["--user", "joe", "--bodies"]);
    let mut joe = server.imap("joe");
    joe.must("SELECT INBOX").expect("selected");
    joe.must("FETCH 1 BODY[]").expect("fetched");
    assert!(follower.until("OK FETCH").contains(PRIVATE));
    let begin = Instant::now();
    server.stop(&[]);
    assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
    assert!(follower.child.wait().expect("ended").success());
}
