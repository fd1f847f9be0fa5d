//! What an administrator asks for beyond the usual, and repairs of a mailbox in full use.

use super::*;

#[test]
fn contents_that_differ() {
    let cases = [
        (Mismatch::Update, "message.differs", vec![1, 2, 3, 4, 5, 6]),
        (Mismatch::Renumber, "message.renumbered", vec![2, 3, 4, 5, 6, 7]),
        (Mismatch::Discard, "message.discarded", vec![2, 3, 4, 5, 6]),
    ];
    for (mismatch, code, expected) in cases {
        let site = Site::new();
        let _held = site.mailbox();
        patch(&site.inbox().join("1."), |bytes| *bytes.last_mut().unwrap() = b' ');
        assert_eq!(codes(&site.repair(&options())), [], "the size is the same");
        let options = RepairOptions { contents: true, mismatch, ..options() };
        assert_eq!(codes(&site.repair(&options)), [(code, Some(1))]);
        assert_eq!(uids(&messages(&site.mailbox())), expected);
        assert_eq!(codes(&site.repair(&options)), []);
        site.is_in_order("");
    }
}

#[test]
fn what_is_asked_for() {
    let site = Site::new();
    let held = site.mailbox();
    let before = (held.status().uid_validity, messages(&held));
    let repaired = site.repair(&RepairOptions { bump_uid_validity: true, ..options() });
    assert_eq!(codes(&repaired), [("uidvalidity.raised", None)]);
    assert!(held.status().uid_validity > before.0);
    assert_eq!(site.row().uid_validity, held.status().uid_validity);
    assert_eq!(messages(&held), before.1, "nothing else changes");

    std::fs::write(site.inbox().join("core"), "x").unwrap();
    let repaired = site.repair(&RepairOptions { odd_files: OddFiles::Ignore, ..options() });
    assert_eq!(repaired.events, []);
    let repaired = site.repair(&RepairOptions { odd_files: OddFiles::Remove, ..options() });
    assert_eq!(codes(&repaired), [("file.odd", None)]);
    assert!(!site.inbox().join("core").exists());

    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(site.inbox().join("2."), std::fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(site.repair(&options()).events[0].kind, RepairKind::Note);
    let repaired = site.repair(&RepairOptions { fix_modes: true, ..options() });
    assert_eq!(codes(&repaired), [("file.mode", Some(2))]);
    assert_eq!(std::fs::metadata(site.inbox().join("2.")).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(site.repair(&options()).events, []);

    let error = site.store.reconstruct(&name("user/nobody"), &options()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

/// What may be the last trace of a message stays as it is; what is derived is repaired beside it.
#[test]
fn only_what_is_derived() {
    let options = RepairOptions { derived_only: true, contents: true, ..options() };
    let all = |repaired: &Repaired| -> Vec<_> { repaired.events.iter().map(|event| (event.code, event.uid)).collect() };
    for open in [false, true] {
        let site = Site::new();
        let held = open.then(|| site.mailbox());
        std::fs::remove_file(site.inbox().join("2.")).unwrap();
        std::fs::write(site.inbox().join("3."), "").unwrap();
        patch(&site.inbox().join("4."), |bytes| *bytes.last_mut().unwrap() = b' ');
        std::fs::write(site.inbox().join("5."), "shorter").unwrap();
        std::fs::write(site.inbox().join("cyrus.cache"), "no cache").unwrap();
        let index = std::fs::read(site.inbox().join("cyrus.index")).unwrap();
        let expected = [
            ("cache.rebuilt", None),
            ("message.missing", Some(2)),
            ("message.empty", Some(3)),
            ("message.differs", Some(4)),
            ("message.differs", Some(5)),
        ];
        assert_eq!(all(&site.repair(&RepairOptions { dry_run: true, ..options.clone() })), expected, "{open}");
        assert_eq!(all(&site.repair(&options)), expected, "{open}");
        assert_eq!(all(&site.repair(&options)), expected[1..], "{open}: the cache is made anew");
        assert_eq!(std::fs::read(site.inbox().join("3.")).unwrap(), b"", "the empty file is still there");
        assert_eq!(index.len(), std::fs::read(site.inbox().join("cyrus.index")).unwrap().len());
        drop(held);
        let mailbox = site.mailbox();
        assert_eq!(
            mailbox.read().uids().iter().collect::<Vec<_>>(),
            [1, 2, 3, 4, 5, 6],
            "{open}: all records are there"
        );
        let record = mailbox.read().record(Uid::new(4).unwrap()).unwrap();
        assert_eq!(record.hash, crate::ident::ContentHash::of(text(4).as_bytes()), "the hash is that of the message");
    }
}

/// Deliveries and flag changes go on while a mailbox is repaired over and over.
#[test]
fn a_mailbox_in_full_use() {
    let site = Site::new();
    let stop = AtomicBool::new(false);
    let delivered = std::thread::scope(|scope| {
        let deliverer = scope.spawn(|| {
            let mut uids = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                uids.push(append(&site.store, "user/joe", 30, &[]).get());
            }
            uids
        });
        let flagger = scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                site.store_flag("1:3", SystemFlags::FLAGGED);
                site.store_flag("5", SystemFlags::DRAFT);
            }
        });
        for turn in 0..30 {
            match turn % 5 {
                0 => remove(&site.inbox(), &["cyrus.cache"]),
                1 => remove(&site.inbox(), &["cyrus.index"]),
                2 => put(&site.inbox(), &format!("{}.", 1_000_000 * (turn + 1)), 70),
                3 => remove(&site.inbox(), &["cyrus.header", "cyrus.seen"]),
                _ => {}
            }
            site.repair(&options());
        }
        stop.store(true, Ordering::Relaxed);
        flagger.join().unwrap();
        deliverer.join().unwrap()
    });
    let after = messages(&site.mailbox());
    assert!(delivered.iter().all(|uid| after.get(uid).is_some_and(|message| message.3 == 30)));
    assert_eq!(after.len(), 6 + delivered.len() + 6);
    assert_eq!(after[&5].0, SystemFlags::DRAFT.bits());
    site.store.settle();
    site.is_in_order("");
}
