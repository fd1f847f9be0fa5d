//! App passwords, and what is remembered of passwords.

use super::*;
use crate::MAX_APP_PASSWORDS;
use crate::origin::Unfit;

fn phone(name: &str) -> AppPassword {
    AppPassword {
        name: name.into(),
        protocols: vec!["imap".into()],
        networks: vec!["192.0.2.0/24".parse().unwrap()],
        created: 1000,
        expires: Some(u64::MAX),
    }
}

#[test]
fn app_passwords_are_for_what_they_were_made_for() {
    let dir = tempfile::tempdir().unwrap();
    let directory = open(dir.path());
    add(&directory, "joe", "joe@example.com");
    let password = directory.add_app_password(&joe(), &phone("phone")).unwrap();
    let short = AppPassword { expires: Some(2000), ..phone("tablet") };
    let expired = directory.add_app_password(&joe(), &short).unwrap();
    drop(directory);
    let directory = open_again(dir.path());
    let at = |protocol: &'static str, address: [u8; 4]| Origin::now(protocol, Some(address.into()));
    let (home, away) = ([192, 0, 2, 7], [198, 51, 100, 7]);
    let unfit = |name: &str, unfit| Verdict::Refused(Refusal::App { name: name.into(), unfit });
    // Twice each: what was right a moment ago is looked at no less.
    for _ in 0..2 {
        let typed = Secret::new(String::from_utf8_lossy(password.expose()).to_uppercase().replace('-', " "));
        for written in [&password, &typed] {
            let Verdict::Accepted(accepted) = directory.authenticate("Joe", written, &at("imap", home)).unwrap() else {
                panic!("it is right");
            };
            assert_eq!((accepted.account.user.as_str(), accepted.app.as_deref()), ("joe", Some("phone")));
            assert!(directory.recognise("joe", written, &at("imap", home)).is_some());
        }
        for (origin, expected) in [
            (at("pop3", home), unfit("phone", Unfit::Protocol)),
            (at("imap", away), unfit("phone", Unfit::Network)),
            (Origin { address: None, ..at("imap", home) }, unfit("phone", Unfit::Network)),
            (Origin { now: u64::MAX, ..at("imap", home) }, unfit("phone", Unfit::Expired)),
        ] {
            assert_eq!(directory.authenticate("joe", &password, &origin).unwrap(), expected);
            assert_eq!(directory.recognise("joe", &password, &origin), None);
        }
        let over = directory.authenticate("joe", &expired, &at("imap", home)).unwrap();
        assert_eq!(over, unfit("tablet", Unfit::Expired));
        assert!(directory.enter("joe", &Secret::new("joe-pw")).unwrap().is_some(), "the own one works beside them");
    }
    // Nobody else's, and not the user's own for SCRAM.
    add(&directory, "sue", "sue@example.com");
    assert_eq!(directory.enter("sue", &password).unwrap(), None);
}

/// When one ends is a matter of the system's clock, whichever way that is set, and nothing is remembered of it.
#[test]
fn an_app_password_ends_when_the_clock_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let directory = open(dir.path());
    add(&directory, "joe", "joe@example.com");
    let until = AppPassword { expires: Some(2000), ..phone("phone") };
    let password = directory.add_app_password(&joe(), &until).unwrap();
    // Made at 1000.
    for (now, good) in [
        (1000, true),
        (1999, true),
        (2000, false),
        (u64::MAX, false),
        (1999, true),
        (500, true),
        (0, true),
        (2001, false),
    ] {
        let origin = Origin { protocol: "imap", address: Some([192, 0, 2, 7].into()), now };
        let found = directory.authenticate("joe", &password, &origin).unwrap();
        assert_eq!(matches!(found, Verdict::Accepted(_)), good, "at {now}: {found:?}");
        assert_eq!(directory.recognise("joe", &password, &origin).is_some(), good, "at {now}");
    }
}

