//! Content transfer encodings (RFC 2045, 6) and uuencode.

use std::borrow::Cow;

use mail_parser::decoders::base64::base64_decode;
use mail_parser::decoders::quoted_printable::quoted_printable_decode;

/// How a body is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum TransferEncoding {
    /// `7bit`, which is the default.
    #[default]
    SevenBit,
    /// `8bit`.
    EightBit,
    /// `binary`.
    Binary,
    /// `quoted-printable`.
    QuotedPrintable,
    /// `base64`.
    Base64,
    /// `x-uuencode` and its other names.
    Uuencode,
    /// Any other; the body is taken as it is.
    Unknown,
}

impl TransferEncoding {
    /// The encoding of this name, in any case.
    #[must_use]
    pub fn named(name: &[u8]) -> Self {
        const NAMES: &[(&str, TransferEncoding)] = &[
            ("7bit", TransferEncoding::SevenBit),
            ("8bit", TransferEncoding::EightBit),
            ("binary", TransferEncoding::Binary),
            ("quoted-printable", TransferEncoding::QuotedPrintable),
            ("base64", TransferEncoding::Base64),
            ("x-uuencode", TransferEncoding::Uuencode),
            ("x-uue", TransferEncoding::Uuencode),
            ("uuencode", TransferEncoding::Uuencode),
        ];
        let found = NAMES.iter().find(|(candidate, _)| name.eq_ignore_ascii_case(candidate.as_bytes()));
        found.map_or(Self::Unknown, |(_, encoding)| *encoding)
    }

    /// Whether the body's bytes stand for themselves.
    #[must_use]
    pub fn is_identity(self) -> bool {
        !matches!(self, Self::QuotedPrintable | Self::Base64 | Self::Uuencode)
    }

    pub(crate) fn to_byte(self) -> u8 {
        match self {
            Self::SevenBit => 0,
            Self::EightBit => 1,
            Self::Binary => 2,
            Self::QuotedPrintable => 3,
            Self::Base64 => 4,
            Self::Uuencode => 5,
            Self::Unknown => 6,
        }
    }

    pub(crate) fn from_byte(byte: u8) -> Option<Self> {
        const ALL: [TransferEncoding; 7] = [
            TransferEncoding::SevenBit,
            TransferEncoding::EightBit,
            TransferEncoding::Binary,
            TransferEncoding::QuotedPrintable,
            TransferEncoding::Base64,
            TransferEncoding::Uuencode,
            TransferEncoding::Unknown,
        ];
        ALL.get(usize::from(byte)).copied()
    }
}

/// Undoes a body's transfer encoding. Broken encodings are decoded as far as they make sense.
#[must_use]
pub fn decode_transfer(body: &[u8], encoding: TransferEncoding) -> Cow<'_, [u8]> {
    match encoding {
        TransferEncoding::SevenBit
        | TransferEncoding::EightBit
        | TransferEncoding::Binary
        | TransferEncoding::Unknown => Cow::Borrowed(body),
        // mail-parser's decoders refuse most broken input; ours skip what is broken.
        TransferEncoding::Base64 => Cow::Owned(base64_decode(body).unwrap_or_else(|| lenient_base64(body))),
        TransferEncoding::QuotedPrintable => {
            Cow::Owned(quoted_printable_decode(body).unwrap_or_else(|| lenient_quoted_printable(body)))
        }
        TransferEncoding::Uuencode => Cow::Owned(uudecode(body)),
    }
}

/// RFC 2045, 6.8: "Any characters outside of the base64 alphabet are to be ignored". Padding ends a run of data, not the
/// data: pieces that were encoded one by one are often joined.
pub(super) fn lenient_base64(body: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(body.len() / 4 * 3);
    let (mut bits, mut count) = (0_u32, 0_u32);
    for &byte in body {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            b'=' => {
                (bits, count) = (0, 0);
                continue;
            }
            _ => continue,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            decoded.push((bits >> count) as u8);
            bits &= (1 << count) - 1;
        }
    }
    decoded
}

