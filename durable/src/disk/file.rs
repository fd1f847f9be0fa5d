//! An open file, and what the file system says about one.

use std::{
    ffi::OsString,
    fmt,
    fs::File,
    io::IoSliceMut,
    ops::Range,
    os::fd::{AsFd, BorrowedFd},
    path::Path,
    sync::Arc,
    time::SystemTime,
};

use rustix::{
    fs::{FileType, FlockOperation, Stat, fstat},
    io::{Errno, ReadWriteFlags, pread, preadv2, retry_on_intr},
};

use super::{Cause, Error, Op, Result};

/// An open regular file; cheap to clone, closed with its last clone.
///
/// Reads are direct. Writing through the descriptor behind [`Disk`](super::Disk)'s back would escape the fault tests:
/// the descriptor is handed out for mapping and `sendfile` only.
#[derive(Clone)]
pub struct DiskFile(Arc<Inner>);

struct Inner {
    file: File,
    path: Box<Path>,
}

impl DiskFile {
    pub(super) fn new(file: File, path: &Path) -> Self {
        Self(Arc::new(Inner { file, path: path.into() }))
    }

    /// The path it was opened under; it may have been renamed since.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// The standard library's file, for mapping and for sending.
    #[must_use]
    pub fn as_file(&self) -> &File {
        &self.0.file
    }

    /// Reads up to `buffer.len()` bytes at `offset`; fewer only at the end of the file.
    pub fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize> {
        let mut done = 0;
        while done < buffer.len() {
            let at = offset.checked_add(done as u64).ok_or_else(|| self.error(Op::Read, Errno::OVERFLOW))?;
            match self.read_some_at(&mut buffer[done..], at)? {
                0 => break,
                read => done += read,
            }
        }
        Ok(done)
    }

    /// One read at `offset`: what the kernel gives, nothing at the end of the file.
    fn read_some_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize> {
        retry_on_intr(|| pread(&self.0.file, &mut *buffer, offset)).map_err(|errno| self.error(Op::Read, errno))
    }

    /// Fills `buffer` from `offset`; [`Cause::Short`] if the file ends before.
    pub fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> Result<()> {
        if self.read_at(buffer, offset)? == buffer.len() {
            return Ok(());
        }
        let end = offset.saturating_add(buffer.len() as u64);
        Err(Error { op: Op::Read, path: self.path().into(), cause: Cause::Short { end } })
    }

    /// The whole content; [`Cause::TooLarge`] if that is more than `limit` bytes.
    pub fn read_all(&self, limit: u64) -> Result<Vec<u8>> {
        let too_large = || Error { op: Op::Read, path: self.path().into(), cause: Cause::TooLarge { limit } };
        let size = self.metadata()?.size;
        if size > limit {
            return Err(too_large());
        }
        // One byte more than the size: the read that finds the end of the file is then the first one.
        let expected = usize::try_from(size).map_err(|_| too_large())?;
        let mut bytes = vec![0; expected + 1];
        let mut done = self.read_some_at(&mut bytes, 0)?;
        loop {
            // All that there was, and the read found nothing behind it.
            if done != expected || bytes.len() != expected + 1 {
                done += self.read_at(&mut bytes[done..], done as u64)?;
            }
            if done < bytes.len() {
                bytes.truncate(done);
                return Ok(bytes);
            }
            // It grew while we read.
            if done as u64 > limit {
                return Err(too_large());
            }
            let grown = (bytes.len() * 2).min(usize::try_from(limit).unwrap_or(usize::MAX - 1) + 1);
            bytes.resize(grown, 0);
        }
    }

