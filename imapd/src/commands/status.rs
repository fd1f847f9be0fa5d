//! STATUS (RFC 9051, 6.3.11; RFC 8438; RFC 9208, 4.1.4): `a STATUS Drafts (MESSAGES UIDNEXT)` is answered
//! `* STATUS Drafts (MESSAGES 17 UIDNEXT 4392)`.

use std::sync::Arc;

use mailstore::Mailbox;

use crate::access;
use crate::context::Context;
use crate::outcome::{CommandError, Done, Outcome};
use crate::reply;
use crate::session::{Account, Session};
use crate::types::{MailboxArg, StatusItem};

pub(crate) async fn run(
    context: &mut Context,
    session: &mut Session,
    mailbox: MailboxArg,
    items: Vec<StatusItem>,
) -> Outcome {
    let Some(account) = session.account().cloned() else { return Err(CommandError::bad("Log in first")) };
    // RFC 7162, 3.1: asking for a mod-sequence switches them on.
    if items.contains(&StatusItem::HighestModSeq) {
        context.enable_condstore(session.selected());
    }
    tell(context, &account, mailbox.as_str(), &items).await?;
    Ok(Done::ok("STATUS completed"))
}

/// Queues the STATUS reply for what the client calls `client_name`.
pub(super) async fn tell(
    context: &mut Context,
    account: &Arc<Account>,
    client_name: &str,
    items: &[StatusItem],
) -> Result<(), CommandError> {
    let arg = MailboxArg::new(client_name).ok_or_else(CommandError::no_mailbox)?;
    let name = account.name(&arg)?;
    let (mailbox, _) = access::open(context, account, name, access::READ).await?;
    let limit = context.server.options.message_size;
    let values: Vec<(StatusItem, Option<u64>)> = values(&mailbox, account.reader(), items, limit);
    let id = items.contains(&StatusItem::MailboxId).then(|| mailbox.unique_id().as_str());
    let encoding = context.encoding();
    context.send(|out| reply::status(out, client_name, &values, id, encoding));
    Ok(())
}

/// The values of all items but MAILBOXID, which is a word, under one lock.
fn values(mailbox: &Arc<Mailbox>, reader: &str, items: &[StatusItem], limit: u64) -> Vec<(StatusItem, Option<u64>)> {
    let reading = mailbox.read();
    let status = reading.status();
    let value = |item: StatusItem| match item {
        StatusItem::Messages => u64::from(status.exists),
        StatusItem::Recent => u64::from(reading.recent(reader)),
        StatusItem::UidNext => u64::from(status.uid_next),
        StatusItem::UidValidity => u64::from(status.uid_validity.get()),
        StatusItem::Unseen => u64::from(reading.unseen(reader)),
        StatusItem::Deleted => u64::from(status.deleted),
        StatusItem::Size => status.size,
        StatusItem::HighestModSeq => status.highest_modseq.get(),
        StatusItem::AppendLimit => limit,
        StatusItem::DeletedStorage => reading.deleted_size(),
        StatusItem::MailboxId => 0,
    };
    let named = items.iter().filter(|item| **item != StatusItem::MailboxId);
    named.map(|&item| (item, Some(value(item)))).collect()
}
