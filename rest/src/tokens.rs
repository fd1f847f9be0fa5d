//! Tokens for programs: made by an administrator, for a user whose rights they give, named, with an end. They are shown once;
//! what is kept is a hash (docs/formats/api-tokens.md).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use directory::{Actor, Error, MAX_TEXT, Service, UserId};
use durable::disk::Disk;
use mailstore::{MailboxName, Store};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::secrets::{self, Hash};

/// The file below the configuration directory.
const FILE: &str = "api-tokens.json";
/// Longest file that is read: more than all tokens take.
const MAX_FILE: u64 = 16 << 20;
/// Most tokens: the file is written whole with each change.
const MOST: usize = 10_000;
/// Letters of an identifier.
const ID: usize = 12;
/// Longest life of a token in days; nobody remembers what one is for that was made ten years ago.
const MAX_DAYS: u64 = 3660;
/// The same in seconds.
pub const MAX_LIFE: u64 = MAX_DAYS * 24 * 60 * 60;
/// What a token begins with, so that one who finds it knows what it is.
pub(crate) const PREFIX: &str = "angt_";

/// A token, without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// What it is called by when it is to be deleted.
    pub id: String,
    /// What it is for, as people call it; unique among the user's.
    pub name: String,
    /// Whose rights it gives.
    pub user: UserId,
    /// When it was made, in Unix seconds.
    pub created: u64,
    /// When it ends, in Unix seconds; never if there is nothing.
    pub expires: Option<u64>,
}

/// A token to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewToken {
    /// As [`Token::name`].
    pub name: String,
    /// As [`Token::user`].
    pub user: UserId,
    /// As [`Token::expires`].
    pub expires: Option<u64>,
}

/// A token as it is kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Row {
    id: String,
    name: String,
    user: UserId,
    /// The unique ID of the user's INBOX: who gets the user ID after the user is gone gets another one, and not the token.
    inbox: String,
    created: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires: Option<u64>,
    /// BLAKE3, in hexadecimal.
    hash: String,
}

impl From<&Row> for Token {
    fn from(row: &Row) -> Token {
        let Row { id, name, user, created, expires, .. } = row.clone();
        Token { id, name, user, created, expires }
    }
}

/// All tokens.
#[derive(Debug)]
pub struct Tokens {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    /// What is in the file; why it can't be read, if it can't.
    rows: Mutex<Result<Vec<Row>, String>>,
}

impl Tokens {
    /// Those below `config`. If they can't be read, no token is good, which is logged, and none can be made.
    #[must_use]
    pub fn open(disk: Arc<dyn Disk>, config: &Path) -> Tokens {
        let path = config.join(FILE);
        let rows = match disk.read(&path, MAX_FILE) {
            Ok(octets) => serde_json::from_slice(&octets).map_err(|error| error.to_string()),
            Err(error) if error.is_not_found() => Ok(Vec::new()),
            Err(error) => Err(error.to_string()),
        };
        if let Err(error) = &rows {
            tracing::error!(event = "rest.tokens.unreadable", path = %path.display(), error);
        }
        Tokens { disk, path, rows: Mutex::new(rows) }
    }

    /// All of them, by user and name.
    ///
    /// # Errors
    /// They can't be read.
    pub fn list(&self) -> directory::Result<Vec<Token>> {
        let rows = self.rows.lock();
        let mut tokens: Vec<Token> = self.known(&rows)?.iter().map(Token::from).collect();
        tokens.sort_by(|a, b| (&a.user, &a.name).cmp(&(&b.user, &b.name)));
        Ok(tokens)
    }

