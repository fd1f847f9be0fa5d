//! STORE and UID STORE (RFC 9051, 6.4.6; RFC 7162, 3.1.3; rights: RFC 4314, 4).
//!
//! ```text
//! C: A003 STORE 2:4 +FLAGS (\Deleted)
//! S: * 2 FETCH (FLAGS (\Deleted \Seen))
//! S: A003 OK STORE completed
//! ```

use std::sync::Arc;

use mailstore::{FlagOp, ModSeq, Permitted, StoreRequest, Stored, Uid, UidSet};

use crate::access;
use crate::asked::Asked;
use crate::context::Context;
use crate::flags;
use crate::outcome::{CommandError, Done, Outcome};
use crate::reply::{self, Code};
use crate::session::Selected;
use crate::types::{NumberSet, Numbering, Store, StoreOperation};

/// Runs STORE.
pub(crate) async fn run(context: &mut Context, selected: &mut Selected, store: Store) -> Outcome {
    let uids = selected.view.resolve(&store.set, store.numbering)?;
    let asked = Asked::of(&store.flags);
    let permitted = access::permitted(selected.effective_rights());
    if selected.examined {
        return Err(CommandError::refused(Code::ReadOnly, "The mailbox was opened with EXAMINE"));
    }
    if asked.is_forbidden(permitted) || !selected.rights.intersects(access::CHANGING) {
        return Err(CommandError::no_permission());
    }
    if store.unchanged_since.is_some() {
        context.enable_condstore(Some(selected));
    }
    let stored = change(context, selected, &store, asked, uids.clone()).await?;
    // A keyword is told before the first message that has it (RFC 9051, 7.3.5).
    selected.tell_new_keywords(context);
    tell(context, selected, &store, &uids, &stored).await?;
    let gone = &uids - selected.mailbox.read().uids();
    answer(selected, &store, &stored, &gone)
}

/// Messages whose flags are changed here and now: some ten microseconds of memory work, and three small writes to pages
/// that are in memory. To hand that over to another thread and back would cost more.
const AT_ONCE: u64 = 256;

/// Changes the flags: on a thread that may block, if they are many or a new keyword has to become durable first.
async fn change(
    context: &Context,
    selected: &Selected,
    store: &Store,
    asked: Asked,
    uids: UidSet,
) -> Result<Stored, CommandError> {
    let mailbox = Arc::clone(&selected.mailbox);
    let wish = Wish {
        reader: selected.account().reader().to_owned(),
        uids,
        op: match store.operation {
            StoreOperation::Replace => FlagOp::Replace,
            StoreOperation::Add => FlagOp::Add,
            StoreOperation::Remove => FlagOp::Remove,
        },
        asked,
        permitted: access::permitted(selected.effective_rights()),
        unchanged_since: store.unchanged_since.map(ModSeq::new),
    };
    if wish.uids.len() <= AT_ONCE && !mailbox.store_blocks(&wish.request()) {
        return Ok(mailbox.store(&wish.request())?);
    }
    context.blocking(move |_| mailbox.store(&wish.request())).await
}

/// A change of flags that can move to another thread.
struct Wish {
    reader: String,
    uids: UidSet,
    op: FlagOp,
    asked: Asked,
    permitted: Permitted,
    unchanged_since: Option<ModSeq>,
}

impl Wish {
    fn request(&self) -> StoreRequest<'_> {
        StoreRequest {
            reader: &self.reader,
            uids: &self.uids,
            op: self.op,
            system: self.asked.system,
            seen: self.asked.seen,
            keywords: &self.asked.keywords,
            permitted: self.permitted,
            unchanged_since: self.unchanged_since,
        }
    }
}

/// The new flags of all messages but those left alone. `.SILENT` leaves flags out, but mod-sequences are told all the same:
/// the client needs them for its next conditional STORE (RFC 7162, 3.1.3).
async fn tell(
    context: &mut Context,
    selected: &mut Selected,
    store: &Store,
    uids: &UidSet,
    stored: &Stored,
) -> Result<(), CommandError> {
    let condstore = context.enabled.condstore;
    let told = if store.silent { stored.changed.clone() } else { uids - &stored.failed };
    if !store.silent || condstore {
        let shape = Shape { uid: store.numbering == Numbering::Uid || condstore, flags: !store.silent, condstore };
        let numbered: Vec<(u32, u32)> = selected.view.numbered(&told).collect();
        for batch in numbered.chunks(BATCH) {
            tell_batch(context, selected, batch, shape);
            context.relieve().await?;
        }
    }
    selected.view.told(stored.changed.clone(), stored.modseq);
    Ok(())
}

/// Messages told of under one lock.
const BATCH: usize = 256;

/// What the replies hold.
#[derive(Debug, Clone, Copy)]
struct Shape {
    uid: bool,
    flags: bool,
    condstore: bool,
}

fn tell_batch(context: &mut Context, selected: &Selected, batch: &[(u32, u32)], shape: Shape) {
    let rev2 = context.enabled.rev2;
    let reading = selected.mailbox.read();
    let reader = reading.reader(selected.account().reader());
    context.send(|out| {
        for &(sequence, uid) in batch {
            let Some(record) = Uid::new(uid).and_then(|uid| reading.record(uid)) else { continue };
            let mut items = reply::fetch_start(out, sequence);
            if shape.uid {
                items.uid(out, uid);
            }
            if shape.flags {
                let recent = !rev2 && selected.view.is_recent(uid);
                let seen = reader.has_seen(record.uid);
                items.flags(out, flags::of_message(&record, reading.keywords(), seen, recent));
            }
            if shape.condstore {
                items.mod_seq(out, record.modseq.get());
            }
            reply::fetch_end(out);
        }
    });
}

fn answer(selected: &Selected, store: &Store, stored: &Stored, gone: &UidSet) -> Outcome {
    let failed = &stored.failed;
    if !failed.is_empty() {
        let numbers: NumberSet = match store.numbering {
            Numbering::Uid => failed.iter().collect(),
            Numbering::Sequence => selected.view.numbered(failed).map(|(sequence, _)| sequence).collect(),
        };
        return Ok(Done::ok("Conditional STORE failed for some messages").code(Code::Modified(numbers)));
    }
    match !gone.is_empty() && store.numbering == Numbering::Sequence {
        true => Err(CommandError::refused(Code::ExpungeIssued, "Some of the messages are gone")),
        false => Ok(Done::ok("STORE completed")),
    }
}
