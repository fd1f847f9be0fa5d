//! A SASL exchange over a connection.

use std::sync::Arc;
use std::time::Duration;

use directory::{Directory, Refusal, Resolution, Secret, UserId};
use tokio::sync::Semaphore;
use wire::limits::SASL_LINE;
use wire::sasl::{
    Exchange, Identity, KeysWanted, Offer, SaslError, ScramHash, ScramKeys, Step, Token, TokenHint, TokenProblem,
};
use wire::{Connection, Secret as WireSecret};

use crate::attempt::Attempt;
use crate::name::LoginName;
use crate::password::{NO_RIGHT, act, check};
use crate::{Entered, Failure};

/// What a connection is offered: all that the directory can check. Whether anybody may log in on it is the caller's
/// business.
#[must_use]
pub fn offer(connection: &Connection, directory: &dyn Directory) -> Offer {
    Offer {
        passwords: true,
        scram_sha256: directory.knows_scram(),
        tokens: directory.takes_tokens().map(|hint| TokenHint {
            scope: hint.scope.clone(),
            openid_configuration: hint.openid_configuration.clone(),
        }),
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
    let offer = offer(connection, &**directory);
    let mut exchange = Exchange::new(mechanism, &offer)?;
    let attempt = Attempt::new(connection, exchange.name());
    // Who the client says it is, for the log.
    let mut claimed = String::from("-");
    // What stands for the token that was no good.
    let mut tried = None;
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
                return check(&attempt, directory, &found.authentication_id, secret, act_as, details).await;
            }
            Ok(Step::Proved(identity)) => return proved(&attempt, directory, &identity, details).await,
            Ok(Step::Token(found)) => {
                let problem = match token(directory, &found, details).await? {
                    Ok(entered) => {
                        attempt.entered(&**directory, &entered);
                        return Ok(entered);
                    }
                    Err(problem) => problem,
                };
                claimed = found.user.unwrap_or(claimed);
                // A client may well try one that has run out before it gets another.
                tried = Some(wire::attempts::guess(found.token.expose()));
                let user = user_id(directory, &claimed).await?;
                attempt.failed_for(&**directory, LoginName::parse(&user, details).user, BAD_TOKEN);
                next = exchange.refuse(problem);
                continue;
            }
            Ok(_) => return Err(SaslError::UnknownMechanism.into()),
            Err(SaslError::Rejected) => {
                if let Some(token) = tried {
                    return Err(Failure::wrong(&claimed, token));
                }
                attempt.refused(&**directory, LoginName::parse(&claimed, details), &Refusal::Wrong);
                return Err(Failure::refused(&claimed));
            }
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

/// In the history: the token is no good, or not for that user.
const BAD_TOKEN: &str = "token";

/// Lets in whoever has proved to be `identity`.
async fn proved(
    attempt: &Attempt,
    directory: &Arc<dyn Directory>,
    identity: &Identity,
    details: bool,
) -> Result<Entered, Failure> {
    let refused = || Failure::refused(&identity.authentication_id);
    let name = LoginName::parse(&identity.authentication_id, details);
    let user = UserId::parse(name.user).map_err(|_| refused())?;
    let asked = Arc::clone(directory);
    // Gone or disabled since the keys were looked up, it is nobody.
    let Some(account) = tokio::task::spawn_blocking(move || asked.account(&user)).await?? else {
        attempt.refused(&**directory, name, &Refusal::Disabled);
        return Err(refused());
    };
    let act_as = identity.authorization_id.as_deref();
    let Some(entered) = act(directory, account, name, act_as, details).await? else {
        attempt.failed_for(&**directory, name.user, NO_RIGHT);
        return Err(refused());
    };
    attempt.entered(&**directory, &entered);
    Ok(entered)
}

/// Tokens that are checked at a time. Each may wait for an authorization server, on a thread that others need too.
static TOKENS: Semaphore = Semaphore::const_new(16);

/// How long a token waits for its turn: the authorization server does not keep up, and a client does not wait for ever.
const TOKEN_PATIENCE: Duration = Duration::from_secs(15);

/// Lets in whoever a token belongs to, or says what is wrong with it. Clients name a user by ID or by address.
async fn token(
    directory: &Arc<dyn Directory>,
    found: &Token,
    details: bool,
) -> Result<Result<Entered, TokenProblem>, Failure> {
    let busy = |_| directory::Error::Unavailable("the authorization server does not keep up".into());
    let place = tokio::time::timeout(TOKEN_PATIENCE, TOKENS.acquire()).await.map_err(busy)?;
    let (asked, token) = (Arc::clone(directory), Secret::new(found.token.expose().as_str()));
    let checked = tokio::task::spawn_blocking(move || asked.authenticate_token(&token)).await??;
    drop(place);
    let account = match checked {
        Ok(account) => account,
        Err(directory::TokenProblem::Invalid) => return Ok(Err(TokenProblem::Invalid)),
        Err(directory::TokenProblem::InsufficientScope) => return Ok(Err(TokenProblem::InsufficientScope)),
    };
    let own = account.user.to_string();
    let act_as = match found.user.as_deref() {
        Some(user) => Some(user_id(directory, user).await?),
        None => None,
    };
    let entered = act(directory, account, LoginName::parse(&own, false), act_as.as_deref(), details).await?;
    Ok(entered.ok_or(TokenProblem::Invalid))
}

/// The user ID that a client means: what has an `@` is an address.
async fn user_id(directory: &Arc<dyn Directory>, name: &str) -> Result<String, Failure> {
    let Some((local, domain)) = name.rsplit_once('@') else { return Ok(name.to_owned()) };
    let (asked, local, domain) = (Arc::clone(directory), local.to_owned(), domain.to_owned());
    let resolved = tokio::task::spawn_blocking(move || asked.resolve(&local, Some(&domain))).await??;
    Ok(match resolved {
        Resolution::User(user) => user.to_string(),
        _ => name.to_owned(),
    })
}