    /// Makes one at `now`, and gives its secret, which nobody will see again. Blocks.
    ///
    /// # Errors
    /// A rule is broken; there is no such user; the name is taken; the file can't be written.
    pub fn create(
        &self,
        new: &NewToken,
        service: &Service<'_>,
        store: &Store,
        now: u64,
    ) -> directory::Result<(Token, Zeroizing<String>)> {
        check(new, now)?;
        let missing = || Error::NoUser(new.user.to_string());
        service.directory().account(&new.user)?.ok_or_else(missing)?;
        let inbox = inbox_id(store, &new.user).ok_or_else(missing)?;
        let made = self.add(new, inbox, now)?;
        let (by, user, name, id) = (service.actor().name(), &new.user, &new.name, &made.0.id);
        tracing::info!(event = "rest.token.created", by, %user, name = ?name, id);
        Ok(made)
    }

    fn add(&self, new: &NewToken, inbox: String, now: u64) -> directory::Result<(Token, Zeroizing<String>)> {
        let mut rows = self.rows.lock();
        let known = self.known(&rows)?;
        if known.iter().any(|row| row.user == new.user && row.name == new.name) {
            return Err(Error::exists("name", &new.name, format!("a token of {}", new.user)));
        }
        // Those that are over make room.
        let mut kept: Vec<Row> = known.to_vec();
        if kept.len() >= MOST {
            kept.retain(|row| row.expires.is_none_or(|end| end > now));
        }
        if kept.len() >= MOST {
            return Err(Error::rule("name", &new.name, "there are 10000 tokens: delete some first"));
        }
        let random = |error: getrandom::Error| Error::Unavailable(error.to_string());
        let secret = secrets::generate(PREFIX).map_err(random)?;
        let id = secrets::hash(&secrets::generate("").map_err(random)?).to_hex()[..ID].to_owned();
        let row = Row {
            id,
            name: new.name.clone(),
            user: new.user.clone(),
            inbox,
            created: now,
            expires: new.expires,
            hash: secrets::hash(&secret).to_hex().to_string(),
        };
        let token = Token::from(&row);
        kept.push(row);
        self.write(&kept)?;
        *rows = Ok(kept);
        Ok((token, secret))
    }

    /// Deletes one; whether it was there. Blocks.
    ///
    /// # Errors
    /// The file can't be written; the token is still good then.
    pub fn delete(&self, id: &str, actor: &Actor) -> directory::Result<Option<Token>> {
        let mut rows = self.rows.lock();
        let known = self.known(&rows)?;
        let Some(at) = known.iter().position(|row| row.id == id) else { return Ok(None) };
        let mut kept = known.to_vec();
        let gone = kept.remove(at);
        self.write(&kept)?;
        *rows = Ok(kept);
        let (by, user, name) = (actor.name(), &gone.user, &gone.name);
        tracing::info!(event = "rest.token.deleted", by, %user, name = ?name, id);
        Ok(Some(Token::from(&gone)))
    }

    /// The token with this secret, if it is good at `now`. Compares hashes: how long it takes tells nothing of a secret.
    pub(crate) fn find(&self, secret: &str, store: &Store, now: u64) -> Option<Token> {
        let row = self.row(secret, now)?;
        (inbox_id(store, &row.user)? == row.inbox).then(|| Token::from(&row))
    }

    fn row(&self, secret: &str, now: u64) -> Option<Row> {
        let wanted: Hash = secrets::hash(secret);
        let rows = self.rows.lock();
        let row = rows.as_ref().ok()?.iter().find(|row| Hash::from_hex(&row.hash).is_ok_and(|hash| hash == wanted))?;
        row.expires.is_none_or(|end| end > now).then(|| row.clone())
    }

    fn known<'a>(&self, rows: &'a Result<Vec<Row>, String>) -> directory::Result<&'a [Row]> {
        match rows {
            Ok(rows) => Ok(rows),
            Err(error) => Err(Error::Corrupt { key: self.path.display().to_string(), what: error.clone() }),
        }
    }

    fn write(&self, rows: &[Row]) -> directory::Result<()> {
        let failed = |error: &dyn std::fmt::Display| Error::Unavailable(format!("{}: {error}", self.path.display()));
        let octets = serde_json::to_vec_pretty(rows).map_err(|error| failed(&error))?;
        self.disk.replace_file(&self.path, &octets).map_err(|error| failed(&error))
    }
}

