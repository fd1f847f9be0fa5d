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

use aws_lc_rs::{digest, pbkdf2};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use sha_crypt::{PasswordVerifier, ShaCrypt};
use subtle::ConstantTimeEq;

use crate::password;
use crate::scram::Verifier;
use crate::secret::Secret;

/// Longest name of a scheme that is told back: one without its brace could be anything.
const MAX_SCHEME: usize = 20;
/// Rounds of PBKDF2 and SHA-crypt that are made at most for one check: ten times what anybody uses.
const MAX_ROUNDS: u32 = 10_000_000;
/// Characters that SHA-crypt makes of 256 bits, and of 512.
const SHA256_CRYPT: usize = 43;
const SHA512_CRYPT: usize = 86;
/// Characters of salt and hash in one of bcrypt.
const BCRYPT: usize = 22 + 31;
/// Cost of bcrypt that is paid at most: 2^16 rounds, some four seconds.
const MAX_BCRYPT_COST: u32 = 16;

/// Kinds of crypt(3) that are checked.
const CRYPTS: &[&str] = &["$2a$", "$2b$", "$2y$", "$5$", "$6$"];

/// Kinds that are not: those of MD5 and DES were guessed by the million a second twenty years ago, and for the others there is
/// no code that has proved itself. Their users need new passwords.
const OTHER_CRYPTS: &[(&str, &str)] = &[
    ("$1$", "MD5-crypt"),
    ("$apr1$", "Apache's MD5-crypt"),
    ("$md5", "Sun's MD5-crypt"),
    ("$sha1$", "SHA1-crypt"),
    ("$3$", "NT"),
    ("$2$", "old bcrypt"),
    ("$2x$", "old bcrypt"),
    ("$7$", "scrypt"),
    ("$y$", "yescrypt"),
    ("$gy$", "gost-yescrypt"),
];

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
    /// Nothing that anybody could check, and what its scheme is called.
    Unknown(&'a str),
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
            None => Stored::Unknown(name),
        }
    }

    /// Whether this could be somebody's password hash: of a known kind and whole.
    pub(crate) fn is_usable(&self) -> bool {
        match self {
            Stored::Ours(text) => password::is_checkable(text),
            Stored::Foreign(foreign) => foreign.check(None).is_some(),
            Stored::Unknown(_) => false,
        }
    }

    /// What to say of one that is not usable: its kind, never the hash.
    pub(crate) fn refusal(&self) -> String {
        let damaged = "is damaged, or would take too long to check";
        let what = match self {
            Stored::Ours(_) => format!("that argon2 hash {damaged}"),
            Stored::Unknown(scheme) => {
                let known = scheme.len() <= MAX_SCHEME && scheme.bytes().all(|octet| octet.is_ascii_graphic());
                format!("{{{}}} hashes can't be checked here", if known { *scheme } else { "..." })
            }
            Stored::Foreign(Foreign { scheme: Scheme::Crypt, text, .. }) => {
                match OTHER_CRYPTS.iter().find(|(prefix, _)| text.starts_with(prefix)) {
                    Some((prefix, name)) => format!("{name} hashes ({prefix}) can't be checked here"),
                    None if CRYPTS.iter().any(|prefix| text.starts_with(prefix)) => format!("that hash {damaged}"),
                    None => "that is no password hash of a known kind".to_owned(),
                }
            }
            Stored::Foreign(foreign) => format!("that {{{}}} hash {damaged}", foreign.name),
        };
        let schemes: Vec<_> = SCHEMES.iter().map(|(name, _)| format!("{{{name}}}")).collect();
        format!(
            "{what}; those that can: $argon2id$ $argon2i$ $pbkdf2-sha256$ $pbkdf2-sha512$ {} {}",
            CRYPTS.join(" "),
            schemes.join(" ")
        )
    }
}

