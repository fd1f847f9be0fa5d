//! All rows of the embedded directory in memory, and what is found through them: every delivery and every login asks.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;

use super::text_index::{TextIndex, Texts};
use crate::address::Address;
use crate::alias::Alias;
use crate::credentials::Credentials;
use crate::domain::{Domain, DomainName};
use crate::privileges::Privileges;
use crate::query::fold;
use crate::user::{User, UserId};
use crate::view::Owner;
use crate::{Change, Renaming};

/// All rows, and ways to them.
#[derive(Default)]
pub(super) struct Rows {
    pub(super) domains: BTreeMap<DomainName, InDomain>,
    /// Asked for every delivery and every login: a hash finds a row with a third of the memory accesses of a tree.
    pub(super) users: HashMap<UserId, Arc<User>>,
    pub(super) credentials: HashMap<UserId, Credentials>,
    /// What the salts of users who don't exist are made of.
    pub(super) scram_secret: Option<[u8; 32]>,
    pub(super) privileges: Privileges,
    /// Who is in a group.
    pub(super) groups: BTreeMap<String, BTreeSet<UserId>>,
    /// The aliases that name a user, an alias, a group.
    pub(super) naming_users: HashMap<UserId, BTreeSet<Address>>,
    pub(super) naming_aliases: HashMap<Address, BTreeSet<Address>>,
    pub(super) naming_groups: HashMap<String, BTreeSet<Address>>,
}

/// What is in a domain.
#[derive(Default)]
pub(super) struct InDomain {
    /// Missing only while rows are read: those of users may come first.
    pub(super) row: Option<Arc<Domain>>,
    /// Who has the address with this local part; hashed like [`Rows::users`].
    pub(super) addresses: HashMap<Arc<str>, Owner>,
    /// Users by the local parts of their mail addresses, for lists.
    pub(super) users_by_mail: BTreeMap<Arc<str>, UserId>,
    pub(super) aliases: BTreeMap<Box<str>, Arc<Alias>>,
    pub(super) users_by_text: TextIndex<UserId>,
    pub(super) aliases_by_text: TextIndex<Box<str>>,
}

/// Shows how many, never what: password hashes are among them, and whoever holds the directory may print it.
impl fmt::Debug for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let domains = self.domains.len();
        f.debug_struct("Rows").field("users", &self.users.len()).field("domains", &domains).finish_non_exhaustive()
    }
}

impl Rows {
    pub(super) fn alias_row(&self, address: &Address) -> Option<&Arc<Alias>> {
        self.domains.get(address.domain())?.aliases.get(address.local())
    }

    /// Takes changes in that are on disk.
    pub(super) fn apply(&mut self, changes: impl IntoIterator<Item = Change>) {
        for change in changes {
            match change {
                Change::Domain(domain) => {
                    let here = self.domains.entry(domain.name.clone()).or_default();
                    here.row = Some(Arc::new(domain));
                }
                Change::DeleteDomain(name) => {
                    self.domains.remove(&name);
                }
                Change::RenameDomain { .. } => {}
                Change::User(user) => self.put_user(user),
                Change::DeleteUser(user) => {
                    self.release_user(&user);
                    self.users.remove(&user);
                    self.credentials.remove(&user);
                }
                Change::Credentials(user, credentials) => {
                    self.credentials.insert(user, credentials);
                }
                Change::Alias(alias) => self.put_alias(alias),
                Change::DeleteAlias(address) => self.take_alias(&address),
                Change::Privileges(privileges) => self.privileges = privileges,
            }
        }
    }

    fn put_user(&mut self, user: User) {
        self.release_user(&user.uid);
        for address in user.addresses() {
            let owner = Owner::User(user.uid.clone());
            let here = self.domains.entry(address.domain().clone()).or_default();
            let local: Arc<str> = address.local().into();
            if *address == user.mail {
                here.users_by_mail.insert(Arc::clone(&local), user.uid.clone());
            }
            here.addresses.insert(local, owner);
        }
        for group in &user.groups {
            self.groups.entry(group.clone()).or_default().insert(user.uid.clone());
        }
        let here = self.domains.entry(user.mail.domain().clone()).or_default();
        let (names, more) = (names_of(&user), addresses_of(&user));
        here.users_by_text.insert(&user.uid, &Texts { names: &names, more: &more });
        self.users.insert(user.uid.clone(), Arc::new(user));
    }

