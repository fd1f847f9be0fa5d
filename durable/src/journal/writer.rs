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

/// Why a group of batches was not recorded.
#[derive(Debug)]
pub(crate) enum AppendError {
    /// The file is as before: the batches are refused, the next may succeed (no room on the disk, say).
    Undone(disk::Error),
    /// Nobody knows what the file holds: the journal must not be used any more.
    Broken(disk::Error),
}

impl JournalWriter {
    /// Starts (or replaces) the active file with one that continues after batch `after`. Until the rename the old one is
    /// in place, so there always is an active file.
    pub(crate) fn start(disk: &dyn Disk, dir: &Path, name: &str, after: u64) -> disk::Result<Self> {
        let path = active_path(dir, name);
        let temporary = temporary_path(&path);
        let mut header = Vec::new();
        let payload = serde_json::json!({ "journal": name, "version": VERSION }).to_string();
        encode(&mut header, Line { seq: after, synced: after, payload: &payload });
        let file = disk.create_new(&temporary)?;
        let placed = disk
            .write_at(&file, &header, 0)
            .and_then(|()| disk.sync_data(&file))
            .and_then(|()| disk.rename(&temporary, &path));
        if let Err(error) = placed {
            let _ = disk.unlink(&temporary);
            return Err(error);
        }
        disk.sync_dir(dir)?;
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
    ) -> Result<(), AppendError> {
        let mut bytes = Vec::new();
        let mut seq = self.last;
        for payload in payloads {
            seq += 1;
            encode(&mut bytes, Line { seq, synced: self.last, payload });
        }
        if let Err(error) = disk.write_at(&self.file, &bytes, self.end) {
            return Err(match disk.set_len(&self.file, self.end) {
                Ok(()) => AppendError::Undone(error),
                Err(_) => AppendError::Broken(error),
            });
        }
        if let Err(error) = disk.sync_data(&self.file) {
            // The callers are told "no", so the lines should not come back at the next start. Whether the cut reaches
            // the disk after a failed sync nobody can say: the journal is finished either way.
            let _ = disk.set_len(&self.file, self.end);
            return Err(AppendError::Broken(error));
        }
        self.end += bytes.len() as u64;
        self.last = seq;
        Ok(())
    }

    /// Puts the active file aside under its archive name and starts a new one.
    pub(crate) fn rotate(&mut self, disk: &dyn Disk, dir: &Path, name: &str) -> disk::Result<()> {
        if self.lines() == 0 {
            return Ok(());
        }
        let archived = archived_path(dir, name, self.after);
        // A second name first and the rename after it: no moment without an active file. A crash between the two leaves
        // two names for one file, which the next start tidies.
        keep_as(disk, &active_path(dir, name), &archived)?;
        disk.sync_dir(dir)?;
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
