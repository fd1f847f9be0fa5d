//! SCRAM (RFC 5802, RFC 7677): the client proves that it knows the password, the server that it knows what was derived from
//! it; neither is sent. With `-PLUS` the proof covers the TLS connection, so that nobody in the middle can pass it on.
//!
//! Own code rather than a library: what there is either has no `-PLUS` for servers or wants to own the exchange and the
//! user's record behind callbacks, while here a mechanism is a state machine that asks for keys ([`Step::Keys`]) and waits
//! for nothing. The cryptography is AWS-LC's.
//!
//! ```text
//! C: n,,n=user,r=<client nonce>
//! S: r=<client nonce><server nonce>,s=<salt>,i=<iterations>
//! C: c=biws,r=<both nonces>,p=<proof>
//! S: v=<server signature>
//! ```

use aws_lc_rs::{digest, hmac};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use subtle::ConstantTimeEq;

use super::{Identity, Mechanism, SaslError, Step, field};
use crate::Secret;
use crate::tls::ChannelBinding;

/// Octets of our nonce: 18, which is 24 characters and more than anybody can guess.
const NONCE: usize = 18;
/// Longest nonce of a client: 128 characters; those in use have 24 to 64.
const MAX_NONCE: usize = 128;

/// The hash function of a SCRAM mechanism.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ScramHash {
    /// SCRAM-SHA-1 (RFC 5802).
    Sha1,
    /// SCRAM-SHA-256 (RFC 7677).
    Sha256,
}

/// What is kept of a user's password (RFC 5802, 3). For a user who does not exist, something that looks the same.
#[derive(Debug)]
pub struct ScramKeys {
    /// The salt.
    pub salt: Vec<u8>,
    /// The iteration count.
    pub iterations: u32,
    /// H(ClientKey): checks the client's proof.
    pub stored_key: Secret<Vec<u8>>,
    /// HMAC(SaltedPassword, "Server Key"): makes our own.
    pub server_key: Secret<Vec<u8>>,
}

/// Whose keys are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeysWanted {
    /// The user's name, as the client wrote it.
    pub user: String,
    /// For which mechanism.
    pub hash: ScramHash,
}

impl ScramHash {
    fn digest(self) -> &'static digest::Algorithm {
        match self {
            Self::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha256 => &digest::SHA256,
        }
    }

    fn hmac(self) -> hmac::Algorithm {
        match self {
            Self::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha256 => hmac::HMAC_SHA256,
        }
    }
}

/// The server's side.
pub(super) struct Scram {
    hash: ScramHash,
    /// Whether this is the -PLUS variant.
    plus: bool,
    binding: ChannelBinding,
    nonce: String,
    state: State,
}

enum State {
    /// The client speaks first.
    Begin,
    /// The keys of a user were asked for.
    Asked(First),
    /// The salt was sent.
    Sent(Box<Sent>),
    /// The proof was right, and ours was sent.
    Proved(Identity),
    Over,
}

/// The client's first message.
struct First {
    /// What `c=` must say.
    bound: Vec<u8>,
    bare: String,
    nonce: String,
    identity: Identity,
}

struct Sent {
    first: First,
    server_first: String,
    keys: ScramKeys,
}

impl Scram {
    /// A new exchange, with a nonce of its own.
    pub(super) fn new(hash: ScramHash, plus: bool, binding: ChannelBinding) -> Result<Self, SaslError> {
        let mut nonce = [0; NONCE];
        let random = aws_lc_rs::rand::SystemRandom::new();
        aws_lc_rs::rand::SecureRandom::fill(&random, &mut nonce).map_err(|_| SaslError::NoRandomness)?;
        Ok(Self { hash, plus, binding, nonce: STANDARD.encode(nonce), state: State::Begin })
    }

    /// ```abnf
    /// client-first-message = gs2-header client-first-message-bare
    /// gs2-header           = gs2-cbind-flag "," [ "a=" saslname ] ","
    /// gs2-cbind-flag       = ("p=" cb-name) / "n" / "y"
    /// client-first-message-bare = [reserved-mext ","] "n=" saslname "," "r=" c-nonce ["," extensions]
    /// ```
    fn first(&mut self, message: &str) -> Result<Step<Vec<u8>>, SaslError> {
        let bad = || SaslError::Malformed;
        let (flag, rest) = message.split_once(',').ok_or_else(bad)?;
        let (authorization, bare) = rest.split_once(',').ok_or_else(bad)?;
        let mut bound = message.as_bytes()[..message.len() - bare.len()].to_vec();
        bound.extend_from_slice(self.bound_data(flag)?);
        let authorization_id = match authorization {
            "" => None,
            name => Some(name.strip_prefix("a=").and_then(saslname).ok_or_else(bad)?),
        };
        let mut attributes = bare.split(',');
        // An "m=" in front would be an extension that must be understood.
        let name = attributes.next().and_then(|first| first.strip_prefix("n=")).and_then(saslname).ok_or_else(bad)?;
        let nonce = attributes.next().and_then(|second| second.strip_prefix("r=")).ok_or_else(bad)?;
        let printable = nonce.bytes().all(|octet| octet.is_ascii_graphic());
        if nonce.is_empty() || nonce.len() > MAX_NONCE || !printable {
            return Err(bad());
        }
        let identity = Identity { authorization_id, authentication_id: name.clone() };
        let first = First { bound, bare: bare.to_owned(), nonce: format!("{nonce}{}", self.nonce), identity };
        self.state = State::Asked(first);
        Ok(Step::Keys(KeysWanted { user: name, hash: self.hash }))
    }

