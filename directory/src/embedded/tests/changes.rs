//! What a crash, a full disk or a new start leaves of changes, and of what the audit log says about them.

use super::*;
use crate::{Alias, Entry, Event, Member};

fn at(text: &str) -> Address {
    Address::parse(text).unwrap()
}

fn domain(text: &str) -> DomainName {
    DomainName::parse(text).unwrap()
}

/// A domain with many more rows than a batch takes in tests.
fn crowd(directory: &Embedded) {
    let service = server(directory);
    service.create_domain(&domain("old.example"), "").unwrap();
    for n in 0..5 {
        add(directory, &format!("u{n}"), &format!("u{n}@old.example"));
        let mut alias = Alias::new(at(&format!("a{n}@old.example")));
        alias.owners = vec![UserId::parse("u0").unwrap()];
        alias.add(match n {
            0 => Member::User(UserId::parse("u0").unwrap()),
            n => Member::Alias(at(&format!("a{}@old.example", n - 1))),
        });
        service.create_alias(&alias).unwrap();
    }
}

/// Every row, without revisions; and that the ledger says what memory does.
fn picture(directory: &Embedded) -> Vec<String> {
    let rows = directory.rows.read();
    let mut users: Vec<_> =
        rows.users.values().map(|row| format!("{} {} {:?}", row.uid, row.mail, row.state)).collect();
    users.sort();
    let domains =
        rows.domains.iter().map(|(name, all)| format!("{name} {:?}", all.row.as_ref().map(|row| row.primary)));
    let aliases = rows.domains.values().flat_map(|all| all.aliases.values());
    let aliases = aliases.map(|row| format!("{} {:?} {:?}", row.address, row.aliases, row.users));
    let picture: Vec<String> = users.into_iter().chain(domains).chain(aliases).collect();
    for (kind, names) in [("domain/", rows.domains.len()), ("user/", rows.users.len()), ("move/", 0)] {
        assert_eq!(directory.ledger.scan_prefix(kind).unwrap().count(), names, "{kind}");
    }
    picture
}

/// [DOM-9] All of it or nothing, wherever it ends.
#[test]
fn a_renaming_happens_whole() {
    let template = tempfile::tempdir().unwrap();
    let directory = open(template.path());
    crowd(&directory);
    let before = picture(&directory);
    directory.close().unwrap();
    drop(directory);
    let rename = |directory: &Embedded| {
        server(directory).rename_domain(&domain("old.example"), &domain("new.example"))?;
        directory.close()
    };
    let whole = Arc::new(FaultyDisk::new(Arc::new(RealDisk)));
    let dir = copy(template.path());
    let directory = open_on(whole.clone(), dir.path(), false).unwrap();
    let opened = whole.changes();
    server(&directory).rename_domain(&domain("old.example"), &domain("new.example")).unwrap();
    let after = picture(&directory);
    directory.close().unwrap();
    assert!(before.iter().any(|row| row.contains("old.example")));
    assert!(after.len() == before.len() && !after.iter().any(|row| row.contains("old.example")), "{after:#?}");
    drop(directory);
    assert_eq!(picture(&open_on(Arc::new(RealDisk), dir.path(), false).unwrap()), after);

    let mut seen = [0, 0];
    for at in opened + 1..=whole.changes() {
        for fault in [
            Fault::Crash { at, torn: 50 },
            Fault::Fail { at, errno: rustix::io::Errno::NOSPC, lasting: true },
            Fault::Fail { at, errno: rustix::io::Errno::IO, lasting: false },
        ] {
            let dir = copy(template.path());
            let disk = Arc::new(FaultyDisk::new(Arc::new(RealDisk)));
            let directory = open_on(disk.clone(), dir.path(), false).unwrap();
            disk.set_fault(Some(fault));
            let done = rename(&directory);
            drop(directory);
            let found = picture(&open_on(Arc::new(RealDisk), dir.path(), false).unwrap());
            assert!(found == after || (found == before && done.is_err()), "{fault:?}: {found:#?}");
            seen[usize::from(found == after)] += 1;
        }
    }
    assert!(seen[0] > 0 && seen[1] > 0, "{seen:?}: some ends come before it, some after");
}

