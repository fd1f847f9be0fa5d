//! The narrow module through which every byte of the store reaches the file system.
//!
//! [`Disk`] has two implementations: [`RealDisk`] (one system call an operation, nothing more) and [`FaultyDisk`], which
//! numbers every change and can fail, tear or stop at any of them, so that a test can end the world at each single write,
//! sync, link, rename and unlink.
//!
//! Reading through an open [`DiskFile`] is direct (`pread`, mapping, `sendfile`): a fault there is the kernel's business
//! and costs no detour. Every *change* goes through the trait.
//!
//! What callers may rely on:
//! - files are made with mode 0600 and directories with 0700, always new (`O_EXCL`);
//! - the last component of a path is never followed if it is a symbolic link, and anything but a regular file is refused
//!   without blocking (a FIFO planted in a mailbox must not stop the server);
//! - paths come from names that were validated by the caller: this module adds no `..` check of its own;
//! - a failed sync is final. The kernel may have dropped the dirty pages, so the caller undoes its change; it never
//!   retries the sync in place.

mod error;
mod faulty;
mod file;
mod real;

use std::{
    ffi::{OsStr, OsString},
    hash::{BuildHasher, RandomState},
    io::IoSlice,
    path::{Path, PathBuf},
};

pub use error::{Cause, Error, Op, Result};
pub use faulty::{Fault, FaultyDisk, LossReport, TracedOp};
pub use file::{DirEntry, DiskFile, FileKind, Metadata, UnixTime};
pub use real::RealDisk;

/// The file system as the store sees it. Use it as `Arc<dyn Disk>`.
///
/// Every method may block; callers on a reactor move the call to a blocking thread.
pub trait Disk: Send + Sync + std::fmt::Debug {
    /// Opens an existing regular file for reading.
    fn open_read(&self, path: &Path) -> Result<DiskFile>;

    /// Opens an existing regular file for reading and writing.
    fn open_rw(&self, path: &Path) -> Result<DiskFile>;

    /// Makes a new file, open for reading and writing, mode 0600; fails if the name is taken by anything at all.
    ///
    /// The name is durable only after [`sync_dir`](Self::sync_dir) of its directory.
    fn create_new(&self, path: &Path) -> Result<DiskFile>;

    /// Writes all of `bytes` at `offset`, growing the file where needed. On an error any part may have been written.
    fn write_at(&self, file: &DiskFile, bytes: &[u8], offset: u64) -> Result<()>;

