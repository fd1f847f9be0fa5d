//! Groups, privileges, and the audit log of who has changed what.

use std::fs;
use std::path::Path;

use directory::{
    Actor, ContactField, Directory, Entry, Error, Event, Named, Privilege, Resolution, Secret, Service, UserId, look,
};

use super::{add, alias, domain, enter, id, resolve, server};

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

pub(crate) fn what_is_no_change_is_noted(directory: &dyn Directory, home: &Path) {
    let entries = || -> Vec<Entry> {
        let text = fs::read_to_string(home.join("log/audit.log")).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let before = entries().len();
    let admin = Service::new(directory, Actor::user(&UserId::admin(), true, "rest", Some([192, 0, 2, 7].into())));
    admin.note(Event::new("api-token.create", "joe").field("name", "", "robot")).unwrap();
    server(directory).create_domain(&domain("next.example"), "").unwrap();
    admin.note(Event::new("api-token.delete", "joe")).unwrap();
    let entries = entries();
    let noted = &entries[before];
    assert_eq!((noted.who.as_str(), noted.role.as_str(), noted.via.as_str()), ("admin", "administrator", "rest"));
    assert_eq!((noted.action.as_str(), noted.object.as_str()), ("api-token.create", "joe"));
    assert_eq!(noted.fields, [("name".to_owned(), String::new(), "robot".to_owned())]);
    assert_eq!(noted.from, Some([192, 0, 2, 7].into()));
    assert_eq!(entries.last().unwrap().action, "api-token.delete");
    assert_eq!(
        entries.iter().map(|entry| entry.number).collect::<Vec<_>>(),
        (1..=entries.len() as u64).collect::<Vec<_>>()
    );
    // It can be read page by page, by administrators.
    let mut latest = admin.audited(None, 1000).unwrap();
    assert_eq!(admin.audited(Some(3), 1).unwrap()[0].number, 2);
    latest.reverse();
    assert_eq!(latest, entries);
    let joe = Service::new(directory, Actor::user(&id("joe"), false, "rest", None));
    assert!(matches!(joe.audited(None, 1), Err(Error::Denied { .. })));
    // It changes nothing, and changes go on.
    assert_eq!(directory.domains().unwrap().len(), 2);
}
