//! IDLE (RFC 2177; RFC 9051, 6.3.13): `a IDLE` is answered `+ idling`, then the client is told of every change as it
//! happens, until it sends `DONE`.
//!
//! The session sleeps on three things: its mailbox's changes, its client, and the end of the server. It holds no buffer and
//! no lock meanwhile, and nobody polls. A client that is silent for longer than the inactivity timeout is logged out even
//! so (RFC 2177 tells clients to issue IDLE anew at least every 29 minutes).

use tokio::sync::watch;

use crate::context::Context;
use crate::outcome::{CommandError, Done, Outcome};
use crate::reply;
use crate::session::Session;
use crate::view::Expunges;

/// Octets of the line that ends IDLE: `DONE` and what a confused client may send in its place.
const LINE: usize = 1024;

pub(crate) async fn run(context: &mut Context, session: &mut Session) -> Outcome {
    context.send(|out| reply::continuation(out, "idling"));
    let mut changes = session.selected().map(|selected| selected.mailbox.watch());
    let shutdown = context.server.shutdown.clone();
    loop {
        tell(context, session).await?;
        tokio::select! {
            biased;
            () = shutdown.cancelled() => return Err(CommandError::Bye("Server is shutting down".into())),
            line = context.connection.read_line(LINE) => return done(&line?),
            () = changed(&mut changes) => {}
        }
    }
}

/// What has happened since the client was told last. Boxed: a sleeping session does not carry the room for it.
async fn tell(context: &mut Context, session: &mut Session) -> Result<(), CommandError> {
    let Session::Selected(selected) = session else { return Ok(()) };
    if let Some(why) = selected.lost() {
        return Err(CommandError::Bye(why.into()));
    }
    Box::pin(selected.tell(context, Expunges::Tell)).await
}

/// Returns at the next change; never without a mailbox.
async fn changed(changes: &mut Option<watch::Receiver<u64>>) {
    if let Some(changes) = changes
        && changes.changed().await.is_ok()
    {
        return;
    }
    std::future::pending().await
}

/// `idle = "IDLE" CRLF "DONE"`
fn done(line: &[u8]) -> Outcome {
    match line.eq_ignore_ascii_case(b"DONE") {
        true => Ok(Done::ok("IDLE completed")),
        false => Err(CommandError::bad("Expected DONE")),
    }
}
