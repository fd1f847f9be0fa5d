//! Searches that index, seen state and header texts decide: whole sets of messages at a time instead of message by
//! message. `UNSEEN FROM joe` is two intersections; only what no set knows takes a look at the records, and only at those
//! of messages that are left.

use std::sync::Arc;

use mailstore::{Error, Glance, Keyword, KeywordBits, Mailbox, Reading, SystemFlags, TextField, UidSet};

use super::evaluate::is_on;
use super::program::Test;
use crate::types::EnvelopeField;

/// Below this many candidates it does not pay to bring the texts of all messages into memory.
const MANY: u64 = 256;

/// Messages decided under one lock: some hundred microseconds of work.
const AT_ONCE: u32 = 16_384;

/// Looks up the tests of header texts: each becomes the set of messages that pass it. Blocks.
pub(super) fn look_up_texts(mailbox: &Arc<Mailbox>, test: Test, candidates: &UidSet) -> Result<Test, Error> {
    if candidates.len() < MANY {
        return Ok(test);
    }
    let all = |tests: Vec<Test>| -> Result<Vec<Test>, Error> {
        tests.into_iter().map(|test| look_up_texts(mailbox, test, candidates)).collect()
    };
    Ok(match test {
        Test::All(tests) => Test::All(all(tests)?),
        Test::Any(tests) => Test::Any(all(tests)?),
        Test::Not(test) => Test::Not(Box::new(look_up_texts(mailbox, *test, candidates)?)),
        Test::Envelope(field, needle) if !needle.is_empty() => match mailbox.texts(text_field(field))? {
            Some(texts) => Test::Members(texts.find(&needle)),
            None => Test::Envelope(field, needle),
        },
        other => other,
    })
}

/// The part of the cache that holds the field as it is compared.
pub(super) fn text_field(field: EnvelopeField) -> TextField {
    match field {
        EnvelopeField::From => TextField::From,
        EnvelopeField::To => TextField::To,
        EnvelopeField::Cc => TextField::Cc,
        EnvelopeField::Bcc => TextField::Bcc,
        EnvelopeField::Subject => TextField::Subject,
    }
}

/// Whether a search can be decided here.
pub(super) fn decide(test: &Test) -> bool {
    match test {
        Test::All(tests) | Test::Any(tests) => tests.iter().all(decide),
        Test::Not(test) => decide(test),
        Test::Envelope(..) | Test::Header { .. } | Test::Body(_) | Test::Text(_) => false,
        _ => true,
    }
}

/// The messages among `candidates` that pass; those that are gone do not.
pub(super) fn search(mailbox: &Arc<Mailbox>, test: &Test, reader: &str, mut candidates: UidSet) -> UidSet {
    let mut found = UidSet::new();
    while let Some(first) = candidates.min() {
        let last = candidates.select(AT_ONCE - 1).or(candidates.max()).unwrap_or(first);
        let mut within = candidates.clone();
        within.remove_range(last.saturating_add(1)..);
        candidates.remove_range(..=last);
        let reading = mailbox.read_many();
        let now = Now { seen: reading.reader(reader).seen(), reading: &reading };
        within &= reading.uids();
        found |= now.passing(test, &within);
    }
    found
}

/// The mailbox while it is locked.
struct Now<'a> {
    reading: &'a Reading<'a>,
    seen: UidSet,
}

impl Now<'_> {
    /// The messages `within` that pass.
    fn passing(&self, test: &Test, within: &UidSet) -> UidSet {
        if within.is_empty() {
            return UidSet::new();
        }
        match test {
            Test::All(tests) => {
                // What sets know comes first, and all that takes a look is decided by one.
                let (looks, sets): (Vec<&Test>, Vec<&Test>) = tests.iter().partition(|test| is_of_record(test));
                let left = sets.iter().fold(within.clone(), |left, test| self.passing(test, &left));
                if looks.is_empty() { left } else { self.look(&looks, &left) }
            }
            Test::Any(tests) => tests.iter().fold(UidSet::new(), |found, test| {
                let more = self.passing(test, &(within - &found));
                found | more
            }),
            Test::Not(test) => within - self.passing(test, within),
            Test::Members(uids) => within & uids,
            Test::Seen => within & &self.seen,
            Test::System(SystemFlags::DELETED) => within & self.reading.deleted(),
            _ => self.look(&[test], within),
        }
    }

    /// Looks at the records: those that pass all tests.
    fn look(&self, tests: &[&Test], within: &UidSet) -> UidSet {
        if within.is_empty() {
            return UidSet::new();
        }
        let mut passing = Vec::new();
        let keywords = self.reading.keywords();
        self.reading.glance(within, |message| {
            if tests.iter().all(|test| by_record(test, message, keywords) == Some(true)) {
                passing.push(message.uid);
            }
        });
        // They come in the order of UIDs; were they not, a damaged index would say so.
        UidSet::from_sorted_iter(passing.iter().copied()).unwrap_or_else(|_| passing.into_iter().collect())
    }
}

/// Whether a test takes a look at a message's record, and no more than that.
fn is_of_record(test: &Test) -> bool {
    match test {
        Test::System(flags) => *flags != SystemFlags::DELETED,
        Test::Keyword(_) | Test::Larger(_) | Test::Smaller(_) | Test::Day(..) | Test::ModSeq(_) => true,
        Test::ArrivedBefore(_) | Test::ArrivedAfter(_) => true,
        _ => false,
    }
}

/// Whether a message passes a test that its record decides.
pub(super) fn by_record(test: &Test, record: &Glance, keywords: &[Keyword]) -> Option<bool> {
    Some(match test {
        Test::System(flags) => record.flags.contains(*flags),
        Test::Keyword(keyword) => record.keywords & bit(keyword, keywords) != 0,
        Test::Larger(octets) => u64::from(record.size) > *octets,
        Test::Smaller(octets) => u64::from(record.size) < *octets,
        Test::Day(kind, relation, day) => is_on(record, *kind, *relation, *day),
        Test::ArrivedBefore(second) => record.internal_date.seconds < *second,
        Test::ArrivedAfter(second) => record.internal_date.seconds > *second,
        Test::ModSeq(value) => record.modseq.get() >= *value,
        _ => return None,
    })
}

fn bit(keyword: &Keyword, keywords: &[Keyword]) -> KeywordBits {
    keywords.iter().position(|known| known == keyword).map_or(0, |bit| 1 << bit)
}
