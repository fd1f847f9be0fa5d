//! SASL, the server's side (RFC 4422): the exchange of base64 lines around a mechanism's steps.
//!
//! [`Exchange`] deals with what is the same for IMAP, POP3 and LMTP: base64, the initial response, the client's `*`, size
//! limits. A [`Mechanism`] turns responses into challenges until it can name who wants in. Whether that is true is the
//! caller's business (`directory`), so nothing here waits or knows a user.

mod anonymous;
mod bearer;
mod external;
mod login;
mod offer;
mod plain;
mod scram;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::Secret;
use crate::limits::SASL_LINE;

pub use bearer::{TokenHint, TokenProblem};
pub use offer::Offer;
pub(crate) use offer::is_mechanism;
pub use scram::{KeysWanted, ScramHash, ScramKeys};

/// Most octets of an identity or a password: 1,020, which is 255 characters of four octets (RFC 4616, 2, asks for 255
/// octets).
const MAX_FIELD: usize = 1020;

/// Why an exchange ended without credentials. The text may be shown to the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SaslError {
    /// No such mechanism.
    #[error("unsupported authentication mechanism")]
    UnknownMechanism,
    /// The client sent `*`: answer BAD (RFC 9051, 6.2.2), without counting it as a failed login.
    #[error("authentication cancelled")]
    Cancelled,
    /// A line is not base64.
    #[error("response is not valid base64")]
    Base64,
    /// A line is longer than [`SASL_LINE`].
    #[error("response is too long")]
    TooLong,
    /// The response does not follow the mechanism's grammar.
    #[error("malformed authentication response")]
    Malformed,
    /// The client's channel binding is not one of ours, or somebody has hidden from it that we have any.
    #[error("channel binding does not match")]
    ChannelBinding,
    /// The client's proof or token is wrong: a failed login. Say no more than for a wrong password.
    #[error("authentication failed")]
    Rejected,
    /// The system gave no random octets for a nonce.
    #[error("no random numbers, try again later")]
    NoRandomness,
}

/// Who wants in, and with which password.
#[derive(Debug)]
pub struct Credentials {
    /// Whom the client wants to act as; `None`: itself.
    pub authorization_id: Option<String>,
    /// Who the client is.
    pub authentication_id: String,
    /// Its password.
    pub password: Secret<String>,
}

/// Somebody who has proved who they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Whom the client wants to act as; `None`: itself.
    pub authorization_id: Option<String>,
    /// Who the client is.
    pub authentication_id: String,
}

/// A token that was given out elsewhere.
#[derive(Debug)]
pub struct Token {
    /// Whose mail the client wants; `None`: the one's whom the token was given to.
    pub user: Option<String>,
    /// The token.
    pub token: Secret<String>,
}

/// What a mechanism, or an exchange, does next.
#[derive(Debug)]
#[non_exhaustive]
pub enum Step<C> {
    /// Send this and wait for the response.
    Challenge(C),
    /// Done: check these.
    Verify(Credentials),
    /// The keys of this user are needed: go on with [`Exchange::keys`].
    Keys(KeysWanted),
    /// Done, if the token is good; if it is not, go on with [`Exchange::refuse`].
    Token(Token),
    /// Done: the client has proved to be this one. Whether it may act as the other is still to be asked.
    Proved(Identity),
    /// Done: the client is who its certificate says, and wants to act as this one, if it says so.
    External(Option<String>),
    /// Done: nobody in particular, with what the client calls itself, for the log.
    Anonymous(String),
}

/// The server's side of a mechanism: a state machine that waits for nothing and knows nobody.
pub trait Mechanism: Send {
    /// The first step; `None` without an initial response.
    ///
    /// # Errors
    /// [`SaslError`].
    fn begin(&mut self, initial: Option<&[u8]>) -> Result<Step<Vec<u8>>, SaslError> {
        match initial {
            Some(initial) => self.step(initial),
            // The client speaks first, and is told so by an empty challenge (RFC 4422, 3.3).
            None => Ok(Step::Challenge(Vec::new())),
        }
    }

    /// The next step, on the client's response.
    ///
    /// # Errors
    /// [`SaslError`].
    fn step(&mut self, response: &[u8]) -> Result<Step<Vec<u8>>, SaslError>;

    /// The next step, on the keys that [`Step::Keys`] asked for.
    ///
    /// # Errors
    /// [`SaslError::Malformed`] when nobody has asked.
    fn keys(&mut self, _keys: ScramKeys) -> Result<Step<Vec<u8>>, SaslError> {
        Err(SaslError::Malformed)
    }

