//! NOOP (RFC 9051, 6.1.2): `a NOOP` does nothing, at whose end the client is told what is new in its mailbox.
//!
//! CHECK (RFC 3501, 6.4.1) is the same: what it asks for, that changes be on disk, is done all the time.

use crate::context::Context;
use crate::outcome::{Done, Outcome};
use crate::session::{Selected, Session};

pub(crate) async fn run(_context: &mut Context, _session: &mut Session) -> Outcome {
    Ok(Done::ok("NOOP completed"))
}

pub(crate) async fn check(_context: &mut Context, _selected: &mut Selected) -> Outcome {
    Ok(Done::ok("CHECK completed"))
}
