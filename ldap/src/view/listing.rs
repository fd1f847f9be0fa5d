//! Lists that are read page by page. A server need not sort (RFC 2891 is an extension that slapd has only as an overlay): the
//! names of all that match are gone through ([`names`](super::names)), those of one page are kept, and the entries of these are
//! read.

use std::collections::BTreeMap;
use std::sync::Arc;

use directory::{
    Address, Alias, AliasQuery, DomainName, Error, Listing, Page, Result, User, UserId, UserOrder, UserQuery, Words,
};

use super::names::UserName;
use super::{AT_A_TIME, Look, search};
use crate::filter::Filter;
use crate::rows;
use crate::schema::{self, class};

/// What a search for users looks at.
pub(super) const NAMES: [&str; 4] = [schema::UID, schema::GIVEN_NAME, schema::SURNAME, schema::DISPLAY_NAME];

/// What it looks at besides, if addresses may match.
pub(super) const ADDRESSES: [&str; 3] = [schema::MAIL, schema::MAIL_UTF8, schema::ALTERNATE];

/// What rows are sorted by: a user ID, or a domain and what is left of the `@`.
pub(super) type Place = (String, String);

impl Look<'_> {
    pub(super) fn page_of_users(&self, query: &UserQuery, page: &Page) -> Result<Listing<Arc<User>>> {
        let after = page.after.as_deref().map(|after| match query.order {
            UserOrder::UserId => {
                UserId::parse(after).map(|uid| (String::new(), uid.to_string())).map_err(|_| cursor(after))
            }
            UserOrder::Mail => Address::parse(after).map(|mail| place(&mail)).map_err(|_| cursor(after)),
        });
        let after = after.transpose()?;
        // What has these words in it the server finds faster than we read them all.
        let (uids, is_more) = match self.names(query.domain.as_ref(), query.words.is_empty())? {
            Some(kept) => kept.page(query, after.as_ref(), page.size()),
            None => self.names_found(query, Window::new(page, after))?,
        };
        let mut users = self.users_named(&uids)?;
        match query.order {
            UserOrder::UserId => users.sort_by(|a, b| a.uid.cmp(&b.uid)),
            UserOrder::Mail => users.sort_by_key(|user| place(&user.mail)),
        }
        let next = users.last().filter(|_| is_more).map(|last| match query.order {
            UserOrder::UserId => last.uid.to_string(),
            UserOrder::Mail => last.mail.to_string(),
        });
        Ok(Listing { rows: users, next })
    }

    pub(super) fn page_of_aliases(&self, query: &AliasQuery, page: &Page) -> Result<Listing<Arc<Alias>>> {
        let after = page.after.as_deref();
        let after = after.map(|after| Address::parse(after).map(|mail| place(&mail)).map_err(|_| cursor(after)));
        let names = [schema::MAIL, schema::MAIL_UTF8, schema::DESCRIPTION];
        let filter = narrowed(query.domain.as_ref(), &query.words, &names);
        let mut found = Window::new(page, after.transpose()?);
        let places = self.source.places;
        self.source.links.each(
            &search(&places.aliases, class::ALIAS, filter, Some(schema::ALIAS_TEXTS)),
            &mut |entry| {
                let address = rows::address_from(&entry)?;
                let here = query.domain.as_ref().is_none_or(|domain| domain == address.domain());
                // The name is what is left of the @.
                let text =
                    format!("{}\n{}", fold(address.local()), fold(entry.one(schema::DESCRIPTION).unwrap_or_default()));
                if here && query.words.match_folded(&text) {
                    found.add(place(&address), entry.one(schema::KEY).unwrap_or_default().to_owned());
                }
                Ok(())
            },
        )?;
        let (keys, is_more) = found.end();
        let mut entries = Vec::with_capacity(keys.len());
        for keys in keys.chunks(AT_A_TIME) {
            let any = Filter::Or(keys.iter().map(|key| Filter::Is(schema::KEY, key.clone())).collect());
            entries.extend(self.list(&places.aliases, class::ALIAS, Some(any), None)?);
        }
        let mut aliases = self.alias_rows(&entries)?;
        aliases.sort_by_key(|alias| place(&alias.address));
        let next = aliases.last().filter(|_| is_more).map(|last| last.address.to_string());
        Ok(Listing { rows: aliases, next })
    }

    /// The first users that a query is about, as the server finds them.
    fn names_found(&self, query: &UserQuery, mut found: Window<UserId>) -> Result<(Vec<UserId>, bool)> {
        let more = if query.in_addresses { &ADDRESSES[..] } else { &[] };
        let filter = narrowed(query.domain.as_ref(), &query.words, &[&NAMES[..], more].concat());
        let people = search(&self.source.places.people, class::USER, filter, Some(schema::USER_NAME));
        self.source.links.each(&people, &mut |entry| {
            let name = UserName::of(&entry)?;
            let here = query.domain.as_ref().is_none_or(|domain| domain == name.mail.domain());
            if here && name.matches(&query.words, query.in_addresses) {
                found.add(name.place(query.order), name.uid);
            }
            Ok(())
        })?;
        Ok(found.end())
    }

    fn users_named(&self, uids: &[UserId]) -> Result<Vec<Arc<User>>> {
        let mut users = Vec::with_capacity(uids.len());
        for uids in uids.chunks(AT_A_TIME) {
            let any = Filter::Or(uids.iter().map(|uid| Filter::Is(schema::UID, uid.to_string())).collect());
            for entry in self.list(&self.source.places.people, class::USER, Some(any), Some(schema::USER))? {
                users.push(Arc::new(rows::user_from(&entry)?));
            }
        }
        Ok(users)
    }
}

