//! Making, deleting and renaming mailboxes.

use super::*;

#[test]
fn who_may_create() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    store.create_user("joe", None).unwrap();
    let (joe, sue, admin) = (Access::user("joe"), Access::user("sue"), Access::admin("admin"));
    let rows: &[(&Access, &str, Option<ErrorKind>)] = &[
        (&joe, "user/joe/a", None),
        (&joe, "user/joe/a", Some(ErrorKind::Exists)),
        (&joe, "user/joe/x/y/z", None),
        (&joe, "team", Some(ErrorKind::Denied)),
        (&joe, "user/joe", Some(ErrorKind::Denied)),
        (&joe, "user/sue", Some(ErrorKind::Denied)),
        (&joe, "user/sue/a", Some(ErrorKind::Denied)),
        (&sue, "user/joe/b", Some(ErrorKind::Denied)),
        (&sue, "user/joe/a", Some(ErrorKind::Denied)),
        (&admin, "user/bob/a", Some(ErrorKind::NotFound)),
        (&admin, "user/bob", None),
        (&admin, "team", None),
        (&admin, "DELETED/team", Some(ErrorKind::Denied)),
        (&joe, "team/x", Some(ErrorKind::Denied)),
        (&admin, "team/x", None),
    ];
    for (access, text, expected) in rows {
        let created = store.create(access, &name(text), &CreateOptions::default());
        assert_eq!(created.err().map(|error| error.kind()), *expected, "{} {text}", access.user);
    }
    let acl = |text: &str| store.row(&name(text)).unwrap().acl.to_string();
    assert_eq!(acl("user/joe/a"), "joe\tlrswipkxtecdan\t");
    assert_eq!(acl("user/bob"), "bob\tlrswipkxtecdan\t");
    assert_eq!((acl("team"), acl("team/x")), ("anyone\tlrs\t".into(), "anyone\tlrs\t".into()));
    check(&store);
}

#[test]
fn deleting_puts_aside_and_purging_removes() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    store.create_user("joe", kib(100)).unwrap();
    let (joe, admin) = (Access::user("joe"), Access::admin("admin"));
    for text in ["user/joe/a", "user/joe/a/b"] {
        store.create(&joe, &name(text), &CreateOptions::default()).unwrap();
        append(&store, text, 700).unwrap();
    }
    let held = store.mailbox(&name("user/joe/a")).unwrap();
    store.delete(&joe, &name("user/joe/a")).unwrap();
    assert!(held.is_gone());
    assert_eq!(kind(held.append(&[message(&store, 100).unwrap()], &AppendOptions::default())), ErrorKind::NotFound);
    assert_eq!(used(&store, "user/joe"), (700, 1));
    assert_eq!(store.mailbox(&name("user/joe/a/b")).unwrap().status().exists, 1, "what is below stays");
    // Deleted twice within the same second.
    store.create(&joe, &name("user/joe/a"), &CreateOptions::default()).unwrap();
    store.delete(&joe, &name("user/joe/a")).unwrap();
    let aside: Vec<_> = names(&store).into_iter().filter(|name| name.starts_with("DELETED/user/joe/a/")).collect();
    assert_eq!(aside.len(), 2);
    check(&store);

    // Hidden from its owner, not from administrators, who can take it back.
    assert_eq!(kind(store.my_rights(&joe, &name(&aside[0]))), ErrorKind::NotFound);
    store.set_acl(&admin, &name(&aside[0]), &id("admin"), AclMode::Add, rights("x")).unwrap();
    store.rename(&admin, &name(&aside[0]), &name("user/joe/back")).unwrap();
    assert_eq!(used(&store, "user/joe"), (1400, 2));
    assert_eq!(store.mailbox(&name("user/joe/back")).unwrap().status().exists, 1);
    check(&store);

    assert_eq!(store.purge_deleted(0).unwrap(), 0);
    assert_eq!(store.purge_deleted(now() + 100).unwrap(), 1);
    assert_eq!(names(&store), ["user/joe", "user/joe/a/b", "user/joe/back"]);
    assert!(!dir.path().join("spool/DELETED/user/joe").exists());
    assert_eq!(used(&store, "user/joe"), (1400, 2));
    check(&store);
}

