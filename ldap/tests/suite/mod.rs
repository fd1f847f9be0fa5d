//! The cases. Each gets a new directory with the domain `example.com`.

pub(crate) mod aliases;
pub(crate) mod domains;
pub(crate) mod mail;
pub(crate) mod passwords;
pub(crate) mod rights;
pub(crate) mod users;

use directory::{
    ADMIN, Account, Actor, Address, Alias, Directory, DomainName, Expansion, Member, NewUser, Origin, RemoteAddress,
    Resolution, Secret, Service, UserId, Verdict,
};

fn id(text: &str) -> UserId {
    UserId::parse(text).unwrap()
}

fn at(text: &str) -> Address {
    Address::parse(text).unwrap()
}

fn far(text: &str) -> RemoteAddress {
    RemoteAddress::parse(text).unwrap()
}

fn domain(text: &str) -> DomainName {
    DomainName::parse(text).unwrap()
}

fn server<'a>(directory: &'a (dyn Directory + 'a)) -> Service<'a, dyn Directory + 'a> {
    Service::new(directory, Actor::server())
}

fn new(uid: &str, mail: &str) -> NewUser {
    NewUser { uid: id(uid), mail: at(mail), given_name: "Joe".into(), surname: "Smith".into(), admin: uid == ADMIN }
}

/// A user whose password is `<uid>-pw`.
fn add(directory: &dyn Directory, uid: &str, mail: &str) {
    directory.create_user(&new(uid, mail), &Secret::new(format!("{uid}-pw"))).unwrap();
    directory.activate_user(&id(uid)).unwrap();
}

fn enter(directory: &dyn Directory, login: &str, password: &str) -> Option<Account> {
    let origin = Origin::now("imap", Some([192, 0, 2, 1].into()));
    match directory.authenticate(login, &Secret::new(password), &origin).unwrap() {
        Verdict::Accepted(accepted) => Some(accepted.account),
        Verdict::Refused(_) => None,
    }
}

fn alias(name: &str, owners: &[&str], members: &[&str]) -> Alias {
    let mut alias = Alias::new(at(name));
    alias.owners = owners.iter().map(|owner| id(owner)).collect();
    for member in members {
        alias.add(match member.split_once(':') {
            Some(("group", group)) => Member::Group(group.into()),
            Some(("alias", address)) => Member::Alias(at(address)),
            Some(("far", address)) => Member::Remote(far(address)),
            _ => Member::User(id(member)),
        });
    }
    alias
}

fn resolve(directory: &dyn Directory, address: &str) -> Resolution {
    let (local, domain) = address.rsplit_once('@').unwrap();
    directory.resolve(local, Some(domain)).unwrap()
}

fn expand(directory: &dyn Directory, address: &str) -> Option<Expansion> {
    let (local, domain) = address.rsplit_once('@').unwrap();
    directory.expand(local, Some(domain)).unwrap()
}
