//! The program itself: first start, commands with and without a server, signals, and what it says when it cannot start.

use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

use directory::{Address, Directory as _, DomainName, Embedded, HashCost, NewUser, Secret, Settings, UserId};
use harness::transcript::Protocol;
use harness::{DOMAIN, Home, Imap, PASSWORD};
use mailstore::Store;
use mailstore::disk::RealDisk;
use rustix::process::Signal;

const PROGRAM: &str = env!("CARGO_BIN_EXE_angarium");

fn home(settings: &[&str]) -> Home {
    Home::new(PROGRAM, settings)
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).map(|found| found.permissions().mode() & 0o777).unwrap_or_default()
}

/// Standard error of a run that ended with `code`.
#[track_caller]
fn failed(output: &Output, code: i32) -> String {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{text}");
    text
}

#[test]
fn first_start_makes_what_is_needed_and_tells_the_password_once() {
    let home = home(&[]);
    let server = home.start();
    let log = server.log();
    let password = log.lines().find_map(|line| line.split(" with password ").nth(1)).expect("a password is printed");
    let mut admin = Imap::login(server.address(Protocol::Imap), "admin", password).expect("the password is right");
    assert!(admin.must("SELECT INBOX").is_ok());
    assert_eq!(mode(&home.config_dir()), 0o700);
    assert_eq!(mode(&home.spool()), 0o700);
    assert_eq!(mode(&home.config_dir().join("tls/key.pem")), 0o600);
    assert_eq!(mode(&home.config_dir().join("socket/control")), 0o600);
    drop(admin);
    server.stop(&[]);
    assert!(!home.config_dir().join("socket/control").exists());
    assert!(!home.config_dir().join("socket/listening.json").exists());

    let server = home.start();
    assert!(!server.log().contains("password"));
    server.stop(&[]);
}

/// What a first start got done: its name, and what makes it.
type Cut<'a> = (&'a str, &'a dyn Fn(&Home));

/// A crash may come between any two things that the first start makes: the next one makes the rest.
#[test]
fn a_first_start_that_was_cut_short_is_finished() {
    let new_store = |home: &Home| {
        let layout = mailstore::Layout::new(home.config_dir(), home.spool());
        let options = mailstore::StoreOptions { create: true, ..mailstore::StoreOptions::new(layout) };
        Store::open(options, Arc::new(RealDisk)).expect("a new store").0
    };
    let new_directory = |home: &Home| {
        fs::create_dir_all(home.config_dir()).expect("a directory");
        let settings = Settings {
            primary_domain: DomainName::parse(DOMAIN).expect("a domain"),
            admins: vec![UserId::admin()],
            hash_cost: HashCost::default(),
            scram: directory::ScramCost::default(),
        };
        Embedded::open(&home.config_dir(), Arc::new(RealDisk), true, &settings).expect("a new directory").0
    };
    let cuts: [Cut<'_>; 5] = [
        ("nothing but the directories", &|home| {
            fs::create_dir_all(home.config_dir()).expect("a directory");
            fs::create_dir_all(home.spool()).expect("a directory");
        }),
        ("a store, no directory", &|home| new_store(home).close().expect("closed")),
        ("a store that was not closed", &|home| drop(new_store(home))),
        ("a directory, no store", &|home| new_directory(home).close().expect("closed")),
        ("both, and an administrator without a mailbox", &|home| {
            new_store(home).close().expect("closed");
            let directory = new_directory(home);
            let admin = NewUser {
                uid: UserId::admin(),
                mail: Address::parse(&format!("admin@{DOMAIN}")).expect("an address"),
                given_name: String::new(),
                surname: String::new(),
                admin: true,
            };
            directory.create_user(&admin, &Secret::new(b"never told")).expect("a pending user");
            directory.close().expect("closed");
        }),
    ];
    for (what, cut) in cuts {
        let home = home(&[]);
        cut(&home);
        let server = home.start();
        let log = server.log();
        let password = log.lines().find_map(|line| line.split(" with password ").nth(1));
        let password = password.unwrap_or_else(|| panic!("{what}: no password is printed\n{log}"));
        let mut admin = Imap::login(server.address(Protocol::Imap), "admin", password).expect(what);
        assert!(admin.must("SELECT INBOX").is_ok(), "{what}");
        drop(admin);
        home.add_user("joe");
        assert!(server.imap("joe").must("SELECT INBOX").is_ok(), "{what}");
        server.stop(&[]);
        home.check_store();
    }
}