#[test]
fn inboxes_are_deleted_by_administrators_only() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    let admin = Access::admin("admin");
    for user in ["joe", "joey", "sue"] {
        store.create_user(user, kib(10)).unwrap();
    }
    store.create(&Access::user("joe"), &name("user/joe/a"), &CreateOptions::default()).unwrap();
    store.set_quota(&name("user/joe/a"), kib(5)).unwrap();
    for (id, of) in [("joe", "user/sue"), ("-joe", "user/sue"), ("joey", "user/sue"), ("joe", "user/joey")] {
        let owner = Access::user(name(of).owner().unwrap());
        let id = Identifier::parse(id).unwrap();
        store.set_acl(&owner, &name(of), &id, AclMode::Replace, rights("lr")).unwrap();
    }
    assert_eq!(kind(store.delete(&Access::user("joe"), &name("user/joe"))), ErrorKind::Invalid);
    assert_eq!(kind(store.delete(&admin, &name("user/joe"))), ErrorKind::Denied, "no implicit x");
    store.set_acl(&admin, &name("user/joe"), &id("admin"), AclMode::Add, rights("x")).unwrap();
    store.delete(&admin, &name("user/joe")).unwrap();
    let left: Vec<_> = names(&store).into_iter().filter(|name| !name.starts_with("DELETED/user/joe/")).collect();
    assert_eq!(left, ["user/joey", "user/sue"]);
    assert_eq!(store.quota_roots().len(), 2);
    assert_eq!(store.subscriptions("joe").unwrap(), []);
    let acl = |of: &str| store.row(&name(of)).unwrap().acl.to_string();
    assert_eq!(acl("user/sue"), "sue\tlrswipkxtecdan\tjoey\tlr\t");
    assert_eq!(acl("user/joey"), "joey\tlrswipkxtecdan\t");
    assert!(!dir.path().join("spool/user/joe").exists());
    store.delete_user("joe").unwrap();
    store.create_user("joe", None).unwrap();
    assert_eq!(store.mailbox(&name("user/joe")).unwrap().status().exists, 0);
    check(&store);
}

#[test]
fn a_tree_is_renamed_whole() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    store.create_user("joe", kib(100)).unwrap();
    let joe = Access::user("joe");
    for text in ["user/joe/a", "user/joe/a/b/c", "user/joe/ab"] {
        store.create(&joe, &name(text), &CreateOptions::default()).unwrap();
        append(&store, text, 300).unwrap();
    }
    store.set_quota(&name("user/joe/a/b/c"), kib(1)).unwrap_or_default();
    assert_eq!((used(&store, "user/joe"), used(&store, "user/joe/a/b/c")), ((600, 2), (300, 1)));
    let (held, before) = (store.mailbox(&name("user/joe/a")).unwrap(), store.row(&name("user/joe/a")).unwrap());
    for (old, new, expected) in [
        ("user/joe/a", "user/joe/a/x", ErrorKind::Invalid),
        ("user/joe/a/b/c", "user/joe/a/b", ErrorKind::Invalid),
        ("user/joe/a", "user/joe/ab", ErrorKind::Exists),
        ("user/joe/none", "user/joe/x", ErrorKind::NotFound),
        ("user/joe/a", "team", ErrorKind::Denied),
    ] {
        assert_eq!(kind(store.rename(&joe, &name(old), &name(new))), expected, "{old} {new}");
    }
    store.rename(&joe, &name("user/joe/a"), &name("user/joe/new/z")).unwrap();
    assert_eq!(names(&store), ["user/joe", "user/joe/ab", "user/joe/new/z", "user/joe/new/z/b/c"]);
    let after = store.row(&name("user/joe/new/z")).unwrap();
    assert_eq!((&after.unique_id, after.uid_validity), (&before.unique_id, before.uid_validity));
    assert_eq!(held.name(), name("user/joe/new/z"));
    held.append(&[message(&store, 100).unwrap()], &AppendOptions::default()).unwrap();
    assert_eq!(store.mailbox(&name("user/joe/new/z")).unwrap().status().exists, 2);
    assert_eq!((used(&store, "user/joe"), used(&store, "user/joe/new/z/b/c")), ((700, 3), (300, 1)));
    assert_eq!(kind(store.quota(&name("user/joe/a/b/c"))), ErrorKind::NotFound);
    assert!(!dir.path().join("spool/user/joe/a").exists());
    check(&store);
    store.close().unwrap();
    drop((store, held));
    let (store, _) = open(dir.path());
    assert_eq!((used(&store, "user/joe"), used(&store, "user/joe/new/z/b/c")), ((700, 3), (300, 1)));
    check(&store);
}

