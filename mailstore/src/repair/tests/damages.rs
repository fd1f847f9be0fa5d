//! Every kind of damage to one mailbox, closed and in use.

use super::*;

/// A damage, the changes that repair it while the mailbox is closed, and the UIDs that are there afterwards.
struct Case {
    name: &'static str,
    damage: fn(&Path),
    changes: &'static [(&'static str, Option<u32>)],
    uids: &'static [u32],
    /// Whether flags and keywords of the messages that were not touched are as before.
    flags: bool,
}

const ALL: &[u32] = &[1, 2, 3, 4, 5, 6];

const CASES: &[Case] = &[
    Case { name: "nothing", damage: |_| {}, changes: &[], uids: ALL, flags: true },
    Case {
        name: "index cut in a record",
        damage: |dir| patch(&dir.join("cyrus.index"), |bytes| bytes.truncate(256 + 3 * 128 + 7)),
        changes: &[
            ("index.damaged", None),
            ("message.added", Some(4)),
            ("message.added", Some(5)),
            ("message.added", Some(6)),
        ],
        uids: ALL,
        flags: false,
    },
    Case {
        name: "index header zeroed",
        damage: |dir| patch(&dir.join("cyrus.index"), |bytes| bytes[..160].fill(0)),
        changes: &[
            ("index.rebuilt", None),
            ("message.added", Some(1)),
            ("message.added", Some(2)),
            ("message.added", Some(3)),
            ("message.added", Some(4)),
            ("message.added", Some(5)),
            ("message.added", Some(6)),
        ],
        uids: ALL,
        flags: false,
    },
    Case {
        name: "cache deleted",
        damage: |dir| remove(dir, &["cyrus.cache"]),
        changes: &[("cache.rebuilt", None)],
        uids: ALL,
        flags: true,
    },
    Case {
        name: "cache of another generation",
        damage: |dir| {
            patch(&dir.join("cyrus.cache"), |bytes| {
                bytes[8] ^= 1;
                let crc = crc32fast::hash(&bytes[..12]);
                bytes[12..16].copy_from_slice(&crc.to_le_bytes());
            });
        },
        changes: &[("cache.rebuilt", None)],
        uids: ALL,
        flags: true,
    },
    Case {
        name: "a bit of the cache",
        damage: |dir| patch(&dir.join("cyrus.cache"), |bytes| *bytes.last_mut().unwrap() ^= 1),
        changes: &[("cache.record", Some(6))],
        uids: ALL,
        flags: true,
    },
    Case {
        name: "header deleted",
        damage: |dir| remove(dir, &["cyrus.header"]),
        changes: &[("header.rebuilt", None), ("keywords.dropped", None)],
        uids: ALL,
        flags: false,
    },
    Case {
        name: "all three deleted",
        damage: |dir| remove(dir, &["cyrus.header", "cyrus.index", "cyrus.cache"]),
        changes: &[
            ("header.rebuilt", None),
            ("index.rebuilt", None),
            ("message.added", Some(1)),
            ("message.added", Some(2)),
            ("message.added", Some(3)),
            ("message.added", Some(4)),
            ("message.added", Some(5)),
            ("message.added", Some(6)),
        ],
        uids: ALL,
        flags: false,
    },
    Case {
        name: "counters",
        damage: |dir| patch_header(dir, 52, 11),
        changes: &[("index.counters", None)],
        uids: ALL,
        flags: true,
    },
    Case {
        name: "more records than there are",
        damage: |dir| patch_header(dir, 48, 11),
        changes: &[("index.damaged", None)],
        uids: ALL,
        flags: true,
    },
    Case {
        name: "last UID too small",
        damage: |dir| patch_header(dir, 28, 3),
        changes: &[("index.last_uid", None)],
        uids: ALL,
        flags: true,
    },
    Case {
        name: "a record's checksum",
        damage: |dir| patch(&dir.join("cyrus.index"), |bytes| bytes[256 + 128 + 5] ^= 1),
        changes: &[("index.damaged", None), ("message.added", Some(2))],
        uids: ALL,
        flags: false,
    },
    Case {
        name: "a message is missing",
        damage: |dir| remove(dir, &["4."]),
        changes: &[("message.missing", Some(4))],
        uids: &[1, 2, 3, 5, 6],
        flags: true,
    },
    Case {
        name: "an empty message",
        damage: |dir| std::fs::write(dir.join("4."), "").unwrap(),
        changes: &[("message.empty", Some(4))],
        uids: &[1, 2, 3, 5, 6],
        flags: true,
    },
    Case {
        name: "an empty stray",
        damage: |dir| std::fs::write(dir.join("40."), "").unwrap(),
        changes: &[("message.empty", Some(40))],
        uids: ALL,
        flags: true,
    },
    Case {
        name: "odd files and leftovers",
        damage: |dir| {
            for file in ["core", "5.bak", "05.", "cyrus.index.NEW", "cyrus.seen.1-0123456789abcdef.tmp"] {
                std::fs::write(dir.join(file), "x").unwrap();
            }
        },
        changes: &[("file.leftover", None), ("file.leftover", None)],
        uids: ALL,
        flags: true,
    },
    Case {
        name: "seen deleted",
        damage: |dir| remove(dir, &["cyrus.seen"]),
        changes: &[("seen.repaired", None)],
        uids: ALL,
        flags: true,
    },
    Case {
        name: "seen garbage",
        damage: |dir| std::fs::write(dir.join("cyrus.seen"), [0xa5; 300]).unwrap(),
        changes: &[("seen.repaired", None)],
        uids: ALL,
        flags: true,
    },
    Case {
        name: "a file beyond the last UID",
        damage: |dir| put(dir, "50.", 50),
        changes: &[("message.added", Some(50)), ("index.restored", None)],
        uids: &[1, 2, 3, 4, 5, 6, 50],
        flags: true,
    },
    Case {
        name: "a message of another size",
        damage: |dir| put(dir, "2.", 52),
        changes: &[("message.differs", Some(2))],
        uids: ALL,
        flags: true,
    },
];

