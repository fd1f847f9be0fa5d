//! A SASL exchange over a connection.

use std::sync::Arc;
use std::time::Duration;

use directory::{Refusal, Resolution, Secret, UserId};
use tokio::sync::Semaphore;
use wire::limits::SASL_LINE;
use wire::sasl::{Exchange, Identity, KeysWanted, SaslError, ScramHash, ScramKeys, Step, Token, TokenProblem};
use wire::{Connection, Secret as WireSecret};

use crate::attempt::Attempt;
use crate::name::LoginName;
use crate::password::{NO_RIGHT, act, check};
use crate::{Door, Entered, Failure, LoggedIn, certificate, for_log};

/// Runs the exchange of `mechanism` to its end.
pub(crate) async fn run(
    door: &Door,
    connection: &mut Connection,
    mechanism: &str,
    initial: Option<&[u8]>,
) -> Result<Entered, Failure> {
    let mut exchange = Exchange::new(mechanism, &door.offer(connection))?;
    let mut attempt = Attempt::new(connection, exchange.name());
    // Who the client says it is, for the log.
    let mut claimed = String::from("-");
    // What stands for the token that was no good.
    let mut tried = None;
    let mut next = exchange.begin(initial);
    loop {
        let challenge = match next {
            Ok(Step::Challenge(challenge)) => challenge,
            Ok(Step::Keys(wanted)) => {
                let keys = keys(door, &wanted)?;
                claimed = wanted.user;
                next = exchange.keys(keys);
                continue;
            }
            Ok(Step::Verify(found)) => {
                let secret = Secret::new(found.password.expose().as_str());
                let act_as = found.authorization_id.as_deref();
                return check(door, &attempt, &found.authentication_id, secret, act_as).await.map(Entered::user);
            }
            Ok(Step::Proved(identity)) => return proved(door, &attempt, &identity).await.map(Entered::user),
            Ok(Step::External(act_as)) => {
                return certificate::enter(door, &attempt, connection, act_as.as_deref()).await.map(Entered::user);
            }
            Ok(Step::Anonymous(trace)) => return Ok(Entered::Anonymous { trace: for_log(&trace) }),
            Ok(Step::Token(found)) => {
                let problem = match token(door, &attempt, &found).await? {
                    Ok(entered) => return Ok(Entered::user(entered)),
                    Err(problem) => problem,
                };
                // A client may well try one that has run out before it gets another.
                tried = Some(wire::attempts::guess(found.token.expose()));
                claimed = found.user.unwrap_or(claimed);
                note_bad_token(door, &attempt, &claimed).await;
                next = exchange.refuse(problem);
                continue;
            }
            Ok(_) => return Err(SaslError::UnknownMechanism.into()),
            // The client has been told that its token is no good. It failed whatever is said to that, `*` or nothing at all.
            Err(_) if tried.is_some() => return Err(attempt.failure(&claimed, tried)),
            Err(SaslError::Rejected) => return Err(wrong_proof(door, &attempt, &claimed)),
            Err(error) => return Err(error.into()),
        };
        write!(connection.output(), "{}{challenge}\r\n", door.profile.challenge);
        let line = connection.read_line(SASL_LINE).await.map_err(|error| match tried {
            // Hanging up is no way to guess for nothing. Whoever reads next finds the connection as it is.
            Some(_) => attempt.failure(&claimed, tried),
            None => error.into(),
        })?;
        attempt.goes_on();
        next = exchange.step(&line);
    }
}

/// The client does not know the password of whom it says it is.
fn wrong_proof(door: &Door, attempt: &Attempt, claimed: &str) -> Failure {
    let name = LoginName::parse(claimed, door.profile.details);
    attempt.refused(&*door.directory, name, &Refusal::Wrong);
    attempt.failure(claimed, None)
}

