//! Aliases.

use directory::{AliasQuery, Member, Page, RemoteAddress, Words};

use super::*;

fn addresses(service: &Service<'_>, query: &AliasQuery, limit: usize) -> Vec<String> {
    let (mut found, mut page) = (Vec::new(), Page::first(limit));
    loop {
        let listing = service.aliases(query, &page).unwrap();
        found.extend(listing.rows.iter().map(|alias| alias.address.to_string()));
        let Some(next) = listing.next else { return found };
        page = page.next(next);
    }
}

/// Sorted: not every back end keeps them in the order in which they came.
fn members(directory: &Dir, address: &str) -> String {
    let alias = directory.alias(&at(address)).unwrap().unwrap();
    let mut members: Vec<_> = alias.members().map(|member| member.to_string()).collect();
    members.sort();
    members.join(" ")
}

fn start(directory: &Dir) -> Service<'_> {
    let service = Service::new(directory, Actor::server());
    people(&service, &[("joe", "joe@example.com"), ("sue", "sue.ott@example.com"), ("tom", "tom@example.com")]);
    service
}

/// [ALI-1] [ALI-2]
#[test]
fn lists_and_searches() {
    on_every_back_end(|directory| {
        let service = start(directory);
        service.create_domain(&domain("second.example"), "").unwrap();
        for (address, description) in
            [("zoo@example.com", "Animals"), ("all@example.com", "Everybody"), ("far@second.example", "animals, too")]
        {
            let mut row = alias(&service, address, "joe", "joe sue");
            row.description = description.into();
            service.create_alias(&row).unwrap();
        }
        let own = AliasQuery { domain: Some(domain("example.com")), ..AliasQuery::default() };
        assert_eq!(addresses(&service, &own, 2), ["all@example.com", "postmaster@example.com", "zoo@example.com"]);
        let words = |typed: &str| AliasQuery { words: Words::parse(typed), ..own.clone() };
        assert_eq!(addresses(&service, &words("ANIMAL"), 9), ["zoo@example.com"]);
        assert_eq!(addresses(&service, &words("zo ani"), 9), ["zoo@example.com"]);
        assert_eq!(addresses(&service, &words("zo every"), 9), [""; 0]);
        let everywhere = AliasQuery { words: Words::parse("animals"), ..AliasQuery::default() };
        assert_eq!(addresses(&service, &everywhere, 1), ["zoo@example.com", "far@second.example"]);
    });
}

/// [ALI-3]
#[test]
fn who_makes_an_alias_owns_it_unless_administrator() {
    on_every_back_end(|directory| {
        let service = start(directory);
        let made = by(directory, "joe").create_alias(&Alias::new(at("mine@example.com"))).unwrap();
        assert_eq!((&made.owners, &made.users), (&vec![uid("joe")], &vec![uid("joe")]));
        let bare = service.create_alias(&Alias::new(at("bare@example.com")));
        refused(bare, "rule", "owners", "", "one owner at least");
        let administrator = Service::new(directory, Actor::user(&UserId::admin(), true, "web", None));
        let row = alias(&service, "theirs@example.com", "joe", "sue");
        let made = administrator.create_alias(&row).unwrap();
        assert_eq!((&made.owners, &made.users), (&vec![uid("joe")], &vec![uid("sue")]));
        service.create_domain(&domain("second.example"), "").unwrap();
        let elsewhere = by(directory, "joe").create_alias(&Alias::new(at("mine@second.example")));
        assert_eq!(elsewhere.unwrap_err().code(), "denied");
    });
}

/// [ALI-4] [ALI-5]
#[test]
fn owners_say_who_is_in_it_and_users_join_what_is_open() {
    on_every_back_end(|directory| {
        let service = start(directory);
        put(&service, "open@example.com", "sue", "sue");
        let mut row = alias(&service, "closed@example.com", "sue", "sue");
        row.joinable = false;
        service.create_alias(&row).unwrap();
        let (open, closed) = (at("open@example.com"), at("closed@example.com"));
        let (joe, sue) = (by(directory, "joe"), by(directory, "sue"));
        let user = |id: &str| Member::User(uid(id));
        let denied = |result: Result<(), Error>| assert_eq!(result.unwrap_err().code(), "denied");

        joe.join_alias(&open).unwrap();
        assert_eq!(members(directory, "open@example.com"), "joe sue");
        denied(joe.change_members(&open, &[user("tom")], &[]));
        denied(joe.change_members(&open, &[], &[user("sue")]));
        denied(joe.change_members(&open, &[], &[user("sue"), user("joe")]));
        denied(joe.change_owners(&open, &[uid("joe")], &[]));
        joe.leave_alias(&open).unwrap();
        denied(joe.join_alias(&closed));
        assert!(joe.join_alias(&closed).unwrap_err().to_string().contains("restricted"));

        sue.change_owners(&closed, &[uid("joe")], &[]).unwrap();
        joe.change_members(&closed, &[user("tom"), user("joe")], &[]).unwrap();
        joe.change_owners(&closed, &[], &[uid("sue")]).unwrap();
        denied(sue.change_members(&closed, &[], &[user("tom")]));
        denied(sue.leave_alias(&closed));
        let mut row = directory.alias(&open).unwrap().unwrap();
        row.description = "mine now".into();
        assert_eq!(joe.update_alias(&row).unwrap_err().code(), "denied");
        sue.update_alias(&row).unwrap();
        assert!(service.join_alias(&open).is_err(), "the server is nobody who joins");
    });
}