/// Runs a case on a mailbox that is closed, or open as `open` says.
fn check(case: &Case, open: bool) {
    let site = Site::new();
    let held = open.then(|| site.mailbox());
    let context = format!("{} ({})", case.name, if open { "open" } else { "closed" });
    let other = Site::new();
    let before = messages(&other.mailbox());
    let validity = site.row().uid_validity;
    (case.damage)(&site.inbox());
    let dry = site.repair(&RepairOptions { dry_run: true, ..options() });
    let repaired = site.repair(&options());
    assert_eq!(dry.events, repaired.events, "{context}: a dry run says the same");
    if !open {
        assert_eq!(codes(&repaired), case.changes, "{context}: {:?}", repaired.events);
    }
    let again = site.repair(&options());
    assert_eq!(codes(&again), [], "{context}: a second run");
    let mailbox = site.mailbox();
    assert!(held.is_none_or(|held| Arc::ptr_eq(&held, &mailbox)), "{context}");
    let after = messages(&mailbox);
    assert_eq!(uids(&after), case.uids, "{context}");
    if case.flags {
        for (uid, (flags, keywords, ..)) in after.iter().filter(|(uid, _)| before.contains_key(uid)) {
            assert_eq!((flags, keywords), (&before[uid].0, &before[uid].1), "{context}: uid {uid}");
        }
    }
    assert_eq!(mailbox.status().uid_validity, validity, "{context}");
    assert!(mailbox.status().uid_next > 6, "{context}");
    let findings = site.store.check_contents(&mut |_| {}).unwrap().findings;
    let damage: Vec<_> = findings.iter().filter(|f| f.severity == crate::Severity::Damage).collect();
    assert!(damage.is_empty(), "{context}: {damage:?}");
    // The mailbox is as good as new, now and after the next start.
    assert!(append(&site.store, "user/joe", 99, &["$Work"]).get() > *case.uids.last().unwrap(), "{context}");
    drop(mailbox);
    let site = site.restarted();
    assert_eq!(codes(&site.repair(&options())), [], "{context}: after a start");
    assert_eq!(messages(&site.mailbox()).len(), case.uids.len() + 1, "{context}");
}

#[test]
fn every_damage_of_a_closed_mailbox() {
    CASES.iter().for_each(|case| check(case, false));
}

#[test]
fn every_damage_of_a_mailbox_in_use() {
    CASES.iter().for_each(|case| check(case, true));
}

#[test]
fn a_mailbox_in_use_loses_nothing_that_memory_knows() {
    for file in ["cyrus.header", "cyrus.index", "cyrus.cache", "cyrus.seen"] {
        let site = Site::new();
        let mailbox = site.mailbox();
        let before = messages(&mailbox);
        remove(&site.inbox(), &[file]);
        site.repair(&options());
        assert_eq!(messages(&mailbox), before, "{file}");
        assert!(site.inbox().join(file).exists(), "{file}");
    }
}

#[test]
fn a_healthy_mailbox_is_not_touched() {
    let site = Site::new();
    let files = |site: &Site| -> BTreeMap<String, (Vec<u8>, std::time::SystemTime)> {
        let entries = std::fs::read_dir(site.inbox()).unwrap().map(|entry| entry.unwrap());
        let files = entries.filter(|entry| entry.file_type().unwrap().is_file());
        files
            .map(|entry| {
                let modified = entry.metadata().unwrap().modified().unwrap();
                (entry.file_name().into_string().unwrap(), (std::fs::read(entry.path()).unwrap(), modified))
            })
            .collect()
    };
    let before = files(&site);
    for contents in [false, true] {
        let repaired = site.repair(&RepairOptions { contents, ..options() });
        assert_eq!((repaired.events, repaired.messages), (vec![], 6));
        assert!(files(&site) == before);
    }
}
