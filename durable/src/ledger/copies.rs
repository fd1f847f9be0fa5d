//! The files beside the index: which there are, and the mark of a clean stop.

use std::path::{Path, PathBuf};

use crate::{
    disk::{self, Cause, Disk, FileKind, is_temporary_name},
    dump::DumpName,
    journal::{Line, active_path, archived_path, encode, parse},
};

/// The directory and the name that its files begin with.
#[derive(Clone, Debug)]
pub(super) struct Copies {
    dir: PathBuf,
    name: String,
}

/// What is there.
#[derive(Clone, Debug, Default)]
pub(super) struct Listing {
    pub(super) active: bool,
    /// Archived journals by the number before their first batch, ascending.
    pub(super) archived: Vec<u64>,
    /// Dumps, newest first.
    pub(super) dumps: Vec<DumpName>,
    /// The last batch before a clean stop.
    pub(super) clean: Option<u64>,
    /// A page of the index could not be read.
    pub(super) suspect: bool,
    temporaries: Vec<String>,
}

impl Listing {
    pub(super) fn is_empty(&self) -> bool {
        // A mark of a clean stop alone is the trace of a ledger that lost everything else: not a new one.
        !self.active && self.archived.is_empty() && self.dumps.is_empty() && self.clean.is_none() && !self.suspect
    }
}

/// A mark is one journal line.
const MAX_MARK: u64 = 4096;

impl Copies {
    pub(super) fn new(dir: &Path, name: &str) -> Self {
        Self { dir: dir.into(), name: name.into() }
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn active(&self) -> PathBuf {
        active_path(&self.dir, &self.name)
    }

    pub(super) fn archived(&self, after: u64) -> PathBuf {
        archived_path(&self.dir, &self.name, after)
    }

    pub(super) fn lock(&self) -> PathBuf {
        self.dir.join(format!("{}.lock", self.name))
    }

    fn clean_mark(&self) -> PathBuf {
        self.dir.join(format!("{}.clean", self.name))
    }

    fn suspect_mark(&self) -> PathBuf {
        self.dir.join(format!("{}.suspect", self.name))
    }

    pub(super) fn list(&self, disk: &dyn Disk) -> disk::Result<Listing> {
        let mut listing = Listing::default();
        let active = format!("{}.journal", self.name);
        let archived = format!("{active}.");
        let suspect = format!("{}.suspect", self.name);
        for entry in disk.read_dir(&self.dir)? {
            let Some(file) = entry.name.to_str().filter(|_| entry.kind == FileKind::File) else { continue };
            if is_temporary_name(&entry.name) && file.starts_with(&format!("{}.", self.name)) {
                listing.temporaries.push(file.into());
            } else if file == active {
                listing.active = true;
            } else if file == suspect {
                listing.suspect = true;
            } else if let Some(Ok(after)) = file.strip_prefix(&archived).map(str::parse) {
                listing.archived.push(after);
            } else if let Some(dump) = DumpName::parse(file, &self.name) {
                listing.dumps.push(dump);
            }
        }
        listing.archived.sort_unstable();
        listing.dumps.sort();
        listing.dumps.reverse();
        listing.clean = match disk.read(&self.clean_mark(), MAX_MARK) {
            Ok(bytes) => bytes.strip_suffix(b"\n").and_then(parse).map(|line| line.seq),
            // One that is too long for a mark is none.
            Err(error) if error.is_not_found() || matches!(error.cause, Cause::TooLarge { .. }) => None,
            Err(error) => return Err(error),
        };
        Ok(listing)
    }

    /// Removes what a crash left half-written.
    pub(super) fn tidy(&self, disk: &dyn Disk, listing: &Listing) -> disk::Result<()> {
        listing.temporaries.iter().try_for_each(|file| disk.unlink(&self.dir.join(file)))
    }

    pub(super) fn mark_clean(&self, disk: &dyn Disk, seq: u64) -> disk::Result<()> {
        let mut mark = Vec::new();
        encode(&mut mark, Line { seq, synced: seq, payload: "\"clean\"" });
        disk.replace_file(&self.clean_mark(), &mark)
    }

    /// From now on a stop is unclean until marked otherwise.
    pub(super) fn unmark_clean(&self, disk: &dyn Disk) -> disk::Result<()> {
        match disk.unlink(&self.clean_mark()) {
            Err(error) if error.is_not_found() => Ok(()),
            Err(error) => Err(error),
            Ok(()) => disk.sync_dir(&self.dir),
        }
    }

    /// The next start is to read the whole index.
    pub(super) fn suspect(&self, disk: &dyn Disk) -> disk::Result<()> {
        disk.replace_file(&self.suspect_mark(), b"a row of the index could not be read\n")
    }

    /// The index was read, or made anew.
    pub(super) fn unsuspect(&self, disk: &dyn Disk) -> disk::Result<()> {
        match disk.unlink(&self.suspect_mark()) {
            Err(error) if error.is_not_found() => Ok(()),
            Err(error) => Err(error),
            Ok(()) => disk.sync_dir(&self.dir),
        }
    }
}
