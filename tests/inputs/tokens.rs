//! Tokens that let nobody in: of no form, with another algorithm or none (CVE-2015-9235 and a hundred like it), with the key in
//! themselves, out of date, for somebody else.

use std::fs;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use harness::transcript::Protocol;
use harness::{Connection, Imap, PASSWORD, Pop3};
use rcgen::{KeyPair, PKCS_ED25519, PublicKeyData, SigningKey};
use serde_json::{Value, json};

use crate::arena::Arena;
use crate::row::{Row, filled};

/// Whom the server takes tokens of.
const ISSUER: &str = "https://login.example.org";

/// Where the server finds the issuer's keys.
const KEYS: &str = "keys.json";

/// What the server must be told.
pub(crate) const SETTINGS: [&str; 3] =
    ["oauth.issuer = \"https://login.example.org\"", "oauth.audience = [\"mail\"]", "oauth.jwks = \"keys.json\""];

pub(crate) static ROWS: &[Row] = &[
    Row::play("imap, pop3: tokens that let nobody in", |arena| refused(arena, &bad_tokens(&arena.issuer))).seconds(60),
    Row::play("imap: a token of 8 KiB, and its claims nested a thousand deep", |arena| {
        let deep = format!("{}{}", "[".repeat(1_000), "]".repeat(1_000));
        let deep: Value = json!({ "deep": deep, "real": nested(100) });
        let long = json!({ "long": "x".repeat(5_000) });
        refused(
            arena,
            &[
                ("deep", arena.issuer.token(&json!({"aud": "other", "more": deep}))),
                ("long", arena.issuer.token(&json!({"aud": "other", "more": long}))),
                (
                    "all brackets",
                    format!("{}.{}.x", part("{\"alg\":\"EdDSA\",\"kid\":\"one\"}"), part(&"[".repeat(5_000))),
                ),
            ],
        );
    })
    .seconds(60),
    Row::play("imap: 10 MiB where a token belongs", |arena| {
        for mechanism in ["OAUTHBEARER", "XOAUTH2"] {
            let mut imap = arena.stranger();
            imap.connection.send(format!("a AUTHENTICATE {mechanism}\r\n").as_bytes()).unwrap();
            assert_eq!(imap.connection.reply().unwrap().unwrap().to_string(), "+ ");
            imap.connection.send(&filled("", "A", 10 << 20, "\r\n")).unwrap();
            assert!(imap.connection.reply().unwrap().unwrap().to_string().starts_with("a BAD"));
            imap.must("NOOP").expect("all of the line was skipped, and nothing else");
        }
    }),
    Row::play("imap, pop3: messages of OAUTHBEARER and XOAUTH2 that are none", |arena| {
        let good = arena.issuer.token(&json!({}));
        let bearer = [
            String::new(),
            "n".to_owned(),
            "n,,".to_owned(),
            format!("n,,\x01auth=Bearer {good}"),
            format!("n,,\x01auth=Bearer {good}\x01"),
            format!("n,,\x01auth=Basic {good}\x01\x01"),
            "n,,\x01auth=Bearer \x01\x01".to_owned(),
            format!("n,a=j\0oe,\x01auth=Bearer {good}\x01\x01"),
            format!("n,,\x01auth=Bearer {good}\0\x01\x01"),
            format!("n,,\x01auth=Bearer {good}\x01\x01more"),
            format!("n,,\x01auth=Bearer {good}\x01auth=Bearer {good}\x01\x01"),
            format!("p=tls-exporter,,\x01auth=Bearer {good}\x01\x01"),
        ];
        let xoauth2 = [
            String::new(),
            "user=joe".to_owned(),
            format!("auth=Bearer {good}\x01\x01"),
            format!("user=joe\x01auth=Bearer {good}\x01"),
            format!("user=j\0oe\x01auth=Bearer {good}\x01\x01"),
            format!("user=joe\x01auth=Bearer {good}\x01\x01\x01"),
        ];
        let both = bearer.iter().map(|said| ("OAUTHBEARER", said)).chain(xoauth2.iter().map(|said| ("XOAUTH2", said)));
        let (imap, pop3) = (arena.server.address(Protocol::Imap), arena.server.address(Protocol::Pop3));
        // All at once: what has the form of a message is a token that is no good, whose answer waits for three seconds.
        std::thread::scope(|scope| {
            for (mechanism, said) in both {
                let response = if said.is_empty() { "=".to_owned() } else { STANDARD.encode(said) };
                let shown: String = said.escape_debug().take(60).collect();
                scope.spawn(move || {
                    let mut client = Imap::open(imap).unwrap();
                    let first = format!("a AUTHENTICATE {mechanism} {response}\r\n");
                    let said = ends(&mut client.connection, &first);
                    let refused = said.starts_with("a BAD") || said.starts_with("a NO [AUTHENTICATIONFAILED]");
                    assert!(refused, "{mechanism} {shown}: {said}");
                    client.must("NOOP").unwrap();
                    let mut client = Pop3::open(pop3).unwrap();
                    let said = ends(&mut client.connection, &format!("AUTH {mechanism} {response}\r\n"));
                    assert!(said.starts_with("-ERR"), "{mechanism} {shown}: {said}");
                    client.must("CAPA").unwrap();
                });
            }
        });
    })
    .seconds(30),
];

