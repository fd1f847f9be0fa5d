//! Whom an entry of an access control list is about, and who is asking.

use std::fmt;

/// Longest identifier in bytes: it is one field of a line of cyrus.header.
const MAX_LEN: usize = 255;

/// Covers everybody, logged in or not (RFC 4314, 2).
const ANYONE: &str = "anyone";

/// Covers those who are not logged in.
const ANONYMOUS: &str = "anonymous";

/// Precedes a group's name.
const GROUP: &str = "group:";

/// Whom an entry is about: a user ID, `anyone`, `anonymous` or `group:NAME`; with a leading `-`, what they may not do.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Identifier(Box<str>);

impl Identifier {
    /// The identifier `text`: not empty, at most 255 bytes, without control characters (a tab would end it on disk).
    #[must_use]
    pub fn parse(text: &str) -> Option<Identifier> {
        let name = text.strip_prefix('-').unwrap_or(text);
        let ok = !name.is_empty() && text.len() <= MAX_LEN && !text.chars().any(char::is_control);
        ok.then(|| Identifier(text.into()))
    }

    /// `anyone`.
    #[must_use]
    pub fn anyone() -> Identifier {
        Identifier(ANYONE.into())
    }

    /// The identifier as text, with its `-`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the entry takes rights away.
    #[must_use]
    pub fn is_negative(&self) -> bool {
        self.0.starts_with('-')
    }

    /// The identifier without its `-`.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.strip_prefix('-').unwrap_or(&self.0)
    }

    /// Whether the entry is about `access`.
    pub(super) fn covers(&self, access: &Access) -> bool {
        match self.name() {
            ANYONE => true,
            ANONYMOUS => access.anonymous,
            _ if access.anonymous => false,
            name => match name.strip_prefix(GROUP) {
                Some(group) => access.groups.iter().any(|own| own == group),
                None => access.user == name,
            },
        }
    }
}

impl fmt::Display for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Who is asking.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Access {
    /// The user ID, under which state (\Seen, subscriptions) is kept too; `anonymous` if nobody is logged in.
    pub user: String,
    /// Whether this is an administrator of the server.
    pub admin: bool,
    /// The groups the user belongs to, without `group:`.
    pub groups: Vec<String>,
    /// Whether nobody is logged in.
    pub anonymous: bool,
}

impl Access {
    /// A logged-in user without groups.
    #[must_use]
    pub fn user(user: &str) -> Access {
        Access { user: user.to_owned(), admin: false, groups: Vec::new(), anonymous: false }
    }

    /// An administrator.
    #[must_use]
    pub fn admin(user: &str) -> Access {
        Access { admin: true, ..Access::user(user) }
    }

    /// Nobody in particular: SASL ANONYMOUS, or mail from outside.
    #[must_use]
    pub fn anonymous() -> Access {
        Access { anonymous: true, ..Access::user(ANONYMOUS) }
    }

    /// The same, as a member of `groups`.
    #[must_use]
    pub fn in_groups<T: Into<String>>(mut self, groups: impl IntoIterator<Item = T>) -> Access {
        self.groups = groups.into_iter().map(Into::into).collect();
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers() {
        for good in ["joe", "-joe", "anyone", "group:staff", "Sue Miller", "--x", "ü"] {
            assert_eq!(Identifier::parse(good).unwrap().as_str(), good);
        }
        for bad in ["", "-", "a\tb", "a\nb", "a\0", &"x".repeat(256)] {
            assert_eq!(Identifier::parse(bad), None, "{bad:?}");
        }
        let negative = Identifier::parse("-sue").unwrap();
        assert!(negative.is_negative());
        assert_eq!(negative.name(), "sue");
    }
}
