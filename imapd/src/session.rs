//! The states of a session (RFC 9051, 3) as types: what exists only in a state is a field of that state, so that no
//! command has to ask whether a mailbox is selected.
//!
//! ```text
//! NotAuthenticated --LOGIN, AUTHENTICATE--> Authenticated --SELECT, EXAMINE--> Selected
//!                                                        <--CLOSE, UNSELECT--
//! ```
//!
//! The fourth state of the RFC, logout, is the end of [`crate::connection`]'s loop.

use std::sync::Arc;

use login::Failures;
use mailstore::{Access, Mailbox, MailboxName, Rights};
use tokio::sync::watch;

use crate::context::Context;
use crate::namespace::{BadName, Namespace};
use crate::types::MailboxArg;
use crate::view::View;

/// A session in one of its states.
#[derive(Debug)]
pub(crate) enum Session {
    /// Nobody has logged in.
    NotAuthenticated(NotAuthenticated),
    /// Somebody has, and no mailbox is selected.
    Authenticated(Authenticated),
    /// A mailbox is selected.
    Selected(Box<Selected>),
}

/// Before login.
#[derive(Debug, Default)]
pub(crate) struct NotAuthenticated {
    /// Failed logins so far: each makes the next answer slower.
    pub(crate) failures: Failures,
}

/// After login.
#[derive(Debug, Clone)]
pub(crate) struct Authenticated {
    /// Who it is.
    pub(crate) account: Arc<Account>,
}

/// Whose session it is.
#[derive(Debug)]
pub(crate) struct Account {
    /// The user as access control lists know it; [`Access::user`] is also the reader whose \Seen state counts.
    pub(crate) access: Access,
    /// The mailboxes as the user calls them.
    pub(crate) namespace: Namespace,
}

/// With a mailbox selected.
#[derive(Debug)]
pub(crate) struct Selected {
    /// Who it is.
    pub(crate) user: Authenticated,
    /// The mailbox, shared with all sessions that have it open.
    pub(crate) mailbox: Arc<Mailbox>,
    /// What the client knows of it.
    pub(crate) view: View,
    /// What the user may do with it; renewed when the list of rights changes.
    pub(crate) rights: Rights,
    /// EXAMINE: nothing may be changed, whatever the rights.
    pub(crate) examined: bool,
    /// The mailbox's incarnation that the view is of.
    pub(crate) incarnation: u64,
    /// How many of the mailbox's keywords the client has been told of in FLAGS.
    pub(crate) keywords_told: usize,
    /// Changes with every commit to the mailbox, and with its list of rights.
    pub(crate) watch: watch::Receiver<u64>,
}

impl Session {
    /// The account, once somebody has logged in.
    pub(crate) fn account(&self) -> Option<&Arc<Account>> {
        match self {
            Session::NotAuthenticated(_) => None,
            Session::Authenticated(user) => Some(&user.account),
            Session::Selected(selected) => Some(&selected.user.account),
        }
    }

    /// The logged-in part of the session, with or without a mailbox.
    pub(crate) fn authenticated(&mut self) -> Option<&mut Authenticated> {
        match self {
            Session::NotAuthenticated(_) => None,
            Session::Authenticated(user) => Some(user),
            Session::Selected(selected) => Some(&mut selected.user),
        }
    }

    /// The selected mailbox, if there is one.
    pub(crate) fn selected(&self) -> Option<&Selected> {
        match self {
            Session::Selected(selected) => Some(selected),
            _ => None,
        }
    }
}

impl Account {
    /// The reader whose \Seen and \Recent state counts.
    pub(crate) fn reader(&self) -> &str {
        &self.access.user
    }

    /// Whether `mailbox` is the user's own. Nobody in particular owns nothing, whatever mailboxes are called.
    pub(crate) fn owns(&self, mailbox: &MailboxName) -> bool {
        !self.access.anonymous && mailbox.owner() == Some(self.reader())
    }

    /// The internal name of what the client calls `mailbox`.
    pub(crate) fn name(&self, mailbox: &MailboxArg) -> Result<MailboxName, BadName> {
        self.namespace.to_internal(mailbox)
    }
}

impl Selected {
    /// Who it is.
    pub(crate) fn account(&self) -> &Account {
        &self.user.account
    }

    /// Why the session can't go on with the mailbox, if it can't.
    pub(crate) fn lost(&self) -> Option<&'static str> {
        if self.mailbox.is_gone() {
            return Some("The selected mailbox was deleted");
        }
        let repaired = self.mailbox.read().incarnation() != self.incarnation;
        repaired.then_some("The selected mailbox was repaired; select it again")
    }

    /// Asks for the rights again if the mailbox has changed since: an administrator takes rights away at once.
    pub(crate) fn renew_rights(&mut self, context: &Context) {
        if !self.watch.has_changed().unwrap_or(false) {
            return;
        }
        self.watch.mark_unchanged();
        let name = self.mailbox.name();
        if let Some(row) = context.server.store.row(&name) {
            self.rights = row.rights(&self.account().access);
        }
    }

    /// The rights that count in this session: none to change anything after EXAMINE.
    pub(crate) fn effective_rights(&self) -> Rights {
        if self.examined { self.rights.without(crate::access::CHANGING) } else { self.rights }
    }
}
