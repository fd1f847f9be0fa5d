//! Where a login comes from, and what comes of it.

use std::fmt;
use std::net::IpAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::Account;

/// Where a login comes from, and when: what an app password may be bound to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Origin<'a> {
    /// `imap`, `pop3`; what is none of [`PROTOCOLS`](crate::PROTOCOLS) is open to no app password.
    pub protocol: &'a str,
    /// The client's address; nothing for a socket of this machine.
    pub address: Option<IpAddr>,
    /// Unix seconds.
    pub now: u64,
}

impl<'a> Origin<'a> {
    /// A login at this moment.
    #[must_use]
    pub fn now(protocol: &'a str, address: Option<IpAddr>) -> Origin<'a> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        Origin { protocol, address, now }
    }
}

/// What comes of a password.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It is right.
    Accepted(Accepted),
    /// It lets nobody in. The reason is for administrators; a client must not be able to tell one from another.
    Refused(Refusal),
}

/// Somebody whose password was right.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Accepted {
    /// Who it is. With an app password it is no administrator.
    pub account: Account,
    /// The name of the app password, if it was one.
    pub app: Option<String>,
}

/// Why a password lets nobody in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// It is wrong, or there is no such user.
    Wrong,
    /// It is right, but the user is disabled, or not made yet.
    Disabled,
    /// It is an app password, and right, but not for this.
    App {
        /// Its name.
        name: String,
        /// What does not fit.
        unfit: Unfit,
    },
}

/// What does not fit an app password.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unfit {
    /// It is not for this protocol.
    Protocol,
    /// It is not for the client's network.
    Network,
    /// Its time is over.
    Expired,
}

impl Refusal {
    /// In a word, for the log and the history of logins.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Refusal::Wrong => "password",
            Refusal::Disabled => "disabled",
            Refusal::App { unfit, .. } => unfit.reason(),
        }
    }

    /// The app password it is about.
    #[must_use]
    pub fn app(&self) -> Option<&str> {
        match self {
            Refusal::App { name, .. } => Some(name),
            Refusal::Wrong | Refusal::Disabled => None,
        }
    }
}

impl Unfit {
    fn reason(self) -> &'static str {
        match self {
            Unfit::Protocol => "app-protocol",
            Unfit::Network => "app-network",
            Unfit::Expired => "app-expired",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason())
    }
}
