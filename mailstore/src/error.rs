//! What can go wrong in the store, by consequence: each protocol maps [`ErrorKind`] to its own replies in one place.
//!
//! The text of an [`Error`] is for the administrator: it may name paths. What the client may know is the kind.

use std::path::PathBuf;

use durable::disk;

use crate::name::NameError;

/// The result of a store operation.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error by its consequence.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ErrorKind {
    /// No such mailbox, or none the asker may know of.
    NotFound,
    /// A mailbox of that name exists.
    Exists,
    /// The asker lacks a right, and may know that the mailbox exists.
    Denied,
    /// Not a mailbox name.
    BadName,
    /// The quota root has no room.
    OverQuota,
    /// The message is larger than the store takes.
    TooBig,
    /// A limit of the format is used up: keywords, UIDs.
    Limit,
    /// Somebody else has it locked or open.
    InUse,
    /// The message was expunged and its file is gone.
    Expunged,
    /// The change makes no sense for this mailbox (renaming it into itself, deleting an INBOX with folders ...).
    Invalid,
    /// Bytes on disk are not what they must be; the mailbox needs repair.
    Corrupt,
    /// No space, no inodes, or over the file system's own quota.
    DiskFull,
    /// The disk failed or refused.
    Io,
    /// The store shuts down or has latched after a failure of its database.
    Unavailable,
}

/// An error of the store.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// See [`ErrorKind::NotFound`].
    #[error("mailbox {0} does not exist")]
    NotFound(String),
    /// See [`ErrorKind::Exists`].
    #[error("mailbox {0} exists already")]
    Exists(String),
    /// See [`ErrorKind::Denied`]; the text names the missing right.
    #[error("permission denied: {0}")]
    Denied(String),
    /// See [`ErrorKind::BadName`].
    #[error(transparent)]
    BadName(#[from] NameError),
    /// See [`ErrorKind::OverQuota`].
    #[error("quota root {root} is full")]
    OverQuota {
        /// The root that governs the mailbox.
        root: String,
    },
    /// See [`ErrorKind::TooBig`].
    #[error("the message has {size} bytes, {limit} are allowed")]
    TooBig {
        /// The message's size in bytes, as far as it was read.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// See [`ErrorKind::Limit`].
    #[error("limit reached: {0}")]
    Limit(&'static str),
    /// See [`ErrorKind::InUse`].
    #[error("{0} is in use")]
    InUse(String),
    /// See [`ErrorKind::Expunged`].
    #[error("message {uid} of {mailbox} was expunged")]
    Expunged {
        /// The mailbox.
        mailbox: String,
        /// The message's UID.
        uid: u32,
    },
    /// See [`ErrorKind::Invalid`].
    #[error("{0}")]
    Invalid(String),
    /// See [`ErrorKind::Corrupt`].
    #[error("{path}: {what}")]
    Corrupt {
        /// The damaged file.
        path: PathBuf,
        /// What is wrong, and where in the file.
        what: String,
    },
    /// See [`ErrorKind::DiskFull`] and [`ErrorKind::Io`].
    #[error(transparent)]
    Disk(#[from] disk::Error),
    /// What happened to several who waited for the same sync.
    #[error("{0}")]
    Shared(std::sync::Arc<Error>),
    /// See [`ErrorKind::Unavailable`].
    #[error("the store is not available: {0}")]
    Unavailable(String),
}

impl Error {
    /// A damaged file and what is wrong with it.
    pub(crate) fn corrupt(path: impl Into<PathBuf>, what: impl Into<String>) -> Error {
        Error::Corrupt { path: path.into(), what: what.into() }
    }

    /// The error by its consequence.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::NotFound(_) => ErrorKind::NotFound,
            Error::Exists(_) => ErrorKind::Exists,
            Error::Denied(_) => ErrorKind::Denied,
            Error::BadName(_) => ErrorKind::BadName,
            Error::OverQuota { .. } => ErrorKind::OverQuota,
            Error::TooBig { .. } => ErrorKind::TooBig,
            Error::Limit(_) => ErrorKind::Limit,
            Error::InUse(_) => ErrorKind::InUse,
            Error::Expunged { .. } => ErrorKind::Expunged,
            Error::Invalid(_) => ErrorKind::Invalid,
            Error::Corrupt { .. } => ErrorKind::Corrupt,
            Error::Disk(error) if error.is_full() => ErrorKind::DiskFull,
            Error::Disk(_) => ErrorKind::Io,
            Error::Shared(error) => error.kind(),
            Error::Unavailable(_) => ErrorKind::Unavailable,
        }
    }
}
