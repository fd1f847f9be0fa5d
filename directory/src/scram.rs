//! SCRAM verifiers (RFC 5802, 3): what is kept of a password so that a client can prove that it knows it. They are made when
//! a password is set, from the password as SASLprep prepares it (RFC 4013).

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use aws_lc_rs::{digest, hmac, pbkdf2};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::error::{Error, Result};
use crate::secret::Secret;

/// Rounds of PBKDF2 unless the site says otherwise. They are paid once when a password is set, and at each login by the
/// client, for which they are a twentieth of a second. Whoever steals the directory pays them for each guess.
const ITERATIONS: NonZeroU32 = NonZeroU32::new(100_000).unwrap();

/// The least that RFC 7677, 4 allows.
const MIN_ITERATIONS: u32 = 4096;

/// Octets of a salt.
const SALT: usize = 16;

/// A verifier brought from elsewhere may ask for no more rounds than this: clients would have to make them.
const MAX_ITERATIONS: u32 = 10_000_000;

/// What verifiers are made of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ScramCost {
    iterations: NonZeroU32,
    sha1: bool,
}

impl ScramCost {
    /// So many rounds of PBKDF2, and verifiers for SCRAM-SHA-1 too if clients are offered that.
    ///
    /// # Errors
    /// [`Error::Rule`] for rounds that are too few to be worth anything, or more than clients could make.
    pub fn new(iterations: u32, sha1: bool) -> Result<ScramCost> {
        let allowed = Some(iterations).filter(|n| (MIN_ITERATIONS..=MAX_ITERATIONS).contains(n));
        let iterations = allowed.and_then(NonZeroU32::new).ok_or_else(|| {
            let rule = format!("rounds of SCRAM go from {MIN_ITERATIONS} to {MAX_ITERATIONS}");
            Error::rule("scram_rounds", iterations.to_string(), rule)
        })?;
        Ok(ScramCost { iterations, sha1 })
    }

    /// The mechanisms that verifiers are made for.
    pub(crate) fn hashes(self) -> &'static [ScramHash] {
        if self.sha1 { &[ScramHash::Sha256, ScramHash::Sha1] } else { &[ScramHash::Sha256] }
    }
}

impl Default for ScramCost {
    fn default() -> ScramCost {
        ScramCost { iterations: ITERATIONS, sha1: false }
    }
}

/// The hash function of a SCRAM mechanism.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ScramHash {
    /// SCRAM-SHA-1.
    Sha1,
    /// SCRAM-SHA-256.
    Sha256,
}

/// What an exchange needs to know of a user, or of nobody: whoever looks at these cannot tell.
pub struct ScramKeys {
    /// The salt.
    pub salt: Vec<u8>,
    /// Rounds of PBKDF2.
    pub iterations: u32,
    /// H(ClientKey).
    pub stored_key: Secret,
    /// HMAC(SaltedPassword, "Server Key").
    pub server_key: Secret,
}

impl fmt::Debug for ScramKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ScramKeys(..)")
    }
}

/// A verifier as it is kept (RFC 5803): `SCRAM-SHA-256$100000:<salt>$<StoredKey>:<ServerKey>`, the last three in base64.
#[derive(Clone)]
pub(crate) struct Verifier {
    hash: ScramHash,
    iterations: u32,
    salt: Vec<u8>,
    stored_key: Zeroizing<Vec<u8>>,
    server_key: Zeroizing<Vec<u8>>,
}

impl Verifier {
    /// That of a new password, with a salt of its own; nothing for a password that SASLprep forbids, or that is not UTF-8:
    /// no client could send it.
    ///
    /// # Errors
    /// When the kernel gives no random bytes.
    pub(crate) fn of(hash: ScramHash, password: &Secret, cost: ScramCost) -> Result<Option<Verifier>> {
        let mut salt = vec![0; SALT];
        getrandom::fill(&mut salt).map_err(|e| Error::Unavailable(e.to_string()))?;
        Ok(Verifier::derive(hash, password, salt, cost.iterations))
    }

    fn derive(hash: ScramHash, password: &Secret, salt: Vec<u8>, iterations: NonZeroU32) -> Option<Verifier> {
        let text = std::str::from_utf8(password.expose()).ok()?;
        let prepared = Zeroizing::new(stringprep::saslprep(text).ok()?.into_owned());
        let mut salted = Zeroizing::new(vec![0; hash.digest().output_len()]);
        pbkdf2::derive(hash.pbkdf2(), iterations, &salt, prepared.as_bytes(), &mut salted);
        let client_key = hash.mac(&salted, b"Client Key");
        let stored_key = Zeroizing::new(digest::digest(hash.digest(), &client_key).as_ref().to_vec());
        let server_key = hash.mac(&salted, b"Server Key");
        Some(Verifier { hash, iterations: iterations.get(), salt, stored_key, server_key })
    }

