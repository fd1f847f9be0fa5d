//! What a token says (RFC 7519, 4; RFC 7662, 2.2), and whether that is enough.

use directory::TokenProblem;
use serde_json::{Map, Value};

/// How far clocks may differ: half a minute.
const LEEWAY: u64 = 30;

/// Longest name of a user that is looked up.
const MAX_USER: usize = 320;

/// The claims of a token.
pub(crate) type Claims = Map<String, Value>;

/// Which claims are good.
#[derive(Debug)]
pub(crate) struct Rules {
    pub(crate) issuer: Option<String>,
    pub(crate) audiences: Vec<String>,
    pub(crate) scopes: Vec<String>,
    pub(crate) user_claim: String,
}

/// Why a token is not good.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Wrong {
    /// What the client is told.
    pub(crate) problem: TokenProblem,
    /// What the log says.
    pub(crate) why: &'static str,
}

impl Wrong {
    pub(crate) fn invalid(why: &'static str) -> Wrong {
        Wrong { problem: TokenProblem::Invalid, why }
    }
}

/// The claims of a payload.
pub(crate) fn parse(payload: &[u8]) -> Result<Claims, Wrong> {
    serde_json::from_slice(payload).map_err(|_| Wrong::invalid("its claims make no sense"))
}

impl Rules {
    /// The user of a token that was signed: who gave it out, for whom and until when must be said.
    ///
    /// # Errors
    /// [`Wrong`].
    pub(crate) fn signed(&self, claims: &Claims, now: u64) -> Result<String, Wrong> {
        if !claims.contains_key("exp") {
            return Err(Wrong::invalid("it does not say when it ends"));
        }
        // What is no time must not count as missing, in a token.
        if ["exp", "nbf", "iat"].iter().any(|name| claims.get(*name).is_some_and(Value::is_null)) {
            return Err(NO_TIME);
        }
        if self.issuer.is_none() || claims.get("iss").and_then(Value::as_str) != self.issuer.as_deref() {
            return Err(Wrong::invalid("issuer"));
        }
        if self.audiences.is_empty() {
            return Err(Wrong::invalid("audience"));
        }
        self.answered(claims, now)
    }

    /// The user of a token that the server has said this of: what it leaves out it has looked at itself, but for the
    /// audience, if one is asked for.
    ///
    /// # Errors
    /// [`Wrong`].
    pub(crate) fn answered(&self, claims: &Claims, now: u64) -> Result<String, Wrong> {
        let (soon, late) = (now.saturating_add(LEEWAY), now.saturating_sub(LEEWAY));
        if time(claims, "exp")?.is_some_and(|end| end <= late as f64) {
            return Err(Wrong::invalid("expired"));
        }
        for begin in ["nbf", "iat"] {
            if time(claims, begin)?.is_some_and(|begin| begin > soon as f64) {
                return Err(Wrong::invalid("not yet"));
            }
        }
        if let (Some(expected), Some(issuer)) = (&self.issuer, claims.get("iss"))
            && issuer.as_str() != Some(expected)
        {
            return Err(Wrong::invalid("issuer"));
        }
        let for_us = |audience: &str| self.audiences.iter().any(|ours| ours == audience);
        if !self.audiences.is_empty() && !texts(claims.get("aud")).into_iter().any(for_us) {
            return Err(Wrong::invalid("audience"));
        }
        let scopes: Vec<&str> = ["scope", "scp"]
            .iter()
            .flat_map(|name| texts(claims.get(*name)))
            .flat_map(|text| text.split(' '))
            .collect();
        if !self.scopes.iter().all(|needed| scopes.contains(&needed.as_str())) {
            return Err(Wrong { problem: TokenProblem::InsufficientScope, why: "scope" });
        }
        self.user(claims)
    }

    fn user(&self, claims: &Claims) -> Result<String, Wrong> {
        let user = claims.get(&self.user_claim).and_then(Value::as_str).unwrap_or_default();
        if user.is_empty() || user.len() > MAX_USER || user.chars().any(char::is_control) {
            return Err(Wrong::invalid("it does not say whose it is"));
        }
        // What users choose themselves, as servers let them do with addresses, must not be somebody's user ID.
        if self.user_claim == "email" && !user.contains('@') {
            return Err(Wrong::invalid("it names no address"));
        }
        // An address that its owner has only claimed is nobody's (OpenID Connect Core, 5.1). A server that does not say so
        // knows of none but its own.
        let unverified = |value: &Value| value != &Value::Bool(true) && value.as_str() != Some("true");
        if self.user_claim == "email" && claims.get("email_verified").is_some_and(unverified) {
            return Err(Wrong::invalid("the address is not verified"));
        }
        Ok(user.to_owned())
    }
}

/// A time is something else.
const NO_TIME: Wrong = Wrong { problem: TokenProblem::Invalid, why: "a time is no number" };

/// A claim that is a time (RFC 7519, 2): a number, or it is no token. Servers that are asked write `null` for what they
/// leave out.
pub(crate) fn time(claims: &Claims, name: &str) -> Result<Option<f64>, Wrong> {
    match claims.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Number(number)) => Ok(number.as_f64()),
        Some(_) => Err(NO_TIME),
    }
}

/// A claim that is a text or a list of texts.
fn texts(claim: Option<&Value>) -> Vec<&str> {
    match claim {
        Some(Value::String(text)) => vec![text],
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}
