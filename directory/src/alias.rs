//! Aliases: addresses that stand for others.

use serde::{Deserialize, Serialize};

use crate::address::Address;
use crate::user::UserId;

/// The local part that every domain has (RFC 5321, 4.5.1).
pub const POSTMASTER: &str = "postmaster";

/// An alias.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Alias {
    /// Its address; can't be changed.
    pub address: Address,
    /// For people.
    #[serde(default)]
    pub description: String,
    /// Users who may change it; at least one.
    pub owners: Vec<UserId>,
    /// Users whom it reaches. By user ID, so that a change of address follows by itself.
    #[serde(default)]
    pub users: Vec<UserId>,
    /// Other aliases that it reaches.
    #[serde(default)]
    pub aliases: Vec<Address>,
    /// Addresses elsewhere that it reaches.
    #[serde(default)]
    pub remote: Vec<String>,
    /// Whether users may add and remove themselves.
    #[serde(default = "open")]
    pub joinable: bool,
}

impl Alias {
    /// Whether nobody is left whom it could reach, or who could change it.
    pub(crate) fn is_orphaned(&self) -> bool {
        self.owners.is_empty() || (self.users.is_empty() && self.aliases.is_empty() && self.remote.is_empty())
    }

    pub(crate) fn is_postmaster(&self) -> bool {
        self.address.local() == POSTMASTER
    }
}

fn open() -> bool {
    true
}
