//! The items that are pieces of the message: BODY[...], RFC822 and its kin, BINARY.

use std::num::NonZeroU32;
use std::ops::Range;

use mailstore::CacheItem;
use mailstore::disk::DiskFile;
use message::text::{TransferEncoding, decode_transfer};
use message::{CachedHeaders, FieldSelection, Sections};

use super::render::{Problem, Source};
use crate::pieces::Pieces;
use crate::reply::FetchItems;
use crate::types::{PartPath, Partial, Section, SectionText};

/// Appends the value of `BODY[section]<partial>`.
pub(super) fn section(
    source: &mut Source<'_>,
    section: &Section,
    partial: Option<Partial>,
    out: &mut Pieces,
) -> Result<(), Problem> {
    let text = match section.text {
        None => message::SectionText::Content,
        Some(SectionText::Text) => message::SectionText::Text,
        Some(SectionText::Mime) => message::SectionText::Mime,
        Some(SectionText::Header | SectionText::HeaderFields(_) | SectionText::HeaderFieldsNot(_)) => {
            message::SectionText::Header
        }
    };
    match source.sections()?.find(&numbers(&section.part), text) {
        Some(range) => stretch(source, range, partial, out),
        None => {
            FetchItems::nil(&mut out.text);
            Ok(())
        }
    }
}

/// Appends the value of `BODY[...HEADER.FIELDS (...)]<partial>`: from the cache if that holds the fields, else from the
/// header in the file.
pub(super) fn fields(
    source: &mut Source<'_>,
    section: &Section,
    selection: &FieldSelection,
    partial: Option<Partial>,
    out: &mut Pieces,
) -> Result<(), Problem> {
    let cached = CachedHeaders::open(source.cached(CacheItem::Headers));
    let chosen = cached.filter(|_| section.part.is_empty()).and_then(|cached| cached.choose(selection));
    if let (Some(chosen), None) = (&chosen, partial) {
        FetchItems::literal(&mut out.text, chosen.size() as u64);
        chosen.pieces().for_each(|piece| out.text.extend_from_slice(piece));
        return Ok(());
    }
    let mut lines = Vec::new();
    if let Some(chosen) = chosen {
        chosen.pieces().for_each(|piece| lines.extend_from_slice(piece));
    } else {
        let found = source.sections()?.find(&numbers(&section.part), message::SectionText::Header);
        let Some(range) = found else {
            FetchItems::nil(&mut out.text);
            return Ok(());
        };
        lines = selection.bytes(&read(source.file()?, range)?);
    }
    let asked = partial.map_or(&lines[..], |partial| {
        let (from, to) = partial.within(lines.len() as u64);
        &lines[from as usize..to as usize]
    });
    FetchItems::literal(&mut out.text, asked.len() as u64);
    out.text.extend_from_slice(asked);
    Ok(())
}

/// Appends a stretch of the file as a literal.
pub(super) fn stretch(
    source: &mut Source<'_>,
    range: Range<usize>,
    partial: Option<Partial>,
    out: &mut Pieces,
) -> Result<(), Problem> {
    let file = source.file()?.clone();
    // A file that an administrator has cut short has less to give than the cache says: what is announced must come.
    let held = file.metadata()?.size;
    let (start, end) = ((range.start as u64).min(held), (range.end as u64).min(held));
    let (from, to) = partial.map_or((0, end - start), |partial| partial.within(end - start));
    FetchItems::literal(&mut out.text, to - from);
    out.file(file, start + from, to - from);
    Ok(())
}

/// Appends the value of `BINARY[part]<partial>` (RFC 3516, 4.2).
pub(super) fn binary(
    source: &mut Source<'_>,
    part: &PartPath,
    partial: Option<Partial>,
    out: &mut Pieces,
) -> Result<(), Problem> {
    match decoded(source, part)? {
        Some(octets) => literal(octets, partial, out),
        None => FetchItems::nil(&mut out.text),
    }
    Ok(())
}

/// How many octets `BINARY[part]` would send. Bodies that stand for themselves need not be read for that.
pub(super) fn binary_size(source: &mut Source<'_>, part: &PartPath) -> Result<u64, Problem> {
    let path = numbers(part);
    let sections = source.sections()?;
    let whole = sections.find(&path, message::SectionText::Content);
    match (sections.part(&path), whole) {
        (Some(found), Some(range)) if part.is_empty() || known(found.encoding)?.is_identity() => Ok(range.len() as u64),
        (Some(_), Some(_)) => Ok(decoded(source, part)?.map_or(0, |octets| octets.len() as u64)),
        _ => Ok(0),
    }
}

/// A part without its transfer encoding; the message itself (`BINARY[]`) as it is.
fn decoded(source: &mut Source<'_>, part: &PartPath) -> Result<Option<Vec<u8>>, Problem> {
    let path = numbers(part);
    let sections = source.sections()?;
    let Some(range) = sections.find(&path, message::SectionText::Content) else { return Ok(None) };
    let encoding = match sections.part(&path) {
        Some(found) if !part.is_empty() => known(found.encoding)?,
        _ => TransferEncoding::Binary,
    };
    let octets = read(source.file()?, range)?;
    Ok(Some(if encoding.is_identity() { octets } else { decode_transfer(&octets, encoding).into_owned() }))
}

/// RFC 3516, 4.3: a part whose encoding we do not know is refused, not sent as if it had none.
fn known(encoding: TransferEncoding) -> Result<TransferEncoding, Problem> {
    if encoding == TransferEncoding::Unknown { Err(Problem::UnknownEncoding) } else { Ok(encoding) }
}

/// Appends octets as a literal, `literal8` if they hold NUL.
fn literal(mut octets: Vec<u8>, partial: Option<Partial>, out: &mut Pieces) {
    if let Some(partial) = partial {
        let (from, to) = partial.within(octets.len() as u64);
        octets.truncate(to as usize);
        octets.drain(..from as usize);
    }
    match memchr::memchr(0, &octets).is_some() {
        true => FetchItems::literal8(&mut out.text, octets.len() as u64),
        false => FetchItems::literal(&mut out.text, octets.len() as u64),
    }
    out.owned(octets);
}

/// Reads a stretch of the file, or what there is of it.
fn read(file: &DiskFile, range: Range<usize>) -> Result<Vec<u8>, Problem> {
    let held = usize::try_from(file.metadata()?.size).unwrap_or(usize::MAX);
    let (start, end) = (range.start.min(held), range.end.min(held));
    let mut octets = vec![0; end - start];
    let done = file.read_at(&mut octets, start as u64)?;
    octets.truncate(done);
    Ok(octets)
}

fn numbers(part: &[NonZeroU32]) -> Vec<u32> {
    part.iter().map(|number| number.get()).collect()
}

/// Appends `RFC822`, `RFC822.HEADER` or `RFC822.TEXT`: a section without numbers.
pub(super) fn whole(source: &mut Source<'_>, text: message::SectionText, out: &mut Pieces) -> Result<(), Problem> {
    match source.sections()?.find(&[], text) {
        Some(range) => stretch(source, range, None, out),
        None => {
            FetchItems::nil(&mut out.text);
            Ok(())
        }
    }
}

/// The section table of a cache record; damage in it is damage of the cache.
pub(super) fn table(bytes: &[u8]) -> Result<Sections, Problem> {
    Sections::decode(bytes).map_err(|_| Problem::Damaged)
}