#[test]
fn an_app_password_works_until_it_is_taken_back() {
    let dir = tempfile::tempdir().unwrap();
    let directory = open(dir.path());
    add(&directory, "joe", "joe@example.com");
    let made: Vec<_> =
        ["one", "two", "three"].map(|name| directory.add_app_password(&joe(), &phone(name)).unwrap()).into();
    let works = |password: &Secret| {
        let entered = directory.enter("joe", password).unwrap().is_some();
        let recognised = directory.recognise("joe", password, &imap()).is_some();
        assert!(entered || !recognised, "remembered no longer than right");
        entered
    };
    assert!(made.iter().all(&works));
    directory.set_password(&joe(), &Secret::new("other")).unwrap();
    assert!(made.iter().all(&works) && works(&Secret::new("other")) && !works(&Secret::new("joe-pw")));
    directory.set_password_hash(&joe(), &Secret::new("{PLAIN}third")).unwrap();
    assert!(works(&Secret::new("third")) && made.iter().all(&works), "a renewed hash leaves them too");
    let mut row = directory.user(&joe()).unwrap().unwrap();
    row.state = UserState::Disabled;
    update(&directory, &mut row);
    assert!(!made.iter().any(&works) && !works(&Secret::new("third")));
    assert_eq!(directory.authenticate("joe", &made[0], &imap()).unwrap(), Verdict::Refused(Refusal::Disabled));
    row.state = UserState::Active;
    update(&directory, &mut row);
    assert!(made.iter().all(&works) && works(&Secret::new("third")));
    assert_eq!(directory.remove_app_passwords(&joe(), Some("two")).unwrap(), 1);
    assert_eq!(directory.remove_app_passwords(&joe(), Some("two")).unwrap(), 0);
    assert!(works(&made[0]) && !works(&made[1]) && works(&made[2]));
    let names: Vec<_> = directory.app_passwords(&joe()).unwrap().into_iter().map(|app| app.name).collect();
    assert_eq!(names, ["one", "three"]);
    assert_eq!(directory.remove_app_passwords(&joe(), None).unwrap(), 2);
    assert!(!made.iter().any(&works) && works(&Secret::new("third")));
    directory.add_app_password(&joe(), &phone("one")).unwrap();
    directory.delete_user(&joe()).unwrap();
    assert!(matches!(directory.app_passwords(&joe()), Err(Error::NoUser(_))));
    add(&directory, "joe", "joe@example.com");
    assert_eq!(directory.app_passwords(&joe()).unwrap(), []);
}

#[test]
fn what_cannot_be_an_app_password() {
    let dir = tempfile::tempdir().unwrap();
    let directory = open(dir.path());
    add(&directory, "joe", "joe@example.com");
    let nobody = UserId::parse("nobody").unwrap();
    assert!(matches!(directory.add_app_password(&nobody, &phone("x")), Err(Error::NoUser(_))));
    assert!(matches!(directory.remove_app_passwords(&nobody, None), Err(Error::NoUser(_))));
    let nothing = AppPassword { protocols: Vec::new(), ..phone("x") };
    assert!(matches!(directory.add_app_password(&joe(), &nothing), Err(Error::Rule { .. })));
    for n in 0..MAX_APP_PASSWORDS {
        directory.add_app_password(&joe(), &phone(&format!("phone {n}"))).unwrap();
    }
    assert!(matches!(directory.add_app_password(&joe(), &phone("phone 0")), Err(Error::Exists { .. })));
    assert!(matches!(directory.add_app_password(&joe(), &phone("one more")), Err(Error::Rule { .. })));
    let shown = format!("{directory:?} {:?}", directory.rows);
    assert!(!shown.contains("argon2id"), "{shown}");
}

