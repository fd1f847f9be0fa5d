//! Files of a mailbox that are truncated, written over, replaced or removed while clients have it selected: whatever is in
//! them, the server lives, others notice nothing, and the mailbox comes back by itself where it can.

use std::fs;
use std::path::{Path, PathBuf};

use harness::{Imap, await_until, corpus};

use crate::attack::Attack;

/// What an administrator or a disk does to a file.
type Damage = fn(&Path);

const DAMAGES: &[(&str, Damage)] = &[
    ("cut to nothing", |path| cut(path, 0)),
    ("cut in the middle", |path| cut(path, fs::metadata(path).unwrap().len() / 2)),
    ("cut by seven", |path| cut(path, fs::metadata(path).unwrap().len().saturating_sub(7))),
    ("written over with zeros", |path| fs::write(path, vec![0; fs::metadata(path).unwrap().len() as usize]).unwrap()),
    ("written over with garbage", |path| fs::write(path, b"not what you think\n".repeat(500)).unwrap()),
    ("replaced by garbage", |path| replace(path, b"garbage")),
    ("replaced by its beginning", |path| {
        let whole = fs::read(path).unwrap();
        replace(path, &whole[..whole.len() / 2]);
    }),
    ("removed", |path| fs::remove_file(path).unwrap()),
    ("replaced by a directory", |path| {
        fs::remove_file(path).unwrap();
        fs::create_dir(path).unwrap();
    }),
];

/// The same file, shorter.
fn cut(path: &Path, length: u64) {
    fs::File::options().write(true).open(path).unwrap().set_len(length).unwrap();
}

/// Another file of that name, put there in one step.
fn replace(path: &Path, bytes: &[u8]) {
    let new = path.with_file_name("put-there");
    fs::write(&new, bytes).unwrap();
    fs::rename(new, path).unwrap();
}

/// Everything a client does with a mailbox. Replies may be refusals; a session may be told to go; nothing may hang.
fn use_it(client: &mut Imap) {
    for command in [
        "NOOP",
        "FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE)",
        "FETCH 1:* (ENVELOPE BODYSTRUCTURE)",
        "FETCH 1:* BODY.PEEK[]",
        "SEARCH TEXT message",
        "STORE 1 +FLAGS (\\Flagged)",
        "STORE 2 +FLAGS (\\Seen $Work)",
        "COPY 1 Other",
        "CHECK",
    ] {
        if client.command(command).is_err() {
            return;
        }
    }
    let _ = client.append("INBOX", "", &corpus::small(4));
}

/// Damages `file` of joe's INBOX in each way while two clients have it selected and use it.
fn check(file: &str, heal: &str) {
    let attack = Attack::begin_with(&[&format!("store.heal = \"{heal}\"")]);
    let mut joe = attack.joe();
    joe.must("CREATE Other").unwrap();
    let inbox = attack.home.spool().join("user/joe");
    for (kind, damage) in DAMAGES {
        let (mut one, mut other) = (attack.joe(), attack.joe());
        // A mailbox whose message is gone for good goes on being damaged: the last turn's clients are not this one's.
        one.command("SELECT INBOX").unwrap();
        other.command("SELECT INBOX").unwrap();
        let path = inbox.join(file);
        if fs::metadata(&path).is_ok_and(|found| found.is_file()) {
            damage(&path);
        }
        use_it(&mut one);
        use_it(&mut other);
        // Whoever comes later, too.
        let mut later = attack.joe();
        later.command("SELECT INBOX").unwrap();
        use_it(&mut later);
        assert!(attack.home.run(&["status"], b"").status.success(), "{file} {kind}: {}", attack.server.log());
        assert!(!attack.server.log().contains("panicked"), "{file} {kind}: {}", attack.server.log());
        mend(&path);
    }
    drop(joe);
    let said = attack.home.run(&["reconstruct", "user/joe"], b"");
    assert!(said.status.success(), "{file}: {said:?}");
    let mut joe = attack.joe();
    let exists = joe.must("SELECT INBOX").unwrap().number("EXISTS").expect("a number");
    let fetched = joe.fetch("FETCH 1:* BODY.PEEK[]").unwrap();
    assert_eq!(fetched.len(), exists as usize, "{file}: every message that is listed can be fetched");
    if file != "2." {
        assert!(exists >= 3, "{file}: the message files are whole, and so is the mailbox");
    }
    drop(joe);
    attack.bystander_was_served();
}

/// A directory in a file's place keeps the next damage from being done.
fn mend(path: &PathBuf) {
    if path.is_dir() {
        fs::remove_dir(path).unwrap();
    }
}

#[test]
fn an_index() {
    check("cyrus.index", "on");
    check("cyrus.index", "off");
}

#[test]
fn a_cache() {
    check("cyrus.cache", "on");
}

#[test]
fn a_header() {
    check("cyrus.header", "on");
}

#[test]
fn a_seen_file() {
    check("cyrus.seen", "on");
}

#[test]
fn a_message() {
    check("2.", "on");
}

fn reconstructs(attack: &Attack, result: &str) -> u64 {
    let said = attack.home.must_run(&["metrics"], b"");
    let sample = format!("angarium_reconstructs_total{{result=\"{result}\"}} ");
    said.lines().find_map(|line| line.strip_prefix(&sample)).expect("a sample").parse().expect("a number")
}

/// Clients of a mailbox whose index lost a record see their message again without anybody's help.
#[test]
fn a_damaged_index_comes_back_by_itself() {
    let attack = Attack::begin();
    let mut joe = attack.joe();
    joe.must("SELECT INBOX").unwrap();
    let index = attack.home.spool().join("user/joe/cyrus.index");
    let length = fs::metadata(&index).unwrap().len();
    cut(&index, length - 100);
    let _ = joe.command("FETCH 1:* (FLAGS ENVELOPE)");
    await_until("the mailbox is repaired", || reconstructs(&attack, "repaired") == 1);
    let mut again = attack.joe();
    assert_eq!(again.must("SELECT INBOX").unwrap().number("EXISTS"), Some(3));
    assert_eq!(again.fetch("FETCH 1:* BODY.PEEK[]").unwrap().len(), 3);
    let log = attack.server.log();
    let lines = |event: &str| log.lines().filter(|line| line.contains(event)).count();
    assert_eq!((lines("mailbox.reconstruct.begun"), lines("mailbox.reconstruct.finished")), (1, 1), "{log}");
    drop((joe, again));
    attack.bystander_was_served();
}

#[test]
fn a_damaged_index_waits_for_an_administrator_who_wants_that() {
    let attack = Attack::begin_with(&["store.heal = \"off\""]);
    let mut joe = attack.joe();
    joe.must("SELECT INBOX").unwrap();
    let index = attack.home.spool().join("user/joe/cyrus.index");
    cut(&index, fs::metadata(&index).unwrap().len() - 100);
    let _ = joe.command("FETCH 1:* (FLAGS ENVELOPE)");
    assert_eq!(["repaired", "left", "failed", "skipped"].map(|result| reconstructs(&attack, result)), [0; 4]);
    assert!(!attack.server.log().contains("mailbox.reconstruct"), "{}", attack.server.log());
    attack.home.must_run(&["reconstruct", "user/joe"], b"");
    assert_eq!(attack.joe().must("SELECT INBOX").unwrap().number("EXISTS"), Some(3));
    drop(joe);
    attack.bystander_was_served();
}
