//! What went wrong, as clients read it: `application/problem+json` (RFC 9457) with the field, the value and the rule as data.

use axum::response::{IntoResponse, Response};
use hyper::StatusCode;
use hyper::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use serde::Serialize;
use tools::CommandError;
use utoipa::ToSchema;

/// Seconds after which a client may well ask again.
const LATER: HeaderValue = HeaderValue::from_static("30");
/// Seconds after which an address that guessed too much may well ask again: half of its failures have faded by then.
const MUCH_LATER: HeaderValue = HeaderValue::from_static("900");

/// Why a request was not done. Never holds a password.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Problem {
    /// Always `about:blank`: `code` tells the kinds apart.
    #[serde(rename = "type")]
    #[schema(example = "about:blank")]
    pub kind: &'static str,
    /// The phrase of the status.
    #[schema(example = "Unprocessable Content")]
    pub title: &'static str,
    /// The HTTP status.
    #[schema(example = 422, minimum = 400, maximum = 599)]
    pub status: u16,
    /// A word for the kind of problem, which stays what it is.
    #[schema(example = "rule")]
    pub code: &'static str,
    /// A sentence for people.
    #[schema(value_type = String, example = "uid: \"a b\": a user ID has only letters, digits, _ and -")]
    pub detail: Box<str>,
    /// The field that is wrong, as the request calls it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false, example = "uid")]
    pub field: Option<Box<str>>,
    /// What was given for it; cut if it is long, and left out for a password.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false, example = "a b")]
    pub value: Option<Box<str>>,
    /// The rule that it breaks.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false, example = "a user ID has only letters, digits, _ and -")]
    pub rule: Option<Box<str>>,
}

impl Problem {
    /// A problem of this kind.
    pub(crate) fn new(status: StatusCode, code: &'static str, detail: impl Into<Box<str>>) -> Problem {
        Problem {
            kind: "about:blank",
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            code,
            detail: detail.into(),
            field: None,
            value: None,
            rule: None,
        }
    }

    /// The same, about a field.
    pub(crate) fn of(mut self, field: impl Into<Box<str>>) -> Problem {
        self.field = Some(field.into());
        self
    }

    /// Something is not there.
    pub(crate) fn missing(code: &'static str, detail: impl Into<Box<str>>) -> Problem {
        Problem::new(StatusCode::NOT_FOUND, code, detail)
    }

    /// A field of the body breaks a rule.
    pub(crate) fn rule(field: &'static str, value: &str, rule: &'static str) -> Problem {
        directory::Error::rule(field, value, rule).into()
    }

    /// Only administrators may.
    pub(crate) fn denied(action: &'static str) -> Problem {
        directory::Error::Denied { action, rule: "only an administrator may".into() }.into()
    }

    /// Nobody has said who asks, or nobody is known by what was said.
    pub(crate) fn unauthorized(detail: &'static str) -> Problem {
        Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", detail)
    }

    /// Too many from that address were wrong.
    pub(crate) fn blocked() -> Problem {
        Problem::new(StatusCode::TOO_MANY_REQUESTS, "blocked", login::Failure::Blocked.to_string())
    }

    /// Users are kept out now.
    pub(crate) fn locked_out(why: &str) -> Problem {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "locked-out", why)
    }

    /// A secret must not travel over this connection.
    pub(crate) fn insecure() -> Problem {
        Problem::new(StatusCode::FORBIDDEN, "insecure", "passwords and tokens are taken over TLS only")
    }

    /// The row was changed since the client has seen it.
    pub(crate) fn stale() -> Problem {
        let detail = "it was changed by somebody else meanwhile: look at it again";
        Problem::new(StatusCode::PRECONDITION_FAILED, "conflict", detail)
    }

    /// A defect; what it was is in the log.
    pub(crate) fn defect(error: &dyn std::fmt::Display) -> Problem {
        tracing::error!(event = "rest.request.failed", %error);
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the server could not do it; see its log")
    }

    /// What the body of a request names is not there: the body is wrong, not the path.
    pub(crate) fn in_body(mut self) -> Problem {
        if self.status == StatusCode::NOT_FOUND.as_u16() {
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            (self.status, self.title) = (status.as_u16(), status.canonical_reason().unwrap_or_default());
        }
        self
    }

    fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

impl From<directory::Error> for Problem {
    fn from(error: directory::Error) -> Problem {
        use directory::Error;
        let status = match &error {
            Error::Rule { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            Error::Exists { .. } | Error::Protected { .. } => StatusCode::CONFLICT,
            Error::NoUser(_) | Error::NoDomain(_) | Error::NoAlias(_) => StatusCode::NOT_FOUND,
            Error::Conflict { .. } => StatusCode::PRECONDITION_FAILED,
            Error::Denied { .. } => StatusCode::FORBIDDEN,
            // What is wrong with a disk is nobody's business but the administrator's.
            Error::Corrupt { .. } => return Problem::defect(&error),
            Error::Unavailable(_) => {
                tracing::error!(event = "rest.request.failed", %error);
                let detail = "the directory is not available: ask again later";
                return Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail);
            }
        };
        let mut problem = Problem::new(status, error.code(), error.to_string());
        problem.field = error.field().map(Into::into);
        problem.value = error.value().filter(|value| !value.is_empty()).map(Into::into);
        problem.rule = match &error {
            Error::Rule { rule, .. } | Error::Protected { rule, .. } | Error::Denied { rule, .. } => {
                Some((&**rule).into())
            }
            Error::Exists { by, .. } => Some(format!("it is taken by {by}").into()),
            _ => None,
        };
        problem
    }
}

impl From<CommandError> for Problem {
    fn from(error: CommandError) -> Problem {
        match error {
            CommandError::Directory(error) => error.into(),
            CommandError::Mailbox { problem, .. } | CommandError::Store(problem) => problem.into(),
            other => Problem::defect(&other),
        }
    }
}

impl From<mailstore::Error> for Problem {
    fn from(error: mailstore::Error) -> Problem {
        use mailstore::ErrorKind;
        match error.kind() {
            ErrorKind::InUse | ErrorKind::Unavailable | ErrorKind::DiskFull => {
                tracing::error!(event = "rest.request.failed", %error);
                let detail = "the mail store is not available: ask again later";
                Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail)
            }
            _ => Problem::defect(&error),
        }
    }
}

impl From<tokio::task::JoinError> for Problem {
    fn from(error: tokio::task::JoinError) -> Problem {
        Problem::defect(&error)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.status();
        // A problem is made of texts and a number: it can be written.
        let mut response = (status, serde_json::to_vec(&self).unwrap_or_default()).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        match status {
            StatusCode::UNAUTHORIZED => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"angarium\""));
            }
            StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(RETRY_AFTER, LATER);
            }
            StatusCode::TOO_MANY_REQUESTS => {
                headers.insert(RETRY_AFTER, MUCH_LATER);
            }
            _ => {}
        }
        response
    }
}
