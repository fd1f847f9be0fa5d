//! A SASL exchange over a connection.

use std::sync::Arc;

use directory::{Directory, Secret};
use wire::Connection;
use wire::limits::SASL_LINE;
use wire::sasl::{Exchange, SaslError, Step};

use crate::{Entered, Failure, password};

/// Runs the exchange of `mechanism`, whose initial response is written as in the command (base64, `=` for an empty one).
/// Challenges go out behind `+ `, as in IMAP and POP3. With `details`, a name may end in `+folder`.
///
/// # Errors
/// [`Failure`].
pub async fn exchange(
    connection: &mut Connection,
    directory: &Arc<dyn Directory>,
    mechanism: &str,
    initial: Option<&[u8]>,
    details: bool,
) -> Result<Entered, Failure> {
    let mut exchange = Exchange::new(mechanism)?;
    let mut step = exchange.begin(initial)?;
    loop {
        match step {
            Step::Challenge(challenge) => write!(connection.output(), "+ {challenge}\r\n"),
            Step::Verify(found) => {
                let secret = Secret::new(found.password.expose().as_str());
                let act_as = found.authorization_id.as_deref();
                return password(directory, &found.authentication_id, secret, act_as, details).await;
            }
            _ => return Err(SaslError::UnknownMechanism.into()),
        }
        let line = connection.read_line(SASL_LINE).await?;
        step = exchange.step(&line)?;
    }
}
