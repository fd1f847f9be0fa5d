//! The embedded directory in a directory of its own.

use durable::disk::{Fault, FaultyDisk, RealDisk};

use super::*;
use crate::address::Address;
use crate::alias::{Alias, POSTMASTER};
use crate::{ADMIN, Change, NewUser, RemoteAddress, Service, User};

mod app_passwords;
mod changes;
mod tokens;

fn open(dir: &Path) -> Embedded {
    open_on(Arc::new(RealDisk), dir, true).unwrap()
}

fn open_on(disk: Arc<dyn Disk>, dir: &Path, create: bool) -> Result<Embedded> {
    let settings = Settings {
        primary_domain: DomainName::parse("example.com").unwrap(),
        admins: vec![UserId::parse("boss").unwrap()],
        hash_cost: HashCost { memory_kib: 64, passes: 1 },
        scram: ScramCost::default(),
    };
    Ok(Embedded::open(dir, disk, create, &settings)?.0)
}

fn user(uid: &str, mail: &str) -> NewUser {
    NewUser {
        uid: UserId::parse(uid).unwrap(),
        mail: Address::parse(mail).unwrap(),
        given_name: "Joe".into(),
        surname: "Smith".into(),
        admin: uid == ADMIN,
    }
}

fn imap() -> Origin<'static> {
    Origin::now("imap", Some([192, 0, 2, 1].into()))
}

/// A login over IMAP, as most tests want it.
trait Enter {
    fn enter(&self, login: &str, password: &Secret) -> Result<Option<Account>>;
}

impl Enter for Embedded {
    fn enter(&self, login: &str, password: &Secret) -> Result<Option<Account>> {
        Ok(match self.authenticate(login, password, &imap())? {
            Verdict::Accepted(accepted) => Some(accepted.account),
            Verdict::Refused(_) => None,
        })
    }
}

fn add(directory: &Embedded, uid: &str, mail: &str) {
    let row = directory.create_user(&user(uid, mail), &Secret::new(format!("{uid}-pw"))).unwrap();
    directory.activate_user(&row.uid).unwrap();
}

#[test]
fn users_live_on() {
    let dir = tempfile::tempdir().unwrap();
    let directory = open(dir.path());
    let pending = directory.create_user(&user("joe", "Joe.Smith@example.com"), &Secret::new("x")).unwrap();
    assert_eq!(pending.display_name, "Joe Smith");
    let pw = Secret::new("joe-pw");
    assert_eq!(directory.enter("joe", &Secret::new("x")).unwrap(), None, "pending");
    let pending = directory.resolve("joe.smith", Some("example.com"));
    assert!(matches!(pending, Err(Error::Unavailable(_))), "mail waits for the mailbox: {pending:?}");
    add(&directory, "joe", "joe.smith@example.com");
    for directory in [directory, open_again(dir.path())] {
        let account = directory.enter("JOE", &pw).unwrap().unwrap();
        assert_eq!((account.user.as_str(), account.admin), ("joe", false));
        for wrong in ["", "Joe-pw", "joe-pw "] {
            assert_eq!(directory.enter("joe", &Secret::new(wrong)).unwrap(), None);
        }
        for stranger in ["jo", "", "joe@example.com", "../x", "admin"] {
            assert_eq!(directory.enter(stranger, &pw).unwrap(), None, "{stranger}");
        }
        let joe = Resolution::User(UserId::parse("joe").unwrap());
        for (local, domain) in [("Joe.SMITH", Some("Example.com")), ("joe.smith", None), ("joe", None)] {
            assert_eq!(directory.resolve(local, domain).unwrap(), joe, "{local}");
        }
        for (local, domain) in
            [("joe", Some("example.com")), ("joe.smith", Some("else.org")), ("\"\"", None), ("", None)]
        {
            assert_eq!(directory.resolve(local, domain).unwrap(), Resolution::Unknown, "{local}");
        }
        directory.close().unwrap();
    }
}

fn server(directory: &Embedded) -> Service<'_, Embedded> {
    Service::new(directory, Actor::server())
}

/// Stores a changed user, and learns the new revision.
fn update(directory: &Embedded, row: &mut User) {
    *row = User::clone(&*server(directory).update_user(row).unwrap());
}

