//! The scanner: from header to boundary to header, with a stack of open parts.

use memchr::memmem::Finder;

use super::fields::{Content, collect};
use super::lines::LineCounter;
use super::{Part, PartKind, Structure};
use crate::Limits;
use crate::header::{is_empty_line, line_end};
use crate::text::TransferEncoding;

pub(super) struct Scanner<'a> {
    raw: &'a [u8],
    limits: &'a Limits,
    parts: Vec<Part>,
    fields: Vec<crate::header::KnownField>,
    /// The open parts, each within the one before.
    open: Vec<Open>,
    /// How many of the open parts wait for a boundary.
    boundaries: usize,
    lines: LineCounter<'a>,
    dashes: Finder<'static>,
}

struct Open {
    part: usize,
    /// The boundary of a multipart until its closing one is found.
    boundary: Option<Vec<u8>>,
    lines_before_body: usize,
}

/// A line that begins with the boundary of an open multipart.
struct Delimiter {
    start: usize,
    /// Which of the open parts it belongs to.
    owner: usize,
    closing: bool,
}

/// What comes next.
enum Step {
    /// A part's header, at this position.
    Header(usize),
    /// Bytes up to the next boundary, from this position.
    Body(usize),
    Delimiter(Delimiter),
    End,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(raw: &'a [u8], limits: &'a Limits) -> Self {
        Self {
            raw,
            limits,
            parts: Vec::new(),
            fields: Vec::new(),
            open: Vec::new(),
            boundaries: 0,
            lines: LineCounter::new(raw),
            dashes: Finder::new(b"\n--"),
        }
    }

    pub(super) fn run(mut self) -> Structure {
        let mut step = Step::Header(0);
        loop {
            step = match step {
                Step::Header(start) => self.header(start),
                Step::Body(from) => self.next_delimiter(from).map_or(Step::End, Step::Delimiter),
                Step::Delimiter(delimiter) => self.delimiter(&delimiter),
                Step::End => break,
            };
        }
        self.close(0, self.raw.len());
        Structure { parts: self.parts, fields: self.fields }
    }

    /// Reads a header block and opens its part.
    fn header(&mut self, start: usize) -> Step {
        let (end, cut) = self.header_end(start);
        let parent = self.open.last().map(|open| open.part);
        let in_message = parent.is_none_or(|parent| self.parts[parent].kind == PartKind::Message);
        let in_digest = parent.is_some_and(|parent| {
            self.parts[parent].content.as_ref().is_some_and(|content| content.is("multipart", "digest"))
        });
        let first_field = self.fields.len();
        let looked_at = end.min(start.saturating_add(self.limits.header_bytes));
        collect(self.raw, start..looked_at, in_message, &mut self.fields);
        let mut content = Content::of(self.raw, &self.fields[first_field..], in_digest, self.limits.parameters);
        let last = self.parts.len() + 1 >= self.limits.parts;
        let holds_parts = matches!(content.kind, PartKind::Multipart | PartKind::Message);
        if looked_at < end || last || (holds_parts && self.open.len() >= self.limits.depth) {
            content = Content {
                content: None,
                encoding: TransferEncoding::default(),
                kind: PartKind::Opaque,
                boundary: None,
            };
        }
        self.boundaries += usize::from(content.boundary.is_some());
        self.open.push(Open {
            part: self.parts.len(),
            boundary: content.boundary,
            lines_before_body: self.lines.up_to(end),
        });
        self.parts.push(Part {
            parent,
            kind: content.kind,
            header: start..end,
            body: end..end,
            body_lines: 0,
            encoding: content.encoding,
            content: content.content,
            fields: first_field..self.fields.len(),
        });
        match (cut, content.kind) {
            // The last part allowed takes the rest, whatever boundaries are open.
            _ if last => Step::End,
            (Some(delimiter), PartKind::Message) => {
                // Its message is cut off before it began, but a message/rfc822 always has one.
                self.empty_message(end);
                Step::Delimiter(delimiter)
            }
            (Some(delimiter), _) => Step::Delimiter(delimiter),
            (None, PartKind::Message) => Step::Header(end),
            (None, _) => Step::Body(end),
        }
    }

