//! Signed tokens.

use proptest::prelude::*;

use super::*;
use crate::keys::KeySet;

/// What becomes of a token.
fn judge(keys: &[Value], rules: &Rules, token: &str) -> std::result::Result<String, Wrong> {
    let set = KeySet::parse(json!({ "keys": keys }).to_string().as_bytes()).unwrap();
    let jws = Jws::parse(token.as_bytes()).map_err(Wrong::invalid)?;
    let key = set.key_for(&jws.header).ok_or(Wrong::invalid("no such key"))?;
    if !key.verifies(&jws) {
        return Err(Wrong::invalid("signature"));
    }
    claims::parse(&jws.payload).and_then(|claims| rules.signed(&claims, NOW))
}

fn joe() -> std::result::Result<String, Wrong> {
    Ok("joe@example.com".to_owned())
}

#[test]
fn every_algorithm_with_its_kind_of_key() {
    let signer = Signer::new();
    let keys = signer.keys();
    for (algorithm, id) in [
        ("RS256", "rsa"),
        ("RS384", "rsa"),
        ("RS512", "rsa"),
        ("PS256", "rsa"),
        ("PS384", "rsa"),
        ("PS512", "rsa"),
        ("ES256", "p256"),
        ("ES384", "p384"),
        ("EdDSA", "ed"),
    ] {
        let token = signer.token(algorithm, &json!({"alg": algorithm, "kid": id, "typ": "at+jwt"}), &claims());
        assert_eq!(judge(&keys, &rules(), &token), joe(), "{algorithm}");
        // Without a name, only where there is no choice.
        let anonymous = signer.token(algorithm, &json!({ "alg": algorithm }), &claims());
        assert_eq!(judge(&keys, &rules(), &anonymous), joe(), "{algorithm}");
        let twice = [&keys[..], &Signer::new().keys()].concat();
        let other: Vec<_> = twice
            .iter()
            .map(|key| {
                let mut key = key.clone();
                key.as_object_mut().unwrap().remove("kid");
                key
            })
            .collect();
        assert_eq!(judge(&other, &rules(), &anonymous), Err(Wrong::invalid("no such key")), "{algorithm}");
        // One bit of it changed.
        for at in [token.rfind('.').unwrap() + 2, token.find('.').unwrap() + 2] {
            let mut octets = token.clone().into_bytes();
            octets[at] = if octets[at] == b'A' { b'B' } else { b'A' };
            assert!(judge(&keys, &rules(), std::str::from_utf8(&octets).unwrap()).is_err(), "{algorithm} {at}");
        }
        // Signed as said, but with a key of another kind in that name.
        for key in keys.iter().filter(|key| key["kid"] != id) {
            let confused = signer.token(algorithm, &json!({"alg": algorithm, "kid": key["kid"]}), &claims());
            assert_eq!(judge(&keys, &rules(), &confused), Err(Wrong::invalid("no such key")), "{algorithm} {key}");
        }
        // Signed by somebody else.
        let forged = Signer::new().token(algorithm, &json!({"alg": algorithm, "kid": id}), &claims());
        if id != "rsa" {
            assert_eq!(judge(&keys, &rules(), &forged), Err(Wrong::invalid("signature")), "{algorithm}");
        }
    }
}

/// RFC 7515, A.2 and A.3, and RFC 8037, A.4.
#[test]
fn the_examples_of_the_rfcs() {
    let rsa = json!({
        "kty": "RSA", "e": "AQAB",
        "n": "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ",
    });
    let ec = json!({
        "kty": "EC", "crv": "P-256",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    });
    let ed = json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"});
    let payload = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    for (key, token) in [
        (&rsa, format!("eyJhbGciOiJSUzI1NiJ9.{payload}.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw")),
        (&ec, format!("eyJhbGciOiJFUzI1NiJ9.{payload}.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q")),
        (&ed, "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg".to_owned()),
    ] {
        let set = KeySet::parse(json!({ "keys": [key] }).to_string().as_bytes()).unwrap();
        let jws = Jws::parse(token.as_bytes()).unwrap();
        assert!(set.key_for(&jws.header).unwrap().verifies(&jws), "{token}");
    }
}

