//! Passwords: argon2id hashes, and a memory of those that were right a moment ago, so that a mail client which logs in
//! ten times in a row costs one hash.

use std::collections::HashMap;

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use parking_lot::{Condvar, Mutex};
use subtle::ConstantTimeEq;
use zeroize::Zeroize;

use crate::app_password::Selector;
use crate::error::{Error, Result};
use crate::foreign::Stored;
use crate::secret::Secret;
use crate::user::UserId;

/// What a hash costs. The default is the first choice of RFC 9106, 4 for little memory: 19 MiB and two passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashCost {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// Passes over it.
    pub passes: u32,
}

impl Default for HashCost {
    fn default() -> HashCost {
        HashCost { memory_kib: 19 * 1024, passes: 2 }
    }
}

/// Longest password in octets: longer than any passphrase, and what hashing it costs stays the same.
const MAX_PASSWORD: usize = 1024;

/// A stored hash that asks for more memory (KiB) than this is damaged: checking it would take the server's.
const MAX_MEMORY_KIB: u32 = 1 << 20;

/// The same for memory times passes: 4 GiB, some four seconds.
const MAX_WORK_KIB: u64 = 4 << 20;

/// Most hashes at a time, however many processors there are: each has its memory as long as the server runs, and memory is
/// what bounds them. Eight are some 300 passwords a second that nobody remembers.
const MOST_AT_ONCE: usize = 8;

/// Octets of a salt (RFC 9106, 3.1).
const SALT: usize = 16;

/// What passwords that are made here consist of: letters and digits that can't be mistaken for one another.
pub(crate) const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// How many right passwords are remembered; the whole memory is forgotten when it is full.
const REMEMBERED: usize = 10_000;

/// A random password for people to type: 20 letters and digits that can't be mistaken for one another, some 100 bits.
///
/// # Errors
/// When the kernel gives no random bytes.
pub fn generate_password() -> Result<Secret> {
    let mut bytes = [0u8; 20];
    getrandom::fill(&mut bytes).map_err(|e| Error::Unavailable(e.to_string()))?;
    Ok(Secret::new(bytes.map(|b| LETTERS[usize::from(b % 32)])))
}

/// One of a user's passwords: the own one, or an app password. Each is remembered by itself: programs of one user that log in
/// in turns do not make each other be forgotten.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Slot {
    pub(crate) user: UserId,
    pub(crate) app: Option<Selector>,
}

impl Slot {
    /// The user's own password.
    pub(crate) fn own(user: UserId) -> Slot {
        Slot { user, app: None }
    }
}

/// Makes and checks hashes, never more at a time than there is memory for.
pub(crate) struct Hasher {
    argon: Argon2<'static>,
    /// What an unknown user's password is compared with, so that it takes as long.
    decoy: String,
    /// A place for each hash that may be under way, with the memory that the last one in it had: given back to the allocator
    /// it would stay with the thread that happened to make the hash, and there may be hundreds of threads. The place that
    /// was left last is taken first, so the others' memory comes into being only when it is needed.
    places: Mutex<Vec<Vec<Block>>>,
    free: Condvar,
    /// Keyed with a random key of this process; useless to whoever reads a core dump.
    key: [u8; 32],
    remembered: Mutex<HashMap<Slot, [u8; 32]>>,
    /// How many hashes were made, so that a test can compare the work of logins.
    #[cfg(test)]
    made: std::sync::atomic::AtomicU64,
}

impl Hasher {
    pub(crate) fn new(cost: HashCost) -> Result<Hasher> {
        let params = Params::new(cost.memory_kib, cost.passes, 1, None)
            .map_err(|e| Error::rule("hash_cost", "", format!("it can't be used: {e}")))?;
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(|e| Error::Unavailable(e.to_string()))?;
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let mut hasher = Hasher {
            argon: Argon2::new(Algorithm::Argon2id, Version::V0x13, params),
            decoy: String::new(),
            // More than one for a core would not end sooner.
            places: Mutex::new(vec![Vec::new(); cores.clamp(1, MOST_AT_ONCE)]),
            free: Condvar::new(),
            key,
            remembered: Mutex::default(),
            #[cfg(test)]
            made: std::sync::atomic::AtomicU64::default(),
        };
        hasher.decoy = hasher.hash(&generate_password()?)?;
        Ok(hasher)
    }

