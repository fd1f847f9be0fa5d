//! GETQUOTA, GETQUOTAROOT, SETQUOTA (RFC 9208, 4): `a GETQUOTAROOT INBOX` is answered `* QUOTAROOT INBOX INBOX` and
//! `* QUOTA INBOX (STORAGE 10 512)`.
//!
//! A quota root is named like the mailbox at its top, so clients see it under the name they have for that mailbox.

use std::net::IpAddr;
use std::sync::Arc;

use directory::{Actor, Service, UserId};
use mailstore::{MailboxName, QuotaLimits, QuotaUsage, STORAGE_UNIT};

use crate::access;
use crate::context::{Context, Imap};
use crate::outcome::{CommandError, Done, Outcome};
use crate::reply::{self, Code};
use crate::session::{Account, Authenticated};
use crate::types::{AString, MailboxArg, QuotaLimit};

pub(crate) async fn get(context: &mut Context, user: &mut Authenticated, root: AString) -> Outcome {
    let name = root_name(&user.account, &root)?;
    if !may_see(context, &user.account, &name) {
        return Err(no_root());
    }
    let usage = usage(context, name).await?;
    tell(context, &user.account, &usage);
    Ok(Done::ok("GETQUOTA completed"))
}

/// RFC 9208, 4.1.3: the mailbox need not exist, but then the user must be allowed to make it; we ask for one that can be
/// read.
pub(crate) async fn get_root(context: &mut Context, user: &mut Authenticated, mailbox: MailboxArg) -> Outcome {
    let name = user.account.name(&mailbox)?;
    let rights = context.server.store.rights(&user.account.access, &name);
    if !rights.contains(access::LOOKUP) {
        return Err(CommandError::no_mailbox());
    }
    // What everybody may read tells nobody in particular how full its owner's mailboxes are.
    if user.account.access.anonymous || !rights.contains(access::QUOTA) && !user.account.access.admin {
        return Err(CommandError::no_permission());
    }
    let root = context.server.store.quota_root_of(&name);
    let names: Vec<String> = root.iter().map(|root| client_name(&user.account, root)).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let encoding = context.encoding();
    context.send(|out| reply::quota_root(out, mailbox.as_str(), &names, encoding));
    if let Some(root) = root {
        let usage = usage(context, root).await?;
        tell(context, &user.account, &usage);
    }
    Ok(Done::ok("GETQUOTAROOT completed"))
}

/// Only administrators set quotas. The limits replace all others: a resource that is not named is unlimited (4.1.1). A limit
/// is kept to the KiB; the directory, which counts in megabytes, has it rounded up.
pub(crate) async fn set(
    context: &mut Context,
    user: &mut Authenticated,
    root: AString,
    limits: Vec<QuotaLimit>,
) -> Outcome {
    if !user.account.access.admin {
        return Err(CommandError::no_permission());
    }
    let name = root_name(&user.account, &root)?;
    let limits = parse_limits(&limits)?;
    // RFC 9208, 4.1.1: `()` takes all limits away. The root goes with them, and what it governed counts to the one above.
    let limits = Some(limits).filter(|limits| *limits != QuotaLimits::default());
    let (set, account) = (name.clone(), Arc::clone(&user.account));
    let from = context.connection.info().peer.ip();
    context.blocking(move |server| set_limits(server, &account, from, &set, limits)).await?;
    if limits.is_some() {
        let usage = usage(context, name).await?;
        tell(context, &user.account, &usage);
    }
    Ok(Done::ok("SETQUOTA completed"))
}

