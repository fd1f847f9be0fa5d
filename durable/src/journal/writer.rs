//! The end of the journal, where batches are added.

use std::path::Path;

use super::{Line, VERSION, active_path, archived_path, encode};
use crate::disk::{self, Disk, DiskFile, temporary_path};

/// Writes the active journal file. One caller at a time: it is the leader of a group commit.
#[derive(Debug)]
pub(crate) struct JournalWriter {
    file: DiskFile,
    /// Where the next line goes; nothing behind it counts.
    end: u64,
    /// The number of the last durable batch.
    last: u64,
    /// The number of the last batch before this file.
    after: u64,
}

/// Why batches were not recorded, or a new file not begun.
#[derive(Debug)]
pub(crate) enum WriteError {
    /// All is as before: this is refused, the next may succeed (no room on the disk, say).
    Undone(disk::Error),
    /// Nobody knows what the disk holds: the journal must not be used any more. A line written now could land in a file
    /// that the next start does not read.
    Broken(disk::Error),
}

impl WriteError {
    /// What the disk said.
    pub(crate) fn into_disk(self) -> disk::Error {
        match self {
            Self::Undone(error) | Self::Broken(error) => error,
        }
    }
}

impl JournalWriter {
    /// Starts (or replaces) the active file with one that continues after batch `after`. Until the rename the old one is
    /// in place, so there always is an active file.
    ///
    /// After [`WriteError::Broken`] the name may lead to either file, now or after a power cut.
    pub(crate) fn start(disk: &dyn Disk, dir: &Path, name: &str, after: u64) -> Result<Self, WriteError> {
        let path = active_path(dir, name);
        let temporary = temporary_path(&path);
        let mut header = Vec::new();
        let payload = serde_json::json!({ "journal": name, "version": VERSION }).to_string();
        encode(&mut header, Line { seq: after, synced: after, payload: &payload });
        let file = disk.create_new(&temporary).map_err(WriteError::Undone)?;
        let placed = disk
            .write_at(&file, &header, 0)
            .and_then(|()| disk.sync_data(&file))
            .and_then(|()| disk.rename(&temporary, &path));
        if let Err(error) = placed {
            let _ = disk.unlink(&temporary);
            return Err(WriteError::Undone(error));
        }
        disk.sync_dir(dir).map_err(WriteError::Broken)?;
        Ok(Self { file, end: header.len() as u64, last: after, after })
    }

    /// Goes on with an inspected file whose torn tail, if any, was cut.
    pub(crate) fn resume(disk: &dyn Disk, path: &Path, end: u64, last: u64, after: u64) -> disk::Result<Self> {
        Ok(Self { file: disk.open_rw(path)?, end, last, after })
    }

    /// The number of the last durable batch.
    pub(crate) fn last(&self) -> u64 {
        self.last
    }

    /// How many batches this file holds.
    pub(crate) fn lines(&self) -> u64 {
        self.last - self.after
    }

    /// Appends the batches with the numbers that follow and makes them durable with one sync.
    pub(crate) fn append<'a>(
        &mut self,
        disk: &dyn Disk,
        payloads: impl Iterator<Item = &'a str>,
    ) -> Result<(), WriteError> {
        let mut bytes = Vec::new();
        let mut seq = self.last;
        for payload in payloads {
            seq += 1;
            encode(&mut bytes, Line { seq, synced: self.last, payload });
        }
        if let Err(error) = disk.write_at(&self.file, &bytes, self.end) {
            return Err(match disk.set_len(&self.file, self.end) {
                Ok(()) => WriteError::Undone(error),
                Err(_) => WriteError::Broken(error),
            });
        }
        if let Err(error) = disk.sync_data(&self.file) {
            // The callers are told "no", so the lines should not come back at the next start. Whether the cut reaches
            // the disk after a failed sync nobody can say: the journal is finished either way.
            let _ = disk.set_len(&self.file, self.end);
            return Err(WriteError::Broken(error));
        }
        self.end += bytes.len() as u64;
        self.last = seq;
        Ok(())
    }

    /// Puts the active file aside under its archive name and starts a new one.
    pub(crate) fn rotate(&mut self, disk: &dyn Disk, dir: &Path, name: &str) -> Result<(), WriteError> {
        if self.lines() == 0 {
            return Ok(());
        }
        let archived = archived_path(dir, name, self.after);
        // A second name first and the rename after it: no moment without an active file. A crash between the two leaves
        // two names for one file, which the next start tidies.
        keep_as(disk, &active_path(dir, name), &archived).map_err(WriteError::Undone)?;
        disk.sync_dir(dir).map_err(WriteError::Undone)?;
        *self = Self::start(disk, dir, name, self.last)?;
        Ok(())
    }
}

/// Gives the active file a second name, unless a rotation cut short did it already.
fn keep_as(disk: &dyn Disk, active: &Path, archived: &Path) -> disk::Result<()> {
    match disk.link(active, archived) {
        Err(error) if error.is_exists() => {
            let (one, other) = (disk.metadata(active)?, disk.metadata(archived)?);
            if (one.dev, one.ino) == (other.dev, other.ino) { Ok(()) } else { Err(error) }
        }
        linked => linked,
    }
}
