//! Users: from their making to their end, every field, edits that meet, lists and searches.

use std::collections::HashSet;
use std::path::Path;

use directory::{
    ADMIN, ContactField, Credentials, Directory, Error, Forwarding, JunkAction, JunkException, JunkFilter, Member,
    NewUser, Page, Resolution, Row, Secret, User, UserOrder, UserQuery, UserState, Vacation, Words,
};

use super::{add, alias, at, domain, enter, far, id, new, resolve, server};

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
    let text = " Until *)(uid=* May:\n\n\t– 漢字 ".into();
    row.vacation = Some(Box::new(Vacation { on: true, subject: " Weg\\, #".into(), text, days: 90 }));
    let mut filter = JunkFilter { on: true, action: JunkAction::Destroy, ..JunkFilter::default() };
    // Neither by address or domain alone, nor by what becomes of them.
    for (pattern, decision) in
        [("b@a.example", "deny"), ("ö@a.example", "allow"), ("a.example", "deny"), ("z.example", "allow")]
    {
        filter.exceptions.push(JunkException::parse(JunkFilter::EXCEPTIONS, 0, pattern, decision).unwrap());
    }
    row.junk_filter = Some(Box::new(filter));
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
    row.vacation = Vacation { text: "x".into(), ..Vacation::default() }.kept();
    row.junk_filter = JunkFilter { on: true, ..JunkFilter::default() }.kept();
    (row.mail, row.quota_limit_mib, row.admin) = (at("joe@example.com"), Some(1 << 40), true);
    row.contact = directory::Contact::default();
    row.contact.set(ContactField::Fax, "12");
    let stored = server(directory).update_user(&row).unwrap();
    assert!(stored.revision != row.revision);
    row.revision = stored.revision;
    assert_eq!(directory.user(&row.uid).unwrap().unwrap(), row);
    assert_eq!(resolve(directory, "jörg@example.com"), Resolution::Unknown);
    (row.quota_limit_mib, row.vacation, row.junk_filter) = (None, None, None);
    row.revision = server(directory).update_user(&row).unwrap().revision;
    assert_eq!(directory.user(&row.uid).unwrap().unwrap(), row);
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

/// Two change places, one gives an address to somebody new, and one to an alias: one change, of which all or nothing happens.
pub(crate) fn addresses_change_hands(directory: &dyn Directory, _: &Path) {
    for uid in ["ann", "joe", "sue"] {
        add(directory, uid, &format!("{uid}@example.com"));
    }
    let service = server(directory);
    let with = |uid: &str, mail: &str, alternates: &[&str]| {
        let mut row = directory.user(&id(uid)).unwrap().unwrap();
        (row.mail, row.alternates) = (at(mail), alternates.iter().map(|address| at(address)).collect());
        row
    };
    directory.update_user(&with("sue", "sue@example.com", &["new@example.com", "list@example.com"])).unwrap();
    let made = User::new(id("tom"), at("new@example.com"), "T", "M");
    let rows = [
        Row::User(with("ann", "joe@example.com", &[])),
        Row::NewUser(made, Credentials::none()),
        Row::User(with("joe", "ann@example.com", &["j@example.com"])),
        Row::NewAlias(alias("list@example.com", &["tom"], &["tom"])),
        Row::User(with("sue", "sue@example.com", &[])),
    ];
    let mut refused = rows.to_vec();
    refused.push(Row::User(with("sue", "j@example.com", &[])));
    assert!(service.write_together(&refused, &HashSet::new()).is_err());
    assert_eq!(resolve(directory, "ann@example.com"), Resolution::User(id("ann")));
    let revision = service.write_together(&rows, &HashSet::new()).unwrap();
    service.activate_user(&id("tom")).unwrap();
    for (address, uid) in [("ann", "joe"), ("joe", "ann"), ("j", "joe"), ("sue", "sue"), ("new", "tom")] {
        assert_eq!(resolve(directory, &format!("{address}@example.com")), Resolution::User(id(uid)), "{address}");
    }
    assert_eq!(resolve(directory, "list@example.com"), Resolution::Alias(vec![id("tom")]));
    for row in [with("ann", "joe@example.com", &[]), with("sue", "sue@example.com", &[])] {
        let now = directory.user(&row.uid).unwrap().unwrap();
        assert!(now == row && now.revision == revision, "{now:?}");
    }
    let by_mail = UserQuery { order: UserOrder::Mail, ..UserQuery::default() };
    let listed = service.users(&by_mail, &Page::first(9)).unwrap().rows;
    assert_eq!(listed.iter().map(|row| row.uid.as_str()).collect::<Vec<_>>(), ["joe", "ann", "tom", "sue"]);
}
