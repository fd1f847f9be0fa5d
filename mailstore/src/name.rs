//! Internal mailbox names: UTF-8, hierarchy separator `/`, `user/joe` is joe's INBOX, `user/joe/Drafts` a folder in it,
//! and what does not begin with `user/` is shared. How a client sees them (INBOX, modified UTF-7, prefixes) is the
//! protocol's business.
//!
//! A name is also a path below the spool (`layout`), so its rules keep it inside: no empty, `.` or `..` component, no
//! control character, and no component that the store uses itself. A component may hold a dot (`Q3.2026`): the store's
//! own directories *end* in one (`stage.`, `expunged.`), which a component can't.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

/// Separates the components of a name.
pub const SEPARATOR: char = '/';

/// Longest name in bytes: what the mailboxes database of Cyrus takes, so that every name can be moved back and forth.
pub(crate) const MAX_NAME: usize = 490;

/// Longest component in bytes: it is one directory name (NAME_MAX is 255, and temporary names need room).
pub(crate) const MAX_COMPONENT: usize = 220;

/// Deepest hierarchy: the path must stay below PATH_MAX, and renaming a tree walks it.
pub(crate) const MAX_DEPTH: usize = 50;

/// Where deleted mailboxes wait for their end (delayed delete).
pub(crate) const DELETED_PREFIX: &str = "DELETED";

/// Why a text is not a mailbox name.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NameError {
    /// Nothing between two separators, or nothing at all.
    #[error("a mailbox name has an empty component")]
    Empty,
    /// Longer than [`MAX_NAME`] or [`MAX_COMPONENT`].
    #[error("the mailbox name is too long")]
    TooLong,
    /// More than [`MAX_DEPTH`] levels.
    #[error("the mailbox name has too many levels")]
    TooDeep,
    /// NUL, other control characters, or a line or paragraph separator.
    #[error("the mailbox name has a control character")]
    Control,
    /// `*` and `%` are wildcards of LIST.
    #[error("the mailbox name has a wildcard")]
    Wildcard,
    /// `.`, `..`, a leading `~` or dot, a trailing dot, or a `cyrus.` file's name.
    #[error("the mailbox name has a component that is reserved")]
    Reserved,
    /// `user` alone, or an owner that is no user ID.
    #[error("the mailbox name has no valid owner")]
    Owner,
}

/// A valid internal name. A copy shares the text: there are a few of each in memory.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MailboxName(Arc<str>);

/// Ordered and hashed as its text.
impl Borrow<str> for MailboxName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl MailboxName {
    /// Checks `text`.
    ///
    /// # Errors
    /// The first rule that the text breaks.
    pub fn parse(text: &str) -> Result<MailboxName, NameError> {
        if text.len() > MAX_NAME {
            return Err(NameError::TooLong);
        }
        let mut depth = 0;
        for component in text.split(SEPARATOR) {
            check_component(component)?;
            depth += 1;
        }
        if depth > MAX_DEPTH {
            return Err(NameError::TooDeep);
        }
        if let Some(rest) = text.strip_prefix("user") {
            match rest.strip_prefix(SEPARATOR) {
                Some(rest) if is_user_id(rest.split(SEPARATOR).next().unwrap_or_default()) => {}
                None if !rest.is_empty() => {}
                _ => return Err(NameError::Owner),
            }
        }
        Ok(MailboxName(text.into()))
    }

    /// The INBOX of `user_id`.
    ///
    /// # Errors
    /// When `user_id` can't own mailboxes.
    pub fn inbox(user_id: &str) -> Result<MailboxName, NameError> {
        if !is_user_id(user_id) {
            return Err(NameError::Owner);
        }
        MailboxName::parse(&format!("user/{user_id}"))
    }

