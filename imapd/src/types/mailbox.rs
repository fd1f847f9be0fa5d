//! Mailbox names and patterns as a client writes them, and SPECIAL-USE attributes.

use std::fmt;

use super::Atom;

/// How mailbox names travel in this session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Encoding {
    /// IMAP4rev1: modified UTF-7 (RFC 3501, 5.1.3).
    #[default]
    ModifiedUtf7,
    /// After `ENABLE IMAP4rev2`: UTF-8 (RFC 9051, 5.1).
    Utf8,
}

/// A mailbox as the client names it, decoded to UTF-8. Whether such a mailbox may exist is the store's question.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MailboxArg(Box<str>);

impl MailboxArg {
    /// A decoded name. INBOX in any case becomes `INBOX`, alone or as the first level (RFC 9051, 5.1). `None` if it holds NUL.
    pub fn new(name: &str) -> Option<MailboxArg> {
        if name.contains('\0') {
            return None;
        }
        let (first, rest) = name.split_at_checked(5).unwrap_or((name, ""));
        let inbox = first.eq_ignore_ascii_case("INBOX") && (rest.is_empty() || rest.starts_with('/'));
        Some(MailboxArg(if inbox { format!("INBOX{rest}").into() } else { name.into() }))
    }

    /// The name in UTF-8; may be empty (LIST's reference, a shared quota root).
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MailboxArg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A LIST pattern, decoded to UTF-8: `*` matches anything, `%` anything but the hierarchy separator.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ListPattern(Box<str>);

impl ListPattern {
    /// A decoded pattern; `None` if it holds NUL.
    pub fn new(pattern: &str) -> Option<ListPattern> {
        (!pattern.contains('\0')).then(|| ListPattern(pattern.into()))
    }

    /// The pattern in UTF-8.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a mailbox is for (RFC 6154, 2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SpecialUse {
    /// `\All`
    All,
    /// `\Archive`
    Archive,
    /// `\Drafts`
    Drafts,
    /// `\Flagged`
    Flagged,
    /// `\Junk`
    Junk,
    /// `\Sent`
    Sent,
    /// `\Trash`
    Trash,
    /// An attribute that we do not know: `CREATE` refuses it with `[USEATTR]`.
    Other(Atom),
}

impl SpecialUse {
    /// The attribute named `atom`, written without its backslash.
    pub fn new(atom: Atom) -> SpecialUse {
        let known = [Self::All, Self::Archive, Self::Drafts, Self::Flagged, Self::Junk, Self::Sent, Self::Trash];
        known.into_iter().find(|known| atom.is(known.name())).unwrap_or(SpecialUse::Other(atom))
    }

    /// The name without the backslash.
    pub fn name(&self) -> &str {
        match self {
            SpecialUse::All => "All",
            SpecialUse::Archive => "Archive",
            SpecialUse::Drafts => "Drafts",
            SpecialUse::Flagged => "Flagged",
            SpecialUse::Junk => "Junk",
            SpecialUse::Sent => "Sent",
            SpecialUse::Trash => "Trash",
            SpecialUse::Other(atom) => atom.as_str(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inbox_has_one_spelling() {
        let check = |name: &str, expected: &str| assert_eq!(MailboxArg::new(name).unwrap().as_str(), expected);
        check("inbox", "INBOX");
        check("InBoX/a", "INBOX/a");
        check("inboxes", "inboxes");
        check("INBO", "INBO");
        check("Ünbox", "Ünbox");
        check("", "");
        assert!(MailboxArg::new("a\0").is_none());
    }
}