#[test]
fn headers_that_are_refused() {
    let signer = Signer::new();
    let mut keys = signer.keys();
    let modulus = keys[0]["n"].as_str().unwrap().to_owned();
    keys.push(json!({"kty": "oct", "kid": "shared", "alg": "HS256", "k": modulus}));
    let mut only = keys[0].clone();
    (only["kid"], only["alg"]) = ("only".into(), "PS256".into());
    keys.push(only);
    let mut encrypts = keys[0].clone();
    (encrypts["kid"], encrypts["use"]) = ("encrypts".into(), "enc".into());
    keys.push(encrypts);
    let check = |header: Value, why: &'static str| {
        let token = signer.token("RS256", &header, &claims());
        assert_eq!(judge(&keys, &rules(), &token), Err(Wrong::invalid(why)), "{header}");
    };
    let algorithm = "its algorithm is not taken";
    for name in
        ["none", "None", "NONE", "", "HS256", "HS384", "HS512", "RS1", "rs256", "ES512", "ES256K", "RSA-OAEP", "dir"]
    {
        check(json!({"alg": name, "kid": "rsa"}), algorithm);
        check(json!({"alg": name, "kid": "shared"}), algorithm);
    }
    check(json!({"alg": "RS256", "kid": "only"}), "no such key");
    check(json!({"alg": "RS256", "kid": "encrypts"}), "no such key");
    check(json!({"alg": "RS256", "kid": "shared"}), "no such key");
    check(json!({"alg": "RS256", "kid": "other"}), "no such key");
    check(json!({"alg": "RS256", "kid": "other", "jwk": keys[0]}), "no such key");
    check(json!({"alg": "RS256", "kid": "other", "jku": "https://evil.example.com/keys"}), "no such key");
    check(
        json!({"alg": "RS256", "kid": "rsa", "crit": ["b64"], "b64": false}),
        "it has an extension that is not understood",
    );
    check(json!({"alg": "RS256", "kid": "rsa", "crit": []}), "it has an extension that is not understood");
    for name in ["logout+jwt", "secevent+jwt", "dpop+jwt", "JOSE"] {
        check(json!({"alg": "RS256", "kid": "rsa", "typ": name}), "it is a token of another type");
    }
    for nonsense in [json!({}), json!([]), json!("x"), json!({"alg": 1}), json!({"alg": "RS256", "kid": 7})] {
        check(nonsense, "its header makes no sense");
    }
    assert_eq!(
        judge(&keys, &rules(), &signer.token("RS256", &json!({"alg": "RS256", "kid": "rsa", "typ": "JWT"}), &claims())),
        joe()
    );
}

