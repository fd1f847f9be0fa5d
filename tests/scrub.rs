//! The scrubber in the program: its own passes in a running server, by hand with and without one, and what status says.

#![allow(clippy::expect_used, clippy::panic, reason = "a test reports trouble by panicking")]

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use harness::{Home, Server, await_until, corpus};

const PROGRAM: &str = env!("CARGO_BIN_EXE_angarium");

fn home(settings: &[&str]) -> Home {
    let home = Home::new(PROGRAM, settings);
    home.add_user("joe");
    home
}

fn fill(server: &Server) {
    let mut joe = server.imap("joe");
    for number in 1..=5 {
        assert!(joe.append("INBOX", "", &corpus::small(number)).expect("answered").ok());
    }
}

fn inbox(home: &Home) -> PathBuf {
    home.spool().join("user/joe")
}

fn status(home: &Home) -> serde_json::Value {
    serde_json::from_str(&home.must_run(&["status", "--json"], b"")).expect("JSON")
}

#[test]
fn the_server_finds_what_a_disk_has_lost() {
    let home = home(&["scrub.every = \"1s\"", "scrub.bytes_per_second = \"0 B\""]);
    let server = home.start();
    fill(&server);
    // The same length, another octet: no look at the size finds it.
    let path = inbox(&home).join("3.");
    let mut text = fs::read(&path).expect("a message");
    *text.last_mut().expect("an octet") ^= 1;
    fs::write(&path, text).expect("written");
    await_until("the damage is found", || status(&home)["scrub"]["last"]["tally"]["left"] == 1);
    let log = server.log();
    assert!(log.contains("scrub.found") && log.contains("message.differs") && log.contains("reconstruct -G"), "{log}");
    let said = home.must_run(&["status"], b"");
    assert!(said.contains("  scrub    last pass 0 d 0 h ago, 1 errors"), "{said}");
    let metrics = home.must_run(&["metrics"], b"");
    assert!(metrics.contains("\nangarium_scrub_last_errors 1\n"), "{metrics}");
    assert!(metrics.contains("\nangarium_scrub_age_seconds "), "{metrics}");
    // Whoever reads the message gets what is there; nothing was changed.
    let mut joe = server.imap("joe");
    assert_eq!(joe.must("SELECT INBOX").expect("selected").number("EXISTS"), Some(5));
    drop(joe);
    server.stop(&["scrub.found".to_owned()]);

    // The figures outlive the server.
    let server = home.start();
    assert_eq!(status(&home)["scrub"]["last"]["tally"]["left"], 1);
    server.stop(&["scrub.found".to_owned()]);
}

#[test]
fn by_hand_in_the_server_and_without_one() {
    let home = home(&["scrub.every = \"0s\""]);
    let server = home.start();
    fill(&server);
    let run = |arguments: &[&str]| {
        let output = home.run(&[&["scrub"], arguments].concat(), b"");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        (output.status.code(), text, String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, said, _) = run(&[]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains(" messages, ") && said.ends_with(" 0 repaired, 0 left\n"), "{said}");
    fs::remove_file(inbox(&home).join("2.")).expect("removed");
    let expected = "user/joe uid 2: its file is missing; restore it from a backup (`angarium restore`), or run \
                    `reconstruct -G user/joe`\n";
    assert_eq!(run(&["-q", "user/joe"]), (Some(1), expected.to_owned(), String::new()));
    let log = server.log();
    assert!(log.contains("scrub.found") && !log.contains("scrub.begun"), "{log}");
    server.stop(&["scrub.found".to_owned()]);

    assert_eq!(run(&["-q", "user/joe"]).1, expected, "without a server");
    fs::remove_file(inbox(&home).join("cyrus.cache")).expect("removed");
    let (code, said, _) = run(&["-n", "--json"]);
    assert_eq!(code, Some(1));
    assert!(said.contains("\"code\":\"cache.rebuilt\"") && said.contains("\"summary\""), "{said}");
    assert!(!inbox(&home).join("cyrus.cache").exists(), "a dry run");
    home.must_run(&["reconstruct", "user/joe"], b"");
    assert_eq!(run(&["-q"]), (Some(0), String::new(), String::new()));
    let (code, _, said) = run(&["user/nobody"]);
    assert_eq!((code, &*said), (Some(66), "user/nobody: there is no such mailbox\n"));
    let (code, _, said) = run(&["--bytes-per-second", "much"]);
    assert_eq!(code, Some(64), "{said}");
    assert!(said.contains("expected a size"), "{said}");
}

/// A pass takes its time, clients do not notice it, and the server stops at once and goes on where it was.
#[test]
fn a_slow_pass_disturbs_nobody_and_goes_on_after_a_restart() {
    let home = home(&["scrub.every = \"1s\"", "scrub.bytes_per_second = \"200 B\""]);
    let server = home.start();
    fill(&server);
    server.await_log("scrub.begun");
    let mut joe = server.imap("joe");
    joe.must("SELECT INBOX").expect("selected");
    for _ in 0..30 {
        let begin = Instant::now();
        joe.must("FETCH 1:* (FLAGS ENVELOPE BODY.PEEK[])").expect("fetched");
        assert!(joe.append("INBOX", "", &corpus::small(6)).expect("answered").ok());
        assert!(begin.elapsed() < Duration::from_secs(5), "a client waited {:?}", begin.elapsed());
    }
    drop(joe);
    let begin = Instant::now();
    server.stop(&[]);
    assert!(begin.elapsed() < Duration::from_secs(15), "the pass does not keep the server");
    let state = fs::read_to_string(home.config_dir().join("scrub.state")).expect("the place is saved");
    assert!(state.starts_with("angarium-scrub 1\nlast -\npass "), "{state}");
    assert!(!state.contains("pass -"), "{state}");
    let server = home.start();
    let log = server.await_log("scrub.begun");
    assert!(log.contains("begins=false"), "{log}");
    server.stop(&[]);
}