/// A write fails in the middle: it has happened, and what is left to be written is written before anything else.
#[test]
fn a_renaming_goes_on_with_the_next_change() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Arc::new(FaultyDisk::new(Arc::new(RealDisk)));
    let directory = open_on(disk.clone(), dir.path(), true).unwrap();
    crowd(&directory);
    directory.checkpoint().unwrap();
    // The first batch is a write and a sync; then comes the second.
    disk.set_fault(Some(Fault::Fail { at: disk.changes() + 3, errno: rustix::io::Errno::NOSPC, lasting: false }));
    server(&directory).rename_domain(&domain("old.example"), &domain("new.example")).unwrap();
    let resolved = || directory.resolve("u3", Some("new.example")).unwrap();
    assert_eq!(resolved(), Resolution::User(UserId::parse("u3").unwrap()));
    assert_eq!(directory.ledger.scan_prefix("move/").unwrap().count(), 1, "the rest is not written yet");
    disk.set_fault(Some(Fault::Fail { at: disk.changes() + 1, errno: rustix::io::Errno::NOSPC, lasting: false }));
    let late = server(&directory).create_domain(&domain("late.example"), "");
    assert!(matches!(late, Err(Error::Unavailable(_))), "{late:?}");
    server(&directory).create_domain(&domain("late.example"), "").unwrap();
    let now = picture(&directory);
    directory.close().unwrap();
    drop(directory);
    assert_eq!(picture(&open_on(Arc::new(RealDisk), dir.path(), false).unwrap()), now);
}

/// Each change has its entry, once, in the order in which they happened, wherever it ends.
#[test]
fn the_audit_log_says_what_has_happened() {
    let run = |disk: Arc<FaultyDisk>, dir: &Path| -> Result<()> {
        let directory = open_on(disk, dir, true)?;
        let service = Service::new(&directory, Actor::operator(7));
        for n in 0..3 {
            service.create_domain(&domain(&format!("d{n}.example")), "")?;
        }
        directory.close()
    };
    let whole = Arc::new(FaultyDisk::new(Arc::new(RealDisk)));
    run(whole.clone(), tempfile::tempdir().unwrap().path()).unwrap();
    for at in 1..=whole.changes() {
        let dir = tempfile::tempdir().unwrap();
        let disk = Arc::new(FaultyDisk::new(Arc::new(RealDisk)));
        disk.set_fault(Some(Fault::Crash { at, torn: 50 }));
        assert!(run(disk, dir.path()).is_err(), "crash at {at}");
        let directory = open(dir.path());
        let mut entries = directory.audit().last(100).unwrap();
        entries.reverse();
        let numbers: Vec<u64> = entries.iter().map(|entry| entry.number).collect();
        assert_eq!(numbers, (1..=entries.len() as u64).collect::<Vec<_>>(), "crash at {at}");
        let said = |action: &str| -> Vec<String> {
            let entries = entries.iter().filter(|entry| entry.action == action);
            entries.map(|entry| entry.object.clone()).collect()
        };
        let made: Vec<_> = directory.domains().unwrap().into_iter().map(|domain| domain.name.to_string()).collect();
        let mut domains = said("domain.create");
        domains.sort();
        assert_eq!(domains, made, "crash at {at}");
        assert_eq!(said("alias.create").len(), made.len());
    }
}

