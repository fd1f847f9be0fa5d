//! Two administrators at one row: the second sees that he was too late.

use super::*;

#[test]
fn a_stale_row_is_refused() {
    on_every_back_end(|directory| {
        let service = Service::new(directory, Actor::server());
        people(&service, &[("joe", "joe@example.com"), ("sue", "sue@example.com")]);
        put(&service, "staff@example.com", "sue", "joe");
        let (one, mut other) =
            (directory.user(&uid("joe")).unwrap().unwrap(), directory.user(&uid("joe")).unwrap().unwrap());
        let mut renamed = one.clone();
        renamed.surname = "First".into();
        let stored = service.update_user(&renamed).unwrap();
        assert_ne!(stored.revision, one.revision);
        other.surname = "Second".into();
        let error = service.update_user(&other).unwrap_err();
        assert_eq!(error.to_string(), "user joe was changed by somebody else meanwhile: look at it again");
        assert_eq!(directory.user(&uid("joe")).unwrap().unwrap().surname, "First");
        let late = service.begin_user_deletion(&uid("joe"), Some(one.revision));
        assert_eq!(late.unwrap_err().code(), "conflict");
        let late = service.set_user_enabled(&uid("joe"), false, Some(one.revision));
        assert_eq!(late.unwrap_err().code(), "conflict");
        other.revision = stored.revision;
        service.update_user(&other).unwrap();

        let alias = directory.alias(&at("staff@example.com")).unwrap().unwrap();
        let members = service.parse_members("sue").unwrap();
        service.change_members(&alias.address, &members, &[]).unwrap();
        let mut late = alias.clone();
        late.description = "late".into();
        assert_eq!(service.update_alias(&late).unwrap_err().code(), "conflict");
        assert_eq!(service.delete_alias(&alias.address, Some(alias.revision)).unwrap_err().code(), "conflict");
        // A row that was deleted and made again is another one, whatever it looks like.
        let revision = directory.alias(&at("staff@example.com")).unwrap().unwrap().revision;
        service.delete_alias(&alias.address, Some(revision)).unwrap();
        put(&service, "staff@example.com", "sue", "joe");
        assert_ne!(directory.alias(&at("staff@example.com")).unwrap().unwrap().revision, alias.revision);
        let text = revision.to_string();
        assert_eq!(text.parse::<directory::Revision>().unwrap(), revision);
    });
}
