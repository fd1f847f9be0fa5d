//! Media types and charsets: the common ones as a byte on disk and without an allocation in memory.

use std::borrow::Cow;

use crate::content::ContentType;
use crate::structure::PartKind;

/// Longer names mean nothing to anybody and are cut.
pub(super) const MAX_NAME_BYTES: usize = 127;

/// On disk a name is its place here plus one, or zero and the name itself. Only ever append to these tables.
pub(super) const MEDIA_TYPES: &[&str] = &[
    "text/plain",
    "text/html",
    "multipart/mixed",
    "multipart/alternative",
    "multipart/related",
    "multipart/signed",
    "multipart/report",
    "multipart/digest",
    "message/rfc822",
    "message/global",
    "message/delivery-status",
    "application/octet-stream",
    "application/pdf",
    "application/pgp-signature",
    "application/pkcs7-signature",
    "image/png",
    "image/jpeg",
    "image/gif",
    "text/calendar",
    "text/x-patch",
    "text/csv",
    "application/zip",
];

/// As [`MEDIA_TYPES`].
pub(super) const CHARSETS: &[&str] = &[
    "us-ascii",
    "utf-8",
    "iso-8859-1",
    "windows-1252",
    "iso-8859-15",
    "iso-8859-2",
    "windows-1251",
    "koi8-r",
    "iso-2022-jp",
    "gb2312",
    "gb18030",
    "big5",
    "windows-1250",
    "shift_jis",
    "euc-kr",
    "utf-7",
];

/// The media type a part counts as.
pub(super) fn media_type(kind: PartKind, content: Option<&ContentType>) -> Cow<'static, str> {
    match (kind, content) {
        (PartKind::Opaque, _) => Cow::Borrowed("application/octet-stream"),
        (PartKind::Message | PartKind::EncodedMessage, None) => Cow::Borrowed("message/rfc822"),
        (_, None) => Cow::Borrowed("text/plain"),
        (_, Some(content)) => interned(MEDIA_TYPES, &[&content.kind, b"/", &content.subtype]),
    }
}

/// A charset in lower case.
pub(super) fn charset(name: &[u8]) -> Cow<'static, str> {
    interned(CHARSETS, &[name])
}

/// The known name that `pieces` make up, or a new one.
fn interned(known: &[&'static str], pieces: &[&[u8]]) -> Cow<'static, str> {
    let joined = || pieces.iter().flat_map(|piece| piece.iter());
    let found = known.iter().find(|name| {
        name.len() == pieces.iter().map(|piece| piece.len()).sum::<usize>()
            && name.bytes().zip(joined()).all(|(known, byte)| known == byte.to_ascii_lowercase())
    });
    if let Some(name) = found {
        return Cow::Borrowed(name);
    }
    let lower: Vec<u8> = joined().take(MAX_NAME_BYTES).map(u8::to_ascii_lowercase).collect();
    let mut name = String::from_utf8_lossy(&lower).into_owned();
    // Replacement characters are longer than the bytes they replace.
    name.truncate(name.floor_char_boundary(MAX_NAME_BYTES));
    Cow::Owned(name)
}
