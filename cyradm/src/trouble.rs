//! What goes wrong, and what it means to whoever started us.

use std::fmt;
use std::io;

/// Why a command did not do what it was asked to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// What kind of failure it is.
    pub kind: Kind,
    /// A sentence for the administrator.
    pub text: String,
}

/// Kinds of failure, by what one can do about them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The command line is wrong.
    Usage,
    /// There is no connection, or it ended.
    Unavailable,
    /// The server refused, for a reason of its own.
    Refused,
    /// The server says that it is not allowed.
    NoPermission,
    /// The server says that there is no such thing.
    NotFound,
    /// The server says that it is there already, or cannot be made.
    CantCreate,
    /// The server says that it may work later.
    TryLater,
    /// The server says what no IMAP server says.
    Protocol,
    /// A file cannot be read or written.
    File,
}

impl Trouble {
    pub(crate) fn new(kind: Kind, text: impl fmt::Display) -> Self {
        Self { kind, text: printable(&text.to_string()) }
    }

    pub(crate) fn usage(text: impl fmt::Display) -> Self {
        Self::new(Kind::Usage, text)
    }

    pub(crate) fn protocol(text: impl fmt::Display) -> Self {
        Self::new(Kind::Protocol, format!("the server does not speak IMAP as it should: {text}"))
    }

    /// What a server's NO or BAD means, by its response code (RFC 5530).
    pub(crate) fn refused(text: &str) -> Self {
        let code = text.strip_prefix('[').and_then(|rest| rest.split([']', ' ']).next()).unwrap_or_default();
        let kind = match code.to_ascii_uppercase().as_str() {
            "NOPERM" | "AUTHENTICATIONFAILED" | "AUTHORIZATIONFAILED" | "EXPIRED" | "PRIVACYREQUIRED" => {
                Kind::NoPermission
            }
            "NONEXISTENT" => Kind::NotFound,
            "ALREADYEXISTS" | "CANNOT" | "LIMIT" | "OVERQUOTA" => Kind::CantCreate,
            "UNAVAILABLE" | "INUSE" => Kind::TryLater,
            _ => Kind::Refused,
        };
        // What the code says stands in the text, too.
        let plain = text.strip_prefix('[').and_then(|rest| rest.split_once("] ")).map_or(text, |(_, plain)| plain);
        Self::new(kind, plain)
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.text)
    }
}

impl std::error::Error for Trouble {}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        let text = match error.kind() {
            io::ErrorKind::UnexpectedEof => "the server closed the connection".to_owned(),
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => "the server does not answer".to_owned(),
            _ => format!("connection: {error}"),
        };
        Self::new(Kind::Unavailable, text)
    }
}

/// Text without control characters: a server must not move an administrator's cursor.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_a_meaning() {
        for (text, kind, plain) in [
            ("[NOPERM] Not yours", Kind::NoPermission, "Not yours"),
            ("[NONEXISTENT] No such mailbox", Kind::NotFound, "No such mailbox"),
            ("[alreadyexists] There", Kind::CantCreate, "There"),
            ("[INUSE] Later", Kind::TryLater, "Later"),
            ("[X-ODD 7] Hm", Kind::Refused, "Hm"),
            ("Permission denied", Kind::Refused, "Permission denied"),
            ("[NOPERM", Kind::NoPermission, "[NOPERM"),
            ("a\u{1b}[2Jb", Kind::Refused, "a\u{fffd}[2Jb"),
        ] {
            let trouble = Trouble::refused(text);
            assert_eq!((trouble.kind, trouble.text.as_str()), (kind, plain), "{text:?}");
        }
    }
}
