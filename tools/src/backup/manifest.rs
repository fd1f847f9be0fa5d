//! What a backup says of itself: `manifest.jsonl`, a JSON object a line. It is written last, so that a backup without one is
//! one that was not finished.
//!
//! ```text
//! {"kind":"backup","version":1,"time":1795400000,"program":"0.1.0"}
//! {"kind":"mailbox","name":"user/joe","partition":"default","id":"...","uid_validity":7,"directory":"spool/default/user/joe","messages":2}
//! {"kind":"file","path":"spool/default/user/joe/1.","size":1234,"hash":"..."}
//! {"kind":"end","mailboxes":1,"messages":2,"octets":2468}
//! ```

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// The manifest's name.
pub(crate) const FILE: &str = "manifest.jsonl";
/// The version that is written, and the only one that is read.
pub(super) const VERSION: u32 = 1;

/// A line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(crate) enum Entry {
    /// The first.
    Backup {
        /// Of the format.
        version: u32,
        /// Unix seconds at which the backup began.
        time: i64,
        /// The program that made it.
        program: String,
    },
    /// A mailbox; its files follow.
    Mailbox {
        /// Its name.
        name: String,
        /// The partition it was on.
        partition: String,
        /// Its unique id.
        id: String,
        /// Its UIDVALIDITY.
        uid_validity: u32,
        /// Where its files are, from the backup's directory.
        directory: String,
        /// How many messages it has.
        messages: u64,
    },
    /// A file.
    File {
        /// From the backup's directory.
        path: String,
        /// Octets.
        size: u64,
        /// BLAKE3, in hexadecimal digits.
        hash: String,
    },
    /// The last.
    End {
        /// Mailboxes in the backup.
        mailboxes: u64,
        /// Messages in it.
        messages: u64,
        /// Octets of all its files.
        octets: u64,
    },
}

/// A manifest being written, under another name until it is whole.
pub(super) struct Writer {
    out: BufWriter<File>,
    temporary: PathBuf,
    path: PathBuf,
}

impl Writer {
    pub(super) fn create(dir: &Path) -> io::Result<Self> {
        let (path, temporary) = (dir.join(FILE), dir.join(format!("{FILE}.new")));
        Ok(Self { out: BufWriter::new(File::create(&temporary)?), temporary, path })
    }

    pub(super) fn add(&mut self, entry: &Entry) -> io::Result<()> {
        serde_json::to_writer(&mut self.out, entry)?;
        self.out.write_all(b"\n")
    }

    /// Makes the backup whole: every file of it is durable before the manifest has its name.
    pub(super) fn finish(self, dir: &Path) -> io::Result<()> {
        let Self { out, temporary, path } = self;
        out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        let dir = File::open(dir)?;
        rustix::fs::syncfs(&dir)?;
        std::fs::rename(temporary, path)?;
        dir.sync_all()
    }
}

/// Reads a manifest, line by line.
pub(crate) fn read<E: From<io::Error>>(dir: &Path, mut each: impl FnMut(Entry) -> Result<(), E>) -> Result<(), E> {
    let wrong = |line: usize, what: &dyn std::fmt::Display| {
        io::Error::new(io::ErrorKind::InvalidData, format!("{}, line {line}: {what}", dir.join(FILE).display()))
    };
    let file = File::open(dir.join(FILE)).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => io::Error::new(
            io::ErrorKind::NotFound,
            format!("{} has no {FILE}: it is no backup, or one that was not finished", dir.display()),
        ),
        _ => error,
    })?;
    let (mut last, mut ended) = (0, false);
    for (number, line) in (1..).zip(BufReader::new(file).lines()) {
        let entry: Entry = serde_json::from_str(&line?).map_err(|error| wrong(number, &error))?;
        match &entry {
            Entry::Backup { version: VERSION, .. } if number == 1 => {}
            Entry::Backup { version, .. } => {
                return Err(wrong(number, &format!("version {version} is not known here")).into());
            }
            _ if number == 1 => return Err(wrong(number, &"it does not begin like a manifest").into()),
            _ => {}
        }
        (last, ended) = (number, matches!(entry, Entry::End { .. }));
        each(entry)?;
    }
    if ended { Ok(()) } else { Err(wrong(last, &"the manifest is cut off").into()) }
}

/// Where an entry's file is, if its path stays inside the backup.
pub(crate) fn place(dir: &Path, path: &str) -> Option<PathBuf> {
    let inside = Path::new(path).components().all(|part| matches!(part, std::path::Component::Normal(_)));
    inside.then(|| dir.join(path))
}
