//! All mailboxes that a user can see, in steps: LIST sends them as the client takes them, however many there are.
//!
//! Rows come sorted by internal name, a stretch at a time and without a lock in between. Levels of the hierarchy that are no
//! mailboxes themselves (`Other Users`, or `a` if only `a/b` exists) are found on the way: all names below a level stand
//! together, so a level is new when the name before did not lie below it.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::Arc;

use mailstore::{MailboxName, Row, Store};

use super::pattern::Pattern;
use crate::access;
use crate::namespace::{SEPARATOR, Section};
use crate::session::Account;
use crate::types::MailboxArg;

/// Rows looked at in one step: a millisecond of work at most, after which others get their turn.
const STEP: usize = 512;

/// A name to tell.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// What the client calls it.
    pub(super) client: String,
    /// Its row; `None` for a level that is no mailbox.
    pub(super) row: Option<Arc<Row>>,
}

/// See the [module](self).
pub(super) struct Walk<'a> {
    store: &'a Store,
    account: &'a Account,
    patterns: &'a [Pattern],
    /// What every name that matches begins with.
    prefix: String,
    /// How many levels a name that matches has at most.
    levels: Option<usize>,
    sections: VecDeque<Section>,
    /// Where in the first section to go on: the smallest internal name not looked at.
    from: Option<String>,
    /// The last name that was seen, whether it matched or not.
    before: String,
}

