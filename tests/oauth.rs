//! Logins with tokens: a server, clients, and an authorization server of this test's own.

#![allow(clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "a test reports trouble by panicking")]

use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use harness::transcript::Protocol;
use harness::{Home, Imap, PASSWORD, Pop3, Server, Web, await_until};
use rustix::process::Signal;
use serde_json::{Value, json};

const PROGRAM: &str = env!("CARGO_BIN_EXE_angarium");
const ISSUER: &str = "https://login.example.org";

/// Somebody who gives out tokens.
struct Issuer {
    web: Web,
    key: Ed25519KeyPair,
}

impl Issuer {
    fn new() -> Self {
        let made = Ed25519KeyPair::generate_pkcs8(&aws_lc_rs::rand::SystemRandom::new()).expect("a key");
        Self { web: Web::new(), key: Ed25519KeyPair::from_pkcs8(made.as_ref()).expect("a key") }
    }

    fn publish(&self) {
        let x = URL_SAFE_NO_PAD.encode(self.key.public_key());
        let keys = json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "one", "use": "sig", "x": x}]});
        self.web.answer("/keys", 200, &keys.to_string());
    }

    fn token(&self, changed: &Value) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
        let mut claims =
            json!({"iss": ISSUER, "aud": "mail", "exp": now + 300, "scope": "mail", "email": "joe@example.org"});
        for (name, value) in changed.as_object().expect("claims") {
            claims[name] = value.clone();
        }
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&json!({"alg": "EdDSA", "kid": "one"})), part(&claims));
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(self.key.sign(signed.as_bytes())))
    }
}

fn oauthbearer(user: &str, token: &str) -> String {
    let user = if user.is_empty() { String::new() } else { format!("a={user}") };
    STANDARD.encode(format!("n,{user},\x01host=mail.example.org\x01port=143\x01auth=Bearer {token}\x01\x01"))
}

fn xoauth2(user: &str, token: &str) -> String {
    STANDARD.encode(format!("user={user}\x01auth=Bearer {token}\x01\x01"))
}

/// What IMAP says in the end, and what the client is told before, if it is told anything.
fn imap(server: &Server, mechanism: &str, response: &str) -> (String, Option<Value>) {
    let mut client = Imap::open(server.address(Protocol::Imap)).expect("a greeting");
    let tag = client.send(format!("AUTHENTICATE {mechanism} {response}").as_bytes()).expect("sent");
    let first = client.connection.reply().expect("an answer").expect("an answer").to_string();
    let Some(challenge) = first.strip_prefix("+ ") else {
        return (first.strip_prefix(&format!("{tag} ")).expect("the tagged reply").to_owned(), None);
    };
    let told = STANDARD.decode(challenge).expect("base64");
    client.connection.send(b"AQ==\r\n").expect("sent");
    let answer = client.answer(&tag).expect("the tagged reply");
    (answer.status, Some(serde_json::from_slice(&told).expect("JSON")))
}

fn pop3(server: &Server, mechanism: &str, response: &str) -> String {
    let mut client = Pop3::open(server.address(Protocol::Pop3)).expect("a greeting");
    let first = client.command(&format!("AUTH {mechanism} {response}")).expect("an answer");
    if first.starts_with("+ ") { client.command("AQ==").expect("an answer") } else { first }
}

