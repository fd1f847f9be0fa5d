//! Names chosen by a property, subscribed or with a special use, and the levels above them. There are few of them, so they
//! are gathered first; all that exists is [`super::walk`]'s business.

use std::collections::BTreeMap;
use std::sync::Arc;

use mailstore::Row;

use super::pattern::Pattern;
use super::shows_special_use;
use super::walk::{Entry, Walk, visible_row};
use crate::context::Context;
use crate::namespace::{INBOX, SEPARATOR};
use crate::outcome::CommandError;
use crate::session::Account;

/// Client names, each with its row if it is a mailbox that the user may know of.
pub(super) struct Chosen {
    names: BTreeMap<String, Option<Arc<Row>>>,
}

/// A name that matches.
pub(super) struct Found {
    pub(super) entry: Entry,
    /// It was chosen itself.
    pub(super) chosen: bool,
    /// Something below it was.
    pub(super) above_chosen: bool,
}

impl Chosen {
    /// The user's subscriptions, also those of mailboxes that exist no more (RFC 9051, 6.3.9.2).
    pub(super) async fn subscribed(context: &Context, account: &Arc<Account>) -> Result<Chosen, CommandError> {
        let reader = account.reader().to_owned();
        let subscriptions = context.blocking(move |server| server.store.subscriptions(&reader)).await?;
        let store = &context.server.store;
        let names = subscriptions.iter().filter_map(|name| {
            let client = account.namespace.to_client(name)?;
            Some((client, visible_row(store, account, name)))
        });
        Ok(Chosen { names: names.collect() })
    }

    /// The mailboxes with a special use.
    pub(super) async fn special_use(context: &Context, account: &Arc<Account>) -> Chosen {
        let everything = [Pattern::new("", "*")];
        let mut walk = Walk::new(&context.server.store, account, &everything);
        let mut names = BTreeMap::new();
        while let Some(entries) = walk.step() {
            let special = entries.into_iter().filter(|entry| is_special(account, entry.row.as_ref()));
            names.extend(special.map(|entry| (entry.client, entry.row)));
            tokio::task::yield_now().await;
        }
        Chosen { names }
    }

    /// Drops what has no special use.
    pub(super) fn keep_special_use(&mut self, account: &Account) {
        self.names.retain(|_, row| is_special(account, row.as_ref()));
    }

    pub(super) fn contains(&self, client: &str) -> bool {
        self.names.contains_key(client)
    }

    /// The names that match a pattern, INBOX first; with `levels` also those that only stand above a chosen one.
    pub(super) fn matching(&self, patterns: &[Pattern], levels: bool) -> Vec<Found> {
        let mut candidates: BTreeMap<&str, bool> = self.names.keys().map(|name| (name.as_str(), true)).collect();
        if levels {
            for name in self.names.keys() {
                for (at, _) in name.match_indices(SEPARATOR) {
                    candidates.entry(&name[..at]).or_insert(false);
                }
            }
        }
        let matching = candidates.into_iter().filter(|(name, _)| patterns.iter().any(|pattern| pattern.matches(name)));
        let mut found: Vec<Found> = matching.map(|(name, chosen)| self.found(name, chosen)).collect();
        found.sort_by_key(|found| found.entry.client != INBOX);
        found
    }

    fn found(&self, name: &str, chosen: bool) -> Found {
        let below = format!("{name}{SEPARATOR}");
        let above_chosen = self.names.range(below.clone()..).next().is_some_and(|(next, _)| next.starts_with(&below));
        let row = self.names.get(name).cloned().flatten();
        Found { entry: Entry { client: name.to_owned(), row }, chosen, above_chosen }
    }
}

fn is_special(account: &Account, row: Option<&Arc<Row>>) -> bool {
    row.is_some_and(|row| shows_special_use(account, row))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(names: &[&str]) -> Chosen {
        Chosen { names: names.iter().map(|name| ((*name).to_owned(), None)).collect() }
    }

    #[test]
    fn matching_names_and_the_levels_above_them() {
        let chosen = chosen(&["Drafts", "INBOX", "foo/bar", "foo/bar/deep", "foo2/x"]);
        let check = |pattern: &str, levels: bool, expected: &[(&str, bool, bool)]| {
            let found = chosen.matching(&[Pattern::new("", pattern)], levels);
            let found: Vec<_> = found.iter().map(|f| (f.entry.client.as_str(), f.chosen, f.above_chosen)).collect();
            assert_eq!(found, expected, "{pattern}");
        };
        check("%", false, &[("INBOX", true, false), ("Drafts", true, false)]);
        check("foo*", false, &[("foo/bar", true, true), ("foo/bar/deep", true, false), ("foo2/x", true, false)]);
        check("f%", true, &[("foo", false, true), ("foo2", false, true)]);
        check("foo/%", true, &[("foo/bar", true, true)]);
        check("nothing", true, &[]);
    }
}
