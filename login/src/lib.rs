//! Letting people in, the same for every protocol: a password or a SASL exchange on the one side ([`wire::sasl`]), the
//! directory on the other.
//!
//! - [`Door`] is a protocol's way in: it checks passwords (IMAP's LOGIN, POP3's USER and PASS) and runs SASL exchanges over
//!   a connection (AUTHENTICATE, AUTH).
//! - [`Failures`] takes what came of an attempt: it logs it, counts it, and leaves a failed one without an answer for a while.
//!
//! Each attempt is noted in the directory's history of logins. [`notices`] are what administrators tell whoever comes.
//!
//! What the client is told is the protocol's business, but for one rule: a wrong password, a user who does not exist and a
//! user who may not act as another are one answer, [`Failure::Refused`], at the same time after the question.

mod attempt;
mod certificate;
mod door;
mod exchange;
mod failures;
mod name;
pub mod notices;
mod password;

pub use certificate::NamedBy;
pub use door::{Door, Policy, Profile};
pub use failures::Failures;
pub use name::LoginName;

use tokio::time::Instant;
use wire::ReadError;
use wire::sasl::SaslError;

/// Who is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entered {
    /// A user.
    User(Box<LoggedIn>),
    /// Nobody in particular (RFC 4505); only where [`Profile::anonymous`] and [`Policy::anonymous`] allow it.
    Anonymous {
        /// What the client calls itself, escaped for the log.
        trace: String,
    },
}

impl Entered {
    pub(crate) fn user(user: LoggedIn) -> Entered {
        Entered::User(Box::new(user))
    }
}

/// A user who is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedIn {
    /// Whose mail it is about.
    pub account: directory::Account,
    /// Who has proved who they are, if that is somebody else: an administrator who acts as the user.
    pub proxy: Option<directory::UserId>,
    /// What stood behind `+` in the name: the folder that a POP3 client wants.
    pub detail: Option<String>,
    /// The name of the app password that it was done with.
    pub app: Option<String>,
}

/// Why somebody is not. The text may be shown to the client, but for what is wrong with the server.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Wrong password, no such user, or no right to act as that user. Never say which.
    #[error("Wrong user name or password")]
    Refused {
        /// Who the client said it was, escaped for the log.
        claimed: String,
        /// What stands for the password or token that was tried, where there was one ([`wire::attempts`]).
        guess: Option<u64>,
        /// When the last that the check needed had come from the client: the time of the answer is counted from there.
        asked: Instant,
    },
    /// No password was looked at: too many from there were wrong.
    #[error("Too many failed logins from your network, try again later")]
    Blocked,
    /// The exchange broke off: cancelled, malformed, no such mechanism. No failed login.
    #[error(transparent)]
    Sasl(#[from] SaslError),
    /// The directory could not say.
    #[error(transparent)]
    Directory(#[from] directory::Error),
    /// The connection is gone, or a line was too long.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The check itself failed: a defect.
    #[error(transparent)]
    Task(#[from] tokio::task::JoinError),
}

impl Failure {
    /// A failed login of a name that nobody can have.
    #[must_use]
    pub fn nobody() -> Failure {
        Failure::Refused { claimed: "-".to_owned(), guess: None, asked: Instant::now() }
    }
}

/// Most characters of a claimed name in the log: more than any user ID has, and no way to fill a disk.
const MAX_LOGGED: usize = 200;

/// A stranger's words as they may stand in the log.
fn for_log(text: &str) -> String {
    text.escape_debug().take(MAX_LOGGED).collect()
}
