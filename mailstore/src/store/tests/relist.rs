//! `ctl_mboxlist -r`: the list comes back from whatever is left of it and of the directories.

use super::*;
use crate::list::Change;

/// What a repair says.
#[derive(Default)]
struct Heard(Vec<ListFinding>);

impl ListAudience for Heard {
    fn found(&mut self, finding: &ListFinding) -> bool {
        self.0.push(finding.clone());
        true
    }

    fn progress(&mut self, _: &str, _: u64, _: Option<u64>) -> bool {
        true
    }
}

fn repair(store: &Store, request: &ListRepair) -> Vec<ListFinding> {
    let mut heard = Heard::default();
    store.repair_list(request, &mut heard).unwrap();
    heard.0
}

fn lines(findings: &[ListFinding]) -> Vec<String> {
    findings.iter().map(ToString::to_string).collect()
}

/// Joe with a quota root, two folders with an ACL and a special use, sue, and a shared mailbox on another partition.
fn sample(dir: &Path) -> Arc<Store> {
    let (store, _) = Store::open(two_partitions(dir), Arc::new(RealDisk)).unwrap();
    store.create_user("joe", kib(100)).unwrap();
    store.create_user("sue", None).unwrap();
    let joe = Access::user("joe");
    let sent = CreateOptions { special_use: vec![SpecialUse::Sent], ..CreateOptions::default() };
    store.create(&joe, &name("user/joe/Lists"), &sent).unwrap();
    store.create(&joe, &name("user/joe/Lists/rust"), &CreateOptions::default()).unwrap();
    store.set_acl(&joe, &name("user/joe/Lists"), &id("sue"), AclMode::Replace, rights("lrs")).unwrap();
    let big = CreateOptions { partition: Some("big".into()), ..CreateOptions::default() };
    store.create(&Access::admin("admin"), &name("team"), &big).unwrap();
    for text in ["user/joe", "user/joe/Lists", "user/joe/Lists/rust", "user/sue", "team"] {
        append(&store, text, 300).unwrap();
    }
    store
}

fn two_partitions(dir: &Path) -> StoreOptions {
    let base = options(dir);
    StoreOptions { layout: base.layout.with_partition("big", dir.join("big")), ..base }
}

/// Opens as `ctl_mboxlist -r` does, and repairs.
fn recover(dir: &Path, request: ListRepair) -> (Arc<Store>, OpenReport, Vec<ListFinding>) {
    let options = StoreOptions { salvage: true, create: false, ..two_partitions(dir) };
    let (store, report) = Store::open(options, Arc::new(RealDisk)).unwrap();
    let findings = repair(&store, &ListRepair { unproven: !report.is_proved(), ..request });
    (store, report, findings)
}

/// Name, unique id, partition, UIDVALIDITY, ACL, quota root, special uses.
type Essence = (String, String, String, u32, String, Option<String>, Vec<SpecialUse>);

/// All that must come back of a row.
fn essence(store: &Store) -> Vec<Essence> {
    let mut all = Vec::new();
    store.list("", |_, row| {
        all.push((
            row.name.to_string(),
            row.unique_id.to_string(),
            row.partition.clone(),
            row.uid_validity.get(),
            row.acl.to_string(),
            row.quota_root.as_ref().map(ToString::to_string),
            row.special_use.clone(),
        ));
        ControlFlow::Continue(())
    });
    all
}

fn lose(dir: &Path, what: &[&str]) {
    for lost in what {
        let path = dir.join("config").join(lost);
        if path.is_dir() { std::fs::remove_dir_all(path).unwrap() } else { std::fs::remove_file(path).unwrap() }
    }
}

#[test]
fn a_list_that_lost_everything_comes_back_from_headers() {
    let dir = tempfile::tempdir().unwrap();
    let store = sample(dir.path());
    let (before, marks) = (essence(&store), store.marks(&store.row(&name("user/joe")).unwrap()).unwrap());
    store.close().unwrap();
    drop(store);
    lose(dir.path(), &["mailboxes.db", "copies"]);
    // No server starts on that.
    let refused = Store::open(two_partitions(dir.path()), Arc::new(RealDisk)).unwrap_err().to_string();
    assert!(refused.contains("ctl_mboxlist -r"), "{refused}");
    let (store, report, findings) = recover(dir.path(), ListRepair::default());
    assert!(!report.is_proved());
    assert_eq!(essence(&store), before);
    assert_eq!(findings.len(), 5, "{findings:#?}");
    assert!(findings.iter().all(|finding| finding.kind == ListFindingKind::Unlisted && finding.repaired));
    assert!(store.marks(&store.row(&name("user/joe")).unwrap()).unwrap().last_uid >= 1, "{marks:?}");
    assert_eq!(store.quota(&name("user/joe")).unwrap().limits.storage_kib, Some(100));
    assert_eq!(used(&store, "user/joe"), (900, 3));
    assert_eq!(lines(&repair(&store, &ListRepair { unproven: true, ..ListRepair::default() })), [""; 0]);
    append(&store, "user/joe", 300).unwrap();
    check(&store);
    store.close().unwrap();
    drop(store);
    // From here on the server starts.
    let (store, _) = Store::open(two_partitions(dir.path()), Arc::new(RealDisk)).unwrap();
    assert_eq!(essence(&store), before);
}

