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
    let attempt = match user.to_str() {
        Some(user) => {
            let password = Secret::new(password.expose());
            context.server.door.password(&context.connection, user, password).await
        }
        None => Err(Failure::nobody()),
    };
    enter(context, state, attempt).await
}

/// Enters the authenticated state, or says why not. The reply carries the capabilities, which have changed.
pub(crate) async fn enter(
    context: &mut Context,
    state: &mut NotAuthenticated,
    attempt: Result<Entered, Failure>,
) -> Outcome {
    let entered = state.failures.settle(&context.connection, attempt).await?;
    admit(context, &entered)?;
    let prefixes = &context.server.options.prefixes;
    let account = match entered {
        Entered::User(user) => {
            let directory::Account { user, admin, groups } = user.account;
            let namespace = Namespace::new(user.as_str(), admin, prefixes);
            Account { access: Access { user: user.into(), admin, groups, anonymous: false }, namespace }
        }
        // RFC 4505, 1: whatever rights the site has given to everybody.
        Entered::Anonymous { .. } => Account { access: Access::anonymous(), namespace: Namespace::nobody(prefixes) },
    };
    let user = Authenticated { account: Arc::new(account) };
    let capabilities = Code::Capability(capability::list(context, true));
    Ok(Done::ok("Logged in").code(capabilities).enter(Session::Authenticated(user)))
}

/// Turns away who is kept out for now, and tells everybody else the message of the day.
fn admit(context: &mut Context, entered: &Entered) -> Result<(), CommandError> {
    let (user, is_admin) = match entered {
        // An administrator who acts as a user is one.
        Entered::User(user) => (user.account.user.as_str(), user.account.admin || user.proxy.is_some()),
        Entered::Anonymous { .. } => ("anonymous", false),
    };
    if let Err(notice) = context.connection.admit(is_admin) {
        let info = context.connection.info();
        info!(event = "imap.login.locked_out", conn = info.id, user, peer = %info.peer);
        return Err(CommandError::LockedOut(notice.text().to_owned().into()));
    }
    // Whoever is nobody in particular is limited by address.
    if !is_admin && matches!(entered, Entered::User(_)) && !context.connection.becomes_session_of(user) {
        let info = context.connection.info();
        info!(event = "imap.login.too_many", conn = info.id, user, peer = %info.peer);
        return Err(CommandError::refused(Code::Limit, "You have too many connections already"));
    }
    if let Some(motd) = context.connection.motd() {
        // RFC 9051, 7.1: the client must show it.
        context.tell_code(&Code::Alert, motd.text());
    }
    Ok(())
}

impl From<Failure> for CommandError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused { .. } => CommandError::refused(Code::AuthenticationFailed, failure.to_string()),
            Failure::Blocked => CommandError::refused(Code::Unavailable, failure.to_string()),
            Failure::Sasl(error) => error.into(),
            Failure::Directory(error) => error.into(),
            Failure::Read(error) => error.into(),
            Failure::Task(error) => error.into(),
        }
    }
}
