//! RENAME (RFC 9051, 6.3.6): `a RENAME Drafts Entwürfe`, with all mailboxes below it. RENAME of INBOX moves its messages
//! into a new mailbox and leaves INBOX empty.

use std::sync::Arc;

use crate::context::Context;
use crate::namespace::INBOX;
use crate::outcome::{CommandError, Done, Outcome};
use crate::reply::Code;
use crate::session::Authenticated;
use crate::types::MailboxArg;

pub(crate) async fn run(context: &mut Context, user: &mut Authenticated, from: MailboxArg, to: MailboxArg) -> Outcome {
    if to.as_str() == INBOX {
        return Err(CommandError::refused(Code::AlreadyExists, "INBOX exists always"));
    }
    let (old, new) = (user.account.name(&from)?, user.account.name(&to)?);
    let account = Arc::clone(&user.account);
    context.blocking(move |server| server.store.rename(&account.access, &old, &new)).await?;
    Ok(Done::ok("RENAME completed"))
}
