//! SEARCH BODY and SEARCH TEXT over a message and its section table (RFC 9051, 6.4.4).

use std::borrow::Cow;

use super::{decode_charset, decode_header_value, decode_transfer};
use crate::collation::Needle;
use crate::header::Fields;
use crate::sections::{Section, Sections};

/// The decoded text of a part, or `None` if the part is not text (or lies outside of `raw`, which is then not the
/// message the table was made of).
#[must_use]
pub fn leaf_text<'a>(raw: &'a [u8], part: &Section) -> Option<Cow<'a, str>> {
    // message/delivery-status and the like are made to be read.
    if !(part.media_type.starts_with("text/") || part.media_type.starts_with("message/")) {
        return None;
    }
    let text = match decode_transfer(raw.get(part.body.clone())?, part.encoding) {
        Cow::Borrowed(bytes) => decode_charset(bytes, part.charset.as_deref()),
        Cow::Owned(bytes) => Cow::Owned(decode_charset(&bytes, part.charset.as_deref()).into_owned()),
    };
    Some(text)
}

/// Whether the message's body holds `needle`: in a text part, or in the header of a message inside.
#[must_use]
pub fn matches_body(raw: &[u8], sections: &Sections, needle: &Needle) -> bool {
    sections.leaves().filter_map(|part| leaf_text(raw, part)).any(|text| needle.is_in(&text))
        || sections.inner_headers().any(|header| raw.get(header).is_some_and(|block| matches_header(block, needle)))
}

/// Whether header or body hold `needle`.
#[must_use]
pub fn matches_text(raw: &[u8], sections: &Sections, needle: &Needle) -> bool {
    let header = sections.parts().first().and_then(|root| raw.get(root.header.clone()));
    header.is_some_and(|block| matches_header(block, needle)) || matches_body(raw, sections, needle)
}

fn matches_header(block: &[u8], needle: &Needle) -> bool {
    Fields::new(block).any(|field| {
        let mut line = String::from_utf8_lossy(field.name).into_owned();
        if !field.name.is_empty() {
            line.push_str(": ");
        }
        line.push_str(&decode_header_value(field.value));
        needle.is_in(&line)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::structure::Structure;
    use crate::{Limits, samples};

    #[test]
    fn finds_text_in_all_its_encodings() {
        let raw = b"Subject: =?utf-8?q?B=C3=BCcher?=\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n\
            --b\r\nContent-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n\
            Gr=FC=DFe aus K=\r\n=F6ln\r\n\
            --b\r\nContent-Type: image/png\r\n\r\nSecret\r\n\
            --b\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\nPGI+ZmV0dDwvYj4=\r\n--b--\r\n";
        let sections = Sections::of(&Structure::scan(raw, &Limits::default()));
        for (needle, in_body, in_text) in [
            ("gr\u{fc}\u{df}e", true, true),
            ("GR\u{dc}\u{df}E AUS K\u{d6}LN", true, true),
            ("<B>Fett", true, true),
            ("b\u{fc}cher", false, true),
            ("subject: b", false, true),
            ("secret", false, false),
            ("", true, true),
        ] {
            let needle = Needle::new(needle);
            assert_eq!(matches_body(raw, &sections, &needle), in_body, "{needle:?}");
            assert_eq!(matches_text(raw, &sections, &needle), in_text, "{needle:?}");
        }
    }

    #[test]
    fn headers_of_inner_messages_are_body() {
        let sections = Sections::of(&Structure::scan(samples::NESTED, &Limits::default()));
        assert!(matches_body(samples::NESTED, &sections, &Needle::new("deepest")));
        assert!(!matches_body(samples::NESTED, &sections, &Needle::new("outer")));
        // A table of another message.
        assert!(!matches_body(b"", &sections, &Needle::new("deepest")));
    }
}
