//! Mail domains: names that mail is accepted for. They need not be names of this machine.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// Longest domain name in octets (RFC 1035, 2.3.4).
const MAX_NAME: usize = 253;
/// Longest label in octets (RFC 1035, 2.3.4).
const MAX_LABEL: usize = 63;
/// Longest description in characters.
const MAX_DESCRIPTION: usize = 256;

/// A domain name: lower-case letters, digits and hyphens in labels (`sub-domain` of RFC 5321, 4.1.2); names beyond ASCII
/// as A-labels.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DomainName(String);

impl DomainName {
    /// Checks and lower-cases a name.
    ///
    /// # Errors
    /// [`Error::Invalid`] with the rule that it breaks.
    pub fn parse(text: &str) -> Result<DomainName> {
        let invalid = |what: &str| Err(Error::Invalid(format!("{text:?} is not a domain name: {what}")));
        if text.is_empty() || text.len() > MAX_NAME {
            return invalid("it must have 1 to 253 characters");
        }
        if text.ends_with('.') {
            return invalid("leave out the dot at the end");
        }
        for label in text.split('.') {
            if label.is_empty() || label.len() > MAX_LABEL {
                return invalid("between its dots there must be 1 to 63 characters");
            }
            if !label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
                return invalid("only letters, digits and hyphens are allowed (other scripts as xn--...)");
            }
            if label.starts_with('-') || label.ends_with('-') {
                return invalid("a label can't begin or end with a hyphen");
            }
        }
        Ok(DomainName(text.to_ascii_lowercase()))
    }

    /// The name, in lower case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for DomainName {
    type Error = Error;

    fn try_from(text: String) -> Result<DomainName> {
        DomainName::parse(&text)
    }
}

impl From<DomainName> for String {
    fn from(name: DomainName) -> String {
        name.0
    }
}

impl fmt::Display for DomainName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for DomainName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A domain.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Domain {
    /// Its name.
    pub name: DomainName,
    /// For people; at most 256 characters.
    #[serde(default)]
    pub description: String,
    /// Whether this is the server's own domain, which can't be deleted.
    #[serde(default)]
    pub primary: bool,
}

impl Domain {
    pub(crate) fn check_description(text: &str) -> Result<()> {
        if text.chars().count() > MAX_DESCRIPTION || text.chars().any(char::is_control) {
            return Err(Error::Invalid(
                "a description has at most 256 characters, none of them control characters".into(),
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules() {
        for good in ["example.com", "Mail.EXAMPLE.com", "host", "xn--bcher-kva.example", "a-b.c"] {
            assert_eq!(DomainName::parse(good).unwrap().as_str(), good.to_ascii_lowercase());
        }
        let label = format!("{}.com", "x".repeat(64));
        let long = ["abcdefghi"; 26].join(".");
        for bad in
            ["", ".", "a..b", "a.", ".a", "-a.b", "a-.b", "a b", "bücher.example", "a_b", "[1.2.3.4]", &label, &long]
        {
            assert!(matches!(DomainName::parse(bad), Err(Error::Invalid(_))), "{bad}");
        }
    }
}