/// Writes rows whatever the rules say.
fn put(directory: &Embedded, changes: Vec<Change>) {
    let plan = Plan { changes, events: Vec::new() };
    directory.change(&Actor::server(), &mut |_| Ok(plan.clone())).unwrap();
}

fn open_again(dir: &Path) -> Embedded {
    // The first one still holds the lock of its ledger until it is closed, so work on a copy of what is on disk.
    let copy = tempfile::tempdir().unwrap().keep();
    let status = std::process::Command::new("cp").arg("-a").arg(dir.join(".")).arg(&copy).status().unwrap();
    assert!(status.success());
    open(&copy)
}

#[test]
fn what_is_taken_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let directory = open(dir.path());
    add(&directory, "joe", "joe@example.com");
    let refuse = |new: NewUser| directory.create_user(&new, &Secret::new("x")).unwrap_err();
    assert!(matches!(refuse(user("joe", "other@example.com")), Error::Exists { .. }));
    assert!(matches!(refuse(user("sue", "JOE@example.com")), Error::Exists { .. }));
    assert!(matches!(refuse(user("sue", "postmaster@example.com")), Error::Exists { .. }));
    assert!(matches!(refuse(user("sue", "sue@elsewhere.org")), Error::NoDomain(_)));
    assert!(matches!(
        directory.create_user(&user("sue", "sue@example.com"), &Secret::new("")).unwrap_err(),
        Error::Rule { .. }
    ));
    assert!(directory.user(&UserId::parse("sue").unwrap()).unwrap().is_none(), "nothing half-done");
    let domain = DomainName::parse("example.org").unwrap();
    directory.create_domain(&domain, "second").unwrap();
    assert!(matches!(directory.create_domain(&domain, ""), Err(Error::Exists { .. })));
    add(&directory, "sue", "joe@example.org");
    assert_eq!(directory.users(Some(&domain)).unwrap().len(), 1);
    assert_eq!(directory.domains().unwrap().len(), 2);
}

#[test]
fn postmaster_reaches_the_administrator_who_stays() {
    let dir = tempfile::tempdir().unwrap();
    let directory = open(dir.path());
    add(&directory, "admin", "admin@example.com");
    let postmaster = directory.resolve("Postmaster", Some("example.com")).unwrap();
    assert_eq!(postmaster, Resolution::Alias(vec![UserId::admin()]));
    assert!(matches!(directory.delete_user(&UserId::admin()), Err(Error::Protected { .. })));
    assert!(directory.enter("admin", &Secret::new("admin-pw")).unwrap().unwrap().admin);
}

#[test]
fn deleting_a_user_empties_aliases_to_a_fixed_point() {
    let dir = tempfile::tempdir().unwrap();
    let directory = open(dir.path());
    add(&directory, "admin", "admin@example.com");
    add(&directory, "joe", "joe@example.com");
    add(&directory, "sue", "sue@example.com");
    let id = |s: &str| UserId::parse(s).unwrap();
    let at = |s: &str| Address::parse(&format!("{s}@example.com")).unwrap();
    let alias = |name: &str, owners: &[&str], users: &[&str], aliases: &[&str]| Alias {
        owners: owners.iter().map(|s| id(s)).collect(),
        users: users.iter().map(|s| id(s)).collect(),
        aliases: aliases.iter().map(|s| at(s)).collect(),
        ..Alias::new(at(name))
    };
    let all = [
        alias("inner", &["sue"], &["joe"], &[]),
        alias("outer", &["sue"], &[], &["inner"]),
        alias("outermost", &["sue"], &["sue"], &["outer", "outermost"]),
        alias("owned", &["joe"], &["sue"], &[]),
    ];
    put(&directory, all.into_iter().map(Change::Alias).collect());
    assert_eq!(directory.resolve("outermost", None).unwrap(), Resolution::Alias(vec![id("joe"), id("sue")]));
    directory.delete_user(&id("joe")).unwrap();
    for gone in ["inner", "outer", "owned", "joe"] {
        assert_eq!(directory.resolve(gone, Some("example.com")).unwrap(), Resolution::Unknown, "{gone}");
    }
    assert_eq!(directory.resolve("outermost", None).unwrap(), Resolution::Alias(vec![id("sue")]));
    assert_eq!(directory.enter("joe", &Secret::new("joe-pw")).unwrap(), None);
    add(&directory, "joe", "joe@example.com");
}

