//! Strings on the wire.
//!
//! ```abnf
//! nstring = string / nil
//! string  = quoted / literal
//! literal = "{" number64 "}" CRLF *CHAR8       ; CHAR8 = %x01-ff
//! ```

use memchr::memchr_iter;

/// Longer strings are sent as literals: some clients read quoted strings into buffers of a line.
const MAX_QUOTED_BYTES: usize = 1000;

/// Stands for NUL, which no IMAP string can hold: U+FFFD, as Dovecot has it.
const NUL_REPLACEMENT: &[u8] = "\u{fffd}".as_bytes();

/// Appends a string, quoted if it can be.
pub(super) fn put_string(out: &mut Vec<u8>, text: &[u8]) {
    let quotable = text.len() <= MAX_QUOTED_BYTES
        && text.iter().all(|byte| matches!(byte, 1..=0x7f) && !matches!(byte, b'\r' | b'\n'));
    if !quotable {
        return put_literal(out, text);
    }
    out.push(b'"');
    for &byte in text {
        if matches!(byte, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(byte);
    }
    out.push(b'"');
}

/// Appends a string, or NIL for none.
pub(super) fn put_nstring(out: &mut Vec<u8>, text: Option<&[u8]>) {
    match text {
        Some(text) => put_string(out, text),
        None => out.extend_from_slice(b"NIL"),
    }
}

/// Appends a number.
pub(super) fn put_number(out: &mut Vec<u8>, number: usize) {
    out.extend_from_slice(number.to_string().as_bytes());
}

fn put_literal(out: &mut Vec<u8>, text: &[u8]) {
    let nuls = memchr_iter(0, text).count();
    out.push(b'{');
    put_number(out, text.len() + nuls * (NUL_REPLACEMENT.len() - 1));
    out.extend_from_slice(b"}\r\n");
    let mut rest = text;
    while let Some(nul) = memchr::memchr(0, rest) {
        out.extend_from_slice(&rest[..nul]);
        out.extend_from_slice(NUL_REPLACEMENT);
        rest = &rest[nul + 1..];
    }
    out.extend_from_slice(rest);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: Option<&[u8]>, expected: &[u8]) {
        let mut out = Vec::new();
        put_nstring(&mut out, text);
        assert_eq!(out, expected, "{text:?}");
    }

    #[test]
    fn writes() {
        check(None, b"NIL");
        check(Some(b""), b"\"\"");
        check(Some(b"NIL"), b"\"NIL\"");
        check(Some(b"a \"b\" \\"), b"\"a \\\"b\\\" \\\\\"");
        check(Some(b"a\tb"), b"\"a\tb\"");
        check(Some("\u{e4}".as_bytes()), b"{2}\r\n\xc3\xa4");
        check(Some(b"a\r\nb"), b"{4}\r\na\r\nb");
        check(Some(b"\0a\0"), b"{7}\r\n\xef\xbf\xbda\xef\xbf\xbd");
        let long = [b'x'; MAX_QUOTED_BYTES + 1];
        check(Some(&long), &[&b"{1001}\r\n"[..], &long].concat());
    }
}
