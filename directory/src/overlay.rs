//! Rows that are changed, or to be changed, beside a [`View`] that stays as it is: the rules see the changes. So a whole file can
//! be tried before anything is written, and many rows can be planned as one change.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use crate::address::Address;
use crate::alias::Alias;
use crate::change::Change;
use crate::credentials::Credentials;
use crate::domain::{Domain, DomainName};
use crate::error::{Error, Result};
use crate::privileges::Privileges;
use crate::query::{AliasQuery, Listing, Page, UserQuery, every};
use crate::revision::Revision;
use crate::user::{User, UserId};
use crate::view::{Counts, Named, Owner, View};

/// Rows that are other than in a view; `None`: not there.
#[derive(Debug, Default)]
pub struct Overlay {
    domains: HashMap<DomainName, Option<Arc<Domain>>>,
    users: HashMap<UserId, Option<Arc<User>>>,
    aliases: HashMap<Address, Option<Arc<Alias>>>,
    owners: HashMap<Address, Option<Owner>>,
    /// Who is in a group, or was: their rows tell.
    groups: HashMap<String, HashSet<UserId>>,
    privileges: Option<Privileges>,
}

impl Overlay {
    /// `real` with the changes.
    #[must_use]
    pub fn over<'a>(&'a self, real: &'a dyn View) -> Over<'a> {
        Over { real, changed: self }
    }

    /// Makes an address nobody's: whose it is has a change to come that gives it up.
    pub fn release(&mut self, address: Address) {
        self.owners.insert(address, None);
    }

    /// Takes changes of `real` in; the rows get `revision`. What is kept of passwords is left as it is.
    ///
    /// # Errors
    /// The view's; [`Error::Unavailable`] for a domain that gets another name.
    pub fn take(&mut self, real: &dyn View, changes: Vec<Change>, revision: Revision) -> Result<()> {
        changes.into_iter().try_for_each(|change| self.take_one(real, change, revision))
    }

    fn take_one(&mut self, real: &dyn View, change: Change, revision: Revision) -> Result<()> {
        match change {
            Change::Domain(mut row) => {
                row.revision = revision;
                self.domains.insert(row.name.clone(), Some(Arc::new(row)));
            }
            Change::DeleteDomain(name) => {
                self.domains.insert(name, None);
            }
            Change::User(mut row) => {
                row.revision = revision;
                self.release_all_of(real, &row.uid)?;
                for address in row.addresses() {
                    self.owners.insert(address.clone(), Some(Owner::User(row.uid.clone())));
                }
                for group in &row.groups {
                    self.groups.entry(group.clone()).or_default().insert(row.uid.clone());
                }
                self.users.insert(row.uid.clone(), Some(Arc::new(row)));
            }
            Change::DeleteUser(uid) => {
                self.release_all_of(real, &uid)?;
                self.users.insert(uid, None);
            }
            Change::Alias(mut row) => {
                row.revision = revision;
                self.owners.insert(row.address.clone(), Some(Owner::Alias));
                self.aliases.insert(row.address.clone(), Some(Arc::new(row)));
            }
            Change::DeleteAlias(address) => {
                self.owners.insert(address.clone(), None);
                self.aliases.insert(address, None);
            }
            Change::Credentials(..) => {}
            Change::Privileges(mut row) => {
                row.revision = revision;
                self.privileges = Some(row);
            }
            Change::RenameDomain { .. } => {
                return Err(Error::Unavailable("a domain's new name can't be tried".to_owned()));
            }
        }
        Ok(())
    }

    /// The addresses that a user has are nobody's; one that somebody else has by now stays what it is.
    fn release_all_of(&mut self, real: &dyn View, uid: &UserId) -> Result<()> {
        let Some(before) = self.over(real).user(uid)? else { return Ok(()) };
        for address in before.addresses() {
            let owner = self.over(real).owner(address.local(), address.domain())?;
            if owner.is_some_and(|owner| owner == Owner::User(uid.clone())) {
                self.owners.insert(address.clone(), None);
            }
        }
        Ok(())
    }
}

/// The rows of a view, with the changed ones in their places. All of a list is on one page, and changed rows are in it whatever
/// words it is searched for.
#[derive(Clone, Copy)]
pub struct Over<'a> {
    real: &'a dyn View,
    changed: &'a Overlay,
}

impl fmt::Debug for Over<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Over").field("changed", self.changed).finish_non_exhaustive()
    }
}

