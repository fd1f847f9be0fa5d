//! The duplicate delivery database: which message came to which mailbox lately, so that an MTA that lost our answer can
//! repeat its delivery and the user still gets one copy.
//!
//! It is a convenience: losing it costs a duplicate at worst. So it is not synced, and a damaged one is put aside and
//! begun anew. Key: message id, NUL, unique id of the mailbox (hashed where that is long); value: Unix seconds.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use durable::disk;

use crate::ident::UniqueId;

/// Longer keys are hashed: a message id may be as long as a header line.
const MAX_KEY: usize = 256;

/// sled keeps at most so much in memory: the keys of some hundred thousand deliveries.
const CACHE_BYTES: u64 = 32 << 20;

/// sled's threads keep the lock of a database for some milliseconds after it was dropped. Taken for damage, that would cost
/// all that is remembered.
const LOCK_PATIENCE: Duration = Duration::from_secs(3);

/// The duplicate delivery database.
#[derive(Debug)]
pub struct Duplicates(Option<sled::Db>);

impl Duplicates {
    /// Opens the database; one that is damaged is put aside. Without a database nothing is a duplicate.
    pub(crate) fn open(path: &Path) -> Duplicates {
        let open = || {
            if let Some(name) = disk::special_file(path) {
                return Err(sled::Error::ReportableBug(format!("{} is no regular file", name.display())));
            }
            let config = sled::Config::new().path(path).cache_capacity(CACHE_BYTES).flush_every_ms(Some(1000));
            let since = Instant::now();
            loop {
                // A damaged file may make sled panic.
                let opened = catch_unwind(AssertUnwindSafe(|| config.open()))
                    .unwrap_or_else(|_| Err(sled::Error::ReportableBug("sled panicked".to_owned())));
                match opened {
                    Err(error) if is_locked(&error) && since.elapsed() < LOCK_PATIENCE => {
                        std::thread::sleep(Duration::from_millis(5));
                    }
                    opened => return opened,
                }
            }
        };
        let opened = open().or_else(|error| {
            let aside = aside(path);
            tracing::warn!(event = "duplicates.damaged", %error, aside = %aside.display(), "begun anew");
            std::fs::rename(path, aside).map_err(sled::Error::Io).and_then(|()| open())
        });
        match opened {
            Ok(db) => Duplicates(Some(db)),
            Err(error) => {
                tracing::error!(event = "duplicates.open.failed", %error, "duplicates are not suppressed");
                Duplicates(None)
            }
        }
    }

    /// Whether the message was delivered to the mailbox already; if not, it is marked as delivered at `now` (Unix
    /// seconds). One of two who ask at the same time hears no.
    pub fn check_and_mark(&self, message_id: &str, mailbox: &UniqueId, now: i64) -> bool {
        let Some(db) = &self.0 else { return false };
        let swap = db.compare_and_swap(key(message_id, mailbox), None::<&[u8]>, Some(&now.to_le_bytes()[..]));
        match swap {
            Ok(swapped) => swapped.is_err(),
            Err(error) => {
                failed(&error);
                false
            }
        }
    }

    /// Takes a mark back: the delivery that it was made for has failed.
    pub fn unmark(&self, message_id: &str, mailbox: &UniqueId) {
        if let Some(db) = &self.0
            && let Err(error) = db.remove(key(message_id, mailbox))
        {
            failed(&error);
        }
    }

    /// When the message was delivered to the mailbox, Unix seconds.
    #[must_use]
    pub fn delivered_at(&self, message_id: &str, mailbox: &UniqueId) -> Option<i64> {
        let value = self.0.as_ref()?.get(key(message_id, mailbox)).inspect_err(failed).ok()??;
        Some(i64::from_le_bytes(value.as_ref().try_into().ok()?))
    }

