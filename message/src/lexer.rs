//! The lexical tokens of header values: white space, comments, atoms, MIME tokens and quoted strings (RFC 5322, 3.2;
//! RFC 2045, 5.1).
//!
//! It works on raw values: line ends inside a value count as white space, because unfolding only removes them. Every
//! method moves forward or stays, none looks at a byte twice, and nesting is counted, not recursed into.

use memchr::memchr2;

/// A position in a raw header value.
#[derive(Debug, Clone)]
pub(crate) struct Lexer<'a> {
    data: &'a [u8],
    position: usize,
}

impl<'a> Lexer<'a> {
    pub(crate) fn new(data: &'a [u8]) -> Self {
        Self { data, position: 0 }
    }

    pub(crate) fn peek(&self) -> Option<u8> {
        self.data.get(self.position).copied()
    }

    pub(crate) fn rest(&self) -> &'a [u8] {
        self.data.get(self.position..).unwrap_or_default()
    }

    /// Takes one byte, whatever it is.
    pub(crate) fn bump(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.position += 1;
        Some(byte)
    }

    /// Takes `byte` if it is next.
    pub(crate) fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.position += usize::from(found);
        found
    }

    /// Takes bytes as long as `wanted` says so.
    pub(crate) fn take_while(&mut self, wanted: impl Fn(u8) -> bool) -> &'a [u8] {
        let rest = self.rest();
        let length = rest.iter().position(|&byte| !wanted(byte)).unwrap_or(rest.len());
        self.position += length;
        &rest[..length]
    }

    /// Skips `[CFWS]` and says whether there was any.
    ///
    /// ```abnf
    /// CFWS = (1*([FWS] comment) [FWS]) / FWS
    /// ```
    pub(crate) fn skip_cfws(&mut self) -> bool {
        self.skip_cfws_into(None)
    }

    /// Skips `[CFWS]`; the text of the last comment replaces what `comment` held.
    pub(crate) fn skip_cfws_into(&mut self, mut comment: Option<&mut Vec<u8>>) -> bool {
        let start = self.position;
        loop {
            match self.peek() {
                Some(b' ' | b'\t' | b'\r' | b'\n') => self.position += 1,
                Some(b'(') => {
                    self.position += 1;
                    if let Some(comment) = comment.as_deref_mut() {
                        comment.clear();
                        self.comment(|byte| comment.push(byte));
                        trim_in_place(comment);
                    } else {
                        self.comment(|_| ());
                    }
                }
                _ => return self.position > start,
            }
        }
    }

    /// The rest of a comment whose `(` is taken; an unclosed one reaches to the end of the value.
    ///
    /// ```abnf
    /// comment  = "(" *([FWS] ccontent) [FWS] ")"
    /// ccontent = ctext / quoted-pair / comment
    /// ```
    fn comment(&mut self, mut keep: impl FnMut(u8)) {
        let mut depth = 1_usize;
        while let Some(byte) = self.bump() {
            match byte {
                b'(' => depth += 1,
                b')' => {
                    depth -= 1;
                    if depth == 0 {
                        return;
                    }
                }
                b'\\' => {
                    // A comment may end in a lone backslash (CVE-2026-47088 was that).
                    if let Some(quoted) = self.bump() {
                        keep(quoted);
                    }
                    continue;
                }
                b'\r' | b'\n' => continue,
                _ => (),
            }
            keep(byte);
        }
    }

    /// The rest of a quoted string whose opening quote is taken, appended without its quoting and line ends. Returns
    /// false when the closing quote is missing; then everything is inside.
    ///
    /// ```abnf
    /// quoted-string = [CFWS] DQUOTE *([FWS] qcontent) [FWS] DQUOTE [CFWS]
    /// qcontent      = qtext / quoted-pair
    /// ```
    pub(crate) fn quoted_string(&mut self, into: &mut Vec<u8>) -> bool {
        loop {
            let rest = self.rest();
            let Some(stop) = memchr2(b'"', b'\\', rest) else {
                append_unfolded(into, rest);
                self.position = self.data.len();
                return false;
            };
            append_unfolded(into, &rest[..stop]);
            self.position += stop + 1;
            if rest[stop] == b'"' {
                return true;
            }
            match self.bump() {
                Some(b'\r' | b'\n') | None => (),
                Some(quoted) => into.push(quoted),
            }
        }
    }

    /// A MIME token, perhaps empty.
    ///
    /// ```abnf
    /// token := 1*<any (US-ASCII) CHAR except SPACE, CTLs, or tspecials>
    /// ```
    pub(crate) fn token(&mut self) -> &'a [u8] {
        self.take_while(is_token)
    }
}

