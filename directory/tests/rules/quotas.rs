//! Quotas, as far as the directory has a part in them.

use super::*;

/// [QUO-1] Megabytes; none, and none at all.
#[test]
fn a_quota_is_kept_in_megabytes() {
    on_every_back_end(|directory| {
        let service = Service::new(directory, Actor::server());
        people(&service, &[("joe", "joe@example.com")]);
        for quota in [Some(100), Some(0), None] {
            let mut joe = directory.user(&uid("joe")).unwrap().unwrap();
            joe.quota_limit_mib = quota;
            service.update_user(&joe).unwrap();
            assert_eq!(directory.user(&uid("joe")).unwrap().unwrap().quota_limit_mib, quota);
        }
    });
}

/// [QUO-3] The quota of new users is one setting; those who are there keep theirs.
#[test]
fn the_default_is_for_new_users() {
    on_every_back_end(|directory| {
        let service = Service::new(directory, Actor::server());
        people(&service, &[("joe", "joe@example.com")]);
        let mut privileges = service.privileges().unwrap();
        assert_eq!(privileges.default_quota_mib, None);
        privileges.default_quota_mib = Some(50);
        service.set_privileges(&privileges).unwrap();
        assert_eq!(service.privileges().unwrap().default_quota_mib, Some(50));
        assert_eq!(directory.user(&uid("joe")).unwrap().unwrap().quota_limit_mib, None);
        let mut wrong = service.privileges().unwrap();
        wrong.default_quota_mib = Some(u64::MAX);
        refused(service.set_privileges(&wrong), "rule", "default_quota_mib", &u64::MAX.to_string(), "NONE");
    });
}

/// [QUO-3] [QUO-8] By administrators alone, and beside whatever else is changed.
#[test]
fn a_quota_is_set_alone() {
    on_every_back_end(|directory| {
        let service = Service::new(directory, Actor::server());
        people(&service, &[("joe", "joe@example.com"), ("boss", "boss@example.com")]);
        let stale = directory.user(&uid("joe")).unwrap().unwrap();
        let boss = Service::new(directory, Actor::user(&uid("boss"), true, "imap", None));
        for quota in [Some(7), Some(7), Some(0), None, Some(20)] {
            boss.set_user_quota(&uid("joe"), quota).unwrap();
            assert_eq!(directory.user(&uid("joe")).unwrap().unwrap().quota_limit_mib, quota);
        }
        assert_eq!(service.update_user(&stale).unwrap_err().code(), "conflict", "the row is another one by now");
        refused(
            boss.set_user_quota(&uid("joe"), Some(u64::MAX)),
            "rule",
            "quota_limit_mib",
            &u64::MAX.to_string(),
            "NONE",
        );
        let joe = Service::new(directory, Actor::user(&uid("joe"), false, "imap", None));
        assert_eq!(joe.set_user_quota(&uid("joe"), None).unwrap_err().code(), "denied");
        assert_eq!(boss.set_user_quota(&uid("nobody"), None).unwrap_err().code(), "no-user");
        assert_eq!(directory.user(&uid("joe")).unwrap().unwrap().quota_limit_mib, Some(20));
    });
}
