//! Tokens, good and bad, and servers, good and bad.

mod clocks;
mod introspected;
mod signed;
mod signer;
mod sources;

use harness::Web;
use serde_json::{Value, json};

use super::*;
use signer::{Signer, b64};

const ISSUER: &str = "https://login.example.com";

/// A moment that tokens of these tests are made at.
const NOW: u64 = 1_800_000_000;

fn rules() -> Rules {
    Rules {
        issuer: Some(ISSUER.into()),
        audiences: vec!["mail".into(), "imap".into()],
        scopes: vec!["mail".into()],
        user_claim: "email".into(),
    }
}

/// Claims that are good.
fn claims() -> Value {
    json!({
        "iss": ISSUER,
        "aud": "mail",
        "exp": NOW + 300,
        "iat": NOW,
        "scope": "openid mail",
        "email": "joe@example.com",
        "email_verified": true,
    })
}

/// The claims with others.
fn with(others: &Value) -> Value {
    let mut all = claims();
    for (name, value) in others.as_object().unwrap() {
        all[name] = value.clone();
    }
    all
}

fn without(name: &str) -> Value {
    let mut all = claims();
    all.as_object_mut().unwrap().remove(name);
    all
}

fn settings() -> Settings {
    let Rules { issuer, audiences, scopes, user_claim } = rules();
    Settings {
        issuer,
        audiences,
        scopes,
        user_claim,
        keys: None,
        introspection: None,
        authorities: None,
        openid_configuration: Some("https://login.example.com/.well-known/openid-configuration".into()),
    }
}

#[test]
fn settings_that_make_no_sense() {
    let keys = Some(KeySource::Url("http://127.0.0.1:1/keys".parse().unwrap()));
    let check = |settings: Settings| Validator::new(settings).err().map(|problem| problem.to_string());
    assert_eq!(check(Settings { keys: keys.clone(), ..settings() }), None);
    assert!(check(settings()).unwrap().contains("neither"));
    assert!(check(Settings { keys: keys.clone(), issuer: None, ..settings() }).unwrap().contains("issuer"));
    assert!(check(Settings { keys, audiences: Vec::new(), ..settings() }).unwrap().contains("audience"));
    let missing = Some(KeySource::File("/nowhere/keys.json".into()));
    assert!(check(Settings { keys: missing, ..settings() }).unwrap().contains("/nowhere/keys.json"));
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("keys.json");
    std::fs::write(&file, r#"{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}"#).unwrap();
    assert!(check(Settings { keys: Some(KeySource::File(file)), ..settings() }).unwrap().contains("no key in it"));
}

#[test]
fn what_clients_are_told() {
    let keys = Some(KeySource::Url("http://127.0.0.1:1/keys".parse().unwrap()));
    let validator = Validator::new(Settings { keys, ..settings() }).unwrap();
    let hint = validator.hint().unwrap();
    assert_eq!(hint.scope.as_deref(), Some("mail"));
    assert!(hint.openid_configuration.as_deref().unwrap().starts_with("https://"));
}
