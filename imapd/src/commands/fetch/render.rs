//! One message's FETCH reply.

use std::sync::Arc;

use bytes::BytesMut;
use mailstore::disk::DiskFile;
use mailstore::{CacheBuf, CacheItem, CachePlace, Error, Mailbox, Record};
use message::Sections;

use super::body;
use super::plan::{Item, Plan};
use crate::pieces::Pieces;
use crate::reply::{FetchItems, fetch_end, fetch_start};
use crate::types::{DateTime, FetchAttribute};

/// Why a reply was not made.
#[derive(Debug)]
pub(crate) enum Problem {
    /// The message file is needed, but this is not the place to open it.
    NeedsFile,
    /// The part's transfer encoding is unknown (RFC 3516, 4.3).
    UnknownEncoding,
    /// The section table in the cache cannot be read.
    Damaged,
    /// An item in the cache is damaged and must be made anew.
    Unhealed,
    /// The store's.
    Store(Error),
}

impl From<Error> for Problem {
    fn from(error: Error) -> Problem {
        Problem::Store(error)
    }
}

impl From<mailstore::disk::Error> for Problem {
    fn from(error: mailstore::disk::Error) -> Problem {
        Problem::Store(error.into())
    }
}

/// What is known of a message without its file.
#[derive(Debug)]
pub(crate) struct Facts<'a> {
    /// Its sequence number.
    pub(crate) sequence: u32,
    /// Its index record.
    pub(crate) record: &'a Record,
    /// Its flags as printed.
    pub(crate) flags: &'a [&'a str],
    /// FLAGS are told although nobody asked: this very command has set \Seen.
    pub(crate) tell_flags: bool,
}

/// Where a message's items come from. The file is opened when an item needs it, once.
pub(crate) struct Source<'a> {
    cache: Cache<'a>,
    sections: Option<Sections>,
    file: File<'a>,
}

