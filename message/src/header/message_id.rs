//! Message identifiers (RFC 5322, 3.6.4), for duplicate suppression and threading.

use memchr::memchr;

use crate::lexer::is_blank;

/// A longer identifier cannot stand on one line (RFC 5322, 2.1.1) and is no key for anything.
const MAX_MESSAGE_ID_BYTES: usize = 998;

/// The first valid identifier of a Message-ID field's value, angle brackets included.
///
/// ```abnf
/// msg-id = [CFWS] "<" id-left "@" id-right ">" [CFWS]
/// ```
///
/// The `@` is not insisted on, since much software writes identifiers without, and those are as unique. What is: both
/// brackets, something between them, and no white space or control character there.
#[must_use]
pub fn first_message_id(value: &[u8]) -> Option<&[u8]> {
    message_ids(value).next()
}

/// All valid identifiers of a References, In-Reply-To or Message-ID value in their order, angle brackets included.
pub fn message_ids(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = value;
    std::iter::from_fn(move || {
        loop {
            rest = &rest[memchr(b'<', rest)?..];
            let length = 1 + rest[1..]
                .iter()
                .position(|&byte| byte == b'>' || byte == b'<' || is_blank(byte) || byte.is_ascii_control())
                .unwrap_or(rest.len() - 1);
            let (candidate, after) = match rest.get(length) {
                Some(b'>') => (Some(&rest[..=length]), &rest[length + 1..]),
                _ => (None, &rest[length..]),
            };
            rest = after;
            if let Some(id) = candidate.filter(|id| (3..=MAX_MESSAGE_ID_BYTES).contains(&id.len())) {
                return Some(id);
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(value: &str, expected: &[&str]) {
        let found: Vec<_> = message_ids(value.as_bytes()).map(|id| String::from_utf8_lossy(id).into_owned()).collect();
        assert_eq!(found, expected, "{value:?}");
    }

    #[test]
    fn finds_identifiers() {
        check("<a@b>", &["<a@b>"]);
        check(" (x) <a@b>\r\n\t<c@d><e@f> junk", &["<a@b>", "<c@d>", "<e@f>"]);
        check("<noat>", &["<noat>"]);
        check("<> <a b@c> < d@e> <f@g", &[]);
        check("<<a@b>", &["<a@b>"]);
        check("a@b", &[]);
        check("", &[]);
        check(&format!("<{}> <a@b>", "x".repeat(1000)), &["<a@b>"]);
    }
}
