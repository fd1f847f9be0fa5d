//! Domains: the first one, renamed ones, deleted ones.

use std::path::Path;

use directory::{
    ADMIN, Actor, Change, Directory, Error, Forwarding, JunkException, JunkFilter, Plan, Resolution, UserId,
};

use super::{add, alias, at, domain, enter, far, id, resolve, server};

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
    let exceptions = |of: &[(&str, &str)]| -> Vec<JunkException> {
        of.iter().map(|(pattern, decision)| JunkException::parse("x", 0, pattern, decision).unwrap()).collect()
    };
    for (uid, of) in [("tom", &[("old.example", "deny")]), ("ann", &[("Joe@old.example", "allow")])] {
        add(directory, uid, &format!("{uid}@example.com"));
        let mut row = directory.user(&id(uid)).unwrap().unwrap();
        row.junk_filter = JunkFilter { exceptions: exceptions(of), ..JunkFilter::default() }.kept();
        directory.update_user(&row).unwrap();
    }
    let mut record = service.privileges().unwrap();
    record.junk_exceptions = exceptions(&[("x.old.example", "deny"), ("x@old.example", "allow")]);
    service.set_privileges(&record).unwrap();
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
    for (uid, expected) in [("tom", "deny:new.example"), ("ann", "allow:joe@new.example")] {
        let filter = directory.user(&id(uid)).unwrap().unwrap().junk_filter.unwrap();
        assert_eq!(filter.exceptions.iter().map(ToString::to_string).collect::<Vec<_>>(), [expected]);
    }
    let record = service.privileges().unwrap();
    let said: Vec<_> = record.junk_exceptions.iter().map(ToString::to_string).collect();
    assert_eq!(said, ["allow:x@new.example", "deny:x.old.example"]);
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
