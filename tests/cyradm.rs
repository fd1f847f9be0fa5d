//! cyradm against the server: transcripts of commands and what they print (`tests/cyradm/*.txt`), and the program as
//! scripts call it.
//!
//! In a transcript a line that begins with `> ` is a command, and the lines behind it are what is printed, output and
//! complaints alike, up to the next one. `#` begins a comment.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test reports trouble by panicking")]

use std::cell::RefCell;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;
use std::process::Output;
use std::rc::Rc;

use cyradm::{Kind, Mechanism, Security, Shell};
use harness::transcript::Protocol;
use harness::{ADMIN, Home, PASSWORD, Server};

fn home() -> Home {
    let home = Home::new(env!("CARGO_BIN_EXE_angarium"), &[]);
    home.add_user(ADMIN);
    home.add_user("joe");
    home
}

/// How the server is reached.
fn way(server: &Server, security: Security) -> cyradm::Server {
    let protocol = if security == Security::Implicit { Protocol::Imaps } else { Protocol::Imap };
    let address = server.address(protocol);
    cyradm::Server {
        host: address.ip().to_string(),
        port: Some(address.port()),
        security,
        ca_file: None,
        insecure: false,
    }
}

/// What a shell prints, in the order in which it does.
#[derive(Clone, Default)]
struct Printed(Rc<RefCell<Vec<u8>>>);

impl io::Write for Printed {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Printed {
    fn take(&self) -> String {
        String::from_utf8(std::mem::take(&mut *self.0.borrow_mut())).unwrap()
    }
}

fn shell(way: cyradm::Server, user: &str) -> (Shell<'static>, Printed) {
    let printed = Printed::default();
    let ask = |user: &str| (user != "nobody").then(|| PASSWORD.to_owned());
    let (out, err) = (Box::new(printed.clone()), Box::new(printed.clone()));
    (Shell::new(way, Some(user.to_owned()), Box::new(ask), out, err), printed)
}

#[test]
fn transcripts() {
    let home = home();
    let server = home.start();
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cyradm");
    let mut files: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() > 3);
    for file in files {
        let script = fs::read_to_string(&file).unwrap();
        let (mut shell, printed) = shell(way(&server, Security::StartTls), ADMIN);
        shell.begin(None, None).unwrap();
        let mut played = String::new();
        for line in script.lines().filter(|line| line.starts_with("> ") || line.starts_with('#')) {
            let _ = writeln!(played, "{line}");
            if let Some(command) = line.strip_prefix("> ") {
                let command = command.replace("$DIRECTORY", &home.path().to_string_lossy());
                shell.run_line(&command).unwrap();
                played.push_str(&printed.take().replace(&*home.path().to_string_lossy(), "$DIRECTORY"));
            }
        }
        if std::env::var_os("UPDATE").is_some() {
            fs::write(&file, &played).unwrap();
            continue;
        }
        assert!(
            played == script,
            "{}: played\n{played}\nUPDATE=1 cargo test --test cyradm writes what was played",
            file.display()
        );
    }
    server.stop(&[]);
    home.check_store();
}

#[test]
fn every_way_in() {
    let home = home();
    let server = home.start();
    for security in [Security::StartTls, Security::Implicit, Security::None] {
        for mechanism in [None, Some(Mechanism::Plain), Some(Mechanism::Login)] {
            let (mut shell, printed) = shell(way(&server, security), ADMIN);
            shell.begin(None, mechanism).unwrap_or_else(|trouble| panic!("{security:?} {mechanism:?}: {trouble}"));
            shell.run_line("lm user/joe").unwrap();
            assert_eq!(printed.take(), "user/joe (\\HasNoChildren)\n", "{security:?} {mechanism:?}");
        }
    }
    // A certificate that nobody signed is not taken where certificates are asked for.
    let ca_file = home.path().join("ca.pem");
    fs::write(&ca_file, harness_certificate()).unwrap();
    let strict = cyradm::Server { ca_file: Some(ca_file), ..way(&server, Security::StartTls) };
    let (mut strict, _) = shell(strict, ADMIN);
    let trouble = strict.begin(None, None).unwrap_err();
    assert!(trouble.kind == Kind::Unavailable && trouble.text.contains("--cafile"), "{trouble}");
    // What speaks something else is not waited for.
    for security in [Security::StartTls, Security::Implicit] {
        let mut way = way(&server, security);
        way.port = Some(server.address(Protocol::Lmtp).port());
        assert!(shell(way, ADMIN).0.begin(None, None).is_err());
    }
    let (mut wrong, _) = shell(way(&server, Security::StartTls), "sue");
    assert_eq!(wrong.begin(None, None).unwrap_err().kind, Kind::NoPermission);
}

/// A certificate that has signed nothing.
fn harness_certificate() -> String {
    rcgen::generate_simple_self_signed(["nobody.example.org".to_owned()]).unwrap().cert.pem()
}

#[test]
fn scripts_and_exit_codes() {
    let home = home();
    let server = home.start();
    let password = home.path().join("password");
    fs::write(&password, format!("{PASSWORD}\n")).unwrap();
    let address = server.address(Protocol::Imap);
    let call = |arguments: &[&str], input: &str| -> Output {
        let port = address.port().to_string();
        let file = password.to_string_lossy().into_owned();
        let host = address.ip().to_string();
        let first = ["cyradm", "--port", &port, "--password-file", &file, &host];
        home.run(&[&first[..], arguments].concat(), input.as_bytes())
    };
    let check = |arguments: &[&str], input: &str, code: i32, out: &str, complaint: &str| {
        let output = call(arguments, input);
        let (stdout, stderr) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
        assert_eq!(output.status.code(), Some(code), "{arguments:?} {input:?}\n{stdout}{stderr}");
        assert_eq!(stdout, out, "{arguments:?} {input:?}");
        assert!(stderr.contains(complaint) && stderr.is_empty() == complaint.is_empty(), "{arguments:?}: {stderr}");
    };
    let admin = ["-u", ADMIN];
    let script = home.path().join("script");
    fs::write(&script, "# a script\ncm user/joe/File\nlm user/joe/F*\n").unwrap();
    check(&admin, "cm user/joe/Stdin; lm user/joe/S*\n", 0, "user/joe/Stdin (\\HasNoChildren)\n", "");
    check(&[&admin[..], &["-e", "lm user/joe/S%"]].concat(), "", 0, "user/joe/Stdin (\\HasNoChildren)\n", "");
    let file = script.to_string_lossy();
    check(&[&admin[..], &["-f", &file]].concat(), "", 0, "user/joe/File (\\HasNoChildren)\n", "");
    // What goes wrong does not stop what comes behind it, and is told by the exit code.
    check(&admin, "dm user/none\nexit\nlm\n", 66, "", "dm: No such mailbox");
    check(&admin, "frobnicate\nserver\n", 64, "127.0.0.1\n", "no command frobnicate");
    check(&admin, "cm user/joe/File\n", 73, "", "cm: ");
    check(&["-u", "sue"], "lm\n", 77, "", "angarium: ");
    check(&["-u", "joe"], "cm 'Shared Folders/No'\n", 77, "", "cm: ");
    check(&[&admin[..], &["-f", "/nonexistent"]].concat(), "", 66, "", "/nonexistent: ");
    check(&[&admin[..], &["--frobnicate"]].concat(), "", 64, "", "--frobnicate");
    server.stop(&[]);
    check(&admin, "lm\n", 69, "", "refused");
}
