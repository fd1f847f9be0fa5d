//! The server is killed in the middle of something: scenarios 29, 31 and 39. What a crash can leave at each point is also
//! laid down by hand, so that no point is left to luck. No tool is run: the next start must make good of it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use harness::{Imap, Lmtp, transcript::Protocol};

use crate::fixture::{Fixture, message};
use crate::invariants::{Expected, clients_see, exited, lines, store_is_sound};
use crate::mailboxes::{INBOX, put};

/// How often the server is killed where chance decides at which point.
const ROUNDS: usize = 8;

impl Fixture {
    /// Kills the server, as a crash would.
    fn crash(&mut self) {
        self.server.take().expect("the server runs").kill();
    }
}

/// 39: what a delivery can have left when the server dies: a name, how it is laid down (in the mailbox, below `stage.`, for
/// that UID), and whether the message is there afterwards.
type Leftover = (&'static str, fn(&Path, &Path, u32), bool);

const LEFTOVERS: &[Leftover] = &[
    ("a staged message", |_, stage, _| put(stage, "4711-1", &message(90)), false),
    ("half a staged message", |_, stage, _| put(stage, "4711-1", &message(90)[..50]), false),
    ("a link without a record", |dir, _, uid| put(dir, &format!("{uid}."), &message(90)), true),
    (
        "a link, and half a cache record",
        |dir, _, uid| {
            put(dir, &format!("{uid}."), &message(90));
            append(&dir.join("cyrus.cache"), &[0x5a; 77]);
        },
        true,
    ),
    (
        "a link, and half an index record",
        |dir, _, uid| {
            put(dir, &format!("{uid}."), &message(90));
            append(&dir.join("cyrus.index"), &[0x5a; 60]);
        },
        true,
    ),
    (
        "a link, and an index record that the header does not count",
        |dir, _, uid| {
            put(dir, &format!("{uid}."), &message(90));
            let index = fs::read(dir.join("cyrus.index")).unwrap();
            append(&dir.join("cyrus.index"), &index[index.len() - 128..]);
        },
        true,
    ),
    (
        "a link, and half a line of seen state",
        |dir, _, uid| {
            put(dir, &format!("{uid}."), &message(90));
            append(&dir.join("cyrus.seen"), b"0123abcd joe 10 17000");
        },
        true,
    ),
    ("two links of a batch, the first one lost", |dir, _, uid| put(dir, &format!("{}.", uid + 1), &message(90)), true),
];

fn append(file: &Path, bytes: &[u8]) {
    use std::io::Write;
    fs::File::options().append(true).open(file).unwrap().write_all(bytes).unwrap();
}

#[test]
fn what_a_delivery_leaves_is_taken_in_or_thrown_away() {
    for (what, lay_down, taken_in) in LEFTOVERS {
        let context = format!("39, {what}");
        let mut fixture = Fixture::new();
        fixture.start();
        // Open mailboxes are not closed by a crash.
        let mut session = fixture.server().imap("joe");
        session.must("SELECT INBOX").unwrap();
        session.must("STORE 1 +FLAGS (\\Answered)").unwrap();
        let status = session.must("STATUS INBOX (UIDNEXT)").unwrap();
        let status = status.untagged.iter().map(ToString::to_string).find(|line| line.contains("UIDNEXT")).unwrap();
        let next = status.split_once("UIDNEXT ").unwrap().1.trim_end_matches(')').parse().unwrap();
        drop(session);
        fixture.crash();
        lay_down(&fixture.dir(INBOX), &fixture.home.spool().join("stage."), next);
        fixture.start();
        let replies = fixture.server().lmtp().deliver("a@example.org", &["joe@example.org"], &message(91)).unwrap();
        assert!(replies[0].starts_with("250"), "{context}: {replies:?}");
        let now = clients_see(&mut fixture, &Expected::damage(INBOX), &context);
        let joe = &now.mailboxes[INBOX];
        let count =
            |number: usize| joe.messages.values().filter(|found| found.body.ends_with(&message(number))).count();
        assert_eq!((count(90), count(91)), (usize::from(*taken_in), 1), "{context}");
        let staged = fs::read_dir(fixture.home.spool().join("stage.")).unwrap().count();
        assert_eq!(staged, 0, "{context}: nothing is left of what was on its way");
        fixture.stop();
        store_is_sound(&fixture, &context);
    }
}

/// 39 under load: what was acknowledged is there, and what had no answer and is sent again, each once.
#[test]
fn what_is_sent_again_after_a_crash_is_there_once() {
    let mut fixture = Fixture::new();
    fixture.start();
    let sent = AtomicUsize::new(0);
    for round in 0..ROUNDS {
        let (lmtp, before) = (fixture.server().address(Protocol::Lmtp), sent.load(Ordering::Relaxed));
        std::thread::scope(|scope| {
            let client = scope.spawn(|| deliver_until_it_dies(Lmtp::open(lmtp).unwrap(), &sent));
            await_more(&sent, before + 3 + round * 5 % 11);
            fixture.crash();
            client.join().unwrap();
        });
        fixture.start();
        // The last one had no answer.
        let number = sent.load(Ordering::Relaxed);
        let mut lmtp = fixture.server().lmtp();
        let replies = lmtp.deliver("a@example.org", &["joe@example.org"], &numbered(number)).unwrap();
        assert!(replies[0].starts_with("250"), "{replies:?}");
        sent.fetch_add(1, Ordering::Relaxed);
    }
    let now = clients_see(&mut fixture, &Expected::damage(INBOX), "39, under load");
    let bodies: Vec<_> = now.mailboxes[INBOX].messages.values().map(|found| found.body.clone()).collect();
    let sent = sent.load(Ordering::Relaxed);
    for number in 0..sent {
        let there = bodies.iter().filter(|body| body.ends_with(&numbered(number))).count();
        assert_eq!(there, 1, "message {number} of {sent}");
    }
    println!("kills {ROUNDS}, messages {sent}, lost 0, there twice 0");
    fixture.stop();
    store_is_sound(&fixture, "39, under load");
}

fn numbered(number: usize) -> Vec<u8> {
    format!("From: a@example.org\r\nMessage-ID: <crash-{number}@example.org>\r\nSubject: n\r\n\r\n[{number}]\r\n")
        .into_bytes()
}

fn deliver_until_it_dies(mut lmtp: Lmtp, sent: &AtomicUsize) {
    loop {
        let message = numbered(sent.load(Ordering::Relaxed));
        let Ok(replies) = lmtp.deliver("a@example.org", &["joe@example.org"], &message) else { return };
        if !replies[0].starts_with("250") {
            return;
        }
        sent.fetch_add(1, Ordering::Relaxed);
    }
}

fn await_more(count: &AtomicUsize, wanted: usize) {
    let begin = std::time::Instant::now();
    while count.load(Ordering::Relaxed) < wanted {
        assert!(begin.elapsed() < Duration::from_secs(60), "nothing goes on any more");
        std::thread::yield_now();
    }
}

/// joe's folders, and which of them can be selected: what LIST and SELECT say must agree.
fn folders(fixture: &Fixture, context: &str) -> BTreeSet<String> {
    let mut joe = fixture.server().imap("joe");
    let listed = joe.must("LIST \"\" *").unwrap().untagged;
    let name = |line: String| line.rsplit_once("\"/\" ").map(|(_, name)| name.trim_matches('"').to_owned());
    let folders: BTreeSet<String> = listed.iter().filter_map(|reply| name(reply.to_string())).collect();
    for folder in &folders {
        let selected = joe.command(&format!("EXAMINE \"{folder}\"")).unwrap();
        assert!(
            selected.ok() || folder == "Other Users" || folder == "Shared Folders",
            "{context}: {folder} is listed"
        );
    }
    folders
}

/// 29: the two halves of a creation, and of a removal, laid down by hand.
#[test]
fn half_a_creation_is_finished_or_undone() {
    for state in ["creating", "deleting"] {
        for directory in [false, true] {
            let context = format!("29, {state}, with a directory: {directory}");
            let mut fixture = Fixture::new();
            let row = fixture.run(&["cyr_dbtool", "mailboxes.db", "get", "N/user/joe/Empty"]);
            exited(&row, 0);
            let mut row: serde_json::Value = serde_json::from_str(&lines(&row)[0]).unwrap();
            row["name"] = "user/joe/Half".into();
            row["id"] = "0123456789abcdef0123456789abcdef".into();
            row["state"] = state.into();
            exited(&fixture.run(&["cyr_dbtool", "mailboxes.db", "set", "N/user/joe/Half", &row.to_string()]), 0);
            if directory {
                fs::create_dir(fixture.dir("user/joe/Half")).unwrap();
            }
            fixture.start();
            let there = folders(&fixture, &context).contains("Half");
            assert!(!there, "{context}: nobody was told that it is there, and it holds nothing");
            assert!(!fixture.dir("user/joe/Half").exists(), "{context}");
            fixture.server().imap("joe").must("CREATE Half").unwrap();
            assert!(folders(&fixture, &context).contains("Half"), "{context}");
            clients_see(&mut fixture, &Expected::damage(INBOX), &context);
            fixture.stop();
            store_is_sound(&fixture, &context);
        }
    }
    // A directory alone: nobody listed it, so nobody sees it, until reconstruct is asked to find it.
    let mut fixture = Fixture::new();
    crate::fixture::copy(&fixture.dir("user/joe/Empty"), &fixture.dir("user/joe/Half"));
    fixture.start();
    assert!(!folders(&fixture, "29, a directory").contains("Half"));
    let said = lines(&fixture.run(&["reconstruct", "-r", "-f", "user.joe"]));
    assert!(said.iter().any(|line| line.starts_with("user/joe/Half: unlisted directory: added")), "{said:?}");
    assert!(folders(&fixture, "29, a directory").contains("Half"));
    fixture.stop();
    store_is_sound(&fixture, "29, a directory");
}

/// 29 under load: killed while folders are created, renamed and deleted.
#[test]
fn folders_are_there_or_not_after_a_crash() {
    let mut fixture = Fixture::new();
    fixture.start();
    let made = AtomicUsize::new(0);
    for round in 0..ROUNDS {
        let (address, before) = (fixture.server().address(Protocol::Imap), made.load(Ordering::Relaxed));
        let done = std::thread::scope(|scope| {
            let client = scope.spawn(|| change_folders(address, &made));
            await_more(&made, before + 2 + round * 3 % 7);
            fixture.crash();
            client.join().unwrap()
        });
        fixture.start();
        let context = format!("29, round {round}");
        let there = folders(&fixture, &context);
        let (kept, gone) = done;
        assert!(kept.is_subset(&there), "{context}: {:?} were promised", &kept - &there);
        assert!(gone.is_disjoint(&there), "{context}: {:?} are back", &gone & &there);
    }
    let context = "29, under load";
    let now = clients_see(&mut fixture, &Expected::default(), context);
    for (name, mailbox) in now.mailboxes.iter().filter(|(name, _)| name.starts_with("user/joe/F")) {
        assert_eq!(mailbox.messages.len(), 0, "{name}");
    }
    fixture.stop();
    store_is_sound(&fixture, context);
    exited(&fixture.run(&["ctl_mboxlist", "-v"]), 0);
}

/// Creates, renames and deletes folders until the server dies. Returns those that must be there and those that must not.
fn change_folders(address: std::net::SocketAddr, made: &AtomicUsize) -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut kept, mut gone) = (BTreeSet::new(), BTreeSet::new());
    let mut joe = Imap::login(address, "joe", harness::PASSWORD).unwrap();
    loop {
        let number = made.load(Ordering::Relaxed);
        let (folder, renamed) = (format!("F{number}"), format!("F{number}-renamed"));
        if joe.must(&format!("CREATE {folder}")).is_err() {
            break;
        }
        made.fetch_add(1, Ordering::Relaxed);
        // Either name may be there, until the answer comes.
        if joe.must(&format!("RENAME {folder} {renamed}")).is_err() {
            break;
        }
        gone.insert(folder);
        if number.is_multiple_of(2) {
            kept.insert(renamed);
        } else if joe.must(&format!("DELETE {renamed}")).is_ok() {
            gone.insert(renamed);
        } else {
            break;
        }
    }
    (kept, gone)
}

