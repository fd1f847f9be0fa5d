//! CREATE (RFC 9051, 6.3.4; RFC 6154, 3): `a CREATE Sent (USE (\Sent))`.

use std::sync::Arc;

use mailstore::{CreateOptions, SpecialUse};

use crate::context::Context;
use crate::namespace::{INBOX, SEPARATOR};
use crate::outcome::{CommandError, Done, Outcome};
use crate::reply::{self, Code, ListLine};
use crate::session::Authenticated;
use crate::types::{self, MailboxArg};

pub(crate) async fn run(
    context: &mut Context,
    user: &mut Authenticated,
    mailbox: MailboxArg,
    uses: Vec<types::SpecialUse>,
) -> Outcome {
    // RFC 9051, 6.3.4: a trailing separator only says that names below it will follow.
    let asked = mailbox.as_str();
    let trimmed = asked.strip_suffix(SEPARATOR).filter(|name| !name.is_empty()).unwrap_or(asked);
    let Some(arg) = MailboxArg::new(trimmed) else { return Err(CommandError::bad("Not a mailbox name")) };
    if arg.as_str() == INBOX {
        return Err(CommandError::refused(Code::AlreadyExists, "INBOX exists always"));
    }
    let name = user.account.name(&arg)?;
    let special_use = uses.iter().map(known_use).collect::<Result<Vec<_>, _>>()?;

    let (account, created) = (Arc::clone(&user.account), name.clone());
    let options = CreateOptions { special_use, ..CreateOptions::default() };
    context.blocking(move |server| server.store.create(&account.access, &created, &options).map(drop)).await?;

    // RFC 9051, 6.3.4: if the name is not the one that was asked for, the client is told what it is.
    let told = user.account.namespace.to_client(&name).unwrap_or_default();
    if context.enabled.rev2 && told != arg.as_str() && !told.is_empty() {
        let encoding = context.encoding();
        let line = ListLine { attributes: &[], name: &told, old_name: Some(arg.as_str()), child_info: &[] };
        context.send(|out| reply::list(out, &line, encoding));
    }
    Ok(Done::ok("CREATE completed"))
}

/// RFC 6154, 3: a use that we do not know is refused.
fn known_use(wanted: &types::SpecialUse) -> Result<SpecialUse, CommandError> {
    SpecialUse::parse(&format!("\\{}", wanted.name()))
        .ok_or_else(|| CommandError::refused(Code::UseAttr, "Special use is not supported"))
}