/// [ALI-7] Any circle is refused, and named.
#[test]
fn no_alias_is_a_member_of_itself() {
    on_every_back_end(|directory| {
        let service = start(directory);
        put(&service, "a@example.com", "joe", "joe");
        put(&service, "b@example.com", "joe", "a sue");
        put(&service, "c@example.com", "joe", "b tom");
        let add = |to: &str, member: &str| {
            let member = Member::Alias(at(member));
            service.change_members(&at(to), &[member], &[])
        };
        let words = "a@example.com -> c@example.com -> b@example.com -> a@example.com";
        refused(add("a@example.com", "c@example.com"), "rule", "members", "c@example.com", words);
        let itself = add("a@example.com", "a@example.com");
        refused(itself, "rule", "members", "a@example.com", "a@example.com -> a@example.com");
        let mut row = Alias::new(at("d@example.com"));
        row.owners = vec![uid("joe")];
        row.add(Member::Alias(at("d@example.com")));
        refused(service.create_alias(&row), "rule", "members", "d@example.com", "member of itself");
        assert_eq!(members(directory, "a@example.com"), "joe");
        add("c@example.com", "a@example.com").unwrap();
        // A way as long as anybody likes. Each gets its member once both are there: the way below is short then.
        let deep = |n: usize| format!("deep{n}@example.com");
        for n in (0..300).rev() {
            put(&service, &deep(n), "joe", "joe");
            if n < 299 {
                add(&deep(n + 1), &deep(n)).unwrap();
            }
        }
        add(&deep(0), "c@example.com").unwrap();
        refused(add("a@example.com", &deep(299)), "rule", "members", &deep(299), "deep150@example.com");
    });
}

/// [ALI-8] [ALI-9]
#[test]
fn what_a_member_can_be_called() {
    on_every_back_end(|directory| {
        let service = start(directory);
        service.create_domain(&domain("second.example"), "").unwrap();
        people(&service, &[("ann", "ann@second.example")]);
        put(&service, "staff@example.com", "joe", "joe");
        let parse = |text: &str| service.parse_members(text);
        let list = parse("joe, staff sue.ott@EXAMPLE.com,ann@second.example Far@else.example").unwrap();
        let expected = [
            Member::User(uid("joe")),
            Member::Alias(at("staff@example.com")),
            Member::User(uid("sue")),
            Member::User(uid("ann")),
            Member::Remote(RemoteAddress::parse("Far@else.example").unwrap()),
        ];
        assert_eq!(list, expected);
        refused(parse("ann"), "rule", "members", "ann", "of that name in example.com");
        refused(parse("sue.ott"), "rule", "members", "sue.ott", "of that name");
        refused(parse("no@example.com"), "rule", "members", "no@example.com", "nobody has that address on this server");
        refused(parse("group:none"), "rule", "members", "group:none", "nobody is in a group");
        refused(parse("a b@c@d"), "rule", "members", "a", "no user");
        refused(parse("|sh@else.example"), "rule", "members", "|sh@else.example", "can't begin with");
        refused(parse("\"x\"@else.example"), "rule", "members", "\"x\"@else.example", "unquoted");
        for owner in ["staff", "staff@example.com", "far@else.example"] {
            refused(service.parse_owner(owner), "rule", "owners", owner, "an owner is a user");
        }
        assert_eq!(service.parse_owner("sue.ott@example.com").unwrap(), uid("sue"));
        // The same whoever made the row up.
        let create = |edit: fn(&mut Alias)| {
            let mut row = alias(&service, "new@example.com", "joe", "joe");
            edit(&mut row);
            service.create_alias(&row)
        };
        refused(create(|row| row.users.push(uid("no"))), "rule", "members", "no", "no user of that name");
        refused(create(|row| row.owners.push(uid("no"))), "rule", "owners", "no", "no user of that name");
        let missing = create(|row| row.aliases.push(at("no@example.com")));
        refused(missing, "rule", "members", "no@example.com", "no alias of that address");
        let local = create(|row| row.remote.push(RemoteAddress::parse("joe@example.com").unwrap()));
        refused(local, "rule", "members", "joe@example.com", "one of this server");
        refused(create(|row| row.users.push(uid("joe"))), "rule", "members", "joe", "given twice");
        refused(create(|row| row.description = "a\tb".into()), "rule", "description", "a\tb", "control");
        refused(create(|row| row.address = at("joe@example.com")), "exists", "alias", "joe@example.com", "user joe");
        refused(create(|row| row.address = at("staff@example.com")), "exists", "alias", "staff@example.com", "alias");
        refused(create(|row| row.address = at("a+b@example.com")), "rule", "alias", "a+b@example.com", "folder");
    });
}

