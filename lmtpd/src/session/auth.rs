//! AUTH (RFC 4954): `AUTH PLAIN AGpvZQBzZWNyZXQ=`, or with a challenge `334 ` and the response on a line of its own.
//!
//! Who may deliver at all is a matter of networks ([`crate::Settings::trusted`]), or of the user, from elsewhere
//! ([`crate::Settings::deliverers`]). A client that has logged in delivers as that user: to every mailbox on which the user has
//! the right `p`.

use login::{Entered, Failure, LoggedIn};
use mailstore::Access;
use tracing::{error, info};
use wire::ReadError;
use wire::sasl::SaslError;

use super::{End, Next, Session, State};
use crate::deposit::Deposit;
use crate::limits;
use crate::reply::Reply;
use crate::syntax::{AuthArguments, auth_arguments};

/// A user who has logged in to deliver.
#[derive(Debug, Clone)]
pub(super) struct Submitter {
    /// What the user may do. Administrators post like everybody: their rights on all mailboxes are for managing them.
    pub(super) access: Access,
    /// Whether the user may speak for others (`AUTH=` of MAIL).
    pub(super) admin: bool,
}

impl<D: Deposit> Session<D> {
    /// What LHLO says of AUTH: the mechanisms, if there are any for this connection.
    pub(super) fn mechanisms(&self) -> Option<String> {
        let door = self.shared.door.as_ref().filter(|_| self.conn.is_secure())?;
        Some(door.offer(&self.conn).names().join(" ")).filter(|names| !names.is_empty())
    }

    /// `AUTH mechanism [initial-response]`
    pub(super) fn can_authenticate(&self, arguments: &str) -> Next {
        Next::Reply(match auth_arguments(arguments) {
            _ if self.shared.door.is_none() => Reply::new(502, "5.5.1", "AUTH is not available"),
            _ if self.user.is_some() => Reply::sequence("You have logged in already"),
            _ if !self.conn.is_secure() => Reply::new(538, "5.7.11", "Use STARTTLS first"),
            Ok(request) => return Next::Authenticate(request),
            Err(error) => error.reply(),
        })
    }

    /// Finds out who the client is.
    pub(super) async fn authenticate(&mut self, state: State<D>, request: AuthArguments) -> Result<State<D>, End> {
        let shared = std::sync::Arc::clone(&self.shared);
        let Some(door) = &shared.door else { return Ok(state) };
        let initial = request.initial.as_ref().map(|initial| initial.expose().as_bytes());
        let shutdown = self.shutdown.clone();
        let attempt = async {
            let attempt = door.exchange(&mut self.conn, &request.mechanism, initial).await;
            self.failures.settle(&self.conn, attempt).await
        };
        let attempt = tokio::select! {
            biased;
            attempt = attempt => attempt,
            // Nobody waits for an exchange that goes slowly, nor for the delay behind a wrong password.
            () = shutdown.cancelled() => return Err(self.stopping()),
        };
        match attempt {
            Ok(Entered::User(user)) => {
                let LoggedIn { account, .. } = *user;
                self.conn.show_user(account.user.as_str());
                let access = Access::user(account.user.as_str()).in_groups(account.groups);
                self.user = Some(Submitter { access, admin: account.admin });
                if self.may_deliver() {
                    self.conn.no_login_needed();
                }
                self.answer(Reply::new(235, "2.7.0", "Logged in"), state)
            }
            // Not offered here.
            Ok(Entered::Anonymous { .. }) => self.answer(failure_reply(&SaslError::UnknownMechanism.into()), state),
            Err(Failure::Read(error)) if !matches!(error, ReadError::Line(_)) => Err(error.into()),
            Err(_) if self.failures.count() >= limits::FAILED_LOGINS => {
                Err(self.close(&Reply::closing("4.7.0", "Too many failed logins")))
            }
            Err(failure) => {
                self.log_failure(&failure);
                self.answer(failure_reply(&failure), state)
            }
        }
    }

    /// Whether the client may begin a message: for where it is, or for who it is.
    pub(super) fn may_deliver(&self) -> bool {
        let settings = &self.shared.settings;
        let listed = |user: &Submitter| settings.deliverers.contains(&user.access.user);
        settings.trusts(&self.conn.info().peer) || self.user.as_ref().is_some_and(listed)
    }

    /// What MAIL is answered where it may not.
    pub(super) fn turned_away(&self) -> Reply {
        let (conn, peer) = (self.conn.info().id, self.conn.info().peer);
        let user = self.user.as_ref().map(|user| user.access.user.as_str());
        info!(event = "lmtp.mail.refused", conn, user, %peer);
        match user {
            None => Reply::new(530, "5.7.0", "Log in first"),
            Some(_) => Reply::new(550, "5.7.1", "You may not deliver from your network"),
        }
    }

    /// What an administrator must hear of.
    fn log_failure(&self, failure: &Failure) {
        let conn = self.conn.info().id;
        match failure {
            Failure::Directory(error) => error!(event = "lmtp.directory.failed", conn, %error),
            Failure::Task(error) => error!(event = "lmtp.login.panicked", conn, %error),
            _ => {}
        }
    }
}

/// The replies of RFC 4954, 4 and 6.
fn failure_reply(failure: &Failure) -> Reply {
    let (code, status) = match failure {
        Failure::Refused { .. } | Failure::Sasl(SaslError::ChannelBinding | SaslError::Rejected) => (535, "5.7.8"),
        Failure::Blocked | Failure::Sasl(SaslError::NoRandomness) => (454, "4.7.0"),
        Failure::Sasl(SaslError::UnknownMechanism) => (504, "5.5.4"),
        Failure::Sasl(SaslError::TooLong) | Failure::Read(_) => (500, "5.5.6"),
        Failure::Sasl(SaslError::Cancelled) => (501, "5.7.0"),
        Failure::Sasl(SaslError::Base64 | SaslError::Malformed) => (501, "5.5.2"),
        Failure::Directory(_) | Failure::Task(_) => {
            return Reply::new(454, "4.7.0", "Cannot say who you are, try again later");
        }
    };
    Reply::new(code, status, failure.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies() {
        let check = |failure: Failure, expected: &str| {
            let said = failure_reply(&failure).summary();
            assert!(said.starts_with(expected), "{failure:?}: {said}");
        };
        check(Failure::nobody(), "535 5.7.8 Wrong user name or password");
        check(Failure::Blocked, "454 4.7.0 Too many failed logins");
        check(SaslError::UnknownMechanism.into(), "504 5.5.4 ");
        check(SaslError::Cancelled.into(), "501 5.7.0 ");
        check(SaslError::Base64.into(), "501 5.5.2 ");
        check(SaslError::Malformed.into(), "501 5.5.2 ");
        check(SaslError::TooLong.into(), "500 5.5.6 ");
        check(SaslError::ChannelBinding.into(), "535 5.7.8 ");
        check(SaslError::NoRandomness.into(), "454 4.7.0 ");
        let down = directory::Error::Unavailable("ldap://10.1.2.3 is gone".into());
        check(down.into(), "454 4.7.0 Cannot say who you are, try again later");
    }
}