/// The cache record.
enum Cache<'a> {
    /// What the plan needs of it, copied out; empty if it needs nothing.
    Copied(&'a CacheBuf),
    /// Where it is: items that are ready-made are copied once, into the reply.
    There(CachePlace<'a>),
}

enum File<'a> {
    /// May not be opened here.
    Closed,
    /// To be opened.
    Of(&'a Arc<Mailbox>, mailstore::Uid),
    Open(DiskFile),
}

impl<'a> Source<'a> {
    /// Cache only: under the mailbox's lock, where no file is opened.
    pub(crate) fn copied(cache: &'a CacheBuf) -> Source<'a> {
        Source { cache: Cache::Copied(cache), sections: None, file: File::Closed }
    }

    /// The same, of ready-made items.
    pub(crate) fn there(place: CachePlace<'a>) -> Source<'a> {
        Source { cache: Cache::There(place), sections: None, file: File::Closed }
    }

    /// Cache and file.
    pub(crate) fn filed(cache: &'a CacheBuf, mailbox: &'a Arc<Mailbox>, uid: mailstore::Uid) -> Source<'a> {
        Source { cache: Cache::Copied(cache), sections: None, file: File::Of(mailbox, uid) }
    }

    /// An item of the cache record that the plan has had copied out.
    pub(super) fn cached(&self, item: CacheItem) -> &'a [u8] {
        match self.cache {
            Cache::Copied(cache) => cache.item(item),
            Cache::There(_) => &[],
        }
    }

    /// Appends an item of the cache record.
    fn copy(&self, item: CacheItem, out: &mut BytesMut) -> Result<(), Problem> {
        match &self.cache {
            Cache::Copied(cache) => out.extend_from_slice(cache.item(item)),
            Cache::There(place) if place.append(item, out) => {}
            Cache::There(_) => return Err(Problem::Unhealed),
        }
        Ok(())
    }

    /// Where the parts are.
    pub(super) fn sections(&mut self) -> Result<&Sections, Problem> {
        if self.sections.is_none() {
            self.sections = Some(body::table(self.cached(CacheItem::Sections))?);
        }
        self.sections.as_ref().ok_or(Problem::Damaged)
    }

    /// The message file.
    pub(super) fn file(&mut self) -> Result<&DiskFile, Problem> {
        if let File::Of(mailbox, uid) = self.file {
            self.file = File::Open(mailbox.open_message(uid)?);
        }
        match &self.file {
            File::Open(file) => Ok(file),
            _ => Err(Problem::NeedsFile),
        }
    }
}

/// Appends the reply for one message. On failure, what was appended must be taken back.
pub(crate) fn render(plan: &Plan, facts: &Facts<'_>, source: &mut Source<'_>, out: &mut Pieces) -> Result<(), Problem> {
    let mut items = fetch_start(&mut out.text, facts.sequence);
    for item in &plan.items {
        value(facts, item, source, &mut items, out)?;
    }
    if facts.tell_flags {
        // RFC 7162, 3.2.4: changed flags come with UID and mod-sequence.
        if plan.condstore && !plan.has(&FetchAttribute::Uid) {
            items.uid(&mut out.text, facts.record.uid.get());
        }
        if !plan.has(&FetchAttribute::Flags) {
            items.flags(&mut out.text, facts.flags.iter().copied());
        }
        if plan.condstore && !plan.has(&FetchAttribute::ModSeq) {
            items.mod_seq(&mut out.text, facts.record.modseq.get());
        }
    }
    fetch_end(&mut out.text);
    Ok(())
}

fn value(
    facts: &Facts<'_>,
    item: &Item,
    source: &mut Source<'_>,
    items: &mut FetchItems,
    out: &mut Pieces,
) -> Result<(), Problem> {
    let (record, text) = (facts.record, &mut out.text);
    match &item.attribute {
        FetchAttribute::Uid => items.uid(text, record.uid.get()),
        FetchAttribute::Flags => items.flags(text, facts.flags.iter().copied()),
        FetchAttribute::ModSeq => items.mod_seq(text, record.modseq.get()),
        FetchAttribute::Rfc822Size => items.size(text, u64::from(record.size)),
        FetchAttribute::InternalDate => items.internal_date(text, internal_date(record)),
        FetchAttribute::Envelope => {
            items.ready_made(text, "ENVELOPE");
            source.copy(CacheItem::Envelope, text)?;
        }
        FetchAttribute::Body => {
            items.ready_made(text, "BODY");
            source.copy(CacheItem::Body, text)?;
        }
        FetchAttribute::BodyStructure => {
            items.ready_made(text, "BODYSTRUCTURE");
            source.copy(CacheItem::BodyStructure, text)?;
        }
        FetchAttribute::Rfc822 => {
            items.ready_made(text, "RFC822");
            return body::whole(source, message::SectionText::Content, out);
        }
        FetchAttribute::Rfc822Header => {
            items.ready_made(text, "RFC822.HEADER");
            return body::whole(source, message::SectionText::Header, out);
        }
        FetchAttribute::Rfc822Text => {
            items.ready_made(text, "RFC822.TEXT");
            return body::whole(source, message::SectionText::Text, out);
        }
        FetchAttribute::BodySection { section, partial, .. } => {
            items.labelled(text, &item.label);
            return match &item.fields {
                Some(fields) => body::fields(source, section, fields, *partial, out),
                None => body::section(source, section, *partial, out),
            };
        }
        FetchAttribute::Binary { part, partial, .. } => {
            items.labelled(text, &item.label);
            return body::binary(source, part, *partial, out);
        }
        FetchAttribute::BinarySize(part) => {
            let octets = body::binary_size(source, part)?;
            items.binary_size(&mut out.text, part, octets);
        }
    }
    Ok(())
}

/// INTERNALDATE in the zone in which it was given. What no calendar holds (a damaged record) is the beginning of time.
fn internal_date(record: &Record) -> DateTime {
    let date = record.internal_date;
    DateTime::from_seconds_in(date.seconds, i32::from(date.zone_minutes)).unwrap_or(DateTime::EPOCH)
}
