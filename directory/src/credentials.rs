//! All that is kept of a user's passwords: the hash, what SCRAM needs, and app passwords.
//!
//! Written as one JSON object (docs/formats/directory.md), whatever keeps it:
//! `{"hash": "<PHC string>", "scram": ["<RFC 5803>"], "apps": [...]}`.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::app_password::{AppPassword, AppRow, MAX_APP_PASSWORDS, StoredApp, Written};
use crate::error::{Error, Result};
use crate::foreign::Stored;
use crate::password::{Hasher, is_checkable};
use crate::scram::{ScramCost, ScramHash, Verifier};
use crate::secret::Secret;

/// A hash that no password has.
const NO_PASSWORD: &str = "*";

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
    /// Those of somebody who has no password yet, and can't log in with any.
    #[must_use]
    pub fn none() -> Credentials {
        Credentials { hash: NO_PASSWORD.to_owned(), scram: Vec::new(), apps: Vec::new() }
    }

    /// Reads what a server of ours has exported: the JSON object that a row is, where whatever could not be used is an error.
    ///
    /// # Errors
    /// [`Error::Rule`], which tells nothing of what was read.
    pub fn from_export(json: &str) -> Result<Credentials> {
        let wrong = |rule: &'static str| Error::rule("credentials", "", rule);
        let row: Row = serde_json::from_str(json).map_err(|_| {
            wrong("an object with hash, and scram and apps if there are any (docs/formats/directory.md)")
        })?;
        let mut read = match row.hash.as_str() {
            NO_PASSWORD => Credentials::none(),
            hash => Credentials::from_hash(&Secret::new(hash)).map_err(|error| error.of_field("credentials"))?,
        };
        read.scram = row
            .scram
            .iter()
            .map(|text| text.parse())
            .collect::<std::result::Result<_, _>>()
            .map_err(|_| wrong("what it has for SCRAM is damaged, or of a kind that is not known here"))?;
        for app in row.apps {
            let app = StoredApp::try_from(app).map_err(wrong)?;
            app.app.check()?;
            let is_twice = |known: &StoredApp| known.app.name == app.app.name || known.selector == app.selector;
            if read.apps.iter().any(is_twice) {
                return Err(wrong("two of its app passwords have the same name or selector"));
            }
            if read.apps.len() >= MAX_APP_PASSWORDS || !is_checkable(&app.hash) {
                return Err(wrong("it has too many app passwords, or one whose hash is damaged"));
            }
            read.apps.push(app);
        }
        Ok(read)
    }

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
