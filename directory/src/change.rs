//! Changes: what rules decide on, what back ends carry out.

use crate::address::Address;
use crate::alias::Alias;
use crate::audit::Event;
use crate::credentials::Credentials;
use crate::domain::{Domain, DomainName};
use crate::privileges::Privileges;
use crate::user::{User, UserId};

/// One row's change. A back end gives each row that it writes the [revision](crate::Revision) of the plan.
#[derive(Clone, Debug)]
pub enum Change {
    /// Writes a domain.
    Domain(Domain),
    /// Removes a domain; nothing is left in it but its `postmaster`, which has a change of its own.
    DeleteDomain(DomainName),
    /// Gives a domain another name, and with it everything that has the name in it: mail addresses and further addresses of
    /// users, aliases and their members, addresses in forwardings and aliases anywhere that point into the domain, and senders
    /// that junk filters name ([`Renaming`](crate::Renaming)). It is the only change of its plan, because it may be a large one.
    RenameDomain {
        /// The name until now.
        from: DomainName,
        /// The new name, which no domain has.
        to: DomainName,
    },
    /// Writes a user.
    User(User),
    /// Removes a user, the passwords and the history of logins.
    DeleteUser(UserId),
    /// Replaces what is kept of a user's passwords. Logins with those that were replaced fail from now on.
    Credentials(UserId, Credentials),
    /// Writes an alias.
    Alias(Alias),
    /// Removes an alias.
    DeleteAlias(Address),
    /// Writes the global record.
    Privileges(Privileges),
}

/// What is to be done, all of it or nothing, and what the audit log says about it.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// The changes; nothing to do if there are none.
    pub changes: Vec<Change>,
    /// What the log says of the changes, one entry each; nothing where there are none ([`note`](crate::Directory::note) is for
    /// what is no change of the directory).
    pub events: Vec<Event>,
}

impl Plan {
    /// Adds a change.
    pub(crate) fn push(&mut self, change: Change) {
        self.changes.push(change);
    }

    /// Adds a change and says so.
    pub(crate) fn with(mut self, change: Change, event: Event) -> Plan {
        self.changes.push(change);
        self.events.push(event);
        self
    }
}
