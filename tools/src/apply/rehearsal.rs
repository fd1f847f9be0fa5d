//! A directory that is tried out: what is changed in it is kept beside the real one, which stays as it is. The rules see the
//! changes, so that a whole file can be tried before anything is written.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use directory::{
    Account, Actor, Address, Alias, AliasQuery, Change, Counts, Credentials, Directory, Domain, DomainName, Error,
    HashCost, Listing, MAX_PAGE, Named, Origin, Owner, Page, Passwords, Plan, Privileges, Resolution, Result, Revision,
    ScramCost, Secret, Surroundings, User, UserId, UserQuery, Verdict, View,
};
use parking_lot::Mutex;

/// What a password costs that nobody will use: the least there is.
const COST: HashCost = HashCost { memory_kib: 8, passes: 1 };

/// Where the revisions of rows begin that are only tried.
const FIRST_REVISION: u64 = 1 << 63;

/// The copy.
#[derive(Debug)]
pub(crate) struct Rehearsal<'d> {
    real: &'d dyn Directory,
    changed: Mutex<Changed>,
    passwords: Passwords,
}

/// Rows that are other than in the real directory; `None`: not there.
#[derive(Debug, Default)]
struct Changed {
    domains: HashMap<DomainName, Option<Arc<Domain>>>,
    users: HashMap<UserId, Option<Arc<User>>>,
    aliases: HashMap<Address, Option<Arc<Alias>>>,
    owners: HashMap<Address, Option<Owner>>,
    /// Who is in a group, or was: their rows tell.
    groups: HashMap<String, HashSet<UserId>>,
    privileges: Option<Privileges>,
    changes: u64,
}

impl<'d> Rehearsal<'d> {
    pub(crate) fn new(real: &'d dyn Directory) -> Result<Self> {
        let passwords = Passwords::new(COST, ScramCost::default())?;
        Ok(Self { real, changed: Mutex::default(), passwords })
    }
}

impl Directory for Rehearsal<'_> {
    fn authenticate(&self, _: &str, _: &Secret, _: &Origin<'_>) -> Result<Verdict> {
        Err(no_directory())
    }

    fn account(&self, _: &UserId) -> Result<Option<Account>> {
        Err(no_directory())
    }

    fn resolve(&self, _: &str, _: Option<&str>) -> Result<Resolution> {
        Err(no_directory())
    }

    fn read(&self, look: &mut dyn FnMut(&dyn View) -> Result<()>) -> Result<()> {
        let changed = self.changed.lock();
        self.real.read(&mut |real| look(&Both { real, changed: &changed }))
    }

    fn change(&self, _: &Actor, plan: &mut dyn FnMut(&dyn View) -> Result<Plan>) -> Result<Revision> {
        let mut changed = self.changed.lock();
        let revision = Revision(FIRST_REVISION + changed.changes);
        let mut planned = Plan::default();
        let mut before = Vec::new();
        self.real.read(&mut |real| {
            let view = Both { real, changed: &changed };
            planned = plan(&view)?;
            // Whose addresses change with it.
            for change in &planned.changes {
                match change {
                    Change::User(user) => before.extend(view.user(&user.uid)?),
                    Change::DeleteUser(uid) => before.extend(view.user(uid)?),
                    _ => {}
                }
            }
            Ok(())
        })?;
        changed.changes += 1;
        for address in before.iter().flat_map(|user| user.addresses()) {
            changed.owners.insert(address.clone(), None);
        }
        planned.changes.into_iter().try_for_each(|change| changed.take(change, revision))?;
        Ok(revision)
    }

    fn passwords(&self) -> &Passwords {
        &self.passwords
    }

    fn surroundings(&self) -> &Surroundings {
        self.real.surroundings()
    }

    fn close(&self) -> Result<()> {
        Ok(())
    }
}

fn no_directory() -> Error {
    Error::Unavailable("this is a rehearsal".to_owned())
}

impl Changed {
    fn take(&mut self, change: Change, revision: Revision) -> Result<()> {
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
                for address in row.addresses() {
                    self.owners.insert(address.clone(), Some(Owner::User(row.uid.clone())));
                }
                for group in &row.groups {
                    self.groups.entry(group.clone()).or_default().insert(row.uid.clone());
                }
                self.users.insert(row.uid.clone(), Some(Arc::new(row)));
            }
            Change::DeleteUser(uid) => {
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
            // Nothing here asks for passwords.
            Change::Credentials(..) => {}
            Change::Privileges(mut row) => {
                row.revision = revision;
                self.privileges = Some(row);
            }
            Change::RenameDomain { .. } => return Err(no_directory()),
        }
        Ok(())
    }
}

/// The real rows with the changed ones in their places.
struct Both<'a> {
    real: &'a dyn View,
    changed: &'a Changed,
}

impl Both<'_> {
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

/// All rows, page by page.
pub(crate) fn every<T>(mut page_of: impl FnMut(&Page) -> Result<Listing<T>>) -> Result<Vec<T>> {
    let (mut rows, mut page) = (Vec::new(), Page::first(MAX_PAGE));
    loop {
        let listing = page_of(&page)?;
        rows.extend(listing.rows);
        let Some(next) = listing.next else { return Ok(rows) };
        page = page.next(next);
    }
}

impl View for Both<'_> {
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

    /// All on one page: who tries a file out reads all of it.
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