/// What an exchange ends with, whether or not the client is told more of its token.
fn ends(connection: &mut Connection, first: &str) -> String {
    connection.send(first.as_bytes()).unwrap();
    let said = connection.reply().unwrap().unwrap().to_string();
    if !said.starts_with("+ ") {
        return said;
    }
    connection.send(b"AQ==\r\n").unwrap();
    connection.reply().unwrap().unwrap().to_string()
}

/// Somebody who gives out tokens.
pub(crate) struct Issuer(KeyPair);

impl Issuer {
    pub(crate) fn new() -> Self {
        Self(KeyPair::generate_for(&PKCS_ED25519).unwrap())
    }

    /// Writes the public key where the server looks for it.
    pub(crate) fn publish(&self, home: &Path) {
        let keys = json!({"keys": [self.public()]});
        fs::write(home.join(KEYS), keys.to_string()).unwrap();
    }

    fn public(&self) -> Value {
        let x = URL_SAFE_NO_PAD.encode(self.0.der_bytes());
        json!({"kty": "OKP", "crv": "Ed25519", "kid": "one", "use": "sig", "x": x})
    }

    /// A token that is good but for what is changed; `null` takes a claim away.
    fn token(&self, changed: &Value) -> String {
        self.sign(&json!({"alg": "EdDSA", "kid": "one"}), changed)
    }

