//! Header blocks: their fields with exact offsets, tolerant of anything.
//!
//! A block is read as RFC 5322, 2.2 has it, with these tolerances: lines may end in a bare LF, white space may stand
//! between a name and its colon (RFC 5322, 4.5), and a line that is no field (`From ` of an mbox, a lone word, a
//! continuation line at the very beginning) is a field without a name, which lasts until the next line that is not a
//! continuation. Nothing but an empty line ends a block.

mod cached;
mod date;
mod known;
mod message_id;
mod select;

use std::borrow::Cow;
use std::ops::Range;

use memchr::memchr;

pub use cached::{CACHED_FIELDS, CachedHeaders, Chosen};
pub use date::{MailDate, parse_date, received_date};
pub(crate) use known::{Known, KnownField, Several};
pub use message_id::{first_message_id, message_ids};
pub use select::{FieldSelection, FieldSet};

use crate::lexer::trim;

/// One field of a header block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field<'a> {
    /// The name as written; empty if the lines are no field.
    pub name: &'a [u8],
    /// What follows the colon, raw, without the final line end; for lines that are no field, all of them.
    pub value: &'a [u8],
    /// The field's lines in the block, final line end included.
    pub lines: Range<usize>,
}

impl Field<'_> {
    /// The value on one line; see [`unfold`].
    #[must_use]
    pub fn unfolded(&self) -> Cow<'_, [u8]> {
        unfold(self.value)
    }
}

/// The fields of a header block in their order. Ends at the first empty line.
#[derive(Debug, Clone)]
pub struct Fields<'a> {
    block: &'a [u8],
    position: usize,
}

impl<'a> Fields<'a> {
    /// Reads `block`, which begins with the first line of a header.
    #[must_use]
    pub fn new(block: &'a [u8]) -> Self {
        Self { block, position: 0 }
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Field<'a>;

    fn next(&mut self) -> Option<Field<'a>> {
        let start = self.position;
        let rest = self.block.get(start..)?;
        if rest.is_empty() || rest.starts_with(b"\n") || rest.starts_with(b"\r\n") {
            self.position = self.block.len();
            return None;
        }
        let mut end = line_end(self.block, start);
        let first_line = &self.block[start..end];
        while matches!(self.block.get(end), Some(b' ' | b'\t')) {
            end = line_end(self.block, end);
        }
        self.position = end;
        let text = without_line_end(&self.block[start..end]);
        let (name, value) = match field_name(first_line) {
            Some((name, colon)) => (name, text.get(colon + 1..).unwrap_or_default()),
            None => (&text[..0], text),
        };
        Some(Field { name, value, lines: start..end })
    }
}

/// The size of the header block at the beginning of `raw`, the empty line that ends it included.
#[must_use]
pub fn header_size(raw: &[u8]) -> usize {
    let mut position = 0;
    while position < raw.len() {
        let end = line_end(raw, position);
        if is_empty_line(&raw[position..end]) {
            return end;
        }
        position = end;
    }
    raw.len()
}

/// A raw value on one line: line ends removed (RFC 5322, 2.2.3), white space at both ends too, since it carries nothing.
#[must_use]
pub fn unfold(value: &[u8]) -> Cow<'_, [u8]> {
    let value = trim(value);
    if memchr(b'\n', value).is_none() {
        return Cow::Borrowed(value);
    }
    let mut line = Vec::with_capacity(value.len());
    for piece in value.split_inclusive(|&byte| byte == b'\n') {
        line.extend_from_slice(without_line_end(piece));
    }
    Cow::Owned(line)
}

/// The end of the line that begins at `start`, its line end included.
pub(crate) fn line_end(raw: &[u8], start: usize) -> usize {
    memchr(b'\n', &raw[start..]).map_or(raw.len(), |offset| start + offset + 1)
}

/// Whether a line, line end included, holds nothing else.
pub(crate) fn is_empty_line(line: &[u8]) -> bool {
    matches!(line, b"\n" | b"\r\n")
}

fn without_line_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// ```abnf
/// field-name = 1*ftext       ; %d33-57 / %d59-126
/// ```
fn field_name(line: &[u8]) -> Option<(&[u8], usize)> {
    let colon = memchr(b':', line)?;
    let name = &line[..colon];
    let name = &name[..name.iter().rposition(|byte| !matches!(byte, b' ' | b'\t'))? + 1];
    name.iter().all(u8::is_ascii_graphic).then_some((name, colon))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(block: &str, expected: &[(&str, &str)]) {
        let fields: Vec<_> = Fields::new(block.as_bytes())
            .map(|field| {
                (
                    String::from_utf8_lossy(field.name).into_owned(),
                    String::from_utf8_lossy(&field.unfolded()).into_owned(),
                )
            })
            .collect();
        let expected: Vec<_> = expected.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        assert_eq!(fields, expected, "{block:?}");
    }

    #[test]
    fn reads_fields() {
        check("A: 1\r\nB:2\r\n\r\nC: 3\r\n", &[("A", "1"), ("B", "2")]);
        check("A: 1\nB: 2\n\nC: 3\n", &[("A", "1"), ("B", "2")]);
        check("A: one\r\n two\r\n\tthree\r\n", &[("A", "one two\tthree")]);
        check("A : 1\r\nB\t:2", &[("A", "1"), ("B", "2")]);
        check("A:\r\nB:\r\n \r\n", &[("A", ""), ("B", "")]);
    }

    #[test]
    fn keeps_lines_that_are_no_fields() {
        check("From joe Mon Jan  1 00:00:00\r\nA: 1\r\n", &[("", "From joe Mon Jan  1 00:00:00"), ("A", "1")]);
        check(" stray\r\nA: 1\r\nword\r\n more\r\nB: 2", &[("", "stray"), ("A", "1"), ("", "word more"), ("B", "2")]);
        check(": no name\r\nA: 1\r\n", &[("", ": no name"), ("A", "1")]);
        check("\u{e4}: 1\r\n", &[("", "\u{e4}: 1")]);
        check("", &[]);
        check("\r\n", &[]);
        check("\0\r\nA:\0b\r\n", &[("", "\0"), ("A", "\0b")]);
    }

    #[test]
    fn lines_cover_the_block() {
        let block = b"A: 1\r\n b\r\njunk\nB: 2\r\n\r\nbody";
        let mut end = 0;
        for field in Fields::new(block) {
            assert_eq!(field.lines.start, end);
            end = field.lines.end;
        }
        assert_eq!(end + 2, header_size(block));
    }
}