#[test]
fn tokens_let_in_over_imap_and_pop3() {
    let issuer = Issuer::new();
    let home = Home::new(
        PROGRAM,
        &[
            &format!("oauth.issuer = \"{ISSUER}\""),
            "oauth.audience = [\"mail\"]",
            "oauth.scope = [\"mail\"]",
            &format!("oauth.jwks = \"{}\"", issuer.web.url("/keys")),
        ],
    );
    home.add_user("joe");
    home.add_user("sue");
    issuer.publish();
    let server = home.start();
    let good = issuer.token(&json!({}));
    let mut client = Imap::open(server.address(Protocol::Imap)).expect("a greeting");
    let capabilities = client.must("CAPABILITY").expect("capabilities").untagged;
    let offered: String = capabilities.iter().map(ToString::to_string).collect();
    assert!(offered.contains("AUTH=OAUTHBEARER AUTH=XOAUTH2"), "{offered}");
    for user in ["", "joe", "joe@example.org"] {
        let (status, _) = imap(&server, "OAUTHBEARER", &oauthbearer(user, &good));
        assert!(status.starts_with("OK"), "{user}: {status}");
        assert!(pop3(&server, "OAUTHBEARER", &oauthbearer(user, &good)).starts_with("+OK"), "{user}");
    }
    for user in ["joe", "joe@example.org"] {
        let (status, _) = imap(&server, "XOAUTH2", &xoauth2(user, &good));
        assert!(status.starts_with("OK"), "{user}: {status}");
        assert!(pop3(&server, "XOAUTH2", &xoauth2(user, &good)).starts_with("+OK"), "{user}");
    }
    assert_eq!(issuer.web.asked().len(), 1, "keys are kept");

    let place = format!("{ISSUER}/.well-known/openid-configuration");
    let (status, told) = imap(&server, "OAUTHBEARER", &oauthbearer("joe", &issuer.token(&json!({"exp": 1}))));
    assert!(status.starts_with("NO [AUTHENTICATIONFAILED]"), "{status}");
    assert_eq!(told, Some(json!({"status": "invalid_token", "scope": "mail", "openid-configuration": place})));
    let (_, told) = imap(&server, "XOAUTH2", &xoauth2("joe", &issuer.token(&json!({"scope": "calendar"}))));
    assert_eq!(
        told,
        Some(json!({"status": "403", "schemes": "Bearer", "scope": "mail", "openid-configuration": place}))
    );
    // Good, but somebody else's, or nobody's.
    assert!(imap(&server, "XOAUTH2", &xoauth2("sue", &good)).0.starts_with("NO"));
    let stranger = issuer.token(&json!({"email": "jim@example.org"}));
    assert!(pop3(&server, "OAUTHBEARER", &oauthbearer("", &stranger)).starts_with("-ERR [AUTH]"));

    let rows: Vec<Value> = home
        .must_run(&["user", "logins", "joe", "--json"], b"")
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let seen = |mechanism: &str, protocol: &str, result: &str| {
        rows.iter().any(|row| row["mechanism"] == mechanism && row["protocol"] == protocol && row["result"] == result)
    };
    assert!(seen("OAUTHBEARER", "pop3", "ok") && seen("XOAUTH2", "imap", "ok"), "{rows:?}");
    assert!(seen("OAUTHBEARER", "imap", "refused"), "{rows:?}");
    assert!(!server.log().contains(&good), "a token is a secret");
    server.stop(&[]);
}

/// [oauth] may change while sessions go on; what makes no sense changes nothing.
#[test]
fn a_running_server_hears_of_another_issuer() {
    let (first, second) = (Issuer::new(), Issuer::new());
    let home = Home::new(PROGRAM, &[]);
    home.add_user("joe");
    [&first, &second].iter().for_each(|issuer| issuer.publish());
    let server = home.start();
    let file = home.path().join("angarium.toml");
    let before = std::fs::read_to_string(&file).expect("the configuration is there");
    let configure = |section: &str, expected: &str| {
        let log = server.log_size();
        std::fs::write(&file, format!("{before}{section}")).expect("written");
        server.signal(Signal::HUP);
        await_until(expected, || server.log_from(log).contains(expected));
        server.log_from(log)
    };
    let section = |issuer: &Issuer| {
        let keys = issuer.web.url("/keys");
        format!("oauth.issuer = \"{ISSUER}\"\noauth.audience = [\"mail\"]\noauth.jwks = \"{keys}\"\n")
    };
    let result = |issuer: &Issuer| imap(&server, "OAUTHBEARER", &oauthbearer("joe", &issuer.token(&json!({})))).0;
    let mut standing = Imap::login(server.address(Protocol::Imap), "joe", PASSWORD).expect("logged in");
    let offered = || {
        let mut client = Imap::open(server.address(Protocol::Imap)).expect("a greeting");
        client.must("CAPABILITY").expect("capabilities").untagged[0].to_string().contains("OAUTHBEARER")
    };
    assert!(!offered());
    configure(&section(&first), "event=config.reloaded");
    assert!(offered() && result(&first).starts_with("OK") && result(&second).starts_with("NO"));
    let log = configure("oauth.jwks = \"none.json\"\nlog.level = \"debug\"\n", "event=config.kept");
    assert!(log.contains("[oauth]") && !log.contains("DEBUG"), "{log}");
    assert!(offered() && result(&first).starts_with("OK"));
    assert_eq!(first.web.asked().len(), 1, "keys are kept");
    configure(&section(&second), "event=config.reloaded");
    assert!(result(&first).starts_with("NO") && result(&second).starts_with("OK"));
    configure("", "event=config.reloaded");
    assert!(!offered() && result(&second).starts_with("NO"));
    standing.must("NOOP").expect("the session goes on");
    server.stop(&["config.kept".to_owned()]);
}

