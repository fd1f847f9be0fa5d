//! The names of a domain's users, as lists and searches look at them. They are gone through for every page, so they are kept for
//! as long as other answers are ([`Settings::cache_fresh`](crate::Settings::cache_fresh)): who turns pages has them read once.

use std::sync::Arc;

use directory::{Address, DomainName, Result, UserId, UserOrder, UserQuery};

use super::listing::Place;
use super::{Look, listing, search, uid_of};
use crate::link::Entry;
use crate::rows;
use crate::schema::{self, class};

/// Most users whose names are kept, of all domains together: some 300 octets each, 60 MB.
pub(crate) const MOST_NAMES: usize = 200_000;

/// What a user is found and sorted by.
pub(crate) struct UserName {
    pub(super) uid: UserId,
    pub(super) mail: Address,
    /// What a search for names looks at.
    names: String,
    /// What a search for addresses looks at, too.
    addresses: String,
}

impl UserName {
    pub(super) fn of(entry: &Entry) -> Result<UserName> {
        let text = |attributes: &[&str]| -> String {
            let texts = attributes.iter().flat_map(|attribute| entry.all(attribute));
            texts.flat_map(|text| [listing::fold(text), "\n".into()]).collect()
        };
        Ok(UserName {
            uid: uid_of(entry)?,
            mail: rows::address_from(entry)?,
            names: text(&listing::NAMES),
            addresses: text(&listing::ADDRESSES),
        })
    }

    /// Where the user is in a list.
    pub(super) fn place(&self, order: UserOrder) -> Place {
        match order {
            UserOrder::UserId => (String::new(), self.uid.to_string()),
            UserOrder::Mail => listing::place(&self.mail),
        }
    }

    pub(super) fn matches(&self, words: &directory::Words, in_addresses: bool) -> bool {
        // No word goes over the end of a line, so that each may be in one or the other.
        words.iter().all(|word| self.names.contains(word) || (in_addresses && self.addresses.contains(word)))
    }
}

/// The names of a domain's users, in both orders.
#[derive(Default)]
pub(crate) struct Names {
    by_uid: Vec<UserName>,
    /// Positions in `by_uid`.
    by_mail: Vec<usize>,
}

impl Names {
    fn new(mut by_uid: Vec<UserName>) -> Names {
        by_uid.sort_by(|a, b| a.uid.cmp(&b.uid));
        let mut by_mail: Vec<usize> = (0..by_uid.len()).collect();
        by_mail.sort_by_cached_key(|at| by_uid[*at].place(UserOrder::Mail));
        Names { by_uid, by_mail }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.by_uid.len()
    }

    /// The first `size` behind a place that a query is about, and whether there are more.
    pub(super) fn page(&self, query: &UserQuery, after: Option<&Place>, size: usize) -> (Vec<UserId>, bool) {
        let at = |position: usize| match query.order {
            UserOrder::UserId => &self.by_uid[position],
            UserOrder::Mail => &self.by_uid[self.by_mail[position]],
        };
        let (mut first, mut end) = (0, self.len());
        while let Some(after) = after.filter(|_| first < end) {
            let middle = first.midpoint(end);
            if at(middle).place(query.order) <= *after {
                first = middle + 1;
            } else {
                end = middle;
            }
        }
        let behind = (first..self.len()).map(at).filter(|name| name.matches(&query.words, query.in_addresses));
        // One more tells that there are more.
        let mut found: Vec<UserId> = behind.map(|name| name.uid.clone()).take(size + 1).collect();
        let is_more = found.len() > size;
        found.truncate(size);
        (found, is_more)
    }
}

impl Look<'_> {
    /// The names of all users of a domain, or of the server, if they are kept, or with `read` can be; nothing where that many
    /// are not kept.
    pub(super) fn names(&self, domain: Option<&DomainName>, read: bool) -> Result<Option<Arc<Names>>> {
        let cache = self.source.cache;
        if !self.is_cached {
            return Ok(None);
        }
        if let Some(kept) = cache.names(domain) {
            return Ok(Some(kept));
        }
        if !read || !cache.keeps_names() {
            return Ok(None);
        }
        let generation = cache.generation();
        let mut names = Vec::new();
        let people = &self.source.places.people;
        let all = search(people, class::USER, domain.map(listing::in_domain), Some(schema::USER_NAME));
        self.source.links.each(&all, &mut |entry| {
            let name = UserName::of(&entry)?;
            if domain.is_none_or(|domain| domain == name.mail.domain()) {
                names.push(name);
            }
            Ok(())
        })?;
        let names = Arc::new(Names::new(names));
        cache.put_names(generation, domain, &names);
        Ok(Some(names))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_in_both_orders() {
        let name = |uid: &str, mail: &str| UserName {
            uid: UserId::parse(uid).unwrap(),
            mail: Address::parse(mail).unwrap(),
            names: format!("{uid}\n"),
            addresses: format!("{mail}\n"),
        };
        let names =
            Names::new(vec![name("c", "a@x.org"), name("a", "z@b.org"), name("d", "b@x.org"), name("b", "y@x.org")]);
        let check =
            |order: UserOrder, words: &str, after: Option<(&str, &str)>, size: usize, expected: &str, more: bool| {
                let query = UserQuery { order, words: directory::Words::parse(words), ..UserQuery::default() };
                let query = UserQuery { in_addresses: words.contains('.'), ..query };
                let after = after.map(|(first, last)| (first.to_owned(), last.to_owned()));
                let (found, is_more) = names.page(&query, after.as_ref(), size);
                let found: Vec<_> = found.iter().map(UserId::as_str).collect();
                assert_eq!((found.join(" ").as_str(), is_more), (expected, more), "{order:?} {words} {after:?} {size}");
            };
        use UserOrder::{Mail, UserId as ById};
        check(ById, "", None, 2, "a b", true);
        check(ById, "", Some(("", "b")), 2, "c d", false);
        check(ById, "", Some(("", "bb")), 1, "c", true);
        check(ById, "", Some(("", "d")), 9, "", false);
        check(Mail, "", None, 3, "a c d", true);
        check(Mail, "", Some(("x.org", "a")), 9, "d b", false);
        check(Mail, "x.org", None, 2, "c d", true);
        check(ById, "x.org", Some(("", "b")), 9, "c d", false);
        check(ById, "x", None, 9, "", false);
    }
}
