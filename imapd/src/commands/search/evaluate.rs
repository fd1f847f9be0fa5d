//! Runs a search over a mailbox, on a thread that may block. Index and cache are read under the mailbox's lock, some
//! hundred messages at a time; message files without it, and only those of messages that nothing cheaper decides.

use std::sync::Arc;

use mailstore::disk::{Cause, DiskFile};
use mailstore::{
    CacheBuf, CacheItem, CacheItems, Error, ErrorKind, Glance, Keyword, MAX_MESSAGE, Mailbox, Reading, Record, UidSet,
};
use message::collation::Needle;
use message::header::Fields;
use message::text::{decode_header_value, matches_body, matches_text};
use message::{CachedHeaders, FieldSet, Sections};

use super::program::{Cost, Test};
use super::sets::{self, by_record, text_field};
use crate::types::{DateKind, EnvelopeField, Relation};

/// Messages looked at under one lock when files are not needed: a few milliseconds of work.
const CHUNK: usize = 1024;
/// The same when files may be needed: their cache records wait in memory for the lock to be let go.
const CHUNK_WITH_FILES: usize = 64;
/// Octets of cache records that may wait: a chunk ends early when messages have thousands of parts.
const HELD: usize = 1024 * 1024;

/// The messages among `candidates` that pass `test`.
pub(crate) fn evaluate(
    mailbox: &Arc<Mailbox>,
    test: Test,
    reader: &str,
    mut candidates: UidSet,
) -> Result<UidSet, Error> {
    if let Some(bounds) = test.bounds() {
        candidates &= bounds;
    }
    let test = &sets::look_up_texts(mailbox, test, &candidates)?;
    if sets::decide(test) {
        return Ok(sets::search(mailbox, test, reader, candidates));
    }
    let size = if test.cost() == Cost::File { CHUNK_WITH_FILES } else { CHUNK };
    let mut found = UidSet::new();
    while let Some(first) = candidates.min() {
        let last = candidates.select(size as u32 - 1).or(candidates.max()).unwrap_or(first);
        let chunk: UidSet = candidates.range(first..=last).collect();
        let rest = decide(mailbox, test, reader, &chunk, &mut found)?;
        candidates.remove_range(first..=rest.stopped_at.unwrap_or(last));
        for message in rest.messages {
            let uid = message.record.uid.get();
            if message.passes(mailbox, test)? {
                found.insert(uid);
            }
        }
    }
    Ok(found)
}

/// The highest mod-sequence among `uids`.
pub(crate) fn highest_mod_seq(mailbox: &Arc<Mailbox>, uids: &UidSet) -> Option<u64> {
    mailbox.read_many().records_of(uids).map(|record| record.modseq.get()).max()
}

/// What index and cache did not decide.
#[derive(Default)]
struct Rest {
    messages: Vec<Undecided>,
    /// The last message looked at, if it was not the last of the chunk.
    stopped_at: Option<u32>,
}

/// Decides what index and cache can decide, under the lock; returns the rest.
fn decide(
    mailbox: &Arc<Mailbox>,
    test: &Test,
    reader: &str,
    chunk: &UidSet,
    found: &mut UidSet,
) -> Result<Rest, Error> {
    let reading = mailbox.read_many();
    let seen_by = reading.reader(reader);
    let mut cache = CacheBuf::default();
    let keywords: Arc<[Keyword]> = reading.keywords().into();
    let (mut rest, mut held) = (Rest::default(), 0);
    for record in reading.records_of(chunk) {
        let known = Known { record, seen: seen_by.has_seen(record.uid) };
        let mut message = Message {
            known,
            keywords: &keywords,
            cache: &mut cache,
            cached: false,
            reading: Some(&reading),
            file: None,
        };
        match message.test(test)? {
            Some(true) => drop(found.insert(record.uid.get())),
            Some(false) => {}
            None => {
                message.load_cache()?;
                let keywords = Arc::clone(&keywords);
                held += cache.octets();
                rest.messages.push(Undecided { record, seen: known.seen, keywords, cache: std::mem::take(&mut cache) });
            }
        }
        if held > HELD {
            rest.stopped_at = Some(record.uid.get());
            break;
        }
    }
    Ok(rest)
}

/// A message that takes its file to decide: what was copied out under the lock.
struct Undecided {
    record: Record,
    seen: bool,
    keywords: Arc<[Keyword]>,
    cache: CacheBuf,
}

impl Undecided {
    /// Whether it passes. A message that is gone by now does not.
    fn passes(mut self, mailbox: &Arc<Mailbox>, test: &Test) -> Result<bool, Error> {
        let file = match mailbox.open_message(self.record.uid) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::Expunged => return Ok(false),
            Err(error) => return Err(error),
        };
        let mut message = Message {
            known: Known { record: self.record, seen: self.seen },
            keywords: &self.keywords,
            cache: &mut self.cache,
            cached: true,
            reading: None,
            file: Some(File { file, octets: None, sections: None }),
        };
        Ok(message.test(test)? == Some(true))
    }
}

/// What the index says of a message.
#[derive(Clone, Copy)]
struct Known {
    record: Record,
    seen: bool,
}

