//! Tokens for programs: made by an administrator, for a user whose rights they give, named, with an end. They are shown once;
//! what is kept is a hash (docs/formats/api-tokens.md).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use directory::{Error, Event, MAX_TEXT, Service, UserId};
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
    /// Held over a change: `rows` is not, because every request asks for it.
    changing: Mutex<()>,
}

/// Writes into the audit log.
type Note<'a> = &'a dyn Fn(Event) -> directory::Result<()>;

/// What happens to a token.
#[derive(Debug, Clone, Copy)]
enum Deed {
    Create,
    Delete,
}

impl Deed {
    /// As the audit log says it.
    fn event(self, token: &Token) -> Event {
        let expires = token.expires.map(|end| end.to_string()).unwrap_or_default();
        let fields = [("id", &token.id), ("name", &token.name), ("expires", &expires)];
        match self {
            Deed::Create => {
                let event = Event::new("api-token.create", &token.user);
                fields.into_iter().fold(event, |event, (name, value)| event.field(name, "", value))
            }
            Deed::Delete => {
                let event = Event::new("api-token.delete", &token.user);
                fields.into_iter().fold(event, |event, (name, value)| event.field(name, value, ""))
            }
        }
    }
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
        Tokens { disk, path, rows: Mutex::new(rows), changing: Mutex::default() }
    }

    /// All of them, by user and name.
    ///
    /// # Errors
    /// They can't be read.
    pub fn list(&self) -> directory::Result<Vec<Token>> {
        let mut tokens: Vec<Token> = self.known()?.iter().map(Token::from).collect();
        tokens.sort_by(|a, b| (&a.user, &a.name).cmp(&(&b.user, &b.name)));
        Ok(tokens)
    }

    /// Makes one at `now`, and gives its secret, which nobody will see again. Blocks.
    ///
    /// # Errors
    /// A rule is broken; there is no such user; the name is taken; the audit log or the file can't be written.
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
        let made = self.add(new, inbox, now, &|event| service.note(event))?;
        let (by, user, name, id) = (service.actor().name(), &new.user, &new.name, &made.0.id);
        tracing::info!(event = "rest.token.created", by, %user, name = ?name, id);
        Ok(made)
    }

    fn add(
        &self,
        new: &NewToken,
        inbox: String,
        now: u64,
        note: Note<'_>,
    ) -> directory::Result<(Token, Zeroizing<String>)> {
        let _alone = self.changing.lock();
        let mut rows = self.known()?;
        if rows.iter().any(|row| row.user == new.user && row.name == new.name) {
            return Err(Error::exists("name", &new.name, format!("a token of {}", new.user)));
        }
        // Those that are over make room.
        if rows.len() >= MOST {
            rows.retain(|row| row.expires.is_none_or(|end| end > now));
        }
        if rows.len() >= MOST {
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
        rows.push(row);
        self.change(rows, note, &token, [Deed::Create, Deed::Delete])?;
        Ok((token, secret))
    }

    /// Deletes one, and gives what it was; nothing if there is none. Blocks.
    ///
    /// # Errors
    /// The audit log or the file can't be written; the token is still good then.
    pub fn delete(&self, id: &str, service: &Service<'_>) -> directory::Result<Option<Token>> {
        let gone = self.remove(id, &|event| service.note(event))?;
        if let Some(Token { id, name, user, .. }) = &gone {
            tracing::info!(event = "rest.token.deleted", by = service.actor().name(), %user, name = ?name, id);
        }
        Ok(gone)
    }

    fn remove(&self, id: &str, note: Note<'_>) -> directory::Result<Option<Token>> {
        let _alone = self.changing.lock();
        let mut rows = self.known()?;
        let Some(at) = rows.iter().position(|row| row.id == id) else { return Ok(None) };
        let gone = Token::from(&rows.remove(at));
        self.change(rows, note, &gone, [Deed::Delete, Deed::Create])?;
        Ok(Some(gone))
    }

    /// Puts `rows` in place of what is there. The audit log says so first: whatever ends the server in between, no token comes
    /// or goes without an entry. Where the file can't be written an entry to the contrary follows.
    fn change(&self, rows: Vec<Row>, note: Note<'_>, token: &Token, deeds: [Deed; 2]) -> directory::Result<()> {
        let [done, undone] = deeds.map(|deed| deed.event(token));
        note(done)?;
        if let Err(error) = self.write(&rows) {
            if let Err(error) = note(undone) {
                tracing::error!(event = "directory.audit.failed", %error, id = token.id, "a token is what it was");
            }
            return Err(error);
        }
        *self.rows.lock() = Ok(rows);
        Ok(())
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

    fn known(&self) -> directory::Result<Vec<Row>> {
        let corrupt = |what: String| Error::Corrupt { key: self.path.display().to_string(), what };
        self.rows.lock().clone().map_err(corrupt)
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
mod tests;
