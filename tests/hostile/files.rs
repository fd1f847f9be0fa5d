//! Files that an administrator, a disk or a crash has damaged. The server must start, answer and never die of them.

use std::fs;
use std::path::{Path, PathBuf};

use harness::{Home, Server, corpus};

const MESSAGES: usize = 8;

/// Damages the file in a way of its own.
type Damage = fn(&Path, &[u8]);

/// A stopped store of joe's, and where his INBOX lies.
fn store() -> (Home, PathBuf) {
    let home = Home::new(env!("CARGO_BIN_EXE_angarium"), &[]);
    home.add_user("joe");
    let server = home.start();
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
        fs::remove_dir_all(&inbox).unwrap();
        copy(&saved, &inbox);
        let path = inbox.join(file);
        let good = fs::read(&path).unwrap_or_default();
        damage(&path, &good);
        let mut server = home.start();
        interrogate(&mut server, &format!("{file} {kind}"));
        server.kill();
    }
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
];

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
