//! Users.

use directory::{
    ContactField, Forwarding, Listing, Page, RemoteAddress, Resolution, UserOrder, UserQuery, UserState, Words,
};

use super::*;

/// Stores a user after a change.
fn change(service: &Service<'_>, id: &str, edit: impl FnOnce(&mut User)) -> Result<Arc<User>, Error> {
    let mut row = User::clone(&service.user(&uid(id)).unwrap().unwrap());
    edit(&mut row);
    service.update_user(&row)
}

/// [DOM-11] User IDs: what they are made of, and that nobody else is called so.
#[test]
fn user_ids() {
    on_every_back_end(|directory| {
        let service = Service::new(directory, Actor::server());
        people(&service, &[("Joe_2-x", "j.o.e@example.com")]);
        assert!(directory.user(&uid("joe_2-x")).unwrap().is_some());
        let long = "x".repeat(65);
        for (id, words) in [
            ("", "1 to 64"),
            (&long, "1 to 64"),
            ("j.oe", "only letters, digits, _ and -"),
            ("jörg", "only letters"),
            ("group:x", "only letters"),
            ("-joe", "begin with a hyphen"),
            ("anyone", "reserved"),
            ("Root", "reserved"),
            ("postmaster", "reserved"),
            ("mailer-daemon", "reserved"),
        ] {
            refused(UserId::parse(id), "rule", "uid", id, words);
        }
        let news = service.create_user(&person("news", "n@example.com"), &Secret::new("x"));
        refused(news, "rule", "uid", "news", "operating system");
    });
}

/// [USR-5] Every field has its rule, and what breaks one changes nothing.
#[test]
fn fields() {
    on_every_back_end(|directory| {
        let service = Service::new(directory, Actor::server());
        service.create_domain(&domain("second.example"), "").unwrap();
        people(&service, &[("joe", "joe@example.com"), ("sue", "sue@example.com")]);
        let check = |edit: fn(&mut User), code: &str, field: &str, value: &str, words: &str| {
            let before = directory.user(&uid("joe")).unwrap();
            refused(change(&service, "joe", edit), code, field, value, words);
            assert_eq!(directory.user(&uid("joe")).unwrap(), before);
        };
        check(|joe| joe.given_name = " ".into(), "rule", "given_name", " ", "must be given");
        check(|joe| joe.surname.clear(), "rule", "surname", "", "must be given");
        check(|joe| joe.display_name = "a\u{2028}b".into(), "rule", "display_name", "a\u{2028}b", "line breaks");
        check(|joe| joe.contact.set(ContactField::Fax, "1\r\n2"), "rule", "fax", "1\r\n2", "control");
        check(|joe| joe.mail = at("joe@nowhere.example"), "no-domain", "domain", "nowhere.example", "create it first");
        check(|joe| joe.mail = at("sue@example.com"), "exists", "mail", "sue@example.com", "user sue");
        check(|joe| joe.mail = at("postmaster@example.com"), "exists", "mail", "postmaster@example.com", "alias");
        check(|joe| joe.mail = at("|sh@example.com"), "rule", "mail", "|sh@example.com", "can't begin with");
        check(|joe| joe.mail = at("a+b@example.com"), "rule", "mail", "a+b@example.com", "begins the name of a folder");
        check(
            |joe| joe.alternates = vec![at("joe@second.example")],
            "rule",
            "alternates",
            "joe@second.example",
            "user's domain",
        );
        check(|joe| joe.alternates = vec![joe.mail.clone()], "rule", "alternates", "joe@example.com", "twice");
        check(
            |joe| joe.alternates = vec![at("sue@example.com")],
            "exists",
            "alternates",
            "sue@example.com",
            "user sue",
        );
        check(
            |joe| joe.alternates = (0..17).map(|n| at(&format!("j{n}@example.com"))).collect(),
            "rule",
            "alternates",
            "",
            "16",
        );
        check(|joe| joe.groups = vec!["A b".into()], "rule", "groups", "A b", "like a user ID");
        check(|joe| joe.groups = vec!["a".into(), "a".into()], "rule", "groups", "a", "twice");
        check(|joe| joe.quota_limit_mib = Some(u64::MAX), "rule", "quota_limit_mib", &u64::MAX.to_string(), "2^40");
        let empty = service.create_user(&person("tom", "tom@example.com"), &Secret::new(""));
        refused(empty, "rule", "password", "", "can't be empty");
        let nul = service.set_password(&uid("joe"), &Secret::new("a\0b"));
        refused(nul, "rule", "password", "", "none of them NUL");

        // An address may be another than the user ID, and have dots in it; the display name goes with the names.
        let joe = change(&service, "joe", |joe| {
            joe.mail = at("joe.smith@example.com");
            joe.alternates = vec![at("joe@example.com")];
            joe.surname = "Smith".into();
            joe.contact.set(ContactField::MobilePhone, "+1 23");
        });
        let joe = joe.unwrap();
        assert_eq!((joe.display_name.as_str(), joe.contact.get(ContactField::MobilePhone)), ("Given Smith", "+1 23"));
        let chosen = change(&service, "joe", |joe| joe.display_name = "J. S.".into()).unwrap();
        assert_eq!(chosen.display_name, "J. S.");
        let kept = change(&service, "joe", |joe| joe.given_name = "Joseph".into()).unwrap();
        assert_eq!(kept.display_name, "J. S.");
    });
}

