//! EXPUNGE and UID EXPUNGE (RFC 9051, 6.4.3 and 6.4.9; RFC 7162, 3.2.7).
//!
//! ```text
//! C: A202 EXPUNGE
//! S: * 3 EXPUNGE
//! S: A202 OK EXPUNGE completed
//! ```
//!
//! The EXPUNGE replies are not made here: after the command the view catches up with the mailbox, and tells of what this
//! session has removed together with what others have.

use std::sync::Arc;

use mailstore::{Rights, UidSet};

use crate::context::Context;
use crate::outcome::{CommandError, Done, Outcome};
use crate::reply::Code;
use crate::session::Selected;
use crate::types::{Numbering, SequenceSet};

/// Runs EXPUNGE.
pub(crate) async fn all(context: &mut Context, selected: &mut Selected) -> Outcome {
    run(context, selected, None).await
}

/// Runs UID EXPUNGE.
pub(crate) async fn some(context: &mut Context, selected: &mut Selected, set: SequenceSet) -> Outcome {
    let uids = selected.view.resolve(&set, Numbering::Uid)?;
    run(context, selected, Some(uids)).await
}

async fn run(context: &mut Context, selected: &mut Selected, among: Option<UidSet>) -> Outcome {
    if selected.examined {
        return Err(CommandError::refused(Code::ReadOnly, "The mailbox was opened with EXAMINE"));
    }
    if !selected.rights.contains(Rights::EXPUNGE) {
        return Err(CommandError::no_permission());
    }
    let mailbox = Arc::clone(&selected.mailbox);
    let expunged = context.blocking(move |_| mailbox.expunge(among.as_ref())).await?;
    let done = Done::ok("EXPUNGE completed");
    // RFC 7162, 3.2.7: so that the client need not ask what its own expunge has made of HIGHESTMODSEQ.
    match context.enabled.condstore && !expunged.uids.is_empty() {
        true => Ok(done.code(Code::HighestModSeq(expunged.modseq.get()))),
        false => Ok(done),
    }
}
