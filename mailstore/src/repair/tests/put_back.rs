//! What comes from a backup: message files, an index, whole directories.

use super::*;

#[test]
fn files_that_were_put_back_get_new_uids() {
    for open in [false, true] {
        let site = Site::new();
        let held = open.then(|| site.mailbox());
        if !open {
            // Expunged and forgotten: no trace of 2 is left in the index.
            let mailbox = site.mailbox();
            mailbox.remove_messages(&[2, 3].into_iter().collect::<UidSet>()).unwrap();
            site.store.settle();
            mailbox.repack(i64::MAX).unwrap();
        } else {
            site.mailbox().remove_messages(&[2, 3].into_iter().collect::<UidSet>()).unwrap();
            site.store.settle();
        }
        put(&site.inbox(), "2.", 2);
        let kept = site.repair(&RepairOptions { reinject: false, ..options() });
        assert_eq!(codes(&kept), [], "{:?}", kept.events);
        assert_eq!((kept.events[0].code, kept.events[0].uid), ("message.stray", Some(2)));
        let next = site.mailbox().status().uid_next;
        let repaired = site.repair(&options());
        assert_eq!(codes(&repaired), [("message.reinjected", Some(2))]);
        let after = messages(&site.mailbox());
        assert_eq!(uids(&after), [1, 4, 5, 6, next]);
        assert_eq!(after[&next].3, 2);
        assert_eq!(codes(&site.repair(&options())), []);
        drop(held);
    }
}

/// An administrator untars an old copy of the directory over the mailbox.
#[test]
fn a_directory_that_was_put_back() {
    for open in [false, true] {
        let site = Site::new();
        let backup = tempfile::tempdir().unwrap();
        copy(&site.inbox(), backup.path());
        let mailbox = site.mailbox();
        for n in 11..=14 {
            append(&site.store, "user/joe", n, if n == 11 { &["Later"] } else { &[] });
        }
        site.store_flag("1:2", SystemFlags::FLAGGED);
        mailbox.remove_messages(&[3, 4, 9, 10].into_iter().collect::<UidSet>()).unwrap();
        site.store.settle();
        mailbox.repack(i64::MAX).unwrap();
        let status = mailbox.status();
        let incarnation = mailbox.read().incarnation();
        drop(mailbox);
        let site = if open { site } else { site.restarted() };
        copy(backup.path(), &site.inbox());
        let context = if open { "open" } else { "closed" };
        let dry = site.repair(&RepairOptions { dry_run: true, ..options() });
        let repaired = site.repair(&options());
        assert_eq!(dry.events, repaired.events, "{context}");
        assert!(repaired.events.iter().any(|event| event.code == "index.restored"), "{context}: {repaired:?}");
        assert_eq!(codes(&site.repair(&options())), [], "{context}");
        let mailbox = site.mailbox();
        let after = messages(&mailbox);
        assert_eq!(uids(&after), [1, 2, 3, 4, 5, 6, 7, 8], "{context}");
        assert_eq!(
            after.values().map(|message| message.3).collect::<Vec<_>>(),
            [1, 2, 3, 4, 5, 6, 11, 12],
            "{context}"
        );
        assert_eq!(after[&1].0, SystemFlags::ANSWERED.bits(), "{context}: flags are those of the copy");
        assert_eq!(after[&5].1, ["$Work"], "{context}");
        if open {
            assert_eq!(after[&7].1, ["Later"], "memory knows");
            assert_ne!(mailbox.read().incarnation(), incarnation, "sessions select again");
        }
        let now = mailbox.status();
        assert_eq!(now.uid_validity, status.uid_validity, "{context}");
        assert!(now.uid_next >= status.uid_next, "{context}: UIDs 9 and 10 were used: {now:?}");
        let modseqs = mailbox.read().records(1..=u32::MAX).map(|record| record.modseq).min().unwrap();
        assert!(modseqs > status.highest_modseq, "{context}: all clients resynchronise");
        assert!(append(&site.store, "user/joe", 20, &[]).get() >= status.uid_next, "{context}");
        site.is_in_order(context);
    }
}

