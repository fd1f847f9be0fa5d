//! A look at the entries. What one look has seen stays the same for it; the server may change what it has not asked for yet,
//! but nobody writes except through [`change`](directory::Directory::change), one at a time.

mod listing;
pub(crate) mod names;

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use directory::{
    Address, Alias, AliasQuery, Counts, Credentials, Domain, DomainName, Error, Listing, Named, Owner, Page,
    Privileges, Result, User, UserId, UserQuery, View,
};
use ldap3::Scope;

use crate::cache::{Cache, Key, Value};
use crate::filter::Filter;
use crate::link::{Entry, Links, Search, Trouble, code};
use crate::meter::{Meter, add};
use crate::rows;
use crate::schema::{self, Places, class};

/// Entries that are asked for at a time by their names.
const AT_A_TIME: usize = 100;

/// Where to ask.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    pub(crate) links: &'a Links,
    pub(crate) cache: &'a Cache,
    pub(crate) places: &'a Places,
    pub(crate) meter: &'a Meter,
    /// A domain that is being renamed: some addresses have the new name already, and mail to both finds its way.
    pub(crate) moving: Option<&'a (DomainName, DomainName)>,
}

/// A look.
pub(crate) struct Look<'a> {
    source: Source<'a>,
    /// Whether what the server said a moment ago is good enough.
    is_cached: bool,
    seen: RefCell<HashMap<Key, Option<Value>>>,
}

