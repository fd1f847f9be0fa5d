//! Users and domains, made, renamed and deleted while the world ends at every step: after the next start all of it is as it
//! was before, or as it is when nothing comes between. Never half of a user.

use std::fmt::Debug;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::OnceLock;

use crashes::{End, Ends, World};
use directory::{
    Actor, Address, Alias, AliasQuery, Directory, DomainName, Embedded, Error, Page, Revision, Secret, Service, User,
    UserId, UserState,
};
use rustix::io::Errno;
use tools::{CommandError, accounts};

use crate::site::{Site, name, open_good, outcome};

/// Something that is done to accounts.
struct Deed {
    name: &'static str,
    run: fn(&Site, &Service<'_, Embedded>) -> Result<(), CommandError>,
}

const DEEDS: &[Deed] = &[
    Deed {
        name: "a user is made, with folders",
        run: |site, service| {
            let mut ann = user("ann", "ann@example.org");
            ann.quota_limit_mib = Some(7);
            accounts::create_user(&site.store, service, &ann, &password()).map(drop)
        },
    },
    Deed {
        name: "a user is deleted",
        run: |site, service| accounts::delete_user(&site.store, service, &uid("joe"), None),
    },
    Deed { name: "a quota is changed", run: |site, service| set_quota(site, service, Some(25)) },
    Deed { name: "a quota is taken away", run: |site, service| set_quota(site, service, None) },
    Deed { name: "a user is disabled", run: |_, service| Ok(service.set_user_enabled(&uid("joe"), false, None)?) },
    Deed {
        name: "a domain is renamed",
        run: |_, service| Ok(service.rename_domain(&domain("second.example"), &domain("third.example"))?),
    },
    Deed {
        name: "the primary domain is renamed",
        run: |_, service| Ok(service.rename_domain(&domain("example.org"), &domain("example.net"))?),
    },
    Deed {
        name: "a domain is deleted with its users",
        run: |site, service| {
            let names = [domain("second.example")];
            accounts::delete_domains(&site.store, service, &names, true, &mut |_| {})
        },
    },
    Deed {
        name: "an alias is deleted with those that it leaves empty",
        run: |_, service| Ok(service.delete_alias(&at("inner@example.org"), None)?),
    },
];

fn set_quota(site: &Site, service: &Service<'_, Embedded>, mib: Option<u64>) -> Result<(), CommandError> {
    let mut joe = User::clone(&service.user(&uid("joe"))?.unwrap());
    joe.quota_limit_mib = mib;
    accounts::update_user(&site.store, service, &joe).map(drop)
}

/// What there is: domains, users and aliases without revisions, and all of the store.
#[derive(PartialEq, Clone, Debug)]
struct Picture {
    directory: Vec<String>,
    store: crate::site::Outcome,
}

/// [USR-5] [USR-6] [DOM-7] [DOM-9] [ALI-20]
#[test]
fn a_start_ends_what_was_begun() {
    let template = crashes::directory();
    people(template.path());
    let cut = End::PowerCut { seed: 0 };
    let crash = End::Crash { torn: 30 };
    let ends = Ends::default().and_in_turn(&[crash, cut, End::Full, crash, cut, End::Error(Errno::IO), crash]);
    let before = picture(template.path(), "before");
    crashes::table("account", DEEDS, |deed| {
        // What an undisturbed run leads to; the first try is one.
        let after = OnceLock::new();
        let operate = |world: &World, site: Site| {
            let done = (deed.run)(&site, &Service::new(&site.directory, Actor::operator(0)));
            world.acknowledged();
            assert!(done.is_ok() || !world.is_undisturbed(), "{done:?}");
            done.is_ok()
        };
        let judge = |world: &World, acknowledged: bool| {
            let context = format!("{} {world}", deed.name);
            let found = picture(world.path(), &context);
            let after = after.get_or_init(|| found.clone());
            assert!(found == *after || (!acknowledged && found == before), "{context}: half of it: {found:#?}");
        };
        let open = |world: &World| Site::open(world, false).unwrap();
        crashes::every_step(deed.name, template.path(), &ends, open, operate, judge)
    });
}

/// The picture after the next start, in which all users are whole.
fn picture(path: &Path, context: &str) -> Picture {
    let site = open_good(path).unwrap_or_else(|problem| panic!("{context}: {problem}"));
    let service = Service::new(&site.directory, Actor::server());
    accounts::resume(&site.store, &service).unwrap_or_else(|problem| panic!("{context}: {problem}"));
    let (mut all, mut go_on) = (|_: &_| ControlFlow::Continue(true), |_: &_| ControlFlow::Continue(()));
    let followed = accounts::follow_rows(&site.store, &service, false, &mut all, &mut go_on);
    followed.unwrap_or_else(|problem| panic!("{context}: {problem}"));
    let mut directory: Vec<String> = Vec::new();
    let mut say = |row: &dyn Debug| directory.push(format!("{row:?}"));
    for row in site.directory.domains().unwrap() {
        say(&(&row.name, row.primary, row.deleting));
    }
    for row in site.directory.users(None).unwrap() {
        assert!(!matches!(row.state, UserState::Pending | UserState::Deleting), "{context}: {row:?}");
        let inbox = name(&format!("user/{}", row.uid));
        assert!(site.store.row(&inbox).is_some(), "{context}: {row:?} has no INBOX");
        assert!(site.store.subscriptions(row.uid.as_str()).unwrap().contains(&inbox), "{context}: {row:?}");
        let limit = site.store.quota_limits(&inbox).and_then(|limits| limits.storage_kib);
        assert_eq!(limit, row.quota_limit_mib.map(|mib| mib * 1024), "{context}: {row:?}");
        say(&(&row.uid, &row.mail, row.state, &row.groups));
    }
    for row in service.aliases(&AliasQuery::default(), &Page::default()).unwrap().rows {
        say(&(&row.address, &row.owners, row.members().collect::<Vec<_>>()));
    }
    site.close().unwrap();
    Picture { directory, store: outcome(path, context, false) }
}

/// Two domains, three users with mailboxes, aliases that name each other.
fn people(path: &Path) {
    let site = open_good(path).unwrap();
    let service = Service::new(&site.directory, Actor::server());
    service.create_domain(&domain("second.example"), "the second").unwrap();
    let mut privileges = service.privileges().unwrap();
    privileges.default_folders = vec!["Sent".into(), "Old/2026".into()];
    service.set_privileges(&privileges).unwrap();
    for (id, mail) in [("joe", "joe@example.org"), ("sue", "sue@second.example"), ("tom", "tom@second.example")] {
        let mut user = user(id, mail);
        user.quota_limit_mib = Some(10).filter(|_| id == "joe");
        accounts::create_user(&site.store, &service, &user, &password()).unwrap();
    }
    let alias = |name: &str, owner: &str, members: &str| {
        let mut alias = Alias::new(at(name));
        alias.owners = vec![uid(owner)];
        for member in service.parse_members(members).unwrap() {
            alias.add(member);
        }
        service.create_alias(&alias).unwrap();
    };
    alias("inner@example.org", "sue", "joe");
    alias("outer@second.example", "sue", "inner");
    alias("all@example.org", "joe", "joe, sue@second.example, outer@second.example");
    alias("far@second.example", "tom", "x@elsewhere.example tom@second.example");
    site.close().unwrap();
}

/// Side by side, in an order that no second try would repeat: so not at every step.
#[test]
fn many_users_are_made_at_once() {
    let dir = crashes::directory();
    people(dir.path());
    let site = open_good(dir.path()).unwrap();
    let service = Service::new(&site.directory, Actor::operator(0));
    let kept = site.directory.passwords().hash(&password()).unwrap();
    let users: Vec<_> =
        (0..40).map(|n| (user(&format!("n{n}"), &format!("n{n}@second.example")), kept.clone())).collect();
    accounts::create_users(&site.store, &service, &users).unwrap();
    assert!(accounts::create_users(&site.store, &service, &users[..1]).is_err(), "they are there");
    for (user, _) in &users {
        assert!(site.store.row(&name(&format!("user/{}/Sent", user.uid))).is_some(), "{}", user.uid);
        assert!(site.directory.account(&user.uid).unwrap().is_some());
    }
    site.close().unwrap();
    picture(dir.path(), "afterwards");
}

/// Two administrators change a user at the same time: each changes what he was asked to.
#[test]
fn a_change_is_made_to_what_is_there_by_then() {
    let dir = crashes::directory();
    people(dir.path());
    let site = open_good(dir.path()).unwrap();
    let service = Service::new(&site.directory, Actor::operator(0));
    let mut others = 0;
    let mut change = |most: u32, expected: Option<Revision>| {
        accounts::edit_user(&site.store, &service, &uid("joe"), expected, &mut |user| {
            user.surname = "Changed".into();
            if others < most {
                others += 1;
                let mut other = User::clone(&service.user(&user.uid)?.unwrap());
                other.given_name = format!("Other{others}");
                service.update_user(&other)?;
            }
            Ok(())
        })
    };
    let now = change(3, None).unwrap();
    assert_eq!((now.given_name.as_str(), now.surname.as_str()), ("Other3", "Changed"));
    let conflict = |done| matches!(done, Err(CommandError::Directory(Error::Conflict { .. })));
    assert!(conflict(change(4, Some(now.revision))), "who wants that very row is told");
    assert!(conflict(change(u32::MAX, None)), "it ends");
    assert_eq!(others, 4 + 21);
    site.close().unwrap();
}

#[test]
fn what_is_done_is_done_once() {
    let dir = crashes::directory();
    people(dir.path());
    let site = open_good(dir.path()).unwrap();
    let service = Service::new(&site.directory, Actor::operator(0));
    let deleted = || accounts::delete_user(&site.store, &service, &uid("joe"), None);
    deleted().unwrap();
    assert!(matches!(deleted(), Err(CommandError::Directory(Error::NoUser(_)))));
    assert_eq!(accounts::resume(&site.store, &service).unwrap(), 0);
    // Nobody keeps a mailbox by having been there before: the name is free, with all that goes with it.
    let again = accounts::create_user(&site.store, &service, &user("joe", "joe@second.example"), &password()).unwrap();
    assert_eq!((again.state, again.quota_limit_mib), (UserState::Active, None));
    assert!(site.store.row(&name("user/joe/Old/2026")).is_some());
    site.close().unwrap();
}

fn user(id: &str, mail: &str) -> User {
    User::new(uid(id), at(mail), "Given", "Sur")
}

fn uid(text: &str) -> UserId {
    UserId::parse(text).unwrap()
}

fn at(text: &str) -> Address {
    Address::parse(text).unwrap()
}

fn domain(text: &str) -> DomainName {
    DomainName::parse(text).unwrap()
}

fn password() -> Secret {
    Secret::new(b"correct-horse".to_vec())
}
