//! The look at rows in memory that rules get.

use std::ops::Bound;
use std::sync::Arc;

use super::rows::{InDomain, Rows};
use super::text_index::Search;
use crate::address::Address;
use crate::alias::Alias;
use crate::credentials::Credentials;
use crate::domain::{Domain, DomainName};
use crate::error::{Error, Result};
use crate::privileges::Privileges;
use crate::query::{AliasQuery, Listing, Page, UserOrder, UserQuery, fold};
use crate::user::{User, UserId, UserState};
use crate::view::{Counts, Named, Owner, View};

/// Matches of a search that are sorted by address after all have been found; beyond that the users are gone through in the
/// order of their addresses, where the next match is never far.
const SORTED: usize = 20_000;

impl View for Rows {
    fn domain(&self, name: &DomainName) -> Result<Option<Arc<Domain>>> {
        Ok(self.domains.get(name).and_then(|domain| domain.row.clone()))
    }

    fn domains(&self) -> Result<Vec<Arc<Domain>>> {
        Ok(self.domains.values().filter_map(|domain| domain.row.clone()).collect())
    }

    fn counts(&self, domain: Option<&DomainName>) -> Result<Counts> {
        let count = |domain: &InDomain| Counts { users: domain.users_by_text.len(), aliases: domain.aliases.len() };
        Ok(match domain {
            Some(name) => self.domains.get(name).map(count).unwrap_or_default(),
            None => Counts {
                users: self.users.len(),
                aliases: self.domains.values().map(|domain| domain.aliases.len()).sum(),
            },
        })
    }

    fn user(&self, user: &UserId) -> Result<Option<Arc<User>>> {
        Ok(self.users.get(user).cloned())
    }

    fn unfinished(&self) -> Result<Vec<Arc<User>>> {
        let is_between = |user: &&Arc<User>| matches!(user.state, UserState::Pending | UserState::Deleting);
        let mut users: Vec<_> = self.users.values().filter(is_between).cloned().collect();
        users.sort_by(|a, b| a.uid.cmp(&b.uid));
        Ok(users)
    }

    fn users(&self, query: &UserQuery, page: &Page) -> Result<Listing<Arc<User>>> {
        match query.order {
            UserOrder::UserId => self.users_by_id(query, page),
            UserOrder::Mail => self.users_by_mail(query, page),
        }
    }

    fn credentials(&self, user: &UserId) -> Result<Option<Credentials>> {
        Ok(self.credentials.get(user).cloned())
    }

    fn alias(&self, address: &Address) -> Result<Option<Arc<Alias>>> {
        Ok(self.alias_row(address).cloned())
    }

    fn aliases(&self, query: &AliasQuery, page: &Page) -> Result<Listing<Arc<Alias>>> {
        let after = page.after.as_deref().map(address_cursor).transpose()?;
        let mut rows = Vec::new();
        for (name, domain) in self.domains_from(query.domain.as_ref(), after.as_ref()) {
            let behind = after.as_ref().filter(|after| after.domain() == name).map(|after| after.local().into());
            let wanted = page.size() + 1 - rows.len();
            let search =
                Search { after: behind.as_ref(), until: None, words: &query.words, with_more: false, limit: wanted };
            let keys = domain.aliases_by_text.page(&search);
            rows.extend(keys.iter().filter_map(|key| domain.aliases.get(key).cloned()));
            if rows.len() > page.size() {
                break;
            }
        }
        Ok(cut(rows, page, |alias| alias.address.to_string()))
    }

    fn aliases_naming(&self, who: Named<'_>) -> Result<Vec<Arc<Alias>>> {
        let addresses = match who {
            Named::User(user) => self.naming_users.get(user),
            Named::Alias(alias) => self.naming_aliases.get(alias),
            Named::Group(group) => self.naming_groups.get(group),
        };
        Ok(addresses.into_iter().flatten().filter_map(|address| self.alias_row(address).cloned()).collect())
    }

    fn owner(&self, local: &str, domain: &DomainName) -> Result<Option<Owner>> {
        Ok(self.domains.get(domain).and_then(|domain| domain.addresses.get(local).cloned()))
    }

    fn group(&self, name: &str) -> Result<Vec<UserId>> {
        Ok(self.groups.get(name).into_iter().flatten().cloned().collect())
    }

    fn groups(&self) -> Result<Vec<(String, usize)>> {
        Ok(self.groups.iter().map(|(name, users)| (name.clone(), users.len())).collect())
    }

    fn privileges(&self) -> Result<Privileges> {
        Ok(self.privileges.clone())
    }
}

