//! Tokens that the authorization server is asked about.

use super::*;

fn validator(web: &Web, keys: Option<KeySource>) -> Validator {
    let introspection = Introspection {
        url: web.url("/introspect").parse().unwrap(),
        client_id: "mail server".into(),
        client_secret: Secret::new("s:cret+"),
    };
    Validator::new(Settings { keys, introspection: Some(introspection), ..settings() }).unwrap()
}

/// What the server says of a good token, which ends in an hour.
fn active() -> Value {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    with(&json!({"active": true, "iat": now, "exp": now + 3600}))
}

fn ask(validator: &Validator, token: &str) -> std::result::Result<String, Option<TokenProblem>> {
    match validator.check(&Secret::new(token)) {
        Ok(answer) => answer.map_err(Some),
        Err(Error::Unavailable(_)) => Err(None),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn the_server_says_whose_it_is() {
    let web = Web::new();
    web.answer("/introspect", 200, &active().to_string());
    let validator = validator(&web, None);
    for _ in 0..3 {
        assert_eq!(ask(&validator, "opaque/token=="), Ok("joe@example.com".into()));
    }
    let asked = web.asked();
    assert_eq!(asked.len(), 1, "an answer is remembered");
    assert_eq!(asked[0].body, "token=opaque%2Ftoken%3D%3D&token_type_hint=access_token");
    let head = asked[0].head.to_ascii_lowercase();
    assert!(head.starts_with("post /introspect http/1.1\r\n"), "{head}");
    assert!(head.contains("content-type: application/x-www-form-urlencoded\r\n"), "{head}");
    use base64::Engine;
    let credentials = base64::engine::general_purpose::STANDARD.encode("mail+server:s%3Acret%2B");
    assert!(asked[0].head.contains(&format!("Basic {credentials}\r\n")), "{}", asked[0].head);
    assert!(!format!("{validator:?}").contains("cret"), "{validator:?}");
}

#[test]
fn what_is_no_good_is_remembered_too() {
    let web = Web::new();
    let validator = validator(&web, None);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let changed = |others: Value| {
        let mut all = active();
        for (name, value) in others.as_object().unwrap() {
            all[name] = value.clone();
        }
        all
    };
    let invalid = Err(Some(TokenProblem::Invalid));
    for (n, (answer, expected)) in [
        (json!({"active": false}), invalid.clone()),
        (changed(json!({"active": "true"})), invalid.clone()),
        (changed(json!({"active": 1})), invalid.clone()),
        (json!({}), invalid.clone()),
        (changed(json!({"exp": now - 60})), invalid.clone()),
        (changed(json!({"nbf": now + 600})), invalid.clone()),
        (changed(json!({"iss": "https://evil.example.com"})), invalid.clone()),
        (changed(json!({"aud": "calendar"})), invalid.clone()),
        (changed(json!({"email": null})), invalid.clone()),
        (changed(json!({"scope": "openid"})), Err(Some(TokenProblem::InsufficientScope))),
    ]
    .into_iter()
    .enumerate()
    {
        web.answer("/introspect", 200, &answer.to_string());
        let token = format!("token{n}");
        assert_eq!((ask(&validator, &token), ask(&validator, &token)), (expected.clone(), expected), "{answer}");
    }
    // One that had ended is asked about again: it is remembered until its end.
    assert_eq!(web.asked().len(), 11);
}

/// RFC 7662 leaves nearly everything out that is not known; some servers write `null` instead.
#[test]
fn null_is_nothing() {
    let web = Web::new();
    let all = active();
    for name in ["exp", "nbf", "iat"] {
        let mut answer = all.clone();
        answer[name] = Value::Null;
        web.answer("/introspect", 200, &answer.to_string());
        assert_eq!(ask(&validator(&web, None), name), Ok("joe@example.com".into()), "{answer}");
    }
}

#[test]
fn a_server_that_gives_no_answer_is_no_wrong_token() {
    for (status, body, for_all) in [
        (500, String::new(), true),
        (503, String::new(), true),
        (429, String::new(), true),
        (400, String::new(), false),
        (401, active().to_string(), false),
        (302, String::new(), false),
        (200, "x".to_owned(), false),
        (200, "[]".to_owned(), false),
        (200, " ".repeat(300_000), false),
    ] {
        let web = Web::new();
        web.answer("/introspect", status, &body);
        let validator = validator(&web, None);
        for _ in 0..3 {
            assert_eq!(ask(&validator, "token"), Err(None), "{status} {body:.20}");
        }
        assert_eq!(web.asked().len(), 1, "nobody hurries a server that is in trouble");
        // What the server makes of one token is no matter to the others.
        web.answer("/introspect", 200, &active().to_string());
        let other = if for_all { Err(None) } else { Ok("joe@example.com".into()) };
        assert_eq!(ask(&validator, "other"), other, "{status} {body:.20}");
        assert_eq!(ask(&validator, "token"), Err(None), "not at once again");
    }
}

#[test]
fn signed_tokens_are_not_shown_to_anybody() {
    let web = Web::new();
    web.answer("/introspect", 200, &active().to_string());
    let signer = Signer::new();
    web.answer("/keys", 200, &json!({"keys": signer.keys()}).to_string());
    let validator = validator(&web, Some(KeySource::Url(web.url("/keys").parse().unwrap())));
    let good = signer.token("EdDSA", &json!({"alg": "EdDSA", "kid": "ed"}), &active());
    assert_eq!(ask(&validator, &good), Ok("joe@example.com".into()));
    let bad = signer.token("RS256", &json!({"alg": "EdDSA", "kid": "ed"}), &active());
    assert_eq!(ask(&validator, &bad), Err(Some(TokenProblem::Invalid)));
    assert!(web.asked().iter().all(|asked| asked.path == "/keys"));
    assert_eq!(ask(&validator, "opaque"), Ok("joe@example.com".into()));
    assert!(!validator.is_asked_about(&Secret::new(good)) && validator.is_asked_about(&Secret::new("opaque")));
    let alone =
        Validator::new(Settings { keys: Some(KeySource::Url(web.url("/keys").parse().unwrap())), ..settings() });
    assert_eq!(ask(&alone.unwrap(), "opaque"), Err(Some(TokenProblem::Invalid)));
}
