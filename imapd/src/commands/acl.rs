//! GETACL, SETACL, DELETEACL, LISTRIGHTS, MYRIGHTS (RFC 4314, 3): `a SETACL Drafts sue +lr`.
//!
//! The store checks the right to administer, and answers for a mailbox that the user must not know of as for one that does
//! not exist (RFC 4314, 6).

use std::sync::Arc;

use mailstore::{AclMode, Identifier, Rights};

use crate::context::Context;
use crate::outcome::{CommandError, Done, Outcome};
use crate::reply;
use crate::session::Authenticated;
use crate::types::{AString, MailboxArg, RightsChange, RightsOperation};

pub(crate) async fn get(context: &mut Context, user: &mut Authenticated, mailbox: MailboxArg) -> Outcome {
    let name = user.account.name(&mailbox)?;
    let acl = context.server.store.acl(&user.account.access, &name)?;
    let entries: Vec<(&str, String)> = acl.entries().map(|(id, rights)| (id.as_str(), rights.to_string())).collect();
    let encoding = context.encoding();
    let entries = entries.iter().map(|(id, rights)| (*id, rights.as_str()));
    context.send(|out| reply::acl(out, mailbox.as_str(), entries, encoding));
    Ok(Done::ok("GETACL completed"))
}

pub(crate) async fn set(
    context: &mut Context,
    user: &mut Authenticated,
    mailbox: MailboxArg,
    id: AString,
    change: RightsChange,
) -> Outcome {
    let (id, rights) = (identifier(&id)?, rights(change.rights.as_str())?);
    let mode = match change.operation {
        RightsOperation::Replace => AclMode::Replace,
        RightsOperation::Add => AclMode::Add,
        RightsOperation::Remove => AclMode::Remove,
    };
    let name = user.account.name(&mailbox)?;
    let account = Arc::clone(&user.account);
    context.blocking(move |server| server.store.set_acl(&account.access, &name, &id, mode, rights)).await?;
    Ok(Done::ok("SETACL completed"))
}

pub(crate) async fn delete(
    context: &mut Context,
    user: &mut Authenticated,
    mailbox: MailboxArg,
    id: AString,
) -> Outcome {
    let id = identifier(&id)?;
    let name = user.account.name(&mailbox)?;
    let account = Arc::clone(&user.account);
    context.blocking(move |server| server.store.delete_acl(&account.access, &name, &id)).await?;
    Ok(Done::ok("DELETEACL completed"))
}

pub(crate) async fn list_rights(
    context: &mut Context,
    user: &mut Authenticated,
    mailbox: MailboxArg,
    id: AString,
) -> Outcome {
    let id = identifier(&id)?;
    let name = user.account.name(&mailbox)?;
    let (required, optional) = context.server.store.list_rights(&user.account.access, &name, &id)?;
    let (required, optional) = (required.to_string(), optional.iter().map(Rights::to_string).collect::<Vec<_>>());
    let optional: Vec<&str> = optional.iter().map(String::as_str).collect();
    let encoding = context.encoding();
    context.send(|out| reply::list_rights(out, mailbox.as_str(), id.as_str(), &required, &optional, encoding));
    Ok(Done::ok("LISTRIGHTS completed"))
}

pub(crate) async fn my_rights(context: &mut Context, user: &mut Authenticated, mailbox: MailboxArg) -> Outcome {
    let name = user.account.name(&mailbox)?;
    let rights = context.server.store.my_rights(&user.account.access, &name)?.to_string();
    let encoding = context.encoding();
    context.send(|out| reply::my_rights(out, mailbox.as_str(), &rights, encoding));
    Ok(Done::ok("MYRIGHTS completed"))
}

/// RFC 4314, 3: identifiers are UTF-8.
fn identifier(text: &AString) -> Result<Identifier, CommandError> {
    text.to_str().and_then(Identifier::parse).ok_or_else(|| CommandError::bad("Not an identifier"))
}

/// RFC 4314, 3.1: an unknown right is an error of the client.
fn rights(text: &str) -> Result<Rights, CommandError> {
    Rights::parse(text).map_err(|error| CommandError::bad(error.to_string()))
}
