//! NOOP (RFC 1939, 5).

use crate::commands::no_arguments;
use crate::outcome::{Done, Outcome};
use crate::syntax::Line;

pub(crate) fn run(line: &Line<'_>) -> Outcome {
    no_arguments(line)?;
    Done::ok("Still here")
}