    /// Writes all of `parts`, one after another from `offset` on, with as few system calls as the kernel allows.
    fn write_vectored_at(&self, file: &DiskFile, parts: &[IoSlice<'_>], offset: u64) -> Result<()>;

    /// Cuts a file to `len` bytes: only for the torn tail of an append-only file that nobody has mapped. A mapped file
    /// is replaced, never cut, because its readers would fault.
    fn set_len(&self, file: &DiskFile, len: u64) -> Result<()>;

    /// Sets modification (and access) time. Durable only after [`sync_all`](Self::sync_all): `fdatasync` skips times.
    fn set_times(&self, file: &DiskFile, modified: UnixTime) -> Result<()>;

    /// Sets the permission bits of a file or directory (never through a symbolic link), and its owner where one is given.
    fn set_mode(&self, path: &Path, mode: u32, owner: Option<u32>) -> Result<()>;

    /// Copies the whole content of `from` to the start of the empty file `to` inside the kernel (a reflink where the
    /// file system has them); returns the number of bytes.
    fn copy(&self, from: &DiskFile, to: &DiskFile) -> Result<u64>;

    /// Makes the bytes and the size of a file durable (`fdatasync`).
    fn sync_data(&self, file: &DiskFile) -> Result<()>;

    /// Makes the bytes and all metadata of a file durable (`fsync`).
    fn sync_all(&self, file: &DiskFile) -> Result<()>;

    /// Makes the entries of a directory durable.
    fn sync_dir(&self, path: &Path) -> Result<()>;

    /// Makes everything on the file system of the directory `path` durable (`syncfs`): for work that makes many files and
    /// is of use only whole.
    fn sync_everything(&self, path: &Path) -> Result<()>;

    /// Gives a file a second name; fails if `to` exists.
    fn link(&self, from: &Path, to: &Path) -> Result<()>;

    /// Renames, replacing what was at `to`.
    fn rename(&self, from: &Path, to: &Path) -> Result<()>;

    /// Renames, failing if anything is at `to`.
    fn rename_no_replace(&self, from: &Path, to: &Path) -> Result<()>;

    /// Removes one name of a file.
    fn unlink(&self, path: &Path) -> Result<()>;

    /// Makes a directory, mode 0700; fails if the name is taken.
    fn mkdir(&self, path: &Path) -> Result<()>;

    /// Removes an empty directory.
    fn rmdir(&self, path: &Path) -> Result<()>;

    /// The entries of a directory without `.` and `..`, in no particular order.
    fn read_dir(&self, path: &Path) -> Result<Vec<DirEntry>>;

    /// What the file system knows about a name; a symbolic link is described, not followed.
    fn metadata(&self, path: &Path) -> Result<Metadata>;

    /// Whether anything has this name.
    fn exists(&self, path: &Path) -> Result<bool> {
        match self.metadata(path) {
            Ok(_) => Ok(true),
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The whole content of a file, refused if it is longer than `limit` bytes (the file may be anything by now).
    fn read(&self, path: &Path, limit: u64) -> Result<Vec<u8>> {
        self.open_read(path)?.read_all(limit)
    }

    /// Replaces (or makes) a file so that after a crash at any point either the old or the new content is there, whole:
    /// temporary file, write, sync, rename, directory sync.
    fn replace_file(&self, path: &Path, bytes: &[u8]) -> Result<()> {
        let temporary = temporary_path(path);
        let placed = (|| {
            let file = self.create_new(&temporary)?;
            self.write_at(&file, bytes, 0)?;
            self.sync_data(&file)?;
            self.rename(&temporary, path)
        })();
        if let Err(error) = placed {
            // The first error is the one to report; a temporary file left behind is recognised by its name.
            let _ = self.unlink(&temporary);
            return Err(error);
        }
        self.sync_dir(parent(path))
    }

    /// Makes a directory and its missing parents, each durable in its own parent. Succeeds if it exists.
    fn create_dir_all(&self, path: &Path) -> Result<()> {
        let mut missing = Vec::new();
        let mut at = path;
        while !self.exists(at)? {
            missing.push(at);
            at = parent(at);
        }
        for dir in missing.into_iter().rev() {
            match self.mkdir(dir) {
                Ok(()) => self.sync_dir(parent(dir))?,
                // Somebody else was faster; the loop goes on below it.
                Err(error) if error.is_exists() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// The directory that holds `path`'s entry; `.` for a bare name.
#[must_use]
pub fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(dir) if dir.as_os_str().is_empty() => Path::new("."),
        Some(dir) => dir,
        None => path,
    }
}

/// The name of something in `dir` that is neither a file nor a directory: a FIFO, a device, a link. For the directories of
/// sled, which opens what lies there and would wait for ever for the writer of a FIFO. A directory that can't be read is
/// for sled to complain about.
#[must_use]
pub fn special_file(dir: &Path) -> Option<OsString> {
    let mut entries = std::fs::read_dir(dir).ok()?.filter_map(std::result::Result::ok);
    let special = entries.find(|entry| entry.file_type().is_ok_and(|kind| !kind.is_file() && !kind.is_dir()));
    special.map(|entry| entry.file_name())
}

/// A fresh name beside `path` for a file that will be renamed over it: `<name>.<pid>-<random>.tmp`.
///
/// Two processes upgrading the same file must never share a temporary name, hence process id and random part.
#[must_use]
pub fn temporary_path(path: &Path) -> PathBuf {
    let mut name = path.file_name().map(OsStr::to_os_string).unwrap_or_default();
    // A fresh RandomState is keyed by the operating system's random numbers plus a counter: unique, no dependency.
    let random = RandomState::new().hash_one(path);
    name.push(format!(".{}-{random:016x}{TEMPORARY_SUFFIX}", std::process::id()));
    path.with_file_name(name)
}

/// Whether a directory entry is a temporary file of [`Disk::replace_file`], left by a crash and safe to remove when the
/// store has no other owner.
#[must_use]
pub fn is_temporary_name(name: &OsStr) -> bool {
    let Some(stem) = name.to_str().and_then(|name| name.strip_suffix(TEMPORARY_SUFFIX)) else { return false };
    let Some((pid, random)) = stem.rsplit_once('.').and_then(|(_, tag)| tag.split_once('-')) else { return false };
    !pid.is_empty()
        && pid.bytes().all(|byte| byte.is_ascii_digit())
        && random.len() == 16
        && random.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The temporary names that crashes left in `dir`.
pub fn leftover_temporaries(disk: &dyn Disk, dir: &Path) -> Result<Vec<OsString>> {
    let mut names: Vec<_> = disk.read_dir(dir)?.into_iter().map(|entry| entry.name).collect();
    names.retain(|name| is_temporary_name(name));
    Ok(names)
}

const TEMPORARY_SUFFIX: &str = ".tmp";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn temporary_names_are_fresh_and_recognised() {
        let path = Path::new("/a/cyrus.index");
        let (first, second) = (temporary_path(path), temporary_path(path));
        assert_ne!(first, second);
        assert_eq!(first.parent(), path.parent());
        assert!(is_temporary_name(first.file_name().unwrap()));
        for name in ["cyrus.index", "1.", "x.tmp", "x.12-zz.tmp", "x.-0123456789abcdef.tmp", ".tmp", ""] {
            assert!(!is_temporary_name(OsStr::new(name)), "{name}");
        }
    }

    #[test]
    fn parents() {
        for (path, expected) in [("a/b", "a"), ("b", "."), ("/", "/"), ("/a", "/")] {
            assert_eq!(parent(Path::new(path)), Path::new(expected), "{path}");
        }
    }
}