/// A client that knows nothing of ours. A token that is no good ends with curl's code for a login that was refused.
#[test]
fn curl_brings_a_token() {
    if Command::new("curl").arg("--version").output().is_err() {
        println!("SKIPPED curl_brings_a_token: curl is not installed");
        return;
    }
    let issuer = Issuer::new();
    issuer.publish();
    let home = Home::new(
        PROGRAM,
        &[
            &format!("oauth.issuer = \"{ISSUER}\""),
            "oauth.audience = [\"mail\"]",
            &format!("oauth.jwks = \"{}\"", issuer.web.url("/keys")),
        ],
    );
    home.add_user("joe");
    let server = home.start();
    let (good, bad) = (issuer.token(&json!({})), issuer.token(&json!({"aud": "calendar"})));
    for (scheme, protocol) in [("imap", Protocol::Imap), ("pop3", Protocol::Pop3), ("imaps", Protocol::Imaps)] {
        let url = format!("{scheme}://127.0.0.1:{}/", server.address(protocol).port());
        for mechanism in ["OAUTHBEARER", "XOAUTH2"] {
            for (token, code) in [(&good, 0), (&bad, 67)] {
                let (option, user) = (format!("AUTH={mechanism}"), "joe@example.org:");
                let arguments = ["-sSk", "--user", user, "--oauth2-bearer", token, "--login-options", &option, &url];
                let output = Command::new("curl").args(arguments).output().expect("curl runs");
                let said = String::from_utf8_lossy(&output.stderr);
                assert_eq!(output.status.code(), Some(code), "{scheme} {mechanism}: {said}\n{}", server.log());
            }
        }
    }
    server.stop(&[]);
}

#[test]
fn an_authorization_server_is_asked() {
    let web = Web::new();
    let home = Home::new(
        PROGRAM,
        &[
            &format!("oauth.introspection = \"{}\"", web.url("/introspect")),
            "oauth.client_id = \"mail\"",
            "oauth.client_secret = \"oauth.secret\"",
            "oauth.user_claim = \"username\"",
        ],
    );
    home.add_user("joe");
    let failed = home.run(&["serve"], b"");
    assert_eq!(failed.status.code(), Some(78), "there is no such file");
    std::fs::write(home.path().join("oauth.secret"), "wonderland\n").expect("written");
    let server = home.start();
    web.answer("/introspect", 200, &json!({"active": true, "username": "joe"}).to_string());
    assert!(imap(&server, "OAUTHBEARER", &oauthbearer("", "opaque")).0.starts_with("OK"));
    assert!(pop3(&server, "XOAUTH2", &xoauth2("joe", "opaque")).starts_with("+OK"));
    assert_eq!(web.asked().len(), 1);
    web.answer("/introspect", 200, &json!({"active": false}).to_string());
    let (status, told) = imap(&server, "OAUTHBEARER", &oauthbearer("", "revoked"));
    assert!(status.starts_with("NO [AUTHENTICATIONFAILED]"), "{status}");
    assert_eq!(told, Some(json!({"status": "invalid_token", "scope": ""})));
    web.answer("/introspect", 500, "");
    // Nobody can say whether it is good: no failed login.
    let (status, told) = imap(&server, "OAUTHBEARER", &oauthbearer("", "other"));
    assert!(status.starts_with("NO [UNAVAILABLE]") && told.is_none(), "{status}");
    assert!(pop3(&server, "XOAUTH2", &xoauth2("joe", "other")).starts_with("-ERR [SYS/TEMP]"));
    server.stop(&["oauth.introspection.failed".to_owned(), "command.failed".to_owned()]);
}

#[test]
fn without_an_authorization_server_no_token_is_asked_for() {
    let home = Home::new(PROGRAM, &[]);
    home.add_user("joe");
    let server = home.start();
    let mut client = Imap::open(server.address(Protocol::Imap)).expect("a greeting");
    let capabilities = client.must("CAPABILITY").expect("capabilities").untagged;
    let offered: String = capabilities.iter().map(ToString::to_string).collect();
    assert!(!offered.contains("OAUTH"), "{offered}");
    assert!(imap(&server, "OAUTHBEARER", &oauthbearer("joe", "x")).0.starts_with("NO [CANNOT]"));
    server.stop(&[]);
}
