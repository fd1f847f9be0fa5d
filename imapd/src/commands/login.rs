//! LOGIN (RFC 9051, 6.2.3): `a LOGIN joe secret`; and what it has in common with AUTHENTICATE.

use std::sync::Arc;
use std::time::Duration;

use directory::{Directory, Secret, UserId};
use mailstore::Access;
use tracing::info;

use crate::commands::capability;
use crate::context::Context;
use crate::namespace::Namespace;
use crate::outcome::{CommandError, Done, Outcome};
use crate::reply::Code;
use crate::session::{Account, Authenticated, NotAuthenticated, Session};
use crate::types::{self, AString};

/// A failed login is answered after 3 seconds, the next one after 6, and so on: guessing on one connection is slow, a
/// mistyped password costs little. The listener's limit on connections from one address bounds the rest.
const DELAY: Duration = Duration::from_secs(3);
/// No answer takes longer than 15 seconds: clients give up after some 20.
const LONGEST_DELAY: Duration = Duration::from_secs(15);

pub(crate) async fn run(
    context: &mut Context,
    state: &mut NotAuthenticated,
    user: AString,
    password: types::Secret,
) -> Outcome {
    if !context.may_log_in() {
        return Err(CommandError::refused(Code::PrivacyRequired, "Use TLS to log in"));
    }
    let Some(user) = user.to_str() else {
        return Err(refuse(context, state, "-").await);
    };
    let credentials = Credentials { user: user.to_owned(), password: Secret::new(password.expose()), act_as: None };
    log_in(context, state, credentials).await
}

/// Who wants in.
pub(crate) struct Credentials {
    /// Who it is.
    pub(crate) user: String,
    /// The password.
    pub(crate) password: Secret,
    /// Whose mail is wanted, if it is somebody else's: an administrator's right.
    pub(crate) act_as: Option<String>,
}

/// Checks a password and enters the authenticated state. The reply carries the capabilities, which have changed.
pub(crate) async fn log_in(context: &mut Context, state: &mut NotAuthenticated, credentials: Credentials) -> Outcome {
    let Credentials { user, password, act_as } = credentials;
    let claimed = user.clone();
    // Mail clients log in again and again: who was right a moment ago costs no hash, and no other thread.
    let recognised = if act_as.is_none() { context.server.directory.recognise(&user, &password) } else { None };
    let found = match recognised {
        Some(account) => Some(account),
        None => context.blocking(move |server| check(&*server.directory, &user, &password, act_as.as_deref())).await?,
    };
    let Some(identity) = found else {
        return Err(refuse(context, state, &claimed).await);
    };
    let info = context.connection.info();
    let tls = info.tls.map(|tls| tls.version);
    info!(event = "imap.login.succeeded", conn = info.id, user = identity.user.as_str(), peer = %info.peer, tls);
    let access = Access {
        user: identity.user.as_str().to_owned(),
        admin: identity.admin,
        groups: identity.groups,
        anonymous: false,
    };
    let namespace = Namespace::new(identity.user.as_str(), identity.admin, &context.server.options.prefixes);
    let user = Authenticated { account: Arc::new(Account { access, namespace }) };
    let capabilities = Code::Capability(capability::list(context, true));
    Ok(Done::ok("Logged in").code(capabilities).enter(Session::Authenticated(user)))
}

/// The account that a password opens: the user's own, or for an administrator that of somebody else (RFC 4616, 2).
fn check(
    directory: &dyn Directory,
    user: &str,
    password: &Secret,
    act_as: Option<&str>,
) -> directory::Result<Option<directory::Account>> {
    let account = directory.authenticate(user, password)?;
    match (account, act_as) {
        (Some(account), Some(other)) if account.user.as_str() != other => match UserId::parse(other) {
            Ok(other) if account.admin => directory.account(&other),
            _ => Ok(None),
        },
        (account, _) => Ok(account),
    }
}

/// Logs and slows down a failed login. The answer is the same for a wrong password and for a user who does not exist.
async fn refuse(context: &mut Context, state: &mut NotAuthenticated, user: &str) -> CommandError {
    state.failures += 1;
    let connection = context.connection.info();
    let user = user.escape_debug().to_string();
    info!(event = "imap.login.failed", conn = connection.id, user, peer = %connection.peer, failures = state.failures);
    tokio::time::sleep((DELAY * state.failures).min(LONGEST_DELAY)).await;
    CommandError::refused(Code::AuthenticationFailed, "Wrong user name or password")
}
