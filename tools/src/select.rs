//! Which mailboxes an administrator means: our names (`user/joe/Lists`), classic ones (`user.joe.Lists`, where a dot of ours
//! is `^`), either with the wildcards `*` and `%`.

use std::ops::ControlFlow;

use mailstore::{MailboxName, Row, Store};

use crate::error::CommandError;

/// An argument that names mailboxes.
pub(crate) struct Pattern {
    /// As it was given.
    pub(crate) text: String,
    /// With our separator.
    ours: String,
    /// Whether it names one mailbox.
    pub(crate) exact: bool,
}

impl Pattern {
    /// What an argument means. A name with dots may be of either kind: ours if there is such a mailbox.
    ///
    /// # Errors
    /// Both kinds name a mailbox, or neither is a name.
    pub(crate) fn parse(store: &Store, text: &str) -> Result<Pattern, CommandError> {
        let exact = !text.contains(['*', '%']);
        let classic = from_classic(text);
        let ours = match (text.contains('/'), &classic) {
            (false, Some(classic)) => choose(store, text, classic, exact)?,
            _ => text.to_owned(),
        };
        if exact {
            MailboxName::parse(&ours).map_err(|problem| CommandError::Usage(format!("{text}: {problem}")))?;
        }
        Ok(Pattern { text: text.to_owned(), ours, exact })
    }

    /// The INBOX of a user, with everything below it.
    pub(crate) fn of_user(user: &str) -> Result<Pattern, CommandError> {
        let name = MailboxName::inbox(user).map_err(|problem| CommandError::Usage(format!("{user}: {problem}")))?;
        Ok(Pattern { text: user.to_owned(), ours: name.as_str().to_owned(), exact: true })
    }

    /// The mailbox, if it names one.
    pub(crate) fn name(&self) -> Option<MailboxName> {
        MailboxName::parse(&self.ours).ok().filter(|_| self.exact)
    }

    /// Whether it means `name`; with `below`, also what lies below what it means.
    pub(crate) fn matches(&self, name: &MailboxName, below: bool) -> bool {
        let name = name.as_str();
        if matches(&self.ours, name) {
            return true;
        }
        below && name.match_indices('/').any(|(at, _)| matches(&self.ours, &name[..at]))
    }
}

/// The mailboxes that any of `patterns` means, all of them without patterns; in order of their names.
pub(crate) fn rows(store: &Store, patterns: &[Pattern], below: bool) -> Vec<std::sync::Arc<Row>> {
    let mut rows = Vec::new();
    store.list("", |name, row| {
        if patterns.is_empty() || patterns.iter().any(|pattern| pattern.matches(name, below)) {
            rows.push(std::sync::Arc::clone(row));
        }
        ControlFlow::Continue(())
    });
    rows
}

/// A classic name with our separator; nothing if it has neither dots nor carets.
#[must_use]
pub fn from_classic(text: &str) -> Option<String> {
    let swap = |c| match c {
        '.' => '/',
        '^' => '.',
        other => other,
    };
    text.contains(['.', '^']).then(|| text.chars().map(swap).collect())
}

/// A name without our separator: it may be one of ours that has a dot, or a classic one.
fn choose(store: &Store, text: &str, classic: &str, exact: bool) -> Result<String, CommandError> {
    let listed = |text: &str| MailboxName::parse(text).is_ok_and(|name| store.row(&name).is_some());
    match exact && listed(text) {
        true if classic != text && listed(classic) => {
            Err(CommandError::Usage(format!("{text} is a mailbox, and so is {classic}: which one is meant?")))
        }
        true => Ok(text.to_owned()),
        false => Ok(classic.to_owned()),
    }
}

/// `*` stands for anything, `%` for anything within one level (RFC 9051, 6.3.9). Time is bounded by the product of the
/// lengths, whatever the pattern.
fn matches(pattern: &str, name: &str) -> bool {
    let name: Vec<char> = name.chars().collect();
    // Which beginnings of the name the pattern so far can stand for.
    let mut reached = vec![false; name.len() + 1];
    reached[0] = true;
    for p in pattern.chars() {
        let mut next = vec![false; name.len() + 1];
        for at in 0..=name.len() {
            next[at] = match p {
                '*' => reached[at] || (at > 0 && next[at - 1]),
                '%' => reached[at] || (at > 0 && next[at - 1] && name[at - 1] != '/'),
                _ => at > 0 && reached[at - 1] && name[at - 1] == p,
            };
        }
        reached = next;
    }
    reached[name.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{Fixture, name};

    #[test]
    fn wildcards() {
        for (pattern, text, expected) in [
            ("user/joe", "user/joe", true),
            ("user/joe", "user/joe/a", false),
            ("user/%", "user/joe", true),
            ("user/%", "user/joe/a", false),
            ("user/*", "user/joe/a", true),
            ("*", "team", true),
            ("%", "user/joe", false),
            ("user/%/Sent*", "user/joe/Sent/2020", true),
            ("user/j%e", "user/joe", true),
            ("user/j%e", "user/jo/e", false),
            ("", "", true),
            ("**%%**", "anything/at/all", true),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
        let long = "a".repeat(400);
        assert!(!matches(&"*a".repeat(200), &"b".repeat(400)));
        assert!(matches(&"*a".repeat(200), &long));
    }

    #[test]
    fn both_kinds_of_names() {
        let fixture = Fixture::new();
        let check = |text: &str, below, expected: &[&str]| {
            let pattern = Pattern::parse(&fixture.store, text).unwrap();
            let rows = rows(&fixture.store, &[pattern], below);
            assert_eq!(rows.iter().map(|row| row.name.as_str()).collect::<Vec<_>>(), expected, "{text}");
        };
        check("user/joe", false, &["user/joe"]);
        check("user.joe", false, &["user/joe"]);
        check("user.joe", true, &["user/joe", "user/joe/Lists"]);
        check("user.joe.*", false, &["user/joe/Lists"]);
        check("user.%", false, &["user/joe", "user/sue"]);
        check("user/*", false, &["user/joe", "user/joe/Lists", "user/sue"]);
        check("user.nobody", true, &[]);
        let admin = mailstore::Access { admin: true, ..mailstore::Access::user("admin") };
        for text in ["Q3.2026", "a.b", "a/b"] {
            fixture.store.create(&admin, &name(text), &mailstore::CreateOptions::default()).unwrap();
        }
        check("Q3.2026", false, &["Q3.2026"]);
        check("Q3^2026", false, &["Q3.2026"]);
        assert!(Pattern::parse(&fixture.store, "a.b").is_err(), "ambiguous");
        assert!(Pattern::parse(&fixture.store, "a//b").is_err());
    }
}
