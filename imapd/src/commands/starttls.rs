//! STARTTLS (RFC 9051, 6.2.1): `a STARTTLS` is answered OK, then the TLS handshake begins.

use crate::context::Context;
use crate::outcome::{CommandError, Done, Outcome, Then};
use crate::session::NotAuthenticated;

pub(crate) async fn run(context: &mut Context, _state: &mut NotAuthenticated) -> Outcome {
    if context.server.tls.is_none() || context.connection.info().tls.is_some() {
        return Err(CommandError::bad("STARTTLS is not offered"));
    }
    // What stands behind STARTTLS in clear text may have been put there by somebody in between (CVE-2021-33515).
    if context.connection.has_input() {
        return Err(CommandError::Fatal("Plain text behind STARTTLS"));
    }
    Ok(Done::ok("Begin TLS negotiation now").then(Then::StartTls))
}
