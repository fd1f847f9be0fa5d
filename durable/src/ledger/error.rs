//! What can go wrong with an open ledger, and why one is not opened.

use std::{path::PathBuf, sync::Arc};

use crate::disk;

/// An operation on an open ledger failed.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The journal could not take the batch (no room, say). Nothing changed; the next batch may succeed.
    #[error("the change was not recorded: {0}")]
    Refused(Arc<disk::Error>),
    /// An earlier error made the ledger unusable; the process should stop, and recover when it starts again.
    #[error("out of service since an earlier error: {0}")]
    Latched(Arc<str>),
    /// [`Ledger::close`](super::Ledger::close) was called.
    #[error("closed")]
    Closed,
    /// The value cannot be stored.
    #[error("cannot be stored: {0}")]
    Value(String),
    /// The index failed; callers see this as [`Error::Latched`].
    #[error("index: {0}")]
    Index(String),
    /// A copy (dump, archived journal) could not be written or read; the ledger itself goes on.
    #[error("copy: {0}")]
    Copy(Arc<disk::Error>),
}

/// Why a ledger was not opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another process has it.
    #[error("{} is in use by another process", .0.display())]
    InUse(PathBuf),
    /// There is no such ledger, and [`Options::create`](super::Options::create) was not given.
    #[error("{} does not exist", .0.display())]
    Missing(PathBuf),
    /// Something that was promised may be lost. Nothing on disk was changed.
    #[error("{} cannot be proved complete ({}); {repair}", dir.display(), why.join("; "))]
    Incomplete {
        /// The index directory.
        dir: PathBuf,
        /// What was tried and what was found, in order.
        why: Vec<String>,
        /// What the administrator can do ([`Options::repair`](super::Options::repair)).
        repair: String,
    },
    /// Written by a newer version of this program.
    #[error("{} was written by a newer version of this program", .0.display())]
    Newer(PathBuf),
    /// The file system refused.
    #[error(transparent)]
    Disk(#[from] disk::Error),
    /// The index cannot be opened for a reason that is not its content (rights, descriptors, room).
    #[error("index: {0}")]
    Index(String),
    /// The name is not made of `a-z`, `0-9` and `-`.
    #[error("{0:?} is not a ledger name")]
    BadName(String),
}
