//! Numbers: digits alone, never a sign.

use std::num::NonZeroU32;

/// A message's number in a session, from 1.
pub(crate) type MessageNumber = NonZeroU32;

/// ```abnf
/// msg-number = 1*DIGIT
/// ```
/// `None` for what is not digits; `Some(None)` for 0 and for what is larger than any message's number.
pub(crate) fn message(word: &str) -> Option<Option<MessageNumber>> {
    digits(word).then(|| word.parse::<u32>().ok().and_then(MessageNumber::new))
}

/// ```abnf
/// lines = 1*DIGIT
/// ```
/// More than can be counted is all of them.
pub(crate) fn lines(word: &str) -> Option<u64> {
    digits(word).then(|| word.parse().unwrap_or(u64::MAX))
}

fn digits(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|octet| octet.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        let number = |n| Some(MessageNumber::new(n));
        let rows = [
            ("1", number(1)),
            ("0012", number(12)),
            ("4294967295", number(u32::MAX)),
            ("0", Some(None)),
            ("4294967296", Some(None)),
            ("99999999999999999999999", Some(None)),
            ("+1", None),
            ("-1", None),
            ("1x", None),
            ("1.", None),
            ("\u{661}", None),
            ("", None),
        ];
        for (word, expected) in rows {
            assert_eq!(message(word), expected, "{word}");
        }
    }

    #[test]
    fn counts_of_lines() {
        let rows = [
            ("0", Some(0)),
            ("4294967295", Some(4_294_967_295)),
            ("18446744073709551616", Some(u64::MAX)),
            ("+1", None),
            ("-1", None),
            ("", None),
        ];
        for (word, expected) in rows {
            assert_eq!(lines(word), expected, "{word}");
        }
    }
}
