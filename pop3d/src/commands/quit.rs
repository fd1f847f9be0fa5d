//! QUIT (RFC 1939, 4 and 6): the end; after login, what was marked is deleted now.

use tracing::info;

use crate::commands::no_arguments;
use crate::context::Context;
use crate::outcome::{Done, Outcome, Refused};
use crate::reply::{self, Code};
use crate::session::Transaction;
use crate::syntax::Line;

/// Before login.
pub(crate) fn leave(line: &Line<'_>) -> Outcome {
    no_arguments(line)?;
    Ok(Done::Quit("Bye".into()))
}

/// The UPDATE state. If the messages cannot be deleted none is, the client is told, and the session ends all the same
/// (RFC 1939, 6): the client fetches them again.
pub(crate) async fn update(context: &mut Context, state: &mut Transaction, line: &Line<'_>) -> Outcome {
    no_arguments(line)?;
    let deletion = context.server.options.deletion;
    let (left, _) = state.maildrop.left();
    if left == state.maildrop.count() {
        return Ok(Done::Quit("Bye".into()));
    }
    let plan = state.maildrop.deleted();
    match context.blocking(move |_| plan.carry_out(deletion).map_err(Refused::Server)).await {
        Ok(deleted) => {
            let conn = context.connection.info().id;
            info!(event = "pop3.messages.deleted", conn, user = state.user, deleted);
            Ok(Done::Quit(format!("Bye, {deleted} messages deleted")))
        }
        Err(failed) => {
            if let Refused::Server(error) = &failed {
                tracing::error!(event = "pop3.update.failed", conn = context.connection.info().id, user = state.user, %error);
            }
            let code = failed.reply().and_then(|(code, _)| code).unwrap_or(Code::SysTemp);
            reply::err(context.connection.output(), Some(code), "Nothing was deleted");
            Err(Refused::Ended)
        }
    }
}