impl Foreign<'_> {
    /// Whether it is the hash of this password.
    pub(crate) fn is_of(&self, password: &Secret) -> bool {
        self.check(Some(password.expose())).unwrap_or(false)
    }

    /// The same; nothing if the hash is damaged, or costs too much to check. Without a password only that is looked at: a
    /// hundred thousand hashes come in at once, and each takes its time on purpose.
    fn check(&self, password: Option<&[u8]>) -> Option<bool> {
        match self.scheme {
            Scheme::Digest(algorithm) => digested(algorithm, self.name.starts_with("SS"), self.text, password),
            Scheme::Crypt => crypt(self.text, password),
            Scheme::Pbkdf2 => match self.text.strip_prefix("$pbkdf2-") {
                Some(text) => passlib(text, password),
                None => dovecot_pbkdf2(self.text, password),
            },
            Scheme::Scram => {
                let verifier = self.verifier()?;
                Some(password.is_some_and(|password| verifier.is_of(&Secret::new(password))))
            }
            Scheme::Plain => {
                let is_it = |password| self.text.as_bytes().ct_eq(password).into();
                (!self.text.is_empty()).then(|| password.is_some_and(is_it))
            }
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

fn digested(algorithm: &'static digest::Algorithm, salted: bool, text: &str, password: Option<&[u8]>) -> Option<bool> {
    let octets = STANDARD.decode(text).ok()?;
    let (expected, salt) = octets.split_at_checked(algorithm.output_len())?;
    if salted == salt.is_empty() {
        return None;
    }
    let Some(password) = password else { return Some(false) };
    let mut state = digest::Context::new(algorithm);
    state.update(password);
    state.update(salt);
    Some(state.finish().as_ref().ct_eq(expected).into())
}

fn crypt(text: &str, password: Option<&[u8]>) -> Option<bool> {
    if text.starts_with("$5$") || text.starts_with("$6$") {
        let rounds = text[3..].strip_prefix("rounds=").and_then(|rest| rest.split_once('$'));
        if rounds.is_some_and(|(rounds, _)| rounds.parse::<u32>().map_or(true, |rounds| rounds > MAX_ROUNDS)) {
            return None;
        }
        // A hash that is cut fits no password, and nobody would know why.
        let digits = text.rsplit('$').next().unwrap_or_default();
        let length = if text.starts_with("$5$") { SHA256_CRYPT } else { SHA512_CRYPT };
        if digits.len() != length || !are_digits(digits) {
            return None;
        }
        return Some(password.is_some_and(|password| ShaCrypt::default().verify_password(password, text).is_ok()));
    }
    if ["$2a$", "$2b$", "$2y$"].iter().any(|prefix| text.starts_with(prefix)) {
        let cost: u32 = text.get(4..6)?.parse().ok()?;
        let digits = text.get(7..).unwrap_or_default();
        let is_whole = digits.len() == BCRYPT && text.as_bytes().get(6) == Some(&b'$') && are_digits(digits);
        if cost > MAX_BCRYPT_COST || !is_whole {
            return None;
        }
        return password.map_or(Some(false), |password| bcrypt::verify(password, text).ok());
    }
    None
}

/// Whether a text is of the 64 characters that crypt(3) writes numbers with.
fn are_digits(text: &str) -> bool {
    text.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"./".contains(&octet))
}

/// Dovecot's `$1$salt$rounds$hex`.
fn dovecot_pbkdf2(text: &str, password: Option<&[u8]>) -> Option<bool> {
    let [salt, rounds, hex] = text.strip_prefix("$1$")?.split('$').collect::<Vec<_>>()[..] else { return None };
    let expected = (0..hex.len() / 2).map(|at| u8::from_str_radix(hex.get(2 * at..2 * at + 2)?, 16).ok());
    let expected: Vec<u8> = expected.collect::<Option<_>>()?;
    (expected.len() == 20 && hex.len() == 40).then_some(())?;
    stretched(pbkdf2::PBKDF2_HMAC_SHA1, rounds, salt.as_bytes(), &expected, password)
}

/// passlib's `sha256$rounds$salt$hash`.
fn passlib(text: &str, password: Option<&[u8]>) -> Option<bool> {
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
    password: Option<&[u8]>,
) -> Option<bool> {
    let rounds = rounds.parse().ok().filter(|rounds| *rounds <= MAX_ROUNDS).and_then(NonZeroU32::new)?;
    // Compares in constant time.
    Some(password.is_some_and(|password| pbkdf2::verify(algorithm, rounds, salt, password, expected).is_ok()))
}

#[cfg(test)]
mod tests;
