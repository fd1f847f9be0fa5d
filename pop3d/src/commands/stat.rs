//! STAT (RFC 1939, 5): `+OK 2 320`, without messages that are marked as deleted.

use crate::commands::no_arguments;
use crate::outcome::{Done, Outcome};
use crate::session::Transaction;
use crate::syntax::Line;

pub(crate) fn run(state: &Transaction, line: &Line<'_>) -> Outcome {
    no_arguments(line)?;
    let (count, octets) = state.maildrop.left();
    Done::ok(format!("{count} {octets}"))
}
