//! Which mechanisms there are, and which of them a connection is offered.

use super::anonymous::Anonymous;
use super::bearer::{Bearer, Form, TokenHint};
use super::external::External;
use super::login::Login;
use super::plain::Plain;
use super::scram::{Scram, ScramHash};
use super::{Mechanism, SaslError};
use crate::tls::ChannelBinding;

/// What a connection is offered: the site's choice, and what its TLS makes possible.
#[derive(Debug, Clone, Default)]
pub struct Offer {
    /// PLAIN and LOGIN.
    pub passwords: bool,
    /// SCRAM-SHA-256, and with channel binding SCRAM-SHA-256-PLUS.
    pub scram_sha256: bool,
    /// SCRAM-SHA-1 (and -PLUS), for clients that know no other.
    pub scram_sha1: bool,
    /// OAUTHBEARER and XOAUTH2, with what a client is told that needs another token.
    pub tokens: Option<TokenHint>,
    /// ANONYMOUS.
    pub anonymous: bool,
    /// EXTERNAL: the client has shown a certificate.
    pub external: bool,
    /// What SCRAM can be bound to.
    pub binding: ChannelBinding,
}

/// All mechanisms, strongest first; clients take the first one that they know.
const NAMES: &[&str] = &[
    "EXTERNAL",
    "SCRAM-SHA-256-PLUS",
    "SCRAM-SHA-256",
    "SCRAM-SHA-1-PLUS",
    "SCRAM-SHA-1",
    "OAUTHBEARER",
    "XOAUTH2",
    "PLAIN",
    "LOGIN",
    "ANONYMOUS",
];

/// Whether a client that sends `word` where a mechanism belongs has sent one, offered or not: else it may be a secret.
pub(crate) fn is_mechanism(word: &[u8]) -> bool {
    NAMES.iter().any(|name| name.as_bytes().eq_ignore_ascii_case(word))
}

impl Offer {
    /// The names of what is offered, strongest first.
    #[must_use]
    pub fn names(&self) -> Vec<&'static str> {
        NAMES.iter().copied().filter(|name| self.has(name)).collect()
    }

    /// Whether anything is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !NAMES.iter().any(|name| self.has(name))
    }

    fn has(&self, name: &str) -> bool {
        match name {
            "EXTERNAL" => self.external,
            "SCRAM-SHA-256-PLUS" => self.scram_sha256 && self.binding.is_possible(),
            "SCRAM-SHA-256" => self.scram_sha256,
            "SCRAM-SHA-1-PLUS" => self.scram_sha1 && self.binding.is_possible(),
            "SCRAM-SHA-1" => self.scram_sha1,
            "OAUTHBEARER" | "XOAUTH2" => self.tokens.is_some(),
            "PLAIN" | "LOGIN" => self.passwords,
            "ANONYMOUS" => self.anonymous,
            _ => false,
        }
    }

    /// The mechanism called `name`, in any case of letters, and its name in capital ones.
    pub(super) fn mechanism(&self, name: &str) -> Result<(&'static str, Box<dyn Mechanism>), SaslError> {
        let known = NAMES.iter().find(|known| known.eq_ignore_ascii_case(name) && self.has(known));
        let name = *known.ok_or(SaslError::UnknownMechanism)?;
        Ok((name, self.make(name)?))
    }

    fn make(&self, name: &str) -> Result<Box<dyn Mechanism>, SaslError> {
        let scram = |hash, plus: bool| Scram::new(hash, plus, self.binding.clone()).map(|scram| Box::new(scram) as _);
        let bearer = |form| Box::new(Bearer::new(form, self.tokens.clone().unwrap_or_default()));
        match name {
            "EXTERNAL" => Ok(Box::new(External)),
            "SCRAM-SHA-256-PLUS" => scram(ScramHash::Sha256, true),
            "SCRAM-SHA-256" => scram(ScramHash::Sha256, false),
            "SCRAM-SHA-1-PLUS" => scram(ScramHash::Sha1, true),
            "SCRAM-SHA-1" => scram(ScramHash::Sha1, false),
            "OAUTHBEARER" => Ok(bearer(Form::OauthBearer)),
            "XOAUTH2" => Ok(bearer(Form::Xoauth2)),
            "PLAIN" => Ok(Box::new(Plain)),
            "LOGIN" => Ok(Box::new(Login::default())),
            "ANONYMOUS" => Ok(Box::new(Anonymous)),
            _ => Err(SaslError::UnknownMechanism),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_offered() {
        assert!(Offer::default().is_empty() && Offer::default().names().is_empty());
        let mut offer = Offer { passwords: true, scram_sha256: true, ..Offer::default() };
        assert_eq!(offer.names(), ["SCRAM-SHA-256", "PLAIN", "LOGIN"]);
        offer.binding.exporter = Some([0; 32]);
        assert_eq!(offer.names(), ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "PLAIN", "LOGIN"]);
        let tokens = Some(TokenHint::default());
        let all = Offer { scram_sha1: true, tokens, anonymous: true, external: true, ..offer };
        assert_eq!(all.names(), NAMES);
        for name in NAMES {
            assert!(all.mechanism(&name.to_lowercase()).is_ok(), "{name}");
            assert!(Offer::default().mechanism(name).is_err(), "{name}");
        }
        assert!(all.mechanism("GSSAPI").is_err());
    }
}
