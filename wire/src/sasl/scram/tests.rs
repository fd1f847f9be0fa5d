//! The RFCs' own exchanges, octet by octet, and everything that must not work.

use std::num::NonZeroU32;

use super::*;

const USER: &str = "user";
const PASSWORD: &[u8] = b"pencil";

/// What a directory keeps of [`PASSWORD`].
fn keys(hash: ScramHash, salt: &[u8], iterations: u32) -> ScramKeys {
    let (stored_key, server_key) = derive(hash, salt, iterations);
    ScramKeys { salt: salt.to_vec(), iterations, stored_key: stored_key.into(), server_key: server_key.into() }
}

fn salted(hash: ScramHash, salt: &[u8], iterations: u32) -> Vec<u8> {
    let algorithm = match hash {
        ScramHash::Sha1 => aws_lc_rs::pbkdf2::PBKDF2_HMAC_SHA1,
        ScramHash::Sha256 => aws_lc_rs::pbkdf2::PBKDF2_HMAC_SHA256,
    };
    let mut salted = vec![0; hash.digest().output_len()];
    aws_lc_rs::pbkdf2::derive(algorithm, NonZeroU32::new(iterations).unwrap(), salt, PASSWORD, &mut salted);
    salted
}

fn mac(hash: ScramHash, key: &[u8], text: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hash.hmac(), key), text).as_ref().to_vec()
}

fn derive(hash: ScramHash, salt: &[u8], iterations: u32) -> (Vec<u8>, Vec<u8>) {
    let salted = salted(hash, salt, iterations);
    let client_key = mac(hash, &salted, b"Client Key");
    (digest::digest(hash.digest(), &client_key).as_ref().to_vec(), mac(hash, &salted, b"Server Key"))
}

fn text(step: Result<Step<Vec<u8>>, SaslError>) -> Result<String, SaslError> {
    match step? {
        Step::Challenge(challenge) => Ok(String::from_utf8(challenge).unwrap()),
        other => panic!("{other:?}"),
    }
}

fn server(hash: ScramHash, plus: bool, binding: ChannelBinding, nonce: &str) -> Scram {
    Scram { hash, plus, binding, nonce: nonce.into(), state: State::Begin }
}

/// A client's last message to `server_first`, for the header `bound`.
fn proof(hash: ScramHash, bare: &str, server_first: &str, bound: &[u8]) -> String {
    let attribute = |name: &str| server_first.split(',').find_map(|part| part.strip_prefix(name)).unwrap().to_owned();
    let salt = STANDARD.decode(attribute("s=")).unwrap();
    let salted = salted(hash, &salt, attribute("i=").parse().unwrap());
    let client_key = mac(hash, &salted, b"Client Key");
    let stored = digest::digest(hash.digest(), &client_key);
    let without = format!("c={},r={}", STANDARD.encode(bound), attribute("r="));
    let signature = mac(hash, stored.as_ref(), format!("{bare},{server_first},{without}").as_bytes());
    let proof: Vec<u8> = client_key.iter().zip(&signature).map(|(a, b)| a ^ b).collect();
    format!("{without},p={}", STANDARD.encode(proof))
}

#[test]
fn the_examples_of_the_rfcs() {
    let check = |hash, first: &str, nonce: &str, salt: &str, challenge: &str, last: &str, end: &str| {
        let mut scram = server(hash, false, ChannelBinding::default(), nonce);
        let Ok(Step::Keys(wanted)) = scram.step(first.as_bytes()) else { panic!("keys are wanted") };
        assert_eq!(wanted, KeysWanted { user: USER.into(), hash });
        let salt = STANDARD.decode(salt).unwrap();
        assert_eq!(text(scram.keys(keys(hash, &salt, 4096))).unwrap(), challenge);
        assert_eq!(text(scram.step(last.as_bytes())).unwrap(), end);
        let Ok(Step::Proved(identity)) = scram.step(b"") else { panic!("the client is in") };
        assert_eq!(identity, Identity { authorization_id: None, authentication_id: USER.into() });
    };
    // RFC 7677, 3.
    check(
        ScramHash::Sha256,
        "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
        "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
        "W22ZaJ0SNY7soEsUEjb6gQ==",
        "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
        "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
        "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
    );
    // RFC 5802, 5.
    check(
        ScramHash::Sha1,
        "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
        "3rfcNHYJY1ZVvWVs7j",
        "QSXCR+Q6sek8bf92",
        "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
        "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
        "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
    );
}

