//! The marks of deliveries, in a sled database. Key: message id, NUL, unique id of the mailbox (hashed where that is long);
//! value: Unix seconds, 8 octets, little-endian.

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

/// The database of marks.
#[derive(Debug)]
pub(super) struct Marks(sled::Db);

impl Marks {
    /// Opens the database; one that is damaged is put aside. Nothing if there can be none.
    pub(super) fn open(path: &Path) -> Option<Marks> {
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
            Ok(db) => Some(Marks(db)),
            Err(error) => {
                tracing::error!(event = "duplicates.open.failed", %error, "duplicates are not suppressed");
                None
            }
        }
    }

    /// Sets the mark of a delivery at `time` (Unix seconds).
    pub(super) fn set(&self, key: &[u8], time: i64) {
        if let Err(error) = self.0.insert(key, &time.to_le_bytes()[..]) {
            failed(&error);
        }
    }

    /// When the delivery was, Unix seconds.
    pub(super) fn get(&self, key: &[u8]) -> Option<i64> {
        let value = self.0.get(key).inspect_err(failed).ok()??;
        Some(i64::from_le_bytes(value.as_ref().try_into().ok()?))
    }

    /// Gives every mark to `each`: message id and unique id of the mailbox, or nothing where only their hash is kept; and
    /// when it was. Ends when `each` returns `false`.
    pub(super) fn each(&self, mut each: impl FnMut(Option<(&str, &str)>, i64) -> bool) {
        for entry in self.0.iter() {
            let Ok((key, value)) = entry.inspect_err(failed) else { return };
            let Ok(time) = value.as_ref().try_into().map(i64::from_le_bytes) else { continue };
            let text = std::str::from_utf8(&key).ok().and_then(|key| key.rsplit_once('\0'));
            if !each(text, time) {
                return;
            }
        }
    }

    /// Removes marks before `before` (Unix seconds), and entries that make no sense. Returns how many.
    pub(super) fn prune(&self, before: i64) -> u64 {
        let mut removed = 0;
        for entry in self.0.iter() {
            let Ok((key, value)) = entry.inspect_err(failed) else { break };
            let time = value.as_ref().try_into().map(i64::from_le_bytes);
            if time.is_ok_and(|time| time >= before) {
                continue;
            }
            // Only if nobody renewed it since.
            match self.0.compare_and_swap(key, Some(value), None::<&[u8]>) {
                Ok(swapped) => removed += u64::from(swapped.is_ok()),
                Err(error) => {
                    failed(&error);
                    break;
                }
            }
        }
        removed
    }

    /// Makes all marks durable. Returns whether they are.
    pub(super) fn flush(&self) -> bool {
        self.0.flush().inspect_err(failed).is_ok()
    }
}

/// The key of a mark.
pub(super) fn key(message_id: &str, mailbox: &UniqueId) -> Vec<u8> {
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
    fn marks_are_kept_and_pruned() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deliver.db");
        let long = format!("<{}@x>", "a".repeat(5000));
        {
            let marks = Marks::open(&path).unwrap();
            for message in ["<1@x>", "", &long] {
                marks.set(&key(message, &id("a")), 100);
                marks.set(&key(message, &id("b")), 102);
                assert_eq!(marks.get(&key(message, &id("c"))), None, "{message}");
            }
            marks.set(&key("<1@x>", &id("a")), 200);
            assert!(marks.flush());
        }
        let marks = Marks::open(&path).unwrap();
        assert_eq!(marks.get(&key("<1@x>", &id("a"))), Some(200));
        assert_eq!(marks.prune(102), 2);
        assert_eq!(marks.get(&key(&long, &id("a"))), None);
        assert_eq!(marks.get(&key(&long, &id("b"))), Some(102));
    }

    #[test]
    fn damage_is_put_aside() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deliver.db");
        std::fs::write(&path, b"what sled can't open").unwrap();
        let marks = Marks::open(&path).unwrap();
        marks.set(b"1", 1);
        assert_eq!(marks.get(b"1"), Some(1));
        assert!(dir.path().join("deliver.db.bad.0").exists());
    }
}