#[test]
fn a_dry_run_says_what_the_repair_does() {
    let dir = tempfile::tempdir().unwrap();
    let store = sample(dir.path());
    let spool = dir.path().join("spool");
    // A folder of another name, one that lost its row, one that lost its directory, one on another partition.
    std::fs::rename(spool.join("user/joe/Lists/rust"), spool.join("user/joe/oxide")).unwrap();
    std::fs::create_dir_all(dir.path().join("big/user")).unwrap();
    std::fs::rename(spool.join("user/sue"), dir.path().join("big/user/sue")).unwrap();
    let lists = store.row(&name("user/joe/Lists")).unwrap();
    store.commit(vec![Change::Drop { name: lists.name.clone(), id: lists.unique_id.clone(), last: true }]).unwrap();
    std::fs::remove_dir_all(dir.path().join("big/team")).unwrap();
    let dry = repair(&store, &ListRepair { dry_run: true, ..ListRepair::default() });
    assert_eq!(names(&store), ["team", "user/joe", "user/joe/Lists/rust", "user/sue"]);
    let real = repair(&store, &ListRepair::default());
    let kinds = |findings: &[ListFinding]| {
        findings.iter().map(|finding| (finding.kind, finding.place.clone())).collect::<Vec<_>>()
    };
    assert_eq!(kinds(&dry), kinds(&real));
    assert_eq!(
        lines(&real),
        [
            "user/joe/Lists: listed from its directory on partition default",
            "user/joe/oxide: was user/joe/Lists/rust, whose directory was moved here",
            "user/sue: its directory lies on partition big",
            "team: has a DB entry but no directory on partition 'big'",
        ]
    );
    assert_eq!(
        lines(&dry)[0],
        format!("user/joe/Lists: has a directory '{}' but no DB entry", spool.join("user/joe/Lists").display())
    );
    assert_eq!(store.row(&name("user/joe/Lists")).unwrap().acl, lists.acl);
    assert_eq!(lines(&repair(&store, &ListRepair::default())), lines(&real)[3..]);
    assert_eq!(
        lines(&repair(&store, &ListRepair { prune: true, ..ListRepair::default() })),
        ["team: removed: it had no directory on partition 'big'"]
    );
    assert_eq!(lines(&repair(&store, &ListRepair::default())), [""; 0]);
    assert_eq!(names(&store), ["user/joe", "user/joe/Lists", "user/joe/oxide", "user/sue"]);
    assert_eq!(used(&store, "user/joe"), (900, 3));
    check(&store);
}

#[test]
fn an_old_copy_gives_way_to_what_directories_know() {
    let dir = tempfile::tempdir().unwrap();
    let store = sample(dir.path());
    let joe = Access::user("joe");
    for text in ["user/joe/a", "user/joe/b"] {
        store.create(&joe, &name(text), &CreateOptions::default()).unwrap();
        append(&store, text, 50).unwrap();
    }
    store.checkpoint().unwrap();
    // After the copy: a new folder, a rename, an ACL, a removal, and a mailbox made anew under an old name.
    store.create(&joe, &name("user/joe/new"), &CreateOptions::default()).unwrap();
    store.rename(&joe, &name("user/joe/Lists/rust"), &name("user/joe/oxide")).unwrap();
    store.set_acl(&joe, &name("user/joe"), &id("sue"), AclMode::Replace, rights("lr")).unwrap();
    store.delete(&joe, &name("user/joe/Lists")).unwrap();
    store.create(&joe, &name("user/joe/Lists"), &CreateOptions::default()).unwrap();
    // Names that go round: each is another's by now.
    for (old, new) in [("a", "spare"), ("b", "a"), ("spare", "b")] {
        store.rename(&joe, &name(&format!("user/joe/{old}")), &name(&format!("user/joe/{new}"))).unwrap();
    }
    let before = essence(&store);
    store.close().unwrap();
    drop(store);
    // The journal after the copy is lost, and so is the database.
    lose(dir.path(), &["mailboxes.db", "copies/mailboxes.journal", "copies/mailboxes.clean"]);
    for entry in std::fs::read_dir(dir.path().join("config/copies")).unwrap() {
        let entry = entry.unwrap();
        if entry.file_name().to_string_lossy().starts_with("mailboxes.journal.") {
            std::fs::remove_file(entry.path()).unwrap();
        }
    }
    assert!(Store::open(two_partitions(dir.path()), Arc::new(RealDisk)).is_err());
    let (store, _, findings) = recover(dir.path(), ListRepair::default());
    let mut after = essence(&store);
    let expected = before;
    after.sort();
    assert_eq!(after, expected, "{:#?}", lines(&findings));
    assert_eq!(lines(&repair(&store, &ListRepair { unproven: true, ..ListRepair::default() })), [""; 0]);
    check(&store);
}