/// Runs an exchange whose last message is changed by `spoil`.
fn run(header: &str, bound: &[u8], plus: bool, binding: &ChannelBinding, spoil: &str) -> Result<Identity, SaslError> {
    let hash = ScramHash::Sha256;
    let mut scram = server(hash, plus, binding.clone(), "server");
    let bare = "n=user,r=client";
    scram.step(format!("{header}{bare}").as_bytes())?;
    let challenge = text(scram.keys(keys(hash, b"salt", 1)))?;
    let mut last = proof(hash, bare, &challenge, bound);
    last = match spoil {
        "" => last,
        "nonce" => last.replace("r=client", "r=Client"),
        "proof" => last.replace(",p=", ",p=AAAA"),
        "binding" => last.replacen("c=", "c=AAAA", 1),
        "no proof" => last[..last.rfind(",p=").unwrap()].to_owned(),
        "garbage" => "\u{1}".to_owned(),
        other => format!("{other}{last}"),
    };
    text(scram.step(last.as_bytes()))?;
    match scram.step(b"")? {
        Step::Proved(identity) => Ok(identity),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_wrong_is_refused() {
    let none = ChannelBinding::default();
    assert!(run("n,,", b"n,,", false, &none, "").is_ok());
    for spoil in ["nonce", "proof", "binding"] {
        assert_eq!(run("n,,", b"n,,", false, &none, spoil), Err(SaslError::Rejected), "{spoil}");
    }
    for spoil in ["no proof", "garbage", "x"] {
        assert_eq!(run("n,,", b"n,,", false, &none, spoil), Err(SaslError::Malformed), "{spoil}");
    }
    assert_eq!(run("n,,", b"n,a=joe,", false, &none, ""), Err(SaslError::Rejected));
    let other = run("n,a=joe=2Csue,", b"n,a=joe=2Csue,", false, &none, "").unwrap();
    assert_eq!(other.authorization_id.as_deref(), Some("joe,sue"));
}

#[test]
fn channel_binding() {
    let binding = ChannelBinding { exporter: Some([7; 32]), end_point: Some(vec![9; 32]) };
    let none = ChannelBinding::default();
    let exporter = [&b"p=tls-exporter,,"[..], &[7; 32]].concat();
    let end_point = [&b"p=tls-server-end-point,,"[..], &[9; 32]].concat();
    assert!(run("p=tls-exporter,,", &exporter, true, &binding, "").is_ok());
    assert!(run("p=tls-server-end-point,,", &end_point, true, &binding, "").is_ok());
    // Another connection's data, or none.
    let elsewhere = [&b"p=tls-exporter,,"[..], &[8; 32]].concat();
    assert_eq!(run("p=tls-exporter,,", &elsewhere, true, &binding, ""), Err(SaslError::Rejected));
    assert_eq!(run("p=tls-exporter,,", b"p=tls-exporter,,", true, &binding, ""), Err(SaslError::Rejected));
    let unique = run("p=tls-unique,,", &exporter, true, &binding, "");
    assert_eq!(unique, Err(SaslError::ChannelBinding));
    // -PLUS without binding, binding without -PLUS.
    for header in ["n,,", "y,,"] {
        assert_eq!(run(header, header.as_bytes(), true, &binding, ""), Err(SaslError::Malformed));
    }
    assert_eq!(run("p=tls-exporter,,", &exporter, false, &binding, ""), Err(SaslError::Malformed));
    // "y" says that the client could have bound, and believes that we can't.
    assert!(run("y,,", b"y,,", false, &none, "").is_ok());
    assert_eq!(run("y,,", b"y,,", false, &binding, ""), Err(SaslError::ChannelBinding));
    assert!(run("n,,", b"n,,", false, &binding, "").is_ok());
}

#[test]
fn hostile_first_messages() {
    let long = format!("n,,n=user,r={}", "x".repeat(MAX_NONCE + 1));
    let name = format!("n,,n={},r=x", "x".repeat(1021));
    for message in [
        "",
        "n",
        "n,",
        "n,,",
        "n,,n=user",
        "n,,n=,r=x",
        "n,,n=user,r=",
        "n,,n=user,r=a\u{e9}",
        "n,,m=x,n=user,r=x",
        "n,,r=x,n=user",
        "n,joe,n=user,r=x",
        "n,a=,n=user,r=x",
        "n,a=x=2c,n=user,r=x",
        "n,,n=us=er,r=x",
        "z,,n=user,r=x",
        "n,,n=us=3,r=x",
        &long,
        &name,
    ] {
        let mut scram = server(ScramHash::Sha256, false, ChannelBinding::default(), "n");
        assert!(matches!(scram.step(message.as_bytes()), Err(SaslError::Malformed)), "{message}");
        assert!(scram.keys(keys(ScramHash::Sha256, b"salt", 1)).is_err(), "{message}");
    }
    let mut scram = server(ScramHash::Sha256, false, ChannelBinding::default(), "n");
    assert!(matches!(scram.step(b"n,,n=\xff,r=x"), Err(SaslError::Malformed)));
    // Out of order.
    let mut scram = server(ScramHash::Sha256, false, ChannelBinding::default(), "n");
    assert!(scram.step(b"n,,n=user,r=x").is_ok());
    assert!(matches!(scram.step(b"n,,n=user,r=x"), Err(SaslError::Malformed)));
}

#[test]
fn nonces_differ() {
    let nonce = || Scram::new(ScramHash::Sha256, false, ChannelBinding::default()).map(|scram| scram.nonce);
    assert_ne!(nonce().unwrap(), nonce().unwrap());
}
