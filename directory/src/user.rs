//! Users: who has an INBOX.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::address::Address;
use crate::contact::Contact;
use crate::error::{Error, Result};
use crate::forwarding::Forwarding;
use crate::junk::JunkFilter;
use crate::revision::Revision;
use crate::text;
use crate::vacation::Vacation;

/// The administrator's user ID: made with the first start, never deleted.
pub const ADMIN: &str = "admin";

/// Longest user ID.
const MAX_USER_ID: usize = 64;

/// Identifiers that ACLs, MTAs and the store itself use.
const RESERVED: &[&str] = &["anyone", "anonymous", "postman", "mailer-daemon", "postmaster", "cyrus", "root"];

/// Most further addresses of a user.
pub const MAX_ALTERNATES: usize = 16;

/// Most groups of a user.
pub const MAX_GROUPS: usize = 100;

/// A user ID: login name, owner of `user/<id>`, identifier in ACLs. Lower-case letters, digits, `_` and `-`; never a dot,
/// which would look like a folder to older tools. A copy shares the text: each user's stands in a dozen indexes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UserId(Arc<str>);

impl UserId {
    /// Checks and lower-cases a user ID.
    ///
    /// # Errors
    /// [`Error::Rule`] of the field `uid`.
    pub fn parse(text: &str) -> Result<UserId> {
        let id = text.to_ascii_lowercase();
        let invalid = |rule: &'static str| Err(Error::rule("uid", text, rule));
        if id.is_empty() || id.len() > MAX_USER_ID {
            return invalid("a user ID has 1 to 64 characters");
        }
        if !id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-')) {
            return invalid("a user ID has only letters, digits, _ and -");
        }
        if id.starts_with('-') {
            return invalid("a user ID can't begin with a hyphen");
        }
        if RESERVED.contains(&id.as_str()) {
            return invalid("the name is reserved for access lists, the MTA or the system");
        }
        Ok(UserId(id.into()))
    }

    /// The administrator's.
    #[must_use]
    pub fn admin() -> UserId {
        UserId(ADMIN.into())
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
        (*id.0).to_owned()
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
    /// The mailbox is being removed, and then the user: gone for everybody, but for the user ID and the addresses, which
    /// nobody may have before the mailbox is gone.
    Deleting,
}

/// A user. Names follow inetOrgPerson (RFC 2798) where it has one.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct User {
    /// User ID; can't be changed.
    pub uid: UserId,
    /// The address that mail goes out from and comes in to. Its domain is the user's.
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
    /// Further addresses, in the user's domain; only administrators change them.
    #[serde(default)]
    pub alternates: Vec<Address>,
    /// Telephone numbers, title, office.
    #[serde(default, skip_serializing_if = "Contact::is_empty")]
    pub contact: Contact,
    /// Where mail goes instead, or too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forwarding: Option<Box<Forwarding>>,
    /// What is replied while the user is away; boxed, as the next one, because most users have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vacation: Option<Box<Vacation>>,
    /// What is done with junk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub junk_filter: Option<Box<JunkFilter>>,
    /// Whether the user administers the server.
    #[serde(default)]
    pub admin: bool,
    /// Groups that ACLs and aliases may name. A group is there as long as somebody is in it.
    #[serde(default)]
    pub groups: Vec<String>,
    /// Whether logins and mail are welcome.
    #[serde(default)]
    pub state: UserState,
    /// A pending user is disabled, and not active, once the mailbox is there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub then_disabled: bool,
    /// The quota in MiB: `None` is none, 0 takes no mail at all.
    #[serde(default)]
    pub quota_limit_mib: Option<u64>,
    /// Which state of the row this is.
    #[serde(default, skip_serializing_if = "Revision::is_none")]
    pub revision: Revision,
    /// Fields of a newer version, kept as they are.
    #[serde(flatten)]
    pub(crate) unknown: BTreeMap<String, serde_json::Value>,
}