/// However many there are, and whatever is tried: nothing tells whether a user has any.
#[test]
fn app_passwords_cost_no_more_hashes_than_one() {
    let dir = tempfile::tempdir().unwrap();
    let directory = open(dir.path());
    add(&directory, "joe", "joe@example.com");
    add(&directory, "sue", "sue@example.com");
    let made: Vec<_> = (0..5).map(|n| directory.add_app_password(&joe(), &phone(&format!("{n}"))).unwrap()).collect();
    let text = String::from_utf8_lossy(made[0].expose()).into_owned();
    let wrong = format!("{}{}", &text[..5], "aaaa-aaaa-aaaa-aaaa-aaaa");
    let unknown = "aaaa-aaaa-aaaa-aaaa-aaaa-aaaa".to_owned();
    for login in ["joe", "sue", "nobody"] {
        for password in [&wrong, &unknown, &"wrong".to_owned()] {
            let before = directory.passwords.hasher.made();
            let verdict = directory.authenticate(login, &Secret::new(password.as_str()), &imap()).unwrap();
            assert_eq!(verdict, Verdict::Refused(Refusal::Wrong), "{login}");
            assert_eq!(directory.passwords.hasher.made() - before, 1, "{login} {password}");
        }
    }
    for password in &made {
        let before = directory.passwords.hasher.made();
        for _ in 0..3 {
            assert!(directory.enter("joe", password).unwrap().is_some());
        }
        assert_eq!(directory.passwords.hasher.made() - before, 1, "each is remembered by itself");
    }
    let before = directory.passwords.hasher.made();
    assert!(made.iter().all(|password| directory.enter("joe", password).unwrap().is_some()));
    assert_eq!(directory.passwords.hasher.made(), before);
}

#[test]
fn an_app_password_of_an_administrator_administrates_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let directory = open(dir.path());
    add(&directory, "boss", "boss@example.com");
    let boss = UserId::parse("boss").unwrap();
    let password = directory.add_app_password(&boss, &phone("phone")).unwrap();
    assert!(directory.enter("boss", &Secret::new("boss-pw")).unwrap().unwrap().admin);
    for _ in 0..2 {
        assert!(!directory.enter("boss", &password).unwrap().unwrap().admin);
        assert!(!directory.recognise("boss", &password, &imap()).unwrap().account.admin);
    }
}

#[test]
fn a_row_from_before_app_passwords_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let directory = open(dir.path());
    add(&directory, "joe", "joe@example.com");
    let row = serde_json::json!({ "hash": kept(&directory).hash });
    let mut batch = durable::Batch::new();
    batch.put("password/joe", &row).unwrap();
    directory.ledger.apply(batch).unwrap();
    drop(directory);
    let directory = open_again(dir.path());
    assert!(directory.enter("joe", &Secret::new("joe-pw")).unwrap().is_some());
    let password = directory.add_app_password(&joe(), &phone("phone")).unwrap();
    assert!(directory.enter("joe", &password).unwrap().is_some());
}

#[test]
fn a_password_that_was_right_a_moment_ago_is_forgotten_with_its_change() {
    let dir = tempfile::tempdir().unwrap();
    let directory = open(dir.path());
    add(&directory, "joe", "joe@example.com");
    let (old, new) = (Secret::new("joe-pw"), Secret::new("new"));
    let recognised = |password: &Secret| directory.recognise("joe", password, &imap()).is_some();
    assert!(directory.enter("joe", &old).unwrap().is_some() && recognised(&old));
    directory.set_password(&joe(), &new).unwrap();
    assert!(!recognised(&old) && directory.enter("joe", &old).unwrap().is_none());
    assert!(directory.enter("joe", &new).unwrap().is_some() && recognised(&new));
    let mut row = directory.user(&joe()).unwrap().unwrap();
    row.state = UserState::Disabled;
    update(&directory, &mut row);
    assert!(!recognised(&new) && directory.enter("joe", &new).unwrap().is_none());
    row.state = UserState::Active;
    update(&directory, &mut row);
    assert!(!recognised(&new), "it was tried while it let nobody in");
    assert!(directory.enter("joe", &new).unwrap().is_some() && recognised(&new));
    directory.delete_user(&joe()).unwrap();
    assert!(!recognised(&new));
}
