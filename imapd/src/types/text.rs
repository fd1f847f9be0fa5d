//! The words of the language: tags, atoms and strings (RFC 9051, 4.1 to 4.3).

use std::fmt;

/// Octets in a tag. The RFC sets no bound; clients use at most a few dozen, and every tag is kept until its command ends.
pub const MAX_TAG: usize = 256;

/// What a client puts before a command so that it knows the answer again (RFC 9051, 2.2.1).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Tag(Box<str>);

impl Tag {
    /// `1*<any ASTRING-CHAR except "+">`, at most [`MAX_TAG`] octets; `None` for anything else.
    pub fn new(text: &[u8]) -> Option<Tag> {
        let fits = !text.is_empty() && text.len() <= MAX_TAG;
        let legal = text.iter().all(|&octet| is_astring_char(octet) && octet != b'+');
        (fits && legal).then(|| Tag(ascii(text)))
    }

    /// The tag as sent.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One or more ATOM-CHAR, in the case the client wrote it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Atom(Box<str>);

impl Atom {
    /// `1*ATOM-CHAR`; `None` for anything else.
    pub fn new(text: &[u8]) -> Option<Atom> {
        let legal = !text.is_empty() && text.iter().copied().all(is_atom_char);
        legal.then(|| Atom(ascii(text)))
    }

    /// The atom as sent.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is `word` in any case: all protocol words are case-insensitive.
    pub fn is(&self, word: &str) -> bool {
        self.0.eq_ignore_ascii_case(word)
    }
}

impl fmt::Display for Atom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Octets that a client may send as an atom, a quoted string or a literal: anything but NUL (RFC 9051, 4.3).
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct AString(Box<[u8]>);

impl AString {
    /// `None` if there is a NUL, which only a `literal8` may carry.
    pub fn new(octets: &[u8]) -> Option<AString> {
        memchr::memchr(0, octets).is_none().then(|| AString(octets.into()))
    }

    /// The octets; in what charset depends on the command.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The octets, without copying them.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0.into_vec()
    }

    /// The text, if it is UTF-8.
    pub fn to_str(&self) -> Option<&str> {
        str::from_utf8(&self.0).ok()
    }
}

impl fmt::Debug for AString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.escape_ascii())
    }
}

/// `ATOM-CHAR`: any CHAR except atom-specials (RFC 9051, 9).
pub(crate) const fn is_atom_char(octet: u8) -> bool {
    matches!(octet, 0x21..=0x7e) && !matches!(octet, b'(' | b')' | b'{' | b'%' | b'*' | b'"' | b'\\' | b']')
}

/// `ASTRING-CHAR = ATOM-CHAR / resp-specials` (RFC 9051, 9).
pub(crate) const fn is_astring_char(octet: u8) -> bool {
    is_atom_char(octet) || octet == b']'
}

/// Callers have checked that every octet is ASCII, so nothing is ever replaced here.
fn ascii(text: &[u8]) -> Box<str> {
    String::from_utf8_lossy(text).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags() {
        let check = |text: &[u8], legal| assert_eq!(Tag::new(text).is_some(), legal, "{}", text.escape_ascii());
        check(b"a1", true);
        check(b"A.1]", true);
        check(&[b'x'; MAX_TAG], true);
        for bad in
            [&b""[..], b"*", b"+", b"a+1", b"a b", b"a\r", b"a\0", b"\xc3\xa4", b"a{", b"a\"", &[b'x'; MAX_TAG + 1]]
        {
            check(bad, false);
        }
    }

    #[test]
    fn every_octet_is_an_atom_char_or_not() {
        let atom: Vec<u8> = (0..=255).filter(|&octet| is_atom_char(octet)).collect();
        assert_eq!(
            str::from_utf8(&atom),
            Ok("!#$&'+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[^_`abcdefghijklmnopqrstuvwxyz|}~")
        );
    }

    #[test]
    fn strings_refuse_only_nul() {
        assert!(AString::new(b"\xff\r\n").is_some());
        assert!(AString::new(b"a\0b").is_none());
    }
}
