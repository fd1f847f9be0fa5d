//! What the server says: `+OK`, `-ERR` and response codes.
//!
//! ```abnf
//! single-line = ("+OK" / "-ERR") [SP "[" resp-code "]"] [SP text] CRLF
//! ```

use std::fmt;

use wire::Output;

/// A response code (RFC 2449, 8; RFC 3206; RFC 6856, 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Code {
    /// The maildrop is in use by another session.
    InUse,
    /// The user has logged in too short a time ago.
    LoginDelay,
    /// The user's name or password is wrong.
    Auth,
    /// Trouble of ours that will pass.
    SysTemp,
    /// Trouble of ours that will not.
    SysPerm,
    /// The message needs a session with UTF8.
    Utf8,
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Code::InUse => "IN-USE",
            Code::LoginDelay => "LOGIN-DELAY",
            Code::Auth => "AUTH",
            Code::SysTemp => "SYS/TEMP",
            Code::SysPerm => "SYS/PERM",
            Code::Utf8 => "UTF8",
        })
    }
}

/// `+OK text`
pub(crate) fn ok(output: &mut Output, text: &str) {
    write!(output, "+OK {text}\r\n");
}

/// `-ERR [CODE] text`
pub(crate) fn err(output: &mut Output, code: Option<Code>, text: &str) {
    match code {
        Some(code) => write!(output, "-ERR [{code}] {text}\r\n"),
        None => write!(output, "-ERR {text}\r\n"),
    }
}

/// The end of a multi-line response (RFC 1939, 3).
pub(crate) const END: &str = ".\r\n";
