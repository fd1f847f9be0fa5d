//! Directories that earlier versions have written are read as they are. `formats/<version>` has the flat copies of one, as
//! that version left them; they are never edited.
#![allow(clippy::unwrap_used, reason = "a test reports trouble by panicking")]

use std::fs;
use std::path::Path;
use std::sync::Arc;

use directory::{
    Address, Directory, DomainName, Embedded, HashCost, Origin, Privileges, Resolution, Revision, ScramCost, Secret,
    Settings, UserId, UserState, Verdict,
};
use durable::disk::RealDisk;

fn open(path: &Path) -> Embedded {
    let settings = Settings {
        primary_domain: DomainName::parse("example.com").unwrap(),
        admins: vec![],
        hash_cost: HashCost { memory_kib: 64, passes: 1 },
        scram: ScramCost::default(),
    };
    Embedded::open(path, Arc::new(RealDisk), false, &settings).unwrap().0
}

/// Domains `example.com` and `second.example`; users admin, joe (with a further address, a group, a quota and an app
/// password), sue (disabled), new (pending); tmp was deleted. Written before rows had revisions.
#[test]
fn the_first() {
    let dir = tempfile::tempdir().unwrap();
    let copies = dir.path().join("copies");
    fs::create_dir(&copies).unwrap();
    for file in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/formats/first")).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), copies.join(file.file_name())).unwrap();
    }
    let uid = |text: &str| UserId::parse(text).unwrap();
    let directory = open(dir.path());
    let domains: Vec<_> = directory
        .domains()
        .unwrap()
        .into_iter()
        .map(|row| (row.name.to_string(), row.description, row.primary))
        .collect();
    let second = ("second.example".to_owned(), "the second".to_owned(), false);
    assert_eq!(domains, [("example.com".to_owned(), String::new(), true), second]);
    let users = directory.users(None).unwrap();
    let states: Vec<_> = users.iter().map(|row| (row.uid.as_str(), row.state)).collect();
    let active = UserState::Active;
    let expected = [("admin", active), ("joe", active), ("new", UserState::Pending), ("sue", UserState::Disabled)];
    assert_eq!(states, expected);
    let joe = directory.user(&uid("joe")).unwrap().unwrap();
    assert_eq!((joe.display_name.as_str(), joe.quota_limit_mib), ("Joe Smith", Some(100)));
    assert_eq!((joe.alternates.len(), &joe.groups[..]), (1, &["staff".to_owned()][..]));
    assert!(joe.contact.is_empty() && joe.forwarding.is_none() && joe.revision == Revision::NONE);
    let postmaster = directory.alias(&Address::parse("postmaster@second.example").unwrap()).unwrap().unwrap();
    assert_eq!((postmaster.users, postmaster.file), (vec![UserId::admin()], None));
    let resolved = directory.resolve("joe", Some("second.example")).unwrap();
    assert_eq!(resolved, Resolution::User(uid("joe")));
    let origin = Origin::now("imap", Some([192, 0, 2, 1].into()));
    for password in ["joe-pw", "hqpt-ub5u-hqeb-3qnv-7tmy-w9pb"] {
        let verdict = directory.authenticate("joe", &Secret::new(password), &origin).unwrap();
        assert!(matches!(verdict, Verdict::Accepted(_)), "{password}");
    }
    let service = directory::Service::new(&directory, directory::Actor::server());
    assert_eq!(service.privileges().unwrap(), Privileges::default());

    // A row without a revision can be changed, once by each who has read it.
    let mut changed = joe.clone();
    changed.surname = "Smythe".into();
    let stored = service.update_user(&changed).unwrap();
    assert!(stored.revision != Revision::NONE && service.update_user(&changed).is_err());
    // The user admin has no names, as he was made by the ID alone: that does not keep anybody from changing the rest.
    let mut admin = directory.user(&UserId::admin()).unwrap().unwrap();
    admin.quota_limit_mib = Some(5);
    service.update_user(&admin).unwrap();
    service
        .rename_domain(&DomainName::parse("second.example").unwrap(), &DomainName::parse("third.example").unwrap())
        .unwrap();
    directory.close().unwrap();
    drop(directory);
    let directory = open(dir.path());
    let joe = directory.user(&uid("joe")).unwrap().unwrap();
    assert_eq!((joe.surname.as_str(), joe.mail.to_string().as_str()), ("Smythe", "joe.smith@third.example"));
}
