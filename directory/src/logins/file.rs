//! A user's file: a JSON object a line, in the order in which they were written (docs/formats/logins.md).
//!
//! Nothing is synced. A line that can't be read (torn by a kill, lost by a power cut) is passed over.

use std::path::{Path, PathBuf};

use durable::disk::{self, Disk, DiskFile, temporary_path};

use super::row::{Login, condense};
use crate::user::UserId;

/// A file that is longer is written anew with what is to be kept of it: some three hundred lines.
const LONG: u64 = 64 * 1024;

/// What is read of a file at most, of the end if it is longer: the most entries that may be kept ([`MOST_KEPT`](super::MOST_KEPT))
/// have some 300 octets each.
const MAX: usize = 1 << 20;

/// Adds entries to a user's file.
pub(super) fn add(
    disk: &dyn Disk,
    directory: &Path,
    user: &UserId,
    logins: Vec<Login>,
    keep: usize,
) -> disk::Result<()> {
    let path = path(directory, user);
    let file = match disk.open_rw(&path) {
        Ok(file) => file,
        Err(error) if error.is_not_found() => {
            disk.create_dir_all(disk::parent(&path))?;
            disk.create_new(&path)?
        }
        Err(error) => return Err(error),
    };
    let size = file.metadata()?.size;
    if size > LONG {
        let mut all = parse(&newest(&file)?);
        all.extend(logins);
        return replace(disk, &path, &text(&condense(all, keep)));
    }
    let mut lines = text(&logins);
    if !ends_a_line(&file, size)? {
        lines.insert(0, b'\n');
    }
    disk.write_at(&file, &lines, size)
}

/// The entries of a user's file, as far as they can be read; none if there is no file.
pub(super) fn read(disk: &dyn Disk, directory: &Path, user: &UserId) -> disk::Result<Vec<Login>> {
    match disk.open_read(&path(directory, user)) {
        Ok(file) => Ok(parse(&newest(&file)?)),
        Err(error) if error.is_not_found() => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// Removes a user's file, if there is one.
pub(super) fn remove(disk: &dyn Disk, directory: &Path, user: &UserId) -> disk::Result<()> {
    match disk.unlink(&path(directory, user)) {
        Err(error) if !error.is_not_found() => Err(error),
        _ => Ok(()),
    }
}

/// In one of 256 directories, so that none gets a million entries.
fn path(directory: &Path, user: &UserId) -> PathBuf {
    let hash = blake3::hash(user.as_str().as_bytes());
    directory.join(format!("{:02x}", hash.as_bytes()[0])).join(format!("{user}.log"))
}

/// The end of a file, all of it if it is not too long; of the first line there may be a part only.
fn newest(file: &DiskFile) -> disk::Result<Vec<u8>> {
    let size = file.metadata()?.size;
    let mut octets = vec![0; usize::try_from(size).map_or(MAX, |size| size.min(MAX))];
    let begin = size.saturating_sub(octets.len() as u64);
    let read = file.read_at(&mut octets, begin)?;
    octets.truncate(read);
    Ok(octets)
}

fn parse(octets: &[u8]) -> Vec<Login> {
    octets.split(|&octet| octet == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect()
}

fn text(logins: &[Login]) -> Vec<u8> {
    let mut text = Vec::new();
    for login in logins {
        // Strings and numbers: nothing of it can fail.
        if let Ok(line) = serde_json::to_vec(login) {
            text.extend(line);
            text.push(b'\n');
        }
    }
    text
}

/// Whether what comes next begins a line.
fn ends_a_line(file: &DiskFile, size: u64) -> disk::Result<bool> {
    let mut last = [b'\n'];
    if let Some(at) = size.checked_sub(1) {
        file.read_at(&mut last, at)?;
    }
    Ok(last == *b"\n")
}

/// Puts another file in its place. A power cut may leave it empty, never in the way.
fn replace(disk: &dyn Disk, path: &Path, octets: &[u8]) -> disk::Result<()> {
    let temporary = temporary_path(path);
    let placed = (|| {
        let file = disk.create_new(&temporary)?;
        disk.write_at(&file, octets, 0)?;
        disk.rename(&temporary, path)
    })();
    if placed.is_err() {
        // The first error is the one to report.
        let _ = disk.unlink(&temporary);
    }
    placed
}
