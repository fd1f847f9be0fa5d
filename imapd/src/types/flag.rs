//! Message flags (RFC 9051, 2.3.2).

use super::is_atom_char;

/// Flags in one list: the five system flags and every user flag that a mailbox can hold, twice over.
pub const MAX_FLAGS: usize = 256;

/// A flag that a client may set or ask for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Flag {
    /// `\Answered`
    Answered,
    /// `\Flagged`
    Flagged,
    /// `\Deleted`
    Deleted,
    /// `\Seen`
    Seen,
    /// `\Draft`
    Draft,
    /// A keyword.
    Keyword(Keyword),
}

/// A flag defined by clients: an atom in its first writer's case, compared without case.
#[derive(Debug, Clone, Eq)]
pub struct Keyword(Box<str>);

impl Keyword {
    /// Octets in a keyword: every mailbox repeats its keywords in memory and in each FLAGS reply.
    pub const MAX: usize = 128;

    /// `1*ATOM-CHAR` of at most [`Keyword::MAX`] octets; `None` for anything else.
    pub fn new(text: &[u8]) -> Option<Keyword> {
        let legal = !text.is_empty() && text.len() <= Self::MAX && text.iter().copied().all(is_atom_char);
        legal.then(|| Keyword(String::from_utf8_lossy(text).into()))
    }

    /// The keyword as sent.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// RFC 9051, 2.3.2: flag names are case-insensitive.
impl PartialEq for Keyword {
    fn eq(&self, other: &Keyword) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl std::hash::Hash for Keyword {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        for octet in self.0.bytes() {
            state.write_u8(octet.to_ascii_lowercase());
        }
    }
}

impl Flag {
    /// The system flag called `name` (without its backslash), in any case; `None` for others, `\Recent` among them.
    pub fn system(name: &str) -> Option<Flag> {
        let known = [Flag::Answered, Flag::Flagged, Flag::Deleted, Flag::Seen, Flag::Draft];
        known.into_iter().find(|flag| flag.name().get(1..).is_some_and(|known| known.eq_ignore_ascii_case(name)))
    }

    /// The flag as printed.
    pub fn name(&self) -> &str {
        match self {
            Flag::Answered => "\\Answered",
            Flag::Flagged => "\\Flagged",
            Flag::Deleted => "\\Deleted",
            Flag::Seen => "\\Seen",
            Flag::Draft => "\\Draft",
            Flag::Keyword(keyword) => keyword.as_str(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords() {
        let check = |text: &[u8], legal| assert_eq!(Keyword::new(text).is_some(), legal, "{}", text.escape_ascii());
        check(b"$Forwarded", true);
        check(&[b'k'; Keyword::MAX], true);
        for bad in [&b""[..], b"a b", b"\\Seen", b"a]", b"\xc3\xa4", &[b'k'; Keyword::MAX + 1]] {
            check(bad, false);
        }
        assert_eq!(Keyword::new(b"$Junk"), Keyword::new(b"$JUNK"));
    }

    #[test]
    fn system_flags() {
        assert_eq!(Flag::system("sEEN"), Some(Flag::Seen));
        assert_eq!(Flag::system("Recent"), None);
    }
}
