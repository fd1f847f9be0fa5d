//! What a mailbox is for, so that clients find it whatever it is called (RFC 6154; \Important: RFC 8457).

use std::fmt;

/// A special use.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum SpecialUse {
    /// \All
    All,
    /// \Archive
    Archive,
    /// \Drafts
    Drafts,
    /// \Flagged
    Flagged,
    /// \Important
    Important,
    /// \Junk
    Junk,
    /// \Sent
    Sent,
    /// \Trash
    Trash,
}

impl SpecialUse {
    /// All special uses.
    pub const EVERY: [SpecialUse; 8] = [
        SpecialUse::All,
        SpecialUse::Archive,
        SpecialUse::Drafts,
        SpecialUse::Flagged,
        SpecialUse::Important,
        SpecialUse::Junk,
        SpecialUse::Sent,
        SpecialUse::Trash,
    ];

    /// The special use `text`, compared without regard to case, with its backslash.
    ///
    /// ```abnf
    /// use-attr = "\All" / "\Archive" / "\Drafts" / "\Flagged" / "\Junk" / "\Sent" / "\Trash" / use-attr-ext
    /// ```
    #[must_use]
    pub fn parse(text: &str) -> Option<SpecialUse> {
        SpecialUse::EVERY.into_iter().find(|known| known.as_str().eq_ignore_ascii_case(text))
    }

    /// The attribute as it goes on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            SpecialUse::All => "\\All",
            SpecialUse::Archive => "\\Archive",
            SpecialUse::Drafts => "\\Drafts",
            SpecialUse::Flagged => "\\Flagged",
            SpecialUse::Important => "\\Important",
            SpecialUse::Junk => "\\Junk",
            SpecialUse::Sent => "\\Sent",
            SpecialUse::Trash => "\\Trash",
        }
    }
}

impl fmt::Display for SpecialUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for known in SpecialUse::EVERY {
            assert_eq!(SpecialUse::parse(known.as_str()), Some(known));
            assert_eq!(SpecialUse::parse(&known.as_str().to_uppercase()), Some(known));
        }
        for bad in ["Sent", "\\Inbox", "\\Sent ", "", "\\"] {
            assert_eq!(SpecialUse::parse(bad), None, "{bad}");
        }
    }
}
