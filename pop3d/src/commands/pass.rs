//! PASS (RFC 1939, 7): `PASS secret`; all of the line is the password, blanks too. And what it has in common with AUTH.

use directory::Secret;
use login::{Entered, Failure};
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
    let checked =
        login::password(&context.connection, &context.server.directory, &user, Secret::new(password), None, true).await;
    enter(context, state, checked).await
}

/// Opens the maildrop of somebody who is in, or says why not.
pub(crate) async fn enter(
    context: &mut Context,
    state: &mut Authorization,
    checked: Result<Entered, Failure>,
) -> Outcome {
    let entered = match checked {
        Ok(entered) => entered,
        Err(Failure::Refused { claimed, guess }) => return Err(refuse(context, state, &claimed, guess).await),
        Err(Failure::Blocked) => {
            let text = "Too many failed logins from your network, try again later";
            return Err(Refused::with(Code::SysTemp, text));
        }
        Err(Failure::Sasl(error)) => return Err(Refused::bad(error.to_string())),
        Err(Failure::Directory(error)) => return Err(Refused::Directory(error)),
        Err(Failure::Read(error)) => return Err(error.into()),
        Err(Failure::Task(error)) => return Err(Refused::Task(error)),
    };
    let user = entered.account.user.as_str().to_owned();
    // An administrator who acts as a user is one.
    if let Err(notice) = context.connection.admit(entered.account.admin || entered.proxy.is_some()) {
        let info = context.connection.info();
        info!(event = "pop3.login.locked_out", conn = info.id, user, peer = %info.peer);
        reply::err(context.connection.output(), Some(Code::SysTemp), notice.text());
        return Err(Refused::Ended);
    }
    if !context.server.pace.admit(&user, context.server.options.login_delay) {
        return Err(Refused::with(Code::LoginDelay, "You have logged in too short a time ago"));
    }
    let info = context.connection.info();
    let (tls, proxy) = (info.tls.map(|tls| tls.version), entered.proxy.as_ref().map(ToString::to_string));
    let (folder, app) = (entered.detail.clone(), entered.app.clone());
    info!(event = "pop3.login.succeeded", conn = info.id, user, proxy, app, folder, peer = %info.peer, tls);
    let Entered { account, detail, .. } = entered;
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

/// Logs and slows down a failed login. The answer is the same for a wrong password and for a user who does not exist.
async fn refuse(context: &mut Context, state: &mut Authorization, user: &str, guess: Option<u64>) -> Refused {
    let (connection, failures) = (context.connection.info(), state.failures.count() + 1);
    info!(event = "pop3.login.failed", conn = connection.id, user, peer = %connection.peer, failures);
    state.failures.add(&context.connection, guess).await;
    Refused::with(Code::Auth, "Wrong user name or password")
}
