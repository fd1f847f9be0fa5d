//! Collecting the known fields of a part's header and reading what its structure depends on.

use std::ops::Range;

use super::PartKind;
use crate::content::{ContentType, first_token};
use crate::header::{Fields, Known, KnownField};
use crate::text::TransferEncoding;

/// Appends the known fields of `header`: of a message all, of another part only those of MIME.
pub(super) fn collect(raw: &[u8], header: Range<usize>, is_message: bool, found: &mut Vec<KnownField>) {
    let start = header.start;
    let mut seen = 0;
    for field in Fields::new(&raw[header]) {
        let Some(known) = Known::named(field.name) else { continue };
        if !(is_message || known.is_mime()) || (seen & known.bit() != 0 && !known.is_merged()) {
            continue;
        }
        seen |= known.bit();
        // The value's place, from the place of its lines: both are slices of `raw`.
        let value_end = start
            + field.lines.start
            + value_offset(&raw[start + field.lines.start..start + field.lines.end])
            + field.value.len();
        found.push(KnownField { known, value: value_end - field.value.len()..value_end });
    }
}

/// What decides how a part is read on.
pub(super) struct Content {
    pub(super) content: Option<ContentType>,
    pub(super) encoding: TransferEncoding,
    pub(super) kind: PartKind,
    /// The boundary of a multipart that has a usable one.
    pub(super) boundary: Option<Vec<u8>>,
}

impl Content {
    /// Reads the Content-Type and Content-Transfer-Encoding among `fields`. In a multipart/digest the default is a
    /// message (RFC 2046, 5.1.5).
    pub(super) fn of(raw: &[u8], fields: &[KnownField], in_digest: bool, parameter_limit: usize) -> Self {
        let value = |known| fields.iter().find(|field| field.known == known).map(|field| &raw[field.value.clone()]);
        let content = value(Known::ContentType).and_then(|value| ContentType::parse(value, parameter_limit));
        let encoding = value(Known::ContentTransferEncoding)
            .and_then(first_token)
            .map_or(TransferEncoding::default(), TransferEncoding::named);
        let is_message = content
            .as_ref()
            .map_or(in_digest, |content| content.is("message", "rfc822") || content.is("message", "global"));
        let kind = match &content {
            _ if is_message && encoding.is_identity() => PartKind::Message,
            _ if is_message => PartKind::EncodedMessage,
            Some(content) if content.is_kind("multipart") => PartKind::Multipart,
            _ => PartKind::Leaf,
        };
        let boundary = match &content {
            Some(content) if kind == PartKind::Multipart => content.parameter("boundary").and_then(usable_boundary),
            _ => None,
        };
        Self { content, encoding, kind, boundary }
    }
}

/// ```abnf
/// boundary := 0*69<bchars> bcharsnospace
/// ```
///
/// Any characters and lengths are taken, as long as there is at least one: an empty boundary would make one of every
/// line that begins with two dashes. It cannot end in white space, so what is there was added on the way.
fn usable_boundary(value: &[u8]) -> Option<Vec<u8>> {
    let boundary = value.trim_ascii_end();
    (!boundary.is_empty()).then(|| boundary.to_vec())
}

fn value_offset(lines: &[u8]) -> usize {
    memchr::memchr(b':', lines).map_or(0, |colon| colon + 1)
}
