//! Mail domains: names that mail is accepted for. They need not be names of this machine.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::revision::Revision;
use crate::text;

/// Longest domain name in octets (RFC 1035, 2.3.4).
const MAX_NAME: usize = 253;
/// Longest label in octets (RFC 1035, 2.3.4).
const MAX_LABEL: usize = 63;

/// A domain name: lower-case letters, digits and hyphens in labels (`sub-domain` of RFC 5321, 4.1.2); names beyond ASCII
/// as A-labels.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DomainName(String);

impl DomainName {
    /// Checks and lower-cases a name.
    ///
    /// # Errors
    /// [`Error::Rule`] of the field `domain`.
    pub fn parse(text: &str) -> Result<DomainName> {
        let invalid = |rule: &'static str| Err(Error::rule("domain", text, rule));
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
    /// It is being deleted: nothing new can be made in it, and its users go one by one. A crash came between if nobody is at
    /// it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deleting: bool,
    /// Which state of the row this is.
    #[serde(default, skip_serializing_if = "Revision::is_none")]
    pub revision: Revision,
    /// Fields of a newer version, kept as they are.
    #[serde(flatten)]
    pub(crate) unknown: BTreeMap<String, serde_json::Value>,
}

impl Domain {
    /// A domain to be made.
    #[must_use]
    pub fn new(name: DomainName, description: &str) -> Domain {
        Domain {
            name,
            description: description.to_owned(),
            primary: false,
            deleting: false,
            revision: Revision::NONE,
            unknown: BTreeMap::new(),
        }
    }

    /// What must hold for a domain that was not there.
    ///
    /// # Errors
    /// [`Error::Rule`].
    pub(crate) fn check_new(&self) -> Result<()> {
        if !self.primary && !self.name.as_str().contains('.') {
            let rule = "only the server's own domain may be a name without a dot";
            return Err(Error::rule("domain", self.name.as_str(), rule));
        }
        text::check("description", &self.description)
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
            assert!(matches!(DomainName::parse(bad), Err(Error::Rule { field: "domain", .. })), "{bad}");
        }
    }
}
