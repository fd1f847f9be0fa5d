//! APPEND (RFC 9051, 6.3.12; several messages at once: RFC 3502; rights: RFC 4314, 4).
//!
//! ```text
//! C: A003 APPEND saved-messages (\Seen) {326}
//! S: + OK
//! C: Date: Mon, 7 Feb 1994 21:52:25 -0800 (PST) ...
//! S: A003 OK [APPENDUID 38505 3955] APPEND completed
//! ```
//!
//! All that can be refused is refused before a message is asked for. Messages go to the stage as they arrive; when the last
//! one is there they enter the mailbox together, or none does.

mod receive;

use std::sync::Arc;

use mailstore::{
    AppendOptions, Mailbox, MailboxName, NewMessage, Permitted, QuotaCheck, Rights, StageWriter, Timestamp, Uid,
    UidValidity,
};
use wire::framing::{Fragment, Literal};

use crate::access;
use crate::asked::Asked;
use crate::context::{Context, Imap};
use crate::outcome::{CommandError, Done, Outcome};
use crate::reply::Code;
use crate::session::{Account, Authenticated};
use crate::syntax::{parse_append_next, parse_append_prefix};
use crate::types::{AppendItem, DateTime, NumberSet, Tag};

/// Messages of one APPEND: each holds a staged file open until all have come.
const MAX_MESSAGES: usize = 100;

/// Runs APPEND. `fragment` ends where the first message begins.
pub(crate) async fn run(context: &mut Context, user: &mut Authenticated, fragment: Fragment) -> Outcome {
    let outcome = append_all(context, user, fragment).await;
    context.connection.release();
    outcome
}

async fn append_all(context: &mut Context, user: &mut Authenticated, fragment: Fragment) -> Outcome {
    let prefix = parse_append_prefix(&fragment.text, context.encoding())?;
    let Some(first) = fragment.literal else { return Err(CommandError::bad("Expected a literal")) };
    let name = user.account.name(&prefix.mailbox)?;
    let (mailbox, rights) = open(context, &user.account, name, first.len).await.map_err(CommandError::or_try_create)?;

    let into = Into { mailbox: Arc::clone(&mailbox), permitted: access::permitted(rights) };
    let mut messages = Vec::new();
    let mut last = message(context, &into, &prefix.item, first).await?;
    while let Some((item, literal)) = next(context, &prefix.tag).await? {
        if messages.len() + 1 == MAX_MESSAGES {
            return Err(CommandError::refused(Code::Limit, "Too many messages in one APPEND"));
        }
        // All but the last wait on disk, not in memory.
        messages.push(context.blocking(move |_| last.finish()).await?);
        last = message(context, &into, &item, literal).await?;
    }

    let reader = user.account.reader().to_owned();
    let append = move |_: &Imap| {
        messages.push(last.finish()?);
        append(&mailbox, &messages, reader)
    };
    let (validity, uids) = context.blocking(append).await?;
    let uids: NumberSet = uids.iter().map(|uid| uid.get()).collect();
    Ok(Done::ok("APPEND completed").code(Code::AppendUid(validity.get(), uids)))
}

/// Where messages go, and which flags they may have there.
struct Into {
    mailbox: Arc<Mailbox>,
    permitted: Permitted,
}

/// Opens the mailbox, and sees whether there is room for a message of `octets`. Leaves the reactor only if something has to
/// be opened or counted up.
async fn open(
    context: &Context,
    account: &Arc<Account>,
    name: MailboxName,
    octets: u64,
) -> Result<(Arc<Mailbox>, Rights), CommandError> {
    let knows_quota = context.server.store.knows_quota(&name);
    let opened = access::open(context, account, name.clone(), access::INSERT).await?;
    if knows_quota {
        context.server.store.check_quota(&name, octets, 1, QuotaCheck::Enforce)?;
    } else {
        context.blocking(move |server| server.store.check_quota(&name, octets, 1, QuotaCheck::Enforce)).await?;
    }
    Ok(opened)
}

/// A message that has come, and is not durable yet.
struct Received {
    stage: StageWriter,
    date: Option<Timestamp>,
    flags: Asked,
}

impl Received {
    /// Analyses the message and makes it durable. Blocks.
    fn finish(self) -> Result<NewMessage, mailstore::Error> {
        Ok(NewMessage {
            staged: Arc::new(self.stage.finish()?),
            internal_date: self.date.unwrap_or_else(Timestamp::now),
            flags: self.flags.system,
            keywords: self.flags.keywords,
            seen: self.flags.seen,
        })
    }
}

/// Receives a message.
async fn message(
    context: &mut Context,
    into: &Into,
    item: &AppendItem,
    literal: Literal,
) -> Result<Received, CommandError> {
    let date = item.date.map(timestamp);
    let stage = receive::receive(context, &into.mailbox, date, literal).await?;
    Ok(Received { stage, date, flags: Asked::of(&item.flags).within(into.permitted) })
}

/// What follows a message: another one, or the end.
async fn next(context: &mut Context, tag: &Tag) -> Result<Option<(AppendItem, Literal)>, CommandError> {
    let fragment = context.connection.read_fragment().await?;
    match fragment.literal {
        Some(literal) => Ok(Some((parse_append_next(&fragment.text, tag)?, literal))),
        None if fragment.text.iter().all(|&octet| octet == b' ') => Ok(None),
        None => Err(CommandError::bad("Expected another message or the end of the command")),
    }
}

fn append(
    mailbox: &Arc<Mailbox>,
    messages: &[NewMessage],
    reader: String,
) -> Result<(UidValidity, Vec<Uid>), mailstore::Error> {
    let options = AppendOptions { quota: QuotaCheck::Enforce, reader: Some(reader) };
    let uids = mailbox.append(messages, &options)?;
    Ok((mailbox.status().uid_validity, uids))
}

/// The store keeps the zone for the reader's sake.
fn timestamp(date: DateTime) -> Timestamp {
    // The grammar has checked that a zone is less than a day.
    let zone_minutes = i16::try_from(date.zone_minutes()).unwrap_or(0);
    Timestamp { seconds: date.seconds(), zone_minutes }
}
