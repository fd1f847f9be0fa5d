//! Backup and restore of a running server: everything comes back, nothing twice, and damage is named.

#![allow(clippy::expect_used, clippy::panic, reason = "a test reports trouble by panicking")]

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use harness::transcript::Protocol;
use harness::{Home, Imap, PASSWORD, Reply, Server};

const PROGRAM: &str = env!("CARGO_BIN_EXE_angarium");

struct Site {
    home: Home,
    server: Server,
}

impl Site {
    /// Joe has five messages in his INBOX, with flags, and two in a folder.
    fn new() -> Self {
        let home = Home::new(PROGRAM, &[]);
        home.add_user("joe");
        home.add_user("sue");
        let server = home.start();
        let site = Self { home, server };
        let mut joe = site.joe();
        joe.must("CREATE Lists").expect("created");
        for n in 1..=5 {
            let options = match n {
                1 => "(\\Answered) \"17-Jul-2001 02:44:25 -0700\"",
                2 => "(\\Seen $Work)",
                _ => "",
            };
            assert!(joe.append("INBOX", options, &message(n)).expect("appended").ok());
        }
        for n in 6..=7 {
            assert!(joe.append("Lists", "(\\Flagged)", &message(n)).expect("appended").ok());
        }
        site
    }

    fn joe(&self) -> Imap {
        Imap::login(self.server.address(Protocol::Imap), "joe", PASSWORD).expect("joe logs in")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// Runs a command; its exit code and what it said.
    fn run(&self, arguments: &[&str]) -> (i32, String) {
        let output = self.home.run(arguments, b"");
        let said = [output.stdout, output.stderr].concat();
        (output.status.code().expect("an exit code"), String::from_utf8_lossy(&said).into_owned())
    }

    /// What a client sees of a mailbox: a line a message, without its UID.
    fn picture(&self, mailbox: &str) -> Vec<String> {
        let mut joe = self.joe();
        joe.must(&format!("EXAMINE {mailbox}")).expect("there");
        let answer = joe.must("FETCH 1:* (FLAGS INTERNALDATE BODY.PEEK[HEADER.FIELDS (SUBJECT)])").expect("fetched");
        let text = |reply: &Reply| String::from_utf8_lossy(&reply.0).into_owned();
        let lines = answer.untagged.iter().map(text).filter_map(|line| Some(line.split_once(" FETCH ")?.1.to_owned()));
        let mut picture: Vec<String> =
            lines.map(|line| line.replace("\\Recent", "").replace("  ", " ").replace(" )", ")")).collect();
        picture.sort();
        picture
    }

    fn uids(&self, mailbox: &str) -> Vec<u32> {
        let mut joe = self.joe();
        joe.must(&format!("EXAMINE {mailbox}")).expect("there");
        let answer = joe.must("UID SEARCH ALL").expect("searched");
        let lines = answer.untagged.iter().map(|reply| String::from_utf8_lossy(&reply.0).into_owned());
        let line = lines.into_iter().find(|line| line.contains("SEARCH")).expect("an answer");
        line.split(' ').filter_map(|word| word.trim().parse().ok()).collect()
    }

    fn finish(self, announced: &[&str]) {
        let announced: Vec<String> = announced.iter().map(|text| (*text).to_owned()).collect();
        self.server.stop(&announced);
        self.home.check_store();
    }
}

fn message(n: u32) -> Vec<u8> {
    format!("From: a@example.org\r\nSubject: number {n}\r\n\r\n{}\r\n", "text ".repeat(n as usize)).into_bytes()
}

fn inode(path: &Path) -> u64 {
    fs::metadata(path).unwrap_or_else(|error| panic!("{}: {error}", path.display())).ino()
}

#[test]
fn what_was_lost_comes_back_once() {
    let site = Site::new();
    let (inbox, lists) = (site.picture("INBOX"), site.picture("Lists"));
    assert_eq!((inbox.len(), lists.len()), (5, 2));
    assert_eq!(site.run(&["backup", "first"]).0, 0);
    assert_eq!(site.run(&["backup", "--verify", "first"]).0, 0);
    assert_eq!(site.run(&["backup", "first"]).0, 64, "it is not empty");

    let mut joe = site.joe();
    joe.must("SELECT INBOX").expect("selected");
    joe.must("STORE 1:4 +FLAGS.SILENT (\\Deleted)").expect("stored");
    joe.must("EXPUNGE").expect("expunged");
    assert!(joe.append("INBOX", "", &message(8)).expect("appended").ok());
    joe.must("DELETE Lists").expect("deleted");
    let before = site.uids("INBOX");

    let (exit, said) = site.run(&["restore", "--from", "first", "-n", "user/joe"]);
    assert_eq!((exit, said.lines().count()), (0, 2), "{said}");
    assert_eq!(site.uids("INBOX"), before, "a dry run does nothing");
    let (exit, said) = site.run(&["restore", "--from", "first", "user.joe"]);
    assert_eq!(exit, 0, "{said}");
    let after = site.uids("INBOX");
    assert_eq!(&after[..2], &before[..], "what is there stays");
    assert!(after.iter().skip(2).all(|uid| *uid > before[1]) && after.len() == 6, "{after:?}: no UID is used again");
    let now = site.picture("INBOX");
    assert!(inbox.iter().all(|line| now.contains(line)), "{inbox:#?}\n{now:#?}");
    assert_eq!(site.picture("Lists"), lists);

    let (exit, said) = site.run(&["restore", "--from", "first", "user/joe"]);
    assert_eq!(exit, 0, "{said}");
    assert_eq!(site.uids("INBOX"), after, "nothing comes twice");

    let (exit, said) = site.run(&["restore", "--from", "first", "user/joe", "--uid", "2,4", "--into", "user/joe/Side"]);
    assert_eq!(exit, 0, "{said}");
    assert_eq!(site.picture("Side").len(), 2);
    assert_eq!(site.run(&["restore", "--from", "first", "user/joe", "--uid", "77"]).0, 65);
    assert_eq!(site.run(&["restore", "--from", "first", "user/ann"]).0, 66);
    assert_eq!(site.run(&["restore", "--from", "nowhere", "user/joe"]).0, 66);
    site.finish(&[]);
}

#[test]
fn the_next_backup_costs_what_is_new() {
    let site = Site::new();
    assert_eq!(site.run(&["backup", "first"]).0, 0);
    assert!(site.joe().append("INBOX", "", &message(9)).expect("appended").ok());
    let (exit, said) = site.run(&["backup", "second", "--previous", "first", "--json"]);
    assert_eq!(exit, 0, "{said}");
    let said: serde_json::Value = serde_json::from_str(said.trim()).expect("JSON");
    assert_eq!((&said["messages"], &said["linked"]), (&8.into(), &7.into()));
    let file = |backup: &str, name: &str| site.path(backup).join("spool/default/user/joe").join(name);
    assert_eq!(inode(&file("first", "1.")), inode(&file("second", "1.")));
    assert_eq!(site.run(&["backup", "--verify", "second"]).0, 0);

    assert_eq!(site.run(&["backup", "third", "--hard-link"]).0, 0);
    assert_eq!(inode(&file("third", "1.")), inode(&site.home.spool().join("user/joe/1.")));
    site.finish(&[]);
}

/// The same as a stream, through the control socket and through a file: nobody but the owner may read either.
#[test]
fn an_archive_is_a_backup() {
    let site = Site::new();
    let output = site.home.run(&["backup", "--tar", "-"], b"");
    assert_eq!(output.status.code(), Some(0));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("7 messages"), "{said}");
    assert_eq!(site.run(&["backup", "--tar", "second.tar"]).0, 0);
    assert_eq!(site.run(&["backup", "--tar", "second.tar"]).0, 74, "it is there already");
    assert_eq!(fs::metadata(site.path("second.tar")).expect("there").mode() & 0o777, 0o600);
    fs::write(site.path("first.tar"), output.stdout).expect("written");
    for name in ["first", "second"] {
        fs::create_dir(site.path(name)).expect("made");
        let archive = site.path(&format!("{name}.tar"));
        let unpacked =
            std::process::Command::new("tar").arg("-xpf").arg(archive).arg("-C").arg(site.path(name)).status();
        assert!(unpacked.expect("tar runs").success());
        let (exit, said) = site.run(&["backup", "--verify", name]);
        assert_eq!(exit, 0, "{said}");
        let file = fs::metadata(site.path(name).join("spool/default/user/joe/1.")).expect("there");
        assert_eq!((file.mode() & 0o777, file.mtime()), (0o600, 995_363_065));
        let side = format!("user/joe/{name}");
        assert_eq!(site.run(&["restore", "--from", name, "user/joe", "--into", &side]).0, 0);
        assert_eq!(site.picture(name), site.picture("INBOX"));
    }
    site.finish(&[]);
}