    /// Whether it is of this mechanism.
    pub(crate) fn is_for(&self, hash: ScramHash) -> bool {
        self.hash == hash
    }

    /// Whether it is what `cost` would have made: another's rounds tell that somebody is no new user, and somebody.
    pub(crate) fn is_like(&self, cost: ScramCost) -> bool {
        self.iterations == cost.iterations.get() && self.salt.len() == SALT
    }

    /// Whether it was made of this password.
    pub(crate) fn is_of(&self, password: &Secret) -> bool {
        let iterations = NonZeroU32::new(self.iterations);
        let made = iterations.and_then(|n| Verifier::derive(self.hash, password, self.salt.clone(), n));
        made.is_some_and(|made| subtle::ConstantTimeEq::ct_eq(&made.stored_key[..], &self.stored_key[..]).into())
    }

    /// For an exchange.
    pub(crate) fn keys(&self) -> ScramKeys {
        ScramKeys {
            salt: self.salt.clone(),
            iterations: self.iterations,
            stored_key: Secret::new(&self.stored_key[..]),
            server_key: Secret::new(&self.server_key[..]),
        }
    }
}

/// Keys for a user who has none: the same salt at every attempt, as a real user's would be, as many rounds as a new user's,
/// and keys that no password has. `secret` is the directory's own.
pub(crate) fn decoy(hash: ScramHash, secret: &[u8; 32], login: &str, cost: ScramCost) -> ScramKeys {
    let part = |what: &str, length: usize| {
        let mut octets = vec![0; length];
        let mut state = blake3::Hasher::new_keyed(secret);
        state.update(what.as_bytes()).update(&[0, hash as u8]).update(login.to_ascii_lowercase().as_bytes());
        state.finalize_xof().fill(&mut octets);
        octets
    };
    let length = hash.digest().output_len();
    ScramKeys {
        salt: part("salt", SALT),
        iterations: cost.iterations.get(),
        stored_key: Secret::new(part("stored key", length)),
        server_key: Secret::new(part("server key", length)),
    }
}

impl ScramHash {
    fn digest(self) -> &'static digest::Algorithm {
        match self {
            ScramHash::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            ScramHash::Sha256 => &digest::SHA256,
        }
    }

    fn pbkdf2(self) -> pbkdf2::Algorithm {
        match self {
            ScramHash::Sha1 => pbkdf2::PBKDF2_HMAC_SHA1,
            ScramHash::Sha256 => pbkdf2::PBKDF2_HMAC_SHA256,
        }
    }

    fn mac(self, key: &[u8], text: &[u8]) -> Zeroizing<Vec<u8>> {
        let algorithm = match self {
            ScramHash::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            ScramHash::Sha256 => hmac::HMAC_SHA256,
        };
        Zeroizing::new(hmac::sign(&hmac::Key::new(algorithm, key), text).as_ref().to_vec())
    }

    fn name(self) -> &'static str {
        match self {
            ScramHash::Sha1 => "SCRAM-SHA-1",
            ScramHash::Sha256 => "SCRAM-SHA-256",
        }
    }
}

/// The form that is kept; the one place where keys become text.
impl From<&Verifier> for String {
    fn from(verifier: &Verifier) -> String {
        let Verifier { hash, iterations, salt, stored_key, server_key } = verifier;
        let [salt, stored, server] = [&salt[..], stored_key, server_key].map(|octets| STANDARD.encode(octets));
        format!("{}${iterations}:{salt}${stored}:{server}", hash.name())
    }
}

impl FromStr for Verifier {
    type Err = ();