impl Over<'_> {
    /// All users of a query but for its words, in the order of their IDs.
    fn all_users(&self, query: &UserQuery) -> Result<Vec<Arc<User>>> {
        let mut rows = every(|page| self.real.users(query, page))?;
        rows.retain(|user| !self.changed.users.contains_key(&user.uid));
        let is_meant = |user: &&Arc<User>| query.domain.as_ref().is_none_or(|domain| user.mail.domain() == domain);
        rows.extend(self.changed.users.values().flatten().filter(is_meant).cloned());
        rows.sort_by(|a, b| a.uid.cmp(&b.uid));
        Ok(rows)
    }

    fn all_aliases(&self, query: &AliasQuery) -> Result<Vec<Arc<Alias>>> {
        let mut rows = every(|page| self.real.aliases(query, page))?;
        rows.retain(|alias| !self.changed.aliases.contains_key(&alias.address));
        let is_meant = |alias: &&Arc<Alias>| query.domain.as_ref().is_none_or(|name| alias.address.domain() == name);
        rows.extend(self.changed.aliases.values().flatten().filter(is_meant).cloned());
        rows.sort_by(|a, b| a.address.cmp(&b.address));
        Ok(rows)
    }
}

impl View for Over<'_> {
    fn domain(&self, name: &DomainName) -> Result<Option<Arc<Domain>>> {
        self.changed.domains.get(name).map_or_else(|| self.real.domain(name), |row| Ok(row.clone()))
    }

    fn domains(&self) -> Result<Vec<Arc<Domain>>> {
        let mut rows = self.real.domains()?;
        rows.retain(|domain| !self.changed.domains.contains_key(&domain.name));
        rows.extend(self.changed.domains.values().flatten().cloned());
        rows.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(rows)
    }

    fn counts(&self, domain: Option<&DomainName>) -> Result<Counts> {
        let mut counts = self.real.counts(domain)?;
        let is_meant = |name: &DomainName| domain.is_none_or(|domain| domain == name);
        for (uid, now) in &self.changed.users {
            let before = self.real.user(uid)?;
            counts.users += usize::from(now.as_ref().is_some_and(|user| is_meant(user.mail.domain())));
            counts.users -= usize::from(before.is_some_and(|user| is_meant(user.mail.domain())));
        }
        for (address, now) in &self.changed.aliases {
            let before = self.real.alias(address)?;
            counts.aliases += usize::from(now.is_some() && is_meant(address.domain()));
            counts.aliases -= usize::from(before.is_some() && is_meant(address.domain()));
        }
        Ok(counts)
    }

    fn user(&self, user: &UserId) -> Result<Option<Arc<User>>> {
        self.changed.users.get(user).map_or_else(|| self.real.user(user), |row| Ok(row.clone()))
    }

    fn unfinished(&self) -> Result<Vec<Arc<User>>> {
        self.real.unfinished()
    }

    fn users(&self, query: &UserQuery, _: &Page) -> Result<Listing<Arc<User>>> {
        Ok(Listing { rows: self.all_users(query)?, next: None })
    }

    fn credentials(&self, user: &UserId) -> Result<Option<Credentials>> {
        self.real.credentials(user)
    }

    fn alias(&self, address: &Address) -> Result<Option<Arc<Alias>>> {
        self.changed.aliases.get(address).map_or_else(|| self.real.alias(address), |row| Ok(row.clone()))
    }

    fn aliases(&self, query: &AliasQuery, _: &Page) -> Result<Listing<Arc<Alias>>> {
        Ok(Listing { rows: self.all_aliases(query)?, next: None })
    }

    fn aliases_naming(&self, who: Named<'_>) -> Result<Vec<Arc<Alias>>> {
        let mut rows = self.real.aliases_naming(who)?;
        rows.retain(|alias| !self.changed.aliases.contains_key(&alias.address));
        let names = |alias: &&Arc<Alias>| match who {
            Named::User(uid) => alias.owners.contains(uid) || alias.users.contains(uid),
            Named::Alias(address) => alias.aliases.contains(address),
            Named::Group(group) => alias.groups.iter().any(|known| known == group),
        };
        rows.extend(self.changed.aliases.values().flatten().filter(names).cloned());
        Ok(rows)
    }

    fn owner(&self, local: &str, domain: &DomainName) -> Result<Option<Owner>> {
        let address = Address::new(local, domain.clone())?;
        self.changed.owners.get(&address).map_or_else(|| self.real.owner(local, domain), |owner| Ok(owner.clone()))
    }

    fn group(&self, name: &str) -> Result<Vec<UserId>> {
        let mut users = self.real.group(name)?;
        users.retain(|uid| !self.changed.users.contains_key(uid));
        let is_in = |user: &Arc<User>| user.groups.iter().any(|group| group == name);
        let mut changed = self.changed.groups.get(name).into_iter().flatten().cloned().collect::<Vec<_>>();
        changed.retain(|uid| self.changed.users.get(uid).and_then(Option::as_ref).is_some_and(is_in));
        users.append(&mut changed);
        users.sort();
        Ok(users)
    }

    fn groups(&self) -> Result<Vec<(String, usize)>> {
        self.real.groups()
    }

    fn privileges(&self) -> Result<Privileges> {
        self.changed.privileges.clone().map_or_else(|| self.real.privileges(), Ok)
    }
}