/// What SCRAM needs to know of a user.
fn keys(door: &Door, wanted: &KeysWanted) -> directory::Result<ScramKeys> {
    let hash = match wanted.hash {
        ScramHash::Sha1 => directory::ScramHash::Sha1,
        ScramHash::Sha256 => directory::ScramHash::Sha256,
    };
    let keys = door.directory.scram(LoginName::parse(&wanted.user, door.profile.details).user, hash)?;
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
async fn proved(door: &Door, attempt: &Attempt, identity: &Identity) -> Result<LoggedIn, Failure> {
    let refused = || attempt.failure(&identity.authentication_id, None);
    let name = LoginName::parse(&identity.authentication_id, door.profile.details);
    let user = UserId::parse(name.user).map_err(|_| refused())?;
    let directory = Arc::clone(&door.directory);
    // Gone or disabled since the keys were looked up, it is nobody.
    let Some(account) = wire::work::blocking(move || directory.account(&user)).await?? else {
        attempt.refused(&*door.directory, name, &Refusal::Disabled);
        return Err(refused());
    };
    let act_as = identity.authorization_id.as_deref();
    let Some(entered) = act(door, account, name, act_as).await? else {
        attempt.failed_for(&*door.directory, name.user, NO_RIGHT);
        return Err(refused());
    };
    attempt.entered(&*door.directory, &entered);
    Ok(entered)
}

/// A token was no good: that belongs into the history of the user, or of the address if nobody can say whose that is.
async fn note_bad_token(door: &Door, attempt: &Attempt, claimed: &str) {
    let user = user_id(door, claimed).await.unwrap_or_else(|_| claimed.to_owned());
    let name = LoginName::parse(&user, door.profile.details);
    attempt.failed_for(&*door.directory, name.user, BAD_TOKEN);
}

/// Tokens that are checked at a time, on threads that others need too.
static CHECKED_HERE: Semaphore = Semaphore::const_new(16);

/// Tokens that an authorization server is asked about at a time. Each may wait for it for seconds: the others must not stand
/// behind those.
static ASKED_ABOUT: Semaphore = Semaphore::const_new(16);

/// How long a token waits for its turn: the authorization server does not keep up, and a client does not wait for ever.
const TOKEN_PATIENCE: Duration = Duration::from_secs(15);

/// Lets in whoever a token belongs to, or says what is wrong with it. Clients name a user by ID or by address.
async fn token(door: &Door, attempt: &Attempt, found: &Token) -> Result<Result<LoggedIn, TokenProblem>, Failure> {
    let busy = |_| directory::Error::Unavailable("the authorization server does not keep up".into());
    let (directory, token) = (Arc::clone(&door.directory), Secret::new(found.token.expose().as_str()));
    let places = if directory.is_asked_about(&token) { &ASKED_ABOUT } else { &CHECKED_HERE };
    let place = tokio::time::timeout(TOKEN_PATIENCE, places.acquire()).await.map_err(busy)?;
    let checked = wire::work::blocking(move || directory.authenticate_token(&token)).await??;
    drop(place);
    let account = match checked {
        Ok(account) => account,
        Err(directory::TokenProblem::Invalid) => return Ok(Err(TokenProblem::Invalid)),
        Err(directory::TokenProblem::InsufficientScope) => return Ok(Err(TokenProblem::InsufficientScope)),
    };
    let own = account.user.to_string();
    let act_as = match found.user.as_deref() {
        Some(user) => Some(user_id(door, user).await?),
        None => None,
    };
    let Some(entered) = act(door, account, LoginName::parse(&own, false), act_as.as_deref()).await? else {
        return Ok(Err(TokenProblem::Invalid));
    };
    attempt.entered(&*door.directory, &entered);
    Ok(Ok(entered))
}

/// The user ID that a client means: what has an `@` is an address.
async fn user_id(door: &Door, name: &str) -> Result<String, Failure> {
    let Some((local, domain)) = name.rsplit_once('@') else { return Ok(name.to_owned()) };
    let (directory, local, domain) = (Arc::clone(&door.directory), local.to_owned(), domain.to_owned());
    let resolved = wire::work::blocking(move || directory.resolve(&local, Some(&domain))).await??;
    Ok(match resolved {
        Resolution::User(user) => user.to_string(),
        _ => name.to_owned(),
    })
}