/// A directory that is gone while there are users' mailboxes is a loss, not a first start: nothing is made in its place.
#[test]
fn a_lost_directory_is_not_made_anew() {
    let home = home(&[]);
    home.add_user("joe");
    let server = home.start();
    server.stop(&[]);
    let entries = fs::read_dir(home.config_dir()).expect("a directory").map(|entry| entry.expect("an entry").path());
    let is_directory =
        |path: &Path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("directory."));
    let copies =
        fs::read_dir(home.config_dir().join("copies")).expect("copies").map(|entry| entry.expect("one").path());
    let lost: Vec<_> = entries.chain(copies).filter(|path| is_directory(path)).collect();
    assert!(!lost.is_empty(), "the directory's files have other names now");
    for path in lost {
        if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }.expect("removed");
    }
    let output = home.run(&["serve"], b"");
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("cannot open the directory") && !said.contains("with password"), "{said}");
}

#[test]
fn users_are_added_with_and_without_a_server() {
    let home = home(&[]);
    home.add_user("joe");
    let server = home.start();
    home.add_user("jim");
    for user in ["joe", "jim"] {
        assert!(server.imap(user).must("SELECT INBOX").is_ok());
    }
    let list = |home: &Home| home.must_run(&["user", "list", "--json"], b"");
    let with = list(&home);
    assert!(with.lines().any(|line| line.contains("\"joe@example.org\"")), "{with}");

    // The same mistakes, the same words and codes, wherever the command runs.
    let mistakes: &[(&[&str], &[u8], i32, &str)] = &[
        (&["user", "add", "joe"], b"x\n", 73, "joe"),
        (&["user", "add", "bad name"], b"x\n", 64, "user ID"),
        (&["user", "add", "ann"], b"", 64, "no password given"),
        (&["user", "add", "ann", "--mail", "ann@example.net"], b"x\n", 66, "example.net"),
        (&["user", "passwd", "nobody-here"], b"x\n", 67, "nobody-here"),
        (&["user", "frobnicate"], b"", 64, "frobnicate"),
    ];
    let tried = |home: &Home| -> Vec<String> {
        let each = mistakes.iter().map(|(arguments, input, code, word)| {
            let said = failed(&home.run(arguments, input), *code);
            assert!(said.contains(word), "{arguments:?}: {said}");
            said
        });
        each.collect()
    };
    let said = tried(&home);
    home.must_run(&["user", "passwd", "jim"], b"changed\n");
    assert!(Imap::login(server.address(Protocol::Imap), "jim", "changed").is_ok());
    assert!(Imap::login(server.address(Protocol::Imap), "jim", PASSWORD).is_err());
    server.stop(&[]);
    assert_eq!(list(&home), with);
    assert_eq!(tried(&home), said);
}

#[test]
fn domains_come_before_their_users() {
    let home = home(&[]);
    let server = home.start();
    home.must_run(&["domain", "add", "example.net", "--description", "the other one"], b"");
    home.must_run(&["user", "add", "ann", "--mail", "ann@example.net"], b"x\n");
    home.must_run(&["user", "add", "small", "--quota", "3"], format!("{PASSWORD}\n").as_bytes());
    let quota = server.imap("small").must("GETQUOTAROOT INBOX").expect("there is a quota");
    assert!(format!("{quota:?}").contains("STORAGE 0 3072"), "{quota:?}");
    let list = home.must_run(&["domain", "list"], b"");
    assert!(list.contains("example.org") && list.contains("(primary)") && list.contains("the other one"), "{list}");
    assert_eq!(failed(&home.run(&["domain", "add", "example.net"], b""), 73).matches("example.net").count(), 1);
    server.stop(&[]);
}

#[test]
fn one_store_has_one_owner() {
    let home = home(&[]);
    let server = home.start();
    let said = failed(&home.run(&["serve"], b""), 75);
    assert!(said.contains(&format!("pid {}", server.pid())), "{said}");
    server.stop(&[]);
}

