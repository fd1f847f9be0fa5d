//! OAUTHBEARER (RFC 7628) and its predecessor XOAUTH2: a token that somebody else has given out. Whether it is good is the
//! directory's business.

use std::fmt::Write as _;
use std::sync::Arc;

use super::{MAX_FIELD, Mechanism, SaslError, Step, Token, scram};
use crate::Secret;

/// What a client is told that needs another token (RFC 7628, 3.2.2).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TokenHint {
    /// The scope to ask for.
    pub scope: Option<Arc<str>>,
    /// Where the authorization server describes itself.
    pub openid_configuration: Option<Arc<str>>,
}

/// Why a token is no good; the names of RFC 6750, 3.1. Which of a dozen things is wrong with an invalid one is nobody's
/// business who may have forged it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenProblem {
    /// Expired, revoked, forged, or somebody else's.
    Invalid,
    /// Good, but not for this.
    InsufficientScope,
}

/// How the message is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// RFC 7628.
    OauthBearer,
    /// Google's, which many others took over.
    Xoauth2,
}

/// The mechanism.
pub(super) struct Bearer {
    form: Form,
    hint: TokenHint,
    refused: bool,
}

impl Bearer {
    pub(super) fn new(form: Form, hint: TokenHint) -> Self {
        Self { form, hint, refused: false }
    }

