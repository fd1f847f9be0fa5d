//! The index on sled 0.34: one tree, one writer.
//!
//! What is known about sled and how it is met (the journal is why none of it can lose a change):
//! - `flush()` on Linux ends in `sync_file_range`, which writes neither file size nor drive cache: `fdatasync` on our own
//!   descriptor of its file follows each flush;
//! - a damaged file may make it panic: every call is guarded, and a panic is an error;
//! - it would wait for ever for the writer of a FIFO: its directory is looked through before;
//! - an error of its background threads stays in it for good: any error latches the ledger;
//! - its memory grows far beyond the data when the cache is smaller than the data: see
//!   [`Options::cache_bytes`](super::Options::cache_bytes).

use std::{
    fmt,
    fs::File,
    ops::Bound,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use rustix::io::Errno;

use crate::disk::special_file;

use super::{Error, Json, batch::Row, index::Index, index::IndexRows};

/// Not UTF-8, so it can never be the key of a row, and behind every one that can.
const APPLIED: &[u8] = b"\xffapplied";

/// sled's background threads keep the lock of a database for some milliseconds after it was dropped.
const LOCK_PATIENCE: Duration = Duration::from_secs(3);

pub(super) struct SledIndex {
    db: sled::Db,
    /// For the real sync.
    file: File,
    dir: PathBuf,
}

/// Why an index was not opened.
#[derive(Debug)]
pub(super) enum IndexOpenError {
    /// Its content is no good.
    Damaged(String),
    /// Another process has it.
    InUse,
    /// Something around it (rights, descriptors, room): rebuilding would not help.
    Environment(String),
}

impl SledIndex {
    pub(super) fn open(dir: &Path, cache_bytes: u64) -> Result<Self, IndexOpenError> {
        if let Some(name) = special_file(dir) {
            return Err(IndexOpenError::Damaged(format!("{} is no regular file", name.display())));
        }
        let config = sled::Config::new()
            .path(dir)
            .cache_capacity(cache_bytes)
            // The journal is the commit: this only bounds how much is replayed.
            .flush_every_ms(Some(500));
        let since = Instant::now();
        let db = loop {
            match guarded(|| config.open()) {
                Ok(db) => break db,
                Err(Failure::Sled(error)) if is_lock(&error) => {
                    if since.elapsed() > LOCK_PATIENCE {
                        return Err(IndexOpenError::InUse);
                    }
                    thread::sleep(Duration::from_millis(5));
                }
                Err(Failure::Sled(sled::Error::Io(error))) if is_environment(&error) => {
                    return Err(IndexOpenError::Environment(error.to_string()));
                }
                Err(failure) => return Err(IndexOpenError::Damaged(failure.to_string())),
            }
        };
        let file = File::open(dir.join("db")).map_err(|error| IndexOpenError::Environment(error.to_string()))?;
        let index = Self { db, file, dir: dir.into() };
        // The first read of the counter is also the first look at the tree.
        index.applied().map_err(|error| IndexOpenError::Damaged(error.to_string()))?;
        Ok(index)
    }

    /// Bytes of its file, if the system tells.
    pub(super) fn size(&self) -> Option<u64> {
        self.file.metadata().ok().map(|metadata| metadata.len())
    }
}

impl Index for SledIndex {
    fn get(&self, key: &str) -> Result<Option<Json>, Error> {
        match guarded(|| self.db.get(key))? {
            Some(value) => json(&value).map(Some),
            None => Ok(None),
        }
    }

    fn range(&self, start: Bound<&str>) -> IndexRows {
        let start = start.map(|key| key.as_bytes().to_vec());
        let mut rows = self.db.range((start, Bound::Excluded(APPLIED.to_vec())));
        Box::new(std::iter::from_fn(move || match guarded(|| rows.next().transpose()) {
            Ok(None) => None,
            Ok(Some((key, value))) => Some(text(&key).and_then(|key| Ok((key, json(&value)?)))),
            Err(failure) => Some(Err(failure.into())),
        }))
    }

    fn range_back(&self) -> IndexRows {
        let mut rows = self.db.range(..APPLIED.to_vec()).rev();
        Box::new(std::iter::from_fn(move || match guarded(|| rows.next().transpose()) {
            Ok(None) => None,
            Ok(Some((key, value))) => Some(text(&key).and_then(|key| Ok((key, json(&value)?)))),
            Err(failure) => Some(Err(failure.into())),
        }))
    }

    fn apply(&self, rows: &mut dyn Iterator<Item = Row>, seq: u64) -> Result<(), Error> {
        let mut batch = sled::Batch::default();
        for (key, value) in rows {
            match value {
                Some(value) => batch.insert(key.into_bytes(), value.into_bytes()),
                None => batch.remove(key.into_bytes()),
            }
        }
        batch.insert(APPLIED, seq.to_le_bytes().as_slice());
        Ok(guarded(|| self.db.apply_batch(batch))?)
    }

    fn applied(&self) -> Result<u64, Error> {
        match guarded(|| self.db.get(APPLIED))? {
            None if guarded(|| self.db.first())?.is_none() => Ok(0),
            None => Err(Error::Index("rows without the number of their batch".into())),
            Some(value) => {
                let bytes = value.as_ref().try_into().map_err(|_| Error::Index("the batch number is bad".into()))?;
                Ok(u64::from_le_bytes(bytes))
            }
        }
    }

    fn flush(&self) -> Result<(), Error> {
        guarded(|| self.db.flush())?;
        self.file.sync_data().map_err(|error| Error::Index(error.to_string()))
    }

    fn dir(&self) -> &Path {
        &self.dir
    }
}

impl fmt::Debug for SledIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SledIndex").field(&self.dir).finish()
    }
}

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("{0}")]
    Sled(sled::Error),
    #[error("sled panicked: {0}")]
    Panic(String),
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        Self::Index(failure.to_string())
    }
}

fn guarded<T>(call: impl FnOnce() -> sled::Result<T>) -> Result<T, Failure> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(result) => result.map_err(Failure::Sled),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
            Err(Failure::Panic(text.into()))
        }
    }
}

fn is_lock(error: &sled::Error) -> bool {
    matches!(error, sled::Error::Io(error) if error.to_string().starts_with("could not acquire lock"))
}

fn is_environment(error: &std::io::Error) -> bool {
    const NOT_ITS_FAULT: [Errno; 9] = [
        Errno::ACCESS,
        Errno::PERM,
        Errno::MFILE,
        Errno::NFILE,
        Errno::NOSPC,
        Errno::DQUOT,
        Errno::ROFS,
        Errno::NOMEM,
        Errno::IO,
    ];
    Errno::from_io_error(error).is_some_and(|errno| NOT_ITS_FAULT.contains(&errno))
}

fn text(bytes: &[u8]) -> Result<String, Error> {
    String::from_utf8(bytes.to_vec()).map_err(|_| Error::Index("a row is not UTF-8".into()))
}

fn json(bytes: &[u8]) -> Result<Json, Error> {
    text(bytes).map(Json)
}
