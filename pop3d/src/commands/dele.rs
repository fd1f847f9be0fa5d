//! DELE (RFC 1939, 5): `DELE 1` marks a message; QUIT removes it.

use crate::commands::one_message;
use crate::outcome::{Done, Outcome, Refused};
use crate::session::Transaction;
use crate::syntax::Line;

pub(crate) fn run(state: &mut Transaction, line: &Line<'_>) -> Outcome {
    let number = one_message(line)?.ok_or_else(|| Refused::bad("A message number belongs here"))?;
    state.maildrop.delete(number)?;
    Done::ok(format!("Message {number} is deleted"))
}
