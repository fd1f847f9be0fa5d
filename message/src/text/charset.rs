//! From a named charset to Unicode.

use std::borrow::Cow;

use encoding_rs::Encoding;
use mail_parser::decoders::charsets::map::charset_decoder;

use super::utf7;

/// No registered charset name is longer; whatever is, is not looked up.
const MAX_CHARSET_NAME: usize = 45;

/// Decodes text of the charset named so. Without a name, or with one that nobody knows, it is UTF-8 if it can be, and
/// Windows-1252 otherwise.
#[must_use]
pub fn decode_charset<'a>(bytes: &'a [u8], charset: Option<&str>) -> Cow<'a, str> {
    match charset.map(Charset::named) {
        None | Some(Charset::Unknown | Charset::Utf8) => guess(bytes),
        Some(Charset::Utf7) => Cow::Owned(utf7::decode(bytes)),
        // A byte order mark says more than the name, which for UTF-16 does not even say the order.
        Some(Charset::Label(encoding)) => encoding.decode(bytes).0,
        Some(Charset::Decoder(decode)) => Cow::Owned(decode(bytes)),
    }
}

/// Whether SEARCH CHARSET can offer this charset (RFC 9051, 6.4.4).
#[must_use]
pub fn is_known_charset(name: &str) -> bool {
    !matches!(Charset::named(name), Charset::Unknown)
}

enum Charset {
    Utf8,
    Utf7,
    Label(&'static Encoding),
    Decoder(fn(&[u8]) -> String),
    Unknown,
}

impl Charset {
    fn named(name: &str) -> Self {
        let name = name.trim().trim_matches('"');
        if name.is_empty() || name.len() > MAX_CHARSET_NAME {
            return Self::Unknown;
        }
        let lower = name.to_ascii_lowercase();
        match lower.as_str() {
            // Mail that says ASCII and is not is nearly always UTF-8, or else Windows-1252.
            "utf-8" | "utf8" | "us-ascii" | "ascii" | "ansi_x3.4-1968" => return Self::Utf8,
            "utf-7" | "utf7" | "unicode-1-1-utf-7" | "csutf7" | "csunicode11utf7" => return Self::Utf7,
            _ => (),
        }
        // mail-parser knows some that browsers do not (IBM850). "replacement" stands for charsets that are a danger to
        // browsers and decodes to nothing; then the bytes themselves are the better text.
        match Encoding::for_label(lower.as_bytes()) {
            Some(encoding) if encoding == encoding_rs::REPLACEMENT => Self::Unknown,
            Some(encoding) if encoding == encoding_rs::UTF_8 => Self::Utf8,
            Some(encoding) => Self::Label(encoding),
            None => charset_decoder(lower.as_bytes()).map_or(Self::Unknown, Self::Decoder),
        }
    }
}

fn guess(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => encoding_rs::WINDOWS_1252.decode_without_bom_handling(bytes).0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes() {
        for (bytes, charset, expected) in [
            (&b"caf\xc3\xa9"[..], Some("UTF-8"), "caf\u{e9}"),
            (b"caf\xe9", Some("utf-8"), "caf\u{e9}"),
            (b"caf\xe9", Some("us-ascii"), "caf\u{e9}"),
            (b"caf\xe9", Some("ISO-8859-1"), "caf\u{e9}"),
            (b"caf\xe9", None, "caf\u{e9}"),
            (b"caf\xe9", Some("x-no-such"), "caf\u{e9}"),
            (b"\xa4", Some("iso-8859-15"), "\u{20ac}"),
            (b"\xf0\xd2\xc9", Some("koi8-r"), "\u{41f}\u{440}\u{438}"),
            (b"\x1b$B$\"\x1b(B", Some("iso-2022-jp"), "\u{3042}"),
            (b"+ZeU-", Some("unicode-1-1-utf-7"), "\u{65e5}"),
            (b"\x82\xa0", Some("shift_jis"), "\u{3042}"),
            (b"\xfe\xff\0a", Some("utf-16"), "a"),
            (b"a\0b", Some("utf-16le"), "a\u{fffd}"),
            (b"\x9b", Some("ibm850"), "\u{f8}"),
            (b"abc", Some("hz-gb-2312"), "abc"),
        ] {
            assert_eq!(decode_charset(bytes, charset), expected, "{charset:?} {bytes:?}");
        }
    }

    #[test]
    fn hostile_names() {
        assert_eq!(decode_charset(b"x", Some(&"a".repeat(1 << 20))), "x");
        assert_eq!(decode_charset(b"x", Some("\"")), "x");
        assert!(!is_known_charset("") && is_known_charset("UTF-8") && is_known_charset("windows-1251"));
    }
}
