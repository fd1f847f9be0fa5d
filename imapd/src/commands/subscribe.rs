//! SUBSCRIBE and UNSUBSCRIBE (RFC 9051, 6.3.7 and 6.3.8): `a SUBSCRIBE Drafts`.

use std::sync::Arc;

use crate::access;
use crate::context::Context;
use crate::outcome::{CommandError, Done, Outcome};
use crate::session::Authenticated;
use crate::types::MailboxArg;

/// A mailbox must exist, and the user must be able to see it, to be subscribed. The name stays subscribed when the mailbox
/// is deleted (RFC 9051, 6.3.7).
pub(crate) async fn subscribe(context: &mut Context, user: &mut Authenticated, mailbox: MailboxArg) -> Outcome {
    no_stranger(user)?;
    let name = user.account.name(&mailbox)?;
    let access = &user.account.access;
    let visible = |row: &mailstore::Row| row.rights(access).intersects(access::LOOKUP.with(access::READ));
    if !context.server.store.row(&name).is_some_and(|row| visible(&row)) {
        return Err(CommandError::no_mailbox());
    }
    let account = Arc::clone(&user.account);
    context.blocking(move |server| server.store.subscribe(account.reader(), &name)).await?;
    Ok(Done::ok("SUBSCRIBE completed"))
}

/// Any name can be unsubscribed, also one that is not subscribed: what the client wants is then so already.
pub(crate) async fn unsubscribe(context: &mut Context, user: &mut Authenticated, mailbox: MailboxArg) -> Outcome {
    no_stranger(user)?;
    let name = user.account.name(&mailbox)?;
    let account = Arc::clone(&user.account);
    context.blocking(move |server| server.store.unsubscribe(account.reader(), &name)).await?;
    Ok(Done::ok("UNSUBSCRIBE completed"))
}

/// Nobody in particular has no list of subscriptions: it would be one for all of them.
fn no_stranger(user: &Authenticated) -> Result<(), CommandError> {
    if user.account.access.anonymous { Err(CommandError::no_permission()) } else { Ok(()) }
}
