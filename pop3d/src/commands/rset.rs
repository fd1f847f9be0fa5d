//! RSET (RFC 1939, 5): nothing is marked as deleted any more.

use crate::commands::no_arguments;
use crate::outcome::{Done, Outcome};
use crate::session::Transaction;
use crate::syntax::Line;

pub(crate) fn run(state: &mut Transaction, line: &Line<'_>) -> Outcome {
    no_arguments(line)?;
    state.maildrop.reset();
    let (count, octets) = state.maildrop.left();
    Done::ok(format!("{count} messages ({octets} octets)"))
}
