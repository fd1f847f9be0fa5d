//! How a command ends: the tagged reply, and the one place where errors of the store become IMAP.
//!
//! Whose fault it is decides the word: BAD for what the client wrote, NO for what cannot be done, and NO with a log line
//! for what is our fault. A client never sees a path, nor whether a mailbox exists that it may not know of.

use std::borrow::Cow;

use mailstore::ErrorKind;
use wire::framing::{BadCommand, FrameError};
use wire::memory::NoMemory;
use wire::{ReadError, WriteError};

use crate::namespace::BadName;
use crate::reply::Code;
use crate::session::Session;
use crate::syntax::{Problem, SyntaxError};
use crate::view::NoSuchMessage;

/// What a command's function returns.
pub(crate) type Outcome = Result<Done, CommandError>;

/// A command that worked.
#[derive(Debug)]
pub(crate) struct Done {
    /// The response code of the tagged OK.
    pub(crate) code: Option<Code>,
    /// The text of the tagged OK.
    pub(crate) text: Cow<'static, str>,
    /// The state that the session enters with the tagged OK.
    pub(crate) enter: Option<Session>,
    /// What to do once the tagged OK is queued.
    pub(crate) then: Then,
}

/// What follows a tagged OK.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    /// The next command.
    Continue,
    /// The end (LOGOUT).
    Close,
    /// TLS (STARTTLS).
    StartTls,
}

impl Done {
    /// OK with a text and nothing else.
    pub(crate) fn ok(text: impl Into<Cow<'static, str>>) -> Done {
        Done { code: None, text: text.into(), enter: None, then: Then::Continue }
    }

    /// The same with a response code.
    pub(crate) fn code(mut self, code: Code) -> Done {
        self.code = Some(code);
        self
    }

    /// The same, with the session in a new state.
    pub(crate) fn enter(mut self, session: Session) -> Done {
        self.enter = Some(session);
        self
    }

    /// The same, and something follows.
    pub(crate) fn then(mut self, then: Then) -> Done {
        self.then = then;
        self
    }
}