    fn sign(&self, header: &Value, changed: &Value) -> String {
        let signed = format!("{}.{}", part(&header.to_string()), part(&claims(changed)));
        let signature = self.0.sign(signed.as_bytes()).unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn part(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(text)
}

fn claims(changed: &Value) -> String {
    let mut claims = json!({"iss": ISSUER, "aud": "mail", "exp": now() + 3_600, "email": "joe@example.org"});
    for (name, value) in changed.as_object().unwrap() {
        match value {
            Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
            value => claims[name] = value.clone(),
        }
    }
    claims.to_string()
}

fn nested(depth: usize) -> Value {
    (0..depth).fold(json!(1), |inner, _| json!([inner]))
}

/// Tokens by what is wrong with them.
fn bad_tokens(issuer: &Issuer) -> Vec<(&'static str, String)> {
    let good = issuer.token(&json!({}));
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let unsigned =
        |algorithm: &str| format!("{}.{}.", part(&json!({ "alg": algorithm }).to_string()), part(&claims(&json!({}))));
    let header = |header: Value| issuer.sign(&header, &json!({}));
    let stranger = Issuer::new();
    let embedded = json!({"alg": "EdDSA", "kid": "two", "jwk": stranger.public()});
    let elsewhere =
        json!({"alg": "EdDSA", "kid": "two", "jku": "http://127.0.0.1:9/keys", "x5u": "http://127.0.0.1:9/"});
    vec![
        ("nothing that is a token", "x".to_owned()),
        ("dots", "..".to_owned()),
        ("more dots", ".".repeat(5_000)),
        ("two parts", signed.to_owned()),
        ("five parts", format!("{good}.x.y")),
        ("no signature", format!("{signed}.")),
        ("half a signature", format!("{signed}.{}", &signature[..40])),
        ("a padded signature", format!("{good}==")),
        ("another signature", format!("{signed}.{}", URL_SAFE_NO_PAD.encode([0; 64]))),
        ("alg none", unsigned("none")),
        ("alg None", unsigned("None")),
        ("no alg", unsigned("")),
        (
            "a shared secret",
            format!("{}.{}.{signature}", part("{\"alg\":\"HS256\",\"kid\":\"one\"}"), part(&claims(&json!({})))),
        ),
        ("the algorithm of another kind of key", header(json!({"alg": "RS256", "kid": "one"}))),
        ("an unknown key", header(json!({"alg": "EdDSA", "kid": "../../keys.json"}))),
        ("its own key", stranger.sign(&embedded, &json!({}))),
        ("a key to be fetched", stranger.sign(&elsewhere, &json!({}))),
        ("an extension", header(json!({"alg": "EdDSA", "kid": "one", "crit": ["exp"]}))),
        ("another type", header(json!({"alg": "EdDSA", "kid": "one", "typ": "logout+jwt"}))),
        ("signed by somebody else", stranger.token(&json!({}))),
        ("expired", issuer.token(&json!({"exp": now() - 3_600}))),
        ("expired in the last century", issuer.token(&json!({"exp": -1e300}))),
        ("without an end", issuer.token(&json!({"exp": null}))),
        ("an end that is no number", issuer.token(&json!({"exp": "tomorrow"}))),
        ("not yet", issuer.token(&json!({"nbf": now() + 3_600}))),
        ("for another service", issuer.token(&json!({"aud": "calendar"}))),
        ("for other services", issuer.token(&json!({"aud": ["calendar", "mailx", ""]}))),
        ("for nobody", issuer.token(&json!({"aud": null}))),
        ("of another issuer", issuer.token(&json!({"iss": "https://login.example.org.evil.example"}))),
        ("of no issuer", issuer.token(&json!({"iss": null}))),
        ("a NUL in the name", issuer.token(&json!({"email": "joe\0@example.org"}))),
        ("no name", issuer.token(&json!({"email": null}))),
        ("a user ID for an address", issuer.token(&json!({"email": "joe"}))),
        ("an address that is not verified", issuer.token(&json!({"email_verified": false}))),
        ("nobody here", issuer.token(&json!({"email": "nobody@example.org"}))),
        ("somebody elsewhere", issuer.token(&json!({"email": "joe@elsewhere.example"}))),
    ]
}

/// Each is refused in the same words, over both protocols, and the session goes on. All at once: each answer waits for three
/// seconds.
fn refused(arena: &Arena, tokens: &[(&'static str, String)]) {
    let good = arena.issuer.token(&json!({}));
    let (imap, pop3) = (arena.server.address(Protocol::Imap), arena.server.address(Protocol::Pop3));
    let message = |token: &str| STANDARD.encode(format!("n,a=joe,\x01auth=Bearer {token}\x01\x01"));
    let told = |challenge: &str, what: &str| {
        let told =
            STANDARD.decode(challenge.strip_prefix("+ ").unwrap_or_else(|| panic!("{what}: {challenge}"))).unwrap();
        let told: Value = serde_json::from_slice(&told).unwrap();
        assert_eq!(told["status"], "invalid_token", "{what}");
    };
    std::thread::scope(|scope| {
        for (what, token) in tokens {
            let initial = message(token);
            let over_pop3 = initial.clone();
            scope.spawn(move || {
                let mut client = Imap::open(imap).unwrap();
                client.connection.send(b"a AUTHENTICATE OAUTHBEARER\r\n").unwrap();
                assert_eq!(client.connection.reply().unwrap().unwrap().to_string(), "+ ", "{what}");
                client.connection.send(format!("{initial}\r\n").as_bytes()).unwrap();
                told(&client.connection.reply().unwrap().unwrap().to_string(), what);
                client.connection.send(b"AQ==\r\n").unwrap();
                let said = client.connection.reply().unwrap().unwrap().to_string();
                assert!(said.starts_with("a NO [AUTHENTICATIONFAILED]"), "{what}: {said}");
                client.must(&format!("LOGIN joe {PASSWORD}")).expect("the session goes on");
            });
            scope.spawn(move || {
                let mut client = Pop3::open(pop3).unwrap();
                assert!(client.command("AUTH OAUTHBEARER").unwrap().starts_with("+ "), "{what}");
                told(&client.command(&over_pop3).unwrap(), what);
                let said = client.command("AQ==").unwrap();
                assert!(said.starts_with("-ERR [AUTH]"), "{what}: {said}");
                client.must("CAPA").expect("the session goes on");
            });
        }
    });
    let mut client = Imap::open(imap).unwrap();
    let status = client.command(&format!("AUTHENTICATE OAUTHBEARER {}", message(&good))).unwrap().status;
    assert!(status.starts_with("OK"), "what is good is good: {status}");
}
