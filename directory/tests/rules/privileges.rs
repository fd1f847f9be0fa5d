//! The switches for what users may do: enforced here, below every interface.

use directory::{AppPassword, Forwarding, JunkFilter, Page, Privilege, RemoteAddress, UserQuery, Vacation};

use super::*;

/// What somebody tries to do.
type Attempt = fn(&Service<'_>) -> Result<(), Error>;

/// [USR-10] Each switch, turned off, stops what it is for, for users and not for administrators.
#[test]
fn each_switch_stops_what_it_is_for() {
    on_every_back_end(|directory| {
        let service = Service::new(directory, Actor::server());
        people(&service, &[("joe", "joe@example.com"), ("sue", "sue@example.com")]);
        put(&service, "open@example.com", "sue", "sue");
        let attempts: [(Privilege, Attempt); 8] = [
            (Privilege::ProfileEdit, |joe| {
                let mut row = User::clone(&joe.user(&uid("joe"))?.unwrap());
                row.surname.push('x');
                joe.update_user(&row).map(drop)
            }),
            (Privilege::PasswordChange, |joe| {
                let app = AppPassword {
                    name: "phone".into(),
                    protocols: vec!["imap".into()],
                    networks: vec![],
                    created: 0,
                    expires: None,
                };
                joe.add_app_password(&uid("joe"), &app)?;
                joe.remove_app_passwords(&uid("joe"), Some("phone"))?;
                joe.set_password(&uid("joe"), &Secret::new("mine"))
            }),
            (Privilege::Forwarding, |joe| {
                let mut row = User::clone(&joe.user(&uid("joe"))?.unwrap());
                row.forwarding = match row.forwarding {
                    Some(_) => None,
                    None => {
                        let to = vec![RemoteAddress::parse("x@else.example")?];
                        Some(Box::new(Forwarding { to, keep_copy: false }))
                    }
                };
                joe.update_user(&row).map(drop)
            }),
            (Privilege::Vacation, |joe| {
                let mut row = User::clone(&joe.user(&uid("joe"))?.unwrap());
                let on = !row.vacation.is_some_and(|vacation| vacation.on);
                row.vacation = Some(Box::new(Vacation { on, text: "Until May".into(), ..Vacation::default() }));
                joe.update_user(&row).map(drop)
            }),
            (Privilege::JunkFilter, |joe| {
                let mut row = User::clone(&joe.user(&uid("joe"))?.unwrap());
                let on = !row.junk_filter.is_some_and(|filter| filter.on);
                row.junk_filter = JunkFilter { on, ..JunkFilter::default() }.kept();
                joe.update_user(&row).map(drop)
            }),
            (Privilege::AliasCreate, |joe| {
                joe.create_alias(&Alias::new(at("mine@example.com")))?;
                joe.delete_alias(&at("mine@example.com"), None)
            }),
            (Privilege::AliasJoin, |joe| {
                joe.join_alias(&at("open@example.com"))?;
                joe.leave_alias(&at("open@example.com"))
            }),
            (Privilege::UserSearch, |joe| joe.users(&UserQuery::default(), &Page::default()).map(drop)),
        ];
        for (privilege, attempt) in attempts {
            let set = |allowed: bool| {
                let mut privileges = service.privileges().unwrap();
                privileges.set(privilege, allowed);
                service.set_privileges(&privileges).unwrap();
            };
            attempt(&by(directory, "joe")).unwrap();
            set(false);
            let error = attempt(&by(directory, "joe")).unwrap_err();
            let names_it = error.to_string().contains(privilege.name());
            assert!(error.code() == "denied" && names_it, "{}: {error}", privilege.name());
            if privilege != Privilege::AliasJoin {
                let administrator = Service::new(directory, Actor::user(&uid("joe"), true, "web", None));
                attempt(&administrator)
                    .or_else(|error| if error.code() == "rule" { Ok(()) } else { Err(error) })
                    .unwrap();
            }
            set(true);
        }
    });
}

#[test]
fn administrators_change_them_one_at_a_time() {
    on_every_back_end(|directory| {
        let service = Service::new(directory, Actor::server());
        people(&service, &[("joe", "joe@example.com")]);
        let read = service.privileges().unwrap();
        assert_eq!(by(directory, "joe").set_privileges(&read).unwrap_err().code(), "denied");
        let revision = service.set_privileges(&read).unwrap();
        assert_eq!(service.set_privileges(&read).unwrap_err().code(), "conflict");
        assert_eq!(service.privileges().unwrap().revision, revision);
    });
}