impl<'a> Look<'a> {
    /// For whoever looks something up.
    pub(crate) fn cached(source: Source<'a>) -> Look<'a> {
        Look { source, is_cached: true, seen: RefCell::default() }
    }

    /// For whoever is about to change something, or to let somebody in: what the server says now.
    pub(crate) fn now(source: Source<'a>) -> Look<'a> {
        Look { source, is_cached: false, seen: RefCell::default() }
    }

    /// The answer to a question, from wherever it may come.
    fn answer(&self, key: Key, ask: impl FnOnce() -> Result<Option<Value>>) -> Result<Option<Value>> {
        if let Some(seen) = self.seen.borrow().get(&key) {
            return Ok(seen.clone());
        }
        let cache = self.source.cache;
        if self.is_cached
            && let Some(value) = cache.fresh(&key)
        {
            add(&self.source.meter.remembered);
            self.seen.borrow_mut().insert(key, Some(value.clone()));
            return Ok(Some(value));
        }
        let generation = cache.generation();
        add(&self.source.meter.asked);
        let answer = match ask() {
            Ok(answer) => answer,
            Err(Error::Unavailable(why)) if self.is_cached => {
                let answer = cache.stale(&key).ok_or(Error::Unavailable(why))?;
                add(&self.source.meter.bridged);
                Some(answer)
            }
            Err(error) => return Err(error),
        };
        if let Some(value) = &answer {
            cache.put(generation, key.clone(), value.clone());
        }
        self.seen.borrow_mut().insert(key, answer.clone());
        Ok(answer)
    }

    /// A user with what is kept of the passwords.
    pub(crate) fn person(&self, user: &UserId) -> Result<Option<(Arc<User>, Option<Credentials>)>> {
        let answer = self.answer(Key::User(user.clone()), || {
            let Some(entry) = self.user_entry(user)? else { return Ok(None) };
            let (row, kept) = (rows::user_from(&entry)?, rows::credentials_from(&entry)?);
            Ok(Some(Value::User(Arc::new(row), kept)))
        })?;
        Ok(match answer {
            Some(Value::User(row, kept)) => Some((row, kept)),
            _ => None,
        })
    }

    /// The entry of a user.
    pub(crate) fn user_entry(&self, user: &UserId) -> Result<Option<Entry>> {
        let filter = Filter::Is(schema::UID, user.to_string());
        let found = self.list(&self.source.places.people, class::USER, Some(filter), Some(schema::USER))?;
        only(found, &|entry| entry.one(schema::UID) == Some(user.as_str()))
    }

    /// The entry of an alias.
    pub(crate) fn alias_entry(&self, address: &Address) -> Result<Option<Entry>> {
        let text = address.to_string();
        let filter = Filter::Is(schema::mail_attribute(&text), text);
        let found = self.list(&self.source.places.aliases, class::ALIAS, Some(filter), None)?;
        only(found, &|entry| rows::address_from(entry).is_ok_and(|found| found == *address))
    }

    /// The entry of a domain.
    pub(crate) fn domain_entry(&self, name: &DomainName) -> Result<Option<Entry>> {
        let filter = Filter::Is(schema::CN, name.to_string());
        let found = self.list(&self.source.places.domains, class::DOMAIN, Some(filter), None)?;
        only(found, &|entry| entry.one(schema::CN) == Some(name.as_str()))
    }

    /// Entries directly below another. That one must be there: a directory that has lost its users knows nobody, and says
    /// so.
    fn list(
        &self,
        base: &str,
        class: &str,
        filter: Option<Filter>,
        attributes: Option<&'static [&'static str]>,
    ) -> Result<Vec<Entry>> {
        Ok(self.source.links.find(&search(base, class, filter, attributes))?)
    }

    /// Aliases of entries, sorted by address.
    pub(crate) fn alias_rows(&self, entries: &[Entry]) -> Result<Vec<Arc<Alias>>> {
        let places = self.source.places;
        let mut keys: Vec<String> = entries.iter().flat_map(|entry| rows::member_keys(entry, places)).collect();
        keys.sort_unstable();
        keys.dedup();
        let mut names = HashMap::new();
        for keys in keys.chunks(AT_A_TIME) {
            let any = Filter::Or(keys.iter().map(|key| Filter::Is(schema::KEY, key.clone())).collect());
            for entry in self.list(&places.aliases, class::ALIAS, Some(any), Some(schema::ALIAS_NAME))? {
                if let Some(key) = entry.one(schema::KEY) {
                    names.insert(key.to_owned(), rows::address_from(&entry)?);
                }
            }
        }
        let aliases = entries.iter().map(|entry| rows::alias_from(entry, &names, places).map(Arc::new));
        let mut aliases = aliases.collect::<Result<Vec<_>>>()?;
        aliases.sort_by(|a, b| a.address.cmp(&b.address));
        Ok(aliases)
    }

    fn owner_at(&self, local: &str, domain: &DomainName) -> Result<Option<Owner>> {
        let address = format!("{local}@{domain}");
        let answer = self.answer(Key::Owner(address.clone()), || {
            let mail = Filter::Is(schema::mail_attribute(&address), address.clone());
            let any = Filter::Or(vec![mail, Filter::Is(schema::ALTERNATE, address.clone())]);
            let places = self.source.places;
            for entry in self.list(&places.people, class::USER, Some(any.clone()), Some(schema::USER_NAME))? {
                let is_mail = rows::address_from(&entry).is_ok_and(|mail| mail.to_string() == address);
                if is_mail || entry.all(schema::ALTERNATE).contains(&address.as_str()) {
                    return Ok(Some(Value::Owner(Owner::User(uid_of(&entry)?))));
                }
            }
            let aliases = self.list(&places.aliases, class::ALIAS, Some(any), Some(schema::ALIAS_NAME))?;
            let is_it = |entry: &Entry| rows::address_from(entry).is_ok_and(|found| found.to_string() == address);
            Ok(aliases.iter().any(is_it).then_some(Value::Owner(Owner::Alias)))
        })?;
        Ok(match answer {
            Some(Value::Owner(owner)) => Some(owner),
            _ => None,
        })
    }

    /// Where an address may be while its domain is being renamed.
    fn moved(&self, domain: &DomainName) -> Option<&DomainName> {
        let (from, to) = self.source.moving?;
        match domain {
            _ if domain == from => Some(to),
            _ if domain == to => Some(from),
            _ => None,
        }
    }

    fn alias_at(&self, address: &Address) -> Result<Option<Arc<Alias>>> {
        let answer = self.answer(Key::Alias(address.clone()), || {
            let Some(entry) = self.alias_entry(address)? else { return Ok(None) };
            Ok(self.alias_rows(&[entry])?.pop().map(Value::Alias))
        })?;
        Ok(match answer {
            Some(Value::Alias(alias)) => Some(alias),
            _ => None,
        })
    }
}

impl View for Look<'_> {
    fn domain(&self, name: &DomainName) -> Result<Option<Arc<Domain>>> {
        Ok(self.domains()?.into_iter().find(|domain| domain.name == *name))
    }