/// [ALI-10] [ALI-11]
#[test]
fn files_and_programs_are_for_administrators() {
    on_every_back_end(|directory| {
        let service = start(directory);
        put(&service, "log@example.com", "joe", "joe");
        let row = || directory.alias(&at("log@example.com")).unwrap().unwrap();
        let with = |file: Option<&str>, program: Option<&str>| {
            let mut row = row();
            (row.file, row.program) = (file.map(str::to_owned), program.map(str::to_owned));
            row
        };
        for wanted in [with(Some("/dev/null"), None), with(None, Some("/bin/true"))] {
            let error = by(directory, "joe").update_alias(&wanted).unwrap_err();
            assert!(error.code() == "denied" && error.to_string().contains("only administrators"), "{error}");
        }
        let update = |file: Option<&str>, program: Option<&str>| service.update_alias(&with(file, program));
        refused(update(Some("x"), None), "rule", "file", "x", "begin with /");
        refused(update(Some("/x/../y"), None), "rule", "file", "/x/../y", "without ..");
        refused(update(Some("/etc/passwd"), None), "rule", "file", "/etc/passwd", "root");
        refused(update(None, Some("rm -rf")), "rule", "program", "rm -rf", "begin with /");
        refused(update(None, Some("/bin/a\n|b")), "rule", "program", "/bin/a\n|b", "control");
        update(Some("/dev/null"), Some("/bin/filter")).unwrap();
        // They are no members: the last member can't be taken out. An owner may change the rest.
        let joe = by(directory, "joe");
        let last = joe.change_members(&at("log@example.com"), &[], &[Member::User(uid("joe"))]);
        refused(last, "rule", "members", "", "one member at least");
        joe.change_members(&at("log@example.com"), &[Member::User(uid("sue"))], &[]).unwrap();
        assert_eq!(row().file.as_deref(), Some("/dev/null"));
    });
}

/// [ALI-20] [ALI-22] To a fixed point: an alias without owner or member goes, and leaves those that it was in.
#[test]
fn what_is_left_empty_vanishes() {
    on_every_back_end(|directory| {
        let service = start(directory);
        let mut row = alias(&service, "inner@example.com", "sue", "joe");
        row.program = Some("/bin/true".into());
        service.create_alias(&row).unwrap();
        put(&service, "middle@example.com", "sue", "inner");
        put(&service, "outer@example.com", "sue", "middle sue");
        put(&service, "owned@example.com", "joe", "sue");
        put(&service, "around@example.com", "tom", "owned");
        let mut joe = directory.user(&uid("joe")).unwrap().unwrap();
        joe.groups = vec!["clerks".into()];
        let joe = service.update_user(&joe).unwrap();
        put(&service, "clerks@example.com", "tom", "group:clerks");
        let mut nowhere = User::clone(&joe);
        nowhere.groups.clear();
        refused(service.update_user(&nowhere), "rule", "groups", "clerks", "the alias clerks@example.com names it");

        let vanishing = service.vanishing_with(&uid("joe")).unwrap();
        let texts: Vec<_> = vanishing.iter().map(ToString::to_string).collect();
        let gone = [
            "around@example.com",
            "clerks@example.com",
            "inner@example.com",
            "middle@example.com",
            "owned@example.com",
        ];
        assert_eq!(texts, gone);
        directory.delete_user(&uid("joe")).unwrap();
        let left = addresses(&service, &AliasQuery::default(), 99);
        assert_eq!(left, ["outer@example.com", "postmaster@example.com"]);
        assert_eq!(members(directory, "outer@example.com"), "sue");

        // The same when an alias is deleted.
        put(&service, "one@example.com", "sue", "tom");
        put(&service, "two@example.com", "sue", "one");
        put(&service, "three@example.com", "sue", "two sue");
        service.delete_alias(&at("one@example.com"), None).unwrap();
        assert!(directory.alias(&at("two@example.com")).unwrap().is_none());
        assert_eq!(members(directory, "three@example.com"), "sue");
        refused(service.delete_alias(&at("one@example.com"), None), "no-alias", "alias", "one@example.com", "no alias");
    });
}

/// [ALI-23] [ALI-24]
#[test]
fn owners_delete_it_and_nobody_empties_it() {
    on_every_back_end(|directory| {
        let service = start(directory);
        put(&service, "a@example.com", "joe", "sue");
        let address = at("a@example.com");
        assert_eq!(by(directory, "sue").delete_alias(&address, None).unwrap_err().code(), "denied");
        let joe = by(directory, "joe");
        let last = joe.change_members(&address, &[], &[Member::User(uid("sue"))]);
        refused(last, "rule", "members", "", "one member at least");
        refused(joe.change_owners(&address, &[], &[uid("joe")]), "rule", "owners", "", "one owner at least");
        refused(by(directory, "sue").leave_alias(&address), "rule", "members", "", "one member at least");
        joe.delete_alias(&address, None).unwrap();
        assert!(directory.alias(&address).unwrap().is_none());
    });
}