    /// The next step, when the [`Step::Token`] is no good.
    ///
    /// # Errors
    /// [`SaslError::Rejected`] when nothing is left to be told.
    fn refuse(&mut self, _problem: TokenProblem) -> Result<Step<Vec<u8>>, SaslError> {
        Err(SaslError::Rejected)
    }
}

/// An exchange in progress. Dropping it at any point leaves nothing behind.
pub struct Exchange {
    name: &'static str,
    mechanism: Box<dyn Mechanism>,
}

impl Exchange {
    /// Begins with the mechanism called `name`, in any case of letters, if it is on offer.
    ///
    /// # Errors
    /// [`SaslError::UnknownMechanism`], [`SaslError::NoRandomness`].
    pub fn new(name: &str, offer: &Offer) -> Result<Self, SaslError> {
        let (name, mechanism) = offer.mechanism(name)?;
        Ok(Self { name, mechanism })
    }

    /// The mechanism's name, in capital letters.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The first step: the initial response as it stands in the command, base64 or `=` for an empty one (RFC 4959).
    /// Challenges come out in base64.
    ///
    /// # Errors
    /// [`SaslError`].
    pub fn begin(&mut self, initial: Option<&[u8]>) -> Result<Step<String>, SaslError> {
        let step = match initial {
            None => self.mechanism.begin(None),
            Some(b"=") => self.mechanism.begin(Some(b"")),
            Some(initial) => self.mechanism.begin(Some(&decode(initial)?)),
        };
        step.map(encode)
    }

    /// The next step, on a line of the client without its CRLF.
    ///
    /// # Errors
    /// [`SaslError`]; [`SaslError::Cancelled`] when the line is `*`.
    pub fn step(&mut self, line: &[u8]) -> Result<Step<String>, SaslError> {
        if line == b"*" {
            return Err(SaslError::Cancelled);
        }
        self.mechanism.step(&decode(line)?).map(encode)
    }

    /// The next step, on the keys that [`Step::Keys`] asked for.
    ///
    /// # Errors
    /// [`SaslError::Malformed`] when nobody has asked.
    pub fn keys(&mut self, keys: ScramKeys) -> Result<Step<String>, SaslError> {
        self.mechanism.keys(keys).map(encode)
    }

    /// The next step, when the [`Step::Token`] is no good.
    ///
    /// # Errors
    /// [`SaslError::Rejected`] when nothing is left to be told.
    pub fn refuse(&mut self, problem: TokenProblem) -> Result<Step<String>, SaslError> {
        self.mechanism.refuse(problem).map(encode)
    }
}

fn decode(line: &[u8]) -> Result<Zeroizing<Vec<u8>>, SaslError> {
    if line.len() > SASL_LINE {
        return Err(SaslError::TooLong);
    }
    STANDARD.decode(line).map(Zeroizing::new).map_err(|_| SaslError::Base64)
}

fn encode(step: Step<Vec<u8>>) -> Step<String> {
    match step {
        Step::Challenge(challenge) => Step::Challenge(STANDARD.encode(challenge)),
        Step::Verify(credentials) => Step::Verify(credentials),
        Step::Keys(wanted) => Step::Keys(wanted),
        Step::Token(token) => Step::Token(token),
        Step::Proved(identity) => Step::Proved(identity),
        Step::External(authorization_id) => Step::External(authorization_id),
        Step::Anonymous(trace) => Step::Anonymous(trace),
    }
}

