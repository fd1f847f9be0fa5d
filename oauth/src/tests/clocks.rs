//! A system's clock that is set, forward and back.

use super::*;

/// Half a year.
const LONG: u64 = 182 * 86_400;

fn check(validator: &Validator, token: &str, rows: &[(u64, bool)]) {
    for (now, good) in rows {
        let found = validator.check_at(&Secret::new(token), *now).unwrap();
        assert_eq!(found.is_ok(), *good, "at {now}: {found:?}");
    }
}

#[test]
fn a_signed_token_is_as_good_as_the_clock_says_now() {
    let (web, signer) = (Web::new(), Signer::new());
    web.answer("/keys", 200, &json!({ "keys": signer.keys() }).to_string());
    let keys = Some(KeySource::Url(web.url("/keys").parse().unwrap()));
    let validator = Validator::new(Settings { keys, ..settings() }).unwrap();
    let token = signer.token("EdDSA", &json!({"alg": "EdDSA", "kid": "ed"}), &claims());
    check(
        &validator,
        &token,
        &[
            (NOW, true),
            (NOW + 299, true),
            // Set forward: over. Set right again: as good as before.
            (NOW + 400, false),
            (NOW + LONG, false),
            (NOW, true),
            // Set back: made in the future, but for what clocks may differ.
            (NOW - 20, true),
            (NOW - LONG, false),
            (0, false),
            (u64::MAX, false),
            (NOW, true),
        ],
    );
    assert_eq!(web.asked().len(), 1, "how long keys are kept is no matter of that clock");
}

#[test]
fn an_answer_is_kept_by_another_clock_and_ends_with_its_token() {
    let web = Web::new();
    let introspection = Introspection {
        url: web.url("/introspect").parse().unwrap(),
        client_id: "mail".into(),
        client_secret: Secret::new("secret"),
    };
    let validator = Validator::new(Settings { introspection: Some(introspection), ..settings() }).unwrap();
    web.answer("/introspect", 200, &with(&json!({"active": true})).to_string());
    check(&validator, "opaque", &[(NOW, true), (NOW + 200, true), (NOW - LONG, true), (NOW, true)]);
    assert_eq!(web.asked().len(), 1, "set back and forth, it is still the same minute");
    // Over, by a clock that was wrong before or is now: it is asked about again, and found to be over.
    check(&validator, "opaque", &[(NOW + 400, false), (NOW + LONG, false)]);
    assert_eq!(web.asked().len(), 3);
    // Set right, it is good.
    check(&validator, "opaque", &[(NOW, true)]);
    check(&validator, "another", &[(NOW, true)]);
}
