//! Why a command failed, and the code it exits with.

use std::io;

use directory::UserId;
use thiserror::Error;

use crate::Exit;
use crate::user::MAX_PASSWORD;

/// Why a command on users, domains or the store did not do what it was asked to.
#[derive(Debug, Error)]
pub enum CommandError {
    /// The directory refuses, or fails.
    #[error(transparent)]
    Directory(#[from] directory::Error),
    /// The mailbox cannot be made. The account waits for it: the same command again goes on from there.
    #[error("the mailbox of {user} cannot be made: {problem}")]
    Mailbox {
        /// Whose.
        user: UserId,
        /// Why.
        problem: mailstore::Error,
    },
    /// The store refuses, or fails.
    #[error(transparent)]
    Store(#[from] mailstore::Error),
    /// There is no password in what was read.
    #[error("no password given: it is one line of standard input")]
    NoPassword,
    /// The password cannot be used at a login.
    #[error("a password has at most {MAX_PASSWORD} octets, none of them NUL")]
    BadPassword,
    /// It was called with words that make no sense.
    #[error("{0}")]
    Usage(String),
    /// What it was to read is not there.
    #[error("{0}")]
    Missing(String),
    /// Reading or answering failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl CommandError {
    /// How a command that fails so ends.
    pub fn exit(&self) -> Exit {
        use directory::Error;
        match self {
            Self::Directory(Error::Rule { .. } | Error::Protected { .. })
            | Self::NoPassword
            | Self::BadPassword
            | Self::Usage(_) => Exit::Usage,
            Self::Directory(Error::Exists { .. }) => Exit::CantCreate,
            Self::Directory(Error::NoUser(_)) => Exit::NoUser,
            Self::Directory(Error::NoDomain(_) | Error::NoAlias(_)) | Self::Missing(_) => Exit::NoInput,
            Self::Directory(Error::Denied { .. }) => Exit::NoPermission,
            Self::Directory(Error::Corrupt { .. }) => Exit::Data,
            Self::Directory(Error::Unavailable(_) | Error::Conflict { .. }) | Self::Mailbox { .. } | Self::Store(_) => {
                Exit::TempFail
            }
            Self::Io(error) if error.kind() == io::ErrorKind::NotFound => Exit::NoInput,
            Self::Io(_) => Exit::Io,
        }
    }
}
