//! A protocol's way in: what it offers, and to whom.

use std::sync::Arc;

use directory::{Directory, Secret};
use wire::Connection;
use wire::sasl::{Offer, TokenHint};

use crate::attempt::{Attempt, COMMAND};
use crate::certificate::NamedBy;
use crate::{Entered, Failure, exchange, password};

/// What a site lets people in by, beside passwords, SCRAM-SHA-256 and the directory's tokens.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    /// SCRAM-SHA-1.
    pub scram_sha1: bool,
    /// Nobody in particular may look around (ANONYMOUS), where the protocol has something to see for it.
    pub anonymous: bool,
    /// How a client's certificate names a user (EXTERNAL).
    pub named_by: NamedBy,
}

/// How SASL is used in a protocol (its profile: RFC 4422, 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Profile {
    /// What a challenge begins with: `+ ` or `334 `.
    pub challenge: &'static str,
    /// A name may end in `+folder`.
    pub details: bool,
    /// There is something to see without a name.
    pub anonymous: bool,
}

/// A protocol's way in.
#[derive(Debug, Clone)]
pub struct Door {
    /// Who has an account.
    pub directory: Arc<dyn Directory>,
    /// What the site allows.
    pub policy: Policy,
    /// How the protocol does it.
    pub profile: Profile,
}

impl Door {
    /// What a connection is offered. Whether anybody may log in on it is the caller's business.
    #[must_use]
    pub fn offer(&self, connection: &Connection) -> Offer {
        let knows_scram = self.directory.knows_scram();
        Offer {
            passwords: true,
            scram_sha256: knows_scram,
            scram_sha1: knows_scram && self.policy.scram_sha1,
            tokens: self
                .directory
                .takes_tokens()
                .map(|hint| TokenHint { scope: hint.scope, openid_configuration: hint.openid_configuration }),
            anonymous: self.policy.anonymous && self.profile.anonymous,
            external: connection.client_names().is_some_and(|names| !self.policy.named_by.names(names).is_empty()),
            binding: connection.channel_binding(),
        }
    }

    /// Checks `user`'s password, or one of the app passwords.
    ///
    /// # Errors
    /// [`Failure::Refused`], [`Failure::Blocked`], [`Failure::Directory`], [`Failure::Task`].
    pub async fn password(&self, connection: &Connection, user: &str, password: Secret) -> Result<Entered, Failure> {
        if connection.is_blocked() {
            return Err(Failure::Blocked);
        }
        let attempt = Attempt::new(connection, COMMAND);
        password::check(self, &attempt, user, password, None).await.map(Entered::user)
    }

    /// Runs the exchange of `mechanism`, whose initial response is written as in the command (base64, `=` for an empty one).
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn exchange(
        &self,
        connection: &mut Connection,
        mechanism: &str,
        initial: Option<&[u8]>,
    ) -> Result<Entered, Failure> {
        if connection.is_blocked() {
            return Err(Failure::Blocked);
        }
        exchange::run(self, connection, mechanism, initial).await
    }
}
