//! Who changes something, and from where: for the audit log, and for what one may.

use std::net::IpAddr;

use crate::user::UserId;

/// Whoever asks for a change.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Actor {
    /// Who.
    pub who: Who,
    /// Through what, in a word: `command`, `rest`, `web`, `imap`, `start`.
    pub via: &'static str,
    /// From where, if that is another machine.
    pub from: Option<IpAddr>,
}

/// Who somebody is to the directory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Who {
    /// The server itself, which ends what a crash cut short.
    Server,
    /// Somebody with a command on this machine, by the user ID of the operating system; may do everything.
    Operator(u32),
    /// A user who administers the server; may do everything.
    Administrator(UserId),
    /// Any other user: may do what the [privileges](crate::Privileges) allow, to himself and to the aliases that are his.
    User(UserId),
}

impl Actor {
    /// The server itself.
    #[must_use]
    pub fn server() -> Actor {
        Actor { who: Who::Server, via: "start", from: None }
    }

    /// Somebody with a command on this machine.
    #[must_use]
    pub fn operator(system_user: u32) -> Actor {
        Actor { who: Who::Operator(system_user), via: "command", from: None }
    }

    /// A user who has logged in; `admin` as the [account](crate::Account) says.
    #[must_use]
    pub fn user(user: &UserId, admin: bool, via: &'static str, from: Option<IpAddr>) -> Actor {
        let who = if admin { Who::Administrator(user.clone()) } else { Who::User(user.clone()) };
        Actor { who, via, from }
    }

    /// Whether everything is allowed.
    #[must_use]
    pub fn is_administrator(&self) -> bool {
        !matches!(self.who, Who::User(_))
    }

    /// The user, where it is one with an account.
    #[must_use]
    pub fn uid(&self) -> Option<&UserId> {
        match &self.who {
            Who::Administrator(user) | Who::User(user) => Some(user),
            Who::Server | Who::Operator(_) => None,
        }
    }

    /// As the audit log calls it: a user ID, `(server)`, or `(system user 0)`, which nobody can have as a user ID.
    #[must_use]
    pub fn name(&self) -> String {
        match &self.who {
            Who::Server => "(server)".to_owned(),
            Who::Operator(number) => format!("(system user {number})"),
            Who::Administrator(user) | Who::User(user) => user.to_string(),
        }
    }
}