    /// The mailbox `component` below this one; `component` may hold separators.
    ///
    /// # Errors
    /// The first rule that the longer name breaks.
    pub fn child(&self, component: &str) -> Result<MailboxName, NameError> {
        MailboxName::parse(&format!("{}{SEPARATOR}{component}", self.0))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The user whose mailbox this is; nothing for a shared mailbox. Deleted mailboxes keep their owner.
    #[must_use]
    pub fn owner(&self) -> Option<&str> {
        let rest = self.deleted_original().unwrap_or(&self.0);
        rest.strip_prefix("user/").and_then(|rest| rest.split(SEPARATOR).next())
    }

    /// Whether this is a user's INBOX.
    #[must_use]
    pub fn is_inbox(&self) -> bool {
        self.0.strip_prefix("user/").is_some_and(|rest| !rest.contains(SEPARATOR))
    }

    /// Whether this mailbox was deleted and waits for its end.
    #[must_use]
    pub fn is_deleted(&self) -> bool {
        self.deleted_original().is_some()
    }

    /// The name one level up, which need not exist; nothing at the top (`user/joe` is at the top).
    #[must_use]
    pub fn parent(&self) -> Option<MailboxName> {
        if self.is_inbox() {
            return None;
        }
        self.0.rsplit_once(SEPARATOR).map(|(parent, _)| MailboxName(parent.into()))
    }

    /// The last component.
    #[must_use]
    pub fn leaf(&self) -> &str {
        self.0.rsplit(SEPARATOR).next().unwrap_or(&self.0)
    }

    /// Whether this name lies below `ancestor` (not: is `ancestor`). `user/joe` is not below `user/jo`.
    #[must_use]
    pub fn is_below(&self, ancestor: &MailboxName) -> bool {
        self.0.strip_prefix(ancestor.as_str()).is_some_and(|rest| rest.starts_with(SEPARATOR))
    }

    /// This name with the leading `old` replaced by `new`: what becomes of it when `old` is renamed.
    ///
    /// # Errors
    /// When this name is neither `old` nor below it, or the new name breaks a rule.
    pub fn rebased(&self, old: &MailboxName, new: &MailboxName) -> Result<MailboxName, NameError> {
        let rest = self.0.strip_prefix(old.as_str()).ok_or(NameError::Reserved)?;
        MailboxName::parse(&format!("{}{rest}", new.0))
    }

    fn deleted_original(&self) -> Option<&str> {
        self.0.strip_prefix(DELETED_PREFIX).and_then(|rest| rest.strip_prefix(SEPARATOR))
    }
}

impl fmt::Display for MailboxName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for MailboxName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

/// Whether `text` can own mailboxes: the directory's rule for user IDs (letters, digits, hyphen, underscore).
fn is_user_id(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && !text.starts_with('-')
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-'))
}

fn check_component(component: &str) -> Result<(), NameError> {
    if component.is_empty() {
        return Err(NameError::Empty);
    }
    if component.len() > MAX_COMPONENT {
        return Err(NameError::TooLong);
    }
    if component.chars().any(|c| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')) {
        return Err(NameError::Control);
    }
    if component.contains(['*', '%']) {
        return Err(NameError::Wildcard);
    }
    let reserved = component.starts_with(['.', '~']) || component.ends_with('.') || component.starts_with("cyrus.");
    if reserved { Err(NameError::Reserved) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules() {
        let long = "x".repeat(221);
        let deep = ["a"; 51].join("/");
        let rows: &[(&str, Result<(), NameError>)] = &[
            ("user/joe", Ok(())),
            ("user/joe/Drafts", Ok(())),
            ("user/joe/Q3.2026", Ok(())),
            ("user/joe/Entwürfe/日本", Ok(())),
            ("team", Ok(())),
            ("users", Ok(())),
            ("", Err(NameError::Empty)),
            ("user/joe/", Err(NameError::Empty)),
            ("/etc", Err(NameError::Empty)),
            ("a//b", Err(NameError::Empty)),
            ("user/joe/..", Err(NameError::Reserved)),
            ("user/joe/../sue", Err(NameError::Reserved)),
            ("user/joe/.x", Err(NameError::Reserved)),
            ("user/joe/~x", Err(NameError::Reserved)),
            ("user/joe/stage.", Err(NameError::Reserved)),
            ("user/joe/12.", Err(NameError::Reserved)),
            ("user/joe/cyrus.index", Err(NameError::Reserved)),
            ("user", Err(NameError::Owner)),
            ("user/Joe", Err(NameError::Owner)),
            ("user/-joe", Err(NameError::Owner)),
            ("user/j.oe", Err(NameError::Owner)),
            ("a\nb", Err(NameError::Control)),
            ("a\0b", Err(NameError::Control)),
            ("a\u{2028}b", Err(NameError::Control)),
            ("a*", Err(NameError::Wildcard)),
            (&long, Err(NameError::TooLong)),
            (&deep, Err(NameError::TooDeep)),
        ];
        for (text, expected) in rows {
            assert_eq!(MailboxName::parse(text).map(|_| ()), *expected, "{text}");
        }
    }

    #[test]
    fn family() {
        let name = |s: &str| MailboxName::parse(s).unwrap();
        assert_eq!(name("user/joe/a/b").parent(), Some(name("user/joe/a")));
        assert_eq!(name("user/joe").parent(), None);
        assert_eq!(name("team").parent(), None);
        assert_eq!(name("user/joe/a").owner(), Some("joe"));
        assert_eq!(name("DELETED/user/joe/a/5f0a").owner(), Some("joe"));
        assert_eq!(name("team/x").owner(), None);
        assert!(name("user/joe/a").is_below(&name("user/joe")));
        assert!(!name("user/joey").is_below(&name("user/joe")));
        assert!(!name("user/joe").is_below(&name("user/joe")));
        assert_eq!(name("user/joe/a/b").rebased(&name("user/joe/a"), &name("user/joe/z")), Ok(name("user/joe/z/b")));
        assert_eq!(name("user/joe/a").leaf(), "a");
    }
}