/// Only cyrus.* comes from the backup: messages that were expunged since, and are kept, are there again.
#[test]
fn an_index_that_was_put_back_alone() {
    let site = Site::new();
    let backup = tempfile::tempdir().unwrap();
    copy(&site.inbox(), backup.path());
    let mailbox = site.mailbox();
    mailbox.remove_messages(&[2, 3].into_iter().collect::<UidSet>()).unwrap();
    site.store.settle();
    (1..=6).for_each(|uid| std::fs::remove_file(backup.path().join(format!("{uid}."))).unwrap());
    copy(backup.path(), &site.inbox());
    let repaired = site.repair(&options());
    assert!(codes(&repaired).contains(&("message.taken_back", Some(2))), "{repaired:?}");
    assert_eq!(codes(&site.repair(&options())), []);
    assert_eq!(uids(&messages(&mailbox)), [1, 2, 3, 4, 5, 6]);
    site.is_in_order("");
}

#[test]
fn the_index_of_an_earlier_mailbox_of_that_name() {
    let site = Site::new();
    let joe = Access::user("joe");
    let other = name("user/joe/Other");
    let dir = site.inbox().join("Other");
    let backup = tempfile::tempdir().unwrap();
    site.store.close().unwrap();
    copy(&dir, backup.path());
    let Site { dir: top, store } = site;
    drop(store);
    let store = open_store(top.path(), Arc::new(RealDisk));
    store.delete(&joe, &other).unwrap();
    store.create(&joe, &other, &CreateOptions::default()).unwrap();
    append(&store, "user/joe/Other", 30, &[]);
    let before = store.row(&other).unwrap();
    store.close().unwrap();
    drop(store);
    copy(backup.path(), &dir);
    let store = open_store(top.path(), Arc::new(RealDisk));
    let repaired = store.reconstruct(&other, &options()).unwrap();
    assert!(repaired.events.iter().any(|event| event.code == "uidvalidity.raised"), "{repaired:?}");
    let after = store.row(&other).unwrap();
    assert!(after.uid_validity > before.uid_validity && after.unique_id == before.unique_id);
    assert_eq!(codes(&store.reconstruct(&other, &options()).unwrap()), []);
    let mailbox = store.mailbox(&other).unwrap();
    assert_eq!((mailbox.status().uid_validity, mailbox.status().exists), (after.uid_validity, 1));
}

#[test]
fn directories_are_listed_again() {
    let site = Site::new();
    let joe = Access::user("joe");
    let gone = name("user/joe/Gone");
    site.store.create(&joe, &gone, &CreateOptions::default()).unwrap();
    append(&site.store, "user/joe/Gone", 5, &["$Work"]);
    let before = site.store.row(&gone).unwrap();
    site.store.close().unwrap();
    let dir = site.inbox().join("Gone");
    let backup = tempfile::tempdir().unwrap();
    copy(&dir, backup.path());
    let Site { dir: top, store } = site;
    drop(store);
    let store = open_store(top.path(), Arc::new(RealDisk));
    store.delete(&joe, &gone).unwrap();
    store.purge_deleted(i64::MAX).unwrap();
    std::fs::create_dir_all(&dir).unwrap();
    copy(backup.path(), &dir);
    patch(&dir.join("cyrus.cache"), |bytes| *bytes.last_mut().unwrap() ^= 1);
    let dry = RepairOptions { dry_run: true, ..options() };
    let (would, dry) = store.list_again(crate::DEFAULT_PARTITION, &gone, &dry).unwrap();
    assert!(store.row(&gone).is_none());
    let (adopted, repaired) = store.list_again(crate::DEFAULT_PARTITION, &gone, &options()).unwrap();
    assert_eq!((would.warnings, dry.events), (adopted.warnings, repaired.events.clone()));
    assert_eq!(codes(&repaired), [("cache.record", Some(1))]);
    let after = store.row(&gone).unwrap();
    assert_eq!(
        (&after.unique_id, after.uid_validity, &after.acl),
        (&before.unique_id, before.uid_validity, &before.acl)
    );
    assert_eq!(messages(&store.mailbox(&gone).unwrap())[&1].1, ["$Work"]);
}
