//! The server a script is played against: where it listens and who has an account.

use std::collections::BTreeMap;
use std::net::SocketAddr;

/// A server as a script sees it.
#[derive(Debug, Clone)]
pub struct Site {
    /// Where each protocol is served; a script that needs another one cannot be played here.
    pub listeners: BTreeMap<Protocol, SocketAddr>,
    /// The accounts, by the name that the script uses for them.
    pub users: BTreeMap<String, User>,
    /// The domain of the recipients' addresses.
    pub domain: String,
    /// What stands before another user's name in the mailboxes that he shares, with the separator; `None` when users see
    /// their own mailboxes only.
    pub others: Option<String>,
    /// Whether a capability that the server lacks only means that the script says nothing about it. Never so for our
    /// own server.
    pub may_lack: bool,
}

/// An account.
#[derive(Debug, Clone)]
pub struct User {
    /// What LOGIN wants to hear.
    pub name: String,
    /// The password.
    pub password: String,
}

/// What is spoken on a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protocol {
    /// IMAP, with STARTTLS.
    Imap,
    /// IMAP inside TLS from the first byte.
    Imaps,
    /// POP3, with STLS.
    Pop3,
    /// POP3 inside TLS from the first byte.
    Pop3s,
    /// LMTP.
    Lmtp,
}

impl Protocol {
    /// The protocol of that name.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "imap" => Some(Self::Imap),
            "imaps" => Some(Self::Imaps),
            "pop3" => Some(Self::Pop3),
            "pop3s" => Some(Self::Pop3s),
            "lmtp" => Some(Self::Lmtp),
            _ => None,
        }
    }

    /// Whether TLS comes before anything else.
    pub fn begins_with_tls(self) -> bool {
        matches!(self, Self::Imaps | Self::Pop3s)
    }

    /// Whether IMAP is spoken.
    pub fn is_imap(self) -> bool {
        matches!(self, Self::Imap | Self::Imaps)
    }
}
