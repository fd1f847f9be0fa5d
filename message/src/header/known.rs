//! The fields that ENVELOPE, BODYSTRUCTURE and the index are made of, found in one look at each name.

use std::ops::Range;

/// A field this crate reads the value of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Known {
    Date,
    Subject,
    From,
    Sender,
    ReplyTo,
    To,
    Cc,
    Bcc,
    InReplyTo,
    MessageId,
    Received,
    ContentType,
    ContentTransferEncoding,
    ContentId,
    ContentDescription,
    ContentDisposition,
    ContentLanguage,
    ContentLocation,
    ContentMd5,
}

/// Where the value of a known field stands in the message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KnownField {
    pub(crate) known: Known,
    pub(crate) value: Range<usize>,
}

/// What to do about several fields of one name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Several {
    First,
    Last,
    Merged,
}

impl Known {
    /// How many there are.
    pub(crate) const COUNT: usize = Self::ContentMd5 as usize + 1;

    /// The field of this name, whatever its case.
    pub(crate) fn named(name: &[u8]) -> Option<Self> {
        let (expected, known): (&[u8], Self) = match (name.len(), name.first()?.to_ascii_lowercase()) {
            (2, b't') => (b"to", Self::To),
            (2, b'c') => (b"cc", Self::Cc),
            (3, _) => (b"bcc", Self::Bcc),
            (4, b'd') => (b"date", Self::Date),
            (4, b'f') => (b"from", Self::From),
            (6, _) => (b"sender", Self::Sender),
            (7, _) => (b"subject", Self::Subject),
            (8, b'r') if name.get(2).is_some_and(|byte| byte.eq_ignore_ascii_case(&b'p')) => {
                (b"reply-to", Self::ReplyTo)
            }
            (8, b'r') => (b"received", Self::Received),
            (10, b'm') => (b"message-id", Self::MessageId),
            (10, b'c') => (b"content-id", Self::ContentId),
            (11, b'i') => (b"in-reply-to", Self::InReplyTo),
            (11, b'c') => (b"content-md5", Self::ContentMd5),
            (12, _) => (b"content-type", Self::ContentType),
            (16, b'c') if name.get(9).is_some_and(|byte| byte.eq_ignore_ascii_case(&b'a')) => {
                (b"content-language", Self::ContentLanguage)
            }
            (16, b'c') => (b"content-location", Self::ContentLocation),
            (19, b'c') if name.get(9).is_some_and(|byte| byte.eq_ignore_ascii_case(&b'i')) => {
                (b"content-disposition", Self::ContentDisposition)
            }
            (19, b'c') => (b"content-description", Self::ContentDescription),
            (25, _) => (b"content-transfer-encoding", Self::ContentTransferEncoding),
            _ => return None,
        };
        name.eq_ignore_ascii_case(expected).then_some(known)
    }

    /// Whether it belongs to MIME, so that it counts in the header of any part and not only of a message.
    pub(crate) fn is_mime(self) -> bool {
        self as u8 >= Self::ContentType as u8
    }

    /// Which counts if there are several of a name, though most may occur once (RFC 5322, 3.6).
    ///
    /// Of the strings in ENVELOPE both Dovecot and Cyrus answer the last. Addresses are merged, as by newer Dovecots:
    /// nobody can then hide one behind another that a filter has looked at. Of MIME fields Dovecot takes the first,
    /// Cyrus the last; the first is what mail clients and filters take, and a part must not be one thing to them and
    /// another to us. Received fields are added on top.
    pub(crate) fn of_several(self) -> Several {
        match self {
            Self::Date | Self::Subject | Self::InReplyTo | Self::MessageId => Several::Last,
            Self::From | Self::Sender | Self::ReplyTo | Self::To | Self::Cc | Self::Bcc => Several::Merged,
            _ => Several::First,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_found_in_any_case() {
        for (name, known) in [
            ("Date", Known::Date),
            ("Subject", Known::Subject),
            ("From", Known::From),
            ("Sender", Known::Sender),
            ("Reply-To", Known::ReplyTo),
            ("To", Known::To),
            ("Cc", Known::Cc),
            ("Bcc", Known::Bcc),
            ("In-Reply-To", Known::InReplyTo),
            ("Message-ID", Known::MessageId),
            ("Received", Known::Received),
            ("Content-Type", Known::ContentType),
            ("Content-Transfer-Encoding", Known::ContentTransferEncoding),
            ("Content-ID", Known::ContentId),
            ("Content-Description", Known::ContentDescription),
            ("Content-Disposition", Known::ContentDisposition),
            ("Content-Language", Known::ContentLanguage),
            ("Content-Location", Known::ContentLocation),
            ("Content-MD5", Known::ContentMd5),
        ] {
            assert_eq!(Known::named(name.as_bytes()), Some(known));
            assert_eq!(Known::named(name.to_uppercase().as_bytes()), Some(known));
            assert_eq!(known.is_mime(), name.starts_with("Content-"));
        }
        for name in ["", "x", "tx", "X-Foo", "Content-Foo", "Received-SPF", "Resent-To", "\u{e4}"] {
            assert_eq!(Known::named(name.as_bytes()), None, "{name}");
        }
    }
}
