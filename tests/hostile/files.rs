//! Files that an administrator, a disk or a crash has damaged. The server must start, answer and never die of them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::mpsc;

use harness::{Home, Server, corpus};

const MESSAGES: usize = 8;

/// Damages the file in a way of its own.
type Damage = fn(&Path, &[u8]);

/// A stopped store of joe's and sue's, and where his INBOX lies.
fn store() -> (Home, PathBuf) {
    let home = Home::new(env!("CARGO_BIN_EXE_angarium"), &[]);
    home.add_user("joe");
    home.add_user("sue");
    let server = home.start();
    assert!(server.imap("sue").append("INBOX", "", &corpus::small(1)).unwrap().ok());
    let mut joe = server.imap("joe");
    for number in 1..=MESSAGES {
        assert!(joe.append("INBOX", "(\\Flagged)", &corpus::small(number)).unwrap().ok());
    }
    drop(joe);
    server.stop(&[]);
    let inbox = home.spool().join("user/joe");
    assert!(inbox.join("cyrus.index").exists(), "{} has no index", inbox.display());
    (home, inbox)
}

/// Asks for everything; what comes must be right, and what cannot come must be refused.
fn interrogate(server: &mut Server, name: &str) {
    let mut joe = server.imap("joe");
    let opened = joe.command("SELECT INBOX").unwrap();
    if opened.ok() {
        for command in [
            "FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODYSTRUCTURE)",
            "SEARCH TEXT message",
            "STORE 1:* +FLAGS (\\Seen)",
            "NOOP",
        ] {
            joe.command(command).unwrap_or_else(|error| panic!("{name}: {command}: {error}\n{}", server.log()));
        }
        for message in joe.fetch("UID FETCH 1:* (UID BODY.PEEK[])").unwrap_or_default() {
            let known = (1..=MESSAGES + 1).any(|number| message.body == corpus::small(number));
            assert!(known || message.body.is_empty(), "{name}: UID {} is no message of ours", message.uid);
        }
    }
    // Other people's mail is none of it.
    let mut sue = server.imap("sue");
    assert_eq!(sue.must("SELECT INBOX").unwrap().number("EXISTS"), Some(1), "{name}");
    assert!(sue.fetch("FETCH 1 BODY.PEEK[]").unwrap()[0].body == corpus::small(1), "{name}");
    let _ = joe.append("INBOX", "", &corpus::small(MESSAGES + 1)).unwrap();
    assert!(server.is_alive(), "{name}: the server is gone\n{}", server.log());
    let log = server.log();
    assert!(!log.contains("panicked at"), "{name}: {log}");
}