/// 31: killed while all of a user's mailboxes are deleted; the same again ends it.
#[test]
fn half_a_users_deletion_is_ended_by_another() {
    for round in 0..ROUNDS {
        let context = format!("31, round {round}");
        let mut fixture = Fixture::new();
        fixture.start();
        let mut sue = fixture.server().imap("sue");
        let names: Vec<String> = (0..6).map(|number| format!("G{number}")).collect();
        for name in &names {
            sue.must(&format!("CREATE {name}")).unwrap();
            assert!(sue.append(name, "", &message(92)).unwrap().ok());
        }
        drop(sue);
        let deleted = AtomicUsize::new(0);
        let address = fixture.server().address(Protocol::Imap);
        std::thread::scope(|scope| {
            let client = scope.spawn(|| delete_sue(address, &names, &deleted));
            await_more(&deleted, round % names.len());
            fixture.crash();
            client.join().unwrap();
        });
        fixture.start();
        delete_sue(fixture.server().address(Protocol::Imap), &names, &deleted);
        let mut admin = fixture.server().imap(harness::ADMIN);
        let listed = admin.must("LIST \"\" user/sue*").unwrap().untagged;
        assert_eq!(listed.len(), 0, "{context}: {listed:?}");
        assert!(!admin.command("EXAMINE user/sue").unwrap().ok(), "{context}");
        drop(admin);
        assert!(!fixture.dir("user/sue").exists(), "{context}: no directory is left in place");
        // Nothing of anybody else's went with it.
        let joe = fixture.before.mailboxes[INBOX].clone();
        let mut session = fixture.server().imap("joe");
        session.must("SELECT INBOX").unwrap();
        let bodies = session.fetch("UID FETCH 1:* (UID BODY.PEEK[])").unwrap();
        assert!(bodies.iter().all(|found| joe.messages[&found.uid].body == found.body), "{context}");
        assert_eq!(bodies.len(), joe.messages.len(), "{context}");
        drop(session);
        fixture.stop();
        store_is_sound(&fixture, &context);
        exited(&fixture.run(&["ctl_mboxlist", "-v"]), 0);
    }
}

/// Deletes all that is there of sue's, the INBOX last.
fn delete_sue(address: std::net::SocketAddr, names: &[String], deleted: &AtomicUsize) {
    let Ok(mut admin) = Imap::login(address, harness::ADMIN, harness::PASSWORD) else { return };
    let folders = names.iter().map(|name| format!("user/sue/{name}"));
    for mailbox in folders.chain(["user/sue".to_owned()]) {
        // One that is gone already is refused; a server that is gone answers nothing.
        if admin.command(&format!("SETACL {mailbox} {} lrx", harness::ADMIN)).is_err() {
            return;
        }
        if admin.command(&format!("DELETE {mailbox}")).is_err() {
            return;
        }
        deleted.fetch_add(1, Ordering::Relaxed);
    }
}
