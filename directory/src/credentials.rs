//! All that is kept of a user's passwords: the hash, what SCRAM needs, and app passwords.
//!
//! Written as one JSON object (docs/formats/directory.md), whatever keeps it:
//! `{"hash": "<PHC string>", "scram": ["<RFC 5803>"], "apps": [...]}`.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::app_password::{AppPassword, AppRow, StoredApp, Written};
use crate::error::{Error, Result};
use crate::foreign::Stored;
use crate::password::Hasher;
use crate::scram::{ScramCost, ScramHash, Verifier};
use crate::secret::Secret;

/// What is kept of a user's passwords. It can't be printed.
#[derive(Clone)]
pub struct Credentials {
    /// A PHC string, or a hash that another server has made.
    pub(crate) hash: String,
    /// For SCRAM; at most one for each mechanism.
    pub(crate) scram: Vec<Verifier>,
    /// The user's app passwords, which stay when the password changes.
    pub(crate) apps: Vec<StoredApp>,
}

#[derive(Serialize, Deserialize)]
struct Row {
    hash: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    scram: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    apps: Vec<AppRow>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("apps", &self.apps.len()).finish_non_exhaustive()
    }
}

impl Serialize for Credentials {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let scram = self.scram.iter().map(String::from).collect();
        let apps = self.apps.iter().map(AppRow::from).collect();
        Row { hash: self.hash.clone(), scram, apps }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Credentials {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Credentials, D::Error> {
        let Row { hash, scram, apps } = Row::deserialize(deserializer)?;
        // A verifier that can't be read is made anew at the next login.
        let scram = scram.iter().filter_map(|text| text.parse().ok()).collect();
        let apps = apps.into_iter().map(StoredApp::try_from).collect::<std::result::Result<_, _>>();
        Ok(Credentials { hash, scram, apps: apps.map_err(serde::de::Error::custom)? })
    }
}

impl Credentials {
    /// The hash of the user's own password: a PHC string, or what another server has made. For back ends that keep it where
    /// others look for it (`userPassword`).
    #[must_use]
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// The user's app passwords, in the order in which they were made.
    pub fn app_passwords(&self) -> impl Iterator<Item = &AppPassword> {
        self.apps.iter().map(|stored| &stored.app)
    }

    /// The same, with the app passwords of other credentials of the user.
    #[must_use]
    pub fn keeping_apps_of(&self, other: &Credentials) -> Credentials {
        Credentials { apps: other.apps.clone(), ..self.clone() }
    }

    /// That of a new password.
    pub(crate) fn of(password: &Secret, hasher: &Hasher, scram: ScramCost) -> Result<Credentials> {
        let hash = hasher.hash(password)?;
        let verifiers = scram.hashes().iter().map(|hash| Verifier::of(*hash, password, scram));
        let scram = verifiers.filter_map(Result::transpose).collect::<Result<_>>()?;
        Ok(Credentials { hash, scram, apps: Vec::new() })
    }

    /// That of a hash from elsewhere.
    ///
    /// # Errors
    /// [`Error::Rule`] if it can't be checked; the text tells why, and nothing of the hash.
    pub fn from_hash(hash: &Secret) -> Result<Credentials> {
        let hash = std::str::from_utf8(hash.expose())
            .map_err(|_| Error::rule("password_hash", "", "a password hash is text, and that is not UTF-8"))?;
        let stored = Stored::parse(hash);
        if !stored.is_usable() {
            return Err(Error::rule("password_hash", "", stored.refusal()));
        }
        let scram = match &stored {
            Stored::Foreign(foreign) => foreign.verifier().into_iter().collect(),
            Stored::Ours(_) | Stored::Unknown(_) => Vec::new(),
        };
        let hash = if let Stored::Ours(ours) = stored { ours } else { hash };
        Ok(Credentials { hash: hash.to_owned(), scram, apps: Vec::new() })
    }

    /// The app password that was written, if the user has one with that selector.
    pub(crate) fn app(&self, written: &Written) -> Option<&StoredApp> {
        self.apps.iter().find(|app| app.selector == written.selector)
    }

    /// What is to be kept instead, now that the password is known: a hash of ours for one from elsewhere, and verifiers as a
    /// new user would have them. Nothing if all is as it should be.
    pub(crate) fn renewed(&self, password: &Secret, hasher: &Hasher, scram: ScramCost) -> Result<Option<Credentials>> {
        if !matches!(Stored::parse(&self.hash), Stored::Ours(_)) {
            return Credentials::of(password, hasher, scram).map(Some);
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