    /// The hash of a password, in PHC string format.
    pub(crate) fn hash(&self, password: &Secret) -> Result<String> {
        if password.is_empty() {
            return Err(Error::rule("password", "", "it can't be empty"));
        }
        if password.expose().len() > MAX_PASSWORD || password.expose().contains(&0) {
            return Err(Error::rule("password", "", "it has at most 1024 octets, none of them NUL"));
        }
        let failed = |error: &dyn std::fmt::Display| Error::Unavailable(format!("hashing a password: {error}"));
        let mut salt = [0; SALT];
        getrandom::fill(&mut salt).map_err(|error| failed(&error))?;
        let salt = Salt::new(&salt).map_err(|error| failed(&error))?;
        let mut made = [0; Params::DEFAULT_OUTPUT_LEN];
        self.compute(&self.argon, password, &salt, &mut made).map_err(|error| failed(&error))?;
        let hash = PasswordHash {
            algorithm: Algorithm::Argon2id.ident(),
            version: Some(Version::V0x13.into()),
            params: ParamsString::try_from(self.argon.params()).map_err(|error| failed(&error))?,
            salt: Some(salt),
            hash: Some(Output::new(&made).map_err(|error| failed(&error))?),
        };
        Ok(hash.to_string())
    }

    /// Whether this password was found right before, with this very hash. Costs no hash.
    pub(crate) fn remembers(&self, slot: &Slot, hash: &str, password: &Secret) -> bool {
        password.expose().len() <= MAX_PASSWORD && self.is_remembered(slot, &self.fingerprint(hash, password))
    }

    fn is_remembered(&self, slot: &Slot, fingerprint: &[u8; 32]) -> bool {
        self.remembered.lock().get(slot).is_some_and(|then| bool::from(fingerprint.ct_eq(then)))
    }

    /// Whether the password is the one of `hash`; `None` stands for a user who doesn't exist, and takes as long.
    pub(crate) fn verify(&self, slot: &Slot, hash: Option<&str>, password: &Secret) -> bool {
        if password.expose().len() > MAX_PASSWORD {
            return false;
        }
        let fingerprint = hash.map(|hash| self.fingerprint(hash, password));
        if fingerprint.as_ref().is_some_and(|fingerprint| self.is_remembered(slot, fingerprint)) {
            return true;
        }
        let right = match hash.map_or(Stored::Ours(&self.decoy), Stored::parse) {
            Stored::Ours(ours) => self.is_ours(ours, password),
            Stored::Foreign(foreign) if foreign.is_of(password) => true,
            // Checking those may be quicker: the time must not tell who has one.
            Stored::Foreign(_) | Stored::Unknown(_) => {
                self.is_ours(&self.decoy, password);
                false
            }
        };
        let right = right && hash.is_some() && !password.is_empty();
        if let Some(fingerprint) = fingerprint.filter(|_| right) {
            let mut remembered = self.remembered.lock();
            if remembered.len() >= REMEMBERED {
                remembered.clear();
            }
            remembered.insert(slot.clone(), fingerprint);
        }
        right
    }

    fn is_ours(&self, hash: &str, password: &Secret) -> bool {
        let parsed = PasswordHash::new(hash);
        parsed.is_ok_and(|parsed| self.is_hash_of(&parsed, password).unwrap_or(false))
    }

    /// Whether `parsed` is the hash of the password; nothing if it is no hash that can be checked.
    fn is_hash_of(&self, parsed: &PasswordHash, password: &Secret) -> Option<bool> {
        let (salt, expected) = (parsed.salt.as_ref()?, parsed.hash.as_ref()?);
        let (algorithm, params) = work(parsed)?;
        let version = parsed.version.map_or(Ok(Version::default()), Version::try_from).ok()?;
        let mut made = vec![0; expected.len()];
        self.compute(&Argon2::new(algorithm, version, params), password, salt, &mut made).ok()?;
        Some(made.ct_eq(expected.as_bytes()).into())
    }

    /// Makes a hash when its turn has come.
    fn compute(
        &self,
        argon: &Argon2<'_>,
        password: &Secret,
        salt: &[u8],
        made: &mut [u8],
    ) -> std::result::Result<(), argon2::Error> {
        #[cfg(test)]
        self.made.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let mut memory = {
            let mut places = self.places.lock();
            loop {
                match places.pop() {
                    Some(place) => break place,
                    None => self.free.wait(&mut places),
                }
            }
        };
        let blocks = argon.params().block_count();
        memory.resize(blocks.max(memory.len()), Block::default());
        let done = argon.hash_password_into_with_memory(password.expose(), salt, made, &mut memory);
        // What is left there would help whoever guesses passwords.
        memory.iter_mut().take(blocks).for_each(Zeroize::zeroize);
        // A hash brought from elsewhere may have asked for much more than ours do.
        if blocks > self.argon.params().block_count() {
            memory = Vec::new();
        }
        self.places.lock().push(memory);
        self.free.notify_one();
        done
    }

    /// One of the user's passwords was changed or taken back, or the user is gone.
    pub(crate) fn forget(&self, user: &UserId) {
        self.remembered.lock().retain(|slot, _| slot.user != *user);
    }

    /// This password was right, and let nobody in.
    pub(crate) fn forget_slot(&self, slot: &Slot) {
        self.remembered.lock().remove(slot);
    }

    /// The hash is part of it, so that a changed password is noticed even if nobody calls `forget`.
    fn fingerprint(&self, hash: &str, password: &Secret) -> [u8; 32] {
        let mut state = blake3::Hasher::new_keyed(&self.key);
        state.update(hash.as_bytes()).update(&[0]).update(password.expose());
        *state.finalize().as_bytes()
    }

