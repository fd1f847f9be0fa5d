//! Header values as text: encoded words (RFC 2047) decoded, everything else as it is.

use memchr::memmem;

use super::charset::decode_charset;
use super::transfer::{hex, lenient_base64};
use crate::header::unfold;

/// RFC 2047, 2 allows 75 characters; software writes as much as fits on a line (RFC 5322, 2.1.1). What is longer is no encoded word, which
/// also keeps values full of unfinished ones linear.
const MAX_ENCODED_WORD: usize = 1024;

/// A raw header value on one line, its encoded words decoded. Bytes that are not UTF-8 are taken as Windows-1252.
///
/// ```abnf
/// encoded-word = "=?" charset ["*" language] "?" encoding "?" encoded-text "?="
/// ```
///
/// White space between neighbouring encoded words goes away (RFC 2047, 6.2). Neighbours of one charset are decoded
/// together, because much software splits characters between them. An encoded word counts wherever it stands, also
/// within a quoted string or another word, as mail clients show it.
#[must_use]
pub fn decode_header_value(value: &[u8]) -> String {
    let line = unfold(value);
    let mut decoded = String::with_capacity(line.len());
    let mut pending = Pending::default();
    let mut rest = line.as_ref();
    let mut plain = 0;
    while let Some(start) = memmem::find(&rest[plain..], b"=?").map(|offset| plain + offset) {
        let Some((word, length)) = EncodedWord::parse(&rest[start..]) else {
            plain = start + 1;
            continue;
        };
        let between = &rest[..start];
        if !(pending.is_some() && between.iter().all(|byte| matches!(byte, b' ' | b'\t'))) {
            pending.flush(&mut decoded);
            decoded.push_str(&decode_charset(between, None));
        }
        pending.add(&word, &mut decoded);
        rest = &rest[start + length..];
        plain = 0;
    }
    pending.flush(&mut decoded);
    decoded.push_str(&decode_charset(rest, None));
    decoded
}

#[derive(Debug, PartialEq, Eq)]
struct EncodedWord<'a> {
    charset: &'a str,
    base64: bool,
    text: &'a [u8],
}

impl<'a> EncodedWord<'a> {
    /// Reads the encoded word at the beginning of `bytes`, and tells its length.
    fn parse(bytes: &'a [u8]) -> Option<(Self, usize)> {
        let bytes = &bytes[..bytes.len().min(MAX_ENCODED_WORD)];
        let inner = bytes.strip_prefix(b"=?")?;
        let charset_end =
            inner.iter().position(|&byte| byte == b'?' || !byte.is_ascii_graphic()).filter(|&at| at > 0)?;
        let charset = std::str::from_utf8(&inner[..charset_end]).ok()?;
        // RFC 2231, 5: the charset may carry a language.
        let charset = charset.split('*').next().unwrap_or_default();
        let [b'?', encoding, b'?', rest @ ..] = &inner[charset_end..] else { return None };
        let base64 = match encoding.to_ascii_lowercase() {
            b'b' => true,
            b'q' => false,
            _ => return None,
        };
        let end = memmem::find(rest, b"?=")?;
        let length = bytes.len() - rest.len() + end + 2;
        Some((Self { charset, base64, text: &rest[..end] }, length))
    }

    fn bytes(&self) -> Vec<u8> {
        if self.base64 { lenient_base64(self.text) } else { decode_q(self.text) }
    }
}

/// The bytes of neighbouring encoded words of one charset.
#[derive(Debug, Default)]
struct Pending {
    charset: Option<String>,
    bytes: Vec<u8>,
}

impl Pending {
    fn is_some(&self) -> bool {
        self.charset.is_some()
    }

    fn add(&mut self, word: &EncodedWord<'_>, decoded: &mut String) {
        if self.charset.as_deref().is_some_and(|charset| !charset.eq_ignore_ascii_case(word.charset)) {
            self.flush(decoded);
        }
        self.charset.get_or_insert_with(|| word.charset.to_owned());
        self.bytes.extend_from_slice(&word.bytes());
    }

    fn flush(&mut self, decoded: &mut String) {
        if let Some(charset) = self.charset.take() {
            decoded.push_str(&decode_charset(&self.bytes, Some(&charset)));
            self.bytes.clear();
        }
    }
}

/// RFC 2047, 4.2: quoted-printable with `_` for a space.
fn decode_q(text: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match (byte, after) {
            (b'_', _) => decoded.push(b' '),
            (b'=', [high, low, after @ ..]) if let (Some(high), Some(low)) = (hex(*high), hex(*low)) => {
                decoded.push(high << 4 | low);
                rest = after;
            }
            _ => decoded.push(byte),
        }
    }
    decoded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(value: &str, expected: &str) {
        assert_eq!(decode_header_value(value.as_bytes()), expected, "{value:?}");
    }

    /// The table of RFC 2047, 8.
    #[test]
    fn examples_of_the_rfc() {
        check("(=?ISO-8859-1?Q?a?=)", "(a)");
        check("(=?ISO-8859-1?Q?a?= b)", "(a b)");
        check("(=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=)", "(ab)");
        check("(=?ISO-8859-1?Q?a?=  =?ISO-8859-1?Q?b?=)", "(ab)");
        check("(=?ISO-8859-1?Q?a?=\r\n    =?ISO-8859-1?Q?b?=)", "(ab)");
        check("(=?ISO-8859-1?Q?a_b?=)", "(a b)");
        check("(=?ISO-8859-1?Q?a?= =?ISO-8859-2?Q?_b?=)", "(a b)");
        check("=?US-ASCII*EN?Q?Keith_Moore?=", "Keith Moore");
        check(
            "=?iso-8859-8?b?7eXs+SDv4SDp7Oj08A==?=",
            "\u{5dd}\u{5d5}\u{5dc}\u{5e9} \u{5df}\u{5d1} \u{5d9}\u{5dc}\u{5d8}\u{5e4}\u{5e0}",
        );
    }

    #[test]
    fn words_of_the_wild() {
        check("=?utf-8?Q?=C3?= =?utf-8?Q?=A4?=", "\u{e4}");
        check("Re: \"=?utf-8?q?=C3=A4?=\"x", "Re: \"\u{e4}\"x");
        check("=?utf-8?q?two words?=", "two words");
        check("=?utf-8?q??=", "");
        check("=?utf-8?x?a?= =?utf-8?q?a =? =??q?a?=", "=?utf-8?x?a?= a =? =??q?a");
        check("=?", "=?");
        check("caf\u{e9}", "caf\u{e9}");
        assert_eq!(decode_header_value(b"caf\xe9"), "caf\u{e9}");
    }
}
