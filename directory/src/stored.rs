//! All that is kept of a user's passwords: the hash, what SCRAM needs, and app passwords.

use crate::app_password::{StoredApp, Written};
use crate::error::Result;
use crate::foreign::Stored;
use crate::password::Hasher;
use crate::scram::{ScramHash, Verifier};
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
    pub(crate) fn of(password: &Secret, hasher: &Hasher) -> Result<StoredPassword> {
        let hash = hasher.hash(password)?;
        let scram = Verifier::of(ScramHash::Sha256, password)?.into_iter().collect();
        Ok(StoredPassword { hash, scram, apps: Vec::new() })
    }

    /// That of a hash from elsewhere; nothing if it can't be checked.
    pub(crate) fn brought(hash: &str) -> Option<StoredPassword> {
        let stored = Stored::parse(hash);
        if !stored.is_usable() {
            return None;
        }
        let scram = match &stored {
            Stored::Foreign(foreign) => foreign.verifier().into_iter().collect(),
            Stored::Ours(_) | Stored::Unknown => Vec::new(),
        };
        let hash = if let Stored::Ours(ours) = stored { ours } else { hash };
        Some(StoredPassword { hash: hash.to_owned(), scram, apps: Vec::new() })
    }

    /// The app password that was written, if the user has one with that selector.
    pub(crate) fn app(&self, written: &Written) -> Option<&StoredApp> {
        self.apps.iter().find(|app| app.selector == written.selector)
    }

    /// What is to be kept instead, now that the password is known: a hash of ours for one from elsewhere, and a verifier
    /// where there was none. Nothing if all is as it should be.
    pub(crate) fn renewed(&self, password: &Secret, hasher: &Hasher) -> Result<Option<StoredPassword>> {
        if !matches!(Stored::parse(&self.hash), Stored::Ours(_)) {
            return StoredPassword::of(password, hasher).map(Some);
        }
        if self.scram.iter().any(|verifier| verifier.is_for(ScramHash::Sha256)) {
            return Ok(None);
        }
        let made = Verifier::of(ScramHash::Sha256, password)?;
        Ok(made.map(|verifier| {
            let mut renewed = self.clone();
            renewed.scram.push(verifier);
            renewed
        }))
    }
}
