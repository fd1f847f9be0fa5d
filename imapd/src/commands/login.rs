//! LOGIN (RFC 9051, 6.2.3): `a LOGIN joe secret`; and what it has in common with AUTHENTICATE.

use std::sync::Arc;

use directory::Secret;
use login::{Entered, Failure};
use mailstore::Access;
use tracing::info;

use crate::commands::capability;
use crate::context::Context;
use crate::namespace::Namespace;
use crate::outcome::{CommandError, Done, Outcome};
use crate::reply::Code;
use crate::session::{Account, Authenticated, NotAuthenticated, Session};
use crate::types::{self, AString};

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
        return Err(refuse(context, state, "-", None).await);
    };
    let password = Secret::new(password.expose());
    let checked = login::password(&context.connection, &context.server.directory, user, password, None, false).await;
    enter(context, state, checked).await
}

/// Enters the authenticated state, or says why not. The reply carries the capabilities, which have changed.
pub(crate) async fn enter(
    context: &mut Context,
    state: &mut NotAuthenticated,
    checked: Result<Entered, Failure>,
) -> Outcome {
    let entered = match checked {
        Ok(entered) => entered,
        Err(Failure::Refused { claimed, guess }) => return Err(refuse(context, state, &claimed, guess).await),
        Err(Failure::Blocked) => {
            let text = "Too many failed logins from your network, try again later";
            return Err(CommandError::refused(Code::Unavailable, text));
        }
        Err(Failure::Sasl(error)) => return Err(error.into()),
        Err(Failure::Directory(error)) => return Err(error.into()),
        Err(Failure::Read(error)) => return Err(error.into()),
        Err(Failure::Task(error)) => return Err(error.into()),
    };
    let Entered { account, proxy, app, .. } = entered;
    // An administrator who acts as a user is one.
    if let Err(notice) = context.connection.admit(account.admin || proxy.is_some()) {
        let info = context.connection.info();
        info!(event = "imap.login.locked_out", conn = info.id, user = account.user.as_str(), peer = %info.peer);
        return Err(CommandError::LockedOut(notice.text().to_owned().into()));
    }
    if let Some(motd) = context.connection.motd() {
        // RFC 9051, 7.1: the client must show it.
        context.tell_code(&Code::Alert, motd.text());
    }
    let info = context.connection.info();
    let (tls, proxy) = (info.tls.map(|tls| tls.version), proxy.map(|proxy| proxy.to_string()));
    info!(event = "imap.login.succeeded", conn = info.id, user = account.user.as_str(), proxy, app, peer = %info.peer, tls);
    let namespace = Namespace::new(account.user.as_str(), account.admin, &context.server.options.prefixes);
    let access = Access {
        user: account.user.as_str().to_owned(),
        admin: account.admin,
        groups: account.groups,
        anonymous: false,
    };
    let user = Authenticated { account: Arc::new(Account { access, namespace }) };
    let capabilities = Code::Capability(capability::list(context, true));
    Ok(Done::ok("Logged in").code(capabilities).enter(Session::Authenticated(user)))
}

/// Logs and slows down a failed login. The answer is the same for a wrong password and for a user who does not exist.
async fn refuse(context: &mut Context, state: &mut NotAuthenticated, user: &str, guess: Option<u64>) -> CommandError {
    let (connection, failures) = (context.connection.info(), state.failures.count() + 1);
    info!(event = "imap.login.failed", conn = connection.id, user, peer = %connection.peer, failures);
    state.failures.add(&context.connection, guess).await;
    CommandError::refused(Code::AuthenticationFailed, "Wrong user name or password")
}
