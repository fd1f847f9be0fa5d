//! Where mail for an address goes.

use directory::{Expansion, Forwarding, RemoteAddress, Resolution};

use super::*;

fn forward(service: &Service<'_>, id: &str, to: &str, keep_copy: bool) {
    let mut row = User::clone(&service.user(&uid(id)).unwrap().unwrap());
    row.forwarding = Some(Box::new(Forwarding { to: vec![RemoteAddress::parse(to).unwrap()], keep_copy }));
    service.update_user(&row).unwrap();
}

/// The users and the addresses elsewhere, as text.
fn found(directory: &Dir, address: &str) -> (String, String) {
    let (local, domain) = address.split_once('@').unwrap();
    let text = |items: Vec<String>| items.join(" ");
    let Expansion { users, remote, .. } = directory.expand(local, Some(domain)).unwrap().unwrap();
    (text(users.iter().map(ToString::to_string).collect()), text(remote.iter().map(ToString::to_string).collect()))
}

fn pair(users: &str, remote: &str) -> (String, String) {
    (users.to_owned(), remote.to_owned())
}

/// [ALI-6] [ALI-7] Nested aliases are flattened, each member once; owners get nothing for being owners.
#[test]
fn aliases_are_flattened() {
    on_every_back_end(|directory| {
        let service = Service::new(directory, Actor::server());
        people(&service, &[("joe", "joe@example.com"), ("sue", "sue@example.com"), ("tom", "tom@example.com")]);
        let mut tom = directory.user(&uid("tom")).unwrap().unwrap();
        tom.groups = vec!["sales".into()];
        service.update_user(&tom).unwrap();
        put(&service, "inner@example.com", "joe", "sue Far@else.example group:sales");
        put(&service, "outer@example.com", "joe", "inner sue far@third.example");
        assert_eq!(found(directory, "outer@example.com"), pair("sue tom", "far@third.example Far@else.example"));
        let mut row = directory.alias(&at("inner@example.com")).unwrap().unwrap();
        (row.file, row.program) = (Some("/dev/null".into()), Some("/bin/filter -x".into()));
        service.update_alias(&row).unwrap();
        let whole = directory.expand("Outer+News.2026", Some("EXAMPLE.com")).unwrap().unwrap();
        assert_eq!((whole.files, whole.programs), (vec!["/dev/null".to_owned()], vec!["/bin/filter -x".to_owned()]));
        assert_eq!((whole.detail.as_deref(), whole.alias), (Some("News.2026"), Some(at("outer@example.com"))));
        assert_eq!(directory.resolve("outer", None).unwrap(), Resolution::Alias(vec![uid("sue"), uid("tom")]));
    });
}

#[test]
fn forwardings_are_followed_and_circles_cut() {
    on_every_back_end(|directory| {
        let service = Service::new(directory, Actor::server());
        people(&service, &[("a", "a@example.com"), ("b", "b@example.com"), ("c", "c@example.com")]);
        forward(&service, "a", "X@else.example", false);
        assert_eq!(found(directory, "a@example.com"), pair("", "X@else.example"));
        forward(&service, "a", "X@else.example", true);
        assert_eq!(found(directory, "a@example.com"), pair("a", "X@else.example"));
        forward(&service, "b", "a@example.com", false);
        assert_eq!(found(directory, "b@example.com"), pair("a", "X@else.example"));
        // In a circle, mail stays with those whom it was for.
        forward(&service, "a", "b@example.com", false);
        assert_eq!(found(directory, "a@example.com"), pair("a b", ""));
        forward(&service, "c", "a@example.com", true);
        assert_eq!(found(directory, "c@example.com"), pair("c", ""));
        // Forwarded to somebody who is gone: it stays.
        forward(&service, "b", "c@example.com", false);
        directory.delete_user(&uid("c")).unwrap();
        assert_eq!(found(directory, "b@example.com"), pair("b", ""));
        // For LMTP the MTA has done all that.
        assert_eq!(directory.resolve("b", None).unwrap(), Resolution::User(uid("b")));
    });
}

#[test]
fn details_and_strangers() {
    on_every_back_end(|directory| {
        let service = Service::new(directory, Actor::server());
        people(&service, &[("joe", "joe.smith@example.com")]);
        let detail = |local: &str, domain: Option<&str>| {
            directory.expand(local, domain).unwrap().map(|found| (found.users, found.detail))
        };
        let joe = |detail: Option<&str>| Some((vec![uid("joe")], detail.map(str::to_owned)));
        assert_eq!(detail("joe.smith+Lists.rust", Some("example.com")), joe(Some("Lists.rust")));
        assert_eq!(detail("Joe.Smith+", Some("example.com")), joe(None));
        assert_eq!(detail("joe+a+b", None), joe(Some("a+b")));
        for stranger in ["", "+", "joe", "no one", "\"joe.smith\"", "joe.smith@", &"x".repeat(1000)] {
            assert_eq!(detail(stranger, Some("example.com")), None, "{stranger:?}");
        }
        assert_eq!(detail("joe.smith", Some("else.example")), None);
        assert_eq!(detail("joe.smith", Some("no domain")), None);
        service.create_user(&person("new", "new@example.com"), &Secret::new("x")).unwrap();
        let waits = directory.expand("new", Some("example.com"));
        assert!(matches!(waits, Err(Error::Unavailable(_))), "mail waits for the mailbox: {waits:?}");
        service.set_user_enabled(&uid("joe"), false, None).unwrap();
        let off = directory.expand("joe.smith", Some("example.com")).unwrap().unwrap();
        assert_eq!((off.is_empty(), off.disabled), (true, vec![uid("joe")]));
    });
}