impl Rows {
    fn users_by_id(&self, query: &UserQuery, page: &Page) -> Result<Listing<Arc<User>>> {
        let after = page.after.as_deref().map(user_cursor).transpose()?;
        let wanted = page.size() + 1;
        let search = Search { after: after.as_ref(), ..search(query, wanted) };
        let ids: Vec<UserId> = if let Some(name) = &query.domain {
            self.domains.get(name).map(|domain| domain.users_by_text.page(&search)).unwrap_or_default()
        } else {
            // The first of all are among the first of each; of the tenth domain few come before those of nine.
            let mut ids: Vec<UserId> = Vec::new();
            for domain in self.domains.values() {
                let until = ids.get(page.size()).cloned();
                ids.extend(domain.users_by_text.page(&Search { until: until.as_ref(), ..search }));
                ids.sort();
                ids.truncate(wanted);
            }
            ids
        };
        let rows = ids.iter().filter_map(|id| self.users.get(id).cloned()).collect();
        Ok(cut(rows, page, |user| user.uid.to_string()))
    }

    fn users_by_mail(&self, query: &UserQuery, page: &Page) -> Result<Listing<Arc<User>>> {
        let after = page.after.as_deref().map(address_cursor).transpose()?;
        let mut rows = Vec::new();
        for (name, domain) in self.domains_from(query.domain.as_ref(), after.as_ref()) {
            let behind = after.as_ref().filter(|after| after.domain() == name).map(Address::local);
            let wanted = page.size() + 1 - rows.len();
            let found = if query.words.is_empty() {
                self.walk_by_mail(domain, behind, wanted, &|_| true)
            } else {
                let ids = domain.users_by_text.page(&search(query, SORTED + 1));
                if ids.len() > SORTED {
                    self.walk_by_mail(domain, behind, wanted, &|user| matches(user, query))
                } else {
                    let mut users: Vec<_> = ids.iter().filter_map(|id| self.users.get(id).cloned()).collect();
                    users.retain(|user| behind.is_none_or(|behind| user.mail.local() > behind));
                    users.sort_by(|a, b| a.mail.cmp(&b.mail));
                    users.truncate(wanted);
                    users
                }
            };
            rows.extend(found);
            if rows.len() > page.size() {
                break;
            }
        }
        Ok(cut(rows, page, |user| user.mail.to_string()))
    }

    fn walk_by_mail(
        &self,
        domain: &InDomain,
        behind: Option<&str>,
        wanted: usize,
        fits: &dyn Fn(&User) -> bool,
    ) -> Vec<Arc<User>> {
        let from = behind.map_or(Bound::Unbounded, Bound::Excluded);
        let users = domain.users_by_mail.range::<str, _>((from, Bound::Unbounded));
        let users = users.filter_map(|(_, id)| self.users.get(id));
        users.filter(|user| fits(user)).take(wanted).cloned().collect()
    }

    /// The domain that is asked for, or all from that of the cursor on.
    fn domains_from<'a>(
        &'a self,
        only: Option<&'a DomainName>,
        after: Option<&'a Address>,
    ) -> impl Iterator<Item = (&'a DomainName, &'a InDomain)> {
        let (from, to) = match (only, after) {
            (Some(only), _) => (Bound::Included(only), Bound::Included(only)),
            (None, Some(after)) => (Bound::Included(after.domain()), Bound::Unbounded),
            (None, None) => (Bound::Unbounded, Bound::Unbounded),
        };
        self.domains.range::<DomainName, _>((from, to))
    }
}

/// A search for users from the first on.
fn search<'a>(query: &'a UserQuery, limit: usize) -> Search<'a, UserId> {
    Search { after: None, until: None, words: &query.words, with_more: query.in_addresses, limit }
}

fn matches(user: &User, query: &UserQuery) -> bool {
    let names = [user.uid.as_str(), &user.given_name, &user.surname, &user.display_name];
    let mut text: String = names.iter().flat_map(|name| [fold(name), "\n".to_owned()]).collect();
    if query.in_addresses {
        text.extend(user.addresses().flat_map(|address| [fold(&address.to_string()), "\n".to_owned()]));
    }
    query.words.match_folded(&text)
}

/// The page of rows of which one more was looked for.
fn cut<T>(mut rows: Vec<T>, page: &Page, cursor: impl Fn(&T) -> String) -> Listing<T> {
    let is_more = rows.len() > page.size();
    rows.truncate(page.size());
    let next = rows.last().filter(|_| is_more).map(cursor);
    Listing { rows, next }
}

fn user_cursor(text: &str) -> Result<UserId> {
    UserId::parse(text).map_err(|_| Error::rule("after", text, "it is no cursor of this list"))
}

fn address_cursor(text: &str) -> Result<Address> {
    Address::parse(text).map_err(|_| Error::rule("after", text, "it is no cursor of this list"))
}
