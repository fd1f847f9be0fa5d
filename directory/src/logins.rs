//! The history of logins: who came in as which user, from where and with what, and who did not (docs/formats/logins.md).
//!
//! Logins come by the thousand in a second, and nobody waits for this. An attempt is noted in memory, where those that differ
//! in nothing but their time are one entry, and a thread of its own writes what has gathered every few seconds, without a
//! sync. A process that is killed takes the last seconds along; a power cut may take more.
//!
//! It is a convenience: each user has a small file, and what can't be read of it is not there. No start and no login
//! depends on it.

mod file;
mod row;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Once};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use durable::disk::Disk;
use parking_lot::{Condvar, Mutex};

use crate::error::{Error, Result};
use crate::user::UserId;

pub use row::{Attempt, Login};

/// What has gathered is written so long after the first of it.
const GATHER: Duration = Duration::from_secs(5);

/// With so many entries it is written at once: some 20 MiB of them.
const MANY: usize = 1 << 16;

/// With so many nothing more is taken: the disk is too slow, and a login must not wait for it.
const TOO_MANY: usize = 1 << 18;

/// Most entries for each user that a history may be asked to keep: it is read whole, and written anew now and then.
pub const MOST_KEPT: u32 = 2000;

/// The history of all users' logins.
#[derive(Debug)]
pub struct Logins {
    shared: Arc<Shared>,
    /// The thread, from the first login on.
    begun: Once,
    writer: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
struct Shared {
    disk: Arc<dyn Disk>,
    directory: PathBuf,
    /// Entries of a user that are kept.
    keep: usize,
    gathered: Mutex<Gathered>,
    /// There is something to write, much of it, or it is over.
    wanted: Condvar,
    /// Whoever touches files.
    files: Mutex<()>,
}

/// What is not written yet.
#[derive(Debug, Default)]
struct Gathered {
    users: HashMap<UserId, Vec<Entry>>,
    entries: usize,
    /// Attempts that were not taken.
    lost: u64,
    closing: bool,
}

/// Attempts that differ in their time only.
#[derive(Clone, Debug)]
struct Entry {
    login: Login,
    /// The connection of the last one.
    conn: u64,
}

impl Logins {
    /// The history below `config`, with at most `keep` entries for each user. Nothing is read or made yet.
    #[must_use]
    pub fn new(config: &Path, disk: Arc<dyn Disk>, keep: usize) -> Logins {
        let shared = Shared {
            disk,
            directory: config.join("logins"),
            keep,
            gathered: Mutex::default(),
            wanted: Condvar::new(),
            files: Mutex::default(),
        };
        Logins { shared: Arc::new(shared), begun: Once::new(), writer: Mutex::default() }
    }

    /// Notes an attempt.
    pub fn note(&self, user: &UserId, attempt: Attempt) {
        self.begun.call_once(|| self.begin());
        let mut gathered = self.shared.gathered.lock();
        if gathered.entries >= TOO_MANY || gathered.closing {
            gathered.lost += 1;
            return;
        }
        let (was_empty, before) = (gathered.entries == 0, gathered.entries);
        let entries = match gathered.users.get_mut(user) {
            Some(entries) => entries,
            None => gathered.users.entry(user.clone()).or_default(),
        };
        let Attempt { conn, login } = attempt;
        let added = match entries.iter().position(|entry| entry.login.is_like(&login)) {
            Some(at) => {
                entries[at].login.join(&login);
                entries[at].conn = conn;
                0
            }
            None if entries.len() >= self.shared.keep => {
                // Somebody tries from everywhere: the first failures go, as they would from the file.
                let oldest = entries.iter().position(|entry| !entry.login.is_success()).unwrap_or(0);
                entries.remove(oldest);
                entries.push(Entry { login, conn });
                0
            }
            None => {
                entries.push(Entry { login, conn });
                1
            }
        };
        gathered.entries = before + added;
        if was_empty || gathered.entries == MANY {
            self.shared.wanted.notify_all();
        }
    }

