//! Where keys come from, and what happens when they do not.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::Duration;

use super::*;
use crate::jws::{Algorithm, Header};

fn header(id: &str) -> Header {
    Header { algorithm: Algorithm::EdDsa, key_id: Some(id.to_owned()) }
}

/// A set with a key of that name.
fn set(id: &str) -> String {
    let mut key = Signer::new().keys().remove(3);
    key["kid"] = id.into();
    json!({ "keys": [key] }).to_string()
}

fn store(web: &Web) -> KeyStore {
    let fetcher = Arc::new(Fetcher::new(None, false).unwrap());
    KeyStore::new(KeySource::Url(web.url("/keys").parse().unwrap()), fetcher).unwrap()
}

/// Whether there is such a key; nothing when that can't be said.
fn has(store: &KeyStore, id: &str, now: Instant) -> Option<bool> {
    match store.set_for(&header(id), now) {
        Ok(set) => Some(set.key_for(&header(id)).is_some()),
        Err(Error::Unavailable(_)) => None,
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn keys_are_asked_for_when_they_are_needed() {
    let web = Web::new();
    web.answer("/keys", 200, &set("one"));
    let store = store(&web);
    let begin = Instant::now();
    let after = |seconds: u64| begin + Duration::from_secs(seconds);
    assert!(web.asked().is_empty());
    for _ in 0..3 {
        assert_eq!(has(&store, "one", begin), Some(true));
    }
    assert_eq!(web.asked().len(), 1);
    assert!(web.asked()[0].head.starts_with("GET /keys HTTP/1.1\r\n"), "{:?}", web.asked());
    // Another key: it is asked for, but not each time.
    web.answer("/keys", 200, &set("two"));
    for second in 0..60 {
        assert_eq!(has(&store, "two", after(second)), Some(false));
    }
    assert_eq!(web.asked().len(), 1);
    assert_eq!(has(&store, "two", after(60)), Some(true));
    assert_eq!(has(&store, "one", after(61)), Some(false), "it was taken back");
    assert_eq!(web.asked().len(), 2);
    // After an hour they are asked for anyway.
    assert_eq!(has(&store, "two", after(60 + 3599)), Some(true));
    assert_eq!(web.asked().len(), 2);
    web.answer("/keys", 200, &set("three"));
    assert_eq!(has(&store, "two", after(60 + 3600)), Some(false));
    assert_eq!(web.asked().len(), 3);
}

#[test]
fn a_server_that_gives_no_keys_is_no_wrong_token() {
    let web = Web::new();
    let begin = Instant::now();
    let after = |seconds: u64| begin + Duration::from_secs(seconds);
    let store = store(&web);
    for (status, body) in [
        (404, String::new()),
        (500, set("one")),
        (302, set("one")),
        (200, "<html>".to_owned()),
        (200, "{}".to_owned()),
        (200, json!({"keys": []}).to_string()),
        (200, json!({"keys": [{"kty": "oct", "kid": "one", "k": "c2VjcmV0"}]}).to_string()),
        (200, format!("{}{}", " ".repeat(300_000), set("one"))),
    ] {
        let asked = web.asked().len();
        web.answer("/keys", status, &body);
        let now = after(10 * asked as u64);
        for _ in 0..3 {
            assert_eq!(has(&store, "one", now + Duration::from_secs(1)), None, "{status} {body:.20}");
        }
        assert_eq!(web.asked().len(), asked + 1, "not at once again");
    }
    assert!(web.asked().iter().all(|asked| asked.path == "/keys"), "redirections are not followed");
    web.answer("/keys", 200, &set("one"));
    assert_eq!(has(&store, "one", after(1000)), Some(true));
    // What is known is believed for a day.
    web.answer("/keys", 500, "");
    assert_eq!(has(&store, "one", after(1000 + 7200)), Some(true));
    assert_eq!(has(&store, "two", after(1000 + 7200)), None, "who knows");
    assert_eq!(has(&store, "one", after(1000 + 24 * 3600)), None);
    web.answer("/keys", 200, &set("one"));
    assert_eq!(has(&store, "one", after(1000 + 25 * 3600)), Some(true));
}

/// What comes of asking for `key` two hours after `one` was read, of a server that says nothing until `others` have asked for
/// theirs, who must not wait for it; nor does anybody at once again.
fn while_the_server_hangs(key: &str, others: impl FnOnce(&KeyStore, Instant)) -> Option<bool> {
    let web = Web::new();
    web.answer("/keys", 200, &set("one"));
    // Longer than the test may take.
    let fetcher = Fetcher::new(None, false).unwrap().with_patience(Duration::from_secs(60));
    let store = KeyStore::new(KeySource::Url(web.url("/keys").parse().unwrap()), Arc::new(fetcher)).unwrap();
    let begin = Instant::now();
    assert_eq!(has(&store, "one", begin), Some(true));
    web.answer("/keys", 0, "");
    let later = begin + Duration::from_secs(7200);
    let found = std::thread::scope(|scope| {
        let slow = scope.spawn(|| has(&store, key, later));
        web.await_asked(2);
        others(&store, later);
        assert!(!slow.is_finished(), "the others did not wait for it");
        web.answer("/keys", 500, "");
        slow.join().unwrap()
    });
    assert_eq!(has(&store, "one", later + Duration::from_secs(59)), Some(true));
    assert_eq!(web.asked().len(), 2, "nobody waits again at once");
    found
}

/// Only those wait for a server who need what it has not told yet.
#[test]
fn who_has_the_key_does_not_wait_for_others() {
    let found = while_the_server_hangs("one", |store, now| assert_eq!(has(store, "one", now), Some(true)));
    assert_eq!(found, Some(true), "it failed, and the key is believed for a day");
}

/// Tokens with keys that nobody has must not fill all places while a server hangs.
#[test]
fn who_asks_for_another_key_meanwhile_is_told_at_once() {
    let found = while_the_server_hangs("two", |store, now| assert_eq!(has(store, "three", now), None));
    assert_eq!(found, None);
}

#[test]
fn a_server_that_hangs_or_is_gone() {
    let web = Web::new();
    web.answer("/keys", 0, "");
    let begin = Instant::now();
    assert_eq!(has(&store(&web), "one", begin), None);
    assert!(begin.elapsed() < Duration::from_secs(10));
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://{nobody}/keys").parse().unwrap();
    let store = KeyStore::new(KeySource::Url(url), Arc::new(Fetcher::new(None, false).unwrap())).unwrap();
    assert_eq!(has(&store, "one", Instant::now()), None);
}

#[test]
fn keys_in_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("keys.json");
    std::fs::write(&file, set("one")).unwrap();
    let store = KeyStore::new(KeySource::File(file.clone()), Arc::new(Fetcher::new(None, false).unwrap())).unwrap();
    let begin = Instant::now() + Duration::from_secs(1);
    assert_eq!((has(&store, "one", begin), has(&store, "two", begin)), (Some(true), Some(false)));
    std::fs::write(&file, set("two")).unwrap();
    let later = begin + Duration::from_secs(60);
    assert_eq!((has(&store, "two", later), has(&store, "one", later)), (Some(true), Some(false)));
    std::fs::remove_file(&file).unwrap();
    assert_eq!(has(&store, "two", later + Duration::from_secs(7200)), Some(true));
}

#[test]
fn a_server_must_show_a_certificate_of_an_authority() {
    let dir = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let other = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (ours, others) = (dir.path().join("ours.pem"), dir.path().join("others.pem"));
    std::fs::write(&ours, made.cert.pem()).unwrap();
    std::fs::write(&others, other.cert.pem()).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for tcp in listener.incoming() {
            let connection = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = rustls::StreamOwned::new(connection, tcp.unwrap());
            let mut request = [0; 4096];
            if stream.read(&mut request).is_ok() {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}");
                stream.conn.send_close_notify();
                let _ = stream.flush();
            }
        }
    });
    let url: Url = format!("https://localhost:{port}/keys").parse().unwrap();
    let other_name: Url = format!("https://127.0.0.1:{port}/keys").parse().unwrap();
    let trusting = Fetcher::new(Some(&ours), true).unwrap();
    assert_eq!(trusting.get(&url).unwrap(), b"{}");
    assert!(trusting.get(&other_name).is_err(), "it has no certificate for that name");
    assert!(Fetcher::new(Some(&others), true).unwrap().get(&url).is_err());
    assert!(Fetcher::new(None, false).unwrap().get(&url).is_err());
    assert!(matches!(Fetcher::new(Some(&dir.path().join("none.pem")), true), Err(SetupError::File { .. })));
}