    /// Whether the first and the last byte of a range can be read without a wait for the disk at this moment. Pages
    /// between them may be missing all the same; the kernel reads ahead in order, so that is rare.
    #[must_use]
    pub fn is_cached(&self, bytes: Range<u64>) -> bool {
        let is_cached = |at| {
            let mut byte = [0];
            let read = preadv2(&self.0.file, &mut [IoSliceMut::new(&mut byte)], at, ReadWriteFlags::NOWAIT);
            matches!(read, Ok(1))
        };
        bytes.end.checked_sub(1).is_some_and(|last| is_cached(bytes.start) && is_cached(last))
    }

    /// What the file system knows about the open file.
    pub fn metadata(&self) -> Result<Metadata> {
        fstat(&self.0.file).map(|stat| Metadata::from(&stat)).map_err(|errno| self.error(Op::Metadata, errno))
    }

    /// Takes an exclusive lock on the open file without waiting; `false` if somebody else holds it. Released with the
    /// last clone.
    pub fn try_lock(&self) -> Result<bool> {
        match retry_on_intr(|| rustix::fs::flock(&self.0.file, FlockOperation::NonBlockingLockExclusive)) {
            Ok(()) => Ok(true),
            Err(Errno::WOULDBLOCK) => Ok(false),
            Err(errno) => Err(self.error(Op::Lock, errno)),
        }
    }

    pub(super) fn error(&self, op: Op, errno: Errno) -> Error {
        Error::os(op, self.path(), errno)
    }
}

impl AsFd for DiskFile {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.file.as_fd()
    }
}

impl fmt::Debug for DiskFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("DiskFile").field(&self.path()).finish()
    }
}

/// What a directory entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link, never followed by the store.
    Symlink,
    /// FIFO, socket or device.
    Other,
}

impl fmt::Display for FileKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::File => "a regular file",
            Self::Directory => "a directory",
            Self::Symlink => "a symbolic link",
            Self::Other => "a special file",
        })
    }
}

impl From<FileType> for FileKind {
    fn from(kind: FileType) -> Self {
        match kind {
            FileType::RegularFile => Self::File,
            FileType::Directory => Self::Directory,
            FileType::Symlink => Self::Symlink,
            _ => Self::Other,
        }
    }
}

/// One entry of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirEntry {
    /// Its name, any bytes.
    pub name: OsString,
    /// What it is.
    pub kind: FileKind,
    /// Its inode number.
    pub ino: u64,
}

/// A time of the file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixTime {
    /// Seconds since 1970-01-01 UTC, negative before.
    pub secs: i64,
    /// Nanoseconds within the second, below 1,000,000,000.
    pub nanos: u32,
}

impl UnixTime {
    /// What the clock says. Times of files come from a coarser clock, which is never ahead of it.
    #[must_use]
    pub fn now() -> Self {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self { secs: i64::try_from(since.as_secs()).unwrap_or(i64::MAX), nanos: since.subsec_nanos() }
    }
}

/// What the file system knows about a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// The device, which with `ino` names the file whatever it is called.
    pub dev: u64,
    /// The inode number.
    pub ino: u64,
    /// What it is.
    pub kind: FileKind,
    /// Bytes.
    pub size: u64,
    /// How many names it has.
    pub nlink: u64,
    /// Permission bits (lowest twelve).
    pub mode: u32,
    /// The owner.
    pub uid: u32,
    /// When the content last changed.
    pub modified: UnixTime,
    /// When the inode last changed.
    pub changed: UnixTime,
}

impl From<&Stat> for Metadata {
    fn from(stat: &Stat) -> Self {
        Self {
            dev: stat.st_dev,
            ino: stat.st_ino,
            kind: FileType::from_raw_mode(stat.st_mode).into(),
            size: u64::try_from(stat.st_size).unwrap_or(0),
            nlink: u64::from(stat.st_nlink as u32),
            mode: stat.st_mode & 0o7777,
            uid: stat.st_uid,
            modified: UnixTime { secs: stat.st_mtime, nanos: stat.st_mtime_nsec as u32 },
            changed: UnixTime { secs: stat.st_ctime, nanos: stat.st_ctime_nsec as u32 },
        }
    }
}