    /// Notes what the client calls itself that came in over connection `conn`, if that is not written yet.
    pub fn name_client(&self, user: &UserId, conn: u64, client: &str) {
        let mut gathered = self.shared.gathered.lock();
        let Some(entries) = gathered.users.get_mut(user) else { return };
        let Some(at) = entries.iter().rposition(|entry| entry.conn == conn && entry.login.is_success()) else { return };
        let mut named = entries[at].login.clone();
        named.client = Some(client.to_owned());
        if entries[at].login.is_like(&named) {
            return;
        }
        // The attempt leaves those that it was counted with.
        (named.first, named.count) = (named.last, 1);
        let last_of_many = entries[at].login.count > 1;
        if last_of_many {
            entries[at].login.count -= 1;
        } else {
            entries.remove(at);
        }
        let mut change = if last_of_many { 0 } else { -1 };
        match entries.iter_mut().find(|entry| entry.login.is_like(&named)) {
            Some(entry) => {
                entry.login.join(&named);
                entry.conn = conn;
            }
            None => {
                entries.push(Entry { login: named, conn });
                change += 1;
            }
        }
        gathered.entries = gathered.entries.saturating_add_signed(change);
    }

    /// A user's, the latest first.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when the file can't be read.
    pub fn of(&self, user: &UserId) -> Result<Vec<Login>> {
        let shared = &self.shared;
        let _files = shared.files.lock();
        // In memory until somebody writes it: a command that only reads leaves no trace.
        let gathered: Vec<Login> = {
            let gathered = shared.gathered.lock();
            gathered.users.get(user).into_iter().flatten().map(|entry| entry.login.clone()).collect()
        };
        let mut logins = file::read(&*shared.disk, &shared.directory, user)
            .map_err(|error| Error::Unavailable(format!("the history of {user}'s logins: {error}")))?;
        logins.extend(gathered);
        let mut logins = row::condense(logins, shared.keep);
        logins.reverse();
        Ok(logins)
    }

    /// The user is gone.
    pub fn forget(&self, user: &UserId) {
        let shared = &self.shared;
        let _files = shared.files.lock();
        {
            let mut gathered = shared.gathered.lock();
            let gone = gathered.users.remove(user).map_or(0, |entries| entries.len());
            gathered.entries = gathered.entries.saturating_sub(gone);
        }
        if let Err(error) = file::remove(&*shared.disk, &shared.directory, user) {
            tracing::warn!(event = "logins.write.failed", %user, %error, "the history of a deleted user stays");
        }
    }

    /// Writes what has gathered; nothing is noted any more.
    pub fn close(&self) {
        self.shared.gathered.lock().closing = true;
        self.shared.wanted.notify_all();
        if let Some(writer) = self.writer.lock().take() {
            // It has logged what it could not do.
            let _ = writer.join();
        }
    }

    fn begin(&self) {
        let shared = Arc::clone(&self.shared);
        match std::thread::Builder::new().name("logins".into()).spawn(move || shared.run()) {
            Ok(thread) => *self.writer.lock() = Some(thread),
            Err(error) => tracing::error!(event = "logins.write.failed", %error, "there is no thread that writes"),
        }
    }
}

impl Drop for Logins {
    fn drop(&mut self) {
        self.close();
    }
}

impl Shared {
    /// Sleeps until there is something, lets more of it gather, writes it.
    fn run(&self) {
        loop {
            let closing = self.gather();
            self.write();
            if closing {
                return;
            }
        }
    }

    /// Waits until it is time to write; whether that is for the last time.
    fn gather(&self) -> bool {
        let mut gathered = self.gathered.lock();
        while gathered.entries == 0 && !gathered.closing {
            self.wanted.wait(&mut gathered);
        }
        let until = Instant::now() + GATHER;
        while gathered.entries < MANY && !gathered.closing {
            if self.wanted.wait_until(&mut gathered, until).timed_out() {
                break;
            }
        }
        gathered.closing
    }

    fn write(&self) {
        let _files = self.files.lock();
        let (users, lost) = {
            let mut gathered = self.gathered.lock();
            gathered.entries = 0;
            (std::mem::take(&mut gathered.users), std::mem::take(&mut gathered.lost))
        };
        let mut failed = None;
        for (user, entries) in users {
            let logins = entries.into_iter().map(|entry| entry.login).collect();
            if let Err(error) = file::add(&*self.disk, &self.directory, &user, logins, self.keep) {
                failed = Some(error);
            }
        }
        if let Some(error) = failed {
            tracing::warn!(event = "logins.write.failed", %error, "some logins are not in the history");
        }
        if lost > 0 {
            tracing::warn!(event = "logins.lost", lost, "so many logins came that some are not in the history");
        }
    }
}

#[cfg(test)]
mod tests;
