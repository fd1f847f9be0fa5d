//! What went wrong on the disk: the operation, the path and the cause.

use std::path::{Path, PathBuf};

use rustix::io::Errno;

use super::FileKind;

/// The result of a disk operation.
pub type Result<T> = std::result::Result<T, Error>;

/// A failed disk operation. For the log: the path is the administrator's business, never a client's.
#[derive(Debug, thiserror::Error)]
#[error("{op} {}: {cause}", path.display())]
pub struct Error {
    /// What was tried.
    pub op: Op,
    /// On which path (for an open file, the path it was opened under).
    pub path: PathBuf,
    /// Why it failed.
    pub cause: Cause,
}

/// Why a disk operation failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Cause {
    /// The operating system's answer.
    #[error("{0}")]
    Os(Errno),
    /// There is something else where a regular file was expected.
    #[error("not a regular file but {0}")]
    NotRegular(FileKind),
    /// The file is larger than the caller was ready to read.
    #[error("larger than the limit of {limit} bytes")]
    TooLarge {
        /// The caller's limit.
        limit: u64,
    },
    /// The file ended before the bytes that were asked for.
    #[error("ends before byte {end}")]
    Short {
        /// Where the file should have reached to.
        end: u64,
    },
    /// [`FaultyDisk`](super::FaultyDisk) plays a process that was killed: nothing happens any more.
    #[error("simulated crash")]
    Crashed,
}

/// A disk operation, as named in errors and in the trace of [`FaultyDisk`](super::FaultyDisk).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is the method of the same name, or nearly so")]
pub enum Op {
    OpenRead,
    OpenRw,
    Create,
    Read,
    Write,
    SetLen,
    SetTimes,
    SetMode,
    Copy,
    Sync,
    SyncDir,
    SyncAll,
    Link,
    Rename,
    Unlink,
    Mkdir,
    Rmdir,
    ReadDir,
    Metadata,
    Lock,
}

impl Error {
    pub(super) fn os(op: Op, path: &Path, errno: Errno) -> Self {
        Self { op, path: path.to_path_buf(), cause: Cause::Os(errno) }
    }

    /// The operating system's error number, if it came from there.
    #[must_use]
    pub fn errno(&self) -> Option<Errno> {
        match self.cause {
            Cause::Os(errno) => Some(errno),
            _ => None,
        }
    }

    /// The name does not exist.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.errno() == Some(Errno::NOENT)
    }

    /// The name is taken.
    #[must_use]
    pub fn is_exists(&self) -> bool {
        self.errno() == Some(Errno::EXIST)
    }

    /// No room (disk, quota of the service user, or inodes): the peer should come back later.
    #[must_use]
    pub fn is_full(&self) -> bool {
        matches!(self.errno(), Some(Errno::NOSPC | Errno::DQUOT | Errno::FBIG))
    }

    /// Something other than a regular file has the name.
    #[must_use]
    pub fn is_not_regular(&self) -> bool {
        matches!(self.cause, Cause::NotRegular(_))
    }

    /// The same for whoever knows the system's errors only.
    #[must_use]
    pub fn into_io(self) -> std::io::Error {
        let kind = self.errno().map_or(std::io::ErrorKind::Other, |errno| std::io::Error::from(errno).kind());
        std::io::Error::new(kind, self)
    }

    /// [`FaultyDisk`](super::FaultyDisk) stopped here.
    #[must_use]
    pub fn is_simulated_crash(&self) -> bool {
        matches!(self.cause, Cause::Crashed)
    }
}

impl std::fmt::Display for Op {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::OpenRead | Self::OpenRw => "open",
            Self::Create => "create",
            Self::Read => "read",
            Self::Write => "write",
            Self::SetLen => "truncate",
            Self::SetTimes => "set times of",
            Self::SetMode => "set mode of",
            Self::Copy => "copy",
            Self::Sync => "sync",
            Self::SyncDir => "sync directory",
            Self::SyncAll => "sync the file system of",
            Self::Link => "link",
            Self::Rename => "rename",
            Self::Unlink => "unlink",
            Self::Mkdir => "make directory",
            Self::Rmdir => "remove directory",
            Self::ReadDir => "read directory",
            Self::Metadata => "stat",
            Self::Lock => "lock",
        })
    }
}