#[test]
fn mail_never_goes_to_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let directory = open(dir.path());
    let at = |s: &str| Address::parse(&format!("{s}@example.com")).unwrap();
    let id = |s: &str| UserId::parse(s).unwrap();
    let alias = |name: &str, users: &[&str], remote: &[&str]| Alias {
        owners: vec![UserId::admin()],
        users: users.iter().map(|s| id(s)).collect(),
        remote: remote.iter().map(|s| RemoteAddress::parse(s).unwrap()).collect(),
        ..Alias::new(at(name))
    };
    let waits = |local: &str| matches!(directory.resolve(local, Some("example.com")), Err(Error::Unavailable(_)));
    assert!(waits("postmaster"), "the administrator is not there yet");
    add(&directory, "admin", "admin@example.com");
    add(&directory, "off", "off@example.com");
    directory.create_user(&user("new", "new@example.com"), &Secret::new("x")).unwrap();
    server(&directory).set_user_enabled(&id("off"), false, None).unwrap();
    let all = [
        alias("far", &[], &["joe@elsewhere.org"]),
        alias("stale", &["gone"], &[]),
        alias("waiting", &["admin", "new"], &[]),
        alias("some", &["admin", "off"], &[]),
        alias("none", &["off"], &[]),
    ];
    put(&directory, all.into_iter().map(Change::Alias).collect());
    for local in ["new", "far", "stale", "waiting"] {
        assert!(waits(local), "{local}");
    }
    let resolve = |local: &str| directory.resolve(local, Some("example.com")).unwrap();
    assert_eq!(resolve("some"), Resolution::Alias(vec![UserId::admin()]));
    assert_eq!(resolve("none"), Resolution::Disabled(id("off")));
}

#[test]
fn the_work_of_a_failed_login_does_not_tell_who_exists() {
    let dir = tempfile::tempdir().unwrap();
    let directory = open(dir.path());
    add(&directory, "joe", "joe@example.com");
    let work = |login: &str, password: &str| {
        let before = directory.passwords.hasher.made();
        let _ = directory.enter(login, &Secret::new(password)).unwrap();
        directory.passwords.hasher.made() - before
    };
    for login in ["joe", "nobody", "../no id", "", "joe@elsewhere.org"] {
        for _ in 0..2 {
            assert_eq!(work(login, "wrong"), 1, "{login:?}");
        }
    }
    assert_eq!(work("joe", "joe-pw"), 1);
    assert_eq!(work("joe", "joe-pw"), 0, "remembered");
    add(&directory, "off", "off@example.com");
    let off = directory.user(&UserId::parse("off").unwrap()).unwrap().unwrap();
    directory.update_user(&User { state: UserState::Disabled, ..off }).unwrap();
    for _ in 0..2 {
        assert_eq!((work("off", "wrong"), work("off", "off-pw")), (1, 1), "a disabled user's password is not told");
    }
    let recognised = |login: &str, password: &str| {
        directory.recognise(login, &Secret::new(password), &imap()).map(|a| a.account.user)
    };
    assert_eq!(recognised("joe", "joe-pw"), Some(UserId::parse("joe").unwrap()));
    for (login, password) in [("joe", "wrong"), ("nobody", "joe-pw"), ("../no id", "joe-pw"), ("", "")] {
        assert_eq!(recognised(login, password), None, "{login:?}");
    }
}

#[test]
fn a_crash_leaves_whole_changes() {
    let run = |disk: Arc<FaultyDisk>, dir: &Path| -> Result<()> {
        let directory = open_on(disk, dir, true)?;
        directory.create_user(&user("admin", "admin@example.com"), &Secret::new("admin-pw"))?;
        directory.create_domain(&DomainName::parse("example.org")?, "")?;
        directory.create_user(&user("joe", "joe@example.org"), &Secret::new("joe-pw"))?;
        directory.delete_user(&UserId::parse("joe")?)?;
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
        for uid in ["admin", "joe"].map(|uid| UserId::parse(uid).unwrap()) {
            let Some(row) = directory.user(&uid).unwrap() else { continue };
            directory.activate_user(&uid).unwrap();
            let password = Secret::new(format!("{uid}-pw"));
            assert!(directory.enter(uid.as_str(), &password).unwrap().is_some(), "crash at {at}");
            let resolution = directory.resolve(row.mail.local(), Some(row.mail.domain().as_str())).unwrap();
            assert_eq!(resolution, Resolution::User(uid), "crash at {at}");
        }
        assert!(directory.domains().unwrap().iter().any(|domain| domain.primary));
        for domain in directory.domains().unwrap() {
            let postmaster = Address::new(POSTMASTER, domain.name).unwrap();
            assert!(directory.alias(&postmaster).unwrap().is_some(), "crash at {at}");
        }
    }
}

