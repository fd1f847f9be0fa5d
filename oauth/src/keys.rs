//! Public keys of an authorization server (RFC 7517), and signatures checked with them.

use aws_lc_rs::signature::{self, RsaPublicKeyComponents, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::Value;

use crate::jws::{Algorithm, Header, Jws};

/// Most keys of a set: a server has two or three, and a set without an end must not take memory without one.
const MAX_KEYS: usize = 64;

/// The keys of an authorization server.
#[derive(Debug)]
pub(crate) struct KeySet(Vec<Key>);

/// A public key.
#[derive(Debug)]
pub(crate) struct Key {
    id: Option<String>,
    /// The one algorithm it is meant for, where it says so.
    only: Option<Algorithm>,
    material: Material,
}

/// What a key is made of. Its kind decides what it can check, whatever a token says.
#[derive(Debug)]
enum Material {
    Rsa {
        modulus: Vec<u8>,
        exponent: Vec<u8>,
    },
    /// A point of P-256, uncompressed.
    P256(Vec<u8>),
    /// A point of P-384, uncompressed.
    P384(Vec<u8>),
    Ed25519(Vec<u8>),
}

/// A key as JSON; members of other kinds of keys are missing.
#[derive(Deserialize)]
struct RawKey {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

#[derive(Deserialize)]
struct RawSet {
    keys: Vec<Value>,
}

impl KeySet {
    /// Reads a set (RFC 7517, 5). Keys of unknown kinds, for encryption, or shared secrets are passed over.
    ///
    /// # Errors
    /// What is wrong with it: it is no set, or there is no key in it that can be used.
    pub(crate) fn parse(octets: &[u8]) -> Result<KeySet, &'static str> {
        let set: RawSet = serde_json::from_slice(octets).map_err(|_| "this is no set of keys")?;
        let raw = set.keys.into_iter().filter_map(|key| serde_json::from_value::<RawKey>(key).ok());
        let keys: Vec<Key> = raw.filter_map(Key::of).take(MAX_KEYS).collect();
        if keys.is_empty() {
            return Err("there is no key in it that can be used");
        }
        Ok(KeySet(keys))
    }

    /// The key that a token asks for. One that names none is checked with the only key that fits, if there is only one.
    pub(crate) fn key_for(&self, header: &Header) -> Option<&Key> {
        let mut fitting = self.0.iter().filter(|key| key.fits(header.algorithm));
        match &header.key_id {
            Some(id) => fitting.find(|key| key.id.as_ref() == Some(id)),
            None => fitting.next().filter(|_| fitting.next().is_none()),
        }
    }
}

impl Key {
    /// A key that can check signatures; nothing otherwise.
    fn of(raw: RawKey) -> Option<Key> {
        let decode = |text: Option<&String>| URL_SAFE_NO_PAD.decode(text?.trim_end_matches('=')).ok();
        let for_signatures = raw.usage.as_deref().is_none_or(|usage| usage == "sig")
            && raw.key_ops.as_ref().is_none_or(|ops| ops.iter().any(|op| op == "verify"));
        if !for_signatures {
            return None;
        }
        let point = |length: usize| {
            let (x, y) = (decode(raw.x.as_ref())?, decode(raw.y.as_ref())?);
            (x.len() == length && y.len() == length).then(|| [&[4u8][..], &x, &y].concat())
        };
        let material = match (raw.kty.as_str(), raw.crv.as_deref()) {
            ("RSA", None) => {
                Material::Rsa { modulus: number(decode(raw.n.as_ref())?), exponent: number(decode(raw.e.as_ref())?) }
            }
            ("EC", Some("P-256")) => Material::P256(point(32)?),
            ("EC", Some("P-384")) => Material::P384(point(48)?),
            ("OKP", Some("Ed25519")) => Material::Ed25519(decode(raw.x.as_ref()).filter(|x| x.len() == 32)?),
            _ => return None,
        };
        let only = match &raw.alg {
            // A key for an algorithm that is not taken is no key.
            Some(name) => Some(Algorithm::named(name)?),
            None => None,
        };
        Some(Key { id: raw.kid, only, material })
    }

    /// Whether it can check signatures of this algorithm.
    fn fits(&self, algorithm: Algorithm) -> bool {
        use Algorithm::*;
        let kind = match self.material {
            Material::Rsa { .. } => matches!(algorithm, Rs256 | Rs384 | Rs512 | Ps256 | Ps384 | Ps512),
            Material::P256(_) => algorithm == Es256,
            Material::P384(_) => algorithm == Es384,
            Material::Ed25519(_) => algorithm == EdDsa,
        };
        kind && self.only.is_none_or(|only| only == algorithm)
    }

    /// Whether the token was signed with the private half of it.
    pub(crate) fn verifies(&self, token: &Jws<'_>) -> bool {
        let Jws { header, signed, signature, .. } = token;
        if !self.fits(header.algorithm) {
            return false;
        }
        match &self.material {
            Material::Rsa { modulus, exponent } => {
                let key = RsaPublicKeyComponents { n: modulus, e: exponent };
                rsa(header.algorithm).is_some_and(|how| key.verify(how, signed, signature).is_ok())
            }
            Material::P256(point) => verifies(&signature::ECDSA_P256_SHA256_FIXED, point, signed, signature),
            Material::P384(point) => verifies(&signature::ECDSA_P384_SHA384_FIXED, point, signed, signature),
            Material::Ed25519(point) => verifies(&signature::ED25519, point, signed, signature),
        }
    }
}

fn verifies(how: &'static dyn signature::VerificationAlgorithm, key: &[u8], signed: &[u8], signature: &[u8]) -> bool {
    UnparsedPublicKey::new(how, key).verify(signed, signature).is_ok()
}

/// How RSA is used; keys of less than 2,048 bits are refused (RFC 7518, 3.3).
fn rsa(algorithm: Algorithm) -> Option<&'static signature::RsaParameters> {
    match algorithm {
        Algorithm::Rs256 => Some(&signature::RSA_PKCS1_2048_8192_SHA256),
        Algorithm::Rs384 => Some(&signature::RSA_PKCS1_2048_8192_SHA384),
        Algorithm::Rs512 => Some(&signature::RSA_PKCS1_2048_8192_SHA512),
        Algorithm::Ps256 => Some(&signature::RSA_PSS_2048_8192_SHA256),
        Algorithm::Ps384 => Some(&signature::RSA_PSS_2048_8192_SHA384),
        Algorithm::Ps512 => Some(&signature::RSA_PSS_2048_8192_SHA512),
        Algorithm::Es256 | Algorithm::Es384 | Algorithm::EdDsa => None,
    }
}

/// A number without the zeros in front that some servers write.
fn number(octets: Vec<u8>) -> Vec<u8> {
    let zeros = octets.iter().take_while(|octet| **octet == 0).count();
    octets[zeros..].to_vec()
}
