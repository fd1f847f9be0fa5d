//! What handlers take out of a request: a JSON body, the query, parts of the path, If-Match. Whatever is wrong with them is a
//! [`Problem`].

use std::time::Duration;

use axum::body::Body as HttpBody;
use axum::extract::{FromRequest, FromRequestParts, RawPathParams, Request};
use directory::Revision;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::StatusCode;
use hyper::header::{CONTENT_TYPE, HeaderMap, IF_MATCH};
use hyper::http::request::Parts;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use crate::problem::Problem;

/// Largest body in octets: an alias with all the members that one can have, written with blanks and line breaks.
pub(crate) const MAX_BODY: usize = 1 << 20;
/// Time for a whole body: the largest over a slow telephone.
const BODY_WITHIN: Duration = Duration::from_secs(30);

/// The JSON body of a request.
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let octets = whole(request).await?;
        let mut json = serde_json::Deserializer::from_slice(&octets);
        let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
            let path = error.path().to_string();
            let inner = error.into_inner();
            if !inner.is_data() {
                return malformed(&inner);
            }
            let problem = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "body", tidy(&inner));
            if path == "." { problem } else { problem.of(path) }
        })?;
        json.end().map_err(|error| malformed(&error))?;
        Ok(Body(value))
    }
}

/// The JSON body of a request, for one who reads it himself.
pub(crate) struct Text(pub(crate) String);

impl<S: Send + Sync> FromRequest<S> for Text {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let octets = whole(request).await?;
        serde_json::from_slice::<serde::de::IgnoredAny>(&octets).map_err(|error| malformed(&error))?;
        let text = String::from_utf8(octets.to_vec());
        text.map(Text).map_err(|_| Problem::new(StatusCode::BAD_REQUEST, "json", "the body is not UTF-8"))
    }
}

/// All octets of a JSON body.
async fn whole(request: Request) -> Result<Zeroizing<Vec<u8>>, Problem> {
    if !is_json(request.headers()) {
        let detail = "the body must be JSON: Content-Type: application/json";
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "content-type", detail));
    }
    read_all(request.into_body(), MAX_BODY).await
}

/// All octets of a body, of `most` at the most.
pub(crate) async fn read_all(body: HttpBody, most: usize) -> Result<Zeroizing<Vec<u8>>, Problem> {
    let octets = tokio::time::timeout(BODY_WITHIN, read(body, most));
    octets.await.map_err(|_| {
        let detail = "the body took longer than 30 seconds";
        Problem::new(StatusCode::REQUEST_TIMEOUT, "timeout", detail)
    })?
}

async fn read(body: HttpBody, most: usize) -> Result<Zeroizing<Vec<u8>>, Problem> {
    let mut body = Limited::new(body, most);
    // Passwords come this way: what is read is wiped. Room for all of it is made at once where it is known how much comes,
    // so that no copy stays behind.
    let expected = usize::try_from(hyper::body::Body::size_hint(&body).upper().unwrap_or(0)).unwrap_or(0);
    let mut octets = Zeroizing::new(Vec::with_capacity(expected.min(most)));
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| {
            if error.is::<LengthLimitError>() {
                let detail = format!("a body has at most {most} octets");
                Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", detail)
            } else {
                Problem::new(StatusCode::BAD_REQUEST, "body", "the body broke off")
            }
        })?;
        if let Ok(data) = frame.into_data() {
            octets.extend_from_slice(&data);
        }
    }
    Ok(octets)
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

fn malformed(error: &serde_json::Error) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "json", tidy(error))
}

/// What the parser says, without the values that it repeats: one may be a password.
fn tidy(error: &serde_json::Error) -> String {
    let (text, place) = (error.to_string(), format!("line {} column {}", error.line(), error.column()));
    let shown = match text.split_once(", expected ") {
        // "invalid type: string "secret", expected a boolean": what was found may be anything, what is expected is ours.
        Some((found, expected)) => {
            let found = found.split(['"', '`']).next().unwrap_or_default().trim_end();
            format!("{found}, expected {expected}")
        }
        None => text,
    };
    let shown = shown.split(" at line ").next().unwrap_or_default().to_owned();
    format!("{shown} ({place})")
}

/// The query of a request.
pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let text = parts.uri.query().unwrap_or_default();
        let pairs = serde_urlencoded::Deserializer::new(form_urlencoded::parse(text.as_bytes()));
        let parsed = serde_path_to_error::deserialize(pairs).map_err(|error| {
            let path = error.path().to_string();
            let problem = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "query", error.into_inner().to_string());
            if path == "." { problem } else { problem.of(path) }
        })?;
        Ok(Query(parsed))
    }
}

/// What stands at one place of the path, as text.
pub(crate) struct Name(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for Name {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        names(parts, state).await.map(|[name]| Name(name))
    }
}

/// What stands at two places of the path.
pub(crate) struct Names(pub(crate) String, pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for Names {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        names(parts, state).await.map(|[first, second]| Names(first, second))
    }
}

async fn names<const N: usize, S: Send + Sync>(parts: &mut Parts, state: &S) -> Result<[String; N], Problem> {
    let wrong = || Problem::new(StatusCode::BAD_REQUEST, "path", "the path is not UTF-8");
    let found = RawPathParams::from_request_parts(parts, state).await.map_err(|_| wrong())?;
    let names: Vec<String> = found.iter().map(|(_, value)| value.to_owned()).collect();
    names.try_into().map_err(|_| wrong())
}

/// Which states of a row a client wants to change (RFC 9110, 13.1.1).
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum IfMatch {
    /// Whichever there is: `*`.
    Any,
    /// One of these.
    These(Vec<Revision>),
}

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let mut given = parts.headers.get_all(IF_MATCH).iter().peekable();
        if given.peek().is_none() {
            let detail = "say which state is to be changed: If-Match with the ETag that was read (or * for any)";
            return Err(Problem::new(StatusCode::PRECONDITION_REQUIRED, "precondition", detail).of("If-Match"));
        }
        let mut these = Vec::new();
        for tag in given.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',')).map(str::trim) {
            if tag == "*" {
                return Ok(IfMatch::Any);
            }
            // A weak tag, or one that is not ours, matches nothing.
            let tag = tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"'));
            these.extend(tag.and_then(|tag| tag.parse::<Revision>().ok()));
        }
        Ok(IfMatch::These(these))
    }
}

impl IfMatch {
    /// The revision to hand to the directory with a change of a row that is at `current` now.
    ///
    /// # Errors
    /// The row is at another one than those.
    pub(crate) fn expect(&self, current: Revision) -> Result<Revision, Problem> {
        match self {
            IfMatch::Any => Ok(current),
            IfMatch::These(these) if these.contains(&current) => Ok(current),
            IfMatch::These(_) => Err(Problem::stale()),
        }
    }
}