    /// What the connection adds to the header that `c=` repeats; an error if the flag does not go with the mechanism
    /// (RFC 5802, 6).
    fn bound_data(&self, flag: &str) -> Result<&[u8], SaslError> {
        match (flag.strip_prefix("p="), self.plus) {
            (Some(name), true) => self.binding.data(name).ok_or(SaslError::ChannelBinding),
            (None, false) if flag == "n" => Ok(&[]),
            // The client believes that we have no -PLUS. If we have, somebody has struck it off our list.
            (None, false) if flag == "y" && !self.binding.is_possible() => Ok(&[]),
            (None, false) if flag == "y" => Err(SaslError::ChannelBinding),
            _ => Err(SaslError::Malformed),
        }
    }

    /// ```abnf
    /// client-final-message = "c=" base64 "," "r=" c-nonce s-nonce ["," extensions] "," "p=" base64
    /// ```
    fn last(&mut self, sent: Sent, message: &str) -> Result<Step<Vec<u8>>, SaslError> {
        let bad = || SaslError::Malformed;
        let (without_proof, proof) = message.rsplit_once(",p=").ok_or_else(bad)?;
        let proof = STANDARD.decode(proof).map_err(|_| bad())?;
        let mut attributes = without_proof.split(',');
        let bound = attributes.next().and_then(|first| first.strip_prefix("c=")).ok_or_else(bad)?;
        let bound = STANDARD.decode(bound).map_err(|_| bad())?;
        let nonce = attributes.next().and_then(|second| second.strip_prefix("r=")).ok_or_else(bad)?;
        let signed = format!("{},{},{without_proof}", sent.first.bare, sent.server_first);
        let right = self.is_proof(&sent.keys, signed.as_bytes(), &proof);
        // All of it is looked at whatever comes out: an answer after less work would tell what was wrong.
        let bound = bool::from(bound.ct_eq(&sent.first.bound));
        let fresh = bool::from(nonce.as_bytes().ct_eq(sent.first.nonce.as_bytes()));
        if !(right & bound & fresh) {
            return Err(SaslError::Rejected);
        }
        let key = hmac::Key::new(self.hash.hmac(), sent.keys.server_key.expose());
        let signature = STANDARD.encode(hmac::sign(&key, signed.as_bytes()));
        self.state = State::Proved(sent.first.identity);
        Ok(Step::Challenge(format!("v={signature}").into_bytes()))
    }

    /// Whether H(proof XOR HMAC(StoredKey, message)) is StoredKey.
    fn is_proof(&self, keys: &ScramKeys, message: &[u8], proof: &[u8]) -> bool {
        let key = hmac::Key::new(self.hash.hmac(), keys.stored_key.expose());
        let signature = hmac::sign(&key, message);
        if proof.len() != signature.as_ref().len() {
            return false;
        }
        let client_key: Vec<u8> = signature.as_ref().iter().zip(proof).map(|(a, b)| a ^ b).collect();
        let hashed = digest::digest(self.hash.digest(), &client_key);
        hashed.as_ref().ct_eq(keys.stored_key.expose()).into()
    }
}

impl Mechanism for Scram {
    fn step(&mut self, response: &[u8]) -> Result<Step<Vec<u8>>, SaslError> {
        let text = str::from_utf8(response).map_err(|_| SaslError::Malformed)?;
        match std::mem::replace(&mut self.state, State::Over) {
            State::Begin => self.first(text),
            State::Sent(sent) => self.last(*sent, text),
            // RFC 4422, 3.6: where a protocol has no room for our last message in its success, the client answers it with
            // nothing.
            State::Proved(identity) if text.is_empty() => Ok(Step::Proved(identity)),
            State::Proved(_) | State::Asked(_) | State::Over => Err(SaslError::Malformed),
        }
    }

    fn keys(&mut self, keys: ScramKeys) -> Result<Step<Vec<u8>>, SaslError> {
        let State::Asked(first) = std::mem::replace(&mut self.state, State::Over) else {
            return Err(SaslError::Malformed);
        };
        let salt = STANDARD.encode(&keys.salt);
        let server_first = format!("r={},s={salt},i={}", first.nonce, keys.iterations);
        let challenge = server_first.clone().into_bytes();
        self.state = State::Sent(Box::new(Sent { first, server_first, keys }));
        Ok(Step::Challenge(challenge))
    }
}

/// ```abnf
/// saslname        = 1*(value-safe-char / "=2C" / "=3D")
/// value-safe-char = %x01-2B / %x2D-3C / %x3E-7F / UTF8-2 / UTF8-3 / UTF8-4
/// ```
pub(super) fn saslname(text: &str) -> Option<String> {
    let mut name = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('=') {
        name.push_str(&rest[..at]);
        let (escape, after) = rest[at..].split_at_checked(3)?;
        name.push(match escape {
            "=2C" => ',',
            "=3D" => '=',
            _ => return None,
        });
        rest = after;
    }
    name.push_str(rest);
    if rest.contains(',') { None } else { field(name.as_bytes()).ok().map(str::to_owned) }
}

#[cfg(test)]
mod tests;
