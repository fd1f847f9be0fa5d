//! AUTHENTICATE (RFC 9051, 6.2.2; RFC 4959): `a AUTHENTICATE PLAIN AGpvZQBzZWNyZXQ=`, or with a challenge `+ ` and the
//! response on a line of its own.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use wire::limits::SASL_LINE;
use wire::sasl::{Exchange, SaslError, Step};

use crate::commands::login::{self, Credentials};
use crate::context::Context;
use crate::outcome::{CommandError, Outcome};
use crate::reply::{self, Code};
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
    let mut exchange = Exchange::new(mechanism.as_str())?;
    let initial = initial.map(|initial| wire::Secret::new(in_base64(initial.expose())));
    let mut step = exchange.begin(initial.as_ref().map(|text| text.expose().as_bytes()))?;
    let found = loop {
        match step {
            Step::Challenge(challenge) => context.send(|out| reply::challenge(out, &challenge)),
            Step::Verify(found) => break found,
            _ => return Err(SaslError::UnknownMechanism.into()),
        }
        let line = context.connection.read_line(SASL_LINE).await?;
        step = exchange.step(&line)?;
    };
    let act_as = found.authorization_id.filter(|other| *other != found.authentication_id);
    let password = directory::Secret::new(found.password.expose().as_str());
    let credentials = Credentials { user: found.authentication_id, password, act_as };
    login::log_in(context, state, credentials).await
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
