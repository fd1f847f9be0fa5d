//! Collecting the known fields of a part's header and reading what its structure depends on.

use std::ops::Range;

use memchr::memchr;

use super::PartKind;
use crate::content::{ContentType, sole_token};
use crate::header::{Fields, Known, KnownField, Several};
use crate::lexer::trim;
use crate::text::TransferEncoding;

/// Appends the known fields of `header`: of a message all, of another part only those of MIME.
pub(super) fn collect(raw: &[u8], header: Range<usize>, is_message: bool, found: &mut Vec<KnownField>) {
    let start = header.start;
    // Where in `found` the field of each name stands.
    let mut places = [None; Known::COUNT];
    for field in Fields::new(&raw[header]) {
        let Some(known) = Known::named(field.name) else { continue };
        if !(is_message || known.is_mime()) {
            continue;
        }
        // Both are slices of `raw`; the value is what follows the first colon.
        let lines = &raw[start + field.lines.start..start + field.lines.end];
        let value_start = start + field.lines.start + memchr(b':', lines).map_or(0, |colon| colon + 1);
        let value = value_start..value_start + field.value.len();
        match (places[known as usize], known.of_several()) {
            // Empty lists add nothing, and there may be millions.
            (Some(_), Several::Merged) if trim(field.value).is_empty() => (),
            (None, _) | (Some(_), Several::Merged) => {
                places[known as usize] = Some(found.len());
                found.push(KnownField { known, value });
            }
            (Some(place), Several::Last) => found[place] = KnownField { known, value },
            (Some(_), Several::First) => (),
        }
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
        let mut content = value(Known::ContentType).and_then(|value| ContentType::parse(value, parameter_limit));
        let encoding = value(Known::ContentTransferEncoding)
            .and_then(sole_token)
            .map_or(TransferEncoding::default(), TransferEncoding::named);
        let is_message = content
            .as_ref()
            .map_or(in_digest, |content| content.is("message", "rfc822") || content.is("message", "global"));
        if is_message {
            let kind = if encoding.is_identity() { PartKind::Message } else { PartKind::EncodedMessage };
            return Self { content, encoding, kind, boundary: None };
        }
        let mut kind = PartKind::Leaf;
        let mut boundary = None;
        if let Some(multipart) = content.as_ref().filter(|content| content.is_kind("multipart")) {
            boundary = multipart.decoded_parameter("boundary").as_deref().and_then(usable_boundary);
            if boundary.is_some() {
                kind = PartKind::Multipart;
            } else {
                // RFC 2046, 5.1.1: a multipart must name its boundary. If it does not, the field is invalid, and RFC 2045,
                // 5.2 makes the part plain text. So does Cyrus; Dovecot shows one empty part instead of the text.
                content = None;
            }
        }
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
