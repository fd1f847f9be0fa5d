//! What the server keeps of the rights it was started with: nothing it does not need.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test reports trouble by panicking, and says what it leaves out"
)]

use std::fs::{self, Permissions};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};

use harness::transcript::Protocol;
use harness::{Home, Imap, PASSWORD, Server};
use rustix::process::geteuid;

const PROGRAM: &str = env!("CARGO_BIN_EXE_angarium");

/// A user that every system has and that owns nothing.
const NOBODY: &str = "nobody";

/// A directory that other users may pass through.
fn home(settings: &[&str]) -> Home {
    let home = Home::new(PROGRAM, settings);
    fs::set_permissions(home.path(), Permissions::from_mode(0o755)).expect("the mode is set");
    home
}

/// A field of /proc/PID/status.
fn status(server: &Server, field: &str) -> String {
    let text = fs::read_to_string(format!("/proc/{}/status", server.pid())).expect("the server lives");
    let line = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    line.unwrap_or_else(|| panic!("no {field} in {text}")).trim().to_owned()
}

/// A port below 1024 that nobody uses at this moment.
fn low_port() -> u16 {
    (600..1024)
        .rev()
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
        .expect("one of 400 low ports is free")
}

/// Root binds the port and is gone afterwards: files belong to the user, and so does everything that commands make.
#[test]
fn root_is_given_up() {
    if !geteuid().is_root() {
        println!("left out: only root can give up being root");
        return;
    }
    let port = low_port();
    let listen = format!("lmtp.listen = [\"127.0.0.1:0\", \"127.0.0.1:{port}\"]");
    let home = home(&[&format!("server.user = \"{NOBODY}\"")]);
    let file = home.path().join("angarium.toml");
    let text = fs::read_to_string(&file).expect("the configuration is there");
    fs::write(&file, text.replace("lmtp.listen = [\"127.0.0.1:0\"]", &listen)).expect("written");

    // Without a server: root's command becomes that user, too.
    home.add_user("joe");
    let owner = fs::metadata(home.config_dir()).expect("made").uid();
    assert_ne!(owner, 0);
    assert_eq!(fs::metadata(home.spool()).expect("made").uid(), owner);

    let server = home.start();
    let uids = format!("{owner}\t{owner}\t{owner}\t{owner}");
    assert_eq!(status(&server, "Uid"), uids);
    assert!(!status(&server, "Gid").split('\t').any(|gid| gid == "0"));
    assert!(!status(&server, "Groups").split(' ').any(|gid| gid == "0"));
    for sets in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
        assert_eq!(u64::from_str_radix(&status(&server, sets), 16), Ok(0), "{sets}");
    }
    assert_eq!(status(&server, "NoNewPrivs"), "1");
    let threads = fs::read_dir(format!("/proc/{}/task", server.pid())).expect("the server lives");
    for thread in threads {
        let path = thread.expect("a thread").path().join("status");
        // It may have ended since.
        let Ok(text) = fs::read_to_string(path) else { continue };
        assert!(text.contains(&format!("Uid:\t{uids}")) && text.contains("NoNewPrivs:\t1"), "{text}");
    }
    let mut joe = Imap::login(server.address(Protocol::Imap), "joe", PASSWORD).expect("joe logs in");
    assert!(joe.append("INBOX", "", b"Subject: x\r\n\r\ny\r\n").expect("appended").ok());
    assert!(std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok(), "the low port is served");
    // Root may ask the server, whose files stay its own.
    home.must_run(&["user", "list"], b"");
    home.add_user("sue");
    server.stop(&[]);
    // It is root who did that, with and without a server.
    let audit = fs::read_to_string(home.config_dir().join("log/audit.log")).expect("there");
    for user in ["joe", "sue"] {
        let made = audit.lines().find(|line| line.contains("user.create") && line.contains(user)).expect("an entry");
        assert!(made.contains("\"(system user 0)\""), "{made}");
    }
    home.check_store();
    assert_eq!(fs::metadata(home.spool().join("user/joe/1.")).expect("there").uid(), owner);
}

#[test]
fn a_user_that_cannot_be() {
    let check = |settings: &[&str], code: i32, expected: &str| {
        let home = home(settings);
        let output = home.run(&["serve"], b"");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert!(said.contains(expected), "{said}");
        assert!(!home.config_dir().exists(), "nothing was made");
    };
    check(&["server.user = \"no-such-user\""], 78, "there is no user no-such-user");
    if geteuid().is_root() {
        let home = home(&[&format!("server.user = \"{NOBODY}\"")]);
        fs::create_dir_all(home.config_dir()).expect("made");
        let output = home.run(&["serve"], b"");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(77), "{said}");
        assert!(said.contains("does not belong to nobody") && said.contains("chown -R nobody"), "{said}");
    } else {
        check(&["server.user = \"root\""], 77, "only root can become root");
    }
}

/// `server.user` may name root, which does not make another user's store its own.
#[test]
fn root_does_not_serve_anothers_store() {
    if !geteuid().is_root() {
        println!("left out: only root can give a store to another user");
        return;
    }
    let user = nix::unistd::User::from_name(NOBODY).expect("looked up").expect("there");
    for whose in ["var/imap", "var/spool/imap"] {
        let home = home(&["server.user = \"root\""]);
        for directory in [home.config_dir(), home.spool()] {
            fs::create_dir_all(directory).expect("made");
        }
        let given = home.path().join(whose);
        chown(&given, Some(user.uid.as_raw()), None).expect("given away");
        for command in [&["serve"][..], &["user", "list"]] {
            let output = home.run(command, b"");
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(77), "{said}");
            let named = said.contains(&format!("{} belongs to user {} ({NOBODY})", given.display(), user.uid));
            assert!(named && said.contains("server.user"), "{said}");
            assert_eq!(fs::read_dir(&given).expect("there").count(), 0, "nothing was made");
        }
    }
}

/// Writing stops at the store's directories and those that were added to them.
#[test]
fn a_confined_server_writes_to_its_directories_only() {
    let home = home(&["server.confine = true", "server.writable = [\"backups\"]"]);
    fs::create_dir(home.path().join("backups")).expect("made");
    home.add_user("joe");
    let server = home.start();
    let log = server.log();
    if log.contains("privileges.unconfined") {
        println!("left out: this kernel has no Landlock");
        server.stop(&["privileges.unconfined".to_owned()]);
        return;
    }
    assert!(log.contains("privileges.confined"), "{log}");
    let mut joe = Imap::login(server.address(Protocol::Imap), "joe", PASSWORD).expect("joe logs in");
    assert!(joe.append("INBOX", "", b"Subject: x\r\n\r\ny\r\n").expect("appended").ok());
    joe.must("CREATE a/b").expect("created");
    joe.must("RENAME a c").expect("renamed");
    let output = home.run(&["backup", "elsewhere"], b"");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("ermission denied"), "{said}");
    assert!(!home.path().join("elsewhere").exists());
    home.must_run(&["backup", "backups/first"], b"");
    home.must_run(&["backup", "--tar", "-"], b"");
    joe.must("DELETE c").expect("deleted");
    server.stop(&[]);
    home.check_store();
}