#[test]
fn texts_that_are_no_token() {
    let signer = Signer::new();
    let keys = signer.keys();
    let good = signer.token("ES256", &json!({"alg": "ES256", "kid": "p256"}), &claims());
    let parts: Vec<_> = good.split('.').collect();
    let twice = b64(r#"{"alg":"none","kid":"p256","alg":"ES256"}"#);
    assert_eq!(judge(&keys, &rules(), &good), joe());
    for (text, why) in [
        (String::new(), "it has not three parts"),
        (format!("{}.{}", parts[0], parts[1]), "it has not three parts"),
        (format!("{good}."), "it has not three parts"),
        (format!("{good}.x.y"), "it has not three parts"),
        ("..".to_owned(), "its header makes no sense"),
        (format!("{}..{}", parts[0], parts[2]), "signature"),
        (format!("{}.{}.", parts[0], parts[1]), "signature"),
        (format!("{}.{}.{}", parts[0], parts[1], b64([0; 64])), "signature"),
        (format!("{}.{}.{}", parts[0], parts[1], &parts[2][..40]), "signature"),
        (format!("{good}=="), "it is no base64"),
        (format!("{good} "), "it is no base64"),
        (format!("{}.{}.{}+/", parts[0], parts[1], parts[2]), "it is no base64"),
        (format!("{twice}.{}.{}", parts[1], parts[2]), "its header makes no sense"),
        (format!("{}.{}.{}", "A".repeat(100_000), parts[1], parts[2]), "its header makes no sense"),
    ] {
        assert_eq!(judge(&keys, &rules(), &text), Err(Wrong::invalid(why)), "{text:.80}");
    }
    for payload in ["", "[]", "\"x\"", "{", "7"] {
        let signed = format!("{}.{}", parts[0], b64(payload));
        let text = format!("{signed}.{}", b64(signer.sign("ES256", signed.as_bytes())));
        assert_eq!(judge(&keys, &rules(), &text), Err(Wrong::invalid("its claims make no sense")), "{payload}");
    }
}

#[test]
fn claims_that_are_good_or_not() {
    let check = |rules: &Rules, claims: Value, expected: std::result::Result<&str, &'static str>| {
        let found = rules.signed(claims.as_object().unwrap(), NOW);
        assert_eq!(found, expected.map(str::to_owned).map_err(Wrong::invalid), "{claims}");
    };
    let all = rules();
    let joe = Ok("joe@example.com");
    check(&all, claims(), joe);
    for (others, expected) in [
        (json!({"exp": NOW - 29}), joe),
        (json!({"exp": NOW as f64 + 0.5}), joe),
        (json!({"exp": NOW - 30}), Err("expired")),
        (json!({"exp": 0}), Err("expired")),
        (json!({"exp": -1}), Err("expired")),
        (json!({"exp": (NOW + 300).to_string()}), Err("a time is no number")),
        (json!({"exp": null}), Err("a time is no number")),
        (json!({"nbf": NOW + 30}), joe),
        (json!({"nbf": NOW + 31}), Err("not yet")),
        (json!({"nbf": "0"}), Err("a time is no number")),
        (json!({"iat": NOW + 31}), Err("not yet")),
        (json!({"nbf": null}), Err("a time is no number")),
        (json!({"iat": null}), Err("a time is no number")),
        (json!({"iat": {}}), Err("a time is no number")),
        (json!({"iss": "https://login.example.com/"}), Err("issuer")),
        (json!({"iss": "https://evil.example.com"}), Err("issuer")),
        (json!({"iss": [ISSUER]}), Err("issuer")),
        (json!({"aud": ["calendar", "imap"]}), joe),
        (json!({"aud": "calendar"}), Err("audience")),
        (json!({"aud": "mail calendar"}), Err("audience")),
        (json!({"aud": []}), Err("audience")),
        (json!({"aud": {"mail": true}}), Err("audience")),
        (json!({"email": ""}), Err("it does not say whose it is")),
        (json!({"email": "admin"}), Err("it names no address")),
        (json!({"email": 7}), Err("it does not say whose it is")),
        (json!({"email": "joe@example.com\r\n"}), Err("it does not say whose it is")),
        (json!({"email": "x".repeat(321)}), Err("it does not say whose it is")),
        (json!({"email_verified": "true"}), joe),
        (json!({"email_verified": false}), Err("the address is not verified")),
        (json!({"email_verified": "false"}), Err("the address is not verified")),
        (json!({"email_verified": null}), Err("the address is not verified")),
    ] {
        check(&all, with(&others), expected);
    }
    for (name, expected) in [
        ("exp", Err("it does not say when it ends")),
        ("iss", Err("issuer")),
        ("aud", Err("audience")),
        ("email", Err("it does not say whose it is")),
        ("iat", joe),
        ("email_verified", joe),
    ] {
        check(&all, without(name), expected);
    }
    let scope = |claims: Value| all.signed(claims.as_object().unwrap(), NOW).map_err(|wrong| wrong.problem);
    for lacking in [with(&json!({"scope": "openid"})), with(&json!({"scope": "mailbox"})), without("scope")] {
        assert_eq!(scope(lacking), Err(TokenProblem::InsufficientScope));
    }
    let mut listed = without("scope");
    listed["scp"] = json!(["openid", "mail"]);
    assert!(scope(listed).is_ok());
    let subject = Rules { user_claim: "sub".into(), scopes: Vec::new(), ..rules() };
    check(&subject, with(&json!({"sub": "joe", "email_verified": false})), Ok("joe"));
    check(&subject, claims(), Err("it does not say whose it is"));
    check(&Rules { issuer: None, ..rules() }, claims(), Err("issuer"));
    check(&Rules { audiences: Vec::new(), ..rules() }, claims(), Err("audience"));
}

proptest! {
    /// Whatever comes, it is refused in words.
    #[test]
    fn nothing_that_a_client_sends_or_a_server_publishes_breaks_it(
        octets in proptest::collection::vec(any::<u8>(), 0..200),
        header in "\\{\"alg\":\"(RS256|ES256|EdDSA|none|HS256)\"(,\"kid\":\"(rsa|p256|ed)\")?\\}",
        payload in any::<String>(),
        signature in proptest::collection::vec(any::<u8>(), 0..300),
        kind in "(RSA|EC|OKP|oct)",
    ) {
        let keys = Signer::new().keys();
        let forged = format!("{}.{}.{}", b64(&header), b64(&payload), b64(&signature));
        prop_assert!(judge(&keys, &rules(), &forged).is_err());
        prop_assert!(Jws::parse(&octets).is_err());
        prop_assert!(KeySet::parse(&octets).is_err());
        let text = b64(&octets);
        for curve in ["P-256", "P-384", "Ed25519"] {
            let key = json!({"kty": &kind, "crv": curve, "n": text, "e": text, "x": text, "y": text});
            // A key may be made of anything; nothing fits it.
            if KeySet::parse(json!({"keys": [key]}).to_string().as_bytes()).is_ok() {
                prop_assert!(judge(&[key], &rules(), &forged).is_err());
            }
        }
    }
}