/// Of what is no change, too: a crash leaves what was told and perhaps the next, in order.
#[test]
fn what_is_noted_stays_noted() {
    const TOLD: [&str; 3] = ["one", "two", "three"];
    let run = |disk: Arc<FaultyDisk>, dir: &Path| -> usize {
        let Ok(directory) = open_on(disk, dir, true) else { return 0 };
        let service = Service::new(&directory, Actor::operator(7));
        let done =
            TOLD.iter().take_while(|object| service.note(Event::new("api-token.create", object)).is_ok()).count();
        let _ = directory.close();
        done
    };
    let whole = Arc::new(FaultyDisk::new(Arc::new(RealDisk)));
    assert_eq!(run(whole.clone(), tempfile::tempdir().unwrap().path()), TOLD.len());
    for at in 1..=whole.changes() {
        let dir = tempfile::tempdir().unwrap();
        let disk = Arc::new(FaultyDisk::new(Arc::new(RealDisk)));
        disk.set_fault(Some(Fault::Crash { at, torn: 50 }));
        let done = run(disk, dir.path());
        let mut entries = open(dir.path()).audit().last(100).unwrap();
        entries.reverse();
        let noted: Vec<_> = entries.iter().filter(|entry| entry.action == "api-token.create").collect();
        assert!((done..=done + 1).contains(&noted.len()), "crash at {at}: {done} of {noted:?}");
        assert!(noted.iter().zip(TOLD).all(|(entry, object)| entry.object == object), "crash at {at}: {noted:?}");
        let numbers: Vec<u64> = entries.iter().map(|entry| entry.number).collect();
        assert_eq!(numbers, (1..=entries.len() as u64).collect::<Vec<_>>(), "crash at {at}");
    }
}

#[test]
fn an_audit_log_that_cannot_be_written_stops_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let directory = open(dir.path());
    let log = dir.path().join("log");
    std::fs::remove_dir_all(&log).unwrap();
    std::fs::write(&log, "in the way").unwrap();
    directory.close().unwrap();
    drop(directory);
    let directory = open(dir.path());
    server(&directory).create_domain(&domain("a.example"), "").unwrap();
    std::fs::remove_file(&log).unwrap();
    server(&directory).create_domain(&domain("b.example"), "").unwrap();
    let objects: Vec<_> = directory.audit().last(4).unwrap().into_iter().map(|entry: Entry| entry.object).collect();
    assert_eq!(objects, ["postmaster@b.example", "b.example", "postmaster@a.example", "a.example"]);
}

#[test]
fn who_did_it_is_said_and_no_secret() {
    let dir = tempfile::tempdir().unwrap();
    let directory = open(dir.path());
    add(&directory, "joe", "joe@example.com");
    let own = Service::new(&directory, Actor::user(&joe(), false, "web", Some([192, 0, 2, 9].into())));
    own.set_password(&joe(), &Secret::new("hunter2-hunter2")).unwrap();
    let mut row = directory.user(&joe()).unwrap().unwrap();
    row.contact.set(crate::ContactField::Title, "Clerk");
    own.update_user(&row).unwrap();
    let last = directory.audit().last(2).unwrap();
    assert_eq!((last[1].action.as_str(), last[1].fields.len()), ("user.password", 0));
    let Entry { who, role, via, from, action, object, fields, .. } = &last[0];
    let texts = [who, role, via, action, object].map(String::as_str);
    assert_eq!(texts, ["joe", "user", "web", "user.update", "joe"]);
    assert_eq!(*from, Some([192, 0, 2, 9].into()));
    assert_eq!(fields[..], [("title".to_owned(), String::new(), "Clerk".to_owned())]);
    let text = std::fs::read_to_string(directory.audit().path()).unwrap();
    assert!(!text.contains("hunter2") && !text.contains("argon2") && !text.contains("SCRAM"), "{text}");
    let kept = directory.ledger.scan_prefix("audit/").unwrap().map(|row| row.unwrap().1.as_str().to_owned());
    assert!(kept.into_iter().all(|row| !row.contains("hunter2")));
}

/// Entries leave the ledger when they are durable in the file.
#[test]
fn the_ledger_does_not_fill_with_entries() {
    let dir = tempfile::tempdir().unwrap();
    let directory = open(dir.path());
    for n in 0..200 {
        server(&directory).describe_domain(&domain("example.com"), &n.to_string(), None).unwrap();
    }
    let kept = directory.ledger.scan_prefix("audit/").unwrap().count();
    assert!(kept < 140, "{kept}");
    let numbers: Vec<_> = directory.audit().last(1000).unwrap().iter().map(|entry| entry.number).collect();
    assert_eq!(numbers, (1..=202).rev().collect::<Vec<_>>());
}

fn copy(template: &Path) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let status = std::process::Command::new("cp").arg("-a").arg(template.join(".")).arg(dir.path()).status().unwrap();
    assert!(status.success());
    dir
}
