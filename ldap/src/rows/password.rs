//! Passwords: the hash in `userPassword`, where other programs look for it, and all that is kept in a JSON object beside.
//!
//! `userPassword` counts. When another program has changed it, what was made of the password before (SCRAM verifiers, our
//! copy of the hash) is no longer looked at; app passwords stay, as when the password is changed here.

use directory::{Credentials, Error, Result, Secret};
use serde_json::{Map, Value};

use super::{corrupt, parse, unwritable};
use crate::link::{Attributes, Entry};
use crate::schema;

/// What OpenLDAP's module for our hashes calls them.
const ARGON2: &str = "{ARGON2}";

/// What it calls those of crypt(3).
const CRYPT: &str = "{CRYPT}";

/// A hash that no password fits.
const NONE: &str = "*";

/// Writes what is kept of a user's passwords.
pub(crate) fn credentials_attributes(credentials: &Credentials) -> Result<Attributes> {
    let json = serde_json::to_string(credentials).map_err(|error| unwritable(&error))?;
    Ok(vec![(schema::PASSWORD, vec![written(credentials.hash())]), (schema::CREDENTIALS, vec![json])])
}

/// Reads what is kept of a user's passwords; nothing if there is no password at all.
pub(crate) fn credentials_from(entry: &Entry) -> Result<Option<Credentials>> {
    let passwords = entry.all(schema::PASSWORD);
    let kept = entry.one(schema::CREDENTIALS).map(|json| parse::<Credentials>(&entry.dn, json)).transpose()?;
    let Some(kept) = kept else {
        return passwords.first().map(|text| with_hash(entry, text, None)).transpose();
    };
    if passwords.contains(&written(kept.hash()).as_str()) {
        return Ok(Some(kept));
    }
    with_hash(entry, passwords.first().copied().unwrap_or(NONE), Some(&kept)).map(Some)
}

/// The same, where whatever could not be used is an error that tells nothing of it.
///
/// # Errors
/// [`Error::Rule`].
pub(crate) fn credentials_strictly(entry: &Entry) -> Result<Option<Credentials>> {
    let passwords = entry.all(schema::PASSWORD);
    let kept = entry.one(schema::CREDENTIALS).map(Credentials::from_export).transpose()?;
    if let Some(kept) = &kept
        && (passwords.is_empty() || passwords.contains(&written(kept.hash()).as_str()))
    {
        return Ok(Some(kept.clone()));
    }
    let Some(text) = passwords.first().copied() else { return Ok(None) };
    let text = text.strip_prefix(ARGON2).unwrap_or(text);
    let given = match text.strip_prefix(CRYPT) {
        Some(NONE) => Credentials::none(),
        _ => Credentials::from_hash(&Secret::new(text)).map_err(|error| error.of_field("userPassword"))?,
    };
    Ok(Some(kept.map_or_else(|| given.clone(), |kept| given.keeping_apps_of(&kept))))
}

/// As `userPassword` has it: with the name of its scheme (RFC 2307, 5.3).
fn written(hash: &str) -> String {
    match hash {
        _ if hash.starts_with('{') => hash.to_owned(),
        _ if hash.starts_with("$argon2") => format!("{ARGON2}{hash}"),
        _ => format!("{CRYPT}{hash}"),
    }
}

/// What is kept if the hash is another one. A kind of hash that we can't check fits no password.
fn with_hash(entry: &Entry, text: &str, kept: Option<&Credentials>) -> Result<Credentials> {
    let hash = text.strip_prefix(ARGON2).unwrap_or(text);
    let known = Credentials::from_hash(&Secret::new(hash));
    let value = |credentials: &Credentials| serde_json::to_value(credentials).map_err(|error| unwritable(&error));
    let mut row = match known {
        Ok(known) => value(&known)?,
        Err(Error::Rule { .. }) => Value::Object(Map::from_iter([("hash".to_owned(), NONE.into())])),
        Err(error) => return Err(error),
    };
    if let (Some(kept), Value::Object(row)) = (kept, &mut row)
        && let Some(apps) = value(kept)?.get("apps")
    {
        row.insert("apps".into(), apps.clone());
    }
    serde_json::from_value(row).map_err(|error| corrupt(&entry.dn, &error))
}
