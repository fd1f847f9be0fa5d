//! COPY, MOVE and their UID forms (RFC 9051, 6.4.7 and 6.4.8; RFC 4315, 3; rights: RFC 4314, 4).
//!
//! ```text
//! C: A003 COPY 2:4 MEETING
//! S: A003 OK [COPYUID 38505 304,319:320 3956:3958] COPY completed
//! ```

use std::sync::Arc;

use mailstore::{CopyOptions, Mailbox, QuotaCheck, Rights, Store, Uid, UidSet, UidValidity};

use crate::access;
use crate::context::{Context, Imap};
use crate::outcome::{CommandError, Done, Outcome};
use crate::reply::Code;
use crate::session::Selected;
use crate::types::{NumberSet, Numbering, Transfer};

/// What becomes of the originals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Originals {
    Stay,
    Go,
}

/// Runs COPY.
pub(crate) async fn copy(context: &mut Context, selected: &mut Selected, transfer: Transfer) -> Outcome {
    match run(context, selected, &transfer, Originals::Stay).await? {
        Some(code) => Ok(Done::ok("COPY completed").code(code)),
        None => Ok(Done::ok("No messages copied")),
    }
}

/// Runs MOVE. COPYUID comes before the EXPUNGEs that tell of the originals, so that the client knows where they went
/// (RFC 9051, 6.4.8).
pub(crate) async fn move_(context: &mut Context, selected: &mut Selected, transfer: Transfer) -> Outcome {
    if selected.examined {
        return Err(CommandError::refused(Code::ReadOnly, "The mailbox was opened with EXAMINE"));
    }
    if !selected.rights.contains(Rights::DELETE_MESSAGES.with(Rights::EXPUNGE)) {
        return Err(CommandError::no_permission());
    }
    match run(context, selected, &transfer, Originals::Go).await? {
        Some(code) => {
            context.tell_code(&code, "Moved");
            Ok(Done::ok("MOVE completed"))
        }
        None => Ok(Done::ok("No messages moved")),
    }
}

async fn run(
    context: &mut Context,
    selected: &mut Selected,
    transfer: &Transfer,
    originals: Originals,
) -> Result<Option<Code>, CommandError> {
    let uids = selected.view.resolve(&transfer.set, transfer.numbering)?;
    let account = Arc::clone(&selected.user.account);
    let name = account.name(&transfer.mailbox)?;
    let opened = context.blocking(move |server| server.store.open_for(&account.access, &name, access::INSERT)).await;
    let (target, rights) = opened.map_err(CommandError::or_try_create)?;
    // All or nothing (RFC 9051, 6.4.7): a message that is gone cannot be copied.
    let gone = !uids.is_subset(selected.mailbox.read().uids());
    if gone && transfer.numbering == Numbering::Sequence {
        return Err(CommandError::refused(Code::ExpungeIssued, "Some of the messages are gone"));
    }
    let (mailbox, reader) = (Arc::clone(&selected.mailbox), selected.account().reader().to_owned());
    let work = move |server: &Imap| {
        let quota = quota_check(&server.store, &mailbox, &target, originals);
        let options = CopyOptions { reader: &reader, permitted: access::permitted(rights), quota };
        transfer_all(&mailbox, &uids, &target, &options, originals)
    };
    let (validity, pairs) = context.blocking(work).await?;
    if pairs.is_empty() {
        return Ok(None);
    }
    // Both ascend, so the n-th of one set is the n-th of the other, as COPYUID demands.
    let from: NumberSet = pairs.iter().map(|(from, _)| from.get()).collect();
    let to: NumberSet = pairs.iter().map(|(_, to)| to.get()).collect();
    Ok(Some(Code::CopyUid(validity.get(), from, to)))
}

/// A user whose quota is full must still be able to tidy up: what stays below one quota root uses no more of it.
fn quota_check(store: &Store, from: &Mailbox, to: &Mailbox, originals: Originals) -> QuotaCheck {
    let same_root = store.quota_root_of(&from.name()) == store.quota_root_of(&to.name());
    if originals == Originals::Go && same_root { QuotaCheck::Ignore } else { QuotaCheck::Enforce }
}

fn transfer_all(
    mailbox: &Arc<Mailbox>,
    uids: &UidSet,
    target: &Arc<Mailbox>,
    options: &CopyOptions<'_>,
    originals: Originals,
) -> Result<(UidValidity, Vec<(Uid, Uid)>), mailstore::Error> {
    let pairs = match originals {
        Originals::Stay => mailbox.copy_to(uids, target, options)?,
        Originals::Go => mailbox.move_to(uids, target, options)?,
    };
    Ok((target.status().uid_validity, pairs))
}
