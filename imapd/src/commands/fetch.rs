//! FETCH and UID FETCH (RFC 9051, 6.4.5; RFC 3516; RFC 7162, 3.1.4 and 3.2.6).
//!
//! ```text
//! C: A654 FETCH 2:4 (FLAGS BODY[HEADER.FIELDS (DATE FROM)])
//! S: * 2 FETCH ....
//! S: A654 OK FETCH completed
//! ```
//!
//! Replies are made in batches on a thread that may block and written here, so that neither a lock nor more than a batch of
//! replies waits for a client that reads slowly. Bodies are sent from their files.

mod batch;
mod body;
mod plan;
mod render;

use std::sync::Arc;

use mailstore::{ModSeq, Rights, UidSet};

use crate::context::Context;
use crate::outcome::{CommandError, Done, Outcome};
use crate::pieces;
use crate::reply::{self, Code};
use crate::session::Selected;
use crate::types::{Fetch, FetchAttribute, NumberSet, Numbering};
use batch::{Failure, Made, Place, Wanted};
use plan::Plan;

/// Messages of a batch whose items are all in index and cache.
const BATCH: usize = 256;
/// Messages of a batch whose items are all in the index.
const BATCH_OF_INDEX: usize = 1024;
/// Messages of a batch that needs files: each holds one open until it is written.
const BATCH_WITH_FILES: usize = 32;

/// What a reply takes, before any was made: flags and numbers, ...
const TINY_REPLY: usize = 64;
/// ... or more than that.
const SMALL_REPLY: usize = 512;

/// Runs FETCH.
pub(crate) async fn run(context: &mut Context, selected: &mut Selected, fetch: Fetch) -> Outcome {
    if fetch.vanished && !context.enabled.qresync {
        return Err(CommandError::bad("VANISHED needs ENABLE QRESYNC first"));
    }
    let mut uids = selected.view.resolve(&fetch.set, fetch.numbering)?;
    if fetch.changed_since.is_some() || fetch.attributes.contains(&FetchAttribute::ModSeq) {
        context.enable_condstore(Some(selected));
    }
    if fetch.vanished {
        tell_vanished(context, selected, &fetch).await?;
    }
    let may_mark = selected.effective_rights().contains(Rights::SEEN);
    let plan = Arc::new(Plan::new(&fetch, context.enabled.condstore, may_mark, context.encoding()));
    let size = match plan.cached {
        _ if plan.uses_file => BATCH_WITH_FILES,
        Some(_) => BATCH,
        None => BATCH_OF_INDEX,
    };
    let (mut missing, mut room) = (false, if plan.cached.is_some() { SMALL_REPLY } else { TINY_REPLY });
    while !uids.is_empty() {
        let wanted = first(context, selected, &uids, size);
        let made = make(context, selected, &plan, wanted.clone(), room * wanted.len()).await?;
        room = made.octets * 9 / 8 / made.done.max(1);
        let last = made.done.checked_sub(1).and_then(|last| wanted.get(last)).map_or(u32::MAX, |wanted| wanted.uid);
        uids.remove_range(..=last);
        missing |= made.missing;
        if let Some((marked, modseq)) = made.marked {
            selected.view.told(marked, modseq);
        }
        pieces::write(&mut context.connection, made.pieces).await?;
    }
    // RFC 2180, 4.1.2; a UID that no message has is no error (RFC 9051, 6.4.9).
    match missing && fetch.numbering == Numbering::Sequence {
        true => Err(CommandError::refused(Code::ExpungeIssued, "Some of the messages are gone")),
        false => Ok(Done::ok("FETCH completed")),
    }
}

/// The first messages of `uids`, as the view knows them.
fn first(context: &Context, selected: &Selected, uids: &UidSet, size: usize) -> Vec<Wanted> {
    let numbered = selected.view.numbered_in_order(uids.iter().take(size));
    let recent = |uid| !context.enabled.rev2 && selected.view.is_recent(uid);
    // How many there are is dear to ask of such an iterator, and more room than needed is cheap.
    let mut wanted = Vec::with_capacity(size);
    numbered.for_each(|(sequence, uid)| wanted.push(Wanted { sequence, uid, recent: recent(uid) }));
    wanted
}

/// Makes the replies: here and now where that needs nothing but memory, else on a thread that may block. To hand work
/// over to another thread and back costs more than a hundred messages' replies.
async fn make(
    context: &Context,
    selected: &Selected,
    plan: &Arc<Plan>,
    wanted: Vec<Wanted>,
    room: usize,
) -> Result<Made, CommandError> {
    let reader = selected.account().reader();
    if batch::is_in_memory(&selected.mailbox, plan, &wanted) {
        match batch::make(&selected.mailbox, plan, reader, &wanted, Place::Reactor, room) {
            Err(Failure::NotHere) => {}
            made => return Ok(made?),
        }
    }
    let (mailbox, plan, reader) = (Arc::clone(&selected.mailbox), Arc::clone(plan), reader.to_owned());
    context.blocking(move |_| batch::make(&mailbox, &plan, &reader, &wanted, Place::Blocking, room)).await
}

/// RFC 7162, 3.2.6: the UIDs of the set that were expunged since. Those that the client still counts are told of with the
/// other expunges, at the end of the command.
async fn tell_vanished(context: &mut Context, selected: &Selected, fetch: &Fetch) -> Result<(), CommandError> {
    let since = ModSeq::new(fetch.changed_since.unwrap_or(0));
    let mailbox = Arc::clone(&selected.mailbox);
    let (status, live, changes) = context
        .blocking(move |_| {
            let reading = mailbox.read_many();
            let changes = reading.changes_since(since)?;
            Ok::<_, mailstore::Error>((reading.status(), reading.uids().clone(), changes))
        })
        .await?;
    let Some(asked) = fetch.set.resolve(status.uid_next.saturating_sub(1)) else { return Ok(()) };
    let known = &live | selected.view.uids();
    let vanished: NumberSet = match changes.complete {
        true => changes.expunged.iter().filter(|&uid| asked.contains(uid) && !known.contains(uid)).collect(),
        // Nobody remembers which of them ever existed; naming too many is allowed (RFC 7162, 3.2.5.2).
        false => gaps(&asked, &known, status.uid_next),
    };
    context.send(|out| reply::vanished(out, &vanished, true));
    Ok(())
}

/// The numbers of `asked` below `uid_next` that are not in `known`. Costs what `known` holds, not what `asked` spans.
fn gaps(asked: &NumberSet, known: &UidSet, uid_next: u32) -> NumberSet {
    let mut ranges = Vec::new();
    for &(first, last) in asked.ranges() {
        let (mut from, last) = (first.max(1), last.min(uid_next.saturating_sub(1)));
        if from > last {
            continue;
        }
        for uid in known.range(from..=last) {
            if uid > from {
                ranges.push((from, uid - 1));
            }
            from = uid.saturating_add(1);
        }
        if from <= last {
            ranges.push((from, last));
        }
    }
    NumberSet::from_ranges(ranges)
}

impl From<Failure> for CommandError {
    fn from(failure: Failure) -> CommandError {
        match failure {
            Failure::UnknownEncoding => {
                CommandError::refused(Code::UnknownCte, "The transfer encoding of a part is not known")
            }
            Failure::Store(error) => error.into(),
            // Only said on the reactor, and heard there.
            Failure::NotHere => mailstore::Error::Unavailable("a batch was made in the wrong place".into()).into(),
        }
    }
}

#[cfg(test)]
mod tests;