/// The quota of a user's INBOX is the user's, and the directory has it, in megabytes: it is told of the new one first, so that
/// after a crash in between the store follows it. Other roots are the store's alone. `from` is where the administrator sits.
fn set_limits(
    server: &Imap,
    account: &Account,
    from: Option<IpAddr>,
    root: &MailboxName,
    limits: Option<QuotaLimits>,
) -> Result<(), CommandError> {
    let owner = root.owner().filter(|_| root.is_inbox()).and_then(|owner| UserId::parse(owner).ok());
    let (Some(uid), Ok(admin)) = (owner, UserId::parse(&account.access.user)) else {
        return Ok(server.store.set_quota(root, limits)?);
    };
    let service = Service::new(&*server.door.directory, Actor::user(&admin, account.access.admin, "imap", from));
    server.store.change_quota(root, |now| {
        if now.is_none() && server.store.row(root).is_none() {
            return Err(no_root());
        }
        match service.set_user_quota(&uid, limits.and_then(|limits| limits.storage_mib())) {
            // A mailbox that nobody logs in to.
            Ok(()) | Err(directory::Error::NoUser(_)) => Ok(limits),
            Err(directory::Error::Rule { rule, .. }) => Err(CommandError::refused(Code::Cannot, rule)),
            Err(directory::Error::Denied { .. }) => Err(CommandError::no_permission()),
            Err(failed) => Err(failed.into()),
        }
    })
}

fn parse_limits(limits: &[QuotaLimit]) -> Result<QuotaLimits, CommandError> {
    let mut parsed = QuotaLimits::default();
    for limit in limits {
        let place = match () {
            () if limit.resource.is("STORAGE") => &mut parsed.storage_kib,
            () if limit.resource.is("MESSAGE") => &mut parsed.messages,
            () => return Err(CommandError::refused(Code::Cannot, format!("No such resource: {}", limit.resource))),
        };
        if place.replace(limit.limit).is_some() {
            return Err(CommandError::bad(format!("{} is named twice", limit.resource)));
        }
    }
    Ok(parsed)
}

async fn usage(context: &Context, root: MailboxName) -> Result<QuotaUsage, CommandError> {
    match context.blocking(move |server| server.store.quota(&root)).await {
        Err(CommandError::Refused(..)) => Err(no_root()),
        result => result,
    }
}

fn tell(context: &mut Context, account: &Account, usage: &QuotaUsage) {
    let resource =
        |resource, usage, limit: Option<u64>| limit.map(|limit| reply::QuotaUsage { resource, usage, limit });
    let resources: Vec<reply::QuotaUsage> = [
        resource("STORAGE", usage.used.bytes.div_ceil(STORAGE_UNIT), usage.limits.storage_kib),
        resource("MESSAGE", usage.used.messages, usage.limits.messages),
    ]
    .into_iter()
    .flatten()
    .collect();
    let (name, encoding) = (client_name(account, &usage.root), context.encoding());
    context.send(|out| reply::quota(out, &name, &resources, encoding));
}

/// Whoever can read the mailbox at the top of a root may know how full it is; for everybody else there is none, nor for nobody
/// in particular.
fn may_see(context: &Context, account: &Account, root: &MailboxName) -> bool {
    account.access.admin
        || account.owns(root)
        || !account.access.anonymous && context.server.store.rights(&account.access, root).contains(access::QUOTA)
}

fn root_name(account: &Account, root: &AString) -> Result<MailboxName, CommandError> {
    let arg = root.to_str().and_then(MailboxArg::new).ok_or_else(no_root)?;
    account.name(&arg).map_err(|_| no_root())
}

fn client_name(account: &Account, root: &MailboxName) -> String {
    account.namespace.to_client(root).unwrap_or_else(|| root.as_str().to_owned())
}

fn no_root() -> CommandError {
    CommandError::refused(Code::Nonexistent, "No such quota root")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Atom;

    #[test]
    fn limits() {
        let check = |limits: &[(&str, u64)], expected: Option<(Option<u64>, Option<u64>)>| {
            let limits: Vec<QuotaLimit> = limits
                .iter()
                .map(|&(name, limit)| QuotaLimit { resource: Atom::new(name.as_bytes()).unwrap(), limit })
                .collect();
            let parsed = parse_limits(&limits).ok().map(|limits| (limits.storage_kib, limits.messages));
            assert_eq!(parsed, expected);
        };
        check(&[], Some((None, None)));
        check(&[("storage", 512)], Some((Some(512), None)));
        check(&[("MESSAGE", 0), ("STORAGE", 1)], Some((Some(1), Some(0))));
        check(&[("STORAGE", 1), ("STORAGE", 2)], None);
        check(&[("SPOONS", 1)], None);
    }
}
