//! OAUTHBEARER (RFC 7628) and its predecessor XOAUTH2: a token that somebody else has given out. Whether it is good is the
//! directory's business.

use super::{MAX_FIELD, Mechanism, SaslError, Step, Token, scram};
use crate::Secret;

/// What a client is told of a token that is no good (RFC 7628, 3.2.2): nothing that helps guessing.
const INVALID: &[u8] = br#"{"status":"invalid_token","scope":""}"#;
/// The same for XOAUTH2, whose clients look for a number.
const INVALID_XOAUTH2: &[u8] = br#"{"status":"401","schemes":"Bearer","scope":""}"#;

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
    refused: bool,
}

impl Bearer {
    pub(super) fn new(form: Form) -> Self {
        Self { form, refused: false }
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

    fn refuse(&mut self) -> Result<Step<Vec<u8>>, SaslError> {
        self.refused = true;
        Ok(Step::Challenge(if self.form == Form::Xoauth2 { INVALID_XOAUTH2 } else { INVALID }.to_vec()))
    }
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
            let good = scheme.eq_ignore_ascii_case("Bearer") && !token.is_empty() && token.bytes().all(is_token);
            if !good || found.replace(token).is_some() {
                return None;
            }
        }
    }
    found.map(|token| Token { user, token: Secret::new(token.to_owned()) })
}

/// ```abnf
/// b64token = 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="
/// ```
fn is_token(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || b"-._~+/=".contains(&octet)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(form: Form, message: &str, expected: Option<(Option<&str>, &str)>) {
        let got = match Bearer::new(form).step(message.as_bytes()) {
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
        for (form, last) in [(Form::OauthBearer, &b"\x01"[..]), (Form::Xoauth2, b"")] {
            let mut bearer = Bearer::new(form);
            let Ok(Step::Challenge(told)) = bearer.refuse() else { panic!("the client is told") };
            assert!(told.starts_with(b"{\"status\""));
            assert!(matches!(bearer.step(last), Err(SaslError::Rejected)));
        }
    }
}