    /// Gives every delivery to `each`: message id and unique id of the mailbox, nothing where the two were so long that only
    /// their hash is kept, and when it was. Ends when `each` returns `false`.
    pub fn each(&self, mut each: impl FnMut(Option<(&str, &str)>, i64) -> bool) {
        let Some(db) = &self.0 else { return };
        for entry in db.iter() {
            let Ok((key, value)) = entry.inspect_err(failed) else { return };
            let Ok(time) = value.as_ref().try_into().map(i64::from_le_bytes) else { continue };
            let text = std::str::from_utf8(&key).ok().and_then(|key| key.rsplit_once('\0'));
            if !each(text, time) {
                return;
            }
        }
    }

    /// Forgets deliveries before `before` (Unix seconds), and entries that make no sense. Returns how many.
    pub(crate) fn prune(&self, before: i64) -> u64 {
        let Some(db) = &self.0 else { return 0 };
        let mut removed = 0;
        for entry in db.iter() {
            let Ok((key, value)) = entry.inspect_err(failed) else { break };
            let time = value.as_ref().try_into().map(i64::from_le_bytes);
            if time.is_ok_and(|time| time >= before) {
                continue;
            }
            // Only if nobody renewed it since.
            match db.compare_and_swap(key, Some(value), None::<&[u8]>) {
                Ok(swapped) => removed += u64::from(swapped.is_ok()),
                Err(error) => {
                    failed(&error);
                    break;
                }
            }
        }
        removed
    }

    pub(crate) fn close(&self) {
        if let Some(db) = &self.0
            && let Err(error) = db.flush()
        {
            failed(&error);
        }
    }
}

fn key(message_id: &str, mailbox: &UniqueId) -> Vec<u8> {
    let key = [message_id.as_bytes(), b"\0", mailbox.as_str().as_bytes()].concat();
    if key.len() > MAX_KEY { blake3::hash(&key).as_bytes().to_vec() } else { key }
}

fn is_locked(error: &sled::Error) -> bool {
    matches!(error, sled::Error::Io(error) if error.to_string().starts_with("could not acquire lock"))
}

fn failed(error: &sled::Error) {
    tracing::error!(event = "duplicates.failed", %error);
}

/// A name beside the database that is free.
fn aside(path: &Path) -> PathBuf {
    let mut number = 0u32;
    loop {
        let candidate = path.with_extension(format!("db.bad.{number}"));
        if !candidate.exists() {
            return candidate;
        }
        number += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> UniqueId {
        UniqueId::parse(text).unwrap()
    }

    #[test]
    fn once_for_each_mailbox() {
        let dir = tempfile::tempdir().unwrap();
        let long = format!("<{}@x>", "a".repeat(5000));
        {
            let db = Duplicates::open(&dir.path().join("deliver.db"));
            for message in ["<1@x>", "", &long] {
                assert!(!db.check_and_mark(message, &id("a"), 100), "{message}");
                assert!(db.check_and_mark(message, &id("a"), 101), "{message}");
                assert!(!db.check_and_mark(message, &id("b"), 102), "{message}");
                assert_eq!(db.delivered_at(message, &id("a")), Some(100));
            }
            db.unmark("<1@x>", &id("a"));
            assert!(!db.check_and_mark("<1@x>", &id("a"), 200));
            db.close();
        }
        let db = Duplicates::open(&dir.path().join("deliver.db"));
        assert_eq!(db.delivered_at("<1@x>", &id("a")), Some(200));
        assert_eq!(db.prune(102), 2);
        assert_eq!(db.delivered_at(&long, &id("a")), None);
        assert_eq!(db.delivered_at(&long, &id("b")), Some(102));
    }

    #[test]
    fn damage_is_put_aside() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deliver.db");
        std::fs::write(&path, b"what sled can't open").unwrap();
        let db = Duplicates::open(&path);
        assert!(!db.check_and_mark("<1@x>", &id("a"), 1));
        assert!(db.check_and_mark("<1@x>", &id("a"), 1));
        assert!(dir.path().join("deliver.db.bad.0").exists());
    }
}
