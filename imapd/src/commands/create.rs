//! CREATE (RFC 9051, 6.3.4; RFC 6154, 3): `a CREATE Sent (USE (\Sent))`.

use std::sync::Arc;

use mailstore::{Access, CreateOptions, ErrorKind, MailboxName, SpecialUse, Store};

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
    context.blocking(move |server| create(&server.store, &account.access, &created, &options)).await?;

    // RFC 9051, 6.3.4: if the name is not the one that was asked for, the client is told what it is.
    let told = user.account.namespace.to_client(&name).unwrap_or_default();
    if context.enabled.rev2 && told != arg.as_str() && !told.is_empty() {
        let encoding = context.encoding();
        let line = ListLine { attributes: &[], name: &told, old_name: Some(arg.as_str()), child_info: &[] };
        context.send(|out| reply::list(out, &line, encoding));
    }
    Ok(Done::ok("CREATE completed"))
}

/// Makes a mailbox, and before it the levels above that do not exist: clients expect to find and rename them (RFC 9051,
/// 6.3.4). Whoever may make the mailbox may make those, because its rights come from the same mailbox above.
/// An INBOX is made with its user, never by the way.
fn create(store: &Store, access: &Access, name: &MailboxName, options: &CreateOptions) -> mailstore::Result<()> {
    if store.row(name).is_none() {
        let mut missing = Vec::new();
        let mut above = name.parent();
        while let Some(level) = above.filter(|level| !level.is_inbox() && store.row(level).is_none()) {
            above = level.parent();
            missing.push(level);
        }
        for level in missing.iter().rev() {
            match store.create(access, level, &CreateOptions::default()) {
                // Another session was faster.
                Err(error) if error.kind() == ErrorKind::Exists => {}
                result => drop(result?),
            }
        }
    }
    store.create(access, name, options).map(drop)
}

/// RFC 6154, 3: a use that we do not know is refused.
fn known_use(wanted: &types::SpecialUse) -> Result<SpecialUse, CommandError> {
    SpecialUse::parse(&format!("\\{}", wanted.name()))
        .ok_or_else(|| CommandError::refused(Code::UseAttr, "Special use is not supported"))
}
