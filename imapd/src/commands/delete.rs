//! DELETE (RFC 9051, 6.3.5): `a DELETE Drafts/2019`.

use std::sync::Arc;

use crate::context::Context;
use crate::namespace::INBOX;
use crate::outcome::{CommandError, Done, Outcome};
use crate::reply::Code;
use crate::session::Authenticated;
use crate::types::MailboxArg;

pub(crate) async fn run(context: &mut Context, user: &mut Authenticated, mailbox: MailboxArg) -> Outcome {
    if mailbox.as_str() == INBOX {
        return Err(CommandError::refused(Code::Cannot, "INBOX cannot be deleted"));
    }
    let name = user.account.name(&mailbox)?;
    let account = Arc::clone(&user.account);
    context.blocking(move |server| server.store.delete(&account.access, &name)).await?;
    Ok(Done::ok("DELETE completed"))
}
