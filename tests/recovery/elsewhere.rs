//! A store that comes from another machine: copied with `cp` or `tar`, with other user ids, under another path, for a server
//! of another name.

use std::fs;
use std::os::unix::fs::{MetadataExt, lchown};
use std::path::Path;

use harness::transcript::Protocol;
use harness::{DOMAIN, Home, Lmtp};
use rustix::process::geteuid;
use tempfile::TempDir;

use crate::fixture::{Fixture, PROGRAM, Snapshot, copy, message};
use crate::invariants::{exited, lines};

/// A user id that nobody has here.
const ELSEWHERE: u32 = 54_321;

/// The fixture in another directory, with the configuration of that machine: absolute paths, another name.
fn moved(to: &Path) -> Home {
    copy(Fixture::new().home.path(), to);
    let path = |name: &str| to.join(name).display().to_string();
    let home = Home::at(
        PROGRAM,
        to,
        &[
            &format!("store.config_dir = \"{}\"", path("var/imap")),
            &format!("store.spool = \"{}\"", path("var/spool/imap")),
        ],
    );
    let file = to.join("angarium.toml");
    let configuration = fs::read_to_string(&file).unwrap();
    let configuration = configuration.replace(&format!("mail.{DOMAIN}"), "store.elsewhere.net");
    fs::write(&file, configuration.replace(&format!("domain = \"{DOMAIN}\""), "domain = \"elsewhere.net\"")).unwrap();
    home
}

fn chown(top: &Path, owner: u32) {
    let mut todo = vec![top.to_owned()];
    while let Some(path) = todo.pop() {
        lchown(&path, Some(owner), Some(owner)).unwrap();
        if path.symlink_metadata().unwrap().is_dir() {
            todo.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
    }
}

#[test]
fn a_store_of_another_machine_goes_on() {
    let parent = TempDir::with_prefix("angarium-elsewhere-").unwrap();
    let before = Fixture::new().before.clone();
    let home = moved(&parent.path().join("new"));
    // What the other machine's server has left: its lock names a host and a process that are not here.
    fs::write(home.config_dir().join("store.lock"), "host far.away.example\npid 1\n").unwrap();
    let server = home.start();
    let now = Snapshot::take(&server);
    for (name, old) in &before.mailboxes {
        let new = &now.mailboxes[name];
        assert_eq!(new.messages, old.messages, "{name}");
        assert_eq!((new.uid_validity, &new.acl), (old.uid_validity, &old.acl), "{name}");
        assert!(new.uid_next >= old.uid_next && new.modseq >= old.modseq, "{name}");
    }
    // joe is still whom his mail was for; the domain of a store is made once.
    let mut lmtp = Lmtp::open(server.address(Protocol::Lmtp)).unwrap();
    let joe = format!("joe@{DOMAIN}");
    let replies = lmtp.deliver("sender@example.org", &[&joe], &message(70)).unwrap();
    assert!(replies[0].starts_with("250"), "{replies:?}");
    let repaired = home.run(&["reconstruct", "-r"], b"");
    exited(&repaired, 0);
    assert!(lines(&repaired).last().is_some_and(|line| line.contains(" 0 changes, 0 problems")), "{repaired:?}");
    exited(&home.run(&["ctl_mboxlist", "-v"], b""), 0);
    server.stop(&[String::new()]);
    home.check_store();
}

#[test]
fn a_store_of_another_user_is_refused_until_it_is_ours() {
    if !geteuid().is_root() {
        println!("SKIPPED elsewhere::a_store_of_another_user_is_refused_until_it_is_ours: needs root, who may chown");
        return;
    }
    let parent = TempDir::with_prefix("angarium-elsewhere-").unwrap();
    let home = moved(&parent.path().join("new"));
    chown(&home.path().join("var"), ELSEWHERE);
    for command in [&["reconstruct", "-r"][..], &["ctl_mboxlist", "-r"], &["quota", "-f"], &["check"]] {
        let output = home.run(command, b"");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(77), "{command:?}: {said}");
        let named = said.contains(&format!("belongs to user {ELSEWHERE}")) && said.contains("server.user");
        assert!(named, "{command:?}: {said}");
    }
    // Files that came with another owner in directories that are ours: they are named, and set right when that is asked for.
    chown(&home.path().join("var"), 0);
    let inbox = home.spool().join("user/joe");
    for file in ["1.", "cyrus.index"] {
        lchown(inbox.join(file), Some(ELSEWHERE), None).unwrap();
    }
    let named = lines(&home.run(&["reconstruct", "user/joe"], b""));
    let of = |file: &str| named.iter().any(|line| line.contains(file) && line.contains(&format!("owner {ELSEWHERE}")));
    assert!(of("1. has mode") && of("cyrus.index has mode"), "{named:?}");
    exited(&home.run(&["reconstruct", "--fix-perms", "user/joe"], b""), 0);
    for file in ["1.", "cyrus.index"] {
        assert_eq!(fs::metadata(inbox.join(file)).unwrap().uid(), 0, "{file}");
    }
    let server = home.start();
    let joe = &Snapshot::take(&server).mailboxes["user/joe"];
    assert_eq!(joe.messages, Fixture::new().before.mailboxes["user/joe"].messages);
    server.stop(&[String::new()]);
    home.check_store();
}