    fn from_str(text: &str) -> std::result::Result<Verifier, ()> {
        let (name, rest) = text.split_once('$').ok_or(())?;
        let hash = [ScramHash::Sha1, ScramHash::Sha256].into_iter().find(|hash| hash.name() == name).ok_or(())?;
        let (salting, keys) = rest.split_once('$').ok_or(())?;
        let (iterations, salt) = salting.split_once(':').ok_or(())?;
        let (stored, server) = keys.split_once(':').ok_or(())?;
        let iterations = iterations.parse().map_err(|_| ())?;
        let octets = |text: &str| STANDARD.decode(text).map_err(|_| ());
        let verifier = Verifier {
            hash,
            iterations,
            salt: octets(salt)?,
            stored_key: octets(stored)?.into(),
            server_key: octets(server)?.into(),
        };
        let length = hash.digest().output_len();
        let whole = verifier.stored_key.len() == length && verifier.server_key.len() == length;
        if whole && (1..=MAX_ITERATIONS).contains(&iterations) && !verifier.salt.is_empty() {
            Ok(verifier)
        } else {
            Err(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cost() -> ScramCost {
        ScramCost::new(5000, false).unwrap()
    }

    #[test]
    fn the_example_of_the_rfc() {
        // RFC 7677, 3: user "user", password "pencil"; the keys are those that its proof and signature were made with.
        let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        let iterations = NonZeroU32::new(4096).unwrap();
        let verifier = Verifier::derive(ScramHash::Sha256, &Secret::new("pencil"), salt, iterations).unwrap();
        let auth = "n=user,r=rOprNGfwEbeRWgbNEkqO,\
            r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,\
            c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
        let signature = ScramHash::Sha256.mac(&verifier.server_key, auth.as_bytes());
        assert_eq!(STANDARD.encode(&*signature), "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
    }

    #[test]
    fn verifiers_are_kept_and_found_again() {
        for hash in [ScramHash::Sha1, ScramHash::Sha256] {
            let made = Verifier::of(hash, &Secret::new("correct"), cost()).unwrap().unwrap();
            let kept: Verifier = String::from(&made).parse().unwrap();
            assert!(kept.is_for(hash) && kept.is_of(&Secret::new("correct")) && !kept.is_of(&Secret::new("wrong")));
        }
        // RFC 4013, 3: a soft hyphen is nothing, and a no-break space is a space.
        let made = Verifier::of(ScramHash::Sha256, &Secret::new("I\u{ad}X\u{a0}y"), cost()).unwrap().unwrap();
        assert!(made.is_of(&Secret::new("IX y")));
        assert!(Verifier::of(ScramHash::Sha256, &Secret::new("a\u{7}b"), cost()).unwrap().is_none());
        assert!(Verifier::of(ScramHash::Sha256, &Secret::new(vec![0xff]), cost()).unwrap().is_none());
    }

    #[test]
    fn what_is_no_verifier() {
        let good = String::from(&Verifier::of(ScramHash::Sha256, &Secret::new("x"), cost()).unwrap().unwrap());
        assert!(good.parse::<Verifier>().is_ok());
        for bad in [
            "",
            "SCRAM-SHA-256",
            "SCRAM-SHA-256$4096:c2FsdA==$AAAA:AAAA",
            &good.replace("SHA-256", "SHA-512"),
            &good.replace("5000", "0"),
            &good.replace("5000", "4000000000"),
            &good.replace("5000", "-1"),
            &good[..good.len() - 4],
        ] {
            assert!(bad.parse::<Verifier>().is_err(), "{bad}");
        }
    }

    #[test]
    fn nobody_looks_like_somebody() {
        let [one, again, other] =
            [("joe", 1), ("Joe", 1), ("sue", 1)].map(|(user, key)| decoy(ScramHash::Sha256, &[key; 32], user, cost()));
        assert_eq!(one.salt, again.salt);
        assert_ne!(one.salt, other.salt);
        assert_ne!(one.salt, decoy(ScramHash::Sha256, &[2; 32], "joe", cost()).salt);
        let made = Verifier::of(ScramHash::Sha256, &Secret::new("x"), cost()).unwrap().unwrap();
        assert!(made.is_like(cost()) && !made.is_like(ScramCost::default()));
        let real = made.keys();
        assert_eq!((one.salt.len(), one.iterations), (real.salt.len(), real.iterations));
        assert_eq!(one.stored_key.expose().len(), real.stored_key.expose().len());
    }

    #[test]
    fn rounds_have_limits() {
        for (rounds, allowed) in [(0, false), (4095, false), (4096, true), (10_000_000, true), (u32::MAX, false)] {
            assert_eq!(ScramCost::new(rounds, false).is_ok(), allowed, "{rounds}");
        }
        assert_eq!(ScramCost::default().hashes(), [ScramHash::Sha256]);
        assert_eq!(ScramCost::new(4096, true).unwrap().hashes(), [ScramHash::Sha256, ScramHash::Sha1]);
    }
}