fn check(file: &str, damages: &[(&str, Damage)]) {
    let (home, inbox) = store();
    let saved = inbox.with_file_name("saved");
    copy(&inbox, &saved);
    for (kind, damage) in damages {
        unseal(&inbox);
        fs::remove_dir_all(&inbox).unwrap();
        copy(&saved, &inbox);
        let path = inbox.join(file);
        let good = fs::read(&path).unwrap_or_default();
        damage(&path, &good);
        let mut server = home.start();
        interrogate(&mut server, &format!("{file} {kind}"));
        server.kill();
    }
    unseal(&inbox);
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

const DAMAGES: &[(&str, Damage)] = &[
    ("deleted", |path, _| fs::remove_file(path).unwrap()),
    ("empty", |path, _| fs::write(path, b"").unwrap()),
    ("one byte", |path, good| fs::write(path, &good[..1]).unwrap()),
    ("cut in the middle", |path, good| fs::write(path, &good[..good.len() / 2]).unwrap()),
    ("cut by seven", |path, good| fs::write(path, &good[..good.len() - 7]).unwrap()),
    ("all zero", |path, good| fs::write(path, vec![0; good.len()]).unwrap()),
    ("all ones", |path, good| fs::write(path, vec![0xff; good.len()]).unwrap()),
    ("start zeroed", |path, good| fs::write(path, [&[0; 64][..], &good[64.min(good.len())..]].concat()).unwrap()),
    ("garbage at the end", |path, good| fs::write(path, [good, &[0xa5; 1000]].concat()).unwrap()),
    ("a bit in the header", |path, good| flip(path, good, 17)),
    ("a bit in a record", |path, good| flip(path, good, good.len() / 2)),
    ("a bit at the end", |path, good| flip(path, good, good.len() - 3)),
    ("a directory", |path, _| {
        fs::remove_file(path).unwrap();
        fs::create_dir(path).unwrap();
    }),
    ("a dangling link", |path, _| {
        fs::remove_file(path).unwrap();
        std::os::unix::fs::symlink("/nowhere/at/all", path).unwrap();
    }),
    ("a link to a device", |path, _| {
        fs::remove_file(path).unwrap();
        std::os::unix::fs::symlink("/dev/zero", path).unwrap();
    }),
    ("a FIFO", |path, _| make_fifo(path)),
    ("not to be changed", |path, _| seal(path)),
];

fn make_fifo(path: &Path) {
    let _ = fs::remove_file(path);
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

/// What a mode of 000 is for others: root may not write to it either. Says so where the file system knows no such thing.
fn seal(path: &Path) {
    if !Command::new("chattr").arg("+i").arg(path).output().is_ok_and(|output| output.status.success()) {
        println!("SKIPPED sealing {}: chattr does not work here", path.display());
    }
}

fn unseal(directory: &Path) {
    let _ = Command::new("chattr").args(["-R", "-i"]).arg(directory).output();
}

fn flip(path: &Path, good: &[u8], at: usize) {
    let mut bad = good.to_vec();
    if let Some(byte) = bad.get_mut(at) {
        *byte ^= 0x10;
    }
    fs::write(path, bad).unwrap();
}

#[test]
fn a_damaged_index() {
    check("cyrus.index", DAMAGES);
}

#[test]
fn a_damaged_cache() {
    check("cyrus.cache", DAMAGES);
}

#[test]
fn a_damaged_header() {
    check("cyrus.header", DAMAGES);
}

#[test]
fn a_damaged_seen_file() {
    check("cyrus.seen", DAMAGES);
}

#[test]
fn a_damaged_message() {
    check(
        "3.",
        &[("deleted", |path, _| fs::remove_file(path).unwrap()), ("empty", |path, _| fs::write(path, b"").unwrap())],
    );
}

#[test]
fn an_index_cut_while_the_mailbox_is_open() {
    let (home, inbox) = store();
    let mut server = home.start();
    let mut joe = server.imap("joe");
    joe.must("SELECT INBOX").unwrap();
    let good = fs::read(inbox.join("cyrus.index")).unwrap();
    fs::File::options().write(true).open(inbox.join("cyrus.index")).unwrap().set_len(40).unwrap();
    fs::File::options().write(true).open(inbox.join("cyrus.cache")).unwrap().set_len(3).unwrap();
    let _ = joe.command("FETCH 1:* (FLAGS ENVELOPE)");
    assert!(server.is_alive(), "{}", server.log());
    fs::write(inbox.join("cyrus.index"), good).unwrap();
    interrogate(&mut server, "index cut while open");
    server.kill();
}

/// An administrator copies old files over those of a mailbox that is in use. Messages are files: none may be lost.
#[test]
fn old_files_copied_over_a_mailbox_in_use() {
    let (home, inbox) = store();
    let saved = inbox.with_file_name("saved");
    copy(&inbox, &saved);
    let server = home.start();
    let (mut joe, mut promised) = (server.imap("joe"), MESSAGES);
    joe.must("SELECT INBOX").unwrap();
    for (turn, file) in ["cyrus.index", "cyrus.cache", "cyrus.seen", "cyrus.header"].into_iter().enumerate() {
        let (going, over) = mpsc::channel::<()>();
        let mut writer = server.imap("joe");
        let thread = std::thread::spawn(move || {
            let (mut kept, mut number) = (0, 0);
            while over.try_recv() == Err(mpsc::TryRecvError::Empty) {
                number += 1;
                kept += usize::from(writer.append("INBOX", "", &corpus::small(number % 8 + 1)).unwrap().ok());
            }
            kept
        });
        for _ in 0..=turn {
            // Truncates and writes, as cp does.
            fs::copy(saved.join(file), inbox.join(file)).unwrap();
            let _ = joe.command("FETCH 1:* (FLAGS ENVELOPE)");
            if joe.command("NOOP").is_err() {
                joe = server.imap("joe");
                let _ = joe.command("SELECT INBOX");
            }
        }
        drop(going);
        promised += thread.join().unwrap();
    }
    let mut server = server;
    interrogate(&mut server, "old files copied over new ones");
    drop(joe);
    server.kill();
    let messages = |directory: &Path| {
        let names = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.strip_suffix('.').is_some_and(|uid| uid.parse::<u32>().is_ok())).count()
    };
    assert!(messages(&inbox) >= promised, "{} of {promised} messages are there", messages(&inbox));
    let server = home.start();
    let exists = server.imap("joe").must("SELECT INBOX").unwrap().number("EXISTS");
    assert!(exists.is_some_and(|exists| exists as usize >= promised), "{exists:?} of {promised}:\n{}", server.log());
    server.kill();
}

/// The files of the mailboxes database and of the directory, damaged in ways that block whoever opens them. The program
/// says what is wrong, or mends it; it neither hangs nor loses anything once the file is back.
#[test]
fn damaged_files_of_the_whole_store() {
    let (home, _) = store();
    let files = files_below(&home.config_dir());
    assert!(files.len() >= 4, "{files:?}");
    let saved = home.path().join("saved");
    copy(&home.config_dir(), &saved);
    for (number, file) in files.iter().enumerate() {
        let name = file.strip_prefix(home.config_dir()).unwrap().display().to_string();
        for kind in ["a FIFO", ["a directory", "a dangling link"][number % 2]] {
            fs::remove_file(file).unwrap();
            match kind {
                "a FIFO" => make_fifo(file),
                "a directory" => fs::create_dir(file).unwrap(),
                _ => std::os::unix::fs::symlink("/nowhere/at/all", file).unwrap(),
            }
            let output = check_soon(&home, &format!("{name} is {kind}"));
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.code().is_some() && !said.contains("panicked"), "{name} is {kind}: {said}");
            fs::remove_dir_all(home.config_dir()).unwrap();
            copy(&saved, &home.config_dir());
        }
    }
    let mut server = home.start();
    interrogate(&mut server, "everything put back");
    server.kill();
}

fn files_below(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).unwrap().map(Result::unwrap) {
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            files.extend(files_below(&entry.path()));
        } else if kind.is_file() {
            files.push(entry.path());
        }
    }
    files
}

/// `check`, which must come to an end.
fn check_soon(home: &Home, name: &str) -> Output {
    let timeout = Home::at("timeout", home.path(), &[]);
    let output = timeout.run(&["30", env!("CARGO_BIN_EXE_angarium"), "check"], b"");
    assert_ne!(output.status.code(), Some(124), "{name}: the program hangs");
    output
}