#[test]
fn damage_is_named_and_not_restored() {
    let site = Site::new();
    assert_eq!(site.run(&["backup", "first"]).0, 0);
    let damaged = site.path("first/spool/default/user/joe/3.");
    let mut bytes = fs::read(&damaged).expect("read");
    bytes[10] ^= 1;
    fs::write(&damaged, bytes).expect("written");
    let (exit, said) = site.run(&["backup", "--verify", "first"]);
    assert_eq!(exit, 1);
    assert!(said.contains("user/joe/3.: the hash differs"), "{said}");
    let (exit, said) = site.run(&["restore", "--from", "first", "user/joe", "--into", "user/joe/Side"]);
    assert_eq!(exit, 65, "{said}");
    assert!(said.contains("3.: it is not the message that was saved"), "{said}");
    assert_eq!((site.picture("Side").len(), site.picture("Side/Lists").len()), (4, 2));

    let manifest = site.path("first/manifest.jsonl");
    let text = fs::read_to_string(&manifest).expect("read");
    fs::write(&manifest, text.lines().take(3).map(|line| format!("{line}\n")).collect::<String>()).expect("written");
    let (exit, said) = site.run(&["backup", "--verify", "first"]);
    assert_ne!(exit, 0);
    assert!(said.contains("cut off"), "{said}");
    fs::write(&manifest, text.replace("user/joe/3.", "../../../etc/passwd")).expect("written");
    assert_eq!(site.run(&["backup", "--verify", "first"]).0, 1, "a path leads out");
    fs::remove_file(&manifest).expect("removed");
    assert_eq!(site.run(&["restore", "--from", "first", "user/joe"]).0, 66, "not finished");

    // Nothing waits for a FIFO, nor follows a link.
    fs::write(&manifest, text).expect("written");
    fs::remove_file(&damaged).expect("removed");
    let made = std::process::Command::new("mkfifo").arg(&damaged).status().expect("mkfifo runs");
    assert!(made.success());
    let (exit, said) = site.run(&["backup", "--verify", "first"]);
    assert!(exit == 1 && said.contains("3.: not a regular file"), "{said}");
    assert_eq!(site.run(&["restore", "--from", "first", "user/joe"]).0, 65);

    // A message that the spool itself has lost, and one that it has in another form.
    fs::remove_file(site.home.spool().join("user/joe/4.")).expect("removed");
    fs::write(site.home.spool().join("user/joe/5."), message(50)).expect("written");
    let file = site.home.spool().join("user/joe/2.");
    fs::write(&file, fs::read_to_string(&file).expect("read").replace("text", "tent")).expect("written");
    let (exit, said) = site.run(&["backup", "second"]);
    assert_eq!(exit, 1, "{said}");
    assert!(said.contains("user/joe uid 4: ") && said.contains("user/joe uid 5: the file has "), "{said}");
    assert!(said.contains("user/joe uid 2: the file differs from its hash"), "{said}");
}

