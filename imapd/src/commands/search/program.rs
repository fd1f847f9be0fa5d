//! Search criteria made ready to run: sets as UIDs, dates as days, texts decoded and normalised once, cheap tests first.

use jiff::civil::Date;
use jiff::tz::Offset;
use mailstore::{Keyword, SystemFlags, UidSet};
use message::FieldSet;
use message::collation::Needle;
use message::text::{decode_charset, is_known_charset};

use crate::types::{AString, DateKind, EnvelopeField, Flag, Numbering, Relation, SearchKey};
use crate::view::{NoSuchMessage, View};

/// A test of one message.
#[derive(Debug)]
pub(crate) enum Test {
    /// All hold; cheapest first.
    All(Vec<Test>),
    /// One holds; cheapest first.
    Any(Vec<Test>),
    /// It does not hold.
    Not(Box<Test>),
    /// One of these messages.
    Members(UidSet),
    /// \Seen by the reader.
    Seen,
    /// All of these system flags.
    System(SystemFlags),
    /// The keyword.
    Keyword(Keyword),
    /// More octets.
    Larger(u64),
    /// Fewer octets.
    Smaller(u64),
    /// A day, counted from 1970, on the clock of whoever wrote the date.
    Day(DateKind, Relation, i64),
    /// Arrived before this second.
    ArrivedBefore(i64),
    /// Arrived after this second.
    ArrivedAfter(i64),
    /// Changed at or after this mod-sequence.
    ModSeq(u64),
    /// The text is in a field of the envelope.
    Envelope(EnvelopeField, Needle),
    /// A header field of this name holds the text; no text asks for the field alone.
    Header {
        /// Its name, to ask the cache for.
        name: FieldSet,
        /// What its value holds.
        needle: Option<Needle>,
    },
    /// The text is in the body.
    Body(Needle),
    /// The text is in header or body.
    Text(Needle),
}

/// What a test must look at, cheapest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Cost {
    /// The index.
    Index,
    /// The cache.
    Cache,
    /// The message file.
    File,
}

/// Why criteria cannot be run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SearchError {
    /// A sequence number that no message has: BAD.
    #[error(transparent)]
    NoSuchMessage(#[from] NoSuchMessage),
    /// A charset that nobody here knows: NO [BADCHARSET].
    #[error("The charset is not known")]
    UnknownCharset,
    /// A text that is no text in its charset: BAD.
    #[error("A search text is not in the charset named")]
    NotInCharset,
}

/// What criteria are compiled against.
pub(crate) struct Compiler<'a> {
    view: &'a View,
    charset: Option<&'a str>,
    now: i64,
}

impl<'a> Compiler<'a> {
    /// For a session's view, texts in `charset` (UTF-8 if there is none, which US-ASCII is part of) and the time `now`.
    pub(crate) fn new(view: &'a View, charset: Option<&'a AString>, now: i64) -> Result<Compiler<'a>, SearchError> {
        let charset = match charset.map(AString::to_str) {
            None => None,
            Some(Some(name)) if is_known_charset(name) => Some(name),
            Some(_) => return Err(SearchError::UnknownCharset),
        };
        Ok(Compiler { view, charset, now })
    }

    /// Makes `key` ready. Criteria are as deep as the parser lets them be, so this may recurse.
    pub(crate) fn compile(&self, key: &SearchKey) -> Result<Test, SearchError> {
        Ok(match key {
            SearchKey::All => Test::All(Vec::new()),
            SearchKey::And(keys) => Test::All(self.sorted(keys)?),
            SearchKey::Or(keys) => Test::Any(self.sorted(keys)?),
            SearchKey::Not(key) => not(self.compile(key)?),
            SearchKey::Has(flag) => has(flag),
            SearchKey::Lacks(flag) => not(has(flag)),
            SearchKey::Recent => self.recent(),
            SearchKey::Old => not(self.recent()),
            SearchKey::New => Test::All(vec![self.recent(), not(Test::Seen)]),
            SearchKey::Sequence(set) => Test::Members(self.view.resolve(set, Numbering::Sequence)?),
            SearchKey::Uid(set) => Test::Members(self.view.resolve(set, Numbering::Uid)?),
            SearchKey::Date { kind, relation, date } => Test::Day(*kind, *relation, day(*date)),
            SearchKey::Older(seconds) => Test::ArrivedBefore(self.now.saturating_sub(i64::from(*seconds)) + 1),
            SearchKey::Younger(seconds) => Test::ArrivedAfter(self.now.saturating_sub(i64::from(*seconds)) - 1),
            SearchKey::Larger(octets) => Test::Larger(*octets),
            SearchKey::Smaller(octets) => Test::Smaller(*octets),
            SearchKey::ModSeq(value) => Test::ModSeq(*value),
            SearchKey::Envelope(field, text) => Test::Envelope(*field, self.needle(text)?),
            SearchKey::Header(name, text) => Test::Header {
                name: FieldSet::new([name.as_bytes()]),
                needle: if text.as_bytes().is_empty() { None } else { Some(self.needle(text)?) },
            },
            SearchKey::Body(text) => Test::Body(self.needle(text)?),
            SearchKey::Text(text) => Test::Text(self.needle(text)?),
        })
    }

    fn sorted(&self, keys: &[SearchKey]) -> Result<Vec<Test>, SearchError> {
        let mut tests = keys.iter().map(|key| self.compile(key)).collect::<Result<Vec<Test>, _>>()?;
        tests.sort_by_key(Test::cost);
        Ok(tests)
    }

    fn recent(&self) -> Test {
        Test::Members(self.view.uids().iter().filter(|&uid| self.view.is_recent(uid)).collect())
    }

    fn needle(&self, text: &AString) -> Result<Needle, SearchError> {
        match self.charset {
            None => text.to_str().map(Needle::new).ok_or(SearchError::NotInCharset),
            Some(charset) => Ok(Needle::new(&decode_charset(text.as_bytes(), Some(charset)))),
        }
    }
}

