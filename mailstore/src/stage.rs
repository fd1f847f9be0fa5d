//! Incoming messages: written once below `stage./` of the partition, made durable and analysed, then linked into every
//! mailbox that gets a copy (single instance). The staged name goes away when the last interested party is done; what a
//! crash leaves is removed at the store's next start.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use durable::disk::{Disk, DiskFile, UnixTime};
use message::{Analysis, Limits};

use crate::counters::Counters;
use crate::error::{Error, Result};
use crate::ident::{ContentHash, Timestamp};

/// The directory's name in a partition. It ends in a dot, so it can't be a mailbox.
pub(crate) const DIRECTORY: &str = "stage.";

/// A message up to this size is kept in memory until it is whole: one write instead of many, and nothing to read back
/// for the analysis. 256 KiB holds nine messages in ten; larger ones spill to the file.
const IN_MEMORY: usize = 256 << 10;

/// Largest message there can be, whatever the configuration says: it is in memory while it is analysed. A file that is
/// larger is no message, wherever it lies.
pub const MAX_MESSAGE: u64 = 1 << 30;

static SERIAL: AtomicU64 = AtomicU64::new(0);

/// A message that is being received.
pub struct StageWriter {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    /// Made when the message spills or ends.
    file: Option<DiskFile>,
    /// What is not written yet.
    pending: Vec<u8>,
    written: u64,
    limit: u64,
    modified: Option<Timestamp>,
    counters: Arc<Counters>,
}

impl StageWriter {
    /// What is kept in memory of a message that is being received, at most.
    pub const IN_MEMORY: u64 = IN_MEMORY as u64;

    /// A new message below `directory`, of at most `limit` bytes.
    pub(crate) fn new(disk: Arc<dyn Disk>, directory: &Path, limit: u64, counters: Arc<Counters>) -> StageWriter {
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let path = directory.join(format!("{}-{}-{serial}.", std::process::id(), Timestamp::now().seconds));
        let limit = limit.min(MAX_MESSAGE);
        StageWriter { disk, path, file: None, pending: Vec::new(), written: 0, limit, modified: None, counters }
    }

    /// Gives the file a modification time: that of the message's internal date, where it can't be read from the message,
    /// so that the date survives the loss of the index.
    pub fn set_internal_date(&mut self, date: Timestamp) {
        self.modified = Some(date);
    }

    /// Bytes received so far.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.written + self.pending.len() as u64
    }

    /// Whether nothing was received yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether [`write`](Self::write) of `more` bytes reaches the disk, that is, may block.
    #[must_use]
    pub fn would_spill(&self, more: usize) -> bool {
        self.pending.len() + more > IN_MEMORY
    }

    /// Adds bytes.
    ///
    /// # Errors
    /// [`Error::TooBig`] beyond the limit, or the disk's. The writer is of no use afterwards.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let size = self.len() + bytes.len() as u64;
        if size > self.limit {
            return Err(Error::TooBig { size, limit: self.limit });
        }
        if self.would_spill(bytes.len()) {
            self.spill()?;
        }
        if bytes.len() > IN_MEMORY {
            let file = self.file()?;
            self.disk.write_at(&file, bytes, self.written)?;
            self.written += bytes.len() as u64;
        } else {
            self.pending.extend_from_slice(bytes);
        }
        Ok(())
    }

    /// Ends the message: writes what is left, analyses it, and makes it durable.
    ///
    /// # Errors
    /// The disk's; a message that can't be parsed is a message all the same.
    pub fn finish(self) -> Result<Staged> {
        self.finish_with(&Limits::default())
    }

    fn finish_with(mut self, limits: &Limits) -> Result<Staged> {
        let file = self.file()?;
        if !self.pending.is_empty() {
            self.disk.write_at(&file, &self.pending, self.written)?;
        }
        let whole = if self.written == 0 { std::mem::take(&mut self.pending) } else { file.read_all(self.limit)? };
        let size = u32::try_from(whole.len()).map_err(|_| Error::TooBig { size: self.len(), limit: self.limit })?;
        let analysis = message::analyse(&whole, limits);
        let hash = ContentHash::of(&whole);
        match self.modified {
            // fdatasync skips times, and this one carries a date.
            Some(date) => {
                self.disk.set_times(&file, UnixTime { secs: date.seconds, nanos: 0 })?;
                self.disk.sync_all(&file)?;
            }
            None => self.disk.sync_data(&file)?,
        }
        self.counters.message_syncs.add(1);
        // The file's fate passes to `Staged`; this writer must not remove it.
        self.file = None;
        Ok(Staged { disk: Arc::clone(&self.disk), path: std::mem::take(&mut self.path), file, size, hash, analysis })
    }

    fn spill(&mut self) -> Result<()> {
        let file = self.file()?;
        self.disk.write_at(&file, &self.pending, self.written)?;
        self.written += self.pending.len() as u64;
        self.pending.clear();
        Ok(())
    }

    fn file(&mut self) -> Result<DiskFile> {
        if self.file.is_none() {
            self.file = Some(self.disk.create_new(&self.path)?);
        }
        self.file.clone().ok_or_else(|| Error::Unavailable("stage file".into()))
    }
}