    fn domains(&self) -> Result<Vec<Arc<Domain>>> {
        let answer = self.answer(Key::Domains, || {
            let mut domains = Vec::new();
            self.source.links.each(&search(&self.source.places.domains, class::DOMAIN, None, None), &mut |entry| {
                domains.push(Arc::new(rows::domain_from(&entry)?));
                Ok(())
            })?;
            domains.sort_by(|a, b| a.name.cmp(&b.name));
            // Before the first start has made one there are none; that is not worth remembering.
            Ok(Some(Value::Domains(domains)))
        })?;
        Ok(match answer {
            Some(Value::Domains(domains)) => domains,
            _ => Vec::new(),
        })
    }

    fn counts(&self, domain: Option<&DomainName>) -> Result<Counts> {
        let count = |base: &str, class: &str| {
            let mut count = 0;
            let filter = domain.map(listing::in_domain);
            self.source.links.each(&search(base, class, filter, Some(&["1.1"])), &mut |_| {
                count += 1;
                Ok(())
            })?;
            Ok::<_, Error>(count)
        };
        let places = self.source.places;
        Ok(Counts { users: count(&places.people, class::USER)?, aliases: count(&places.aliases, class::ALIAS)? })
    }

    fn user(&self, user: &UserId) -> Result<Option<Arc<User>>> {
        Ok(self.person(user)?.map(|(row, _)| row))
    }

    fn unfinished(&self) -> Result<Vec<Arc<User>>> {
        let states = ["pending", "deleting"].map(|state| Filter::Is(schema::STATE, state.to_owned()));
        let between = Some(Filter::Or(states.to_vec()));
        let mut users = Vec::new();
        let search = search(&self.source.places.people, class::USER, between, Some(schema::USER));
        self.source.links.each(&search, &mut |entry| {
            users.push(Arc::new(rows::user_from(&entry)?));
            Ok(())
        })?;
        users.sort_by(|a, b| a.uid.cmp(&b.uid));
        Ok(users)
    }

    fn users(&self, query: &UserQuery, page: &Page) -> Result<Listing<Arc<User>>> {
        self.page_of_users(query, page)
    }

    fn credentials(&self, user: &UserId) -> Result<Option<Credentials>> {
        Ok(self.person(user)?.and_then(|(_, kept)| kept))
    }

    fn alias(&self, address: &Address) -> Result<Option<Arc<Alias>>> {
        if let Some(alias) = self.alias_at(address)? {
            return Ok(Some(alias));
        }
        self.moved(address.domain()).map_or(Ok(None), |other| self.alias_at(&address.at(other.clone())))
    }

    fn aliases(&self, query: &AliasQuery, page: &Page) -> Result<Listing<Arc<Alias>>> {
        self.page_of_aliases(query, page)
    }