/// What tells a user from another one of the same name. Memory only.
fn inbox_id(store: &Store, user: &UserId) -> Option<String> {
    let inbox = MailboxName::inbox(user.as_str()).ok()?;
    store.row(&inbox).map(|row| row.unique_id.to_string())
}

fn check(new: &NewToken, now: u64) -> directory::Result<()> {
    let name = &new.name;
    if name.is_empty() || name.trim() != name || name.chars().count() > MAX_TEXT || name.chars().any(char::is_control) {
        let rule = "the name of a token has 1 to 256 characters, no control characters, no blanks around them";
        return Err(Error::rule("name", name, rule));
    }
    match new.expires {
        Some(end) if end <= now => Err(Error::rule("expires", end.to_string(), "it is over already")),
        Some(end) if end - now > MAX_LIFE => {
            Err(Error::rule("expires", end.to_string(), format!("a token lasts {MAX_DAYS} days at most")))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use durable::disk::RealDisk;

    use super::*;

    fn new(name: &str, expires: Option<u64>) -> NewToken {
        NewToken { name: name.into(), user: UserId::admin(), expires }
    }

    fn found(tokens: &Tokens, secret: &str, now: u64) -> Option<Token> {
        tokens.row(secret, now).as_ref().map(Token::from)
    }

    #[test]
    fn kept_as_hashes_until_they_end() {
        let dir = tempfile::tempdir().unwrap();
        let open = || Tokens::open(Arc::new(RealDisk), dir.path());
        let tokens = open();
        let (token, secret) = tokens.add(&new("backup", Some(2000)), "1".into(), 1000).unwrap();
        let (lasting, other) = tokens.add(&new("monitor", None), "1".into(), 1000).unwrap();
        assert!(matches!(tokens.add(&new("backup", None), "1".into(), 1000), Err(Error::Exists { field: "name", .. })));
        let tokens = open();
        assert_eq!(tokens.list().unwrap(), [token.clone(), lasting.clone()]);
        assert_eq!(found(&tokens, &secret, 1999), Some(token.clone()));
        assert_eq!(found(&tokens, &secret, 2000), None);
        assert_eq!(found(&tokens, &other, u64::MAX), Some(lasting));
        assert_eq!(found(&tokens, "", 0), None);
        let file = std::fs::read_to_string(dir.path().join(FILE)).unwrap();
        assert!(file.contains("backup") && !file.contains(&*secret) && !file.contains(&secret[PREFIX.len()..]));
        assert_eq!(tokens.delete("nobody", &Actor::server()).unwrap(), None);
        assert_eq!(tokens.delete(&token.id, &Actor::server()).unwrap(), Some(token));
        assert_eq!(found(&open(), &secret, 1999), None);
    }

    #[test]
    fn rules() {
        let long = "x".repeat(257);
        for (name, expires, field) in [
            ("", None, "name"),
            (" x", None, "name"),
            ("a\nb", None, "name"),
            (&long, None, "name"),
            ("x", Some(1000), "expires"),
            ("x", Some(1001 + MAX_LIFE), "expires"),
        ] {
            let error = check(&new(name, expires), 1000).unwrap_err();
            assert_eq!((error.code(), error.field().as_deref()), ("rule", Some(field)), "{name:?} {expires:?}");
        }
    }

    #[test]
    fn a_file_that_cannot_be_read_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        std::fs::write(&path, "[{\"id\":").unwrap();
        let tokens = Tokens::open(Arc::new(RealDisk), dir.path());
        assert!(matches!(tokens.add(&new("x", None), "1".into(), 0), Err(Error::Corrupt { .. })));
        assert!(
            tokens.list().is_err() && tokens.delete("x", &Actor::server()).is_err() && found(&tokens, "x", 0).is_none()
        );
        assert_eq!(std::fs::read(&path).unwrap(), b"[{\"id\":");
    }
}
