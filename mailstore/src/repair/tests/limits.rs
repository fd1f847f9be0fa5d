//! What a repair leaves alone: what it was not asked for, what is no message, and everything when it is stopped.

use durable::disk::{Fault, FaultyDisk};
use rustix::io::Errno;

use super::*;
use crate::stage::MAX_MESSAGE;

/// All files of a directory.
fn files(dir: &Path) -> BTreeMap<std::ffi::OsString, Vec<u8>> {
    let entries = std::fs::read_dir(dir).unwrap().map(Result::unwrap);
    let plain = entries.filter(|entry| entry.file_type().unwrap().is_file());
    plain.map(|entry| (entry.file_name(), std::fs::read(entry.path()).unwrap())).collect()
}

fn problems(repaired: &Repaired) -> Vec<(&'static str, Option<u32>)> {
    let problems = repaired.events.iter().filter(|event| event.kind == RepairKind::Problem);
    problems.map(|event| (event.code, event.uid)).collect()
}

#[test]
fn nothing_but_what_was_asked_for() {
    const CACHE: &[&str] = &["cache.rebuilt", "cache.record"];
    for open in [false, true] {
        for more in [false, true] {
            let site = Site::new();
            let mailbox = open.then(|| site.mailbox());
            // In place, as a disk spoils it.
            std::fs::File::options().write(true).open(site.inbox().join("cyrus.cache")).unwrap().set_len(20).unwrap();
            if more {
                put(&site.inbox(), "9.", 9);
            }
            let before = files(&site.inbox());
            let options = RepairOptions { only: Some(CACHE), ..options() };
            let repaired = site.store.reconstruct(&name("user/joe"), &options);
            let context = format!("open {open}, more {more}: {repaired:?}");
            if more {
                assert_eq!(repaired.unwrap_err().kind(), ErrorKind::Corrupt, "{context}");
                assert_eq!(files(&site.inbox()), before, "{context}");
            } else {
                assert!(codes(&repaired.unwrap()).iter().all(|(code, _)| CACHE.contains(code)), "{context}");
                site.is_in_order(&context);
            }
            drop(mailbox);
        }
    }
}

#[test]
fn a_repair_that_is_stopped_has_changed_nothing() {
    for open in [false, true] {
        let site = Site::new();
        let mailbox = open.then(|| site.mailbox());
        remove(&site.inbox(), &["cyrus.cache", "2."]);
        let before = files(&site.inbox());
        let stop = Arc::new(AtomicBool::new(true));
        let options = RepairOptions { stop: Some(Arc::clone(&stop)), ..options() };
        let stopped = site.store.reconstruct(&name("user/joe"), &options).unwrap_err();
        assert_eq!(stopped.kind(), ErrorKind::Unavailable);
        assert_eq!(files(&site.inbox()), before);
        stop.store(false, Ordering::Release);
        site.repair(&options);
        site.is_in_order(&format!("open {open}"));
        drop(mailbox);
    }
}

#[test]
fn a_repair_that_fails_leaves_no_half_a_cache() {
    let template = Site::new();
    remove(&template.inbox(), &["cyrus.index", "cyrus.cache"]);
    template.store.close().unwrap();
    for step in 1.. {
        let dir = tempfile::tempdir().unwrap();
        crashes::copy_tree(template.dir.path(), dir.path());
        let disk = Arc::new(FaultyDisk::new(Arc::new(RealDisk)));
        let store = open_store(dir.path(), Arc::clone(&disk) as Arc<dyn Disk>);
        disk.set_fault(Some(Fault::Fail { at: disk.changes() + step, errno: Errno::IO, lasting: false }));
        let repaired = store.reconstruct(&name("user/joe"), &options());
        if repaired.is_ok() {
            break;
        }
        let names: Vec<_> = files(&dir.path().join("spool/user/joe")).into_keys().collect();
        let half = |name: &std::ffi::OsString| name.to_string_lossy().starts_with("cyrus.cache.");
        assert!(!names.iter().any(half), "step {step}: {names:?}");
        // A failed sync of the mailbox list is for the next start.
        if store.is_usable() {
            store.reconstruct(&name("user/joe"), &options()).unwrap();
            store.close().unwrap();
        }
    }
}

#[test]
fn a_file_that_is_larger_than_any_message_is_left_alone() {
    for open in [false, true] {
        let site = Site::new();
        let mailbox = open.then(|| site.mailbox());
        put(&site.inbox(), "60.", 60);
        for (file, size) in [("60.", MAX_MESSAGE + 1), ("2.", 2 << 30), ("3.", 5 << 30)] {
            let path = site.inbox().join(file);
            std::fs::File::options().write(true).open(path).unwrap().set_len(size).unwrap();
        }
        remove(&site.inbox(), &["cyrus.cache"]);
        let large = [("message.too_large", Some(2)), ("message.too_large", Some(3)), ("message.too_large", Some(60))];
        for contents in [false, true] {
            let repaired = site.repair(&RepairOptions { contents, ..options() });
            assert_eq!(problems(&repaired), large, "open {open}, contents {contents}");
        }
        // Read whole where nobody must be: the cache of such a message can't be made.
        let mailbox = mailbox.unwrap_or_else(|| site.mailbox());
        let uids: Vec<u32> = mailbox.read().uids().iter().collect();
        assert_eq!(uids, [1, 2, 3, 4, 5, 6], "open {open}");
        drop(mailbox);
        // Who does not want them says so.
        let discard = RepairOptions { mismatch: Mismatch::Discard, ..options() };
        assert_eq!(problems(&site.repair(&discard)), [("message.too_large", Some(60))]);
        assert_eq!(site.mailbox().read().uids().iter().collect::<Vec<_>>(), [1, 4, 5, 6]);
        std::fs::remove_file(site.inbox().join("60.")).unwrap();
        site.store.settle();
        site.repair(&options());
        site.is_in_order(&format!("open {open}"));
    }
}

#[test]
fn a_mailbox_with_such_a_file_opens_after_a_crash() {
    let site = Site::new();
    put(&site.inbox(), "7.", 7);
    put(&site.inbox(), "8.", 8);
    std::fs::File::options().write(true).open(site.inbox().join("8.")).unwrap().set_len(3 << 30).unwrap();
    drop(site.mailbox());
    let Site { dir, store } = site;
    drop(store);
    let site = Site { store: open_store(dir.path(), Arc::new(RealDisk)), dir };
    assert_eq!(site.mailbox().read().uids().iter().collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6, 7]);
    // And goes on: a new message does not get the name that is taken.
    append(&site.store, "user/joe", 9, &[]);
    assert!(site.mailbox().read().uids().max() > Some(8));
    assert_eq!(std::fs::metadata(site.inbox().join("8.")).unwrap().len(), 3 << 30);
}
