//! SEARCH (RFC 9051, 6.4.4; RFC 4731, 5032, 5182, 7162).

use jiff::civil::Date;

use super::{AString, Flag, Keyword, Numbering, SequenceSet};

/// Criteria in one SEARCH: each may be tested against every message.
pub const MAX_SEARCH_KEYS: usize = 4096;

/// The arguments of SEARCH and UID SEARCH.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Search {
    /// What the reply counts; sequence sets in `key` always count sequence numbers.
    pub numbering: Numbering,
    /// `RETURN (...)`; `None` if absent, which asks for the old reply in rev1.
    pub returns: Option<ReturnOptions>,
    /// `CHARSET`: of every string in `key`.
    pub charset: Option<AString>,
    /// What to look for.
    pub key: SearchKey,
}

/// `search-return-opts`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReturnOptions {
    /// `MIN`
    pub min: bool,
    /// `MAX`
    pub max: bool,
    /// `ALL`, also meant by `RETURN ()`
    pub all: bool,
    /// `COUNT`
    pub count: bool,
    /// `SAVE`: keep the result for `$`.
    pub save: bool,
}

/// `search-key` in a normal form: see [`SearchKey::and`], [`SearchKey::or`] and [`SearchKey::not`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SearchKey {
    /// Every message.
    All,
    /// All of these hold.
    And(Vec<SearchKey>),
    /// One of these holds.
    Or(Vec<SearchKey>),
    /// This does not hold.
    Not(Box<SearchKey>),
    /// The message has the flag.
    Has(Flag),
    /// It has not.
    Lacks(Flag),
    /// \Recent (rev1)
    Recent,
    /// Not \Recent (rev1)
    Old,
    /// \Recent and not \Seen (rev1)
    New,
    /// One of these sequence numbers.
    Sequence(SequenceSet),
    /// One of these UIDs.
    Uid(SequenceSet),
    /// A date, compared without time and zone.
    Date {
        /// Which date of the message.
        kind: DateKind,
        /// How it compares.
        relation: Relation,
        /// With what.
        date: Date,
    },
    /// Internal date more than so many seconds ago (RFC 5032); not zero.
    Older(u32),
    /// Internal date less than so many seconds ago (RFC 5032); not zero.
    Younger(u32),
    /// More octets than this.
    Larger(u64),
    /// Fewer octets than this.
    Smaller(u64),
    /// The text occurs in a field of the envelope.
    Envelope(EnvelopeField, AString),
    /// The text occurs in a header field of this name; the empty text asks for the field alone.
    Header(AString, AString),
    /// The text occurs in the body.
    Body(AString),
    /// The text occurs in the header or the body.
    Text(AString),
    /// Mod-sequence at least this (RFC 7162, 3.1.5). The entry that a client may name (`"/flags/\\Seen" all`) narrows nothing
    /// here: we keep one mod-sequence per message, which the RFC allows.
    ModSeq(u64),
}

/// Which date of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DateKind {
    /// INTERNALDATE
    Internal,
    /// The `Date:` field
    Sent,
}

/// How a date compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// Earlier than
    Before,
    /// The same day
    On,
    /// The same day or later
    Since,
}

/// The envelope fields that SEARCH names directly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EnvelopeField {
    /// `BCC`
    Bcc,
    /// `CC`
    Cc,
    /// `FROM`
    From,
    /// `SUBJECT`
    Subject,
    /// `TO`
    To,
}

impl EnvelopeField {
    /// Every field.
    pub const ALL: [EnvelopeField; 5] = [Self::Bcc, Self::Cc, Self::From, Self::Subject, Self::To];

    /// The word on the wire, also the header field's name.
    pub const fn name(self) -> &'static str {
        match self {
            EnvelopeField::Bcc => "BCC",
            EnvelopeField::Cc => "CC",
            EnvelopeField::From => "FROM",
            EnvelopeField::Subject => "SUBJECT",
            EnvelopeField::To => "TO",
        }
    }
}

impl SearchKey {
    /// All of `keys`: nested conjunctions become one list, a single key stays itself, no key is `ALL`.
    pub fn and(keys: Vec<SearchKey>) -> SearchKey {
        let flat = keys.into_iter().flat_map(|key| match key {
            SearchKey::And(inner) => inner,
            key => vec![key],
        });
        Self::join(flat.collect(), SearchKey::And)
    }

    /// One of `keys`: nested alternatives become one list, a single key stays itself.
    pub fn or(keys: Vec<SearchKey>) -> SearchKey {
        let flat = keys.into_iter().flat_map(|key| match key {
            SearchKey::Or(inner) => inner,
            key => vec![key],
        });
        Self::join(flat.collect(), SearchKey::Or)
    }

    /// The opposite of `key`; two negations cancel out.
    #[expect(clippy::should_implement_trait, reason = "named like its two neighbours")]
    pub fn not(key: SearchKey) -> SearchKey {
        match key {
            SearchKey::Not(inner) => *inner,
            key => SearchKey::Not(Box::new(key)),
        }
    }

    /// `KEYWORD` and `UNKEYWORD`.
    pub fn keyword(keyword: Keyword, present: bool) -> SearchKey {
        let flag = Flag::Keyword(keyword);
        if present { SearchKey::Has(flag) } else { SearchKey::Lacks(flag) }
    }

    /// How many criteria, counting each leaf once. The tree is never deep: the parser sees to that.
    pub fn count(&self) -> usize {
        match self {
            SearchKey::And(keys) | SearchKey::Or(keys) => keys.iter().map(SearchKey::count).sum(),
            SearchKey::Not(key) => key.count(),
            _ => 1,
        }
    }

    fn join(mut keys: Vec<SearchKey>, list: fn(Vec<SearchKey>) -> SearchKey) -> SearchKey {
        match keys.len() {
            0 => SearchKey::All,
            1 => keys.swap_remove(0),
            _ => list(keys),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_one_form() {
        use SearchKey::{All, And, Not, Old, Or, Recent};
        assert_eq!(SearchKey::and(vec![]), All);
        assert_eq!(SearchKey::and(vec![Old]), Old);
        assert_eq!(SearchKey::and(vec![Old, And(vec![All, Recent])]), And(vec![Old, All, Recent]));
        assert_eq!(SearchKey::or(vec![Or(vec![Old, All]), Recent]), Or(vec![Old, All, Recent]));
        assert_eq!(SearchKey::not(SearchKey::not(Old)), Old);
        assert_eq!(Or(vec![Old, And(vec![All, Recent]), Not(Box::new(Old))]).count(), 4);
    }
}
