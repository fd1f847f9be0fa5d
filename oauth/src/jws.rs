//! Signed tokens, in the compact form (RFC 7515): taken apart, before anything in them is believed.
//!
//! ```abnf
//! token     = header "." payload "." signature
//! header    = base64url ; a JSON object
//! payload   = base64url ; the claims, another
//! signature = base64url
//! ```

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::Value;

/// Algorithms with a public key (RFC 7518, 3.1; RFC 8037, 3.1). There is no `none`, and nothing with a shared secret.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Algorithm {
    Rs256,
    Rs384,
    Rs512,
    Ps256,
    Ps384,
    Ps512,
    Es256,
    Es384,
    EdDsa,
}

const ALGORITHMS: &[(&str, Algorithm)] = &[
    ("RS256", Algorithm::Rs256),
    ("RS384", Algorithm::Rs384),
    ("RS512", Algorithm::Rs512),
    ("PS256", Algorithm::Ps256),
    ("PS384", Algorithm::Ps384),
    ("PS512", Algorithm::Ps512),
    ("ES256", Algorithm::Es256),
    ("ES384", Algorithm::Es384),
    ("EdDSA", Algorithm::EdDsa),
    // RFC 9864, 2.2: the same with a name of its own.
    ("Ed25519", Algorithm::EdDsa),
];

impl Algorithm {
    /// The algorithm of that name.
    pub(crate) fn named(name: &str) -> Option<Algorithm> {
        ALGORITHMS.iter().find(|(known, _)| *known == name).map(|(_, algorithm)| *algorithm)
    }
}

/// Types of tokens that open anything here (RFC 8725, 3.11): those of other kinds are signed with the same keys.
const TYPES: &[&str] = &["jwt", "at+jwt", "application/jwt", "application/at+jwt"];

/// What a token says of its signature.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Header {
    pub(crate) algorithm: Algorithm,
    /// Which of the signer's keys.
    pub(crate) key_id: Option<String>,
}

/// A signed token.
pub(crate) struct Jws<'t> {
    pub(crate) header: Header,
    /// What the signature is of: header and payload as they stand.
    pub(crate) signed: &'t [u8],
    pub(crate) payload: Vec<u8>,
    pub(crate) signature: Vec<u8>,
}

#[derive(Deserialize)]
struct RawHeader {
    alg: String,
    kid: Option<String>,
    typ: Option<String>,
    /// Extensions that must be understood (RFC 7515, 4.1.11); none is.
    crit: Option<Value>,
}

/// Whether this is to be checked as a signed token.
pub(crate) fn looks_signed(token: &[u8]) -> bool {
    token.iter().filter(|octet| **octet == b'.').count() == 2
}

impl<'t> Jws<'t> {
    /// Takes a token apart.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub(crate) fn parse(token: &'t [u8]) -> Result<Jws<'t>, &'static str> {
        let mut parts = token.split(|octet| *octet == b'.');
        let (Some(header), Some(payload), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err("it has not three parts");
        };
        let signed = token.get(..header.len() + 1 + payload.len()).ok_or("it has not three parts")?;
        let decode = |part: &[u8]| URL_SAFE_NO_PAD.decode(part).map_err(|_| "it is no base64");
        let raw: RawHeader = serde_json::from_slice(&decode(header)?).map_err(|_| "its header makes no sense")?;
        if raw.crit.is_some() {
            return Err("it has an extension that is not understood");
        }
        if raw.typ.is_some_and(|typ| !TYPES.contains(&typ.to_ascii_lowercase().as_str())) {
            return Err("it is a token of another type");
        }
        let algorithm = Algorithm::named(&raw.alg).ok_or("its algorithm is not taken")?;
        Ok(Jws {
            header: Header { algorithm, key_id: raw.kid },
            signed,
            payload: decode(payload)?,
            signature: decode(signature)?,
        })
    }
}