/// A message under test, and what was read of it so far.
struct Message<'a> {
    known: Known,
    keywords: &'a [Keyword],
    cache: &'a mut CacheBuf,
    cached: bool,
    /// Where the cache record comes from, until it was read.
    reading: Option<&'a Reading<'a>>,
    /// The message file, where it may be read.
    file: Option<File>,
}

/// A message file, read when the first test needs it.
struct File {
    file: DiskFile,
    octets: Option<Vec<u8>>,
    sections: Option<Sections>,
}

impl Message<'_> {
    /// Whether the message passes; `None` if only its file can tell and is not at hand.
    fn test(&mut self, test: &Test) -> Result<Option<bool>, Error> {
        if let Some(passes) = by_record(test, &Glance::from(&self.known.record), self.keywords) {
            return Ok(Some(passes));
        }
        let record = &self.known.record;
        Ok(Some(match test {
            Test::All(tests) => return self.test_until(tests, false),
            Test::Any(tests) => return self.test_until(tests, true),
            Test::Not(test) => return Ok(self.test(test)?.map(|passes| !passes)),
            Test::Members(uids) => uids.contains(record.uid.get()),
            Test::Seen => self.known.seen,
            Test::Envelope(field, needle) => self.envelope_holds(*field, needle)?,
            Test::Header { name, needle } => return self.header_holds(name, needle.as_ref()),
            Test::Body(needle) => return self.file_holds(|octets, sections| matches_body(octets, sections, needle)),
            Test::Text(needle) => return self.file_holds(|octets, sections| matches_text(octets, sections, needle)),
            // The record has decided.
            _ => false,
        }))
    }

    /// Tests one after another until one is `decisive`; without such, undecided if any was.
    fn test_until(&mut self, tests: &[Test], decisive: bool) -> Result<Option<bool>, Error> {
        let mut result = Some(!decisive);
        for test in tests {
            match self.test(test)? {
                Some(passes) if passes == decisive => return Ok(Some(decisive)),
                Some(_) => {}
                None => result = None,
            }
        }
        Ok(result)
    }

    fn load_cache(&mut self) -> Result<(), Error> {
        if !self.cached
            && let Some(reading) = self.reading
        {
            reading.cache(&self.known.record, searched(), self.cache)?;
            self.cached = true;
        }
        Ok(())
    }

    /// The cache holds these fields decoded and normalised.
    fn envelope_holds(&mut self, field: EnvelopeField, needle: &Needle) -> Result<bool, Error> {
        self.load_cache()?;
        let text = self.cache.item(text_field(field).item());
        Ok(needle.is_in_normalised(&String::from_utf8_lossy(text)))
    }

    /// From the cached fields if those include this one, else from the file.
    fn header_holds(&mut self, name: &FieldSet, needle: Option<&Needle>) -> Result<Option<bool>, Error> {
        self.load_cache()?;
        if let Some(cached) =
            CachedHeaders::open(self.cache.item(CacheItem::Headers)).filter(|cached| cached.covers(name))
        {
            return Ok(Some(fields_hold(cached.block(), name, needle)));
        }
        self.file_holds(|octets, sections| {
            let header = sections.parts().first().map(|root| root.header.clone());
            header.and_then(|range| octets.get(range)).is_some_and(|block| fields_hold(block, name, needle))
        })
    }

    fn file_holds(&mut self, holds: impl FnOnce(&[u8], &Sections) -> bool) -> Result<Option<bool>, Error> {
        let Some(file) = &mut self.file else { return Ok(None) };
        if file.octets.is_none() {
            file.octets = match file.file.read_all(MAX_MESSAGE) {
                Ok(octets) => Some(octets),
                // Whatever grew so large is no message, and holds nothing.
                Err(error) if matches!(error.cause, Cause::TooLarge { .. }) => return Ok(Some(false)),
                Err(error) => return Err(error.into()),
            };
            file.sections = Sections::decode(self.cache.item(CacheItem::Sections)).ok();
        }
        match (&file.octets, &file.sections) {
            (Some(octets), Some(sections)) => Ok(Some(holds(octets, sections))),
            // Damage of the cache: what cannot be read holds nothing.
            _ => Ok(Some(false)),
        }
    }
}

/// What of a cache record a search may need: all that is not made for FETCH.
fn searched() -> CacheItems {
    CacheItems::with([CacheItem::Sections, CacheItem::Subject]).unwrap_or(CacheItems::ALL)
}

fn fields_hold(block: &[u8], name: &FieldSet, needle: Option<&Needle>) -> bool {
    Fields::new(block)
        .filter(|field| name.contains(field.name))
        .any(|field| needle.is_none_or(|needle| needle.is_in(&decode_header_value(field.value))))
}

/// RFC 9051, 6.4.4: dates compare "disregarding time and timezone", so by the writer's own calendar.
pub(super) fn is_on(record: &Glance, kind: DateKind, relation: Relation, day: i64) -> bool {
    let date = match kind {
        DateKind::Internal => record.internal_date,
        DateKind::Sent => record.sent_date,
    };
    let written = date.seconds.saturating_add(i64::from(date.zone_minutes) * 60).div_euclid(86_400);
    match relation {
        Relation::Before => written < day,
        Relation::On => written == day,
        Relation::Since => written >= day,
    }
}
