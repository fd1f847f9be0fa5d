//! Where mail goes, whatever somebody writes before the `@`.

use std::path::Path;

use directory::{ADMIN, Address, Directory, Error, Forwarding, Owner, Resolution, Secret, User, UserId, look};

use super::{add, alias, domain, enter, expand, far, id, new, resolve, server};

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
