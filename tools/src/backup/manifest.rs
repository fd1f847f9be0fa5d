//! What a backup says of itself: `manifest.jsonl`, a JSON object a line. It is written last, so that a backup without one is
//! one that was not finished.
//!
//! ```text
//! {"kind":"backup","version":1,"time":1795400000,"program":"0.1.0"}
//! {"kind":"mailbox","name":"user/joe","partition":"default","id":"...","uid_validity":7,"directory":"spool/default/user/joe","messages":2}
//! {"kind":"file","path":"spool/default/user/joe/1.","size":1234,"hash":"..."}
//! {"kind":"end","mailboxes":1,"messages":2,"octets":2468}
//! ```

use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::regular_file::open_regular;

/// The manifest's name.
pub(crate) const FILE: &str = "manifest.jsonl";
/// The version that is written, and the only one that is read.
pub(super) const VERSION: u32 = 1;

/// Longest line that is read: a path of the store is far shorter.
const MAX_LINE: u64 = 64 * 1024;

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

/// A manifest being written.
pub(super) struct Writer {
    out: BufWriter<Box<dyn Write>>,
}

impl Writer {
    pub(super) fn new(to: Box<dyn Write>) -> Self {
        Self { out: BufWriter::new(to) }
    }

    pub(super) fn add(&mut self, entry: &Entry) -> io::Result<()> {
        serde_json::to_writer(&mut self.out, entry)?;
        self.out.write_all(b"\n")
    }

    /// All of it is written.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Reads a manifest, line by line.
pub(crate) fn read<E: From<io::Error>>(dir: &Path, mut each: impl FnMut(Entry) -> Result<(), E>) -> Result<(), E> {
    let wrong = |line: usize, what: &dyn std::fmt::Display| {
        io::Error::new(io::ErrorKind::InvalidData, format!("{}, line {line}: {what}", dir.join(FILE).display()))
    };
    let file = open_regular(&dir.join(FILE)).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => io::Error::new(
            io::ErrorKind::NotFound,
            format!("{} has no {FILE}: it is no backup, or one that was not finished", dir.display()),
        ),
        _ => error,
    })?;
    let (mut file, mut line) = (BufReader::new(file), Vec::new());
    let (mut last, mut ended) = (0, false);
    for number in 1.. {
        line.clear();
        if file.by_ref().take(MAX_LINE).read_until(b'\n', &mut line)? == 0 {
            break;
        }
        if line.last() != Some(&b'\n') {
            return Err(wrong(number, &"the manifest is cut off").into());
        }
        let entry: Entry = serde_json::from_slice(&line).map_err(|error| wrong(number, &error))?;
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