/// An identity or password: UTF-8 without NUL, not empty, not endless.
fn field(octets: &[u8]) -> Result<&str, SaslError> {
    let text = str::from_utf8(octets).map_err(|_| SaslError::Malformed)?;
    if text.is_empty() || text.len() > MAX_FIELD || text.contains('\0') {
        return Err(SaslError::Malformed);
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes of `initial` and `lines`, in words.
    fn run(mechanism: &str, initial: Option<&str>, lines: &[&str]) -> Vec<String> {
        let mut out = Vec::new();
        let offer = Offer { passwords: true, anonymous: true, external: true, ..Offer::default() };
        let mut exchange = match Exchange::new(mechanism, &offer) {
            Ok(exchange) => exchange,
            Err(error) => return vec![error.to_string()],
        };
        let mut step = exchange.begin(initial.map(str::as_bytes));
        let mut lines = lines.iter();
        loop {
            match step {
                Ok(Step::Challenge(challenge)) => {
                    out.push(format!("+ {challenge}"));
                    let Some(line) = lines.next() else { return out };
                    step = exchange.step(line.as_bytes());
                }
                Ok(Step::Verify(found)) => {
                    let zid = found.authorization_id.unwrap_or_default();
                    out.push(format!("{zid}|{}|{}", found.authentication_id, found.password.expose()));
                    return out;
                }
                Ok(Step::External(zid)) => {
                    out.push(format!("{}|certificate", zid.unwrap_or_default()));
                    return out;
                }
                Ok(Step::Anonymous(trace)) => {
                    out.push(format!("anonymous {trace}"));
                    return out;
                }
                Ok(other) => panic!("{other:?}"),
                Err(error) => {
                    out.push(error.to_string());
                    return out;
                }
            }
        }
    }

    fn b64(text: &str) -> String {
        STANDARD.encode(text)
    }

    #[test]
    fn plain() {
        let check = |text: &str, expected: &str| {
            assert_eq!(run("plain", Some(&b64(text)), &[]), [expected], "{text:?}");
            assert_eq!(run("PLAIN", None, &[&b64(text)]), ["+ ", expected], "{text:?}");
        };
        check("\0tim\0tanstaaftanstaaf", "|tim|tanstaaftanstaaf");
        check("Ursel\0Kurt\0xipj3plmq", "Ursel|Kurt|xipj3plmq");
        check("\0jürgen\0pässword", "|jürgen|pässword");
        let malformed = "malformed authentication response";
        let long = "x".repeat(MAX_FIELD + 1);
        for text in ["", "tim", "\0tim", "\0\0pw", "\0tim\0", "a\0b\0c\0d", "\0tim\0pw\0", &format!("\0{long}\0pw")] {
            check(text, malformed);
        }
        let not_utf8 = STANDARD.encode(b"\0tim\0\xff\xfe");
        assert_eq!(run("PLAIN", Some(&not_utf8), &[]), [malformed]);
        assert_eq!(run("PLAIN", Some("="), &[]), [malformed]);
    }

    #[test]
    fn login() {
        let (user, password) = ("+ VXNlcm5hbWU6", "+ UGFzc3dvcmQ6");
        assert_eq!(run("LOGIN", None, &[&b64("tim"), &b64("pw")]), [user, password, "|tim|pw"]);
        assert_eq!(run("login", Some(&b64("tim")), &[&b64("pw")]), [password, "|tim|pw"]);
        // RFC 4959's empty response is no user name; Outlook's is a question.
        assert_eq!(run("LOGIN", Some("="), &[&b64("tim"), &b64("pw")]), [user, password, "|tim|pw"]);
        assert_eq!(run("LOGIN", None, &[""]), [user, "malformed authentication response"]);
        assert_eq!(run("LOGIN", None, &[&b64("tim"), ""]), [user, password, "malformed authentication response"]);
    }

    #[test]
    fn external_and_anonymous() {
        let malformed = "malformed authentication response";
        assert_eq!(run("EXTERNAL", Some("="), &[]), ["|certificate"]);
        assert_eq!(run("EXTERNAL", None, &[""]), ["+ ", "|certificate"]);
        assert_eq!(run("EXTERNAL", Some(&b64("joe")), &[]), ["joe|certificate"]);
        assert_eq!(run("EXTERNAL", Some(&b64("a\0b")), &[]), [malformed]);
        // RFC 4505, 3.
        assert_eq!(run("ANONYMOUS", None, &["c2lyaGM="]), ["+ ", "anonymous sirhc"]);
        assert_eq!(run("ANONYMOUS", Some("="), &[]), ["anonymous "]);
        assert_eq!(run("ANONYMOUS", Some(&b64("a\nb")), &[]), [malformed]);
        assert_eq!(run("ANONYMOUS", Some(&b64(&"x".repeat(1021))), &[]), [malformed]);
    }

    #[test]
    fn hostile_lines() {
        let cancelled = "authentication cancelled";
        assert_eq!(run("PLAIN", None, &["*"]), ["+ ", cancelled]);
        assert_eq!(run("LOGIN", None, &["*"]), ["+ VXNlcm5hbWU6", cancelled]);
        assert_eq!(run("LOGIN", Some(&b64("tim")), &["*"]), ["+ UGFzc3dvcmQ6", cancelled]);
        for bad in ["%%%", "AHRpbQBwdw=", "AHRpbQ BwdwA=", "**", "A"] {
            assert_eq!(run("PLAIN", Some(bad), &[]), ["response is not valid base64"], "{bad}");
        }
        let long = "A".repeat(SASL_LINE + 4);
        assert_eq!(run("PLAIN", None, &[&long]), ["+ ", "response is too long"]);
        assert_eq!(run("GSSAPI", None, &[]), ["unsupported authentication mechanism"]);
    }
}