impl Drop for StageWriter {
    fn drop(&mut self) {
        if self.file.is_some() {
            remove(&*self.disk, &self.path);
        }
    }
}

/// A message that is whole, durable and analysed, and waits to be linked into mailboxes.
pub struct Staged {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    file: DiskFile,
    size: u32,
    hash: ContentHash,
    analysis: Analysis,
}

impl Staged {
    /// Size in bytes.
    #[must_use]
    pub fn size(&self) -> u32 {
        self.size
    }

    /// Hash of the bytes.
    #[must_use]
    pub fn hash(&self) -> ContentHash {
        self.hash
    }

    /// What was found out about the message.
    #[must_use]
    pub fn analysis(&self) -> &Analysis {
        &self.analysis
    }

    /// The file, open for reading.
    #[must_use]
    pub fn file(&self) -> &DiskFile {
        &self.file
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        remove(&*self.disk, &self.path);
    }
}

/// A staged name that can't be removed is harmless garbage, removed at the next start.
fn remove(disk: &dyn Disk, path: &Path) {
    if let Err(error) = disk.unlink(path) {
        tracing::debug!(event = "stage.remove.failed", %error);
    }
}

#[cfg(test)]
mod tests {
    use durable::disk::RealDisk;

    use super::*;

    fn writer(dir: &Path, limit: u64) -> StageWriter {
        StageWriter::new(Arc::new(RealDisk), dir, limit, Arc::default())
    }

    #[test]
    fn small_and_large_messages_arrive_whole() {
        let dir = tempfile::tempdir().unwrap();
        for size in [1usize, 1000, IN_MEMORY, IN_MEMORY + 1, 3 * IN_MEMORY + 17] {
            let mut text = b"Subject: x\r\n\r\n".to_vec();
            text.resize(text.len() + size, b'y');
            let mut w = writer(dir.path(), 10 << 20);
            for chunk in text.chunks(70_001) {
                w.write(chunk).unwrap();
            }
            let staged = w.finish().unwrap();
            assert_eq!(staged.file().read_all(10 << 20).unwrap(), text);
            assert_eq!(staged.hash(), ContentHash::of(&text));
            assert_eq!(staged.size() as usize, text.len());
            drop(staged);
        }
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "stage is empty again");
    }

    #[test]
    fn too_large_is_refused_and_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let mut w = writer(dir.path(), 600_000);
        w.write(&vec![b'x'; 500_000]).unwrap();
        let error = w.write(&[b'x'; 100_001]).unwrap_err();
        assert_eq!(error.kind(), crate::error::ErrorKind::TooBig);
        drop(w);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
