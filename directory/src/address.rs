//! Mail addresses as the directory keeps them: compared without regard to case, in the local part too.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::domain::DomainName;
use crate::error::{Error, Result};

/// Longest local part in octets (RFC 5321, 4.5.3.1.1).
const MAX_LOCAL: usize = 64;

/// An address `local@domain`, in lower case. The local part is a `Dot-string` (RFC 5321, 4.1.2), in UTF-8 if need be
/// (RFC 6531): addresses that need quoting are not given out.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Address {
    local: String,
    domain: DomainName,
}

impl Address {
    /// Checks an address.
    ///
    /// # Errors
    /// [`Error::Rule`] of the field `mail`.
    pub fn parse(text: &str) -> Result<Address> {
        let (local, domain) = text.rsplit_once('@').ok_or_else(|| Error::rule("mail", text, "an address has an @"))?;
        Address::new(local, DomainName::parse(domain)?)
    }

    /// The address of `local` at `domain`.
    ///
    /// # Errors
    /// [`Error::Rule`] of the field `mail` when `local` is not a dot-string of at most 64 octets.
    pub fn new(local: &str, domain: DomainName) -> Result<Address> {
        if !is_dot_string(local) {
            return Err(Error::rule("mail", local, LOCAL_RULE));
        }
        Ok(Address { local: local.to_lowercase(), domain })
    }

    /// The same local part in another domain.
    #[must_use]
    pub fn at(&self, domain: DomainName) -> Address {
        Address { local: self.local.clone(), domain }
    }

    /// The part before the `@`.
    #[must_use]
    pub fn local(&self) -> &str {
        &self.local
    }

    /// The part behind it.
    #[must_use]
    pub fn domain(&self) -> &DomainName {
        &self.domain
    }
}

/// Why a local part is refused.
const LOCAL_RULE: &str = "what is left of the @ has at most 64 octets: letters, digits and !#$%&'*+-/=?^_`{|}~, with single \
                          dots between them";

/// Whether a text is a `Dot-string` that an SMTP server takes as a local part.
pub(crate) fn is_dot_string(local: &str) -> bool {
    let atext = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c) || !c.is_ascii();
    local.len() <= MAX_LOCAL
        && !local.chars().any(char::is_control)
        && local.split('.').all(|atom| !atom.is_empty() && atom.chars().all(atext))
}

/// What must hold for a local part beyond its syntax before it is given out: in alias files and in the commands of an MTA a
/// leading `/`, `|` or `-` would be something else than an address, and `+` begins a detail (RFC 5233).
///
/// # Errors
/// [`Error::Rule`].
pub(crate) fn check_new(field: &'static str, address: &Address) -> Result<()> {
    if address.local.starts_with(['/', '|', '-', '#']) {
        return Err(Error::rule(field, address.to_string(), "an address can't begin with / | - or #"));
    }
    if address.local.contains('+') {
        return Err(Error::rule(
            field,
            address.to_string(),
            "a + in an address begins the name of a folder: leave it out",
        ));
    }
    Ok(())
}

impl TryFrom<String> for Address {
    type Error = Error;

    fn try_from(text: String) -> Result<Address> {
        Address::parse(&text)
    }
}

impl From<Address> for String {
    fn from(address: Address) -> String {
        address.to_string()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.local, self.domain)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules() {
        for (text, expected) in [
            ("Joe.Smith@Example.COM", "joe.smith@example.com"),
            ("jörg@example.com", "jörg@example.com"),
            ("a+b@example.com", "a+b@example.com"),
        ] {
            assert_eq!(Address::parse(text).unwrap().to_string(), expected);
        }
        for bad in
            ["joe", "@example.com", "joe@", "a b@c", "a..b@c", ".a@c", "a.@c", "\"a b\"@c", "a@b@c", "a\0@c", "<a@c>"]
        {
            assert!(matches!(Address::parse(bad), Err(Error::Rule { .. })), "{bad}");
        }
        assert!(Address::parse(&format!("{}@c", "x".repeat(65))).is_err());
    }
}
