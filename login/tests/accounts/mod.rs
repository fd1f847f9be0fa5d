//! A directory on disk with two users, and who of them was let in.

use std::sync::Arc;

use directory::{
    Address, Directory as _, DomainName, Embedded, HashCost, NewUser, ScramCost, Secret, Settings, UserId,
};
use durable::disk::RealDisk;
use login::{Entered, LoggedIn};
use tempfile::TempDir;

/// A directory with `joe` and the administrator `boss`, whose passwords are their names with `-pw`.
pub(crate) fn embedded() -> (TempDir, Embedded) {
    let dir = tempfile::tempdir().unwrap();
    let settings = Settings {
        primary_domain: DomainName::parse("example.com").unwrap(),
        admins: vec![UserId::parse("boss").unwrap()],
        hash_cost: HashCost { memory_kib: 64, passes: 1 },
        scram: ScramCost::default(),
    };
    let (directory, _) = Embedded::open(dir.path(), Arc::new(RealDisk), true, &settings).unwrap();
    for name in ["joe", "boss"] {
        let user = NewUser {
            uid: UserId::parse(name).unwrap(),
            mail: Address::parse(&format!("{name}@example.com")).unwrap(),
            given_name: String::new(),
            surname: String::new(),
            admin: name == "boss",
        };
        directory.create_user(&user, &Secret::new(format!("{name}-pw"))).unwrap();
        directory.activate_user(&user.uid).unwrap();
    }
    (dir, directory)
}

/// The user who has entered.
pub(crate) fn user(entered: Entered) -> LoggedIn {
    match entered {
        Entered::User(user) => *user,
        Entered::Anonymous { trace } => panic!("nobody in particular: {trace}"),
    }
}