/// The least of a user to be made: what [`Directory::create_user`](crate::Directory::create_user) asks for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewUser {
    /// User ID.
    pub uid: UserId,
    /// The address.
    pub mail: Address,
    /// First name; empty: the user ID.
    pub given_name: String,
    /// Last name; empty: the user ID.
    pub surname: String,
    /// Whether the user administers the server.
    pub admin: bool,
}

impl From<NewUser> for User {
    fn from(new: NewUser) -> User {
        let mut user = User::new(new.uid, new.mail, &new.given_name, &new.surname);
        // Every person has both (inetOrgPerson wants the last one), but commands that make users by their ID alone are handy.
        for name in [&mut user.given_name, &mut user.surname] {
            if name.is_empty() {
                user.uid.as_str().clone_into(name);
            }
        }
        user.admin = new.admin;
        user
    }
}

impl User {
    /// The fields that say something of a user, as rows call them: all but `revision` and `then_disabled`, which are the
    /// directory's own. Whoever writes rows otherwise is asked by a test of his own whether he knows them all.
    pub const FIELDS: [&'static str; 14] = [
        "uid",
        "mail",
        "given_name",
        "surname",
        "display_name",
        "alternates",
        "contact",
        "forwarding",
        "vacation",
        "junk_filter",
        "admin",
        "groups",
        "state",
        "quota_limit_mib",
    ];

    /// A user to be made, with the display name that goes with the names. Everything else can be set before.
    #[must_use]
    pub fn new(uid: UserId, mail: Address, given_name: &str, surname: &str) -> User {
        User {
            uid,
            mail,
            given_name: given_name.to_owned(),
            surname: surname.to_owned(),
            display_name: User::display_name_of(given_name, surname),
            alternates: Vec::new(),
            contact: Contact::default(),
            forwarding: None,
            vacation: None,
            junk_filter: None,
            admin: false,
            groups: Vec::new(),
            state: UserState::Pending,
            then_disabled: false,
            quota_limit_mib: None,
            revision: Revision::NONE,
            unknown: BTreeMap::new(),
        }
    }

    /// The display name unless somebody chooses another: first and last name.
    #[must_use]
    pub fn display_name_of(given_name: &str, surname: &str) -> String {
        format!("{} {}", given_name.trim(), surname.trim()).trim().to_owned()
    }

    /// All addresses: the mail address, then the others.
    pub fn addresses(&self) -> impl Iterator<Item = &Address> {
        std::iter::once(&self.mail).chain(&self.alternates)
    }

    /// What must hold for a user alone, of what is not as it was in `old`: rows that older versions wrote stay changeable.
    /// Whether addresses are free is a matter of all users.
    ///
    /// # Errors
    /// [`Error::Rule`] or [`Error::Protected`].
    pub(crate) fn check(&self, old: Option<&User>) -> Result<()> {
        if old.is_none_or(|old| old.given_name != self.given_name) {
            text::check_required("given_name", &self.given_name)?;
        }
        if old.is_none_or(|old| old.surname != self.surname) {
            text::check_required("surname", &self.surname)?;
        }
        if old.is_none_or(|old| old.display_name != self.display_name) {
            text::check("display_name", &self.display_name)?;
        }
        self.contact.check(old.map(|old| &old.contact))?;
        if let Some(vacation) = &self.vacation {
            vacation.check(old.and_then(|old| old.vacation.as_deref()))?;
        }
        if let Some(filter) = &self.junk_filter {
            filter.check(old.and_then(|old| old.junk_filter.as_deref()))?;
        }
        self.check_addresses()?;
        self.check_groups()?;
        crate::privileges::check_quota("quota_limit_mib", self.quota_limit_mib)?;
        if self.uid.as_str() == ADMIN {
            if !self.admin {
                return Err(Error::protected("admin", ADMIN, "the user admin stays an administrator"));
            }
            if self.state == UserState::Disabled || self.then_disabled {
                return Err(Error::protected("state", ADMIN, "the user admin can't be disabled"));
            }
        }
        Ok(())
    }

