//! The section table's bytes, as they stand in `cyrus.cache`.
//!
//! ```text
//! version   1 byte, 1
//! parts     number
//! then for each part, parents before children:
//!   kind          1 byte: 0 leaf, 1 multipart, 2 message, 3 encoded message, 4 opaque
//!   encoding      1 byte
//!   descendants   number
//!   header start  number, counted from the header start of the part before (of the first: 0)
//!   header size   number
//!   body size     number; the body begins where the header ends
//!   body lines    number
//!   media type    name
//!   charset       name, the empty one if there is none
//! number = LEB128, at most 10 bytes
//! name   = 1 byte n: n > 0 stands for the n-th known name; n = 0 is followed by 1 byte length and the name in UTF-8
//! ```
//!
//! A new version changes the first byte; a reader that does not know it rebuilds the table from the message. On reading
//! everything is checked that look-up relies on: the bytes come from a disk.

use std::borrow::Cow;

use super::names::{CHARSETS, MAX_NAME_BYTES, MEDIA_TYPES};
use super::{Section, Sections};
use crate::structure::PartKind;
use crate::text::TransferEncoding;

const VERSION: u8 = 1;

/// More parts than any [`Limits`](crate::Limits) let through, but few enough that a damaged count costs nothing.
const MAX_PARTS: usize = 1_000_000;

/// The shortest a part can be: nine fields of at least a byte.
const MIN_PART_BYTES: usize = 9;

/// Why bytes are not a section table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SectionsError {
    /// Written by another version.
    #[error("section table of version {0} instead of {VERSION}")]
    Version(u8),
    /// The bytes end within a field.
    #[error("section table is cut off")]
    CutOff,
    /// A field has a value it cannot have.
    #[error("section table has an impossible {0}")]
    Impossible(&'static str),
}

impl Sections {
    /// The table's bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(2 + 16 * self.parts.len());
        bytes.push(VERSION);
        put_number(&mut bytes, self.parts.len());
        let mut before = 0;
        for part in &self.parts {
            bytes.push(kind_to_byte(part.kind));
            bytes.push(part.encoding.to_byte());
            put_number(&mut bytes, part.descendants);
            put_number(&mut bytes, part.header.start - before);
            put_number(&mut bytes, part.header.len());
            put_number(&mut bytes, part.body.len());
            put_number(&mut bytes, part.lines);
            put_name(&mut bytes, MEDIA_TYPES, &part.media_type);
            put_name(&mut bytes, CHARSETS, part.charset.as_deref().unwrap_or_default());
            before = part.header.start;
        }
        bytes
    }

    /// Reads a table.
    ///
    /// # Errors
    ///
    /// [`SectionsError`] if the bytes are no table that [`Self::encode`] writes.
    pub fn decode(bytes: &[u8]) -> Result<Self, SectionsError> {
        let mut reader = Reader { bytes };
        match reader.byte()? {
            VERSION => (),
            other => return Err(SectionsError::Version(other)),
        }
        let count = reader.number()?;
        if count == 0 || count > MAX_PARTS || count > reader.bytes.len() / MIN_PART_BYTES {
            return Err(SectionsError::Impossible("number of parts"));
        }
        let mut parts = Vec::with_capacity(count);
        let mut before = 0;
        for _ in 0..count {
            let part = reader.part(before)?;
            before = part.header.start;
            parts.push(part);
        }
        if !reader.bytes.is_empty() {
            return Err(SectionsError::Impossible("byte behind its end"));
        }
        check_nesting(&parts)?;
        Ok(Self { parts })
    }
}

/// Checks what [`Structure`](crate::structure::Structure) guarantees: children within their parent's body, one behind
/// the other, and a message/rfc822 with exactly one child.
fn check_nesting(parts: &[Section]) -> Result<(), SectionsError> {
    // The open parents: the first index behind their descendants, their body's end, and where the next child may begin.
    let mut open: Vec<(usize, usize, usize)> = Vec::new();
    for (at, part) in parts.iter().enumerate() {
        while open.last().is_some_and(|&(end, ..)| end == at) {
            open.pop();
        }
        let behind = at + 1 + part.descendants;
        match open.last_mut() {
            None if at > 0 || behind != parts.len() => return Err(SectionsError::Impossible("number of descendants")),
            None => (),
            Some((end, body_end, next)) => {
                if behind > *end {
                    return Err(SectionsError::Impossible("number of descendants"));
                }
                if part.header.start < *next || part.body.end > *body_end {
                    return Err(SectionsError::Impossible("place of a part"));
                }
                *next = part.body.end;
            }
        }
        let has_children = part.descendants > 0;
        let only_child_fills = parts.get(at + 1).is_some_and(|child| child.descendants + 1 == part.descendants);
        let possible = match part.kind {
            PartKind::Message => has_children && only_child_fills,
            PartKind::Multipart => true,
            PartKind::Leaf | PartKind::EncodedMessage | PartKind::Opaque => !has_children,
        };
        if !possible {
            return Err(SectionsError::Impossible("number of children"));
        }
        open.push((behind, part.body.end, part.body.start));
    }
    Ok(())
}

fn kind_to_byte(kind: PartKind) -> u8 {
    match kind {
        PartKind::Leaf => 0,
        PartKind::Multipart => 1,
        PartKind::Message => 2,
        PartKind::EncodedMessage => 3,
        PartKind::Opaque => 4,
    }
}

