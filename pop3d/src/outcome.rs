//! How a command ends, and the one place where errors of the store become POP3.

use std::borrow::Cow;

use mailstore::ErrorKind;
use wire::{ReadError, WriteError};

use crate::reply::Code;
use crate::session::Transaction;

/// What a command's function returns.
pub(crate) type Outcome = Result<Done, Refused>;

/// A command that worked.
#[derive(Debug)]
pub(crate) enum Done {
    /// `+OK` with this text.
    Ok(Cow<'static, str>),
    /// Everything was said.
    Said,
    /// `+OK`, and the maildrop is open.
    Enter(Box<Transaction>, String),
    /// `+OK`, then TLS.
    StartTls,
    /// `+OK`, then the end.
    Quit(String),
}

impl Done {
    /// `+OK`.
    pub(crate) fn ok(text: impl Into<Cow<'static, str>>) -> Outcome {
        Ok(Done::Ok(text.into()))
    }
}

/// A command that did not work.
#[derive(Debug)]
pub(crate) enum Refused {
    /// The client wrote something that no command is, or not now: `-ERR`.
    Bad(Cow<'static, str>),
    /// It cannot be done: `-ERR`. Nobody's fault, not logged.
    No(Option<Code>, Cow<'static, str>),
    /// It should have worked: `-ERR`, and the log says why.
    Server(mailstore::Error),
    /// The directory failed: `-ERR`, and the log says why.
    Directory(directory::Error),
    /// The command's own task failed: `-ERR`, and the log says why.
    Task(tokio::task::JoinError),
    /// `-ERR`, then the end.
    Fatal(&'static str),
    /// The client has been told, and the session ends.
    Ended,
    /// The connection is gone; nobody is there to be told.
    Gone(ReadError),
}

impl Refused {
    /// The client's error.
    pub(crate) fn bad(text: impl Into<Cow<'static, str>>) -> Refused {
        Refused::Bad(text.into())
    }

    /// `-ERR` with a response code.
    pub(crate) fn with(code: Code, text: impl Into<Cow<'static, str>>) -> Refused {
        Refused::No(Some(code), text.into())
    }

    /// The code and text that the client gets to see; nothing when it is gone.
    pub(crate) fn reply(&self) -> Option<(Option<Code>, &str)> {
        Some(match self {
            Refused::Bad(text) => (None, text),
            Refused::No(code, text) => (*code, text),
            Refused::Server(error) => {
                let (code, text) = server_reply(error.kind());
                (Some(code), text)
            }
            Refused::Directory(_) => (Some(Code::SysTemp), "The directory is not available, try again later"),
            Refused::Task(_) => (Some(Code::SysPerm), "Internal error, the administrator has been told"),
            Refused::Fatal(text) => (None, text),
            Refused::Ended | Refused::Gone(_) => return None,
        })
    }
}

/// What a client is told of a failure of ours. It never sees a path.
fn server_reply(kind: ErrorKind) -> (Code, &'static str) {
    match kind {
        ErrorKind::Corrupt => (Code::SysPerm, "The mailbox is damaged, the administrator has been told"),
        ErrorKind::DiskFull => (Code::SysTemp, "No space left, try again later"),
        ErrorKind::Unavailable => (Code::SysTemp, "The mail store is not available, try again later"),
        ErrorKind::Io => (Code::SysTemp, "The mail store failed, try again later"),
        _ => (Code::SysPerm, "Internal error, the administrator has been told"),
    }
}

impl From<mailstore::Error> for Refused {
    fn from(error: mailstore::Error) -> Self {
        match error.kind() {
            ErrorKind::NotFound => Refused::with(Code::SysPerm, "No such mailbox"),
            ErrorKind::BadName => Refused::with(Code::SysPerm, "Not a mailbox name"),
            ErrorKind::Denied => Refused::with(Code::SysPerm, "Permission denied"),
            ErrorKind::InUse => Refused::with(Code::SysTemp, "The mailbox is busy, try again later"),
            ErrorKind::Expunged => Refused::gone(),
            _ => Refused::Server(error),
        }
    }
}

impl Refused {
    /// The answer for a message that was expunged by somebody else meanwhile.
    pub(crate) fn gone() -> Refused {
        Refused::No(None, "That message is gone".into())
    }
}

impl From<mailstore::NameError> for Refused {
    fn from(_: mailstore::NameError) -> Self {
        Refused::with(Code::SysPerm, "Not a mailbox name")
    }
}

impl From<directory::Error> for Refused {
    fn from(error: directory::Error) -> Self {
        Refused::Directory(error)
    }
}

impl From<tokio::task::JoinError> for Refused {
    fn from(error: tokio::task::JoinError) -> Self {
        Refused::Task(error)
    }
}

impl From<ReadError> for Refused {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Line(error) => Refused::bad(error.to_string()),
            gone => Refused::Gone(gone),
        }
    }
}

impl From<WriteError> for Refused {
    fn from(error: WriteError) -> Self {
        Refused::Gone(error.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_the_store_tell_no_secret() {
        let check = |error: mailstore::Error, expected: Option<Code>| {
            let refused = Refused::from(error);
            let (code, text) = refused.reply().unwrap();
            assert_eq!(code, expected);
            assert!(!text.contains('/'), "{text}");
        };
        check(mailstore::Error::NotFound("user/sue/x".into()), Some(Code::SysPerm));
        check(mailstore::Error::Denied("user/sue/x: r".into()), Some(Code::SysPerm));
        check(mailstore::Error::Expunged { mailbox: "user/sue".into(), uid: 1 }, None);
        check(mailstore::Error::Corrupt { path: "/var/x".into(), what: "bad".into() }, Some(Code::SysPerm));
    }
}