/// What counts is which change came later, not what the clock said: it may have been set back by a day.
#[test]
fn a_clock_that_was_set_back_does_not_make_the_old_copy_win() {
    let dir = tempfile::tempdir().unwrap();
    let store = sample(dir.path());
    let joe = store.row(&name("user/joe")).unwrap();
    store.commit(vec![Change::Put(Row { modified: joe.modified + 24 * 3600, ..Row::clone(&joe) })]).unwrap();
    store.checkpoint().unwrap();
    store.set_acl(&Access::user("joe"), &name("user/joe"), &id("sue"), AclMode::Replace, rights("lr")).unwrap();
    store.close().unwrap();
    drop(store);
    lose(dir.path(), &["mailboxes.db", "copies/mailboxes.journal", "copies/mailboxes.clean"]);
    let (store, _, findings) = recover(dir.path(), ListRepair::default());
    let acl = store.row(&name("user/joe")).unwrap().acl.entry(&id("sue"));
    assert_eq!(acl, rights("lr"), "{:#?}", lines(&findings));
}

#[test]
fn what_an_old_copy_shows_as_under_way_is_not_undone() {
    let dir = tempfile::tempdir().unwrap();
    let store = sample(dir.path());
    // As a copy saw them in the middle: a mailbox being made and one being removed, both of which have mail by now; and
    // one being removed that is really gone.
    let row = |text: &str| Row::clone(&store.row(&name(text)).unwrap());
    let making = Row { state: RowState::Creating, ..row("user/sue") };
    let other = Row { state: RowState::Deleting, unique_id: UniqueId::random().unwrap(), ..row("user/joe/Lists") };
    let gone = Row {
        state: RowState::Deleting,
        name: name("user/joe/gone"),
        unique_id: UniqueId::random().unwrap(),
        ..row("user/joe")
    };
    store.commit([making, other, gone].into_iter().map(Change::Put).collect()).unwrap();
    let findings = repair(&store, &ListRepair { unproven: true, ..ListRepair::default() });
    let said = lines(&findings);
    assert!(said.contains(&"user/sue: its creation was under way; it has files, and is kept".to_owned()), "{said:#?}");
    assert!(said.contains(&"user/joe/gone: its removal was under way, and is ended".to_owned()), "{said:#?}");
    assert_eq!(names(&store), ["team", "user/joe", "user/joe/Lists", "user/joe/Lists/rust", "user/sue"]);
    for text in ["user/sue", "user/joe/Lists"] {
        assert_eq!(store.mailbox(&name(text)).unwrap().status().exists, 1, "{text}");
    }
    assert_eq!(store.row(&name("user/joe/Lists")).unwrap().acl.entry(&id("sue")), rights("lrs"));
    // Usage was in memory already when this began; a start after a crash sums it up.
    drop(store);
    check(&Store::open(two_partitions(dir.path()), Arc::new(RealDisk)).unwrap().0);
}

#[test]
fn directories_without_headers_are_their_owners_alone() {
    let dir = tempfile::tempdir().unwrap();
    let store = sample(dir.path());
    store.close().unwrap();
    drop(store);
    lose(dir.path(), &["mailboxes.db", "copies"]);
    for lost in ["spool/user/joe/Lists/cyrus.header", "big/team/cyrus.header"] {
        std::fs::remove_file(dir.path().join(lost)).unwrap();
    }
    // A saved copy knows the ACL of one of them.
    let mut saved = SavedList::default();
    let acl = Acl::parse("anyone\tlrs\t").unwrap();
    let mailbox = |text: &str, acl: &Acl| SavedMailbox {
        name: name(text),
        partition: None,
        acl: acl.clone(),
        unique_id: None,
        uid_validity: None,
        special_use: vec![],
    };
    saved.insert(mailbox("team", &acl));
    saved.insert(mailbox("user/ann", &Acl::of_inbox("ann")));
    let (store, _, findings) = recover(dir.path(), ListRepair { saved: Some(saved), ..ListRepair::default() });
    let said = lines(&findings);
    assert!(
        said.iter().any(|line| line.contains("user/joe/Lists: listed") && line.contains("only its owner's")),
        "{said:#?}"
    );
    assert_eq!(store.row(&name("user/joe/Lists")).unwrap().acl, Acl::of_inbox("joe"));
    assert_eq!(store.row(&name("team")).unwrap().acl, acl);
    // A row without a directory is kept: mail for it waits, nothing bounces.
    assert!(said.contains(&"user/ann: taken from the saved copy; it has no directory".to_owned()), "{said:#?}");
    assert!(said.contains(&"user/ann: has a DB entry but no directory on partition 'default'".to_owned()));
    assert_eq!(kind(store.mailbox(&name("user/ann"))), ErrorKind::Corrupt);
    store.drop_row(&name("user/ann")).unwrap();
    check(&store);
}