    #[cfg(test)]
    pub(crate) fn made(&self) -> u64 {
        self.made.load(std::sync::atomic::Ordering::Relaxed)
    }
}

/// Whether this is an argon2 hash that can be checked.
pub(crate) fn is_checkable(hash: &str) -> bool {
    PasswordHash::new(hash)
        .is_ok_and(|parsed| parsed.salt.is_some() && parsed.hash.is_some() && work(&parsed).is_some())
}

/// What is to be done to check a hash; nothing if it is too much.
fn work(parsed: &PasswordHash) -> Option<(Algorithm, Params)> {
    let algorithm = Algorithm::try_from(parsed.algorithm.as_str()).ok()?;
    let params = Params::try_from(parsed).ok()?;
    let total = u64::from(params.m_cost()) * u64::from(params.t_cost());
    (params.m_cost() <= MAX_MEMORY_KIB && total <= MAX_WORK_KIB).then_some((algorithm, params))
}

impl std::fmt::Debug for Hasher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hasher(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn right_and_wrong() {
        let hasher = Hasher::new(HashCost { memory_kib: 64, passes: 1 }).unwrap();
        let places = hasher.places.lock().len();
        let joe = Slot::own(UserId::parse("joe").unwrap());
        let (right, wrong) = (Secret::new("secret"), Secret::new("Secret"));
        let hash = hasher.hash(&right).unwrap();
        assert!(hash.starts_with("$argon2id$"));
        for _ in 0..2 {
            assert!(hasher.verify(&joe, Some(&hash), &right));
            assert!(hasher.remembers(&joe, &hash, &right));
            assert!(!hasher.remembers(&joe, &hash, &wrong));
            assert!(!hasher.verify(&joe, Some(&hash), &wrong));
            assert!(!hasher.verify(&joe, None, &right));
        }
        let changed = hasher.hash(&wrong).unwrap();
        assert!(!hasher.remembers(&joe, &changed, &right), "the memory doesn't outlive a change");
        assert!(!hasher.verify(&joe, Some(&changed), &right));
        assert!(!hasher.verify(&joe, Some("rubbish"), &right));
        for bad in [b"".as_slice(), b"a\0b", &[b'x'; 1025]] {
            assert!(matches!(hasher.hash(&Secret::new(bad)), Err(Error::Rule { .. })));
        }
        let greedy = hash.replace("m=64", "m=4000000000");
        assert_ne!(greedy, hash);
        assert!(!hasher.verify(&joe, Some(&greedy), &right), "a damaged hash must not take all memory");
        let endless = hash.replace("t=1", "t=4000000000");
        assert!(is_checkable(&hash) && !is_checkable(&greedy) && !is_checkable(&endless));
        assert!(!hasher.verify(&joe, Some(&endless), &right), "nor all time");
        assert_eq!(hasher.places.lock().len(), places, "every place is free again");
    }

    #[test]
    fn memory_is_kept_once_for_each_hash_at_a_time_and_wiped() {
        let hasher = Hasher::new(HashCost { memory_kib: 64, passes: 1 }).unwrap();
        let (joe, right) = (Slot::own(UserId::parse("joe").unwrap()), Secret::new("secret"));
        let hash = hasher.hash(&right).unwrap();
        let own = hasher.argon.params().block_count();
        let kept = || hasher.places.lock().iter().map(Vec::len).filter(|&blocks| blocks > 0).collect::<Vec<_>>();
        for n in 0..4 {
            hasher.verify(&joe, Some(&hash), &Secret::new(format!("wrong {n}")));
            assert_eq!(kept(), [own], "one after the other in the same memory");
        }
        assert!(hasher.places.lock().iter().flatten().all(|block| block.as_ref().iter().all(|&word| word == 0)));
        let places = hasher.places.lock().len();
        std::thread::scope(|scope| {
            for n in 0..4 * places {
                let (hasher, joe, hash) = (&hasher, &joe, &hash);
                scope.spawn(move || hasher.verify(joe, Some(hash), &Secret::new(format!("wrong too {n}"))));
            }
        });
        assert!(kept().len() <= places && kept().iter().all(|&blocks| blocks == own));
        let greedy = Hasher::new(HashCost { memory_kib: 1024, passes: 1 }).unwrap().hash(&right).unwrap();
        assert!(hasher.verify(&joe, Some(&greedy), &right));
        assert!(kept().iter().all(|&blocks| blocks == own), "a greedy hash's memory is not kept");
    }

    #[test]
    fn generated_passwords_differ_and_secrets_are_not_printed() {
        let (a, b) = (generate_password().unwrap(), generate_password().unwrap());
        assert_ne!(a.expose(), b.expose());
        assert_eq!(format!("{a:?}"), "Secret(..)");
    }
}
