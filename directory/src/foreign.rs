//! Password hashes that were made by other servers. They are checked, never made: at the next login that works the password
//! is hashed as ours are.
//!
//! | written as | what it is |
//! |---|---|
//! | `{SHA}`, `{SHA256}`, `{SHA512}` | base64 of the digest |
//! | `{SSHA}`, `{SSHA256}`, `{SSHA512}` | base64 of the digest of password and salt, and the salt |
//! | `{SHA256-CRYPT}`, `{SHA512-CRYPT}`, `{BLF-CRYPT}`, `{CRYPT}`, or without a scheme | crypt(3): `$5$`, `$6$`, `$2a$`, `$2b$`, `$2y$` |
//! | `{PBKDF2}` | Dovecot's `$1$<salt>$<rounds>$<hex>` with SHA-1 |
//! | `{PBKDF2-SHA256}`, `{PBKDF2-SHA512}` | passlib's `$pbkdf2-sha256$<rounds>$<salt>$<hash>`, with or without the scheme |
//! | `{SCRAM-SHA-1}`, `{SCRAM-SHA-256}` | Dovecot's `<rounds>,<salt>,<StoredKey>,<ServerKey>`, or RFC 5803 |
//! | `{ARGON2I}`, `{ARGON2ID}` | as ours |
//! | `{PLAIN}`, `{CLEAR}`, `{CLEARTEXT}` | the password itself |

use std::num::NonZeroU32;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use ring::{digest, pbkdf2};
use sha_crypt::{PasswordVerifier, ShaCrypt};
use subtle::ConstantTimeEq;

use crate::scram::Verifier;
use crate::secret::Secret;

/// Rounds of PBKDF2 and SHA-crypt that are made at most for one check: ten times what anybody uses.
const MAX_ROUNDS: u32 = 10_000_000;
/// Cost of bcrypt that is paid at most: 2^16 rounds, some four seconds.
const MAX_BCRYPT_COST: u32 = 16;
/// A hash that was made elsewhere.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Scheme {
    /// A digest, salted or not.
    Digest(&'static digest::Algorithm),
    /// crypt(3).
    Crypt,
    Pbkdf2,
    Scram,
    /// One of ours behind a scheme.
    Argon2,
    Plain,
}

const SCHEMES: &[(&str, Scheme)] = &[
    ("SHA", Scheme::Digest(&digest::SHA1_FOR_LEGACY_USE_ONLY)),
    ("SHA1", Scheme::Digest(&digest::SHA1_FOR_LEGACY_USE_ONLY)),
    ("SSHA", Scheme::Digest(&digest::SHA1_FOR_LEGACY_USE_ONLY)),
    ("SHA256", Scheme::Digest(&digest::SHA256)),
    ("SSHA256", Scheme::Digest(&digest::SHA256)),
    ("SHA512", Scheme::Digest(&digest::SHA512)),
    ("SSHA512", Scheme::Digest(&digest::SHA512)),
    ("CRYPT", Scheme::Crypt),
    ("SHA256-CRYPT", Scheme::Crypt),
    ("SHA512-CRYPT", Scheme::Crypt),
    ("BLF-CRYPT", Scheme::Crypt),
    ("PBKDF2", Scheme::Pbkdf2),
    ("PBKDF2-SHA256", Scheme::Pbkdf2),
    ("PBKDF2-SHA512", Scheme::Pbkdf2),
    ("SCRAM-SHA-1", Scheme::Scram),
    ("SCRAM-SHA-256", Scheme::Scram),
    ("ARGON2I", Scheme::Argon2),
    ("ARGON2ID", Scheme::Argon2),
    ("PLAIN", Scheme::Plain),
    ("CLEAR", Scheme::Plain),
    ("CLEARTEXT", Scheme::Plain),
];

/// What is to be done to check a stored hash.
pub(crate) enum Stored<'a> {
    /// A PHC string with argon2.
    Ours(&'a str),
    /// Something else.
    Foreign(Foreign<'a>),
    /// Nothing that anybody could check.
    Unknown,
}

/// A hash made elsewhere.
pub(crate) struct Foreign<'a> {
    scheme: Scheme,
    name: &'a str,
    text: &'a str,
}

impl<'a> Stored<'a> {
    /// Looks at a hash.
    pub(crate) fn parse(stored: &'a str) -> Stored<'a> {
        let (name, text) = match stored.strip_prefix('{').and_then(|rest| rest.split_once('}')) {
            Some(parts) => parts,
            None if stored.starts_with("$argon2") => return Stored::Ours(stored),
            None if stored.starts_with("$pbkdf2-") => ("PBKDF2", stored),
            None => ("CRYPT", stored),
        };
        let found = SCHEMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        match found {
            Some((_, Scheme::Argon2)) => Stored::Ours(text),
            Some((name, scheme)) => Stored::Foreign(Foreign { scheme: *scheme, name, text }),
            None => Stored::Unknown,
        }
    }

    /// Whether this could be somebody's password hash: of a known kind and whole.
    pub(crate) fn is_usable(&self) -> bool {
        match self {
            Stored::Ours(text) => argon2::password_hash::phc::PasswordHash::new(text).is_ok(),
            Stored::Foreign(foreign) => foreign.check(b"").is_some(),
            Stored::Unknown => false,
        }
    }
}

impl Foreign<'_> {
    /// Whether it is the hash of this password.
    pub(crate) fn is_of(&self, password: &Secret) -> bool {
        self.check(password.expose()).unwrap_or(false)
    }

