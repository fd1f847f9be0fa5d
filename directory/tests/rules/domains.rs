//! Domains.

use directory::{AliasQuery, Domain, Page, Resolution, UserQuery, Words};

use super::*;

fn names(service: &Service<'_>) -> Vec<String> {
    service.domains().unwrap().iter().map(|domain| domain.name.to_string()).collect()
}

/// [DOM-1] [DOM-10] [DOM-12]
#[test]
fn a_new_server_has_its_own_domain_with_a_postmaster() {
    on_every_back_end(|directory| {
        let service = Service::new(directory, Actor::server());
        let domains = service.domains().unwrap();
        assert!(matches!(&domains[..], [domain] if domain.primary && domain.name.as_str() == "example.com"));
        let postmaster = service.alias(&at("postmaster@example.com")).unwrap().unwrap();
        assert_eq!((&postmaster.owners, &postmaster.users), (&vec![UserId::admin()], &vec![UserId::admin()]));
        assert!(!postmaster.joinable);
        let mail = directory.resolve("postmaster", Some("example.com")).unwrap();
        assert_eq!(mail, Resolution::Alias(vec![UserId::admin()]));
    });
}

/// [DOM-2] [DOM-4] [DOM-5] [DOM-6] [DOM-10]
#[test]
fn domains_are_made_with_a_description_and_listed() {
    on_every_back_end(|directory| {
        let service = Service::new(directory, Actor::server());
        let made = service.create_domain(&domain("Second.Example"), "für uns").unwrap();
        assert_eq!((made.name.as_str(), made.primary), ("second.example", false));
        service.create_domain(&domain("xn--bcher-kva.example"), "").unwrap();
        assert_eq!(names(&service), ["example.com", "second.example", "xn--bcher-kva.example"]);
        let kept = service.domain(&made.name).unwrap().unwrap();
        assert_eq!(*kept, made);
        assert_eq!(kept.description, "für uns");
        assert!(service.alias(&at("postmaster@second.example")).unwrap().is_some());
        // Twice is refused in any case of letters, and changes nothing.
        let again = service.create_domain(&domain("SECOND.example"), "other");
        refused(again, "exists", "domain", "second.example", "taken by a domain of this server");
        assert_eq!(*service.domain(&made.name).unwrap().unwrap(), made);

        let revision = service.describe_domain(&made.name, "new", Some(made.revision)).unwrap();
        assert_eq!(service.domain(&made.name).unwrap().unwrap().description, "new");
        let stale = service.describe_domain(&made.name, "newer", Some(made.revision));
        assert_eq!(stale.unwrap_err().code(), "conflict");
        service.describe_domain(&made.name, "newer", Some(revision)).unwrap();
    });
}

/// [DOM-6]
#[test]
fn what_a_domain_can_be_called() {
    on_every_back_end(|directory| {
        let service = Service::new(directory, Actor::server());
        let long_label = format!("{}.example", "x".repeat(64));
        for (name, words) in [
            ("", "1 to 253 characters"),
            ("a..b", "between its dots"),
            ("a.example.", "leave out the dot"),
            ("-a.example", "begin or end with a hyphen"),
            ("bücher.example", "other scripts as xn--"),
            (&long_label, "1 to 63"),
        ] {
            refused(DomainName::parse(name), "rule", "domain", name, words);
        }
        refused(service.create_domain(&domain("nodot"), ""), "rule", "domain", "nodot", "name without a dot");
        let text = "x".repeat(257);
        let shown = format!("{}...", "x".repeat(120));
        let long = service.create_domain(&domain("a.example"), &text);
        refused(long, "rule", "description", &shown, "256 characters");
        refused(service.create_domain(&domain("a.example"), "a\nb"), "rule", "description", "a\nb", "control");
        assert_eq!(names(&service), ["example.com"]);
    });
}

/// [DOM-3] [DOM-11]
#[test]
fn everybody_belongs_to_one_domain() {
    on_every_back_end(|directory| {
        let service = Service::new(directory, Actor::server());
        service.create_domain(&domain("second.example"), "").unwrap();
        people(&service, &[("joe", "joe@example.com"), ("joe2", "joe@second.example")]);
        let foreign = service.create_user(&person("sue", "sue@foreign.example"), &Secret::new("x"));
        refused(foreign, "no-domain", "domain", "foreign.example", "create it first");
        let mut joe = person("joe3", "joe3@example.com");
        joe.alternates = vec![at("joe3@second.example")];
        let elsewhere = service.create_user(&joe, &Secret::new("x"));
        refused(elsewhere, "rule", "alternates", "joe3@second.example", "in the user's domain example.com");
        let taken = service.create_user(&person("joe", "other@second.example"), &Secret::new("x"));
        refused(taken, "exists", "uid", "joe", "user joe");
        let outside = service.create_alias(&alias(&service, "x@foreign.example", "joe", "joe"));
        refused(outside, "no-domain", "domain", "foreign.example", "no domain");
    });
}