/// RFC 2045, 6.7, note 5: an equals sign that begins no escape stays as it is.
pub(super) fn lenient_quoted_printable(body: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(body.len());
    let mut rest = body;
    while let Some(at) = memchr::memchr(b'=', rest) {
        decoded.extend_from_slice(&rest[..at]);
        rest = &rest[at + 1..];
        // White space before a soft line break was added on the way.
        let blanks = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        let broken = &rest[blanks..];
        if let Some(next_line) = broken.strip_prefix(b"\r\n").or_else(|| broken.strip_prefix(b"\n")) {
            rest = next_line;
        } else if let [high, low, after @ ..] = rest
            && let (Some(high), Some(low)) = (hex(*high), hex(*low))
        {
            decoded.push(high << 4 | low);
            rest = after;
        } else if blanks < rest.len() {
            // `blanks` bytes may be looked at again for the next escape, but only once: none of them is an equals sign.
            decoded.push(b'=');
        }
    }
    decoded.extend_from_slice(rest);
    decoded
}

pub(super) fn hex(byte: u8) -> Option<u8> {
    (byte as char).to_digit(16).map(|digit| digit as u8)
}

/// Decodes the lines between `begin` and `end`, or all if there is no `begin`: some software leaves it to the header.
fn uudecode(body: &[u8]) -> Vec<u8> {
    let lines = || body.split(|&byte| byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let start = lines().position(|line| line.starts_with(b"begin ")).map_or(0, |begin| begin + 1);
    let mut decoded = Vec::with_capacity(body.len() / 4 * 3);
    for line in lines().skip(start).take_while(|line| *line != b"end") {
        let Some((&length, data)) = line.split_first() else { continue };
        let wanted = usize::from(length.wrapping_sub(b' ') & 0x3f);
        let end = decoded.len() + wanted;
        for group in data.chunks(4) {
            let value = |at: usize| group.get(at).map_or(0, |byte| byte.wrapping_sub(b' ') & 0x3f);
            let (a, b, c, d) = (value(0), value(1), value(2), value(3));
            decoded.extend_from_slice(&[a << 2 | b >> 4, b << 4 | c >> 2, c << 6 | d]);
        }
        decoded.truncate(end);
    }
    decoded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(body: &str, encoding: &str, expected: &str) {
        let decoded = decode_transfer(body.as_bytes(), TransferEncoding::named(encoding.as_bytes()));
        assert_eq!(String::from_utf8_lossy(&decoded), expected, "{encoding} {body:?}");
    }

    #[test]
    fn decodes() {
        check("a=3Db\r\nc =\r\nd", "Quoted-Printable", "a=b\r\nc d");
        check("YWJj\r\nZA==\r\n", "BASE64", "abcd");
        check("begin 644 x\r\n#86)C\r\n`\r\nend\r\ntrailer", "x-uuencode", "abc");
        check("#86)C\n", "uuencode", "abc");
        check("a=3Db", "7bit", "a=3Db");
        check("a=3Db", "x-own", "a=3Db");
    }

    #[test]
    fn broken_encodings_are_decoded_as_far_as_possible() {
        check("100% =ZZ a=3Db = c =", "quoted-printable", "100% =ZZ a=b = c ");
        check("a= \r\nb=3x", "quoted-printable", "ab=3x");
        check("YWJj!!ZA==YWJj", "base64", "abcdabc");
        check("YWJ*j", "base64", "abc");
        check("=====", "base64", "");
        check("", "base64", "");
        // Spaces, which stand for zeros, get lost at the ends of lines.
        check("begin 644 x\n#86", "x-uue", "a`\0");
    }

    #[test]
    fn bytes_and_encodings_match() {
        for byte in 0..=u8::MAX {
            assert!(TransferEncoding::from_byte(byte).is_none_or(|encoding| encoding.to_byte() == byte));
        }
    }
}
