//! Flags of a message: the system flags of RFC 9051, 2.3.2, and keywords. \Seen and \Recent are not here: they belong
//! to a reader, not to the message (`seen`).

use std::fmt;

/// The system flags that all readers of a mailbox share, as bits of an index record.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub struct SystemFlags(u32);

impl SystemFlags {
    /// No flag.
    pub const NONE: SystemFlags = SystemFlags(0);
    /// \Answered
    pub const ANSWERED: SystemFlags = SystemFlags(1);
    /// \Flagged
    pub const FLAGGED: SystemFlags = SystemFlags(2);
    /// \Deleted
    pub const DELETED: SystemFlags = SystemFlags(4);
    /// \Draft
    pub const DRAFT: SystemFlags = SystemFlags(8);
    /// Not a flag of the protocol: the message was expunged, its record stays until the next repack.
    pub(crate) const EXPUNGED: SystemFlags = SystemFlags(1 << 31);

    /// The bits a client can set.
    pub const CLIENT: SystemFlags = SystemFlags(15);

    /// The flags in `bits`; unknown bits are dropped.
    #[must_use]
    pub fn from_bits(bits: u32) -> SystemFlags {
        SystemFlags(bits & (Self::CLIENT.0 | Self::EXPUNGED.0))
    }

    /// The bits as they are stored.
    #[must_use]
    pub fn bits(self) -> u32 {
        self.0
    }

    /// Whether all flags of `other` are set.
    #[must_use]
    pub fn contains(self, other: SystemFlags) -> bool {
        self.0 & other.0 == other.0
    }

    /// These flags and `other`.
    #[must_use]
    pub fn with(self, other: SystemFlags) -> SystemFlags {
        SystemFlags(self.0 | other.0)
    }

    /// These flags without `other`.
    #[must_use]
    pub fn without(self, other: SystemFlags) -> SystemFlags {
        SystemFlags(self.0 & !other.0)
    }
}

/// How many keywords a mailbox can have: the index record has a bit for each.
pub const MAX_KEYWORDS: usize = 128;

/// Longest keyword: cyrus.header holds all of a mailbox on one line, and no client sends longer ones.
pub(crate) const MAX_KEYWORD_LEN: usize = 255;

/// The keywords of one message: bit n stands for the n-th name in the mailbox's cyrus.header.
pub type KeywordBits = u128;

/// A keyword (`flag-keyword` of RFC 9051, 9): an atom without a leading backslash. Keywords compare without regard to
/// case, and keep the case they were first given in.
#[derive(Clone, Debug)]
pub struct Keyword(String);

impl Keyword {
    /// The keyword `text`, if it is an atom of at most [`MAX_KEYWORD_LEN`] octets.
    #[must_use]
    pub fn parse(text: &str) -> Option<Keyword> {
        let atom = |b: u8| b.is_ascii_graphic() && !matches!(b, b'(' | b')' | b'{' | b'%' | b'*' | b'"' | b'\\' | b']');
        ((1..=MAX_KEYWORD_LEN).contains(&text.len()) && text.bytes().all(atom)).then(|| Keyword(text.to_owned()))
    }

    /// The keyword as it was first given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl PartialEq for Keyword {
    fn eq(&self, other: &Keyword) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for Keyword {}

impl fmt::Display for Keyword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_are_atoms() {
        for good in ["$Forwarded", "Todo", "a.b", "[x", "NonJunk", "$MDNSent"] {
            assert_eq!(Keyword::parse(good).unwrap().as_str(), good);
        }
        for bad in ["", "\\Seen", "a b", "a(", "x\"", "é", "a]", "%", "a\u{7f}", &"k".repeat(256)] {
            assert!(Keyword::parse(bad).is_none(), "{bad}");
        }
        assert_eq!(Keyword::parse("todo"), Keyword::parse("TODO"));
    }

    #[test]
    fn system_flags_are_sets() {
        let f = SystemFlags::ANSWERED.with(SystemFlags::DRAFT);
        assert!(f.contains(SystemFlags::DRAFT) && !f.contains(SystemFlags::DELETED));
        assert_eq!(f.without(SystemFlags::DRAFT), SystemFlags::ANSWERED);
        assert_eq!(SystemFlags::from_bits(u32::MAX).bits(), 15 | 1 << 31);
    }
}
