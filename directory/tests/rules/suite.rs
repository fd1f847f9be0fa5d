//! The cases, for whoever names a back end to run them on: the crate around has a function `on_every_back_end`. What a test
//! shows is named in its text by the number of the requirement (docs/requirements.md is made of these).

mod aliases;
mod automatic;
mod conflicts;
mod domains;
mod lookups;
mod privileges;
mod quotas;
mod users;

use std::fs;
use std::path::Path;
use std::sync::Arc;

use directory::{Actor, Address, Alias, Directory, DomainName, Error, Secret, Service, Surroundings, User, UserId};

use crate::on_every_back_end;

/// A directory, whichever it is.
pub(crate) type Dir = dyn Directory;

/// The machine around: the operating system has accounts `root` and `news`.
pub(crate) fn around(home: &Path) -> Surroundings {
    let accounts = home.join("passwd");
    fs::write(&accounts, "root:x:0:0::/root:/bin/sh\nnews:x:9:13::/:/bin/false\n").unwrap();
    Surroundings { accounts: Some(accounts), guarded: vec![home.join("spool")] }
}

/// Makes the user `admin`, as the first start of a server does.
pub(crate) fn make_admin<D: Directory>(directory: &D) {
    let mut admin = User::new(UserId::admin(), at("admin@example.com"), "Ad", "Min");
    admin.admin = true;
    make(&server(directory), &admin);
}

fn server<D: Directory + ?Sized>(directory: &D) -> Service<'_, D> {
    Service::new(directory, Actor::server())
}

/// The directory in the hands of a user.
fn by<'a>(directory: &'a Dir, user: &str) -> Service<'a> {
    Service::new(directory, Actor::user(&uid(user), false, "web", None))
}

fn make<D: Directory + ?Sized>(service: &Service<'_, D>, user: &User) {
    service.create_user(user, &Secret::new("secret")).unwrap();
    service.activate_user(&user.uid).unwrap();
}

/// Makes users, each with an address in a domain.
fn people(service: &Service<'_>, people: &[(&str, &str)]) {
    for (id, mail) in people {
        make(service, &person(id, mail));
    }
}

fn person(id: &str, mail: &str) -> User {
    User::new(uid(id), at(mail), "Given", "Sur")
}

/// An alias with an owner and members, not stored.
fn alias(service: &Service<'_>, address: &str, owner: &str, members: &str) -> Alias {
    let mut alias = Alias::new(at(address));
    alias.owners = vec![uid(owner)];
    for member in service.parse_members(members).unwrap() {
        alias.add(member);
    }
    alias
}

/// The same, stored.
fn put(service: &Service<'_>, address: &str, owner: &str, members: &str) {
    service.create_alias(&alias(service, address, owner, members)).unwrap();
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

/// That something is refused: with which kind of error, for which field and value, and by which words.
#[track_caller]
fn refused<T: std::fmt::Debug>(found: Result<T, Error>, code: &str, field: &str, value: &str, words: &str) {
    let error = found.expect_err("it is to be refused");
    let names = error.field().unwrap_or_default();
    let said = (error.code(), &*names, error.value().unwrap_or_default());
    assert_eq!(said, (code, field, value), "{error}");
    assert!(error.to_string().contains(words), "{error}");
}