#[test]
fn reasons_not_to_start_are_named() {
    let first = home(&[]);
    let server = first.start();
    let address = server.address(Protocol::Imap);
    let taken = home(&[]);
    let text = fs::read_to_string(taken.path().join("angarium.toml")).unwrap();
    let text = text.replacen("imap.listen = [\"127.0.0.1:0\"]", &format!("imap.listen = [\"{address}\"]"), 1);
    fs::write(taken.path().join("angarium.toml"), text).unwrap();
    let said = failed(&taken.run(&["serve"], b""), 69);
    assert!(said.contains(&address.to_string()) && said.contains("in use"), "{said}");
    server.stop(&[]);

    let file = home(&[]);
    fs::write(file.path().join("var"), "not a directory").unwrap();
    let said = failed(&file.run(&["serve"], b""), 73);
    assert!(said.contains("var/"), "{said}");

    let certificate = home(&["tls.certificate = \"cert.pem\"", "tls.key = \"key.pem\""]);
    let said = failed(&certificate.run(&["serve"], b""), 78);
    assert!(said.contains("cert.pem"), "{said}");

    let wrong = home(&["imap.listne = []", "log.format = \"xml\""]);
    for arguments in [["config", "check"].as_slice(), &["serve"], &["user", "list"]] {
        let said = failed(&wrong.run(arguments, b""), 78);
        assert!(said.contains("angarium.toml:9: ") && said.contains("did you mean listen?"), "{said}");
        assert!(said.contains("angarium.toml:10: ") && said.contains("\"text\" or \"json\""), "{said}");
    }
    let missing = failed(&wrong.run(&["--config", "/no/such.toml", "serve"], b""), 66);
    assert!(missing.contains("/no/such.toml"), "{missing}");
}

#[test]
fn hangup_reloads_what_can_change_and_names_what_cannot() {
    let home = home(&[]);
    let server = home.start();
    let file = home.path().join("angarium.toml");
    let before = fs::read_to_string(&file).unwrap();

    fs::write(&file, format!("{before}log.level = \"debug\"\nquota.warn_percent = 50\n")).unwrap();
    server.signal(Signal::HUP);
    let log = server.await_log("event=config.restart.needed");
    assert!(log.contains("event=tls.certificate.reloaded"), "{log}");
    assert!(log.contains("options=quota.warn_percent\n"), "{log}");
    assert!(Imap::open(server.address(Protocol::Imap)).is_ok());
    server.await_log("DEBUG event=connection.opened");

    fs::write(&file, format!("{before}log.levle = \"debug\"\n")).unwrap();
    fs::write(home.config_dir().join("tls/cert.pem"), "nonsense").unwrap();
    server.signal(Signal::HUP);
    let log = server.await_log("event=config.kept");
    assert!(log.contains("did you mean level?") && log.contains("event=tls.certificate.kept"), "{log}");
    assert!(Imap::open(server.address(Protocol::Imap)).is_ok());
    server.stop(&["config.restart.needed", "config.kept", "tls.certificate.kept"].map(str::to_owned));
}

#[test]
fn idle_sessions_are_told_that_the_server_goes() {
    let home = home(&[]);
    home.add_user("joe");
    let server = home.start();
    let mut connection = harness::Connection::open(server.address(Protocol::Imap), true).unwrap();
    let greeting = connection.reply().unwrap();
    assert!(greeting.is_some());
    server.stop(&[]);
    let mut said = String::new();
    while let Ok(Some(reply)) = connection.reply() {
        said.push_str(&format!("{reply:?}"));
    }
    assert!(said.contains("BYE"), "{said}");
}

#[test]
fn called_by_another_name() -> io::Result<()> {
    let home = home(&[]);
    let link = home.path().join("config");
    symlink(PROGRAM, &link)?;
    let output = Command::new(&link).args(["check"]).current_dir(home.path()).output()?;
    assert!(output.status.success(), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).ends_with("angarium.toml: good\n"), "{output:?}");
    let output = Command::new(PROGRAM).arg("no-such-command").output()?;
    assert!(failed(&output, 64).contains("no-such-command"));
    assert!(Command::new(PROGRAM).arg("--help").output()?.status.success());
    Ok(())
}
