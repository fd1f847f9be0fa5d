//! What must be true after every repair, whatever was damaged. The numbers are those of the list that the repair tools
//! were built against (docs/recovery.md has it in words):
//!
//! 1. Every intact message file of a listed mailbox is reachable by IMAP exactly once, byte for byte.
//! 2. UIDs ascend, UIDNEXT is above all of them, and no UID stands for another message than before.
//! 3. UIDVALIDITY is the same, or larger where the damage made that necessary.
//! 4. Counters equal a recount; usage of a quota root is the sum over its mailboxes.
//! 5. Nothing half-written is left.
//! 6. Mailboxes that were not damaged are byte for byte as they were.
//! 7. A second run changes nothing; a dry run before lists exactly the changes made later.
//! 8. The exit code is right, and every change has a line of output and one of log.
//! 9. The server lives, and shows what is new.
//! 10. ACLs are as before.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Output;

use crate::fixture::{Fixture, MAILBOXES, MODES, Snapshot, Traffic};

/// What of a repair's outcome is not as before the damage.
#[derive(Debug, Clone, Default)]
pub(crate) struct Expected {
    /// Mailboxes whose files may differ: those that were damaged.
    pub(crate) damaged: BTreeSet<&'static str>,
    /// Messages that are gone, by mailbox and UID.
    pub(crate) gone: BTreeSet<(&'static str, u32)>,
    /// Mailboxes whose UIDVALIDITY is a new, larger one.
    pub(crate) new_validity: BTreeSet<&'static str>,
    /// Messages that are no longer flagged (but \Seen) as before.
    pub(crate) flags_lost: BTreeSet<(&'static str, u32)>,
    /// Messages whose internal date is another one.
    pub(crate) date_lost: BTreeSet<(&'static str, u32)>,
    /// Mailboxes whose seen state is lost.
    pub(crate) seen_lost: BTreeSet<&'static str>,
}

impl Expected {
    /// That mailbox was damaged, and all of it comes back.
    pub(crate) fn damage(mailbox: &'static str) -> Self {
        Self { damaged: [mailbox].into(), ..Self::default() }
    }
}

/// Lines of a command's standard output.
pub(crate) fn lines(output: &Output) -> Vec<String> {
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}

/// The exit code, with what was said on failure.
#[track_caller]
pub(crate) fn exited(output: &Output, code: i32) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert_eq!(output.status.code(), Some(code), "{}{}", text(&output.stdout), text(&output.stderr));
}

/// Checks invariants 1 to 4 and 10 against what clients see now, and returns that.
pub(crate) fn clients_see(fixture: &mut Fixture, expected: &Expected, context: &str) -> Snapshot {
    let now = fixture.look();
    let before = fixture.before.clone();
    for (name, mailbox) in &now.mailboxes {
        let context = format!("{context}: {name}");
        let on_disk = message_files(fixture, name);
        let served: BTreeSet<_> = mailbox.uids().into_iter().collect();
        assert_eq!(served, on_disk.keys().copied().collect(), "{context}: served and on disk (1)");
        for (uid, message) in &mailbox.messages {
            assert!(on_disk.get(uid) == Some(&message.body), "{context}: UID {uid} is not its file (1)");
        }
        assert!(mailbox.uids().last().is_none_or(|last| mailbox.uid_next > *last), "{context}: UIDNEXT (2)");
        let Some(old) = before.mailboxes.get(name) else { continue };
        let changed = expected.new_validity.contains(name.as_str());
        match changed {
            false => assert_eq!(mailbox.uid_validity, old.uid_validity, "{context}: UIDVALIDITY (3)"),
            true => assert!(mailbox.uid_validity > old.uid_validity, "{context}: UIDVALIDITY must grow (3)"),
        }
        assert_eq!(mailbox.acl, old.acl, "{context}: ACL (10)");
        if changed {
            continue;
        }
        assert!(mailbox.uid_next >= old.uid_next, "{context}: UIDNEXT went back (2)");
        assert!(mailbox.modseq >= old.modseq, "{context}: HIGHESTMODSEQ went back (2)");
        for (uid, message) in &old.messages {
            let key = |(mailbox, known): &(&str, u32)| *mailbox == name && known == uid;
            let Some(found) = mailbox.messages.get(uid) else {
                assert!(expected.gone.iter().any(key), "{context}: UID {uid} is lost");
                continue;
            };
            assert!(found.body == message.body, "{context}: UID {uid} is another message now (2)");
            let strip = |flags: &BTreeSet<String>| -> BTreeSet<String> {
                flags.iter().filter(|flag| *flag != "\\Seen").cloned().collect()
            };
            if !expected.flags_lost.iter().any(key) {
                assert_eq!(strip(&found.flags), strip(&message.flags), "{context}: flags of UID {uid}");
            }
            if !expected.date_lost.iter().any(key) {
                assert_eq!(found.date, message.date, "{context}: internal date of UID {uid}");
            }
            if !expected.seen_lost.contains(name.as_str()) {
                assert_eq!(
                    found.flags.contains("\\Seen"),
                    message.flags.contains("\\Seen"),
                    "{context}: \\Seen of {uid}"
                );
            }
        }
        if !expected.seen_lost.contains(name.as_str()) {
            let seen: BTreeSet<_> = old.seen_by_sue.iter().filter(|uid| mailbox.messages.contains_key(uid)).collect();
            assert!(mailbox.seen_by_sue.iter().collect::<BTreeSet<_>>() == seen, "{context}: what sue has seen");
        }
    }
    assert_eq!(now.subscribed, before.subscribed, "{context}: subscriptions");
    counters(fixture, &now, context);
    now
}

/// Invariant 4: STATUS and quota equal a recount.
fn counters(fixture: &Fixture, now: &Snapshot, context: &str) {
    let mut joe = fixture.server().imap("joe");
    for (internal, reader, name) in MAILBOXES {
        let Some(mailbox) = now.mailboxes.get(internal).filter(|_| reader == "joe") else { continue };
        let status = joe.must(&format!("STATUS \"{name}\" (MESSAGES UNSEEN SIZE)")).unwrap().untagged[0].to_string();
        let unseen = mailbox.messages.values().filter(|message| !message.flags.contains("\\Seen")).count();
        let wanted = format!("(MESSAGES {} UNSEEN {unseen} SIZE {})", mailbox.messages.len(), mailbox.bytes());
        assert!(status.ends_with(&wanted), "{context}: {status} but {wanted} (4)");
    }
    let bytes: u64 = now.mailboxes.iter().filter(|(name, _)| is_joes(name)).map(|(_, mailbox)| mailbox.bytes()).sum();
    let quota = joe.must("GETQUOTAROOT INBOX").unwrap().untagged;
    let quota: String = quota.iter().map(ToString::to_string).collect();
    assert!(quota.contains(&format!("STORAGE {} ", bytes.div_ceil(1024))), "{context}: {quota} but {bytes} bytes (4)");
}

fn is_joes(name: &str) -> bool {
    name == "user/joe" || name.starts_with("user/joe/")
}

/// The message files of a mailbox that hold anything.
pub(crate) fn message_files(fixture: &Fixture, mailbox: &str) -> BTreeMap<u32, Vec<u8>> {
    let uid = |name: &str| name.strip_suffix('.').filter(|uid| !uid.starts_with('0'))?.parse().ok();
    let files = fixture.files(mailbox).into_iter();
    files.filter_map(|(name, bytes)| Some((uid(&name)?, bytes))).filter(|(_, bytes)| !bytes.is_empty()).collect()
}

/// Invariant 5: nothing half-written is left, and the program's own check finds nothing. The server must not run.
pub(crate) fn store_is_sound(fixture: &Fixture, context: &str) {
    let mut todo = vec![fixture.home.spool()];
    while let Some(directory) = todo.pop() {
        for entry in fs::read_dir(directory).unwrap().map(Result::unwrap) {
            let name = entry.file_name().into_string().unwrap();
            let half = name.to_ascii_lowercase().ends_with(".new") || name.ends_with(".tmp");
            assert!(!half, "{context}: {} is left (5)", entry.path().display());
            if entry.file_type().unwrap().is_dir() {
                todo.push(entry.path());
            }
        }
    }
    let output = fixture.run(&["check", "--contents"]);
    assert!(output.status.success(), "{context}: check says\n{}", String::from_utf8_lossy(&output.stdout));
}

/// Every message whose delivery to joe was acknowledged is there, once. A delivered message has a Return-Path and a
/// Received above what was sent.
pub(crate) fn all_delivered(now: &Snapshot, kept: &[Vec<u8>], context: &str) {
    let joe = &now.mailboxes["user/joe"];
    for message in kept {
        let there = joe.messages.values().filter(|found| found.body.ends_with(message)).count();
        assert_eq!(there, 1, "{context}: {}", String::from_utf8_lossy(message));
    }
}

/// The files of all mailboxes that are not damaged, to be compared later (6).
pub(crate) fn untouched(fixture: &Fixture, expected: &Expected) -> BTreeMap<&'static str, BTreeMap<String, Vec<u8>>> {
    let others = MAILBOXES.iter().filter(|(name, ..)| !expected.damaged.contains(name));
    others.map(|(name, ..)| (*name, fixture.files(name))).collect()
}

#[test]
fn hold_for_a_store_that_was_not_damaged() {
    let mut fixture = Fixture::new();
    let now = clients_see(&mut fixture, &Expected::default(), "undamaged");
    assert_eq!(now.mailboxes.len(), MAILBOXES.len());
    let joe = &now.mailboxes["user/joe"];
    assert_eq!(joe.messages[&5].flags, ["$Work", "\\Seen"].map(str::to_owned).into());
    assert_eq!(joe.messages[&9].date, "9-Mar-2024 10:20:30 +0100");
    assert_eq!(joe.seen_by_sue, [2].into());
    let sizes: BTreeSet<_> = joe.messages.values().map(|message| message.body.len()).collect();
    assert_eq!(sizes.len(), 10, "every message has a size of its own");
    fixture.stop();
    let files = untouched(&fixture, &Expected::damage("user/joe"));
    assert_eq!(files.len(), MAILBOXES.len() - 1);
    exited(&fixture.run(&["check"]), 0);
    store_is_sound(&fixture, "undamaged");
    assert!(lines(&fixture.run(&["check"])).last().is_some_and(|line| line.starts_with("7 mailboxes")));
}

#[test]
fn hold_in_every_mode() {
    for mode in MODES {
        let context = format!("{mode:?}");
        let (mut fixture, traffic) = Fixture::begin(mode);
        assert!(fixture.file("user/joe", "10.").exists());
        if let Some(traffic) = &traffic {
            traffic.await_more(10);
        }
        let kept = traffic.map(Traffic::finish).unwrap_or_default();
        let now = clients_see(&mut fixture, &Expected::damage("user/joe"), &context);
        all_delivered(&now, &kept, &context);
        fixture.stop();
        store_is_sound(&fixture, &context);
    }
}