#[test]
fn a_tree_can_be_renamed_over_a_place_that_only_has_children() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    store.create_user("joe", None).unwrap();
    let joe = Access::user("joe");
    for text in ["user/joe/a", "user/joe/a/x", "user/joe/b/y"] {
        store.create(&joe, &name(text), &CreateOptions::default()).unwrap();
        append(&store, text, 300).unwrap();
    }
    store.rename(&joe, &name("user/joe/a"), &name("user/joe/b")).unwrap();
    assert_eq!(names(&store), ["user/joe", "user/joe/b", "user/joe/b/x", "user/joe/b/y"]);
    for text in ["user/joe/b", "user/joe/b/x", "user/joe/b/y"] {
        assert_eq!(store.mailbox(&name(text)).unwrap().status().exists, 1, "{text}");
    }
    assert!(!dir.path().join("spool/user/joe/a").exists());
    check(&store);
}

#[test]
fn renaming_inbox_moves_its_messages() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    store.create_user("joe", kib(1)).unwrap();
    let joe = Access::user("joe");
    store.create(&joe, &name("user/joe/a"), &CreateOptions::default()).unwrap();
    append(&store, "user/joe", 400).unwrap();
    append(&store, "user/joe", 400).unwrap();
    assert_eq!(kind(store.rename(&joe, &name("user/joe"), &name("user/joe/a"))), ErrorKind::Exists);
    store.rename(&joe, &name("user/joe"), &name("user/joe/old")).unwrap();
    assert_eq!(names(&store), ["user/joe", "user/joe/a", "user/joe/old"]);
    let exists = |text: &str| store.mailbox(&name(text)).unwrap().status().exists;
    assert_eq!((exists("user/joe"), exists("user/joe/old")), (0, 2));
    assert_eq!(used(&store, "user/joe"), (800, 2));
    append(&store, "user/joe", 100).unwrap();
    assert_eq!(store.mailbox(&name("user/joe")).unwrap().read().uids().min(), Some(3));
    check(&store);
}

#[test]
fn a_use_is_unique_to_its_user() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    store.create_user("joe", None).unwrap();
    store.create_user("sue", None).unwrap();
    let sent = CreateOptions { special_use: vec![SpecialUse::Sent], ..CreateOptions::default() };
    for (user, text, expected) in [
        ("joe", "user/joe/Sent", None),
        ("joe", "user/joe/Sent2", Some(ErrorKind::Invalid)),
        ("sue", "user/sue/Sent", None),
    ] {
        let created = store.create(&Access::user(user), &name(text), &sent);
        assert_eq!(created.err().map(|error| error.kind()), expected, "{text}");
    }
    let joe = Access::user("joe");
    assert_eq!(kind(store.set_special_use(&joe, &name("user/joe"), &[SpecialUse::Junk])), ErrorKind::Invalid);
    store.set_special_use(&joe, &name("user/joe/Sent"), &[SpecialUse::Junk, SpecialUse::Sent]).unwrap();
    store.delete(&joe, &name("user/joe/Sent")).unwrap();
    store.create(&joe, &name("user/joe/Sent2"), &sent).unwrap();
    check(&store);
}

#[test]
fn deliveries_go_on_while_their_mailbox_moves() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    store.create_user("joe", kib(10_000)).unwrap();
    let joe = Access::user("joe");
    store.create(&joe, &name("user/joe/a"), &CreateOptions::default()).unwrap();
    let mailbox = store.mailbox(&name("user/joe/a")).unwrap();
    let moving = AtomicBool::new(true);
    let accepted: usize = std::thread::scope(|scope| {
        let deliver = || {
            let mut delivered = 0;
            while moving.load(Ordering::Acquire) || delivered < 20 {
                mailbox.append(&[message(&store, 100).unwrap()], &AppendOptions::default()).unwrap();
                delivered += 1;
            }
            delivered
        };
        let threads: Vec<_> = (0..2).map(|_| scope.spawn(deliver)).collect();
        for (old, new) in [("user/joe/a", "user/joe/b"), ("user/joe/b", "user/joe/a")].into_iter().cycle().take(10) {
            store.rename(&joe, &name(old), &name(new)).unwrap();
        }
        for limits in [kib(1000), None].into_iter().cycle().take(10) {
            store.set_quota(&name("user/joe/a"), limits).unwrap();
        }
        moving.store(false, Ordering::Release);
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(mailbox.status().exists as usize, accepted);
    assert_eq!(used(&store, "user/joe").1 as usize, accepted);
    check(&store);
}