/// `atext` (RFC 5322, 3.2.3) and, as RFC 6532 and older raw 8-bit mail want it, any byte above ASCII.
pub(crate) fn is_atext(byte: u8) -> bool {
    !matches!(
        byte,
        0..=b' ' | 0x7f | b'(' | b')' | b'<' | b'>' | b'[' | b']' | b':' | b';' | b'@' | b'\\' | b',' | b'.' | b'"'
    )
}

/// A byte of a MIME token; bytes above ASCII are let through, because file names come so.
pub(crate) fn is_token(byte: u8) -> bool {
    !matches!(
        byte,
        0..=b' '
            | 0x7f
            | b'('
            | b')'
            | b'<'
            | b'>'
            | b'@'
            | b','
            | b';'
            | b':'
            | b'\\'
            | b'"'
            | b'/'
            | b'['
            | b']'
            | b'?'
            | b'='
    )
}

/// Space, tab, carriage return and line feed: what unfolding leaves or removes.
pub(crate) fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// `bytes` without blanks at either end.
pub(crate) fn trim(bytes: &[u8]) -> &[u8] {
    let start = bytes.iter().position(|&byte| !is_blank(byte)).unwrap_or(bytes.len());
    let end = bytes.iter().rposition(|&byte| !is_blank(byte)).map_or(start, |last| last + 1);
    &bytes[start..end]
}

fn trim_in_place(bytes: &mut Vec<u8>) {
    let end = bytes.iter().rposition(|&byte| !is_blank(byte)).map_or(0, |last| last + 1);
    bytes.truncate(end);
    let start = bytes.iter().position(|&byte| !is_blank(byte)).unwrap_or(0);
    if start > 0 {
        bytes.drain(..start);
    }
}

fn append_unfolded(into: &mut Vec<u8>, bytes: &[u8]) {
    if memchr2(b'\r', b'\n', bytes).is_none() {
        into.extend_from_slice(bytes);
    } else {
        into.extend(bytes.iter().filter(|byte| !matches!(byte, b'\r' | b'\n')));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_nest_and_may_be_broken() {
        for (input, comment, rest) in [
            ("(a) x", "a", "x"),
            (" (a (b) c)\r\n\tx", "a (b) c", "x"),
            ("(a\\) b)x", "a) b", "x"),
            ("(first)(second)x", "second", "x"),
            ("(never closed x", "never closed x", ""),
            ("(ends in backslash \\", "ends in backslash", ""),
            ("x", "", "x"),
        ] {
            let mut found = Vec::new();
            let mut lexer = Lexer::new(input.as_bytes());
            lexer.skip_cfws_into(Some(&mut found));
            assert_eq!(
                (String::from_utf8_lossy(&found).as_ref(), lexer.rest()),
                (comment, rest.as_bytes()),
                "{input:?}"
            );
        }
    }

    #[test]
    fn quoted_strings_lose_quoting_and_folding() {
        for (input, text, closed) in [
            ("\"a b\"", "a b", true),
            ("\"a \\\"b\\\" \\\\\"", "a \"b\" \\", true),
            ("\"a\r\n b\"", "a b", true),
            ("\"never closed", "never closed", false),
            ("\"backslash at the end\\", "backslash at the end", false),
        ] {
            let mut found = Vec::new();
            let mut lexer = Lexer::new(input.as_bytes());
            assert!(lexer.eat(b'"'));
            assert_eq!(lexer.quoted_string(&mut found), closed, "{input:?}");
            assert_eq!(String::from_utf8_lossy(&found), text, "{input:?}");
        }
    }
}
