//! `angarium backup --verify`: whether a backup still is what its manifest says.

use std::io::{self, Read};
use std::path::Path;

use mailstore::ContentHash;

use super::manifest::{self, Entry};
use crate::error::CommandError;
use crate::regular_file::open_regular;
use crate::{Console, Exit, Progress};

/// Reads every file of the backup in `dir` and compares it with its hash, a line for each that differs.
///
/// Ends with [`Exit::Found`] if one does.
///
/// # Errors
/// There is no manifest, or it cannot be read.
pub fn verify_backup(dir: &Path, console: &mut dyn Console) -> Result<Exit, CommandError> {
    let dir = console.directory().join(dir);
    let (mut files, mut bad) = (0u64, 0u64);
    manifest::read(&dir, |entry| {
        let Entry::File { path, size, hash } = entry else { return Ok::<_, CommandError>(()) };
        files += 1;
        if let Err(what) = compare(&dir, &path, size, &hash) {
            bad += 1;
            console.out(&format!("{path}: {what}"))?;
        }
        if files.is_multiple_of(256) {
            console.progress(&Progress { what: path, done: files, total: None })?;
        }
        Ok(())
    })?;
    console.out(&format!("{files} files, {bad} bad"))?;
    Ok(if bad > 0 { Exit::Found } else { Exit::Ok })
}

fn compare(dir: &Path, path: &str, size: u64, hash: &str) -> Result<(), String> {
    let place = manifest::place(dir, path).ok_or("its path leads out of the backup")?;
    let text = |error: io::Error| error.to_string();
    let mut file = open_regular(&place).map_err(text)?;
    if file.metadata().map_err(text)?.len() != size {
        return Err("the size differs".to_owned());
    }
    let mut bytes = Vec::new();
    file.by_ref().take(size).read_to_end(&mut bytes).map_err(text)?;
    if ContentHash::of(&bytes).to_string() != hash {
        return Err("the hash differs".to_owned());
    }
    Ok(())
}
