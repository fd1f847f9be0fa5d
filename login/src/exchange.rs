//! A SASL exchange over a connection.

use std::sync::Arc;

use directory::{Directory, Secret, UserId};
use wire::limits::SASL_LINE;
use wire::sasl::{Exchange, Identity, KeysWanted, Offer, SaslError, ScramHash, ScramKeys, Step, Token};
use wire::{Connection, Secret as WireSecret};

use crate::name::LoginName;
use crate::password::{act, password};
use crate::{Entered, Failure};

/// What a connection is offered: all that the directory can check. Whether anybody may log in on it is the caller's
/// business.
#[must_use]
pub fn offer(connection: &Connection, directory: &dyn Directory) -> Offer {
    Offer {
        passwords: true,
        scram_sha256: directory.knows_scram(),
        tokens: directory.takes_tokens(),
        binding: connection.channel_binding(),
        ..Offer::default()
    }
}

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
    if connection.is_blocked() {
        return Err(Failure::Blocked);
    }
    let mut exchange = Exchange::new(mechanism, &offer(connection, &**directory))?;
    // Who the client says it is, for the log.
    let mut claimed = String::from("-");
    let mut next = exchange.begin(initial);
    loop {
        let challenge = match next {
            Ok(Step::Challenge(challenge)) => challenge,
            Ok(Step::Keys(wanted)) => {
                let keys = keys(&**directory, &wanted, details)?;
                claimed = wanted.user;
                next = exchange.keys(keys);
                continue;
            }
            Ok(Step::Verify(found)) => {
                let secret = Secret::new(found.password.expose().as_str());
                let act_as = found.authorization_id.as_deref();
                return password(connection, directory, &found.authentication_id, secret, act_as, details).await;
            }
            Ok(Step::Proved(identity)) => return proved(directory, &identity, details).await,
            Ok(Step::Token(found)) => {
                if let Some(entered) = token(directory, &found, details).await? {
                    return Ok(entered);
                }
                claimed = found.user.unwrap_or(claimed);
                next = exchange.refuse();
                continue;
            }
            Ok(_) => return Err(SaslError::UnknownMechanism.into()),
            Err(SaslError::Rejected) => return Err(Failure::refused(&claimed)),
            Err(error) => return Err(error.into()),
        };
        write!(connection.output(), "+ {challenge}\r\n");
        let line = connection.read_line(SASL_LINE).await?;
        next = exchange.step(&line);
    }
}

/// What SCRAM needs to know of a user.
fn keys(directory: &dyn Directory, wanted: &KeysWanted, details: bool) -> directory::Result<ScramKeys> {
    let hash = match wanted.hash {
        ScramHash::Sha1 => directory::ScramHash::Sha1,
        ScramHash::Sha256 => directory::ScramHash::Sha256,
    };
    let keys = directory.scram(LoginName::parse(&wanted.user, details).user, hash)?;
    let secret = |key: Secret| WireSecret::new(key.expose().to_vec());
    Ok(ScramKeys {
        salt: keys.salt,
        iterations: keys.iterations,
        stored_key: secret(keys.stored_key),
        server_key: secret(keys.server_key),
    })
}

/// Lets in whoever has proved to be `identity`.
async fn proved(directory: &Arc<dyn Directory>, identity: &Identity, details: bool) -> Result<Entered, Failure> {
    let refused = || Failure::refused(&identity.authentication_id);
    let name = LoginName::parse(&identity.authentication_id, details);
    let user = UserId::parse(name.user).map_err(|_| refused())?;
    let asked = Arc::clone(directory);
    // Gone or disabled since the keys were looked up, it is nobody.
    let account = tokio::task::spawn_blocking(move || asked.account(&user)).await??.ok_or_else(refused)?;
    let act_as = identity.authorization_id.as_deref();
    act(directory, account, name, act_as, details).await?.ok_or_else(refused)
}

/// Lets in whoever a token belongs to; nobody if it is no good.
async fn token(directory: &Arc<dyn Directory>, found: &Token, details: bool) -> Result<Option<Entered>, Failure> {
    let (asked, token) = (Arc::clone(directory), Secret::new(found.token.expose().as_str()));
    let Some(account) = tokio::task::spawn_blocking(move || asked.authenticate_token(&token)).await?? else {
        return Ok(None);
    };
    let own = account.user.to_string();
    act(directory, account, LoginName::parse(&own, false), found.user.as_deref(), details).await
}