#[test]
fn twins_and_bad_entries_are_parted() {
    let dir = tempfile::tempdir().unwrap();
    let store = sample(dir.path());
    let twin = Row {
        unique_id: store.row(&name("user/joe")).unwrap().unique_id.clone(),
        ..Row::clone(&store.row(&name("user/joe/Lists")).unwrap())
    };
    store.commit(vec![Change::Put(twin)]).unwrap();
    store.close().unwrap();
    drop(store);
    let (store, _) = Store::open(two_partitions(dir.path()), Arc::new(RealDisk)).unwrap();
    let said = lines(&repair(&store, &ListRepair::default()));
    assert_eq!(said, ["user/joe/Lists: has the unique id of user/joe: it gets a new one"]);
    assert_ne!(store.row(&name("user/joe")).unwrap().unique_id, store.row(&name("user/joe/Lists")).unwrap().unique_id);
    assert_eq!(lines(&repair(&store, &ListRepair::default())), [""; 0]);
    for text in ["user/joe", "user/joe/Lists"] {
        assert_eq!(store.mailbox(&name(text)).unwrap().status().exists, 1);
    }
    check(&store);
}

#[test]
fn indexes_and_list_lost_together_get_a_new_uidvalidity() {
    let dir = tempfile::tempdir().unwrap();
    let store = sample(dir.path());
    let before = store.row(&name("user/sue")).unwrap().uid_validity;
    store.close().unwrap();
    drop(store);
    lose(dir.path(), &["mailboxes.db", "copies"]);
    std::fs::remove_file(dir.path().join("spool/user/sue/cyrus.index")).unwrap();
    let (store, _, findings) = recover(dir.path(), ListRepair::default());
    assert!(store.row(&name("user/sue")).unwrap().uid_validity > before);
    assert!(lines(&findings).iter().any(|line| line.contains("UIDVALIDITY is a new one")));
    assert_eq!(store.mailbox(&name("user/sue")).unwrap().status().exists, 1);
}

#[test]
fn every_change_is_in_the_journal_when_it_is_answered() {
    let dir = tempfile::tempdir().unwrap();
    let store = sample(dir.path());
    store.checkpoint().unwrap();
    let (joe, admin) = (Access::user("joe"), Access::admin("admin"));
    let lists = name("user/joe/Lists");
    let changes: [(&str, &dyn Fn() -> Result<()>); 7] = [
        ("N/user/joe/new", &|| store.create(&joe, &name("user/joe/new"), &CreateOptions::default()).map(drop)),
        ("\\tlr\\t", &|| store.set_acl(&joe, &lists, &id("ann"), AclMode::Replace, rights("lr"))),
        ("N/user/joe/newer", &|| store.rename(&joe, &name("user/joe/new"), &name("user/joe/newer"))),
        ("Q/user/joe/Lists", &|| store.set_quota(&lists, kib(7))),
        ("Archive", &|| store.set_special_use(&admin, &name("user/joe/newer"), &[SpecialUse::Archive])),
        ("[\"Q/user/joe/Lists\",null]", &|| store.set_quota(&lists, None)),
        ("DELETED/user/joe/newer", &|| store.delete(&joe, &name("user/joe/newer"))),
    ];
    for (trace, change) in changes {
        change().unwrap();
        // Before anything is closed or copied.
        let journal = std::fs::read_to_string(dir.path().join("config/copies/mailboxes.journal")).unwrap();
        assert!(journal.contains(trace), "{trace} in {journal}");
    }
    let before = essence(&store);
    drop(store);
    lose(dir.path(), &["mailboxes.db"]);
    let (store, report) = Store::open(two_partitions(dir.path()), Arc::new(RealDisk)).unwrap();
    assert!(!report.rebuilt.is_empty());
    assert_eq!(essence(&store), before);
}