    /// The same; nothing if the hash is damaged, or costs too much to check.
    fn check(&self, password: &[u8]) -> Option<bool> {
        match self.scheme {
            Scheme::Digest(algorithm) => digested(algorithm, self.name.starts_with("SS"), self.text, password),
            Scheme::Crypt => crypt(self.text, password),
            Scheme::Pbkdf2 => match self.text.strip_prefix("$pbkdf2-") {
                Some(text) => passlib(text, password),
                None => dovecot_pbkdf2(self.text, password),
            },
            Scheme::Scram => Some(self.verifier()?.is_of(&Secret::new(password))),
            Scheme::Plain => (!self.text.is_empty()).then(|| self.text.as_bytes().ct_eq(password).into()),
            Scheme::Argon2 => None,
        }
    }

    /// The verifier that it is, if it is one: SCRAM works with it at once.
    pub(crate) fn verifier(&self) -> Option<Verifier> {
        if self.scheme != Scheme::Scram {
            return None;
        }
        match self.text.split(',').collect::<Vec<_>>()[..] {
            [rounds, salt, stored, server] => format!("{}${rounds}:{salt}${stored}:{server}", self.name).parse().ok(),
            _ => format!("{}${}", self.name, self.text).parse().ok(),
        }
    }
}

fn digested(algorithm: &'static digest::Algorithm, salted: bool, text: &str, password: &[u8]) -> Option<bool> {
    let octets = STANDARD.decode(text).ok()?;
    let (expected, salt) = octets.split_at_checked(algorithm.output_len())?;
    if salted == salt.is_empty() {
        return None;
    }
    let mut state = digest::Context::new(algorithm);
    state.update(password);
    state.update(salt);
    Some(state.finish().as_ref().ct_eq(expected).into())
}

fn crypt(text: &str, password: &[u8]) -> Option<bool> {
    if text.starts_with("$5$") || text.starts_with("$6$") {
        let rounds = text[3..].strip_prefix("rounds=").and_then(|rest| rest.split_once('$'));
        if rounds.is_some_and(|(rounds, _)| rounds.parse::<u32>().map_or(true, |rounds| rounds > MAX_ROUNDS)) {
            return None;
        }
        return Some(ShaCrypt::default().verify_password(password, text).is_ok());
    }
    if ["$2a$", "$2b$", "$2y$"].iter().any(|prefix| text.starts_with(prefix)) {
        let cost: u32 = text.get(4..6)?.parse().ok()?;
        return if cost > MAX_BCRYPT_COST { None } else { bcrypt::verify(password, text).ok() };
    }
    None
}

/// Dovecot's `$1$salt$rounds$hex`.
fn dovecot_pbkdf2(text: &str, password: &[u8]) -> Option<bool> {
    let [salt, rounds, hex] = text.strip_prefix("$1$")?.split('$').collect::<Vec<_>>()[..] else { return None };
    let expected = (0..hex.len() / 2).map(|at| u8::from_str_radix(hex.get(2 * at..2 * at + 2)?, 16).ok());
    let expected: Vec<u8> = expected.collect::<Option<_>>()?;
    (expected.len() == 20 && hex.len() == 40).then_some(())?;
    stretched(pbkdf2::PBKDF2_HMAC_SHA1, rounds, salt.as_bytes(), &expected, password)
}

/// passlib's `sha256$rounds$salt$hash`.
fn passlib(text: &str, password: &[u8]) -> Option<bool> {
    let [name, rounds, salt, hash] = text.split('$').collect::<Vec<_>>()[..] else { return None };
    let (algorithm, length) = match name {
        "sha256" => (pbkdf2::PBKDF2_HMAC_SHA256, 32),
        "sha512" => (pbkdf2::PBKDF2_HMAC_SHA512, 64),
        _ => return None,
    };
    // Its base64 has "." for "+", and no padding.
    let decode = |text: &str| STANDARD_NO_PAD.decode(text.replace('.', "+")).ok();
    let (salt, expected) = (decode(salt)?, decode(hash)?);
    (expected.len() == length).then_some(())?;
    stretched(algorithm, rounds, &salt, &expected, password)
}

fn stretched(
    algorithm: pbkdf2::Algorithm,
    rounds: &str,
    salt: &[u8],
    expected: &[u8],
    password: &[u8],
) -> Option<bool> {
    let rounds = rounds.parse().ok().filter(|rounds| *rounds <= MAX_ROUNDS).and_then(NonZeroU32::new)?;
    // Compares in constant time.
    Some(pbkdf2::verify(algorithm, rounds, salt, password, expected).is_ok())
}

#[cfg(test)]
mod tests;