/// A command that did not work.
#[derive(Debug)]
pub(crate) enum CommandError {
    /// The client wrote something that no command is: BAD.
    Bad(Cow<'static, str>),
    /// The client wrote more than we read of a command: BAD [TOOBIG].
    TooBig(Cow<'static, str>),
    /// It cannot be done, or not by this user: NO. Nobody's fault, not logged.
    Refused(Option<Code>, Cow<'static, str>),
    /// It should have worked: NO, and the log says why.
    Server(mailstore::Error),
    /// The directory failed: NO, and the log says why.
    Directory(directory::Error),
    /// The command's own task failed: NO, and the log says why.
    Task(tokio::task::JoinError),
    /// The client wrote something after which nothing it sends can be trusted: BAD, then the end.
    Fatal(&'static str),
    /// Users are kept out now: NO and `* BYE` with the administrator's words, then the end.
    LockedOut(Cow<'static, str>),
    /// The session cannot go on: `* BYE` with this text, then the end.
    Bye(Cow<'static, str>),
    /// The connection is gone; nobody is there to be told.
    Gone(ReadError),
}

impl CommandError {
    /// NO with a response code.
    pub(crate) fn refused(code: Code, text: impl Into<Cow<'static, str>>) -> CommandError {
        CommandError::Refused(Some(code), text.into())
    }

    /// BAD.
    pub(crate) fn bad(text: impl Into<Cow<'static, str>>) -> CommandError {
        CommandError::Bad(text.into())
    }

    /// The answer for a mailbox that does not exist, or that the user must not know of: both look alike.
    pub(crate) fn no_mailbox() -> CommandError {
        CommandError::refused(Code::Nonexistent, "No such mailbox")
    }

    /// The answer for a missing right on a mailbox that the user may know of.
    pub(crate) fn no_permission() -> CommandError {
        CommandError::refused(Code::NoPerm, "Permission denied")
    }

    /// `NONEXISTENT` as `TRYCREATE`: for commands whose target mailbox the client could make (RFC 9051, 6.3.12).
    pub(crate) fn or_try_create(self) -> CommandError {
        match self {
            CommandError::Refused(Some(Code::Nonexistent), text) => CommandError::Refused(Some(Code::TryCreate), text),
            other => other,
        }
    }
}

/// The store's errors on the wire. Those of kinds that an administrator must act on are kept for the log.
impl From<mailstore::Error> for CommandError {
    fn from(error: mailstore::Error) -> Self {
        let (code, text) = match error.kind() {
            ErrorKind::NotFound => return CommandError::no_mailbox(),
            ErrorKind::Denied => return CommandError::no_permission(),
            ErrorKind::Exists => (Code::AlreadyExists, "Mailbox exists already"),
            ErrorKind::BadName => (Code::Cannot, "Not a mailbox name"),
            ErrorKind::OverQuota => (Code::OverQuota, "Over quota"),
            ErrorKind::TooBig => (Code::TooBig, "Message is too large"),
            ErrorKind::Limit => (Code::Limit, "A limit of the mailbox is reached"),
            ErrorKind::InUse => (Code::InUse, "Mailbox is in use"),
            ErrorKind::Expunged => (Code::ExpungeIssued, "Some of the messages are gone"),
            ErrorKind::Invalid => (Code::Cannot, "That cannot be done with this mailbox"),
            _ => return CommandError::Server(error),
        };
        CommandError::refused(code, text)
    }
}

/// The code and text that a client gets to see of a failure of ours.
pub(crate) fn server_reply(kind: ErrorKind) -> (Code, &'static str) {
    match kind {
        ErrorKind::Corrupt => (Code::Corruption, "The mailbox is damaged, the administrator has been told"),
        ErrorKind::DiskFull => (Code::Unavailable, "No space left, try again later"),
        ErrorKind::Unavailable => (Code::Unavailable, "The mail store is not available, try again later"),
        ErrorKind::Io => (Code::Unavailable, "The mail store failed, try again later"),
        _ => (Code::ServerBug, "Internal error, the administrator has been told"),
    }
}

impl From<directory::Error> for CommandError {
    fn from(error: directory::Error) -> Self {
        CommandError::Directory(error)
    }
}

impl From<BadName> for CommandError {
    fn from(error: BadName) -> Self {
        CommandError::refused(Code::Cannot, error.to_string())
    }
}

impl From<NoSuchMessage> for CommandError {
    fn from(error: NoSuchMessage) -> Self {
        CommandError::bad(error.to_string())
    }
}

impl From<SyntaxError> for CommandError {
    fn from(error: SyntaxError) -> Self {
        match error.problem {
            Problem::BadName(_) => CommandError::refused(Code::Cannot, error.to_string()),
            _ => CommandError::bad(error.to_string()),
        }
    }
}

impl From<ReadError> for CommandError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Command(bad) if bad.fatal => CommandError::Bye(bad.error.to_string().into()),
            ReadError::Command(BadCommand { error: FrameError::NoMemory(why), .. }) => why.into(),
            ReadError::Command(bad) if bad.error.is_too_big() => CommandError::TooBig(bad.error.to_string().into()),
            ReadError::Command(bad) => CommandError::bad(bad.error.to_string()),
            ReadError::Line(error) => CommandError::bad(error.to_string()),
            ReadError::Timeout => CommandError::Bye("Timed out".into()),
            ReadError::Ended(reason) => CommandError::Bye(reason.to_string().into()),
            gone => CommandError::Gone(gone),
        }
    }
}

/// RFC 5530: UNAVAILABLE passes, LIMIT does not.
impl From<NoMemory> for CommandError {
    fn from(why: NoMemory) -> Self {
        let code = match why {
            NoMemory::Now => Code::Unavailable,
            NoMemory::Ever => Code::Limit,
        };
        CommandError::refused(code, why.to_string())
    }
}

impl From<WriteError> for CommandError {
    fn from(error: WriteError) -> Self {
        CommandError::Gone(error.into())
    }
}

impl From<tokio::task::JoinError> for CommandError {
    fn from(error: tokio::task::JoinError) -> Self {
        CommandError::Task(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_the_store_tell_no_secret() {
        let check = |error: mailstore::Error, expected: Code| match CommandError::from(error) {
            CommandError::Refused(Some(code), text) => {
                assert_eq!(code, expected);
                assert!(!text.contains('/'), "{text}");
            }
            other => panic!("{other:?}"),
        };
        check(mailstore::Error::NotFound("user/sue/x".into()), Code::Nonexistent);
        check(mailstore::Error::Denied("user/sue/x: l".into()), Code::NoPerm);
        check(mailstore::Error::Exists("user/joe/x".into()), Code::AlreadyExists);
        check(mailstore::Error::OverQuota { root: "user/joe".into() }, Code::OverQuota);
        check(mailstore::Error::Invalid("x".into()), Code::Cannot);
    }
}