fn kind_from_byte(byte: u8) -> Option<PartKind> {
    Some(match byte {
        0 => PartKind::Leaf,
        1 => PartKind::Multipart,
        2 => PartKind::Message,
        3 => PartKind::EncodedMessage,
        4 => PartKind::Opaque,
        _ => return None,
    })
}

fn put_number(bytes: &mut Vec<u8>, number: usize) {
    let mut rest = number;
    while rest >= 0x80 {
        bytes.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    bytes.push(rest as u8);
}

fn put_name(bytes: &mut Vec<u8>, known: &[&str], name: &str) {
    // Both tables are far shorter than 255 names, and names are cut at 127 bytes.
    if let Some(at) = known.iter().position(|candidate| *candidate == name) {
        bytes.push(at as u8 + 1);
    } else {
        bytes.extend_from_slice(&[0, name.len() as u8]);
        bytes.extend_from_slice(name.as_bytes());
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
}

impl Reader<'_> {
    fn part(&mut self, before: usize) -> Result<Section, SectionsError> {
        let kind = kind_from_byte(self.byte()?).ok_or(SectionsError::Impossible("kind"))?;
        let encoding = TransferEncoding::from_byte(self.byte()?).ok_or(SectionsError::Impossible("encoding"))?;
        let descendants = self.number()?;
        if descendants > MAX_PARTS {
            return Err(SectionsError::Impossible("number of descendants"));
        }
        let start = self.place(before)?;
        let header_end = self.place(start)?;
        let body_end = self.place(header_end)?;
        let lines = self.number()?;
        let media_type = self.name(MEDIA_TYPES)?;
        let charset = Some(self.name(CHARSETS)?).filter(|charset| !charset.is_empty());
        Ok(Section {
            kind,
            header: start..header_end,
            body: header_end..body_end,
            lines,
            encoding,
            media_type,
            charset,
            descendants,
        })
    }

    /// A number counted from `origin`.
    fn place(&mut self, origin: usize) -> Result<usize, SectionsError> {
        origin.checked_add(self.number()?).ok_or(SectionsError::Impossible("place of a part"))
    }

    fn byte(&mut self) -> Result<u8, SectionsError> {
        let (&first, rest) = self.bytes.split_first().ok_or(SectionsError::CutOff)?;
        self.bytes = rest;
        Ok(first)
    }

    fn number(&mut self) -> Result<usize, SectionsError> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                break;
            }
            number |= bits << shift;
            if byte & 0x80 == 0 {
                return usize::try_from(number).map_err(|_| SectionsError::Impossible("number"));
            }
        }
        Err(SectionsError::Impossible("number"))
    }

    fn name(&mut self, known: &'static [&'static str]) -> Result<Cow<'static, str>, SectionsError> {
        let code = self.byte()?;
        if code > 0 {
            let name = known.get(usize::from(code) - 1).ok_or(SectionsError::Impossible("name"))?;
            return Ok(Cow::Borrowed(name));
        }
        let length = usize::from(self.byte()?);
        if length > MAX_NAME_BYTES {
            return Err(SectionsError::Impossible("name"));
        }
        let (name, rest) = self.bytes.split_at_checked(length).ok_or(SectionsError::CutOff)?;
        self.bytes = rest;
        let name = std::str::from_utf8(name).map_err(|_| SectionsError::Impossible("name"))?;
        Ok(Cow::Owned(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::structure::Structure;
    use crate::{Limits, samples};

    #[test]
    fn round_trip() {
        for (name, raw) in samples::all() {
            let sections = Sections::of(&Structure::scan(raw, &Limits::default()));
            assert_eq!(Sections::decode(&sections.encode()), Ok(sections), "{name}");
        }
    }

    #[test]
    fn damaged_tables_are_refused() {
        let sections = Sections::of(&Structure::scan(samples::NESTED, &Limits::default()));
        let good = sections.encode();
        assert_eq!(Sections::decode(b""), Err(SectionsError::CutOff));
        assert_eq!(Sections::decode(b"\x02"), Err(SectionsError::Version(2)));
        for length in 0..good.len() {
            assert!(Sections::decode(&good[..length]).is_err(), "cut at {length}");
        }
        let mut longer = good.clone();
        longer.push(0);
        assert_eq!(Sections::decode(&longer), Err(SectionsError::Impossible("byte behind its end")));
        // A huge number of parts must not be allocated.
        let huge = [&[VERSION][..], &[0xff; 9], &[0x01]].concat();
        assert!(Sections::decode(&huge).is_err());
    }

    #[test]
    fn flipped_bits_never_break_nesting() {
        let good = Sections::of(&Structure::scan(samples::NESTED, &Limits::default())).encode();
        for at in 0..good.len() {
            for bit in 0..8 {
                let mut bad = good.clone();
                bad[at] ^= 1 << bit;
                if let Ok(sections) = Sections::decode(&bad) {
                    assert_eq!(check_nesting(&sections.parts), Ok(()));
                    for path in [&[][..], &[1], &[2], &[3, 1], &[3, 2, 1]] {
                        let _ = sections.find(path, super::super::SectionText::Content);
                    }
                }
            }
        }
    }
}
