//! Aliases: addresses that stand for others.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::address::Address;
use crate::remote::RemoteAddress;
use crate::revision::Revision;
use crate::user::UserId;

/// The local part that every domain has (RFC 5321, 4.5.1).
pub const POSTMASTER: &str = "postmaster";

/// Most owners and most members of each kind: a row stays a line that can be read.
pub const MAX_MEMBERS: usize = 10_000;

/// An alias.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Alias {
    /// Its address; can't be changed.
    pub address: Address,
    /// For people.
    #[serde(default)]
    pub description: String,
    /// Users who may change it; at least one. They get its mail only if they are members too.
    pub owners: Vec<UserId>,
    /// Users whom it reaches. By user ID, so that a change of address follows by itself.
    #[serde(default)]
    pub users: Vec<UserId>,
    /// Other aliases that it reaches.
    #[serde(default)]
    pub aliases: Vec<Address>,
    /// Addresses elsewhere that it reaches.
    #[serde(default)]
    pub remote: Vec<RemoteAddress>,
    /// Groups whose users it reaches.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// A file that its mail is appended to: an absolute path, for the MTA.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// A program that its mail is piped into: a command with an absolute path, for the MTA.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<String>,
    /// Whether users may add and remove themselves.
    #[serde(default = "open")]
    pub joinable: bool,
    /// Which state of the row this is.
    #[serde(default, skip_serializing_if = "Revision::is_none")]
    pub revision: Revision,
    /// Fields of a newer version, kept as they are.
    #[serde(flatten)]
    pub(crate) unknown: BTreeMap<String, serde_json::Value>,
}

/// Whom an alias reaches.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Member {
    /// A user of this server.
    User(UserId),
    /// Another alias of this server.
    Alias(Address),
    /// An address elsewhere.
    Remote(RemoteAddress),
    /// The users of a group.
    Group(String),
}

impl Alias {
    /// An open alias to be made, without owners and members.
    #[must_use]
    pub fn new(address: Address) -> Alias {
        Alias {
            address,
            description: String::new(),
            owners: Vec::new(),
            users: Vec::new(),
            aliases: Vec::new(),
            remote: Vec::new(),
            groups: Vec::new(),
            file: None,
            program: None,
            joinable: true,
            revision: Revision::NONE,
            unknown: BTreeMap::new(),
        }
    }

    /// Everybody whom it names: users, aliases, groups, addresses elsewhere, each kind in its order.
    pub fn members(&self) -> impl Iterator<Item = Member> + '_ {
        let users = self.users.iter().cloned().map(Member::User);
        let aliases = self.aliases.iter().cloned().map(Member::Alias);
        let groups = self.groups.iter().cloned().map(Member::Group);
        users.chain(aliases).chain(groups).chain(self.remote.iter().cloned().map(Member::Remote))
    }

    /// Adds a member; `false` if it was one.
    pub fn add(&mut self, member: Member) -> bool {
        fn push<T: PartialEq>(list: &mut Vec<T>, item: T) -> bool {
            let is_new = !list.contains(&item);
            if is_new {
                list.push(item);
            }
            is_new
        }
        match member {
            Member::User(user) => push(&mut self.users, user),
            Member::Alias(alias) => push(&mut self.aliases, alias),
            Member::Remote(address) => push(&mut self.remote, address),
            Member::Group(group) => push(&mut self.groups, group),
        }
    }

    /// Takes a member out; `false` if it was none.
    pub fn remove(&mut self, member: &Member) -> bool {
        fn take<T: PartialEq>(list: &mut Vec<T>, item: &T) -> bool {
            let before = list.len();
            list.retain(|known| known != item);
            list.len() < before
        }
        match member {
            Member::User(user) => take(&mut self.users, user),
            Member::Alias(alias) => take(&mut self.aliases, alias),
            Member::Remote(address) => take(&mut self.remote, address),
            Member::Group(group) => take(&mut self.groups, group),
        }
    }

    /// Whether it names no member at all. A file or a program is none (ALI-20).
    #[must_use]
    pub fn has_no_members(&self) -> bool {
        self.users.is_empty() && self.aliases.is_empty() && self.remote.is_empty() && self.groups.is_empty()
    }

    /// What an administrator might want to think of; nothing is wrong with the alias.
    #[must_use]
    pub fn hints(&self) -> Vec<&'static str> {
        let hints = [
            (
                self.owners.len() == 1,
                "an alias that matters has two owners, one of them admin: it vanishes with its last",
            ),
            (self.file.is_some(), "the file grows without end: have somebody look after it"),
            (self.program.is_some(), "the program runs for every message, with text that strangers have written"),
        ];
        hints.into_iter().filter_map(|(applies, hint)| applies.then_some(hint)).collect()
    }

    /// Whether nobody is left whom it could reach, or who could change it.
    pub(crate) fn is_orphaned(&self) -> bool {
        self.owners.is_empty() || self.has_no_members()
    }

    /// Whether it is the one that its domain can't do without.
    #[must_use]
    pub fn is_postmaster(&self) -> bool {
        self.address.local() == POSTMASTER
    }
}

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Member::User(user) => write!(f, "{user}"),
            Member::Alias(address) => write!(f, "{address}"),
            Member::Remote(address) => write!(f, "{address}"),
            Member::Group(group) => write!(f, "{GROUP_PREFIX}{group}"),
        }
    }
}

/// What a group is written with, as in access lists.
pub(crate) const GROUP_PREFIX: &str = "group:";

fn open() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    /// [ALI-10] [ALI-21]
    #[test]
    fn hints_say_what_to_think_of() {
        let mut alias = Alias::new(Address::parse("all@example.org").unwrap());
        alias.owners = vec![UserId::admin()];
        assert!(matches!(&alias.hints()[..], [one] if one.contains("two owners")));
        alias.owners.push(UserId::parse("joe").unwrap());
        (alias.file, alias.program) = (Some("/var/log/mail".into()), Some("/bin/filter".into()));
        assert!(matches!(&alias.hints()[..], [file, program] if file.contains("grows") && program.contains("runs")));
    }

    #[test]
    fn members_of_every_kind() {
        let mut alias = Alias::new(Address::parse("all@example.org").unwrap());
        assert!(alias.has_no_members());
        let members = [
            Member::User(UserId::parse("joe").unwrap()),
            Member::Alias(Address::parse("b@example.org").unwrap()),
            Member::Group("staff".into()),
            Member::Remote(RemoteAddress::parse("X@else.example").unwrap()),
        ];
        for member in &members {
            assert!(alias.add(member.clone()) && !alias.add(member.clone()));
        }
        assert_eq!(alias.members().collect::<Vec<_>>(), members);
        let texts: Vec<_> = members.iter().map(ToString::to_string).collect();
        assert_eq!(texts, ["joe", "b@example.org", "group:staff", "X@else.example"]);
        for member in &members {
            assert!(!alias.has_no_members() && alias.remove(member) && !alias.remove(member));
        }
        assert!(alias.has_no_members());
    }
}
