//! AUTH (RFC 5034): `AUTH PLAIN AGpvZQBzZWNyZXQ=`, or with a challenge `+ ` and the response on a line of its own.
//!
//! ```abnf
//! auth-command     = "AUTH" [SP mechanism [SP initial-response]]
//! initial-response = base64 / "="
//! ```

use crate::commands::pass;
use crate::context::Context;
use crate::outcome::{Done, Outcome, Refused};
use crate::reply::{self, END};
use crate::session::Authorization;
use crate::syntax::Line;

pub(crate) async fn run(context: &mut Context, state: &mut Authorization, line: &Line<'_>) -> Outcome {
    let (mechanism, initial) = match line.words()[..] {
        [] => return list(context),
        [mechanism] => (mechanism, None),
        [mechanism, initial] => (mechanism, Some(initial.as_bytes())),
        _ => return Err(Refused::bad("A mechanism and at most one response belong here")),
    };
    if !context.may_log_in() {
        return Err(Refused::No(None, "Use STLS first".into()));
    }
    let attempt = context.server.door.exchange(&mut context.connection, mechanism, initial).await;
    pass::enter(context, state, attempt).await
}

/// Without an argument, the mechanisms: no RFC has that, but Outlook and what was written to look like it ask so.
fn list(context: &mut Context) -> Outcome {
    let offer = context.server.door.offer(&context.connection);
    let offered = if context.may_log_in() { offer.names() } else { Vec::new() };
    let output = context.connection.output();
    reply::ok(output, "Mechanisms:");
    for mechanism in offered {
        write!(output, "{mechanism}\r\n");
    }
    output.put(END);
    Ok(Done::Said)
}
