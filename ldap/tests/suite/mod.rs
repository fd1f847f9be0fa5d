//! The cases. Each gets a new directory with the domain `example.com`.

use std::fs;
use std::path::Path;

use directory::{
    ADMIN, Account, Actor, Address, Alias, AliasQuery, AppPassword, Change, ContactField, Directory, DomainName, Error,
    Expansion, Forwarding, Member, Named, NewUser, Origin, Owner, Page, Plan, Privilege, RemoteAddress, Resolution,
    Secret, Service, User, UserId, UserOrder, UserQuery, UserState, Verdict, Words, look,
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

pub(crate) fn a_new_directory(directory: &dyn Directory, _: &Path) {
    let domains = directory.domains().unwrap();
    assert_eq!(domains.iter().map(|row| (row.name.as_str(), row.primary)).collect::<Vec<_>>(), [("example.com", true)]);
    let postmaster = directory.alias(&at("postmaster@example.com")).unwrap().unwrap();
    assert_eq!((&*postmaster.users, postmaster.joinable), (&[UserId::admin()][..], false));
    assert!(matches!(directory.resolve("postmaster", Some("example.com")), Err(Error::Unavailable(_))), "mail waits");
    add(directory, ADMIN, "admin@example.com");
    assert_eq!(resolve(directory, "Postmaster@example.com"), Resolution::Alias(vec![UserId::admin()]));
    assert!(matches!(directory.delete_user(&UserId::admin()), Err(Error::Protected { .. })));
    let refused = server(directory).delete_alias(&postmaster.address, None);
    assert!(matches!(refused, Err(Error::Protected { .. })), "{refused:?}");
    assert!(enter(directory, ADMIN, "admin-pw").unwrap().admin);
    add(directory, "boss", "boss@example.com");
    assert!(enter(directory, "boss", "boss-pw").unwrap().admin, "by the configuration");
    let counts = server(directory).counts(None).unwrap();
    assert_eq!((counts.users, counts.aliases), (2, 1));
}

pub(crate) fn users_live(directory: &dyn Directory, _: &Path) {
    let pending = directory.create_user(&new("joe", "Joe.Smith@example.com"), &Secret::new("x")).unwrap();
    assert_eq!((pending.display_name.as_str(), pending.state), ("Joe Smith", UserState::Pending));
    assert_eq!(enter(directory, "joe", "x"), None, "pending");
    assert!(matches!(directory.resolve("joe.smith", Some("example.com")), Err(Error::Unavailable(_))));
    // Once more, as after a crash.
    add(directory, "joe", "joe.smith@example.com");
    let account = enter(directory, "JOE", "joe-pw").unwrap();
    assert_eq!((account.user.as_str(), account.admin), ("joe", false));
    assert_eq!(directory.account(&id("joe")).unwrap(), Some(account));
    for wrong in ["", "Joe-pw", "joe-pw ", "*", "\0"] {
        assert_eq!(enter(directory, "joe", wrong), None, "{wrong:?}");
    }
    for stranger in ["jo", "", "joe@example.com", "../x", "admin", "*", "joe)(uid=*", "joe,ou=people"] {
        assert_eq!(enter(directory, stranger, "joe-pw"), None, "{stranger}");
        assert_eq!(enter(directory, stranger, ""), None, "{stranger}");
    }
    let joe = Resolution::User(id("joe"));
    for (local, domain) in [("Joe.SMITH", Some("Example.com")), ("joe.smith", None), ("joe", None)] {
        assert_eq!(directory.resolve(local, domain).unwrap(), joe, "{local}");
    }
    for unknown in ["joe@example.com", "joe.smith@else.org", "\"\"@example.com", "@example.com", "*@example.com"] {
        assert_eq!(resolve(directory, unknown), Resolution::Unknown, "{unknown}");
    }
    server(directory).set_user_enabled(&id("joe"), false, None).unwrap();
    assert_eq!(enter(directory, "joe", "joe-pw"), None);
    assert_eq!(resolve(directory, "joe.smith@example.com"), Resolution::Disabled(id("joe")));
    assert_eq!(directory.account(&id("joe")).unwrap(), None);
    server(directory).set_user_enabled(&id("joe"), true, None).unwrap();
    assert!(enter(directory, "joe", "joe-pw").is_some());
    directory.delete_user(&id("joe")).unwrap();
    assert_eq!(enter(directory, "joe", "joe-pw"), None);
    assert_eq!(resolve(directory, "joe.smith@example.com"), Resolution::Unknown);
    assert!(matches!(directory.activate_user(&id("joe")), Err(Error::NoUser(_))));
}

pub(crate) fn what_is_taken_is_refused(directory: &dyn Directory, _: &Path) {
    add(directory, "joe", "joe@example.com");
    let refuse = |new: NewUser| directory.create_user(&new, &Secret::new("x")).unwrap_err();
    assert!(matches!(refuse(new("joe", "other@example.com")), Error::Exists { .. }));
    assert!(matches!(refuse(new("sue", "JOE@example.com")), Error::Exists { .. }));
    assert!(matches!(refuse(new("sue", "postmaster@example.com")), Error::Exists { .. }));
    assert!(matches!(refuse(new("sue", "sue@elsewhere.org")), Error::NoDomain(_)));
    let empty = directory.create_user(&new("sue", "sue@example.com"), &Secret::new(""));
    assert!(matches!(empty, Err(Error::Rule { .. })));
    assert_eq!(directory.user(&id("sue")).unwrap(), None, "nothing half-done");
    directory.create_domain(&domain("example.org"), "second").unwrap();
    assert!(matches!(directory.create_domain(&domain("example.org"), ""), Err(Error::Exists { .. })));
    add(directory, "sue", "joe@example.org");
    assert_eq!(directory.users(Some(&domain("example.org"))).unwrap().len(), 1);
    let taken = server(directory).create_alias(&alias("joe@example.com", &["sue"], &["sue"]));
    assert!(matches!(taken, Err(Error::Exists { .. })), "{taken:?}");
    let mut sue = directory.user(&id("sue")).unwrap().unwrap();
    sue.alternates = vec![at("sue@example.org")];
    directory.update_user(&sue).unwrap();
    assert!(matches!(refuse(new("max", "sue@example.org")), Error::Exists { .. }), "a further address");
    assert_eq!(resolve(directory, "sue@example.org"), Resolution::User(id("sue")));
}

pub(crate) fn every_field_comes_back(directory: &dyn Directory, _: &Path) {
    let mut row = User::new(id("joe"), at("jörg@example.com"), "Jörg", "Müller, \"x\" <y>; #+\\*()");
    row.display_name = " J\u{3000}*)(uid=* 漢字".into();
    row.alternates = vec![at("a.b@example.com"), at("joe@example.com"), at("ö@example.com")];
    let numbers = ["+49 (89) 123-4", "call after 5 p.m.!", "Büro", "--", "ext. 12;13", "1", "x_y", "caf\u{e9}"];
    for (field, number) in ContactField::ALL.into_iter().zip(numbers) {
        row.contact.set(field, number);
    }
    let to = vec![far("JOE@else.example"), far("joe@else.example")];
    row.forwarding = Some(Box::new(Forwarding { to, keep_copy: true }));
    row.groups = vec!["readers".into(), "staff".into()];
    row.quota_limit_mib = Some(0);
    let made = server(directory).create_user(&row, &Secret::new("x")).unwrap();
    row.revision = made.revision;
    assert_eq!(directory.user(&row.uid).unwrap().unwrap(), row);
    directory.activate_user(&row.uid).unwrap();
    let mut row = directory.user(&row.uid).unwrap().unwrap();
    for address in ["JÖRG@example.com", "ö@Example.com", "joe@example.com"] {
        assert_eq!(resolve(directory, address), Resolution::User(row.uid.clone()), "{address}");
    }
    (row.given_name, row.surname, row.display_name) = ("J".into(), "M".into(), "J M".into());
    (row.alternates, row.forwarding, row.groups) = (Vec::new(), None, Vec::new());
    (row.mail, row.quota_limit_mib, row.admin) = (at("joe@example.com"), Some(1 << 40), true);
    row.contact = directory::Contact::default();
    row.contact.set(ContactField::Fax, "12");
    let stored = server(directory).update_user(&row).unwrap();
    assert!(stored.revision != row.revision);
    row.revision = stored.revision;
    assert_eq!(directory.user(&row.uid).unwrap().unwrap(), row);
    assert_eq!(resolve(directory, "jörg@example.com"), Resolution::Unknown);
    row.quota_limit_mib = None;
    row.revision = server(directory).update_user(&row).unwrap().revision;
    assert_eq!(directory.user(&row.uid).unwrap().unwrap(), row);
}

pub(crate) fn aliases_name_everybody(directory: &dyn Directory, _: &Path) {
    for uid in [ADMIN, "joe", "sue"] {
        add(directory, uid, &format!("{uid}@example.com"));
    }
    let service = server(directory);
    service.create_alias(&alias("inner@example.com", &["joe"], &["joe"])).unwrap();
    let members =
        ["joe", "sue", "alias:inner@example.com", "far:Mixed.Case@else.example", "far:mixed.case@else.example"];
    let mut all = alias("all.ö@example.com", &["joe", "sue"], &members);
    all.description = "everybody, *)(x=\\".into();
    (all.joinable, all.file, all.program) = (false, Some("/dev/null".into()), Some("/bin/cat -n 'a b'".into()));
    let stored = service.create_alias(&all).unwrap();
    all.revision = stored.revision;
    assert_eq!(*stored, all);
    assert_eq!(directory.alias(&all.address).unwrap().unwrap(), all);
    assert_eq!(resolve(directory, "ALL.Ö@example.com"), Resolution::Alias(vec![id("joe"), id("sue")]));
    let expansion = expand(directory, "all.ö+x@example.com").unwrap();
    assert_eq!((expansion.users.len(), expansion.remote.len(), expansion.detail.as_deref()), (2, 2, Some("x")));
    assert_eq!((expansion.files.len(), expansion.programs.len()), (1, 1));

    let naming = |who: Named<'_>| {
        let found = look(directory, |view| view.aliases_naming(who)).unwrap();
        found.iter().map(|alias| alias.address.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(naming(Named::User(&id("sue"))), ["all.ö@example.com"]);
    assert_eq!(naming(Named::Alias(&at("inner@example.com"))), ["all.ö@example.com"]);
    assert_eq!(naming(Named::Alias(&at("nothing@example.com"))), [""; 0]);
    assert_eq!(service.aliases_of(&id("joe")).unwrap().len(), 2);

    service.change_members(&all.address, &[Member::User(UserId::admin())], &[Member::User(id("sue"))]).unwrap();
    service.change_owners(&all.address, &[UserId::admin()], &[id("joe")]).unwrap();
    let mut changed = directory.alias(&all.address).unwrap().unwrap();
    // Not every back end keeps an order.
    changed.users.sort();
    changed.owners.sort();
    assert_eq!((changed.users, changed.owners), (vec![id("admin"), id("joe")], vec![id("admin"), id("sue")]));
    let own = service.change_members(&at("inner@example.com"), &[Member::Alias(all.address.clone())], &[]);
    assert!(matches!(own, Err(Error::Rule { .. })), "a loop: {own:?}");
    let unknown = service.change_members(&all.address, &[Member::User(id("nobody"))], &[]);
    assert!(unknown.is_err());
}

pub(crate) fn deletions_cascade(directory: &dyn Directory, _: &Path) {
    for uid in [ADMIN, "joe", "sue"] {
        add(directory, uid, &format!("{uid}@example.com"));
    }
    let service = server(directory);
    for (name, owners, members) in [
        ("inner", ["sue"], &["joe"][..]),
        ("outer", ["sue"], &["alias:inner@example.com"]),
        ("outermost", ["sue"], &["sue", "alias:outer@example.com"]),
        ("owned", ["joe"], &["sue"]),
    ] {
        service.create_alias(&alias(&format!("{name}@example.com"), &owners, members)).unwrap();
    }
    assert_eq!(resolve(directory, "outermost@example.com"), Resolution::Alias(vec![id("joe"), id("sue")]));
    let vanishing = service.vanishing_with(&id("joe")).unwrap();
    assert_eq!(vanishing.len(), 3, "{vanishing:?}");
    directory.delete_user(&id("joe")).unwrap();
    for gone in ["inner", "outer", "owned", "joe"] {
        assert_eq!(resolve(directory, &format!("{gone}@example.com")), Resolution::Unknown, "{gone}");
    }
    let left = directory.alias(&at("outermost@example.com")).unwrap().unwrap();
    assert_eq!((left.aliases, left.users), (vec![], vec![id("sue")]));
    add(directory, "joe", "joe@example.com");
    service.delete_alias(&at("outermost@example.com"), Some(left.revision)).unwrap();
    assert_eq!(resolve(directory, "outermost@example.com"), Resolution::Unknown);
    assert!(matches!(service.delete_alias(&at("outermost@example.com"), None), Err(Error::NoAlias(_))));
}

/// [DOM-9]
pub(crate) fn domains_are_renamed(directory: &dyn Directory, _: &Path) {
    let service = server(directory);
    service.create_domain(&domain("old.example"), "kept").unwrap();
    add(directory, ADMIN, "admin@example.com");
    add(directory, "joe", "j.ö@old.example");
    add(directory, "sue", "sue@example.com");
    let mut joe = directory.user(&id("joe")).unwrap().unwrap();
    joe.alternates = vec![at("joe@old.example")];
    directory.update_user(&joe).unwrap();
    let mut sue = directory.user(&id("sue")).unwrap().unwrap();
    let to = vec![far("b@very.old.example"), far("joe@old.example")];
    sue.forwarding = Some(Box::new(Forwarding { to, keep_copy: false }));
    directory.update_user(&sue).unwrap();
    service.create_alias(&alias("team@old.example", &["joe"], &["joe", "far:X@else.example"])).unwrap();
    // As before the rule that addresses of this server are named as what they are.
    let all = alias("all@example.com", &["sue"], &["alias:team@old.example", "far:C@old.example"]);
    let plan = Plan { changes: vec![Change::Alias(all)], events: Vec::new() };
    directory.change(&Actor::server(), &mut |_| Ok(plan.clone())).unwrap();

    let taken = service.rename_domain(&domain("old.example"), &domain("example.com"));
    assert!(matches!(taken, Err(Error::Exists { .. })), "{taken:?}");
    service.rename_domain(&domain("old.example"), &domain("new.example")).unwrap();
    let names: Vec<_> =
        directory.domains().unwrap().into_iter().map(|row| (row.name.to_string(), row.description)).collect();
    assert_eq!(names, [("example.com".into(), String::new()), ("new.example".into(), "kept".to_owned())]);
    let joe = directory.user(&id("joe")).unwrap().unwrap();
    assert_eq!((joe.mail, joe.alternates), (at("j.ö@new.example"), vec![at("joe@new.example")]));
    let sue = directory.user(&id("sue")).unwrap().unwrap();
    assert_eq!(sue.forwarding.unwrap().to, [far("b@very.old.example"), far("joe@new.example")]);
    let all = directory.alias(&at("all@example.com")).unwrap().unwrap();
    assert_eq!((all.aliases, all.remote), (vec![at("team@new.example")], vec![far("C@new.example")]));
    let team = directory.alias(&at("team@new.example")).unwrap().unwrap();
    assert_eq!(team.remote, [far("X@else.example")]);
    for (old, new) in [("team@old.example", "team@new.example"), ("joe@old.example", "joe@new.example")] {
        assert_eq!(resolve(directory, old), Resolution::Unknown);
        assert!(resolve(directory, new) != Resolution::Unknown, "{new}");
    }
    assert_eq!(resolve(directory, "postmaster@new.example"), Resolution::Alias(vec![UserId::admin()]));
    // The primary one too.
    service.rename_domain(&domain("example.com"), &domain("example.net")).unwrap();
    assert_eq!(directory.resolve("sue", None).unwrap(), Resolution::User(id("sue")));
    assert!(directory.domains().unwrap().iter().any(|row| row.primary && row.name.as_str() == "example.net"));
}

pub(crate) fn domains_are_deleted(directory: &dyn Directory, _: &Path) {
    let service = server(directory);
    let (org, net) = (domain("example.org"), domain("example.net"));
    for name in [&org, &net] {
        service.create_domain(name, "").unwrap();
    }
    add(directory, ADMIN, "admin@example.com");
    add(directory, "joe", "joe@example.org");
    service.create_alias(&alias("all@example.com", &["joe", "admin"], &["joe", "admin"])).unwrap();
    service.create_alias(&alias("x@example.org", &["admin"], &["admin"])).unwrap();
    let refused = service.begin_domain_deletion(std::slice::from_ref(&org), false);
    assert!(matches!(refused, Err(Error::Protected { .. } | Error::Rule { .. })), "{refused:?}");
    let primary = service.begin_domain_deletion(&[domain("example.com")], true);
    assert!(matches!(primary, Err(Error::Protected { .. })), "{primary:?}");
    for uid in service.begin_domain_deletion(&[org.clone(), net.clone()], true).unwrap() {
        directory.delete_user(&uid).unwrap();
    }
    for name in [&org, &net] {
        service.finish_domain_deletion(name).unwrap();
        assert_eq!(service.domain(name).unwrap(), None);
    }
    assert_eq!(directory.domains().unwrap().len(), 1);
    for gone in ["joe@example.org", "x@example.org", "postmaster@example.org"] {
        assert_eq!(resolve(directory, gone), Resolution::Unknown, "{gone}");
    }
    let all = directory.alias(&at("all@example.com")).unwrap().unwrap();
    assert_eq!((all.owners, all.users), (vec![id("admin")], vec![id("admin")]));
}

/// [USR-1] [USR-3] [USR-4]
pub(crate) fn users_are_listed(directory: &dyn Directory, _: &Path) {
    let service = server(directory);
    service.create_domain(&domain("example.org"), "").unwrap();
    for number in 0..23 {
        let place = if number % 5 == 0 { "example.org" } else { "example.com" };
        let mail = at(&format!("m{:02}@{place}", 22 - number));
        let row = User::new(id(&format!("u{number:02}")), mail, &format!("First{}", number % 3), "Öder * (x)");
        service.create_user(&row, &Secret::new("x")).unwrap();
    }
    let walk = |query: &UserQuery, limit: usize| {
        let (mut found, mut page) = (Vec::new(), Page::first(limit));
        loop {
            let listing = service.users(query, &page).unwrap();
            assert!(listing.rows.len() <= limit);
            found.extend(listing.rows.iter().map(|row| row.uid.to_string()));
            let Some(next) = listing.next else { return found };
            page = page.next(next);
        }
    };
    let all: Vec<String> = (0..23).map(|number| format!("u{number:02}")).collect();
    for limit in [1, 7, 22, 23, 100] {
        assert_eq!(walk(&UserQuery::default(), limit), all, "{limit}");
    }
    let by_mail = UserQuery { order: UserOrder::Mail, ..UserQuery::default() };
    let mut expected: Vec<_> = all.clone();
    expected.sort_by_key(|uid| {
        let number: usize = uid[1..].parse().unwrap();
        (number.is_multiple_of(5), 22 - number)
    });
    assert_eq!(walk(&by_mail, 4), expected);
    let org = Some(domain("example.org"));
    assert_eq!(
        walk(&UserQuery { domain: org.clone(), ..UserQuery::default() }, 2),
        ["u00", "u05", "u10", "u15", "u20"]
    );
    let search = |text: &str, in_addresses: bool| {
        walk(&UserQuery { words: Words::parse(text), in_addresses, ..UserQuery::default() }, 10).len()
    };
    for (text, in_addresses, expected) in [
        ("FIRST1", false, 8),
        ("first1 öDER", false, 8),
        ("ÖDER u0", false, 10),
        ("*", false, 23),
        ("(x)", false, 23),
        ("u*", false, 0),
        ("m0", false, 0),
        ("m0", true, 10),
        ("example.org", true, 5),
        ("ö@", true, 0),
        ("u00)(uid=*", false, 0),
        ("\\", false, 0),
        ("nobody", false, 0),
    ] {
        assert_eq!(search(text, in_addresses), expected, "{text:?} {in_addresses}");
    }
    let counts = service.counts(org.as_ref()).unwrap();
    assert_eq!((counts.users, counts.aliases), (5, 1));
    assert_eq!(service.counts(None).unwrap().users, 23);
    let cursor = service.users(&by_mail, &Page::first(1).next("no cursor".into()));
    assert!(matches!(cursor, Err(Error::Rule { field: "after", .. })));
}

pub(crate) fn aliases_are_listed(directory: &dyn Directory, _: &Path) {
    add(directory, ADMIN, "admin@example.com");
    let service = server(directory);
    service.create_domain(&domain("example.org"), "").unwrap();
    for number in 0..9 {
        let place = if number % 3 == 0 { "example.org" } else { "example.com" };
        let mut row = alias(&format!("a{}@{place}", 8 - number), &[ADMIN], &[ADMIN]);
        row.description = format!("Number {number}");
        service.create_alias(&row).unwrap();
    }
    let walk = |text: &str, domain: Option<DomainName>| {
        let query = AliasQuery { domain, words: Words::parse(text) };
        let (mut found, mut page) = (Vec::new(), Page::first(2));
        loop {
            let listing = service.aliases(&query, &page).unwrap();
            found.extend(listing.rows.iter().map(|row| row.address.to_string()));
            let Some(next) = listing.next else { return found.join(" ") };
            page = page.next(next);
        }
    };
    let org = Some(domain("example.org"));
    assert_eq!(walk("", org.clone()), "a2@example.org a5@example.org a8@example.org postmaster@example.org");
    assert_eq!(walk("NUMBER 3", None), "a3@example.com a5@example.org", "in the name or in the description");
    assert_eq!(walk("a7", None), "a7@example.com");
    assert_eq!(walk("a", None).split(' ').count(), 11);
    assert_eq!(walk("example", None), "", "the name is what is left of the @");
    assert_eq!(walk("*", None), "");
    let all = walk("", None);
    assert!(all.starts_with("a0@example.com a1@") && all.ends_with("postmaster@example.org"), "{all}");
}

/// What somebody types, or sends, is a value: of filters, of names of entries, of lines.
pub(crate) fn nothing_that_is_asked_for_is_a_pattern(directory: &dyn Directory, _: &Path) {
    add(directory, "joe", "joe@example.com");
    let hostile = [
        "*",
        "j*",
        "jo?",
        "joe)(objectClass=*",
        "*)(uid=*))(|(uid=*",
        "joe\0",
        "\\6a\\6f\\65",
        "joe,ou=people",
        "joe+uid=x",
        "joe\n",
        "\"joe\"",
        "#04036a6f65",
        "ｊｏｅ",
        "joe ",
        " joe",
        "joe@example.com",
    ];
    for text in hostile {
        assert_eq!(directory.resolve(text, Some("example.com")).unwrap(), Resolution::Unknown, "{text:?}");
        assert_eq!(directory.resolve(text, None).unwrap(), Resolution::Unknown, "{text:?}");
        assert_eq!(directory.resolve("joe", Some(text)).unwrap(), Resolution::Unknown, "{text:?}");
        let is_detail = text.starts_with("joe+");
        assert_eq!(directory.expand(text, Some("example.com")).unwrap().is_some(), is_detail, "{text:?}");
        assert_eq!(enter(directory, text, "joe-pw"), None, "{text:?}");
        let found = look(directory, |view| view.owner(text, &domain("example.com"))).unwrap();
        assert_eq!(found, None, "{text:?}");
        assert_eq!(look(directory, |view| view.group(text)).unwrap(), [], "{text:?}");
    }
    let found = look(directory, |view| view.owner("joe", &domain("example.com"))).unwrap();
    assert_eq!(found, Some(Owner::User(id("joe"))));
    // Addresses may have much in them.
    for local in ["a*b", "a(b)", "a,b"] {
        let Ok(address) = Address::parse(&format!("{local}@example.com")) else { continue };
        let uid = id("sue");
        let row = User::new(uid.clone(), address.clone(), "S", "U");
        server(directory).create_user(&row, &Secret::new("x")).unwrap();
        directory.activate_user(&uid).unwrap();
        assert_eq!(resolve(directory, &address.to_string()), Resolution::User(uid.clone()));
        assert_eq!(resolve(directory, "axb@example.com"), Resolution::Unknown);
        directory.delete_user(&uid).unwrap();
    }
}

pub(crate) fn edits_conflict(directory: &dyn Directory, _: &Path) {
    for uid in [ADMIN, "joe"] {
        add(directory, uid, &format!("{uid}@example.com"));
    }
    let service = server(directory);
    let mine = directory.user(&id("joe")).unwrap().unwrap();
    let mut theirs = mine.clone();
    theirs.contact.set(ContactField::Title, "theirs");
    service.update_user(&theirs).unwrap();
    assert!(matches!(service.update_user(&mine), Err(Error::Conflict { kind: "user", .. })));
    assert_eq!(directory.user(&id("joe")).unwrap().unwrap().contact.get(ContactField::Title), "theirs");
    let made = service.create_alias(&alias("x@example.com", &[ADMIN], &["joe"])).unwrap();
    service.change_members(&made.address, &[Member::User(id(ADMIN))], &[]).unwrap();
    assert!(matches!(service.update_alias(&made), Err(Error::Conflict { kind: "alias", .. })));
    assert!(matches!(service.delete_alias(&made.address, Some(made.revision)), Err(Error::Conflict { .. })));
    let before = service.privileges().unwrap();
    service.set_privileges(&before).unwrap();
    assert!(matches!(service.set_privileges(&before), Err(Error::Conflict { .. }) | Ok(_)));
}

pub(crate) fn passwords_change(directory: &dyn Directory, _: &Path) {
    add(directory, "joe", "joe@example.com");
    assert!(enter(directory, "joe", "joe-pw").is_some());
    directory.set_password(&id("joe"), &Secret::new("ö *)(")).unwrap();
    assert!(enter(directory, "joe", "joe-pw").is_none() && enter(directory, "joe", "ö *)(").is_some());
    directory.set_password_hash(&id("joe"), &Secret::new("{SHA}L55TUjtiq8FBorTWAZ0jy6g129A=")).unwrap();
    for wrong in ["ö *)(", "", "{SHA}L55TUjtiq8FBorTWAZ0jy6g129A="] {
        assert!(enter(directory, "joe", wrong).is_none(), "{wrong}");
    }
    for _ in 0..2 {
        assert!(enter(directory, "joe", "correct horse").is_some(), "renewed or not");
    }
    for bad in ["", "secret", "{SASL}joe", "{CLEARTEXT}"] {
        let refused = directory.set_password_hash(&id("joe"), &Secret::new(bad));
        assert!(matches!(refused, Err(Error::Rule { .. })), "{bad}");
    }
    assert!(enter(directory, "joe", "correct horse").is_some());
    assert!(matches!(directory.set_password(&id("nobody"), &Secret::new("x")), Err(Error::NoUser(_))));
}

pub(crate) fn app_passwords(directory: &dyn Directory, _: &Path) {
    add(directory, "joe", "joe@example.com");
    let app = |name: &str| AppPassword {
        name: name.into(),
        protocols: vec!["imap".into()],
        networks: Vec::new(),
        created: 1,
        expires: None,
    };
    let telephone = directory.add_app_password(&id("joe"), &app("telephone")).unwrap();
    let other = directory.add_app_password(&id("joe"), &app("other")).unwrap();
    let text = |secret: &Secret| String::from_utf8(secret.expose().to_vec()).unwrap();
    for _ in 0..2 {
        assert!(enter(directory, "joe", &text(&telephone)).is_some());
    }
    let pop = Origin::now("pop3", None);
    assert!(matches!(directory.authenticate("joe", &telephone, &pop).unwrap(), Verdict::Refused(_)));
    directory.set_password(&id("joe"), &Secret::new("new")).unwrap();
    assert!(enter(directory, "joe", &text(&telephone)).is_some(), "it stays");
    let names: Vec<_> = directory.app_passwords(&id("joe")).unwrap().into_iter().map(|app| app.name).collect();
    assert_eq!(names, ["telephone", "other"]);
    assert_eq!(directory.remove_app_passwords(&id("joe"), Some("telephone")).unwrap(), 1);
    assert!(enter(directory, "joe", &text(&telephone)).is_none());
    assert!(enter(directory, "joe", &text(&other)).is_some() && enter(directory, "joe", "new").is_some());
    assert_eq!(directory.remove_app_passwords(&id("joe"), None).unwrap(), 1);
}

pub(crate) fn groups_and_privileges(directory: &dyn Directory, _: &Path) {
    for (uid, groups) in [("ann", &["staff"][..]), ("joe", &["readers", "staff"]), ("sue", &[])] {
        add(directory, uid, &format!("{uid}@example.com"));
        let mut row = directory.user(&id(uid)).unwrap().unwrap();
        row.groups = groups.iter().map(|group| (*group).to_owned()).collect();
        directory.update_user(&row).unwrap();
    }
    let service = server(directory);
    assert_eq!(service.groups().unwrap(), [("readers".to_owned(), 1), ("staff".to_owned(), 2)]);
    assert_eq!(look(directory, |view| view.group("staff")).unwrap(), [id("ann"), id("joe")]);
    assert_eq!(enter(directory, "joe", "joe-pw").unwrap().groups, ["readers", "staff"]);
    service.create_alias(&alias("all@example.com", &["sue"], &["group:staff"])).unwrap();
    assert_eq!(resolve(directory, "all@example.com"), Resolution::Alias(vec![id("ann"), id("joe")]));
    let found = look(directory, |view| view.aliases_naming(Named::Group("staff"))).unwrap();
    assert_eq!(found.len(), 1);

    let mut privileges = service.privileges().unwrap();
    assert_eq!((privileges.default_quota_mib, privileges.allow(Privilege::AliasCreate)), (None, true));
    privileges.default_quota_mib = Some(100);
    privileges.default_folders = vec!["Gesendet ö".into()];
    privileges.set(Privilege::PasswordChange, false);
    privileges.revision = service.set_privileges(&privileges).unwrap();
    assert_eq!(service.privileges().unwrap(), privileges);
    let joe = Service::new(directory, Actor::user(&id("joe"), false, "web", None));
    assert!(matches!(joe.set_password(&id("joe"), &Secret::new("x")), Err(Error::Denied { .. })));
}

pub(crate) fn mail_goes_where_it_should(directory: &dyn Directory, _: &Path) {
    for uid in [ADMIN, "joe", "sue", "off"] {
        add(directory, uid, &format!("{uid}@example.com"));
    }
    let service = server(directory);
    let mut joe = directory.user(&id("joe")).unwrap().unwrap();
    let to = vec![far("sue@example.com"), far("Joe@else.example")];
    joe.forwarding = Some(Box::new(Forwarding { to, keep_copy: true }));
    directory.update_user(&joe).unwrap();
    service.set_user_enabled(&id("off"), false, None).unwrap();
    directory.create_user(&new("new", "new@example.com"), &Secret::new("x")).unwrap();
    let found = expand(directory, "joe+box@example.com").unwrap();
    let mut users = found.users.clone();
    users.sort();
    assert_eq!((users, found.remote), (vec![id("joe"), id("sue")], vec![far("Joe@else.example")]));
    service.create_alias(&alias("some@example.com", &[ADMIN], &[ADMIN, "off"])).unwrap();
    service.create_alias(&alias("none@example.com", &[ADMIN], &["off"])).unwrap();
    service.create_alias(&alias("far@example.com", &[ADMIN], &["far:x@else.example"])).unwrap();
    assert_eq!(resolve(directory, "some@example.com"), Resolution::Alias(vec![UserId::admin()]));
    assert_eq!(resolve(directory, "none@example.com"), Resolution::Disabled(id("off")));
    for waits in ["far", "new"] {
        assert!(matches!(directory.resolve(waits, Some("example.com")), Err(Error::Unavailable(_))), "{waits}");
    }
    assert_eq!(expand(directory, "nobody@example.com"), None);
}

pub(crate) fn changes_are_noted(directory: &dyn Directory, home: &Path) {
    add(directory, "joe", "joe@example.com");
    let joe = Service::new(directory, Actor::user(&id("joe"), false, "web", Some([192, 0, 2, 7].into())));
    let mut row = directory.user(&id("joe")).unwrap().unwrap();
    row.contact.set(ContactField::Title, "a\nb");
    assert!(joe.update_user(&row).is_err());
    row.contact.set(ContactField::Title, "Chief");
    joe.update_user(&row).unwrap();
    let text = fs::read_to_string(home.join("log/audit.log")).unwrap();
    let last = text.lines().last().unwrap();
    for part in [r#""who":"joe""#, r#""from":"192.0.2.7""#, r#""object":"joe""#, "Chief"] {
        assert!(last.contains(part), "{last}");
    }
    assert!(!text.contains("argon2") && !text.contains("joe-pw"));
    let numbers: Vec<_> = text.lines().map(|line| line.split(',').next().unwrap().to_owned()).collect();
    assert_eq!(numbers, (1..=numbers.len()).map(|n| format!("{{\"number\":{n}")).collect::<Vec<_>>());
}