    /// Where the header block that begins at `start` ends: behind an empty line, at the end of the message, or before
    /// the line end that leads a boundary, which is then given too.
    fn header_end(&self, start: usize) -> (usize, Option<Delimiter>) {
        let mut line = start;
        while line < self.raw.len() {
            if self.raw[line..].starts_with(b"--")
                && let Some(delimiter) = self.delimiter_at(line)
            {
                return (self.before_line_end(line).max(start), Some(delimiter));
            }
            let next = line_end(self.raw, line);
            if is_empty_line(&self.raw[line..next]) {
                return (next, None);
            }
            line = next;
        }
        (self.raw.len(), None)
    }

    /// Adds the empty message inside a message/rfc822 without a body.
    fn empty_message(&mut self, at: usize) {
        let parent = self.open.last().map(|open| open.part);
        let lines_before_body = self.lines.up_to(at);
        self.open.push(Open { part: self.parts.len(), boundary: None, lines_before_body });
        self.parts.push(Part {
            parent,
            kind: PartKind::Leaf,
            header: at..at,
            body: at..at,
            body_lines: 0,
            encoding: TransferEncoding::default(),
            content: None,
            fields: self.fields.len()..self.fields.len(),
        });
    }

    /// The next line, from the beginning of a line on, that is a boundary of an open multipart.
    fn next_delimiter(&self, from: usize) -> Option<Delimiter> {
        if self.boundaries == 0 {
            return None;
        }
        if self.raw[from..].starts_with(b"--")
            && let Some(delimiter) = self.delimiter_at(from)
        {
            return Some(delimiter);
        }
        self.dashes.find_iter(&self.raw[from..]).find_map(|offset| self.delimiter_at(from + offset + 1))
    }

    /// Reads the line at `start`, which begins with two dashes, as a boundary.
    ///
    /// RFC 2046, 5.1.1: it is enough that the line begins with the boundary. Where several open ones fit, the longest
    /// is meant, since one may be the beginning of another, and of equal ones the innermost.
    fn delimiter_at(&self, start: usize) -> Option<Delimiter> {
        if self.boundaries == 0 {
            return None;
        }
        let line = &self.raw[start + 2..];
        let mut best: Option<(usize, usize)> = None;
        for (owner, open) in self.open.iter().enumerate() {
            if let Some(boundary) = &open.boundary
                && best.is_none_or(|(_, length)| boundary.len() >= length)
                && line.starts_with(boundary)
            {
                best = Some((owner, boundary.len()));
            }
        }
        best.map(|(owner, length)| Delimiter { start, owner, closing: line[length..].starts_with(b"--") })
    }

    /// Goes on behind a boundary: with another part, or with the bytes behind the last one.
    fn delimiter(&mut self, delimiter: &Delimiter) -> Step {
        self.close(delimiter.owner + 1, self.before_line_end(delimiter.start));
        let next = line_end(self.raw, delimiter.start);
        if delimiter.closing {
            if let Some(open) = self.open.last_mut() {
                open.boundary = None;
                self.boundaries -= 1;
            }
            return Step::Body(next);
        }
        Step::Header(next)
    }

    /// Closes the open parts from `from` on. They end at `end`, unless their header reaches beyond it: the line end of
    /// an empty body's header belongs to both header and boundary.
    fn close(&mut self, from: usize, mut end: usize) {
        for open in self.open.drain(from..).rev() {
            let part = &mut self.parts[open.part];
            end = end.max(part.body.start);
            part.body.end = end;
            part.body_lines = self.lines.up_to(end) - open.lines_before_body;
            self.boundaries -= usize::from(open.boundary.is_some());
        }
    }

    /// The place before the line end that leads the line at `start`.
    fn before_line_end(&self, start: usize) -> usize {
        let before = &self.raw[..start];
        let before = before.strip_suffix(b"\n").unwrap_or(before);
        before.strip_suffix(b"\r").unwrap_or(before).len()
    }
}
