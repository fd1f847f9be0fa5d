//! Somebody who signs tokens: with every kind of key, and whatever a test wants signed.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{self, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RsaEncoding};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// A key made for these tests, and used nowhere else: `openssl genpkey -algorithm RSA -outform DER`.
const RSA: &[u8] = include_bytes!("rsa.pk8");

pub(super) struct Signer {
    random: SystemRandom,
    rsa: signature::RsaKeyPair,
    p256: EcdsaKeyPair,
    p384: EcdsaKeyPair,
    ed25519: Ed25519KeyPair,
}

pub(super) fn b64(octets: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(octets)
}

impl Signer {
    pub(super) fn new() -> Signer {
        let random = SystemRandom::new();
        let ec = |how: &'static signature::EcdsaSigningAlgorithm| {
            let made = EcdsaKeyPair::generate_pkcs8(how, &random).unwrap();
            EcdsaKeyPair::from_pkcs8(how, made.as_ref()).unwrap()
        };
        let made = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
        Signer {
            rsa: signature::RsaKeyPair::from_pkcs8(RSA).unwrap(),
            p256: ec(&signature::ECDSA_P256_SHA256_FIXED_SIGNING),
            p384: ec(&signature::ECDSA_P384_SHA384_FIXED_SIGNING),
            ed25519: Ed25519KeyPair::from_pkcs8(made.as_ref()).unwrap(),
            random,
        }
    }

    /// Its public keys: `rsa`, `p256`, `p384` and `ed`.
    pub(super) fn keys(&self) -> Vec<Value> {
        // RSAPublicKey ::= SEQUENCE { modulus INTEGER, publicExponent INTEGER }, of a key of 2048 bits: a
        // modulus of 256 octets behind 9 of headers and sign, and an exponent of 3 at the end.
        let rsa = self.rsa.public_key().as_ref();
        let (modulus, exponent) = (&rsa[9..265], &rsa[267..]);
        let ec = |id: &str, curve: &str, key: &EcdsaKeyPair| {
            let point = key.public_key().as_ref();
            let (x, y) = point[1..].split_at((point.len() - 1) / 2);
            json!({"kty": "EC", "crv": curve, "kid": id, "use": "sig", "x": b64(x), "y": b64(y)})
        };
        vec![
            json!({"kty": "RSA", "kid": "rsa", "use": "sig", "n": b64(modulus), "e": b64(exponent), "x5c": ["whatever"]}),
            ec("p256", "P-256", &self.p256),
            ec("p384", "P-384", &self.p384),
            json!({"kty": "OKP", "crv": "Ed25519", "kid": "ed", "x": b64(self.ed25519.public_key())}),
        ]
    }

    /// A signature as an algorithm makes it.
    pub(super) fn sign(&self, algorithm: &str, text: &[u8]) -> Vec<u8> {
        let rsa = |how: &'static dyn RsaEncoding| {
            let mut made = vec![0; self.rsa.public_modulus_len()];
            self.rsa.sign(how, &self.random, text, &mut made).unwrap();
            made
        };
        match algorithm {
            "RS256" => rsa(&signature::RSA_PKCS1_SHA256),
            "RS384" => rsa(&signature::RSA_PKCS1_SHA384),
            "RS512" => rsa(&signature::RSA_PKCS1_SHA512),
            "PS256" => rsa(&signature::RSA_PSS_SHA256),
            "PS384" => rsa(&signature::RSA_PSS_SHA384),
            "PS512" => rsa(&signature::RSA_PSS_SHA512),
            "ES256" => self.p256.sign(&self.random, text).unwrap().as_ref().to_vec(),
            "ES384" => self.p384.sign(&self.random, text).unwrap().as_ref().to_vec(),
            "EdDSA" => self.ed25519.sign(text).as_ref().to_vec(),
            other => panic!("{other}"),
        }
    }

    /// A token, signed as `algorithm` signs, whatever its header says.
    pub(super) fn token(&self, algorithm: &str, header: &Value, claims: &Value) -> String {
        let signed = format!("{}.{}", b64(header.to_string()), b64(claims.to_string()));
        format!("{signed}.{}", b64(self.sign(algorithm, signed.as_bytes())))
    }
}
