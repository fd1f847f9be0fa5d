//! A full disk: what does not fit is refused, what was promised stays, others read on, and when there is room again all
//! works again. The disk is a small tmpfs of the test's own, which needs root or a user namespace.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use harness::{Home, Imap, Server, corpus};
use tempfile::TempDir;

/// A small file system, gone with the test.
pub(crate) struct Disk {
    pub(crate) mounted: PathBuf,
    _parent: TempDir,
}

/// Says to the test, run again in a namespace of its own, that it is.
const IN_NAMESPACE: &str = "ANGARIUM_TEST_NAMESPACE";

impl Disk {
    /// Mounts a tmpfs for `test`. Who is not root may do so in a namespace: the test is run there, and `None` says that it is
    /// done, or that it cannot be done at all.
    pub(crate) fn mount(options: &str, test: &str) -> Option<Self> {
        let parent = TempDir::with_prefix("angarium-full-").unwrap();
        let mounted = parent.path().join("disk");
        fs::create_dir(&mounted).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", options, "angarium-test"]).arg(&mounted);
        if mount.output().is_ok_and(|output| output.status.success()) {
            return Some(Self { mounted, _parent: parent });
        }
        if std::env::var_os(IN_NAMESPACE).is_none() && may_unshare() {
            let mut again = Command::new("unshare");
            again.arg("-Urm").arg(std::env::current_exe().unwrap()).args([test, "--exact", "--nocapture"]);
            let ended = again.env(IN_NAMESPACE, "1").status().unwrap();
            assert!(ended.success(), "{test}, in a namespace of its own: {ended}");
            return None;
        }
        println!("SKIPPED {test}: needs root, or user namespaces, to mount a tmpfs");
        None
    }
}

fn may_unshare() -> bool {
    Command::new("unshare").args(["-Urm", "true"]).output().is_ok_and(|output| output.status.success())
}

impl Drop for Disk {
    fn drop(&mut self) {
        // A failing test may still have its server running there.
        let _ = Command::new("umount").arg("--lazy").arg(&self.mounted).output();
    }
}

#[test]
fn no_bytes_left() {
    fill_up("full_disk::no_bytes_left", "size=48m,mode=700", |filler| {
        let mut file = File::create(filler.join("bytes")).unwrap();
        // Down to the last block: first in large pieces, then in small ones.
        for size in [1 << 20, 4096, 1] {
            let piece = vec![0; size];
            while file.write_all(&piece).is_ok() {}
        }
    });
}

#[test]
fn no_inodes_left() {
    fill_up("full_disk::no_inodes_left", "size=256m,nr_inodes=400,mode=700", |filler| {
        let mut number = 0;
        while File::create(filler.join(number.to_string())).is_ok() {
            number += 1;
        }
    });
}

fn fill_up(test: &str, options: &str, fill: fn(&Path)) {
    let Some(disk) = Disk::mount(options, test) else { return };
    let home = Home::at(env!("CARGO_BIN_EXE_angarium"), &disk.mounted, &[]);
    home.add_user("joe");
    home.add_user("sue");
    let mut server = home.start();
    let (mut joe, mut sue) = (server.imap("joe"), server.imap("sue"));
    let mut promised = 0;
    for number in 1..=5 {
        assert!(joe.append("INBOX", "", &corpus::small(number)).unwrap().ok());
        assert!(sue.append("INBOX", "", &corpus::small(number)).unwrap().ok());
        promised += 1;
    }
    sue.must("SELECT INBOX").unwrap();

    let filler = disk.mounted.join("filler");
    fs::create_dir(&filler).unwrap();
    fill(&filler);
    // What is written ahead may have room for a few more.
    let mut refused = 0;
    for number in 6..60 {
        let answer = joe.append("INBOX", "", &corpus::small(number)).unwrap();
        assert!(answer.ok() || answer.status.starts_with("NO"), "{}", answer.status);
        promised += u32::from(answer.ok());
        refused += u32::from(!answer.ok());
    }
    assert!(refused > 0, "the disk is not full");
    let (mut delivered, mut deferred) = (0, 0);
    let mut lmtp = server.lmtp();
    for number in 100..110 {
        let Ok(replies) = lmtp.deliver("a@example.org", &["sue@example.org"], &corpus::small(number)) else {
            // MAIL itself may be refused when there is no room; a session goes on or a new one begins.
            deferred += 1;
            lmtp = server.lmtp();
            continue;
        };
        assert!(replies[0].starts_with("250") || replies[0].starts_with('4'), "{replies:?}");
        delivered += u32::from(replies[0].starts_with("250"));
        deferred += u32::from(replies[0].starts_with('4'));
    }
    assert!(deferred > 0, "deliveries go on although the disk is full");
    others_read_on(&mut sue);
    for command in
        ["CREATE New", "SUBSCRIBE INBOX", "STORE 1 +FLAGS (\\Flagged)", "COPY 1:5 INBOX", "SETACL INBOX joe l"]
    {
        let answer = sue.command(command).unwrap();
        assert!(!answer.status.starts_with("BAD"), "{command}: {}", answer.status);
        if command.starts_with("COPY") && answer.ok() {
            delivered += 5;
        }
    }
    assert!(server.is_alive(), "{}", server.log());

    fs::remove_dir_all(&filler).unwrap();
    for number in 200..203 {
        assert!(joe.append("INBOX", "", &corpus::small(number)).unwrap().ok(), "there is room again\n{}", server.log());
        promised += 1;
        let replies = server.lmtp().deliver("a@example.org", &["sue@example.org"], &corpus::small(number)).unwrap();
        assert!(replies[0].starts_with("250"), "there is room again: {replies:?}\n{}", server.log());
        delivered += 1;
    }
    joe.must("CREATE Afterwards").unwrap();
    sue.must("STORE 2 +FLAGS (\\Flagged)").unwrap();
    drop((joe, sue, lmtp));
    everything_is_there(&server, promised, 5 + delivered);
    server.stop(&["WARN".to_owned(), "ERROR".to_owned()]);

    let server = home.start();
    everything_is_there(&server, promised, 5 + delivered);
    server.stop(&["WARN".to_owned()]);
    home.check_store();
}

fn others_read_on(sue: &mut Imap) {
    for message in sue.fetch("UID FETCH 1:5 (UID BODY.PEEK[])").unwrap() {
        assert!(message.body == corpus::small(message.uid as usize), "UID {}", message.uid);
    }
    sue.must("FETCH 1:5 (FLAGS ENVELOPE BODYSTRUCTURE)").unwrap();
    assert_eq!(sue.must("SEARCH TEXT message").unwrap().status.split(' ').next(), Some("OK"));
}

fn everything_is_there(server: &Server, joes: u32, sues: u32) {
    for (user, count) in [("joe", joes), ("sue", sues)] {
        let mut imap = server.imap(user);
        assert_eq!(imap.must("SELECT INBOX").unwrap().number("EXISTS"), Some(count), "{user}");
        let bodies = imap.fetch("FETCH 1:* BODY.PEEK[]").unwrap();
        assert_eq!(bodies.len(), count as usize, "{user}");
        // LMTP replaces the Return-Path, the first line.
        let rest = |number| corpus::small(number).splitn(2, |&byte| byte == b'\n').last().unwrap().to_owned();
        let sent: Vec<_> = (1..=300).map(rest).collect();
        let whole = |body: &[u8]| sent.iter().any(|rest| body.ends_with(rest));
        assert!(bodies.iter().all(|message| whole(&message.body)), "{user}: a message is not what it was");
    }
}
