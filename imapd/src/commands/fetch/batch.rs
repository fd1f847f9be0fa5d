//! The replies for some hundred messages, made on a thread that may block: under the mailbox's lock what index and cache
//! know, without it what is in the message files.

use std::sync::Arc;

use mailstore::{
    CacheBuf, Error, ErrorKind, FlagOp, Mailbox, ModSeq, Permitted, Record, StoreRequest, SystemFlags, UidSet,
};

use super::plan::Plan;
use super::render::{Facts, Problem, Source, render};
use crate::pieces::{Piece, Pieces};
use crate::types::FetchAttribute;

/// A message as the view knows it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    /// Its sequence number.
    pub(crate) sequence: u32,
    /// Its UID.
    pub(crate) uid: u32,
    /// It is \Recent in this session (rev1).
    pub(crate) recent: bool,
}

/// What came of a batch.
#[derive(Debug, Default)]
pub(crate) struct Made {
    /// The replies.
    pub(crate) pieces: Vec<Piece>,
    /// How many of the messages were dealt with; the others did not fit.
    pub(crate) done: usize,
    /// How many octets of text the replies take.
    pub(crate) octets: usize,
    /// Some messages are gone.
    pub(crate) missing: bool,
    /// Messages that are \Seen now and were not, and since when.
    pub(crate) marked: Option<(UidSet, ModSeq)>,
}

/// Why a batch was not made.
#[derive(Debug)]
pub(crate) enum Failure {
    /// RFC 3516, 4.3.
    UnknownEncoding,
    /// The store's.
    Store(Error),
    /// [`Place::Reactor`], and a message would have to be read: make it on a thread that may block.
    NotHere,
}

/// Where a batch is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// On a session's task, where nothing may wait for the disk.
    Reactor,
    /// On a thread that may block.
    Blocking,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure::Store(error)
    }
}

/// Above this a batch ends: replies wait in memory until they are written. 1 MiB is many envelopes, and small beside what
/// one message may take.
const HELD: usize = 1024 * 1024;
/// From this many messages on, the index is worth mapping.
const MANY: usize = 16;

/// Whether the replies for `messages`, ascending, can be made without a wait for the disk. The index was read when the
/// mailbox was opened; what is asked of the cache may have to come from the disk.
pub(crate) fn is_in_memory(mailbox: &Arc<Mailbox>, plan: &Plan, messages: &[Wanted]) -> bool {
    if plan.uses_file || plan.marks_seen {
        return false;
    }
    let (Some(first), Some(last)) = (messages.first(), messages.last()) else { return true };
    plan.cached.is_none() || mailbox.read().is_cache_in_memory(first.uid..=last.uid)
}

/// Makes the replies for `messages`, ascending. `room`: how many octets of text they will take, near enough.
pub(crate) fn make(
    mailbox: &Arc<Mailbox>,
    plan: &Plan,
    reader: &str,
    messages: &[Wanted],
    place: Place,
    room: usize,
) -> Result<Made, Failure> {
    let mut made = Made { marked: mark_seen(mailbox, plan, reader, messages)?, ..Made::default() };
    let mut out = Pieces::with_room(room.min(HELD));
    let drafts = under_lock(mailbox, plan, reader, messages, place, &mut made, &mut out)?;
    for (at, draft) in &drafts {
        // When every message is a draft, all before this one are done; else drafts are few, and others behind them are done.
        if plan.uses_file && out.held() > HELD {
            made.done = *at;
            break;
        }
        let start = out.mark();
        let mut source = Source::filed(&draft.cache, mailbox, draft.record.uid);
        let flags: Vec<&str> = draft.flags.iter().map(String::as_str).collect();
        let facts =
            Facts { sequence: draft.sequence, record: &draft.record, flags: &flags, tell_flags: draft.tell_flags };
        match render(plan, &facts, &mut source, &mut out) {
            Ok(()) => {}
            Err(Problem::Store(error)) if error.kind() == ErrorKind::Expunged => {
                out.rewind(start);
                made.missing = true;
            }
            Err(Problem::UnknownEncoding) => return Err(Failure::UnknownEncoding),
            Err(Problem::Store(error)) => return Err(error.into()),
            Err(Problem::NeedsFile | Problem::Damaged | Problem::Unhealed) => return Err(damaged(mailbox).into()),
        }
    }
    made.octets = out.held();
    made.pieces = out.finish();
    Ok(made)
}

/// A message that needs its file: what was copied out under the lock.
struct Draft {
    sequence: u32,
    record: Record,
    flags: Vec<String>,
    tell_flags: bool,
    cache: CacheBuf,
}