impl<'a> Walk<'a> {
    pub(super) fn new(store: &'a Store, account: &'a Account, patterns: &'a [Pattern]) -> Walk<'a> {
        let prefix = common_prefix(patterns);
        let levels = patterns.iter().map(Pattern::levels).try_fold(0, |most, levels| Some(most.max(levels?)));
        let sections = account.namespace.sections().into();
        Walk { store, account, patterns, prefix, levels, sections, from: None, before: String::new() }
    }

    /// The names of the next step, which may be none; `None` at the end.
    pub(super) fn step(&mut self) -> Option<Vec<Entry>> {
        let section = self.sections.front()?.clone();
        let Some(stretch) = stretch(&section, &self.prefix) else {
            self.next_section();
            return Some(Vec::new());
        };
        let from = self.from.take().unwrap_or_default();
        let (rows, more) = self.rows(&stretch, &from);
        let mut found = Vec::new();
        let mut go_on = GoOn::Next;
        for row in &rows {
            match &go_on {
                GoOn::From(end) if row.name.as_str() < end.as_str() => continue,
                GoOn::Elsewhere => break,
                _ => {}
            }
            if let Some(client) = self.visible(&section, row) {
                go_on = self.visit(client, row, &mut found);
            }
        }
        match (go_on, rows.last()) {
            (GoOn::From(end), Some(_)) if more => self.from = Some(end),
            (GoOn::Next, Some(last)) if more => self.from = Some(format!("{}\0", last.name)),
            _ => self.next_section(),
        }
        Some(found)
    }

    fn next_section(&mut self) {
        self.sections.pop_front();
        self.from = None;
    }

    /// The next rows, and whether there are more.
    fn rows(&self, prefix: &str, from: &str) -> (Vec<Arc<Row>>, bool) {
        let mut rows = Vec::new();
        self.store.list_from(prefix, from, |row| {
            rows.push(Arc::clone(row));
            if rows.len() < STEP { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        let more = rows.len() == STEP;
        (rows, more)
    }

    fn visible(&self, section: &Section, row: &Row) -> Option<String> {
        let client = self.account.namespace.in_section(section, &row.name)?;
        row.rights(&self.account.access).contains(access::LOOKUP).then_some(client)
    }

    /// Takes in a visible mailbox: the levels above it that are new, and itself.
    fn visit(&mut self, client: String, row: &Arc<Row>, found: &mut Vec<Entry>) -> GoOn {
        let mut go_on = GoOn::Next;
        for (at, _) in client.match_indices(SEPARATOR) {
            let (level, below) = (&client[..at], &client[..=at]);
            if !self.before.starts_with(below) && self.matches(level) && self.mailbox(level).is_none() {
                found.push(Entry { client: level.to_owned(), row: None });
            }
            if self.levels == Some(level.matches(SEPARATOR).count() + 1) {
                go_on = GoOn::behind(row, client.len() - at);
                break;
            }
        }
        if matches!(go_on, GoOn::Next) && self.matches(&client) {
            found.push(Entry { client: client.clone(), row: Some(Arc::clone(row)) });
        }
        self.before = client;
        go_on
    }

    fn matches(&self, name: &str) -> bool {
        self.patterns.iter().any(|pattern| pattern.matches(name))
    }

    fn mailbox(&self, client: &str) -> Option<Arc<Row>> {
        find(self.store, self.account, client)
    }
}

/// Where a walk goes on.
enum GoOn {
    /// With the next row.
    Next,
    /// At this internal name: all before it have too many levels to match.
    From(String),
    /// In the next section: all of this one has.
    Elsewhere,
}

impl GoOn {
    /// Behind the level that ends `rest` octets before the end of the row's name; it may be the section itself.
    fn behind(row: &Row, rest: usize) -> GoOn {
        let name = row.name.as_str();
        match name.len().checked_sub(rest).and_then(|end| name.get(..end)) {
            // '0' is what follows the separator: no name below the level comes after it.
            Some(level) if !level.is_empty() => GoOn::From(format!("{level}0")),
            _ => GoOn::Elsewhere,
        }
    }
}

/// The mailbox that the client calls `client`, if the user may know of it.
pub(super) fn find(store: &Store, account: &Account, client: &str) -> Option<Arc<Row>> {
    let name = account.name(&MailboxArg::new(client)?).ok()?;
    visible_row(store, account, &name)
}

/// The row of a mailbox, if the user may know of it.
pub(super) fn visible_row(store: &Store, account: &Account, name: &MailboxName) -> Option<Arc<Row>> {
    store.row(name).filter(|row| row.rights(&account.access).contains(access::LOOKUP))
}

/// Whether there is a mailbox below `name` that the user may know of.
pub(super) fn has_children(store: &Store, account: &Account, name: &MailboxName) -> bool {
    let mut found = false;
    store.list_from(&format!("{name}{SEPARATOR}"), "", |row| {
        let visible = || row.rights(&account.access).contains(access::LOOKUP);
        found = visible() && account.namespace.to_client(&row.name).is_some();
        if found { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    found
}

/// What the names of all patterns begin with.
fn common_prefix(patterns: &[Pattern]) -> String {
    let mut prefixes = patterns.iter().map(Pattern::literal_prefix);
    let first = prefixes.next().unwrap_or_default();
    prefixes.fold(first, |common, prefix| {
        let same = common.char_indices().zip(prefix.chars()).take_while(|((_, a), b)| a == b);
        let length = same.last().map_or(0, |((at, character), _)| at + character.len_utf8());
        common.get(..length).unwrap_or_default().to_owned()
    })
}

/// The internal prefix of those names of a section whose client names begin with `prefix`; `None` if there are none.
///
/// A prefix that ends inside the section's own (`Oth`, `Other Users`) means all of it. INBOX matches in any case, so it is
/// not cut short by a prefix.
fn stretch(section: &Section, prefix: &str) -> Option<String> {
    let within = |client: &str| match prefix.strip_prefix(client) {
        Some(rest) => Some(format!("{}{rest}", section.internal)),
        None => client.starts_with(prefix).then(|| section.internal.to_string()),
    };
    match section.kind {
        crate::namespace::SectionKind::Inbox => Some(section.internal.to_string()),
        _ => within(&section.client),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::namespace::{Namespace, Prefixes};

    #[test]
    fn prefixes_of_several_patterns() {
        let check = |patterns: &[&str], expected: &str| {
            let patterns: Vec<Pattern> = patterns.iter().map(|pattern| Pattern::new("", pattern)).collect();
            assert_eq!(common_prefix(&patterns), expected);
        };
        check(&["*"], "");
        check(&["a/b*"], "a/b");
        check(&["Sent", "Se%"], "Se");
        check(&["ä*", "ö*"], "");
        check(&["Entwürfe/*", "Entwürze"], "Entwür");
    }

    #[test]
    fn stretches() {
        let joe = Namespace::new("joe", false, &Prefixes::default());
        let stretches = |prefix: &str| -> Vec<Option<String>> {
            // INBOX alone is looked at always.
            joe.sections().iter().skip(1).map(|section| stretch(section, prefix)).collect()
        };
        let check = |prefix: &str, expected: [Option<&str>; 3]| {
            assert_eq!(stretches(prefix), expected.map(|name| name.map(str::to_owned)), "{prefix}");
        };
        check("", [Some("user/joe/"), Some("user/"), Some("")]);
        check("Se", [Some("user/joe/Se"), None, None]);
        check("Oth", [Some("user/joe/Oth"), Some("user/"), None]);
        check("Other Users/su", [Some("user/joe/Other Users/su"), Some("user/su"), None]);
        check("Shared Folders/", [Some("user/joe/Shared Folders/"), None, Some("")]);
    }
}
