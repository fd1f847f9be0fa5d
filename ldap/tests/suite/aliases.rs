//! Aliases: whom they name, what goes with whom, lists and searches.

use std::path::Path;

use directory::{
    ADMIN, AliasQuery, Directory, DomainName, Error, Member, Named, Page, Resolution, UserId, Words, look,
};

use super::{add, alias, at, domain, expand, id, resolve, server};

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