/// [DOM-8]
#[test]
fn lists_and_names_are_of_the_current_domain() {
    on_every_back_end(|directory| {
        let service = Service::new(directory, Actor::server());
        service.create_domain(&domain("second.example"), "").unwrap();
        people(&service, &[("joe", "joe@example.com"), ("sue", "sue@second.example")]);
        assert_eq!(service.current_domain().unwrap(), domain("example.com"));
        put(&service, "staff@second.example", "sue", "sue@second.example");
        let there = Service::new(directory, Actor::server()).in_domain(domain("second.example"));
        assert_eq!(there.current_domain().unwrap(), domain("second.example"));
        let ids = |service: &Service<'_>, query: &UserQuery| -> Vec<String> {
            service.users(query, &Page::default()).unwrap().rows.iter().map(|user| user.uid.to_string()).collect()
        };
        assert_eq!(ids(&there, &UserQuery::default()), ["sue"]);
        let joe = UserQuery { words: Words::parse("joe"), ..UserQuery::default() };
        assert_eq!((ids(&there, &joe), ids(&service, &joe)), (vec![], vec!["joe".to_owned()]));
        let aliases = there.aliases(&AliasQuery::default(), &Page::default()).unwrap().rows;
        let addresses: Vec<_> = aliases.iter().map(|alias| alias.address.to_string()).collect();
        assert_eq!(addresses, ["postmaster@second.example", "staff@second.example"]);
        assert_eq!(there.alias_address("team").unwrap(), at("team@second.example"));
        assert_eq!(there.parse_members("sue staff").unwrap().len(), 2);
        refused(there.parse_members("joe"), "rule", "members", "joe", "of that name in second.example");
        refused(service.parse_members("staff"), "rule", "members", "staff", "of that name in example.com");
    });
}

/// [DOM-7]
#[test]
fn several_domains_are_deleted_or_none() {
    on_every_back_end(|directory| {
        let service = Service::new(directory, Actor::server());
        for name in ["a.example", "b.example", "c.example"] {
            service.create_domain(&domain(name), "").unwrap();
        }
        people(&service, &[("joe", "joe@c.example")]);
        put(&service, "all@example.com", "admin", "postmaster@a.example");
        let begin = |names: &[&str], cascade| {
            let names: Vec<_> = names.iter().map(|name| domain(name)).collect();
            service.begin_domain_deletion(&names, cascade)
        };
        let own = begin(&["a.example", "example.com"], true);
        refused(own, "protected", "domain", "example.com", "the server's own domain");
        refused(begin(&["a.example", "c.example"], false), "protected", "domain", "c.example", "it has 1 users");
        refused(begin(&["nowhere.example"], false), "no-domain", "domain", "nowhere.example", "no domain");
        assert!(service.domains().unwrap().iter().all(|domain: &Arc<Domain>| !domain.deleting), "none of them");

        assert_eq!(begin(&["a.example", "b.example"], false).unwrap(), []);
        let late = service.create_user(&person("late", "late@a.example"), &Secret::new("x"));
        refused(late, "protected", "domain", "a.example", "being deleted");
        for name in ["a.example", "b.example"] {
            service.finish_domain_deletion(&domain(name)).unwrap();
        }
        assert_eq!(names(&service), ["c.example", "example.com"]);
        assert!(service.alias(&at("postmaster@a.example")).unwrap().is_none(), "it goes with its domain");
        assert!(service.alias(&at("all@example.com")).unwrap().is_none(), "and what it leaves empty");

        assert_eq!(begin(&["c.example"], true).unwrap(), [uid("joe")]);
        let early = service.finish_domain_deletion(&domain("c.example"));
        refused(early, "protected", "domain", "c.example", "still has users");
        directory.delete_user(&uid("joe")).unwrap();
        service.finish_domain_deletion(&domain("c.example")).unwrap();
        // Not what somebody else has changed meanwhile, and then nothing else either.
        let (d, e) = (domain("d.example"), domain("e.example"));
        let [seen, other] = [&d, &e].map(|name| Some(service.create_domain(name, "").unwrap().revision));
        service.describe_domain(&d, "another", seen).unwrap();
        let stale = service.begin_domain_deletion_at(&[(e.clone(), other), (d.clone(), seen)], true);
        refused(stale, "conflict", "", "", "domain d.example was changed by somebody else");
        assert!(service.domains().unwrap().iter().all(|domain| !domain.deleting), "none of them");
        let seen = Some(service.domain(&d).unwrap().unwrap().revision);
        service.begin_domain_deletion_at(&[(e.clone(), other), (d.clone(), seen)], true).unwrap();
        [d, e].iter().for_each(|name| service.finish_domain_deletion(name).unwrap());
        let not_asked = service.finish_domain_deletion(&domain("example.com"));
        refused(not_asked, "protected", "domain", "example.com", "not marked for deletion");
    });
}

