//! STLS (RFC 2595, 4): `STLS` is answered `+OK`, then the TLS handshake begins.

use crate::commands::no_arguments;
use crate::context::Context;
use crate::outcome::{Done, Outcome, Refused};
use crate::syntax::Line;

pub(crate) fn run(context: &Context, line: &Line<'_>) -> Outcome {
    no_arguments(line)?;
    if !context.offers_tls() {
        return Err(Refused::bad("STLS is not offered"));
    }
    // What stands behind STLS in clear text may have been put there by somebody in between (CVE-2021-33515).
    if context.connection.has_input() {
        return Err(Refused::Fatal("Plain text behind STLS"));
    }
    Ok(Done::StartTls)
}
