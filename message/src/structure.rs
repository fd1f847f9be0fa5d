//! The MIME structure of a message (RFC 2045, RFC 2046) with the exact place of every part.
//!
//! One pass, no recursion: the stack of open parts is a vector. It never fails; what the bytes do not say is filled in
//! as RFC 2045, 5.2 has it, and what passes a [`Limits`] is an opaque leaf. Invariants that everything after relies on:
//! parts stand in the order of their headers; a part's header, then its body, then the next part; a child lies within
//! its parent's body; siblings do not overlap.

mod fields;
mod lines;
mod scan;

use std::ops::Range;

use crate::Limits;
use crate::content::ContentType;
use crate::header::{Known, KnownField};
use crate::text::TransferEncoding;

/// The parts of a message, parents before children, in the order of the bytes.
#[derive(Debug, Clone)]
pub struct Structure {
    parts: Vec<Part>,
    fields: Vec<KnownField>,
}

/// One part: the message itself, a part of a multipart, or the message inside a message/rfc822.
#[derive(Debug, Clone)]
pub struct Part {
    /// The part this one lies in.
    pub parent: Option<usize>,
    /// What is inside.
    pub kind: PartKind,
    /// The header block, the empty line that ends it included.
    pub header: Range<usize>,
    /// The body; it begins where the header ends, and the line end before a boundary is not of it (RFC 2046, 5.1.1).
    pub body: Range<usize>,
    /// Line ends in the body.
    pub body_lines: usize,
    /// How the body is encoded.
    pub encoding: TransferEncoding,
    /// What the Content-Type field says; `None` stands for the default of the place.
    pub(crate) content: Option<ContentType>,
    /// This part's stretch of the structure's known fields.
    fields: Range<usize>,
}

/// What a part has inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PartKind {
    /// Content of its own.
    Leaf,
    /// The parts that have it as parent; there are none if the boundary is never found.
    Multipart,
    /// One message, which is the one part that has it as parent: message/rfc822 or message/global.
    Message,
    /// A message that is encoded as base64 or the like, so that its inside has no place in the file.
    EncodedMessage,
    /// Anything, beyond a limit; shown as application/octet-stream.
    Opaque,
}

impl Structure {
    /// Finds the parts of `raw`.
    #[must_use]
    pub fn scan(raw: &[u8], limits: &Limits) -> Self {
        scan::Scanner::new(raw, limits).run()
    }

    /// The parts; the first is the message itself, so there is always one.
    #[must_use]
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Whether the part is a message, the outermost or one inside a message/rfc822, and so has an envelope.
    #[must_use]
    pub fn is_message_root(&self, part: usize) -> bool {
        self.parts[part].parent.is_none_or(|parent| self.parts[parent].kind == PartKind::Message)
    }

    /// Where the values of the part's fields of this name stand.
    pub(crate) fn values(&self, part: usize, known: Known) -> impl Iterator<Item = Range<usize>> {
        let fields = &self.fields[self.parts[part].fields.clone()];
        fields.iter().filter(move |field| field.known == known).map(|field| field.value.clone())
    }

    /// The raw value of the part's field of this name; of address fields the first.
    pub(crate) fn value<'a>(&self, raw: &'a [u8], part: usize, known: Known) -> Option<&'a [u8]> {
        self.values(part, known).next().map(|range| &raw[range])
    }
}

impl Part {
    /// Whether the part is text: said so, or by default.
    #[must_use]
    pub fn is_text(&self) -> bool {
        self.kind == PartKind::Leaf && self.content.as_ref().is_none_or(|content| content.is_kind("text"))
    }
}