/// [DOM-9]
#[test]
fn a_renamed_domain_takes_everything_along() {
    on_every_back_end(|directory| {
        let service = Service::new(directory, Actor::server());
        service.create_domain(&domain("old.example"), "kept").unwrap();
        let mut joe = person("joe", "joe.smith@old.example");
        joe.alternates = vec![at("joe@old.example")];
        make(&service, &joe);
        people(&service, &[("sue", "sue@example.com")]);
        put(&service, "staff@old.example", "joe", "joe@old.example x@else.example");
        put(&service, "all@example.com", "sue", "staff@old.example sue");
        let mut sue = directory.user(&uid("sue")).unwrap().unwrap();
        let to = vec!["joe@old.example".parse_remote()];
        sue.forwarding = Some(Box::new(directory::Forwarding { to, keep_copy: true }));
        service.update_user(&sue).unwrap();

        let (old, new) = (domain("old.example"), domain("new.example"));
        refused(service.rename_domain(&old, &domain("example.com")), "exists", "domain", "example.com", "taken");
        refused(service.rename_domain(&new, &old), "no-domain", "domain", "new.example", "no domain");
        let seen = service.domain(&old).unwrap().unwrap().revision;
        let other = Some(service.domain(&domain("example.com")).unwrap().unwrap().revision);
        let stale = service.rename_domain_at(&old, &new, other);
        refused(stale, "conflict", "", "", "domain old.example was changed by somebody else");
        service.rename_domain_at(&old, &new, Some(seen)).unwrap();
        assert_eq!(names(&service), ["example.com", "new.example"]);
        assert_eq!(service.domain(&new).unwrap().unwrap().description, "kept");
        let joe = directory.user(&uid("joe")).unwrap().unwrap();
        assert_eq!((joe.mail, joe.alternates), (at("joe.smith@new.example"), vec![at("joe@new.example")]));
        let sue = directory.user(&uid("sue")).unwrap().unwrap();
        assert_eq!(sue.forwarding.unwrap().to[0].to_string(), "joe@new.example");
        assert_eq!(service.alias(&at("all@example.com")).unwrap().unwrap().aliases, [at("staff@new.example")]);
        assert!(service.alias(&at("postmaster@new.example")).unwrap().is_some());
        for local in ["joe", "joe.smith", "staff", "postmaster"] {
            assert_eq!(directory.resolve(local, Some("old.example")).unwrap(), Resolution::Unknown, "{local}");
            assert_ne!(directory.resolve(local, Some("new.example")).unwrap(), Resolution::Unknown, "{local}");
        }
        let counts = service.counts(Some(&new)).unwrap();
        assert_eq!((counts.users, counts.aliases), (1, 2));
        // The name is free again, and the primary domain can be renamed too: it stays the primary one.
        service.create_domain(&old, "").unwrap();
        service.rename_domain(&domain("example.com"), &domain("example.net")).unwrap();
        let primary: Vec<_> = service.domains().unwrap().into_iter().filter(|domain| domain.primary).collect();
        assert!(matches!(&primary[..], [domain] if domain.name.as_str() == "example.net"));
        assert_eq!(directory.resolve("admin", None).unwrap(), Resolution::User(UserId::admin()));
        assert_eq!(directory.user(&UserId::admin()).unwrap().unwrap().mail, at("admin@example.net"));
    });
}

/// [DOM-10]
#[test]
fn a_domain_is_never_without_postmaster() {
    on_every_back_end(|directory| {
        let service = Service::new(directory, Actor::server());
        people(&service, &[("joe", "joe@example.com")]);
        let postmaster = at("postmaster@example.com");
        let gone = service.delete_alias(&postmaster, None);
        refused(gone, "protected", "alias", "postmaster@example.com", "can't be without");
        // Somebody else may have it; it comes back to admin when he goes.
        let mut row = Alias::clone(&service.alias(&postmaster).unwrap().unwrap());
        (row.owners, row.users) = (vec![uid("joe")], vec![uid("joe")]);
        service.update_alias(&row).unwrap();
        assert_eq!(service.vanishing_with(&uid("joe")).unwrap(), []);
        directory.delete_user(&uid("joe")).unwrap();
        let row = service.alias(&postmaster).unwrap().unwrap();
        assert_eq!((&row.owners, &row.users), (&vec![UserId::admin()], &vec![UserId::admin()]));
        let user = service.create_user(&person("x", "postmaster@example.com"), &Secret::new("x"));
        refused(user, "exists", "mail", "postmaster@example.com", "alias postmaster@example.com");
    });
}

/// Only administrators do any of it.
#[test]
fn users_do_nothing_to_domains() {
    on_every_back_end(|directory| {
        people(&Service::new(directory, Actor::server()), &[("joe", "joe@example.com")]);
        let joe = by(directory, "joe");
        let own = domain("example.com");
        let results = [
            joe.create_domain(&domain("a.example"), "").map(drop),
            joe.describe_domain(&own, "x", None).map(drop),
            joe.rename_domain(&own, &domain("a.example")),
            joe.begin_domain_deletion(std::slice::from_ref(&own), false).map(drop),
            joe.finish_domain_deletion(&own),
        ];
        for result in results {
            assert_eq!(result.unwrap_err().code(), "denied");
        }
    });
}

/// A text as an address elsewhere.
trait Remote {
    fn parse_remote(&self) -> directory::RemoteAddress;
}

impl Remote for str {
    fn parse_remote(&self) -> directory::RemoteAddress {
        directory::RemoteAddress::parse(self).unwrap()
    }
}
