//! PASS (RFC 1939, 7): `PASS secret`; all of the line is the password, blanks too. And what it has in common with AUTH.

use directory::Secret;
use login::{Entered, Failure, LoggedIn};
use tracing::info;

use crate::ahead::Ahead;
use crate::context::Context;
use crate::maildrop::Maildrop;
use crate::outcome::{Done, Outcome, Refused};
use crate::reply::{self, Code};
use crate::session::{Authorization, Transaction};
use crate::syntax::Line;

pub(crate) async fn run(context: &mut Context, state: &mut Authorization, line: &Line<'_>) -> Outcome {
    if !context.may_log_in() {
        return Err(Refused::No(None, "Use STLS first".into()));
    }
    // RFC 1939, 7: PASS directly behind a successful USER; a failed one starts over.
    let Some(user) = state.user.take() else { return Err(Refused::bad("Send USER first")) };
    let Some(password) = line.argument.filter(|password| !password.is_empty()) else {
        return Err(Refused::bad("A password belongs here"));
    };
    let attempt = context.server.door.password(&context.connection, &user, Secret::new(password)).await;
    enter(context, state, attempt).await
}

/// Opens the maildrop of somebody who is in, or says why not.
pub(crate) async fn enter(
    context: &mut Context,
    state: &mut Authorization,
    attempt: Result<Entered, Failure>,
) -> Outcome {
    let Entered::User(entered) = state.failures.settle(&context.connection, attempt).await? else {
        return Err(Refused::with(Code::Auth, "Log in as somebody"));
    };
    let LoggedIn { account, proxy, detail, .. } = *entered;
    let user = account.user.as_str().to_owned();
    // An administrator who acts as a user is one.
    if let Err(notice) = context.connection.admit(account.admin || proxy.is_some()) {
        let info = context.connection.info();
        info!(event = "pop3.login.locked_out", conn = info.id, user, peer = %info.peer);
        reply::err(context.connection.output(), Some(Code::SysTemp), notice.text());
        return Err(Refused::Ended);
    }
    if !account.admin && proxy.is_none() && !context.connection.becomes_session_of(&user) {
        let info = context.connection.info();
        info!(event = "pop3.login.too_many", conn = info.id, user, peer = %info.peer);
        return Err(Refused::with(Code::SysTemp, "You have too many connections already"));
    }
    if !context.server.pace.admit(&user, context.server.options.login_delay) {
        return Err(Refused::with(Code::LoginDelay, "You have logged in too short a time ago"));
    }
    let opened = context.blocking(move |server| Maildrop::open(server, &account, detail.as_deref())).await;
    let maildrop = match opened {
        Ok(maildrop) => maildrop,
        Err(refused) => {
            context.server.pace.forget(&user);
            return Err(refused);
        }
    };
    let (count, octets) = maildrop.left();
    let text = format!("Logged in, {count} messages ({octets} octets)");
    Ok(Done::Enter(Box::new(Transaction { user, maildrop, ahead: Ahead::default() }), text))
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused { .. } => Refused::with(Code::Auth, failure.to_string()),
            Failure::Blocked => Refused::with(Code::SysTemp, failure.to_string()),
            Failure::Sasl(error) => Refused::bad(error.to_string()),
            Failure::Directory(error) => error.into(),
            Failure::Read(error) => error.into(),
            Failure::Task(error) => error.into(),
        }
    }
}
