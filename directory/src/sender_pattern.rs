//! Senders, as exceptions of a junk filter name them: one by the address, or many by their domain.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::address::Address;
use crate::domain::DomainName;
use crate::error::{Error, Result};

/// Who a sender is. Compared without regard to case, as addresses here are.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum SenderPattern {
    /// The one who has this address.
    Address(Address),
    /// Everybody in this domain, and in those below it.
    Domain(DomainName),
}

impl SenderPattern {
    /// Reads an address, or a partial one: what is right of its `@`.
    ///
    /// # Errors
    /// [`Error::Rule`] of the field `pattern`.
    pub fn parse(text: &str) -> Result<SenderPattern> {
        let parsed = if text.contains('@') {
            Address::parse(text).map(SenderPattern::Address)
        } else {
            DomainName::parse(text).map(SenderPattern::Domain)
        };
        let rule = "an address (joe@xyz.com), or the domain of many (xyz.com)";
        parsed.map_err(|_| Error::rule("pattern", text, rule))
    }

    /// The domain of the sender, or of the senders.
    #[must_use]
    pub fn domain(&self) -> &DomainName {
        match self {
            SenderPattern::Address(address) => address.domain(),
            SenderPattern::Domain(domain) => domain,
        }
    }

    /// The same in another domain.
    #[must_use]
    pub fn at(&self, domain: DomainName) -> SenderPattern {
        match self {
            SenderPattern::Address(address) => SenderPattern::Address(address.at(domain)),
            SenderPattern::Domain(_) => SenderPattern::Domain(domain),
        }
    }
}

impl TryFrom<String> for SenderPattern {
    type Error = Error;

    fn try_from(text: String) -> Result<SenderPattern> {
        SenderPattern::parse(&text)
    }
}

impl From<SenderPattern> for String {
    fn from(pattern: SenderPattern) -> String {
        pattern.to_string()
    }
}

impl fmt::Display for SenderPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SenderPattern::Address(address) => address.fmt(f),
            SenderPattern::Domain(domain) => domain.fmt(f),
        }
    }
}

impl fmt::Debug for SenderPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_domains() {
        for (text, expected) in [
            ("Joe.Smith@XYZ.com", "joe.smith@xyz.com"),
            ("ö+x@xyz.com", "ö+x@xyz.com"),
            ("XYZ.com", "xyz.com"),
            ("localhost", "localhost"),
        ] {
            let pattern = SenderPattern::parse(text).unwrap();
            assert_eq!(pattern.to_string(), expected);
            assert_eq!(serde_json::from_value::<SenderPattern>(expected.into()).unwrap(), pattern);
        }
        for bad in [
            "",
            "@",
            "@xyz.com",
            "joe@",
            "*.xyz.com",
            "a b",
            "xyz..com",
            "joe@x y",
            "xyz.com\n",
            "<joe@xyz.com>",
            "[1.2.3.4]",
        ] {
            let error = SenderPattern::parse(bad).unwrap_err();
            assert_eq!((error.field().as_deref(), error.value()), (Some("pattern"), Some(bad)));
        }
    }
}