/// The way of the file tools: a directory of the backup over the live one, and `reconstruct`.
#[test]
fn a_directory_can_be_put_back() {
    let site = Site::new();
    let inbox = site.picture("INBOX");
    assert_eq!(site.run(&["backup", "first"]).0, 0);
    let mut joe = site.joe();
    joe.must("SELECT INBOX").expect("selected");
    joe.must("STORE 3:4 +FLAGS.SILENT (\\Deleted)").expect("stored");
    joe.must("EXPUNGE").expect("expunged");
    assert!(joe.append("INBOX", "", &message(8)).expect("appended").ok());
    // The server puts files of expunged messages aside in the background. Whoever puts them back at that very moment would
    // see them go once more; a check waits for what is under way.
    assert_eq!(site.run(&["check"]).0, 0);
    let from = site.path("first/spool/default/user/joe/.");
    let copied = std::process::Command::new("cp")
        .arg("-a")
        .args([from, site.home.spool().join("user/joe")])
        .status()
        .expect("cp runs");
    assert!(copied.success());
    let (exit, said) = site.run(&["reconstruct", "-r", "user/joe"]);
    assert_eq!(exit, 0, "{said}");
    let now = site.picture("INBOX");
    assert!(inbox.iter().all(|line| now.contains(line)), "{inbox:#?}\n{now:#?}");
    assert_eq!(now.len(), 6, "{now:#?}");
    assert_eq!(site.run(&["quota", "-f"]).0, 0);
    site.finish(&["event=reconstruct.changed"]);
}
