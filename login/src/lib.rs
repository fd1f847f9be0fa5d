//! Letting people in, the same for every protocol: a password or a SASL exchange on the one side ([`wire::sasl`]), the
//! directory on the other.
//!
//! - [`password`] checks a user name and a password (IMAP's LOGIN, POP3's USER and PASS).
//! - [`exchange`] runs a SASL exchange over a connection (AUTHENTICATE, AUTH).
//! - [`Failures`] is how long a failed attempt is left without an answer.
//!
//! Each attempt is noted in the directory's history of logins.
//!
//! What the client is told is the protocol's business, but for one rule: a wrong password, a user who does not exist and a
//! user who may not act as another are one answer, [`Failure::Refused`], after the same work and the same delay.

mod attempt;
mod exchange;
mod failures;
mod name;
mod password;

pub use exchange::{exchange, offer};
pub use failures::Failures;
pub use name::LoginName;
pub use password::password;

use wire::ReadError;
use wire::sasl::SaslError;

/// Somebody who is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entered {
    /// Whose mail it is about.
    pub account: directory::Account,
    /// Who has proved who they are, if that is somebody else: an administrator who acts as the user.
    pub proxy: Option<directory::UserId>,
    /// What stood behind `+` in the name: the folder that a POP3 client wants.
    pub detail: Option<String>,
    /// The name of the app password that it was done with.
    pub app: Option<String>,
}

/// Why somebody is not.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Wrong password, no such user, or no right to act as that user. Never say which.
    #[error("wrong user name or password")]
    Refused {
        /// Who the client said it was, escaped for the log.
        claimed: String,
        /// What stands for the password or token that was tried, where there was one ([`wire::attempts`]).
        guess: Option<u64>,
    },
    /// No password was looked at: too many from there were wrong.
    #[error("too many failed logins from your network, try again later")]
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
    fn refused(claimed: &str) -> Failure {
        Failure::Refused { claimed: claimed.escape_debug().take(MAX_LOGGED).collect(), guess: None }
    }

    /// A failed login with a password or a token.
    fn wrong(claimed: &str, guess: u64) -> Failure {
        Failure::Refused { claimed: claimed.escape_debug().take(MAX_LOGGED).collect(), guess: Some(guess) }
    }
}

/// Most characters of a claimed name in the log: more than any user ID has, and no way to fill a disk.
const MAX_LOGGED: usize = 200;
