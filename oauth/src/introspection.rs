//! Asking the authorization server what a token is worth (RFC 7662).

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use directory::{Result, Secret, TokenProblem};
use parking_lot::Mutex;
use serde_json::Value;
use thiserror::Error;
use tracing::warn;

use crate::claims::{self, Claims, Rules, Wrong};
use crate::fetch::{FetchError, Fetcher};
use crate::{Introspection, unavailable};

/// An answer is good for a minute, or until the token ends: one that was revoked is good no longer than that.
const REMEMBERED: Duration = Duration::from_secs(60);
/// Answers that are remembered; all are forgotten when there are too many.
const MOST: usize = 10_000;
/// After a request that failed the server is left alone for so long: it has enough to do, and clients wait. After an answer
/// that makes no sense only that token is: others must not suffer for what somebody sends.
const PAUSE: Duration = Duration::from_secs(2);

/// Asks, and remembers.
pub(crate) struct Introspector {
    settings: Introspection,
    fetcher: Arc<Fetcher>,
    known: Mutex<HashMap<[u8; 32], Known>>,
    failed: Mutex<Option<Instant>>,
}

/// Why the server has not said what a token is worth.
#[derive(Debug, Error)]
enum NoAnswer {
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error("the answer is no JSON object")]
    Nonsense,
}

impl NoAnswer {
    /// Whether it may say so of another one.
    fn is_of_the_token(&self) -> bool {
        match self {
            NoAnswer::Fetch(problem) => problem.is_of_the_request(),
            NoAnswer::Nonsense => true,
        }
    }
}

/// What is remembered of a token.
#[derive(Clone)]
struct Known {
    /// Until when it is not asked about again.
    until: Instant,
    /// When it ends, in Unix seconds, if that was said: a clock that was set forward may find it over sooner.
    end: Option<f64>,
    /// What was found out, if anything.
    verdict: Option<Verdict>,
}

/// What was found out about a token.
type Verdict = std::result::Result<String, (TokenProblem, &'static str)>;

impl Introspector {
    pub(crate) fn new(settings: Introspection, fetcher: Arc<Fetcher>) -> Introspector {
        Introspector { settings, fetcher, known: Mutex::default(), failed: Mutex::default() }
    }

    /// The user whose token it is.
    ///
    /// # Errors
    /// [`directory::Error::Unavailable`] when the server gives no answer.
    pub(crate) fn ask(&self, token: &Secret, rules: &Rules, now: u64) -> Result<std::result::Result<String, Wrong>> {
        // The token itself is not kept.
        let name = *blake3::hash(token.expose()).as_bytes();
        let begin = Instant::now();
        if let Some(known) = self.known.lock().get(&name).cloned()
            && begin < known.until
            && known.end.is_none_or(|end| (now as f64) < end)
        {
            let verdict = known.verdict.ok_or_else(|| unavailable(WHO, &"it did not say what this token is worth"))?;
            return Ok(verdict.map_err(|(problem, why)| Wrong { problem, why }));
        }
        if self.failed.lock().is_some_and(|last| begin.duration_since(last) < PAUSE) {
            return Err(unavailable(WHO, &"it gave no answer a moment ago"));
        }
        let claims = self.request(token).map_err(|problem| {
            warn!(event = "oauth.introspection.failed", url = %self.settings.url, error = %problem);
            if problem.is_of_the_token() {
                self.remember(name, Known { until: Instant::now() + PAUSE, end: None, verdict: None });
            } else {
                *self.failed.lock() = Some(Instant::now());
            }
            unavailable(WHO, &problem)
        })?;
        let verdict = judge(&claims, rules, now);
        let kept = verdict.as_ref().map(String::clone).map_err(|wrong| (wrong.problem, wrong.why));
        let end = claims::time(&claims, "exp").ok().flatten();
        self.remember(name, Known { until: begin + lifetime(end, now), end, verdict: Some(kept) });
        Ok(verdict)
    }

    fn remember(&self, name: [u8; 32], what: Known) {
        let mut known = self.known.lock();
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(name, what);
    }

    /// RFC 7662, 2.1: a form with the token, and who asks.
    fn request(&self, token: &Secret) -> std::result::Result<Claims, NoAnswer> {
        let Introspection { url, client_id, client_secret } = &self.settings;
        let form = format!("token={}&token_type_hint=access_token", escape(token.expose()));
        // RFC 6749, 2.3.1: both are escaped before they become Basic credentials.
        let credentials = format!("{}:{}", escape(client_id.as_bytes()), escape(client_secret.expose()));
        let credentials = format!("Basic {}", STANDARD.encode(credentials));
        let answer = self.fetcher.post(url, form, &credentials)?;
        serde_json::from_slice(&answer).map_err(|_| NoAnswer::Nonsense)
    }
}

impl std::fmt::Debug for Introspector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Introspector").field("url", &self.settings.url).finish_non_exhaustive()
    }
}

const WHO: &str = "the authorization server";

fn judge(claims: &Claims, rules: &Rules, now: u64) -> std::result::Result<String, Wrong> {
    match claims.get("active") {
        Some(Value::Bool(true)) => rules.answered(claims, now),
        _ => Err(Wrong::invalid("it is not active")),
    }
}

/// How long the answer is good, for a token with that end.
fn lifetime(end: Option<f64>, now: u64) -> Duration {
    let left = end.map_or(REMEMBERED.as_secs_f64(), |end| end - now as f64);
    Duration::from_secs_f64(left.clamp(0.0, REMEMBERED.as_secs_f64()))
}

/// A value of a form (application/x-www-form-urlencoded).
fn escape(octets: &[u8]) -> String {
    let mut text = String::with_capacity(octets.len());
    for &octet in octets {
        match octet {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'*' => text.push(octet.into()),
            b' ' => text.push('+'),
            _ => text.push_str(&format!("%{octet:02X}")),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        assert_eq!(escape(b"a-Z.0_*"), "a-Z.0_*");
        assert_eq!(escape("a b+c&d=\u{e4}:/~".as_bytes()), "a+b%2Bc%26d%3D%C3%A4%3A%2F%7E");
    }

    #[test]
    fn answers_are_good_for_a_minute_at_most() {
        let claims = |text: &str| claims::parse(text.as_bytes()).unwrap();
        for (text, expected) in [
            ("{}", 60),
            (r#"{"exp":1010}"#, 10),
            (r#"{"exp":5000}"#, 60),
            (r#"{"exp":1}"#, 0),
            (r#"{"exp":-1e300}"#, 0),
            (r#"{"exp":"soon"}"#, 60),
            (r#"{"exp":null}"#, 60),
        ] {
            let end = claims::time(&claims(text), "exp").ok().flatten();
            assert_eq!(lifetime(end, 1000).as_secs(), expected, "{text}");
        }
    }
}
