//! Rows of a file: what is said of a domain, a user, an alias, the global record. What is not said stays as it is.

use directory::{
    Address, Alias, Credentials, DomainName, JunkException, Privilege, Privileges, RemoteAddress, User, UserId,
    UserState,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::apply::differences::replace;
use crate::user_fields::UserFields;

/// All rows of a file.
#[derive(Debug, Default)]
pub(super) struct Rows {
    pub(super) privileges: Option<PrivilegesRow>,
    pub(super) domains: Vec<DomainRow>,
    pub(super) users: Vec<UserRow>,
    pub(super) aliases: Vec<AliasRow>,
}

#[derive(Debug)]
pub(super) struct DomainRow {
    pub(super) line: usize,
    pub(super) name: DomainName,
    pub(super) description: Option<String>,
    pub(super) primary: bool,
}

#[derive(Debug)]
pub(super) struct UserRow {
    pub(super) line: usize,
    pub(super) uid: UserId,
    pub(super) said: UserFields,
    pub(super) disabled: Option<bool>,
    /// Fields of a newer version.
    pub(super) other: Option<Map<String, Value>>,
    pub(super) credentials: Option<Credentials>,
}

#[derive(Debug)]
pub(super) struct AliasRow {
    pub(super) line: usize,
    pub(super) address: Address,
    pub(super) description: Option<String>,
    pub(super) owners: Option<Vec<UserId>>,
    pub(super) users: Option<Vec<UserId>>,
    pub(super) aliases: Option<Vec<Address>>,
    pub(super) remote: Option<Vec<RemoteAddress>>,
    pub(super) groups: Option<Vec<String>>,
    /// The inner `None` is none.
    pub(super) file: Option<Option<String>>,
    pub(super) program: Option<Option<String>>,
    pub(super) joinable: Option<bool>,
    pub(super) other: Option<Map<String, Value>>,
}

#[derive(Debug)]
pub(super) struct PrivilegesRow {
    pub(super) line: usize,
    pub(super) default_quota_mib: Option<Option<u64>>,
    pub(super) default_folders: Option<Vec<String>>,
    pub(super) switches: Vec<(Privilege, bool)>,
    pub(super) junk_exceptions: Option<Vec<JunkException>>,
    pub(super) other: Option<Map<String, Value>>,
}

/// What the fields of switches are called in rows.
pub(super) const SWITCHES: [(&str, Privilege); 8] = [
    ("allow_profile_edit", Privilege::ProfileEdit),
    ("allow_password_change", Privilege::PasswordChange),
    ("allow_forwarding", Privilege::Forwarding),
    ("allow_vacation", Privilege::Vacation),
    ("allow_junk_filter", Privilege::JunkFilter),
    ("allow_alias_create", Privilege::AliasCreate),
    ("allow_alias_join", Privilege::AliasJoin),
    ("allow_user_search", Privilege::UserSearch),
];

impl UserRow {
    /// What the row makes of a user.
    pub(super) fn over(&self, mut user: User) -> User {
        self.said.put_into(&mut user);
        match (self.disabled, user.state) {
            (Some(true), _) => user.state = UserState::Disabled,
            (Some(false), _) | (None, UserState::Pending) => user.state = UserState::Active,
            (None, _) => {}
        }
        with_other(user, self.other.as_ref())
    }

    /// The addresses that the row names.
    pub(super) fn addresses(&self) -> impl Iterator<Item = &Address> {
        self.said.mail.iter().chain(self.said.alternates.iter().flatten())
    }
}

impl AliasRow {
    /// What the row makes of an alias.
    pub(super) fn over(&self, mut alias: Alias) -> Alias {
        set(&mut alias.description, &self.description);
        if let Some(owners) = &self.owners {
            replace(&mut alias.owners, owners);
        }
        if let Some(users) = &self.users {
            replace(&mut alias.users, users);
        }
        if let Some(aliases) = &self.aliases {
            replace(&mut alias.aliases, aliases);
        }
        if let Some(remote) = &self.remote {
            replace(&mut alias.remote, remote);
        }
        if let Some(groups) = &self.groups {
            replace(&mut alias.groups, groups);
        }
        set(&mut alias.file, &self.file);
        set(&mut alias.program, &self.program);
        set(&mut alias.joinable, &self.joinable);
        with_other(alias, self.other.as_ref())
    }
}

impl PrivilegesRow {
    /// What the row makes of the global record.
    pub(super) fn over(&self, mut privileges: Privileges) -> Privileges {
        set(&mut privileges.default_quota_mib, &self.default_quota_mib);
        set(&mut privileges.default_folders, &self.default_folders);
        for (privilege, allowed) in &self.switches {
            privileges.set(*privilege, *allowed);
        }
        if let Some(exceptions) = &self.junk_exceptions {
            replace(&mut privileges.junk_exceptions, exceptions);
        }
        with_other(privileges, self.other.as_ref())
    }
}

fn set<T: Clone>(field: &mut T, given: &Option<T>) {
    if let Some(value) = given {
        field.clone_from(value);
    }
}

/// The row with fields of a newer version. What is known is not taken from there.
fn with_other<T: Serialize + DeserializeOwned>(row: T, other: Option<&Map<String, Value>>) -> T {
    let Some(other) = other.filter(|other| !other.is_empty()) else { return row };
    let Ok(Value::Object(mut fields)) = serde_json::to_value(&row) else { return row };
    for (name, value) in other {
        fields.entry(name.clone()).or_insert_with(|| value.clone());
    }
    serde_json::from_value(Value::Object(fields)).unwrap_or(row)
}