    fn aliases_naming(&self, who: Named<'_>) -> Result<Vec<Arc<Alias>>> {
        let places = self.source.places;
        let filter = match who {
            Named::User(user) => {
                let dn = places.user(user.as_str());
                Filter::Or(vec![Filter::Is(schema::MEMBER, dn.clone()), Filter::Is(schema::OWNER, dn)])
            }
            Named::Alias(address) => match self.alias_entry(address)? {
                Some(entry) => Filter::Is(schema::MEMBER, entry.dn),
                None => return Ok(Vec::new()),
            },
            Named::Group(group) => Filter::Is(schema::MEMBER_GROUP, group.to_owned()),
        };
        let mut entries = Vec::new();
        self.source.links.each(&search(&places.aliases, class::ALIAS, Some(filter), None), &mut |entry| {
            entries.push(entry);
            Ok(())
        })?;
        self.alias_rows(&entries)
    }

    fn owner(&self, local: &str, domain: &DomainName) -> Result<Option<Owner>> {
        if let Some(owner) = self.owner_at(local, domain)? {
            return Ok(Some(owner));
        }
        self.moved(domain).map_or(Ok(None), |other| self.owner_at(local, other))
    }

    fn group(&self, name: &str) -> Result<Vec<UserId>> {
        let answer = self.answer(Key::Group(name.to_owned()), || {
            let filter = Filter::Is(schema::GROUP, name.to_owned());
            let mut users = Vec::new();
            let in_group = search(&self.source.places.people, class::USER, Some(filter), Some(schema::GROUPS));
            self.source.links.each(&in_group, &mut |entry| {
                if entry.all(schema::GROUP).contains(&name) {
                    users.push(uid_of(&entry)?);
                }
                Ok(())
            })?;
            users.sort();
            Ok((!users.is_empty()).then_some(Value::Group(users)))
        })?;
        Ok(match answer {
            Some(Value::Group(users)) => users,
            _ => Vec::new(),
        })
    }

    fn groups(&self) -> Result<Vec<(String, usize)>> {
        let mut groups = BTreeMap::<String, usize>::new();
        let any = Some(Filter::Present(schema::GROUP));
        let search = search(&self.source.places.people, class::USER, any, Some(schema::GROUPS));
        self.source.links.each(&search, &mut |entry| {
            entry.all(schema::GROUP).into_iter().for_each(|group| *groups.entry(group.to_owned()).or_default() += 1);
            Ok(())
        })?;
        Ok(groups.into_iter().collect())
    }

    fn privileges(&self) -> Result<Privileges> {
        let answer = self.answer(Key::Privileges, || {
            let search = Search {
                base: self.source.places.privileges.clone(),
                scope: Scope::Base,
                filter: Filter::class(class::RECORD, None),
                attributes: None,
            };
            match self.source.links.find(&search) {
                Ok(found) => found.first().map(|entry| rows::privileges_from(entry).map(Value::Privileges)).transpose(),
                Err(Trouble::Refused { code: code::NO_SUCH_OBJECT, .. }) => Ok(None),
                Err(trouble) => Err(trouble.into()),
            }
        })?;
        Ok(match answer {
            Some(Value::Privileges(privileges)) => privileges,
            _ => Privileges::default(),
        })
    }
}

/// Entries of a class directly below another.
pub(crate) fn search(
    base: &str,
    class: &str,
    filter: Option<Filter>,
    attributes: Option<&'static [&'static str]>,
) -> Search {
    Search { base: base.to_owned(), scope: Scope::OneLevel, filter: Filter::class(class, filter), attributes }
}

/// Whose an entry is.
pub(crate) fn uid_of(entry: &Entry) -> Result<UserId> {
    UserId::parse(entry.one(schema::UID).unwrap_or_default()).map_err(|error| rows::corrupt(&entry.dn, &error))
}

/// The one entry that is meant: a server may take for equal what is not (RFC 4518), and two of them are nobody's.
fn only(found: Vec<Entry>, is_it: &dyn Fn(&Entry) -> bool) -> Result<Option<Entry>> {
    let mut found = found.into_iter().filter(is_it);
    match (found.next(), found.next()) {
        (Some(first), Some(second)) => Err(rows::corrupt(&first.dn, &format_args!("{} is the same", second.dn))),
        (first, _) => Ok(first),
    }
}
