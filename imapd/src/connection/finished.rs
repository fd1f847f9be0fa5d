//! What is counted and logged of a command when it has ended.

use std::time::Duration;

use mailstore::MailboxName;
use tracing::{Level, debug, enabled, error};
use wire::meter::Verdict;

use crate::context::Context;
use crate::outcome::{CommandError, Outcome};
use crate::session::Session;

/// How a command that ended so is counted.
pub(super) fn verdict(outcome: &Outcome) -> Verdict {
    match outcome {
        Ok(_) => Verdict::Ok,
        Err(CommandError::Bad(_) | CommandError::TooBig(_) | CommandError::Fatal(_)) => Verdict::Bad,
        Err(
            CommandError::Refused(..)
            | CommandError::LockedOut(_)
            | CommandError::Server(_)
            | CommandError::Directory(_)
            | CommandError::Task(_),
        ) => Verdict::No,
        Err(CommandError::Bye(_) | CommandError::Gone(_)) => Verdict::Gone,
    }
}

/// A failure of ours, at a level that an administrator sees.
pub(super) fn log_failure(context: &Context, session: &Session, command: &str, outcome: &Outcome) {
    let failure: &dyn std::fmt::Display = match outcome {
        Err(CommandError::Server(error)) => error,
        Err(CommandError::Directory(error)) => error,
        Err(CommandError::Task(error)) => error,
        _ => return,
    };
    let conn = context.connection.info().id;
    let user = session.account().map(|account| account.reader());
    let mailbox = session.selected().map(|selected| selected.mailbox.name());
    let mailbox = mailbox.as_ref().map(MailboxName::as_str);
    error!(event = "imap.command.failed", conn, user, mailbox, command, error = %failure);
}

/// One event for each command. Costs two additions if nobody wants to see it.
pub(super) fn log_finished(context: &mut Context, session: &Session, command: &str, verdict: Verdict, took: Duration) {
    let (octets_in, octets_out) = context.connection.octets_since();
    if !enabled!(Level::DEBUG) {
        return;
    }
    let conn = context.connection.info().id;
    let user = session.account().map(|account| account.reader());
    let mailbox = session.selected().map(|selected| selected.mailbox.name());
    let mailbox = mailbox.as_ref().map(MailboxName::as_str);
    let (result, ms) = (verdict.name(), took.as_micros() as f64 / 1e3);
    debug!(event = "imap.command.finished", conn, user, mailbox, command, result, ms, octets_in, octets_out);
}