    /// The user as a row has it: what says nothing is not there, and what is in no order is sorted.
    #[must_use]
    pub(crate) fn tidied(mut self) -> User {
        self.vacation = self.vacation.and_then(|vacation| vacation.kept());
        self.junk_filter = self.junk_filter.and_then(|mut filter| {
            filter.exceptions.sort_unstable();
            filter.kept()
        });
        self
    }

    fn check_addresses(&self) -> Result<()> {
        if self.alternates.len() > MAX_ALTERNATES {
            return Err(Error::rule("alternates", "", "a user has at most 16 further addresses"));
        }
        for (position, address) in self.alternates.iter().enumerate() {
            if address.domain() != self.mail.domain() {
                let rule = format!("it must be in the user's domain {}", self.mail.domain());
                return Err(Error::rule("alternates", address.to_string(), rule));
            }
            if *address == self.mail || self.alternates[..position].contains(address) {
                return Err(Error::rule("alternates", address.to_string(), "it is given twice"));
            }
        }
        Ok(())
    }

    /// A group becomes an identifier of access lists, `group:NAME`, where names are made like user IDs.
    fn check_groups(&self) -> Result<()> {
        if self.groups.len() > MAX_GROUPS {
            return Err(Error::rule("groups", "", "a user is in at most 100 groups"));
        }
        for (position, group) in self.groups.iter().enumerate() {
            if !is_group_name(group) {
                let rule = "a group has a name like a user ID: lower-case letters, digits, _ and -";
                return Err(Error::rule("groups", group, rule));
            }
            if self.groups[..position].contains(group) {
                return Err(Error::rule("groups", group, "it is given twice"));
            }
        }
        Ok(())
    }
}

/// Whether a group can be called so.
pub(crate) fn is_group_name(name: &str) -> bool {
    UserId::parse(name).is_ok_and(|id| &*id.0 == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_newer_version_wrote_is_kept() {
        let row = r#"{"uid":"joe","mail":"joe@example.com","colour":{"red":true}}"#;
        let user: User = serde_json::from_str(row).unwrap();
        assert_eq!((user.state, user.admin), (UserState::Active, false));
        assert_eq!(serde_json::to_value(&user).unwrap()["colour"]["red"], true);
    }

    #[test]
    fn fields_are_those_of_a_row() {
        let row = r#"{"uid":"joe","mail":"joe@example.com","contact":{"fax":"1"},"forwarding":{"to":[]},
            "vacation":{"on":true},"junk_filter":{"on":true},"then_disabled":true,"revision":1}"#;
        let user: User = serde_json::from_str(row).unwrap();
        assert!(user.unknown.is_empty());
        let row = serde_json::to_value(&user).unwrap();
        let mut fields: Vec<_> = row.as_object().unwrap().keys().map(String::as_str).collect();
        fields.retain(|field| !["revision", "then_disabled"].contains(field));
        let mut known = User::FIELDS;
        known.sort_unstable();
        assert_eq!(fields, known);
    }

    #[test]
    fn what_says_nothing_is_not_kept() {
        let row = r#"{"uid":"joe","mail":"joe@example.com","vacation":{},"junk_filter":{"on":false}}"#;
        let user = serde_json::from_str::<User>(row).unwrap().tidied();
        assert_eq!((user.vacation, user.junk_filter), (None, None));
    }

    #[test]
    fn user_ids() {
        for (text, id) in [("joe", "joe"), ("Joe_2-x", "joe_2-x"), ("0", "0")] {
            assert_eq!(UserId::parse(text).unwrap().as_str(), id);
        }
        let long = "x".repeat(65);
        for bad in ["", "j.oe", "-joe", "a b", "jörg", "group:x", "anyone", "Cyrus", "ROOT", "a/b", "..", "a%", &long]
        {
            assert!(matches!(UserId::parse(bad), Err(Error::Rule { field: "uid", .. })), "{bad}");
        }
    }
}
