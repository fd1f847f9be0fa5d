//! Tokens that an authorization server has given out (RFC 6750), as OAUTHBEARER and XOAUTH2 bring them: whether one is good,
//! and whose it is.
//!
//! Two ways, either or both:
//! - a signed token (RFC 7519, RFC 9068) is checked here, against the server's public keys ([`keys`](Settings::keys));
//! - any other is shown to the server, which says what it is worth (RFC 7662, [`introspection`](Settings::introspection)).
//!
//! Rules:
//! - a key is good for the algorithms of its kind and no others, and there are none but those with public keys: what a
//!   token says of itself chooses among them at most (RFC 8725, 3.1);
//! - a server that does not answer is a temporary failure, never a wrong token;
//! - whoever sends tokens by the thousand causes one request in a while, not one each.
//!
//! The signatures are AWS-LC's work; around them a signed token is three texts in base64 and two JSON objects. Everything
//! here blocks: callers on a reactor move it to a blocking thread.

mod claims;
mod fetch;
mod introspection;
mod jws;
mod keys;
mod place;
mod store;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use directory::{Error, Result, Secret, TokenCheck, TokenHint, TokenProblem};
use thiserror::Error as ThisError;
use tracing::{debug, info};

use claims::{Rules, Wrong};
use fetch::Fetcher;
use introspection::Introspector;
use jws::Jws;
use store::KeyStore;

pub use place::{BadUrl, KeySource, Url};

/// Which tokens are good.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Who gives them out: the claim `iss`.
    pub issuer: Option<String>,
    /// For whom they must be, any of these: the claim `aud`.
    pub audiences: Vec<String>,
    /// What they must allow, all of these: the claim `scope`.
    pub scopes: Vec<String>,
    /// The claim that says whose they are.
    pub user_claim: String,
    /// Where the keys are that signed tokens are checked with.
    pub keys: Option<KeySource>,
    /// Who is asked about others.
    pub introspection: Option<Introspection>,
    /// Certificates of authorities (PEM) that the servers' own must be signed by; nothing: those that the system trusts.
    pub authorities: Option<PathBuf>,
    /// Where clients learn how to get a token; they are told when theirs is no good.
    pub openid_configuration: Option<String>,
}

/// Who is asked about a token, and as whom.
#[derive(Clone, Debug)]
pub struct Introspection {
    /// The endpoint.
    pub url: Url,
    /// Our name there.
    pub client_id: String,
    /// Our password there.
    pub client_secret: Secret,
}

/// Why tokens can't be checked.
#[derive(Debug, ThisError)]
pub enum SetupError {
    /// Settings that make no sense together.
    #[error("{0}")]
    Settings(&'static str),
    /// A file that can't be used.
    #[error("{}: {problem}", file.display())]
    File {
        /// Which.
        file: PathBuf,
        /// Why.
        problem: String,
    },
    /// The system has no certificates of authorities, and none are named.
    #[error("there are no certificates of authorities: {0}")]
    Authorities(String),
    /// TLS can't be set up.
    #[error(transparent)]
    Tls(#[from] rustls::Error),
    /// The system refuses.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Checks tokens.
#[derive(Debug)]
pub struct Validator {
    rules: Rules,
    keys: Option<KeyStore>,
    introspector: Option<Introspector>,
    hint: TokenHint,
}

impl Validator {
    /// With these settings. Keys in a file are read now, whoever is on the network is asked when there is a token.
    ///
    /// # Errors
    /// [`SetupError`].
    pub fn new(settings: Settings) -> std::result::Result<Validator, SetupError> {
        let Settings { issuer, audiences, scopes, user_claim, keys, introspection, authorities, openid_configuration } =
            settings;
        if keys.is_none() && introspection.is_none() {
            return Err(SetupError::Settings("neither keys nor an introspection endpoint are named"));
        }
        if keys.is_some() && (issuer.is_none() || audiences.is_empty()) {
            // Without them a token for any other service of the same server would open the mailbox (RFC 8725, 3.8, 3.9).
            return Err(SetupError::Settings("signed tokens are checked for issuer and audience: both must be named"));
        }
        let secure = |url: &Url| url.is_secure();
        let encrypted = matches!(&keys, Some(KeySource::Url(url)) if secure(url))
            || introspection.as_ref().is_some_and(|asked| secure(&asked.url));
        let fetcher = Arc::new(Fetcher::new(authorities.as_deref(), encrypted)?);
        let hint = TokenHint {
            scope: (!scopes.is_empty()).then(|| scopes.join(" ").into()),
            openid_configuration: openid_configuration.map(Into::into),
        };
        let keys = keys.map(|source| KeyStore::new(source, Arc::clone(&fetcher))).transpose()?;
        let introspector = introspection.map(|settings| Introspector::new(settings, fetcher));
        Ok(Validator { rules: Rules { issuer, audiences, scopes, user_claim }, keys, introspector, hint })
    }

    /// Whether a token is one to be checked with keys.
    fn checks_itself(&self, token: &[u8]) -> bool {
        self.keys.is_some() && jws::looks_signed(token)
    }

    /// The user that a signed token names.
    fn signed(&self, keys: &KeyStore, token: &[u8], now: u64) -> Result<std::result::Result<String, Wrong>> {
        let jws = match Jws::parse(token) {
            Ok(jws) => jws,
            Err(why) => return Ok(Err(Wrong::invalid(why))),
        };
        let set = keys.set_for(&jws.header, Instant::now())?;
        let Some(key) = set.key_for(&jws.header) else { return Ok(Err(Wrong::invalid("no such key"))) };
        if !key.verifies(&jws) {
            return Ok(Err(Wrong::invalid("signature")));
        }
        Ok(claims::parse(&jws.payload).and_then(|claims| self.rules.signed(&claims, now)))
    }
}

impl Validator {
    /// Whose a token is when the clock says `now`, in Unix seconds. When a token begins and ends is a matter of that clock, and
    /// of what it says now: nothing is remembered of it. How long keys and answers are kept is measured by another, which
    /// nobody sets.
    fn check_at(&self, token: &Secret, now: u64) -> Result<std::result::Result<String, TokenProblem>> {
        let checked = match (&self.keys, &self.introspector) {
            (Some(keys), _) if self.checks_itself(token.expose()) => self.signed(keys, token.expose(), now)?,
            (_, Some(introspector)) => introspector.ask(token, &self.rules, now)?,
            (_, None) => Err(Wrong::invalid("it is not signed")),
        };
        Ok(match checked {
            Ok(user) => {
                debug!(event = "oauth.token.accepted", user = %user.escape_debug());
                Ok(user)
            }
            Err(Wrong { problem, why }) => {
                info!(event = "oauth.token.refused", reason = why);
                Err(problem)
            }
        })
    }
}

impl TokenCheck for Validator {
    fn check(&self, token: &Secret) -> Result<std::result::Result<String, TokenProblem>> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        self.check_at(token, now)
    }

    fn is_asked_about(&self, token: &Secret) -> bool {
        self.introspector.is_some() && !self.checks_itself(token.expose())
    }

    fn hint(&self) -> Option<TokenHint> {
        Some(self.hint.clone())
    }
}

/// A server that gives no answer.
fn unavailable(what: &str, problem: &dyn std::fmt::Display) -> Error {
    Error::Unavailable(format!("{what}: {problem}"))
}

#[cfg(test)]
mod tests;