/// [USR-5] Many at once, all of them or none.
#[test]
fn many_at_once() {
    on_every_back_end(|directory| {
        let service = Service::new(directory, Actor::server());
        let kept = directory.passwords().hash(&Secret::new("secret")).unwrap();
        let list = |people: &[(&str, &str)]| -> Vec<_> {
            people.iter().map(|(id, mail)| (person(id, mail), kept.clone())).collect()
        };
        let create = |people: &[(&str, &str)]| service.create_users(&list(people));
        let (a, b) = (("a", "a@example.com"), ("b", "b@example.com"));
        people(&service, &[("joe", "joe@example.com")]);
        refused(create(&[a, ("a", "x@example.com")]), "exists", "uid", "a", "another user of the same list");
        refused(create(&[a, ("c", "a@example.com")]), "exists", "mail", "a@example.com", "of the same list");
        refused(create(&[a, ("joe", "c@example.com")]), "exists", "uid", "joe", "user joe");
        refused(create(&[a, ("c", "postmaster@example.com")]), "exists", "mail", "postmaster@example.com", "alias");
        assert_eq!(service.counts(None).unwrap().users, 2, "none of them");
        create(&[a, b]).unwrap();
        assert_eq!(directory.user(&uid("a")).unwrap().unwrap().state, UserState::Pending);
        service.activate_users(&[uid("a"), uid("b")]).unwrap();
        assert_eq!(directory.resolve("b", None).unwrap(), Resolution::User(uid("b")));
    });
}

/// Forwarding: to where, and that it does not come back.
#[test]
fn forwarding() {
    on_every_back_end(|directory| {
        let service = Service::new(directory, Actor::server());
        people(&service, &[("joe", "joe@example.com"), ("sue", "sue@example.com")]);
        let forward = |to: &[&str]| {
            let to = to.iter().map(|to| RemoteAddress::parse(to).unwrap()).collect();
            change(&service, "joe", |joe| joe.forwarding = Some(Box::new(Forwarding { to, keep_copy: false })))
        };
        refused(forward(&[]), "rule", "forwarding", "", "1 to 10");
        refused(forward(&["a@b.example", "a@b.example"]), "rule", "forwarding", "a@b.example", "twice");
        refused(forward(&["JOE@example.com"]), "rule", "forwarding", "JOE@example.com", "own address");
        refused(forward(&["no@example.com"]), "rule", "forwarding", "no@example.com", "nobody has that address");
        refused(RemoteAddress::parse("|x@b.example"), "rule", "address", "|x@b.example", "can't begin with");
        forward(&["sue@example.com", "Joe@else.example"]).unwrap();
        let found = directory.expand("joe", Some("example.com")).unwrap().unwrap();
        assert_eq!((found.users, found.remote.len()), (vec![uid("sue")], 1));
    });
}

/// [USR-1] [USR-3] Pages, by user ID and by address.
#[test]
fn pages() {
    on_every_back_end(|directory| {
        let service = Service::new(directory, Actor::server());
        service.create_domain(&domain("second.example"), "").unwrap();
        for (n, mail) in ["z", "y", "x", "w", "v"].iter().enumerate() {
            make(&service, &person(&format!("u{n}"), &format!("{mail}@second.example")));
        }
        let all = |query: &UserQuery| {
            let (mut found, mut page) = (Vec::new(), Page::first(2));
            loop {
                let Listing { rows, next } = service.users(query, &page).unwrap();
                assert!(rows.len() <= 2);
                found.extend(rows.iter().map(|user| user.uid.to_string()));
                let Some(next) = next else { return found };
                page = page.next(next);
            }
        };
        let second = Some(domain("second.example"));
        let by_id = UserQuery { domain: second.clone(), ..UserQuery::default() };
        assert_eq!(all(&by_id), ["u0", "u1", "u2", "u3", "u4"]);
        let by_mail = UserQuery { order: UserOrder::Mail, ..by_id.clone() };
        assert_eq!(all(&by_mail), ["u4", "u3", "u2", "u1", "u0"]);
        let everywhere = UserQuery { order: UserOrder::Mail, ..UserQuery::default() };
        assert_eq!(all(&everywhere), ["admin", "u4", "u3", "u2", "u1", "u0"]);
        assert_eq!(all(&UserQuery::default()), ["admin", "u0", "u1", "u2", "u3", "u4"]);
        let wrong = Page { after: Some("no cursor".into()), limit: 2 };
        refused(service.users(&by_id, &wrong), "rule", "after", "no cursor", "no cursor");
        refused(service.users(&by_mail, &wrong), "rule", "after", "no cursor", "no cursor");
    });
}

