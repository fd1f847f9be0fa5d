//! Exchanges over a connection inside the process, against a directory on disk.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test reports trouble by panicking")]

mod accounts;

use std::num::NonZeroU32;
use std::sync::Arc;

use aws_lc_rs::{digest, hmac, pbkdf2};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use directory::{Directory, Secret, TokenCheck, TokenHint, TokenProblem};
use login::{Door, Entered, Failure, LoggedIn, Policy, Profile};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream};
use wire::Connection;
use wire::sasl::SaslError;

use accounts::{embedded, user};

fn directory() -> (TempDir, Arc<dyn Directory>) {
    let (dir, directory) = embedded();
    (dir, Arc::new(directory))
}

fn door(directory: Arc<dyn Directory>, policy: Policy, details: bool) -> Door {
    Door { directory, policy, profile: Profile { challenge: "+ ", details, anonymous: true } }
}

struct Client(BufReader<DuplexStream>);

impl Client {
    async fn challenge(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).await.unwrap();
        let text = line.strip_prefix("+ ").unwrap_or_else(|| panic!("{line:?}")).trim_end();
        String::from_utf8(STANDARD.decode(text).unwrap()).unwrap()
    }

    async fn say(&mut self, text: &str) {
        self.0.write_all(format!("{}\r\n", STANDARD.encode(text)).as_bytes()).await.unwrap();
    }
}

fn mac(key: &[u8], text: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text).as_ref().to_vec()
}

/// A SCRAM client that follows RFC 5802 to the end, or to where the server stops.
async fn scram(mut client: Client, user: &str, password: &str, header: &str) {
    let bare = format!("n={user},r=clientnonce");
    client.say(&format!("{header}{bare}")).await;
    let first = client.challenge().await;
    let part = |name: &str| first.split(',').find_map(|part| part.strip_prefix(name)).unwrap().to_owned();
    let (nonce, salt, rounds) = (part("r="), STANDARD.decode(part("s=")).unwrap(), part("i=").parse().unwrap());
    let mut salted = [0; 32];
    pbkdf2::derive(
        pbkdf2::PBKDF2_HMAC_SHA256,
        NonZeroU32::new(rounds).unwrap(),
        &salt,
        password.as_bytes(),
        &mut salted,
    );
    let client_key = mac(&salted, b"Client Key");
    let stored = digest::digest(&digest::SHA256, &client_key);
    let without = format!("c={},r={nonce}", STANDARD.encode(header));
    let signed = format!("{bare},{first},{without}");
    let proof: Vec<u8> = client_key.iter().zip(mac(stored.as_ref(), signed.as_bytes())).map(|(a, b)| a ^ b).collect();
    client.say(&format!("{without},p={}", STANDARD.encode(proof))).await;
    let mut line = String::new();
    client.0.read_line(&mut line).await.unwrap();
    if let Some(end) = line.strip_prefix("+ ") {
        let signature = STANDARD.encode(mac(&mac(&salted, b"Server Key"), signed.as_bytes()));
        let end = String::from_utf8(STANDARD.decode(end.trim_end()).unwrap()).unwrap();
        assert_eq!(end, format!("v={signature}"), "the server knows the password too");
        client.say("").await;
    }
}

async fn run(user: &str, password: &str, header: &str) -> Result<LoggedIn, Failure> {
    let (_dir, directory) = directory();
    let door = door(directory, Policy::default(), true);
    let (mut connection, far) = Connection::memory(10_000);
    let mut client = Client(BufReader::new(far));
    let (user, password, header) = (user.to_owned(), password.to_owned(), header.to_owned());
    let client = tokio::spawn(async move {
        assert_eq!(client.challenge().await, "", "the client speaks first");
        scram(client, &user, &password, &header).await;
    });
    let entered = door.exchange(&mut connection, "scram-sha-256", None).await;
    connection.close().await;
    client.await.unwrap();
    entered.map(self::user)
}

#[tokio::test]
async fn scram_lets_in_who_knows_the_password() {
    let entered = run("joe", "joe-pw", "n,,").await.unwrap();
    assert_eq!((entered.account.user.as_str(), entered.proxy, entered.detail), ("joe", None, None));
    let entered = run("JOE+Lists", "joe-pw", "n,,").await.unwrap();
    assert_eq!((entered.account.user.as_str(), entered.detail.as_deref()), ("joe", Some("Lists")));
    let entered = run("boss", "boss-pw", "n,a=joe,").await.unwrap();
    assert_eq!((entered.account.user.as_str(), entered.proxy.unwrap().as_str()), ("joe", "boss"));
}

