//! CLOSE (RFC 9051, 6.4.1): `a CLOSE` expunges what is \Deleted, without telling, and deselects the mailbox.
//! UNSELECT (6.4.2) only deselects it.

use std::sync::Arc;

use mailstore::Rights;

use crate::context::Context;
use crate::outcome::{Done, Outcome};
use crate::reply::Code;
use crate::session::{Selected, Session};

pub(crate) async fn close(context: &mut Context, selected: &mut Selected) -> Outcome {
    let mut done = Done::ok("CLOSE completed");
    // RFC 4314, 4: without the right to expunge, or after EXAMINE, CLOSE is UNSELECT.
    if selected.effective_rights().contains(Rights::EXPUNGE) {
        let mailbox = Arc::clone(&selected.mailbox);
        let expunged = context.blocking(move |_| mailbox.expunge(None)).await?;
        // RFC 7162, 3.2.8: tells the client how far its cache is right, though it is not told of each message.
        if context.enabled.qresync && !expunged.uids.is_empty() {
            done = done.code(Code::HighestModSeq(expunged.modseq.get()));
        }
    }
    Ok(done.enter(Session::Authenticated(selected.user.clone())))
}

pub(crate) async fn unselect(_context: &mut Context, selected: &mut Selected) -> Outcome {
    Ok(Done::ok("UNSELECT completed").enter(Session::Authenticated(selected.user.clone())))
}
