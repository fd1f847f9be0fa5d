//! Addresses elsewhere, as they are kept: what is left of the `@` belongs to the other server, so its case stays.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::address::is_dot_string;
use crate::domain::DomainName;
use crate::error::{Error, Result};

/// An address that mail is sent on to. It can be written into an alias file and into a command's arguments as it is: nothing
/// in it is a blank, a quote, a control character, or the beginning of a path, a pipe or an option.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RemoteAddress {
    local: String,
    domain: DomainName,
}

impl RemoteAddress {
    /// Checks an address.
    ///
    /// # Errors
    /// [`Error::Rule`] of the field `address`.
    pub fn parse(text: &str) -> Result<RemoteAddress> {
        let wrong = |rule: &'static str| Error::rule("address", text, rule);
        let (local, domain) = text.rsplit_once('@').ok_or_else(|| wrong("an address has an @"))?;
        let domain = DomainName::parse(domain).map_err(|error| error.of_field("address"))?;
        if !is_dot_string(local) {
            return Err(wrong("what is left of the @ is a name of letters, digits and few other characters, unquoted"));
        }
        if local.starts_with(['/', '|', '-', '#']) {
            return Err(wrong("an address can't begin with / | - or #"));
        }
        Ok(RemoteAddress { local: local.to_owned(), domain })
    }

    /// What is left of the `@`, as it was written.
    #[must_use]
    pub fn local(&self) -> &str {
        &self.local
    }

    /// The part behind it.
    #[must_use]
    pub fn domain(&self) -> &DomainName {
        &self.domain
    }

    /// The same local part in another domain.
    #[must_use]
    pub fn at(&self, domain: DomainName) -> RemoteAddress {
        RemoteAddress { local: self.local.clone(), domain }
    }
}

impl TryFrom<String> for RemoteAddress {
    type Error = Error;

    fn try_from(text: String) -> Result<RemoteAddress> {
        RemoteAddress::parse(&text)
    }
}

impl From<RemoteAddress> for String {
    fn from(address: RemoteAddress) -> String {
        address.to_string()
    }
}

impl fmt::Display for RemoteAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.local, self.domain)
    }
}

impl fmt::Debug for RemoteAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_written_into_an_alias_file() {
        for (text, expected) in [("Joe.Smith@Example.ORG", "Joe.Smith@example.org"), ("a+b@c.d", "a+b@c.d")] {
            assert_eq!(RemoteAddress::parse(text).unwrap().to_string(), expected);
        }
        for bad in [
            "joe",
            "@a.b",
            "|/bin/sh@a.b",
            "/etc/passwd@a.b",
            "-oQ@a.b",
            "#x@a.b",
            "a b@c.d",
            "a,b@c.d",
            "\"a\"@c.d",
            "a\n@c.d",
            ":include:/x@c.d",
            "a@b..c",
            "a@b\nc",
        ] {
            assert!(matches!(RemoteAddress::parse(bad), Err(Error::Rule { field: "address", .. })), "{bad:?}");
        }
    }
}
