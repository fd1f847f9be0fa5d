//! What a client's flag list asks for, in the store's terms: the arguments of STORE and APPEND.

use mailstore::{Keyword, Permitted, SystemFlags};

use crate::types::Flag;

/// A client's flags in the store's terms.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Asked {
    /// System flags but \Seen.
    pub(crate) system: SystemFlags,
    /// \Seen.
    pub(crate) seen: bool,
    /// Keywords.
    pub(crate) keywords: Vec<Keyword>,
}

impl Asked {
    /// What `flags` ask for.
    pub(crate) fn of(flags: &[Flag]) -> Asked {
        let mut asked = Asked::default();
        for flag in flags {
            match flag {
                Flag::Seen => asked.seen = true,
                // The store takes every keyword that the grammar lets pass, and longer ones.
                Flag::Keyword(keyword) => asked.keywords.extend(Keyword::parse(keyword.as_str())),
                Flag::Answered => asked.system = asked.system.with(SystemFlags::ANSWERED),
                Flag::Flagged => asked.system = asked.system.with(SystemFlags::FLAGGED),
                Flag::Deleted => asked.system = asked.system.with(SystemFlags::DELETED),
                Flag::Draft => asked.system = asked.system.with(SystemFlags::DRAFT),
            }
        }
        asked
    }

    /// What of it `permitted` allows. APPEND drops the rest without a word (RFC 4314, 4).
    pub(crate) fn within(self, permitted: Permitted) -> Asked {
        Asked {
            system: SystemFlags::from_bits(self.system.bits() & permitted.system.bits()),
            seen: self.seen && permitted.seen,
            keywords: if permitted.keywords { self.keywords } else { Vec::new() },
        }
    }

    /// Whether `permitted` lets none of these flags be changed, though there are some.
    pub(crate) fn is_forbidden(&self, permitted: Permitted) -> bool {
        let wanted = self.seen || !self.keywords.is_empty() || self.system != SystemFlags::NONE;
        let allowed = (self.seen && permitted.seen)
            || (!self.keywords.is_empty() && permitted.keywords)
            || self.system.bits() & permitted.system.bits() != 0;
        wanted && !allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types;

    #[test]
    fn flags_are_split_by_who_shares_them() {
        let keyword = types::Keyword::new(b"$Junk").unwrap();
        let asked = Asked::of(&[Flag::Seen, Flag::Deleted, Flag::Draft, Flag::Keyword(keyword)]);
        assert_eq!(asked.system, SystemFlags::DELETED.with(SystemFlags::DRAFT));
        assert!(asked.seen);
        assert_eq!(asked.keywords, [Keyword::parse("$junk").unwrap()]);
    }

    #[test]
    fn a_store_is_forbidden_when_nothing_of_it_is_allowed() {
        let nothing = Permitted { system: SystemFlags::NONE, seen: false, keywords: false };
        let check = |flags: &[Flag], permitted, expected| {
            assert_eq!(Asked::of(flags).is_forbidden(permitted), expected, "{flags:?} {permitted:?}");
        };
        check(&[Flag::Seen], nothing, true);
        check(&[], nothing, false);
        check(&[Flag::Seen, Flag::Deleted], Permitted { seen: true, ..nothing }, false);
        check(&[Flag::Draft], Permitted { system: SystemFlags::DELETED, ..nothing }, true);
        check(&[Flag::Keyword(types::Keyword::new(b"k").unwrap())], Permitted { keywords: true, ..nothing }, false);
    }
}
