//! All that is kept of a user's passwords: the hash, what SCRAM needs, and app passwords.

use crate::app_password::{StoredApp, Written};
use crate::error::{Error, Result};
use crate::foreign::Stored;
use crate::password::Hasher;
use crate::scram::{ScramCost, ScramHash, Verifier};
use crate::secret::Secret;

/// What is kept of a user's passwords.
#[derive(Clone)]
pub(crate) struct StoredPassword {
    /// A PHC string, or a hash that another server has made.
    pub(crate) hash: String,
    /// For SCRAM; at most one for each mechanism.
    pub(crate) scram: Vec<Verifier>,
    /// The user's app passwords, which stay when the password changes.
    pub(crate) apps: Vec<StoredApp>,
}

impl StoredPassword {
    /// That of a new password.
    pub(crate) fn of(password: &Secret, hasher: &Hasher, scram: ScramCost) -> Result<StoredPassword> {
        let hash = hasher.hash(password)?;
        let verifiers = scram.hashes().iter().map(|hash| Verifier::of(*hash, password, scram));
        let scram = verifiers.filter_map(Result::transpose).collect::<Result<_>>()?;
        Ok(StoredPassword { hash, scram, apps: Vec::new() })
    }

    /// That of a hash from elsewhere.
    ///
    /// # Errors
    /// [`Error::Invalid`] if it can't be checked; the text tells why, and nothing of the hash.
    pub(crate) fn brought(hash: &str) -> Result<StoredPassword> {
        let stored = Stored::parse(hash);
        if !stored.is_usable() {
            return Err(Error::Invalid(stored.refusal()));
        }
        let scram = match &stored {
            Stored::Foreign(foreign) => foreign.verifier().into_iter().collect(),
            Stored::Ours(_) | Stored::Unknown(_) => Vec::new(),
        };
        let hash = if let Stored::Ours(ours) = stored { ours } else { hash };
        Ok(StoredPassword { hash: hash.to_owned(), scram, apps: Vec::new() })
    }

    /// The app password that was written, if the user has one with that selector.
    pub(crate) fn app(&self, written: &Written) -> Option<&StoredApp> {
        self.apps.iter().find(|app| app.selector == written.selector)
    }

    /// What is to be kept instead, now that the password is known: a hash of ours for one from elsewhere, and verifiers as a
    /// new user would have them. Nothing if all is as it should be.
    pub(crate) fn renewed(
        &self,
        password: &Secret,
        hasher: &Hasher,
        scram: ScramCost,
    ) -> Result<Option<StoredPassword>> {
        if !matches!(Stored::parse(&self.hash), Stored::Ours(_)) {
            return StoredPassword::of(password, hasher, scram).map(Some);
        }
        let is_there = |hash: &ScramHash| self.scram.iter().any(|kept| kept.is_for(*hash) && kept.is_like(scram));
        let mut renewed = self.clone();
        for hash in scram.hashes().iter().filter(|hash| !is_there(hash)) {
            // Nothing for a password that no client could send.
            let Some(made) = Verifier::of(*hash, password, scram)? else { return Ok(None) };
            renewed.scram.retain(|kept| !kept.is_for(*hash));
            renewed.scram.push(made);
        }
        let is_changed = !scram.hashes().iter().all(is_there);
        Ok(is_changed.then_some(renewed))
    }
}