#[test]
fn a_change_that_is_not_on_disk_is_not_seen() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Arc::new(FaultyDisk::new(Arc::new(RealDisk)));
    let directory = open_on(disk.clone(), dir.path(), true).unwrap();
    add(&directory, "joe", "joe@example.com");
    disk.set_fault(Some(Fault::Fail { at: disk.changes() + 1, errno: rustix::io::Errno::NOSPC, lasting: false }));
    let sue = user("sue", "sue@example.com");
    assert!(matches!(directory.create_user(&sue, &Secret::new("x")), Err(Error::Unavailable(_))));
    assert_eq!(directory.resolve("sue", None).unwrap(), Resolution::Unknown);
    assert_eq!(directory.user(&sue.uid).unwrap(), None);
    // The disk has room again, and what was read before never stopped working.
    add(&directory, "sue", "sue@example.com");
    assert!(directory.enter("joe", &Secret::new("joe-pw")).unwrap().is_some());
}

#[test]
fn a_changed_user_keeps_the_rules() {
    let dir = tempfile::tempdir().unwrap();
    let directory = open(dir.path());
    directory.create_domain(&DomainName::parse("example.org").unwrap(), "").unwrap();
    for uid in ["admin", "joe", "sue"] {
        add(&directory, uid, &format!("{uid}@example.com"));
    }
    let at = |s: &str| Address::parse(s).unwrap();
    let joe = directory.user(&UserId::parse("joe").unwrap()).unwrap().unwrap();
    let refused = |change: &dyn Fn(&mut User)| {
        let mut row = joe.clone();
        change(&mut row);
        directory.update_user(&row).unwrap_err()
    };
    assert!(matches!(refused(&|joe| joe.mail = at("sue@example.com")), Error::Exists { .. }));
    assert!(matches!(refused(&|joe| joe.mail = at("joe@elsewhere.org")), Error::NoDomain(_)));
    assert!(matches!(refused(&|joe| joe.alternates = vec![at("postmaster@example.com")]), Error::Exists { .. }));
    assert!(matches!(refused(&|joe| joe.alternates = vec![at("joe@example.org")]), Error::Rule { .. }));
    assert!(matches!(refused(&|joe| joe.alternates = vec![joe.mail.clone()]), Error::Rule { .. }));
    assert!(matches!(refused(&|joe| joe.alternates = vec![at("j@example.com"); 2]), Error::Rule { .. }));
    assert!(matches!(refused(&|joe| joe.groups = vec!["a b".into()]), Error::Rule { .. }));
    assert!(matches!(refused(&|joe| joe.display_name = "a\nb".into()), Error::Rule { .. }));
    assert!(matches!(refused(&|joe| joe.uid = UserId::parse("new").unwrap()), Error::NoUser(_)));
    assert_eq!(directory.user(&joe.uid).unwrap().unwrap(), joe, "a refusal changes nothing");

    let mut row = joe.clone();
    (row.mail, row.alternates) = (at("joseph@example.com"), vec![joe.mail.clone()]);
    (row.groups, row.quota_limit_mib) = (vec!["staff".into()], Some(100));
    update(&directory, &mut row);
    let resolve = |local: &str| directory.resolve(local, Some("example.com")).unwrap();
    assert_eq!(
        (resolve("joseph"), resolve("joe")),
        (Resolution::User(joe.uid.clone()), Resolution::User(joe.uid.clone()))
    );
    row.alternates.clear();
    row.state = UserState::Disabled;
    update(&directory, &mut row);
    assert_eq!((resolve("joseph"), resolve("joe")), (Resolution::Disabled(joe.uid.clone()), Resolution::Unknown));
    assert_eq!(directory.enter("joe", &Secret::new("joe-pw")).unwrap(), None);
    row.state = UserState::Active;
    directory.update_user(&row).unwrap();
    let account = directory.enter("joe", &Secret::new("joe-pw")).unwrap().unwrap();
    assert_eq!(account.groups, ["staff"]);

    let mut new = directory.create_user(&user("new", "new@example.com"), &Secret::new("x")).unwrap();
    new.state = UserState::Active;
    directory.update_user(&new).unwrap();
    assert_eq!(directory.user(&new.uid).unwrap().unwrap().state, UserState::Pending, "no mailbox yet");

    let mut admin = directory.user(&UserId::admin()).unwrap().unwrap();
    admin.admin = false;
    assert!(matches!(directory.update_user(&admin), Err(Error::Protected { .. })));
}

