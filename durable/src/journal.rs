//! The journal: an append-only text file, one line a batch, that is the record of every change.
//!
//! ```text
//! journal = header *line
//! header  = line                       ; its seq is the number of the last batch before this file
//! line    = crc SP seq SP synced SP payload LF
//! crc     = 8HEXDIG                    ; CRC-32 (ISO-HDLC) of everything between the first SP and the LF
//! seq     = 1*20DIGIT                  ; counts batches from 1 without gaps
//! synced  = 1*20DIGIT                  ; all batches up to here were durable when this line was written
//! payload = <JSON without line breaks>
//! ```
//!
//! `synced` tells a torn tail from damage. Lines that are written together are synced together, and nothing is written
//! while a sync is under way; so after a power cut only lines above the highest `synced` may be missing or torn. They were
//! never acknowledged and are cut. A bad line at or below it held a promise: that is damage, and an error.

mod line;
mod scan;
mod writer;

use std::path::{Path, PathBuf};

pub(crate) use line::{Line, encode, parse};
pub(crate) use scan::{Inspection, LineReader, inspect, replay};
pub(crate) use writer::{JournalWriter, WriteError};

/// The longest line that is written or read: a batch that renames a tree of 100,000 mailboxes fits, and a reader of
/// damaged bytes stays bounded.
pub(crate) const MAX_LINE: usize = 64 << 20;

/// The version in the header; readers refuse journals of a newer one.
pub(crate) const VERSION: u32 = 1;

/// The file that is being appended to.
pub(crate) fn active_path(dir: &Path, name: &str) -> PathBuf {
    dir.join(format!("{name}.journal"))
}

/// A finished file, by the number of the last batch before it.
pub(crate) fn archived_path(dir: &Path, name: &str, after: u64) -> PathBuf {
    dir.join(format!("{name}.journal.{after:020}"))
}