    /// A JSON object (RFC 7628, 3.2.2): `{"status":"invalid_token","scope":"mail"}`. The predecessor's clients look for a
    /// number.
    fn challenge(&self, problem: TokenProblem) -> String {
        let (name, number) = match problem {
            TokenProblem::Invalid => ("invalid_token", "401"),
            TokenProblem::InsufficientScope => ("insufficient_scope", "403"),
        };
        let mut object = match self.form {
            Form::OauthBearer => format!(r#"{{"status":"{name}""#),
            Form::Xoauth2 => format!(r#"{{"status":"{number}","schemes":"Bearer""#),
        };
        member(&mut object, "scope", self.hint.scope.as_deref().unwrap_or_default());
        if let Some(place) = &self.hint.openid_configuration {
            member(&mut object, "openid-configuration", place);
        }
        object.push('}');
        object
    }
}

impl Mechanism for Bearer {
    fn step(&mut self, response: &[u8]) -> Result<Step<Vec<u8>>, SaslError> {
        if self.refused {
            // Whatever the client says to that (%x01, or nothing): it is over.
            return Err(SaslError::Rejected);
        }
        let text = str::from_utf8(response).map_err(|_| SaslError::Malformed)?;
        match self.form {
            Form::OauthBearer => oauthbearer(text),
            Form::Xoauth2 => xoauth2(text),
        }
        .map(Step::Token)
        .ok_or(SaslError::Malformed)
    }

    fn refuse(&mut self, problem: TokenProblem) -> Result<Step<Vec<u8>>, SaslError> {
        self.refused = true;
        Ok(Step::Challenge(self.challenge(problem).into_bytes()))
    }
}

/// Adds a member with a text to a JSON object (RFC 8259, 7).
fn member(object: &mut String, name: &str, text: &str) {
    // Writing to a String cannot fail.
    let _ = write!(object, r#","{name}":""#);
    for c in text.chars() {
        let _ = match c {
            '"' | '\\' => write!(object, "\\{c}"),
            c if c.is_control() => write!(object, "\\u{:04x}", u32::from(c)),
            c => write!(object, "{c}"),
        };
    }
    object.push('"');
}

/// ```abnf
/// client-resp = gs2-header kvsep *kvpair kvsep
/// kvpair      = key "=" value kvsep
/// kvsep       = %x01
/// auth-value  = "Bearer" 1*SP b64token
/// ```
/// RFC 7628, 3.1: channel binding is not defined for it, so the flag is `n` or `y`.
fn oauthbearer(text: &str) -> Option<Token> {
    let (header, pairs) = text.split_once('\x01')?;
    let header = header.strip_suffix(',')?;
    let (flag, authorization) = header.split_once(',')?;
    if !matches!(flag, "n" | "y") {
        return None;
    }
    let user = match authorization {
        "" => None,
        name => Some(scram::saslname(name.strip_prefix("a=")?)?),
    };
    token(pairs, user)
}

/// ```abnf
/// initial-response = "user=" user %x01 "auth=Bearer " token %x01 %x01
/// ```
fn xoauth2(text: &str) -> Option<Token> {
    let (user, pairs) = text.strip_prefix("user=")?.split_once('\x01')?;
    let user = Some(user).filter(|user| !user.is_empty() && user.len() <= MAX_FIELD)?;
    token(pairs, Some(user.to_owned()))
}

/// The pairs, of which only `auth` says anything here.
fn token(pairs: &str, user: Option<String>) -> Option<Token> {
    let pairs = pairs.strip_suffix("\x01\x01")?;
    let mut found = None;
    for pair in pairs.split('\x01') {
        let (key, value) = pair.split_once('=')?;
        if key.is_empty() || !key.bytes().all(|octet| octet.is_ascii_alphabetic()) {
            return None;
        }
        if key == "auth" {
            let (scheme, token) = value.split_once(' ')?;
            let token = token.trim_start_matches(' ');
            if !scheme.eq_ignore_ascii_case("Bearer") || !is_token(token) || found.replace(token).is_some() {
                return None;
            }
        }
    }
    found.map(|token| Token { user, token: Secret::new(token.to_owned()) })
}

/// ```abnf
/// b64token = 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="
/// ```
fn is_token(text: &str) -> bool {
    let text = text.trim_end_matches('=');
    !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"-._~+/".contains(&octet))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(form: Form, message: &str, expected: Option<(Option<&str>, &str)>) {
        let got = match Bearer::new(form, TokenHint::default()).step(message.as_bytes()) {
            Ok(Step::Token(token)) => Some((token.user.clone(), token.token.expose().clone())),
            Ok(_) => panic!("{message:?}"),
            Err(error) => {
                assert_eq!(error, SaslError::Malformed);
                None
            }
        };
        let expected = expected.map(|(user, token)| (user.map(str::to_owned), token.to_owned()));
        assert_eq!(got, expected, "{message:?}");
    }

    #[test]
    fn messages() {
        // RFC 7628, 4.1.
        let example = "n,a=user@example.com,\x01host=server.example.com\x01port=143\x01auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\x01\x01";
        let token = "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==";
        check(Form::OauthBearer, example, Some((Some("user@example.com"), token)));
        check(Form::OauthBearer, "n,,\x01auth=bearer  x\x01\x01", Some((None, "x")));
        check(Form::OauthBearer, "y,a=a=2Cb=3D,\x01auth=Bearer x\x01\x01", Some((Some("a,b="), "x")));
        check(Form::Xoauth2, "user=joe\x01auth=Bearer x.y_z\x01\x01", Some((Some("joe"), "x.y_z")));
        for bad in [
            "",
            "n,,",
            "n,,\x01\x01",
            "n,,\x01auth=Bearer x\x01",
            "n,,\x01auth=Basic x\x01\x01",
            "n,,\x01auth=Bearer \x01\x01",
            "n,,\x01auth=Bearer a b\x01\x01",
            "n,,\x01auth=Bearer a=b\x01\x01",
            "n,,\x01auth=Bearer ==\x01\x01",
            "n,,\x01auth=Bearer x\x01auth=Bearer y\x01\x01",
            "p=tls-exporter,,\x01auth=Bearer x\x01\x01",
            "n,joe,\x01auth=Bearer x\x01\x01",
            "n,,\x01=x\x01auth=Bearer x\x01\x01",
        ] {
            check(Form::OauthBearer, bad, None);
        }
        for bad in ["", "user=\x01auth=Bearer x\x01\x01", "auth=Bearer x\x01\x01", "user=joe\x01\x01"] {
            check(Form::Xoauth2, bad, None);
        }
    }

    #[test]
    fn a_refusal_is_told_before_it_ends() {
        let hint = TokenHint {
            scope: Some(r#"mail "all""#.into()),
            openid_configuration: Some("https://login.example.com/.well-known/openid-configuration".into()),
        };
        let at = r#""openid-configuration":"https://login.example.com/.well-known/openid-configuration""#;
        let (none, all) = (TokenHint::default(), hint);
        for (form, hint, problem, expected) in [
            (Form::OauthBearer, &none, TokenProblem::Invalid, r#"{"status":"invalid_token","scope":""}"#.to_owned()),
            (
                Form::OauthBearer,
                &all,
                TokenProblem::InsufficientScope,
                format!(r#"{{"status":"insufficient_scope","scope":"mail \"all\"",{at}}}"#),
            ),
            (
                Form::Xoauth2,
                &none,
                TokenProblem::Invalid,
                r#"{"status":"401","schemes":"Bearer","scope":""}"#.to_owned(),
            ),
            (
                Form::Xoauth2,
                &all,
                TokenProblem::InsufficientScope,
                format!(r#"{{"status":"403","schemes":"Bearer","scope":"mail \"all\"",{at}}}"#),
            ),
        ] {
            let mut bearer = Bearer::new(form, hint.clone());
            let Ok(Step::Challenge(told)) = bearer.refuse(problem) else { panic!("the client is told") };
            assert_eq!(String::from_utf8(told).unwrap(), expected);
            // %x01, nothing, or whatever: it is over.
            for last in [&b"\x01"[..], b"", b"n,,\x01auth=Bearer x\x01\x01"] {
                assert!(matches!(bearer.step(last), Err(SaslError::Rejected)));
            }
        }
    }
}