#[test]
fn nothing_prints_a_password() {
    let dir = tempfile::tempdir().unwrap();
    let directory = open(dir.path());
    add(&directory, "joe", "joe@example.com");
    let shown = format!("{directory:?} {:?}", directory.rows);
    assert!(!shown.contains("argon2id"), "{shown}");
}

#[test]
fn configured_admins() {
    let dir = tempfile::tempdir().unwrap();
    let directory = open(dir.path());
    for (uid, admin) in [("boss", true), ("joe", false), (ADMIN, true)] {
        add(&directory, uid, &format!("{uid}@example.com"));
        let account = directory.account(&UserId::parse(uid).unwrap()).unwrap().unwrap();
        assert_eq!(account.admin, admin, "{uid}");
    }
}

fn joe() -> UserId {
    UserId::parse("joe").unwrap()
}

fn kept(directory: &Embedded) -> Credentials {
    directory.rows.read().credentials[&joe()].clone()
}

#[test]
fn a_password_can_be_proved_with_scram() {
    let dir = tempfile::tempdir().unwrap();
    let directory = open(dir.path());
    add(&directory, "joe", "joe@example.com");
    let first = directory.scram("JOE", ScramHash::Sha256).unwrap();
    let nobody = directory.scram("nobody", ScramHash::Sha256).unwrap();
    assert_eq!((first.iterations, first.salt.len()), (nobody.iterations, nobody.salt.len()));
    drop(directory);
    let directory = open_again(dir.path());
    let again = directory.scram("joe", ScramHash::Sha256).unwrap();
    assert!(first.salt == again.salt && first.stored_key.expose() == again.stored_key.expose());
    assert_eq!(directory.scram("nobody", ScramHash::Sha256).unwrap().salt, nobody.salt, "a salt that changes tells");
    directory.set_password(&joe(), &Secret::new("other")).unwrap();
    let changed = directory.scram("joe", ScramHash::Sha256).unwrap();
    assert!(changed.salt != first.salt && changed.stored_key.expose() != first.stored_key.expose());
    let mut row = directory.user(&joe()).unwrap().unwrap();
    row.state = UserState::Disabled;
    directory.update_user(&row).unwrap();
    let disabled = directory.scram("joe", ScramHash::Sha256).unwrap();
    assert!(disabled.stored_key.expose() != changed.stored_key.expose(), "no password fits a disabled user");
}

#[test]
fn hashes_from_elsewhere_become_ours_when_the_password_is_known() {
    let dir = tempfile::tempdir().unwrap();
    let directory = open(dir.path());
    add(&directory, "joe", "joe@example.com");
    let right = Secret::new("correct horse");
    directory.set_password_hash(&joe(), &Secret::new("{SHA}L55TUjtiq8FBorTWAZ0jy6g129A=")).unwrap();
    for wrong in ["joe-pw", "", "{SHA}L55TUjtiq8FBorTWAZ0jy6g129A="] {
        assert_eq!(directory.enter("joe", &Secret::new(wrong)).unwrap(), None, "{wrong}");
        assert!(kept(&directory).hash.starts_with("{SHA}") && kept(&directory).scram.is_empty());
    }
    assert!(directory.enter("joe", &right).unwrap().is_some());
    drop(directory);
    let directory = open_again(dir.path());
    let stored = kept(&directory);
    assert!(stored.hash.starts_with("$argon2id$") && stored.scram.len() == 1);
    assert!(directory.enter("joe", &right).unwrap().is_some());
    assert_eq!(kept(&directory).hash, stored.hash, "it is renewed once");
    for bad in ["", "secret", "{MD5}x", "{SSHA}", "$1$salt$qJH7.N4xYta3aEG/dfqo/0"] {
        let refused = directory.set_password_hash(&joe(), &Secret::new(bad));
        assert!(matches!(refused, Err(Error::Rule { .. })), "{bad}");
        assert_eq!(kept(&directory).hash, stored.hash, "the password is still the old one");
    }
    let nobody = UserId::parse("nobody").unwrap();
    let refused = directory.set_password_hash(&nobody, &Secret::new("{PLAIN}x"));
    assert!(matches!(refused, Err(Error::NoUser(_))));
}