    /// Takes away what leads to a user. An address that somebody else has by now, who has got it in the same change, stays his.
    fn release_user(&mut self, user: &UserId) {
        let Some(old) = self.users.get(user) else { return };
        for address in old.addresses() {
            let Some(domain) = self.domains.get_mut(address.domain()) else { continue };
            let is_own = |owner: &Owner| matches!(owner, Owner::User(uid) if uid == user);
            if domain.addresses.get(address.local()).is_some_and(is_own) {
                domain.addresses.remove(address.local());
            }
        }
        if let Some(domain) = self.domains.get_mut(old.mail.domain()) {
            if domain.users_by_mail.get(old.mail.local()) == Some(user) {
                domain.users_by_mail.remove(old.mail.local());
            }
            domain.users_by_text.remove(user);
        }
        for group in &old.groups {
            forget(&mut self.groups, group, user);
        }
    }

    fn put_alias(&mut self, alias: Alias) {
        self.take_alias(&alias.address);
        let address = &alias.address;
        for user in alias.owners.iter().chain(&alias.users) {
            self.naming_users.entry(user.clone()).or_default().insert(address.clone());
        }
        for inner in &alias.aliases {
            self.naming_aliases.entry(inner.clone()).or_default().insert(address.clone());
        }
        for group in &alias.groups {
            self.naming_groups.entry(group.clone()).or_default().insert(address.clone());
        }
        let here = self.domains.entry(address.domain().clone()).or_default();
        let key: Box<str> = address.local().into();
        here.addresses.insert(address.local().into(), Owner::Alias);
        let names = format!("{}\n{}\n", fold(address.local()), fold(&alias.description));
        here.aliases_by_text.insert(&key, &Texts { names: &names, more: "" });
        here.aliases.insert(key, Arc::new(alias));
    }

    fn take_alias(&mut self, address: &Address) {
        let Some(here) = self.domains.get_mut(address.domain()) else { return };
        let Some(old) = here.aliases.remove(address.local()) else { return };
        if here.addresses.get(address.local()) == Some(&Owner::Alias) {
            here.addresses.remove(address.local());
        }
        here.aliases_by_text.remove(&address.local().into());
        for user in old.owners.iter().chain(&old.users) {
            forget_hashed(&mut self.naming_users, user, address);
        }
        for inner in &old.aliases {
            forget_hashed(&mut self.naming_aliases, inner, address);
        }
        for group in &old.groups {
            forget_hashed(&mut self.naming_groups, group, address);
        }
    }

    /// The changes that give a domain another name: the domain first, its old row last. Complete, and none that is done
    /// already: a renaming that a crash cut short goes on from here.
    pub(super) fn renaming(&self, renaming: &Renaming<'_>) -> Vec<Change> {
        let mut changes = Vec::new();
        if let Some(old) = self.domains.get(renaming.from).and_then(|domain| domain.row.as_ref()) {
            changes.push(Change::Domain(Domain { name: renaming.to.clone(), ..Domain::clone(old) }));
        }
        let mut users: Vec<User> = self.users.values().filter_map(|user| renaming.user(user)).collect();
        users.sort_by(|a, b| a.uid.cmp(&b.uid));
        changes.extend(users.into_iter().map(Change::User));
        for alias in self.domains.values().flat_map(|domain| domain.aliases.values()) {
            let Some(renamed) = renaming.alias(alias) else { continue };
            let moves = renamed.address != alias.address;
            // The new row first: a batch may end between the two, and then there must be one.
            changes.push(Change::Alias(renamed));
            if moves {
                changes.push(Change::DeleteAlias(alias.address.clone()));
            }
        }
        changes.extend(renaming.privileges(&self.privileges).map(Change::Privileges));
        changes.push(Change::DeleteDomain(renaming.from.clone()));
        changes
    }
}

/// What searches for names look at.
fn names_of(user: &User) -> String {
    let names = [user.uid.as_str(), &user.given_name, &user.surname, &user.display_name];
    names.iter().flat_map(|name| [fold(name), "\n".to_owned()]).collect()
}

/// What searches for addresses look at too.
fn addresses_of(user: &User) -> String {
    user.addresses().flat_map(|address| [fold(&address.to_string()), "\n".to_owned()]).collect()
}

fn forget<K: Ord, V: Ord>(index: &mut BTreeMap<K, BTreeSet<V>>, key: &K, value: &V) {
    if let Some(values) = index.get_mut(key) {
        values.remove(value);
        if values.is_empty() {
            index.remove(key);
        }
    }
}

fn forget_hashed<K: std::hash::Hash + Eq, V: Ord>(index: &mut HashMap<K, BTreeSet<V>>, key: &K, value: &V) {
    if let Some(values) = index.get_mut(key) {
        values.remove(value);
        if values.is_empty() {
            index.remove(key);
        }
    }
}
