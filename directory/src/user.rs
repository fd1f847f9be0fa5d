//! Users: who has an INBOX.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::address::Address;
use crate::error::{Error, Result};

/// The administrator's user ID: made with the first start, never deleted.
pub const ADMIN: &str = "admin";

/// Longest user ID.
const MAX_USER_ID: usize = 64;

/// Identifiers that ACLs, MTAs and the store itself use.
const RESERVED: &[&str] = &["anyone", "anonymous", "postman", "mailer-daemon", "postmaster", "cyrus", "root"];

/// Longest name, title or telephone number in characters.
const MAX_TEXT: usize = 256;

/// A user ID: login name, owner of `user/<id>`, identifier in ACLs. Lower-case letters, digits, `_` and `-`; never a dot,
/// which would look like a folder to older tools.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UserId(String);

impl UserId {
    /// Checks and lower-cases a user ID.
    ///
    /// # Errors
    /// [`Error::Invalid`] with the rule that it breaks.
    pub fn parse(text: &str) -> Result<UserId> {
        let id = text.to_ascii_lowercase();
        let invalid = |what: &str| Err(Error::Invalid(format!("{text:?} can't be a user ID: {what}")));
        if id.is_empty() || id.len() > MAX_USER_ID {
            return invalid("it must have 1 to 64 characters");
        }
        if !id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-')) {
            return invalid("only letters, digits, _ and - are allowed");
        }
        if id.starts_with('-') {
            return invalid("it can't begin with a hyphen");
        }
        if RESERVED.contains(&id.as_str()) {
            return invalid("the name is reserved");
        }
        Ok(UserId(id))
    }

    /// The administrator's.
    #[must_use]
    pub fn admin() -> UserId {
        UserId(ADMIN.to_owned())
    }

    /// The user ID, in lower case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for UserId {
    type Error = Error;

    fn try_from(text: String) -> Result<UserId> {
        UserId::parse(&text)
    }
}

impl From<UserId> for String {
    fn from(id: UserId) -> String {
        id.0
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether a user can log in and get mail.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UserState {
    /// The mailbox is not there yet.
    Pending,
    /// Yes.
    #[default]
    Active,
    /// An administrator said no.
    Disabled,
}

/// A user. Names follow inetOrgPerson (RFC 2798) where it has one.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct User {
    /// User ID.
    pub uid: UserId,
    /// The address that mail goes out from and comes in to.
    pub mail: Address,
    /// First name.
    #[serde(default)]
    pub given_name: String,
    /// Last name.
    #[serde(default)]
    pub surname: String,
    /// The name that others see: first and last name unless it was changed.
    #[serde(default)]
    pub display_name: String,
    /// Further addresses.
    #[serde(default)]
    pub alternates: Vec<Address>,
    /// Whether the user administers the server.
    #[serde(default)]
    pub admin: bool,
    /// Groups that ACLs may name.
    #[serde(default)]
    pub groups: Vec<String>,
    /// Whether logins and mail are welcome.
    #[serde(default)]
    pub state: UserState,
    /// The quota in MiB: `None` is none, 0 takes no mail at all.
    #[serde(default)]
    pub quota_limit_mib: Option<u64>,
    /// Fields of a newer version, kept as they are.
    #[serde(flatten)]
    pub(crate) unknown: BTreeMap<String, serde_json::Value>,
}

/// A user to be made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewUser {
    /// User ID.
    pub uid: UserId,
    /// The address.
    pub mail: Address,
    /// First name.
    pub given_name: String,
    /// Last name.
    pub surname: String,
    /// Whether the user administers the server.
    pub admin: bool,
}

impl NewUser {
    /// The user as the directory keeps it.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a name that is too long or has control characters.
    pub(crate) fn into_user(self) -> Result<User> {
        let display_name = format!("{} {}", self.given_name.trim(), self.surname.trim()).trim().to_owned();
        let user = User {
            uid: self.uid,
            mail: self.mail,
            given_name: self.given_name,
            surname: self.surname,
            display_name,
            alternates: Vec::new(),
            admin: self.admin,
            groups: Vec::new(),
            state: UserState::Pending,
            quota_limit_mib: None,
            unknown: BTreeMap::new(),
        };
        user.check()?;
        Ok(user)
    }
}

impl User {
    /// What must hold for a user alone; whether addresses are free is a matter of all users.
    ///
    /// # Errors
    /// [`Error::Invalid`] or [`Error::Protected`] with the rule that is broken.
    pub(crate) fn check(&self) -> Result<()> {
        for text in [&self.given_name, &self.surname, &self.display_name] {
            if text.chars().count() > MAX_TEXT || text.chars().any(char::is_control) {
                return Err(Error::Invalid(
                    "a name has at most 256 characters, none of them control characters".into(),
                ));
            }
        }
        for (position, address) in self.alternates.iter().enumerate() {
            if address.domain() != self.mail.domain() {
                return Err(Error::Invalid(format!("{address} must be in the domain {}", self.mail.domain())));
            }
            if *address == self.mail || self.alternates[..position].contains(address) {
                return Err(Error::Invalid(format!("{address} is given twice")));
            }
        }
        // A group becomes an identifier of access lists, `group:NAME`, where names are made like user IDs.
        if let Some(group) = self.groups.iter().find(|group| UserId::parse(group).ok().is_none_or(|id| id.0 != **group))
        {
            return Err(Error::Invalid(format!("{group:?} can't be the name of a group")));
        }
        let demoted = !self.admin || self.state == UserState::Disabled;
        if self.uid.as_str() == ADMIN && demoted {
            return Err(Error::Protected("the user admin can't be disabled and stays an administrator".into()));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_newer_version_wrote_is_kept() {
        let row = r#"{"uid":"joe","mail":"joe@example.com","vacation":{"on":true}}"#;
        let user: User = serde_json::from_str(row).unwrap();
        assert_eq!((user.state, user.admin), (UserState::Active, false));
        assert_eq!(serde_json::to_value(&user).unwrap()["vacation"]["on"], true);
    }

    #[test]
    fn user_ids() {
        for (text, id) in [("joe", "joe"), ("Joe_2-x", "joe_2-x"), ("0", "0")] {
            assert_eq!(UserId::parse(text).unwrap().as_str(), id);
        }
        let long = "x".repeat(65);
        for bad in ["", "j.oe", "-joe", "a b", "jörg", "group:x", "anyone", "Cyrus", "ROOT", "a/b", "..", "a%", &long]
        {
            assert!(matches!(UserId::parse(bad), Err(Error::Invalid(_))), "{bad}");
        }
    }
}