#[test]
fn a_verifier_from_elsewhere_works_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let directory = open(dir.path());
    add(&directory, "joe", "joe@example.com");
    let brought = "{SCRAM-SHA-256}1000,c2FsdDEyMzQ=,PtKArcqpCvivqzrQ4aEtdQNXDdxAwOTQ6y3StK5s/cU=,\
        /ww7qeCn8d7L1FbUpMzgnL4zCbzxLj9k4X1+EQbsSWE=";
    directory.set_password_hash(&joe(), &Secret::new(brought)).unwrap();
    let keys = directory.scram("joe", ScramHash::Sha256).unwrap();
    assert_eq!((keys.iterations, &keys.salt[..]), (1000, &b"salt1234"[..]));
    assert!(directory.enter("joe", &Secret::new("correct horse")).unwrap().is_some());
}

#[test]
fn a_user_from_before_scram_gets_a_verifier_at_the_next_login() {
    let dir = tempfile::tempdir().unwrap();
    let directory = open(dir.path());
    add(&directory, "joe", "joe@example.com");
    let old = Credentials { scram: Vec::new(), ..kept(&directory) };
    put(&directory, vec![Change::Credentials(joe(), old.clone())]);
    assert!(directory.enter("joe", &Secret::new("joe-pw")).unwrap().is_some());
    assert_eq!((kept(&directory).hash, kept(&directory).scram.len()), (old.hash, 1));
}

/// Another number of rounds tells somebody from nobody: verifiers follow what the site wants as passwords become known.
#[test]
fn verifiers_become_those_of_new_users() {
    let dir = tempfile::tempdir().unwrap();
    let directory = open(dir.path());
    add(&directory, "joe", "joe@example.com");
    directory.close().unwrap();
    drop(directory);
    let mut directory = open(dir.path());
    directory.passwords.scram = ScramCost::new(5000, true).unwrap();
    let rounds = |login: &str, hash| directory.scram(login, hash).unwrap().iterations;
    assert_eq!((rounds("joe", ScramHash::Sha256), rounds("nobody", ScramHash::Sha256)), (100_000, 5000));
    let before = kept(&directory);
    assert!(directory.enter("joe", &Secret::new("joe-pw")).unwrap().is_some());
    for hash in [ScramHash::Sha256, ScramHash::Sha1] {
        assert_eq!(rounds("joe", hash), rounds("nobody", hash));
        let (joe, decoy) =
            (directory.scram("joe", hash).unwrap(), scram::decoy(hash, &[0; 32], "joe", directory.passwords.scram));
        assert_eq!(joe.salt.len(), decoy.salt.len());
        let verifier = kept(&directory).scram.into_iter().find(|verifier| verifier.is_for(hash)).unwrap();
        assert!(verifier.is_of(&Secret::new("joe-pw")));
    }
    assert_eq!((kept(&directory).hash, kept(&directory).scram.len()), (before.hash, 2));
    let renewed = kept(&directory)
        .renewed(&Secret::new("joe-pw"), &directory.passwords.hasher, directory.passwords.scram)
        .unwrap();
    assert!(renewed.is_none(), "once");
    // New passwords have both from the beginning.
    directory.set_password(&joe(), &Secret::new("other")).unwrap();
    assert_eq!(kept(&directory).scram.len(), 2);
}

/// What a login costs must not tell whether there is such a user, nor what kind of hash the user has.
#[test]
fn every_wrong_password_costs_a_hash_of_ours() {
    let dir = tempfile::tempdir().unwrap();
    let directory = open(dir.path());
    add(&directory, "joe", "joe@example.com");
    directory.set_password_hash(&joe(), &Secret::new("{SHA}L55TUjtiq8FBorTWAZ0jy6g129A=")).unwrap();
    for login in ["joe", "nobody", "../x"] {
        let before = directory.passwords.hasher.made();
        assert_eq!(directory.enter(login, &Secret::new("wrong")).unwrap(), None);
        assert_eq!(directory.passwords.hasher.made() - before, 1, "{login}");
    }
}
