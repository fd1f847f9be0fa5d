//! Passwords and app passwords.

use std::path::Path;

use directory::{AppPassword, Directory, Error, Origin, Secret, Verdict};

use super::{add, enter, id};

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
