//! AUTHENTICATE (RFC 9051, 6.2.2; RFC 4959): `a AUTHENTICATE PLAIN AGpvZQBzZWNyZXQ=`, or with a challenge `+ ` and the
//! response on a line of its own.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use wire::sasl::SaslError;

use crate::commands::login::enter;
use crate::context::Context;
use crate::outcome::{CommandError, Outcome};
use crate::reply::Code;
use crate::session::NotAuthenticated;
use crate::types::{Atom, Secret};

pub(crate) async fn run(
    context: &mut Context,
    state: &mut NotAuthenticated,
    mechanism: Atom,
    initial: Option<Secret>,
) -> Outcome {
    if !context.may_log_in() {
        return Err(CommandError::refused(Code::PrivacyRequired, "Use TLS to log in"));
    }
    let initial = initial.map(|initial| wire::Secret::new(in_base64(initial.expose())));
    let initial = initial.as_ref().map(|text| text.expose().as_bytes());
    let attempt = context.server.door.exchange(&mut context.connection, mechanism.as_str(), initial).await;
    enter(context, state, attempt).await
}

/// The initial response as it stood in the command.
fn in_base64(initial: &[u8]) -> String {
    if initial.is_empty() { "=".into() } else { STANDARD.encode(initial) }
}

/// RFC 9051, 6.2.2: an unknown mechanism is NO; what is malformed or cancelled is BAD, and no failed login.
impl From<SaslError> for CommandError {
    fn from(error: SaslError) -> Self {
        match error {
            SaslError::UnknownMechanism => CommandError::refused(Code::Cannot, error.to_string()),
            _ => CommandError::bad(error.to_string()),
        }
    }
}
