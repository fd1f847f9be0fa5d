//! The grammar of LMTP's command lines: paths and parameters (RFC 5321, 4.1.2; RFC 6531, 3.3). No I/O, no state.

mod auth;
mod parameters;
mod path;
pub(crate) mod quirks;

pub(crate) use auth::{AuthArguments, auth_arguments};
pub(crate) use parameters::{BdatArguments, MailParameters, RcptParameters, bdat_arguments};
pub(crate) use path::{Address, client_name, forward_path, reverse_path};

use crate::reply::Reply;

/// Why a command line was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SyntaxError {
    /// Not `FROM:<...>`.
    #[error("Syntax: MAIL FROM:<address> [parameters]")]
    Mail,
    /// Not `TO:<...>`.
    #[error("Syntax: RCPT TO:<address> [parameters]")]
    Rcpt,
    /// No path.
    #[error("Bad address syntax")]
    Sender,
    /// No forward path.
    #[error("Bad address syntax")]
    Recipient,
    /// A path over [`crate::limits::PATH`].
    #[error("Address is too long")]
    TooLong,
    /// An address beyond ASCII without SMTPUTF8 (RFC 6531, 3.5).
    #[error("Address needs SMTPUTF8")]
    NeedsUtf8,
    /// What follows the path is no parameter list.
    #[error("Bad parameter syntax")]
    Parameters,
    /// A keyword that was not offered (RFC 5321, 4.1.1.11).
    #[error("Unsupported parameter: {0}")]
    UnknownParameter(String),
    /// A value that the keyword does not take, or the keyword twice.
    #[error("Bad value of parameter {0}")]
    ParameterValue(&'static str),
    /// Not `BDAT size [LAST]`.
    #[error("Syntax: BDAT size [LAST]")]
    Bdat,
    /// Not `AUTH mechanism [initial-response]`.
    #[error("Syntax: AUTH mechanism [initial-response]")]
    Auth,
}

impl SyntaxError {
    /// The reply that says so (RFC 3463, 3.2 and 3.6).
    pub(crate) fn reply(&self) -> Reply {
        let (code, status) = match self {
            Self::Mail | Self::Rcpt | Self::Parameters | Self::ParameterValue(_) | Self::Bdat | Self::Auth => {
                (501, "5.5.4")
            }
            Self::Sender => (501, "5.1.7"),
            Self::Recipient | Self::TooLong => (501, "5.1.3"),
            Self::NeedsUtf8 => (553, "5.6.7"),
            Self::UnknownParameter(_) => (555, "5.5.4"),
        };
        Reply::new(code, status, self.to_string())
    }
}
