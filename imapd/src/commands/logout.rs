//! LOGOUT (RFC 9051, 6.1.3): `a LOGOUT` is answered with an untagged BYE and an OK, then the connection ends.

use crate::context::Context;
use crate::outcome::{Done, Outcome, Then};
use crate::reply::Status;
use crate::session::Session;

pub(crate) async fn run(context: &mut Context, _session: &mut Session) -> Outcome {
    context.tell(Status::Bye, None, "Goodbye");
    Ok(Done::ok("LOGOUT completed").then(Then::Close))
}
