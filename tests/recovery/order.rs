//! The operator's order: many damages at once, and the commands of docs/recovery.md one after the other.

use std::fs::{self, File};
use std::process::Command;

use crate::fixture::{Fixture, MAILBOXES, Mode};
use crate::invariants::{Expected, all_delivered, clients_see, exited, lines, store_is_sound};

/// Bytes of cyrus.index up to the middle of the fourth record (docs/formats/index.md).
const MID_RECORD: u64 = 256 + 3 * 128 + 7;

/// An index cut off, a message missing, a quota wrong, seen state overwritten: scenarios 1, 16, 33 and 36.
fn damage_inbox(fixture: &Fixture) {
    let index = File::options().write(true).open(fixture.file("user/joe", "cyrus.index")).unwrap();
    index.set_len(MID_RECORD).unwrap();
    fs::remove_file(fixture.file("user/joe", "4.")).unwrap();
    fs::write(fixture.home.config_dir().join("quota/j/user.joe"), "1\n10240\nM 1 -1\n").unwrap();
    let noise: Vec<u8> = (0u32..300).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    fs::write(fixture.file("user/joe", "cyrus.seen"), noise).unwrap();
}

/// The list, with or without its copies: scenario 24.
fn lose_list(fixture: &Fixture, copies: bool) {
    fs::remove_dir_all(fixture.home.config_dir().join("mailboxes.db")).unwrap();
    for entry in fs::read_dir(fixture.home.config_dir().join("copies")).unwrap().map(Result::unwrap) {
        if !copies && entry.file_name().to_string_lossy().starts_with("mailboxes.") {
            fs::remove_file(entry.path()).unwrap();
        }
    }
}

/// What those damages cost: message 4, flags and dates of those whose records were cut off, what was seen.
fn expected(header_lost: &'static str) -> Expected {
    let mut expected = Expected::damage("user/joe");
    expected.damaged.insert(header_lost);
    expected.gone.insert(("user/joe", 4));
    for uid in 4..=10 {
        expected.flags_lost.insert(("user/joe", uid));
        expected.date_lost.insert(("user/joe", uid));
    }
    expected.seen_lost.insert("user/joe");
    expected
}

/// The commands in their order; what each of them must say of itself.
fn follow_the_order(fixture: &Fixture, context: &str) {
    let recovered = fixture.run(&["ctl_mboxlist", "-r"]);
    exited(&recovered, 0);
    exited(&fixture.run(&["ctl_mboxlist", "-v"]), 0);
    let reconstructed = fixture.run(&["reconstruct", "-r", "-f"]);
    exited(&reconstructed, 0);
    let fixed = fixture.run(&["quota", "-f"]);
    exited(&fixed, 0);
    let report = fixture.run(&["quota"]);
    exited(&report, 0);
    assert!(lines(&report).iter().any(|line| line.ends_with(" user/joe")), "{context}: {:?}", lines(&report));
    // A second round has nothing to do.
    assert_eq!(lines(&fixture.run(&["ctl_mboxlist", "-r"])), ["7 mailboxes, nothing to do"], "{context} (7)");
    assert_eq!(lines(&fixture.run(&["reconstruct", "-r", "-f", "-q"])), [""; 0], "{context} (7)");
    assert_eq!(lines(&fixture.run(&["quota", "-f", "-q"])), [""; 0], "{context} (7)");
}

#[test]
fn six_damages_at_once() {
    for (copies, header_lost) in [(true, "user/joe"), (false, "user/joe/Lists")] {
        let context = format!("1+7+16+24+33+36, copies {copies}");
        let mut fixture = Fixture::new();
        damage_inbox(&fixture);
        fs::remove_file(fixture.file(header_lost, "cyrus.header")).unwrap();
        lose_list(&fixture, copies);
        follow_the_order(&fixture, &context);
        let now = clients_see(&mut fixture, &expected(header_lost), &context);
        assert_eq!(now.mailboxes.len(), MAILBOXES.len(), "{context}");
        assert_eq!(now.mailboxes["user/joe"].uids(), [1, 2, 3, 5, 6, 7, 8, 9, 10], "{context}");
        fixture.stop();
        store_is_sound(&fixture, &context);
    }
}

/// The same under a server that delivers mail; it holds the list open, so that losing the files costs it nothing.
#[test]
fn six_damages_at_once_under_load() {
    let context = "1+7+16+24+33+36, busy";
    let (mut fixture, traffic) = Fixture::begin(Mode::Busy);
    let traffic = traffic.unwrap();
    damage_inbox(&fixture);
    fs::remove_file(fixture.file("user/joe", "cyrus.header")).unwrap();
    lose_list(&fixture, true);
    traffic.await_more(3);
    for command in [&["ctl_mboxlist", "-r"][..], &["reconstruct", "-r", "-f"], &["quota", "-f"]] {
        exited(&fixture.run(command), 0);
    }
    traffic.await_more(3);
    let kept = traffic.finish();
    follow_the_order(&fixture, context);
    let now = clients_see(&mut fixture, &expected("user/joe"), context);
    all_delivered(&now, &kept, context);
    fixture.stop();
    let now = clients_see(&mut fixture, &expected("user/joe"), context);
    all_delivered(&now, &kept, context);
    fixture.stop();
    store_is_sound(&fixture, context);
}

/// The newcomer's rescue of docs/recovery.md: the list deleted, a user put back by tar, his quota wrong; four commands.
#[test]
fn four_commands_of_a_newcomer() {
    let context = "newcomer";
    let mut fixture = Fixture::new();
    let backup = fixture.home.config_dir().join("joe.tar");
    let tar = |arguments: &[&str]| {
        let status = Command::new("tar").args(arguments).arg("-C").arg(fixture.home.spool()).status().unwrap();
        assert!(status.success(), "tar {arguments:?}");
    };
    let file = backup.to_str().unwrap().to_owned();
    let status = Command::new("tar").args(["-cf", &file, "-C"]).arg(fixture.home.spool()).arg("user/joe").status();
    assert!(status.unwrap().success());
    fs::remove_dir_all(fixture.dir("user/joe")).unwrap();
    lose_list(&fixture, false);
    tar(&["-xf", &file]);
    fs::write(fixture.home.config_dir().join("quota/j/user.joe"), "99999999\n10240\nM 1 -1\n").unwrap();
    fs::remove_file(backup).unwrap();
    let mut said = Vec::new();
    for command in [&["ctl_mboxlist", "-r"][..], &["reconstruct"], &["quota", "-f"], &["ctl_mboxlist", "-v"]] {
        let output = fixture.run(command);
        exited(&output, 0);
        said.push(lines(&output));
    }
    // Nobody believes a quota file after such a loss: the commands before have counted.
    let bytes: u64 =
        fixture.before.mailboxes.iter().filter(|(name, _)| name.starts_with("user/joe")).map(|(_, m)| m.bytes()).sum();
    assert_eq!(said[2].last(), Some(&format!("   10240       0 {:>7} user/joe", bytes / 1024)), "{said:#?}");
    assert_eq!(said[3], [""; 0]);
    let now = clients_see(&mut fixture, &Expected::damage("user/joe"), context);
    assert_eq!(now.mailboxes.len(), MAILBOXES.len());
    fixture.stop();
    store_is_sound(&fixture, context);
}
