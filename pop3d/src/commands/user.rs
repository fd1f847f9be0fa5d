//! USER (RFC 1939, 7): `USER joe`, or `USER joe+Lists` for a folder. Every name is accepted; PASS says whether it was one.

use crate::context::Context;
use crate::outcome::{Done, Outcome, Refused};
use crate::session::Authorization;
use crate::syntax::Line;

pub(crate) fn run(context: &Context, state: &mut Authorization, line: &Line<'_>) -> Outcome {
    if !context.may_log_in() {
        return Err(Refused::No(None, "Use STLS first".into()));
    }
    match line.argument.map(|name| name.trim_end_matches(' ')) {
        Some(name) if !name.is_empty() => {
            state.user = Some(name.to_owned());
            Done::ok("Send PASS")
        }
        _ => Err(Refused::bad("A user name belongs here")),
    }
}
