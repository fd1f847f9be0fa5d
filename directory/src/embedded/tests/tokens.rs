//! Tokens, and the history of logins.

use super::*;
use crate::{Attempt, Login, TokenHint, TokenProblem};

#[test]
fn only_those_who_exist_have_a_history() {
    let dir = tempfile::tempdir().unwrap();
    let directory = open(dir.path()).with_logins(Logins::new(dir.path(), Arc::new(RealDisk), 100));
    add(&directory, "joe", "joe@example.com");
    let login = Login {
        first: 1000,
        last: 1000,
        count: 1,
        refused: Some("password".into()),
        from: None,
        protocol: "imap".into(),
        mechanism: "PLAIN".into(),
        tls: None,
        app: None,
        client: None,
        by: None,
        acting_as: None,
    };
    for user in ["joe", "nobody"] {
        let user = UserId::parse(user).unwrap();
        directory.note_login(&user, Attempt { conn: 1, login: login.clone() });
    }
    assert_eq!(directory.logins(&joe()).unwrap(), std::slice::from_ref(&login));
    assert_eq!(directory.logins(&UserId::parse("nobody").unwrap()).unwrap(), []);
    directory.delete_user(&joe()).unwrap();
    add(&directory, "joe", "joe@example.com");
    assert_eq!(directory.logins(&joe()).unwrap(), [], "somebody else of that name");
}

#[derive(Debug)]
struct Fixed(Option<std::result::Result<&'static str, TokenProblem>>, Option<TokenHint>);

impl TokenCheck for Fixed {
    fn check(&self, _: &Secret) -> Result<std::result::Result<String, TokenProblem>> {
        let answer = self.0.ok_or_else(|| Error::Unavailable("nobody answers".into()))?;
        Ok(answer.map(str::to_owned))
    }

    fn is_asked_about(&self, _: &Secret) -> bool {
        false
    }

    fn hint(&self) -> Option<TokenHint> {
        self.1.clone()
    }
}

#[test]
fn whose_a_token_is() {
    let check = |answer, expected: std::result::Result<Option<&str>, ()>| {
        let dir = tempfile::tempdir().unwrap();
        let directory = open(dir.path());
        assert!(directory.takes_tokens().is_none());
        let directory = directory.with_tokens(Arc::new(Fixed(answer, None)));
        assert!(directory.takes_tokens().is_none(), "none are taken for now");
        let directory = directory.with_tokens(Arc::new(Fixed(answer, Some(TokenHint::default()))));
        assert!(directory.takes_tokens().is_some());
        add(&directory, "admin", "admin@example.com");
        add(&directory, "joe", "joe.smith@example.com");
        let found = directory.authenticate_token(&Secret::new("x"));
        let found = found.map(|found| found.ok().map(|account| account.user.to_string()));
        assert_eq!(found.as_ref().map(|user| user.as_deref()).map_err(|_| ()), expected, "{answer:?}");
    };
    check(Some(Ok("joe")), Ok(Some("joe")));
    check(Some(Ok("Joe.Smith@example.com")), Ok(Some("joe")));
    for stranger in ["", "jim", "joe@example.com", "postmaster@example.com", "joe.smith@example.org", "@", "a@b@c"] {
        check(Some(Ok(stranger)), Ok(None));
    }
    check(Some(Err(TokenProblem::Invalid)), Ok(None));
    check(Some(Err(TokenProblem::InsufficientScope)), Ok(None));
    check(None, Err(()));
}
