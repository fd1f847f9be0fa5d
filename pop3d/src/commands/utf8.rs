//! UTF8 (RFC 6856, 2): `UTF8` before login; from then on the client takes UTF-8 everywhere.

use crate::commands::no_arguments;
use crate::context::Context;
use crate::outcome::{Done, Outcome};
use crate::syntax::Line;

pub(crate) fn run(context: &mut Context, line: &Line<'_>) -> Outcome {
    no_arguments(line)?;
    context.utf8 = true;
    Done::ok("UTF-8 from now on")
}
