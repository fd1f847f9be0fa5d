//! Who asks: somebody with a token, or with a session (`Authorization: Bearer`, or a cookie).

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use directory::{Account, Actor, Service, UserId};
use hyper::StatusCode;
use hyper::header::{AUTHORIZATION, COOKIE, HeaderMap};
use hyper::http::request::Parts;
use zeroize::Zeroizing;

use crate::connection::Link;
use crate::problem::Problem;
use crate::secrets::{self, Hash};
use crate::sessions::{self, Session};
use crate::tokens::{self, Token};
use crate::{Shared, now};

/// The cookie's name.
pub(crate) const COOKIE_NAME: &str = "angarium_session";
/// The header that must come with a change when a cookie says who asks.
pub(crate) const CSRF_HEADER: &str = "x-csrf-token";
/// Through what, in the audit log.
const VIA: &str = "rest";

/// Who asks.
pub(crate) struct Caller {
    pub(crate) shared: Arc<Shared>,
    pub(crate) link: Arc<Link>,
    pub(crate) account: Account,
    pub(crate) credential: Credential,
}

/// By what it is known who asks.
pub(crate) enum Credential {
    /// A token.
    Token(Token),
    /// A session and its secret; whether a browser sent it by itself.
    Session { session: Session, secret: Zeroizing<String>, is_cookie: bool },
}

impl FromRequestParts<Arc<Shared>> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, Problem> {
        let link = link(parts)?;
        let (secret, is_cookie) = match bearer(&parts.headers)? {
            Some(secret) => (secret, false),
            None => match cookie(&parts.headers) {
                Some(secret) => (secret, true),
                None => return Err(Problem::unauthorized("log in, or send a token: Authorization: Bearer")),
            },
        };
        if !link.connection.is_secure() {
            return Err(Problem::insecure());
        }
        if link.connection.is_blocked() {
            return Err(Problem::blocked());
        }
        let known = find(shared, secret, is_cookie, &link).await?;
        let Some((account, credential)) = known else {
            return Err(Problem::unauthorized("the session or token is unknown, or has ended"));
        };
        if let Credential::Session { session, is_cookie: true, .. } = &credential
            && !parts.method.is_safe()
        {
            check_csrf(&parts.headers, session)?;
        }
        link.admit(&account)?;
        Ok(Caller { shared: Arc::clone(shared), link, account, credential })
    }
}

/// What handlers know of the connection.
pub(crate) fn link(parts: &Parts) -> Result<Arc<Link>, Problem> {
    let link = parts.extensions.get::<Arc<Link>>().cloned();
    link.ok_or_else(|| Problem::defect(&"a request came over no connection"))
}

async fn find(
    shared: &Arc<Shared>,
    secret: Zeroizing<String>,
    is_cookie: bool,
    link: &Link,
) -> Result<Option<(Account, Credential)>, Problem> {
    let now = now();
    if secret.starts_with(tokens::PREFIX) && !is_cookie {
        let Some(token) = shared.tokens.find(&secret, &shared.store, now) else {
            // Nobody guesses one; but whoever tries wants a password next.
            link.connection.login_failed(Some(wire::attempts::guess(&secret.as_str())));
            return Ok(None);
        };
        let found = standing(shared, token.user.clone()).await?;
        return Ok(found.map(|(account, _)| (account, Credential::Token(token))));
    }
    let Some(session) = shared.sessions.find(&secret, now) else { return Ok(None) };
    match standing(shared, session.user.clone()).await? {
        Some((account, password)) if password == session.password => {
            Ok(Some((account, Credential::Session { session, secret, is_cookie })))
        }
        // Disabled, deleted, or the password is another one.
        _ => {
            shared.sessions.end(&secret);
            Ok(None)
        }
    }
}

/// What a user is now, and what stands for the password; nothing for one who can't log in.
pub(crate) async fn standing(shared: &Arc<Shared>, user: UserId) -> Result<Option<(Account, Hash)>, Problem> {
    let shared = Arc::clone(shared);
    let found = wire::work::blocking(move || -> directory::Result<_> {
        let Some(account) = shared.directory.account(&user)? else { return Ok(None) };
        let credentials = Service::new(&*shared.directory, Actor::server()).look(|view| view.credentials(&user))?;
        let password = credentials.map(|credentials| secrets::hash(credentials.hash()));
        Ok(Some((account, password.unwrap_or_else(|| secrets::hash("")))))
    });
    Ok(found.await??)
}

/// `Authorization: Bearer SECRET` (RFC 6750, 2.1).
fn bearer(headers: &HeaderMap) -> Result<Option<Zeroizing<String>>, Problem> {
    let Some(value) = headers.get(AUTHORIZATION) else { return Ok(None) };
    let secret = value.to_str().ok().and_then(|value| {
        let (scheme, secret) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| secret.trim())
    });
    match secret {
        Some(secret) => Ok(Some(Zeroizing::new(secret.to_owned()))),
        None => Err(Problem::unauthorized("what is sent as Authorization must be Bearer and a token")),
    }
}

fn cookie(headers: &HeaderMap) -> Option<Zeroizing<String>> {
    let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let (_, secret) = pairs.find(|(name, secret)| *name == COOKIE_NAME && secret.starts_with(sessions::PREFIX))?;
    Some(Zeroizing::new(secret.to_owned()))
}

fn check_csrf(headers: &HeaderMap, session: &Session) -> Result<(), Problem> {
    let sent = headers.get(CSRF_HEADER).and_then(|value| value.to_str().ok()).unwrap_or_default();
    // Hashes, so that the time tells nothing.
    if secrets::hash(sent) == secrets::hash(&session.csrf) {
        return Ok(());
    }
    let detail = "a change by cookie needs the header X-CSRF-Token with the session's csrf_token";
    Err(Problem::new(StatusCode::FORBIDDEN, "csrf", detail).of("X-CSRF-Token"))
}

impl Caller {
    /// Does something with the directory on a thread that may block, in the name of whoever asks.
    pub(crate) async fn run<T, F>(&self, work: F) -> Result<T, Problem>
    where
        F: FnOnce(&Shared, &Service<'_>) -> Result<T, Problem> + Send + 'static,
        T: Send + 'static,
    {
        let (shared, actor) = (Arc::clone(&self.shared), self.actor());
        wire::work::blocking(move || work(&shared, &Service::new(&*shared.directory, actor))).await?
    }

    /// Whoever asks, to the directory.
    pub(crate) fn actor(&self) -> Actor {
        Actor::user(&self.account.user, self.account.admin, VIA, self.address())
    }

    /// Refuses everybody but administrators.
    pub(crate) fn require_admin(&self, action: &'static str) -> Result<(), Problem> {
        if self.account.admin { Ok(()) } else { Err(Problem::denied(action)) }
    }

    /// Refuses everybody but administrators and the user.
    pub(crate) fn require_own(&self, uid: &str, action: &'static str) -> Result<(), Problem> {
        let is_own = UserId::parse(uid).is_ok_and(|uid| uid == self.account.user);
        if is_own { Ok(()) } else { self.require_admin(action) }
    }

    fn address(&self) -> Option<IpAddr> {
        self.link.connection.info().peer.ip()
    }
}
