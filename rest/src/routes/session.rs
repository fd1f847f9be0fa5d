//! `/api/v1/session`: logging in and out.

use std::sync::Arc;

use axum::extract::{FromRequestParts, State};
use axum::response::{IntoResponse, Response};
use hyper::StatusCode;
use hyper::header::{HeaderValue, SET_COOKIE};
use hyper::http::request::Parts;
use login::{Entered, Failure};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use zeroize::Zeroizing;

use super::fields::Password;
use super::{Answer, NotDone, Refused};
use crate::caller::{COOKIE_NAME, Caller, Credential, link, standing};
use crate::connection::Link;
use crate::extract::Body;
use crate::problem::Problem;
use crate::{Shared, now};

/// Who logs in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LogIn {
    /// The user ID.
    #[schema(example = "joe", max_length = 1020)]
    user: String,
    /// The user's own; app passwords are for mail.
    password: Password,
    /// Give the session as a `token`, to be sent as `Authorization: Bearer`, and not as a cookie.
    #[serde(default)]
    bearer: bool,
}

/// Who asks.
#[derive(Serialize, ToSchema)]
#[schema(as = Session)]
pub(super) struct SessionView {
    user: String,
    /// Whether the user administers the server.
    admin: bool,
    /// When it ends if nothing more is asked, in Unix seconds; null: never.
    #[schema(required = true)]
    expires: Option<u64>,
    /// To be sent as X-CSRF-Token with every change, where a cookie says who asks.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    csrf_token: Option<String>,
    /// To be sent as `Authorization: Bearer`; shown this once.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    token: Option<String>,
}

/// The connection of a request that needs no login.
pub(super) struct Over(Arc<Link>);

impl<S: Send + Sync> FromRequestParts<S> for Over {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        link(parts).map(Over)
    }
}

/// Logs in. A wrong password is answered late, and too many of them end in 429.
#[utoipa::path(
    post, path = "/api/v1/session", tag = "session", operation_id = "log_in", security(()), request_body = LogIn,
    responses((status = 201, description = "The session", body = SessionView, headers(("Set-Cookie" = Option<String>))), NotDone),
)]
pub(super) async fn begin(
    State(shared): State<Arc<Shared>>,
    Over(link): Over,
    Body(who): Body<LogIn>,
) -> Result<Response, Problem> {
    if !link.connection.is_secure() {
        return Err(Problem::insecure());
    }
    let secret = who.password.into_secret();
    let attempt = shared.door.password(&link.connection, &who.user, secret).await;
    let entered = link.failures.lock().await.settle(&link.connection, attempt).await.map_err(refused)?;
    let Entered::User(entered) = entered else { return Err(wrong()) };
    let account = entered.account;
    link.admit(&account)?;
    // The password may have been changed, or the user disabled, since it was looked at.
    let (account, password) = standing(&shared, account.user).await?.ok_or_else(wrong)?;
    let begun = shared.sessions.begin(&account.user, password, now());
    let (secret, session) = begun.map_err(|error| Problem::defect(&error))?;
    let mut view = SessionView {
        user: account.user.to_string(),
        admin: account.admin,
        expires: Some(session.ends()),
        csrf_token: None,
        token: None,
    };
    if who.bearer {
        view.token = Some(secret.to_string());
        return Ok(Answer { status: StatusCode::CREATED, ..Answer::ok(view) }.into_response());
    }
    view.csrf_token = Some(session.csrf.to_string());
    let mut response = Answer { status: StatusCode::CREATED, ..Answer::ok(view) }.into_response();
    response.headers_mut().insert(SET_COOKIE, cookie(&link, &secret, "")?);
    Ok(response)
}

/// Who asks.
#[utoipa::path(
    get, path = "/api/v1/session", tag = "session", operation_id = "get_session",
    responses((status = 200, description = "The session, or whose token it is", body = SessionView), Refused),
)]
pub(super) async fn show(caller: Caller) -> Answer<SessionView> {
    let (expires, csrf_token) = match &caller.credential {
        Credential::Token(token) => (token.expires, None),
        // A page that was loaded anew needs it; a page of another site can't read the answer.
        Credential::Session { session, is_cookie, .. } => {
            (Some(session.ends()), is_cookie.then(|| session.csrf.to_string()))
        }
    };
    let user = caller.account.user.to_string();
    Answer::ok(SessionView { user, admin: caller.account.admin, expires, csrf_token, token: None })
}

/// Logs out. A token stays what it is.
#[utoipa::path(
    delete, path = "/api/v1/session", tag = "session", operation_id = "log_out",
    responses((status = 204, description = "The session has ended"), NotDone),
)]
pub(super) async fn end(caller: Caller) -> Result<Response, Problem> {
    let mut response = StatusCode::NO_CONTENT.into_response();
    if let Credential::Session { secret, is_cookie, .. } = &caller.credential {
        caller.shared.sessions.end(secret);
        if *is_cookie {
            response.headers_mut().insert(SET_COOKIE, cookie(&caller.link, "", "; Max-Age=0")?);
        }
    }
    Ok(response)
}

/// No script can read it, no other site makes a browser send it.
fn cookie(link: &Link, secret: &str, more: &str) -> Result<HeaderValue, Problem> {
    // A browser on this machine may come without TLS; it would not send a cookie back that is for TLS only.
    let secure = if link.is_encrypted() { "; Secure" } else { "" };
    let text = Zeroizing::new(format!("{COOKIE_NAME}={secret}; Path=/api; HttpOnly; SameSite=Strict{secure}{more}"));
    let mut value = HeaderValue::from_str(&text).map_err(|error| Problem::defect(&error))?;
    value.set_sensitive(true);
    Ok(value)
}

fn wrong() -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "login", "Wrong user name or password")
}

fn refused(failure: Failure) -> Problem {
    match failure {
        Failure::Refused { .. } => wrong(),
        Failure::Blocked => Problem::blocked(),
        Failure::Directory(error) => error.into(),
        other @ (Failure::Sasl(_) | Failure::Read(_) | Failure::Task(_)) => Problem::defect(&other),
    }
}