/// The first rows behind a cursor, and whether there are more, out of rows in any order: no more are kept at a time.
struct Window<T> {
    rows: BTreeMap<Place, T>,
    after: Option<Place>,
    size: usize,
}

impl<T> Window<T> {
    fn new(page: &Page, after: Option<Place>) -> Window<T> {
        Window { rows: BTreeMap::new(), after, size: page.size() }
    }

    fn add(&mut self, place: Place, row: T) {
        if self.after.as_ref().is_none_or(|after| place > *after) {
            self.rows.insert(place, row);
            // One more tells that there are more.
            if self.rows.len() > self.size + 1 {
                self.rows.pop_last();
            }
        }
    }

    fn end(mut self) -> (Vec<T>, bool) {
        let is_more = self.rows.len() > self.size;
        if is_more {
            self.rows.pop_last();
        }
        (self.rows.into_values().collect(), is_more)
    }
}

/// Entries with an address of a domain.
pub(super) fn in_domain(domain: &DomainName) -> Filter {
    let end = format!("@{domain}");
    Filter::Or(vec![Filter::EndsWith(schema::MAIL, end.clone()), Filter::EndsWith(schema::MAIL_UTF8, end)])
}

/// What the server need not send: it looks for the words as we do, and what it finds besides is left out here.
fn narrowed(domain: Option<&DomainName>, words: &Words, names: &[&'static str]) -> Option<Filter> {
    let mut all: Vec<Filter> = domain.map(in_domain).into_iter().collect();
    for word in words.iter() {
        // IA5 attributes know no other words; asked for one, the server takes the whole filter for undefined.
        let named = names.iter().filter(|name| word.is_ascii() || **name != schema::MAIL);
        all.push(Filter::Or(named.map(|name| Filter::Contains(name, word.to_owned())).collect()));
    }
    (!all.is_empty()).then_some(Filter::And(all))
}

/// As [`Words`] compare.
pub(super) fn fold(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).flat_map(char::to_lowercase).collect()
}

pub(super) fn place(address: &Address) -> Place {
    (address.domain().to_string(), address.local().to_owned())
}

fn cursor(text: &str) -> Error {
    Error::rule("after", text, "it is no cursor of this list")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_of_rows_in_any_order() {
        let check = |after: Option<&str>, limit: usize, expected: &[&str], more: bool| {
            let at = |name: &str| (String::new(), name.to_owned());
            let mut window = Window::new(&Page::first(limit), after.map(at));
            for name in ["d", "b", "e", "a", "c"] {
                window.add(at(name), name);
            }
            assert_eq!(window.end(), (expected.to_vec(), more), "{after:?} {limit}");
        };
        check(None, 2, &["a", "b"], true);
        check(Some("b"), 2, &["c", "d"], true);
        check(Some("d"), 2, &["e"], false);
        check(None, 5, &["a", "b", "c", "d", "e"], false);
        check(Some("x"), 5, &[], false);
    }
}