/// Makes what index and cache suffice for, and copies out what the rest needs. Sets how many messages were dealt with.
fn under_lock(
    mailbox: &Arc<Mailbox>,
    plan: &Plan,
    reader: &str,
    messages: &[Wanted],
    place: Place,
    made: &mut Made,
    out: &mut Pieces,
) -> Result<Vec<(usize, Draft)>, Failure> {
    let reading = if messages.len() < MANY { mailbox.read() } else { mailbox.read_many() };
    let seen_by = reading.reader(reader);
    let uses_flags = plan.has(&FetchAttribute::Flags) || made.marked.is_some();
    let mut cache = CacheBuf::default();
    let mut drafts = Vec::new();
    let mut records = reading.in_order();
    let mut flags = Vec::new();
    let mut copied = 0;
    for (at, wanted) in messages.iter().enumerate() {
        if out.held() + copied > HELD {
            made.done = at;
            return Ok(drafts);
        }
        let Some(record) = records.find(wanted.uid) else {
            made.missing = true;
            continue;
        };
        if record.modseq.get() <= plan.changed_since {
            continue;
        }
        let seen = seen_by.has_seen(record.uid);
        flags.clear();
        if uses_flags {
            flags.extend(crate::flags::of_message(&record, reading.keywords(), seen, wanted.recent));
        }
        let tell_flags = made.marked.as_ref().is_some_and(|(marked, _)| marked.contains(wanted.uid));
        let facts = Facts { sequence: wanted.sequence, record: &record, flags: &flags, tell_flags };
        let start = out.mark();
        if plan.is_ready_made
            && let Some(place) = reading.cache_place(&record)
        {
            match render(plan, &facts, &mut Source::there(place), out) {
                Ok(()) => continue,
                // An item is damaged: all of it is made anew below.
                Err(_) => out.rewind(start),
            }
        }
        if let Some(items) = plan.cached
            && !reading.cache_if_whole(&record, items, &mut cache)
        {
            match place {
                Place::Reactor => return Err(Failure::NotHere),
                Place::Blocking => reading.cache(&record, items, &mut cache)?,
            }
        }
        let rendered = match plan.uses_file {
            true => Err(Problem::NeedsFile),
            false => render(plan, &facts, &mut Source::copied(&cache), out),
        };
        match rendered {
            Ok(()) => {}
            Err(Problem::NeedsFile) => {
                out.rewind(start);
                let flags = flags.iter().copied().map(str::to_owned).collect();
                let cache = std::mem::take(&mut cache);
                copied += cache.octets();
                drafts.push((at, Draft { sequence: wanted.sequence, record, flags, tell_flags, cache }));
            }
            Err(Problem::UnknownEncoding) => return Err(Failure::UnknownEncoding),
            Err(Problem::Store(error)) => return Err(error.into()),
            Err(Problem::Damaged | Problem::Unhealed) => return Err(damaged(mailbox).into()),
        }
    }
    made.done = messages.len();
    Ok(drafts)
}

/// RFC 9051, 6.4.5: reading a body sets \Seen, before the reply, so that the reply can say so.
fn mark_seen(
    mailbox: &Arc<Mailbox>,
    plan: &Plan,
    reader: &str,
    messages: &[Wanted],
) -> Result<Option<(UidSet, ModSeq)>, Error> {
    if !plan.marks_seen {
        return Ok(None);
    }
    let wanted: UidSet = messages.iter().map(|message| message.uid).collect();
    let uids: UidSet = {
        let reading = mailbox.read();
        let live = &wanted & reading.uids();
        let mut unseen = live - reading.reader(reader).seen();
        if plan.changed_since > 0 {
            let fresh = |uid: &u32| {
                let record = mailstore::Uid::new(*uid).and_then(|uid| reading.record(uid));
                record.is_some_and(|record| record.modseq.get() > plan.changed_since)
            };
            unseen = unseen.iter().filter(fresh).collect();
        }
        unseen
    };
    if uids.is_empty() {
        return Ok(None);
    }
    let stored = mailbox.store(&StoreRequest {
        reader,
        uids: &uids,
        op: FlagOp::Add,
        system: SystemFlags::NONE,
        seen: true,
        keywords: &[],
        permitted: Permitted { system: SystemFlags::NONE, seen: true, keywords: false },
        unchanged_since: None,
    })?;
    Ok(Some((stored.changed, stored.modseq)))
}

fn damaged(mailbox: &Mailbox) -> Error {
    Error::Corrupt { path: mailbox.dir().join("cyrus.cache"), what: "section table cannot be read".into() }
}