#[tokio::test]
async fn scram_refuses_everybody_else_alike() {
    for (user, password, header) in [
        ("joe", "Joe-pw", "n,,"),
        ("nobody", "joe-pw", "n,,"),
        ("..", "joe-pw", "n,,"),
        ("joe", "joe-pw", "n,a=boss,"),
        ("boss", "boss-pw", "n,a=nobody,"),
    ] {
        let refused = run(user, password, header).await.unwrap_err();
        assert!(matches!(&refused, Failure::Refused { claimed, .. } if claimed == user), "{user}: {refused}");
        assert_eq!(refused.to_string(), "Wrong user name or password");
    }
}

#[tokio::test]
async fn an_exchange_that_stops_is_no_failed_login() {
    let (_dir, directory) = directory();
    let door = door(directory, Policy::default(), false);
    for (mechanism, initial, line, expected) in [
        ("SCRAM-SHA-256", None, "*\r\n", SaslError::Cancelled),
        ("SCRAM-SHA-256", Some("biwsbj1qb2Uscj14"), "*\r\n", SaslError::Cancelled),
        ("SCRAM-SHA-256", Some("biwsbj1qb2Uscj14"), "eA==\r\n", SaslError::Malformed),
        ("SCRAM-SHA-256", Some("%"), "", SaslError::Base64),
        ("SCRAM-SHA-256-PLUS", None, "", SaslError::UnknownMechanism),
        ("SCRAM-SHA-1", None, "", SaslError::UnknownMechanism),
        ("OAUTHBEARER", None, "", SaslError::UnknownMechanism),
        ("ANONYMOUS", None, "", SaslError::UnknownMechanism),
        ("EXTERNAL", None, "", SaslError::UnknownMechanism),
    ] {
        let (mut connection, mut far) = Connection::memory(10_000);
        far.write_all(line.as_bytes()).await.unwrap();
        let initial = initial.map(str::as_bytes);
        let refused = door.exchange(&mut connection, mechanism, initial).await.unwrap_err();
        assert!(matches!(refused, Failure::Sasl(error) if error == expected), "{mechanism}: {refused}");
    }
}

#[tokio::test]
async fn a_site_may_allow_more() {
    let (_dir, directory) = directory();
    let policy = Policy { scram_sha1: true, anonymous: true, ..Policy::default() };
    let open = door(Arc::clone(&directory), policy.clone(), false);
    let (mut connection, _far) = Connection::memory(1000);
    assert_eq!(open.offer(&connection).names(), ["SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN", "LOGIN", "ANONYMOUS"]);
    let entered = open.exchange(&mut connection, "ANONYMOUS", Some(STANDARD.encode("sirhc").as_bytes())).await.unwrap();
    assert_eq!(entered, Entered::Anonymous { trace: "sirhc".into() });
    // Where there is nothing to see without a name, the policy does not matter.
    let closed = Door { profile: Profile { anonymous: false, ..open.profile }, ..open };
    assert_eq!(closed.offer(&connection).names(), ["SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN", "LOGIN"]);
    let refused = closed.exchange(&mut connection, "ANONYMOUS", Some(b"=")).await.unwrap_err();
    assert!(matches!(refused, Failure::Sasl(SaslError::UnknownMechanism)));
}

/// Whoever knows that no token is any good.
#[derive(Debug)]
struct NoToken;

impl TokenCheck for NoToken {
    fn check(&self, _: &Secret) -> directory::Result<Result<String, TokenProblem>> {
        Ok(Err(TokenProblem::Invalid))
    }

    fn is_asked_about(&self, _: &Secret) -> bool {
        false
    }

    fn hint(&self) -> Option<TokenHint> {
        Some(TokenHint::default())
    }
}

/// What is wrong with the token is told in a challenge: it was tried, however the client ends the exchange.
#[tokio::test]
async fn a_refused_token_is_a_failed_login_whatever_the_client_says_then() {
    let (_dir, directory) = embedded();
    let door = door(Arc::new(directory.with_tokens(Arc::new(NoToken))), Policy::default(), false);
    let initial = STANDARD.encode("n,a=joe,\x01auth=Bearer guess\x01\x01");
    let too_long = format!("{}\r\n", "A".repeat(100_000));
    for (answer, hangs_up) in
        [("AQ==\r\n", false), ("*\r\n", false), ("%\r\n", false), ("eA==\r\n", false), (&*too_long, false), ("", true)]
    {
        let (mut connection, mut far) = Connection::memory(200_000);
        far.write_all(answer.as_bytes()).await.unwrap();
        if hangs_up {
            drop(far);
        }
        let refused = door.exchange(&mut connection, "OAUTHBEARER", Some(initial.as_bytes())).await.unwrap_err();
        assert!(
            matches!(&refused, Failure::Refused { claimed, guess: Some(_), .. } if claimed == "joe"),
            "{answer:.9}: {refused:?}"
        );
    }
}