/// [USR-4] Words are parts of user ID and names, all of them, in any case; nothing in them has a meaning of its own.
#[test]
fn searches() {
    on_every_back_end(|directory| {
        let service = Service::new(directory, Actor::server());
        for (id, given, surname) in [("jsmith", "Joe", "Smith"), ("jörg1", "", ""), ("sue", "Suzanne", "Ott-Smithe")] {
            let Ok(id) = UserId::parse(id) else { continue };
            let mail = at(&format!("box.{id}@example.com"));
            make(&service, &User::new(id, mail, given, surname));
        }
        let find = |typed: &str, in_addresses: bool| -> Vec<String> {
            let query = UserQuery { words: Words::parse(typed), in_addresses, ..UserQuery::default() };
            let by_id = service.users(&query, &Page::default()).unwrap().rows;
            let by_mail = UserQuery { order: UserOrder::Mail, ..query };
            assert_eq!(service.users(&by_mail, &Page::default()).unwrap().rows.len(), by_id.len());
            by_id.iter().map(|user| user.uid.to_string()).collect()
        };
        assert_eq!(find("smith", false), ["jsmith", "sue"]);
        assert_eq!(find("SMITH suz", false), ["sue"]);
        assert_eq!(find("smith joe suz", false), [""; 0]);
        assert_eq!(find("joe smith", false), ["jsmith"]);
        for nothing in ["s*", "s.e", "%", "box", "(uid=*)", "sue\0"] {
            assert_eq!(find(nothing, false).len(), usize::from(nothing == "sue\0"), "{nothing:?}");
        }
        assert_eq!(find("box.sue", true), ["sue"]);
    });
}

/// [USR-2] [USR-6] [USR-8]
#[test]
fn a_deleted_user_leaves_nothing() {
    on_every_back_end(|directory| {
        let service = Service::new(directory, Actor::server());
        people(&service, &[("joe", "joe@example.com"), ("sue", "sue@example.com")]);
        put(&service, "ours@example.com", "sue", "joe sue");
        put(&service, "his@example.com", "joe", "sue");
        let named: Vec<_> = service.aliases_of(&uid("joe")).unwrap().iter().map(|a| a.address.to_string()).collect();
        assert_eq!(named, ["his@example.com", "ours@example.com"]);
        assert_eq!(service.vanishing_with(&uid("joe")).unwrap(), [at("his@example.com")]);
        assert!(service.alias(&at("his@example.com")).unwrap().is_some(), "a question changes nothing");

        service.begin_user_deletion(&uid("joe"), None).unwrap();
        assert_eq!(directory.resolve("joe", Some("example.com")).unwrap(), Resolution::Unknown);
        assert_eq!(directory.user(&uid("joe")).unwrap(), None);
        assert!(directory.account(&uid("joe")).unwrap().is_none());
        assert_eq!(service.alias(&at("ours@example.com")).unwrap().unwrap().users, [uid("sue")]);
        assert!(service.alias(&at("his@example.com")).unwrap().is_none());
        // Until the mailbox is gone nobody gets the name, the address, or a place in an alias with it.
        let again = service.create_user(&person("joe", "joe@example.com"), &Secret::new("x"));
        refused(again, "exists", "uid", "joe", "being deleted");
        let other = service.create_user(&person("tom", "joe@example.com"), &Secret::new("x"));
        refused(other, "exists", "mail", "joe@example.com", "user joe");
        refused(service.parse_members("joe"), "rule", "members", "joe", "no user");
        refused(service.set_password(&uid("joe"), &Secret::new("x")), "no-user", "uid", "joe", "no user");
        service.begin_user_deletion(&uid("joe"), None).unwrap();
        service.finish_user_deletion(&uid("joe")).unwrap();
        refused(service.begin_user_deletion(&uid("joe"), None), "no-user", "uid", "joe", "no user");
        people(&service, &[("joe", "joe@example.com")]);
        assert_eq!(service.aliases_of(&uid("joe")).unwrap(), []);
        assert_eq!(service.app_passwords(&uid("joe")).unwrap(), []);
        let alive = service.finish_user_deletion(&uid("joe"));
        refused(alive, "protected", "uid", "joe", "not marked for deletion");
    });
}