impl Test {
    /// The dearest thing that this may look at.
    pub(crate) fn cost(&self) -> Cost {
        match self {
            Test::All(tests) | Test::Any(tests) => tests.iter().map(Test::cost).max().unwrap_or(Cost::Index),
            Test::Not(test) => test.cost(),
            Test::Envelope(..) | Test::Header { .. } => Cost::Cache,
            Test::Body(_) | Test::Text(_) => Cost::File,
            _ => Cost::Index,
        }
    }

    /// Messages outside of these cannot pass; `None` if nothing is known.
    pub(crate) fn bounds(&self) -> Option<UidSet> {
        match self {
            Test::Members(uids) => Some(uids.clone()),
            Test::All(tests) => tests.iter().filter_map(Test::bounds).reduce(|bounds, more| bounds & more),
            _ => None,
        }
    }
}

fn not(test: Test) -> Test {
    Test::Not(Box::new(test))
}

fn has(flag: &Flag) -> Test {
    match flag {
        Flag::Seen => Test::Seen,
        Flag::Answered => Test::System(SystemFlags::ANSWERED),
        Flag::Flagged => Test::System(SystemFlags::FLAGGED),
        Flag::Deleted => Test::System(SystemFlags::DELETED),
        Flag::Draft => Test::System(SystemFlags::DRAFT),
        // What the store takes for no keyword, no message has.
        Flag::Keyword(keyword) => Keyword::parse(keyword.as_str()).map_or(Test::Members(UidSet::new()), Test::Keyword),
    }
}

/// Days since 1970.
fn day(date: Date) -> i64 {
    let midnight = date.to_datetime(jiff::civil::Time::midnight());
    // Every date that the grammar lets pass has a time stamp, but for the edges of the calendar.
    Offset::UTC.to_timestamp(midnight).map_or(i64::MAX / 2, |stamp| stamp.as_second().div_euclid(86_400))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{Arguments, Encoding};
    use mailstore::ModSeq;

    fn compile(command: &[u8]) -> Result<Test, SearchError> {
        let request = crate::syntax::parse(command, Encoding::Utf8).unwrap();
        let Arguments::Search(search) = request.arguments else { panic!("no search") };
        let view = View::new(&[2, 4, 6].into_iter().collect(), ModSeq::ZERO, 4);
        Compiler::new(&view, search.charset.as_ref(), 1_000_000)?.compile(&search.key)
    }

    #[test]
    fn cheap_tests_come_first() {
        let Test::All(tests) = compile(b"a SEARCH TEXT x FROM y SEEN").unwrap() else { panic!("not ALL") };
        let costs: Vec<Cost> = tests.iter().map(Test::cost).collect();
        assert_eq!(costs, [Cost::Index, Cost::Cache, Cost::File]);
    }

    #[test]
    fn sets_bound_the_search() {
        let check = |command: &str, expected: Option<&[u32]>| {
            let bounds = compile(command.as_bytes()).unwrap().bounds();
            assert_eq!(bounds.map(|uids| uids.iter().collect::<Vec<_>>()).as_deref(), expected, "{command}");
        };
        check("a SEARCH 2:3 TEXT x", Some(&[4, 6]));
        check("a SEARCH UID 1:5 1:2 TEXT x", Some(&[2, 4]));
        check("a SEARCH RECENT", Some(&[6]));
        check("a SEARCH OR 1 TEXT x", None);
        check("a SEARCH NOT 1", None);
    }

    #[test]
    fn what_cannot_be_searched() {
        let check = |command: &[u8], expected: Option<SearchError>| {
            assert_eq!(compile(command).err(), expected, "{}", command.escape_ascii());
        };
        check(b"a SEARCH CHARSET x-unheard-of TEXT x", Some(SearchError::UnknownCharset));
        check(b"a SEARCH TEXT {1}\r\n\xff", Some(SearchError::NotInCharset));
        check(b"a SEARCH CHARSET ISO-8859-1 TEXT {1}\r\n\xff", None);
        check(b"a SEARCH CHARSET US-ASCII TEXT x", None);
        check(b"a SEARCH CHARSET utf-8 TEXT \"\xc3\xbc\"", None);
        assert!(matches!(compile(b"a SEARCH 4"), Err(SearchError::NoSuchMessage(_))));
    }

    #[test]
    fn days() {
        assert_eq!(day(jiff::civil::date(1970, 1, 1)), 0);
        assert_eq!(day(jiff::civil::date(1969, 12, 31)), -1);
        assert_eq!(day(jiff::civil::date(2026, 11, 22)), 20_779);
    }
}