/// [USR-7] [USR-9]
#[test]
fn admin_stays() {
    on_every_back_end(|directory| {
        let service = Service::new(directory, Actor::server());
        service.create_domain(&domain("second.example"), "").unwrap();
        let admin = UserId::admin();
        refused(service.begin_user_deletion(&admin, None), "protected", "uid", "admin", "can't be deleted");
        refused(directory.delete_user(&admin), "protected", "uid", "admin", "can't be deleted");
        let disabled = service.set_user_enabled(&admin, false, None);
        refused(disabled, "protected", "state", "admin", "can't be disabled");
        let demoted = change(&service, "admin", |admin| admin.admin = false);
        refused(demoted, "protected", "admin", "admin", "stays an administrator");
        let moved = change(&service, "admin", |admin| admin.mail = at("admin@second.example"));
        refused(moved, "protected", "mail", "admin@second.example", "the server's own domain");
        service.set_password(&admin, &Secret::new("another")).unwrap();
    });
}

#[test]
fn disabled_and_enabled_again() {
    on_every_back_end(|directory| {
        let service = Service::new(directory, Actor::server());
        people(&service, &[("joe", "joe@example.com")]);
        let joe = uid("joe");
        let resolved = || directory.resolve("joe", Some("example.com")).unwrap();
        service.set_user_enabled(&joe, false, None).unwrap();
        assert_eq!(resolved(), Resolution::Disabled(joe.clone()));
        assert!(directory.account(&joe).unwrap().is_none());
        service.set_user_enabled(&joe, true, None).unwrap();
        assert_eq!(resolved(), Resolution::User(joe.clone()));
        let pending = service.create_user(&person("sue", "sue@example.com"), &Secret::new("x")).unwrap();
        assert_eq!(pending.state, UserState::Pending);
        let early = service.set_user_enabled(&pending.uid, true, None);
        refused(early, "protected", "state", "sue", "mailbox is not there yet");
        assert_eq!(service.look(|view| view.unfinished()).unwrap().len(), 1);
    });
}

/// [USR-10] [USR-11] What users may change of themselves.
#[test]
fn users_change_what_is_not_starred() {
    on_every_back_end(|directory| {
        people(&Service::new(directory, Actor::server()), &[("joe", "joe@example.com"), ("sue", "sue@example.com")]);
        let joe = by(directory, "joe");
        let denied = |edit: fn(&mut User), words: &str| {
            let error = change(&joe, "joe", edit).unwrap_err();
            assert!(error.code() == "denied" && error.to_string().contains(words), "{error}");
        };
        denied(|joe| joe.mail = at("j@example.com"), "mail");
        denied(|joe| joe.alternates = vec![at("j@example.com")], "alternates");
        denied(|joe| joe.quota_limit_mib = Some(1), "quota_limit_mib");
        denied(|joe| joe.admin = true, "admin");
        denied(|joe| joe.groups = vec!["staff".into()], "groups");
        denied(|joe| joe.state = UserState::Disabled, "state");
        change(&joe, "joe", |joe| joe.contact.set(ContactField::Title, "Clerk")).unwrap();
        assert_eq!(change(&joe, "sue", |sue| sue.given_name = "X".into()).unwrap_err().code(), "denied");
        assert_eq!(joe.set_password(&uid("sue"), &Secret::new("x")).unwrap_err().code(), "denied");
        assert_eq!(joe.app_passwords(&uid("sue")).unwrap_err().code(), "denied");
        assert_eq!(joe.set_password_hash(&uid("joe"), &Secret::new("{PLAIN}x")).unwrap_err().code(), "denied");
        assert_eq!(joe.create_user(&person("x", "x@example.com"), &Secret::new("x")).unwrap_err().code(), "denied");
        assert_eq!(joe.begin_user_deletion(&uid("joe"), None).unwrap_err().code(), "denied");
        assert_eq!(joe.set_user_enabled(&uid("joe"), true, None).unwrap_err().code(), "denied");
        joe.set_password(&uid("joe"), &Secret::new("mine")).unwrap();
    });
}
