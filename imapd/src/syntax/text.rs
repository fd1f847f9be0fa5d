//! Atoms, quoted strings, literals, and the punctuation between them (RFC 9051, 9).

use std::borrow::Cow;

use bytes::{BufMut, BytesMut};
use nom::{
    Parser,
    branch::alt,
    bytes::complete::{tag, tag_no_case, take, take_while, take_while1},
    combinator::{map_opt, not, peek, value},
    sequence::{delimited, preceded},
};

use super::{Fault, Input, Parsed, expect, number::number64};
use crate::types::{AString, Atom, Encoding, is_astring_char, is_atom_char};

/// Octets up to which a string is printed in quotes: longer ones are literals, so that nobody must scan them.
const MAX_QUOTED: usize = 1024;

/// `SP`
pub(super) fn sp(input: Input<'_>) -> Parsed<'_, ()> {
    value((), expect("a space", tag(" "))).parse(input)
}

/// A protocol word in any case, not followed by more of a word.
pub(super) fn keyword<'a>(word: &'static str) -> impl FnMut(Input<'a>) -> Parsed<'a, ()> {
    let end = peek(not(take_while1(|octet: u8| octet.is_ascii_alphanumeric() || octet == b'-' || octet == b'.')));
    let mut parser = value((), (tag_no_case(word), end));
    move |input| match parser.parse(input) {
        Err(nom::Err::Error(_)) => Err(Fault::expected(input, word)),
        result => result,
    }
}

/// Letters, digits, `-` and `.`: a name to look up in a table. `what` is named if there is none.
pub(super) fn word<'a>(what: &'static str) -> impl FnMut(Input<'a>) -> Parsed<'a, &'a str> {
    let mut octets = take_while1(|octet: u8| octet.is_ascii_alphanumeric() || octet == b'-' || octet == b'.');
    move |input| {
        let (rest, word) = octets.parse(input).map_err(|_: nom::Err<Fault<'_>>| Fault::expected(input, what))?;
        let word = str::from_utf8(word).map_err(|_| Fault::expected(input, what))?;
        Ok((rest, word))
    }
}

/// `"(" [item *(SP item)] ")"`, at most `max` items; `what` names them.
pub(super) fn parenthesised<'a, T>(
    mut item: impl FnMut(Input<'a>) -> Parsed<'a, T>,
    max: usize,
    what: &'static str,
) -> impl FnMut(Input<'a>) -> Parsed<'a, Vec<T>> {
    move |input| {
        let (mut rest, ()) = value((), expect("\"(\"", tag("("))).parse(input)?;
        let mut items = Vec::new();
        loop {
            if let Some(after) = rest.strip_prefix(b")") {
                return Ok((after, items));
            }
            if !items.is_empty() {
                rest = match rest.strip_prefix(b" ") {
                    Some(after) => after,
                    None => return Err(Fault::expected(rest, "a space or \")\"")),
                };
            }
            if items.len() == max {
                return Err(Fault::too_many(rest, what));
            }
            let (after, value) = item(rest)?;
            items.push(value);
            rest = after;
        }
    }
}

/// The same with at least one item.
pub(super) fn parenthesised1<'a, T>(
    item: impl FnMut(Input<'a>) -> Parsed<'a, T>,
    max: usize,
    what: &'static str,
) -> impl FnMut(Input<'a>) -> Parsed<'a, Vec<T>> {
    let mut list = parenthesised(item, max, what);
    move |input| match list(input)? {
        (_, items) if items.is_empty() => Err(Fault::expected(input.get(1..).unwrap_or_default(), what)),
        parsed => Ok(parsed),
    }
}

/// ```abnf
/// atom = 1*ATOM-CHAR
/// ```
pub(super) fn atom(input: Input<'_>) -> Parsed<'_, Atom> {
    expect("an atom", map_opt(take_while1(is_atom_char), Atom::new)).parse(input)
}

/// ```abnf
/// astring = 1*ASTRING-CHAR / string
/// ```
pub(super) fn astring(input: Input<'_>) -> Parsed<'_, AString> {
    let octets = alt((take_while1(is_astring_char).map(Cow::Borrowed), string));
    expect("an astring", map_opt(octets, |octets| AString::new(&octets))).parse(input)
}

/// ```abnf
/// string = quoted / literal
/// ```
pub(super) fn string(input: Input<'_>) -> Parsed<'_, Cow<'_, [u8]>> {
    match input.first() {
        Some(b'{') => literal(input).map(|(rest, octets)| (rest, Cow::Borrowed(octets))),
        _ => quoted(input),
    }
}

/// ```abnf
/// nstring = string / nil
/// nil     = "NIL"
/// ```
pub(super) fn nstring(input: Input<'_>) -> Parsed<'_, Option<AString>> {
    let some = map_opt(string, |octets| AString::new(&octets)).map(Some);
    expect("a string or NIL", alt((value(None, keyword("NIL")), some))).parse(input)
}

/// ```abnf
/// quoted          = DQUOTE *QUOTED-CHAR DQUOTE
/// QUOTED-CHAR     = <any TEXT-CHAR except quoted-specials> / "\" quoted-specials / UTF8-2 / UTF8-3 / UTF8-4
/// quoted-specials = DQUOTE / "\"
/// TEXT-CHAR       = <any CHAR except CR and LF>
/// ```
pub(super) fn quoted(input: Input<'_>) -> Parsed<'_, Cow<'_, [u8]>> {
    let Some(inside) = input.strip_prefix(b"\"") else {
        return Err(Fault::expected(input, "a quoted string or a literal"));
    };
    let mut unescaped: Vec<u8> = Vec::new();
    let mut rest = inside;
    loop {
        let stop = rest.iter().position(|octet| matches!(octet, b'"' | b'\\' | b'\r' | b'\n' | 0));
        let (plain, special) = rest.split_at(stop.unwrap_or(rest.len()));
        match special {
            [b'"', after @ ..] => {
                let text = match unescaped.is_empty() {
                    true => Cow::Borrowed(plain),
                    false => Cow::Owned([&unescaped, plain].concat()),
                };
                return match str::from_utf8(&text) {
                    Ok(_) => Ok((after, text)),
                    Err(_) => Err(Fault::refused(input, "Quoted string is not UTF-8")),
                };
            }
            [b'\\', escaped @ (b'"' | b'\\'), after @ ..] => {
                unescaped.extend_from_slice(plain);
                unescaped.push(*escaped);
                rest = after;
            }
            [b'\\', ..] => return Err(Fault::expected(&special[1..], "\" or \\ after \\")),
            [_, ..] => return Err(Fault::refused(special, "Quoted string holds CR, LF or NUL")),
            [] => return Err(Fault::expected(special, "the end of the quoted string")),
        }
    }
}

/// ```abnf
/// literal = "{" number64 ["+"] "}" CRLF *CHAR8
/// CHAR8   = %x01-ff
/// ```
/// `LITERAL-` differs only in how large `{n+}` may be, which framing has checked.
pub(super) fn literal(input: Input<'_>) -> Parsed<'_, &[u8]> {
    let announced = delimited(tag("{"), number64, (nom::combinator::opt(tag("+")), tag("}\r\n")));
    let (rest, size) = expect("a literal", announced).parse(input)?;
    let size = usize::try_from(size).map_err(|_| Fault::expected(rest, "the octets of the literal"))?;
    let (after, octets) =
        take(size).parse(rest).map_err(|_: nom::Err<Fault<'_>>| Fault::expected(rest, "the octets of the literal"))?;
    match memchr::memchr(0, octets) {
        Some(at) => Err(Fault::refused(&rest[at..], "Literal holds NUL")),
        None => Ok((after, octets)),
    }
}

/// ```abnf
/// flag-extension = "\" atom
/// ```
pub(super) fn backslash_atom(input: Input<'_>) -> Parsed<'_, Atom> {
    preceded(tag("\\"), atom).parse(input)
}

/// The end of the command.
pub(super) fn end(input: Input<'_>) -> Parsed<'_, ()> {
    let (rest, _) = take_while(|octet| super::quirks::TRAILING_SPACE && octet == b' ').parse(input)?;
    match rest.is_empty() {
        true => Ok((rest, ())),
        false => Err(Fault::expected(input, "the end of the command")),
    }
}

/// Prints octets as `astring`: an atom if that is possible, else as [`print_string`] does.
pub(crate) fn print_astring(out: &mut BytesMut, octets: &[u8], encoding: Encoding) {
    let atom =
        !octets.is_empty() && octets.iter().copied().all(is_astring_char) && !octets.eq_ignore_ascii_case(b"NIL");
    if atom { out.put_slice(octets) } else { print_string(out, octets, encoding) }
}

/// Prints octets as `string`: quoted, or a literal if they are long or hold what may not be quoted. UTF-8 may be quoted
/// only where the peer expects it (RFC 9051, 4.3).
pub(crate) fn print_string(out: &mut BytesMut, octets: &[u8], encoding: Encoding) {
    let plain = |octet: u8| !matches!(octet, 0 | b'\r' | b'\n') && octet.is_ascii();
    let quotable = octets.len() <= MAX_QUOTED
        && match encoding {
            Encoding::ModifiedUtf7 => octets.iter().copied().all(plain),
            Encoding::Utf8 => {
                octets.iter().all(|&octet| plain(octet) || !octet.is_ascii()) && str::from_utf8(octets).is_ok()
            }
        };
    if !quotable {
        out.put_slice(format!("{{{}}}\r\n", octets.len()).as_bytes());
        return out.put_slice(octets);
    }
    out.put_u8(b'"');
    let mut rest = octets;
    while let Some(at) = memchr::memchr2(b'"', b'\\', rest) {
        out.put_slice(&rest[..at]);
        out.put_slice(&[b'\\', rest[at]]);
        rest = &rest[at + 1..];
    }
    out.put_slice(rest);
    out.put_u8(b'"');
}

/// Prints `nstring`.
pub(super) fn print_nstring(out: &mut BytesMut, octets: Option<&[u8]>, encoding: Encoding) {
    match octets {
        Some(octets) => print_string(out, octets, encoding),
        None => out.put_slice(b"NIL"),
    }
}

/// Prints `"(" [item *(SP item)] ")"`.
pub(super) fn print_parenthesised<T>(
    out: &mut BytesMut,
    items: impl IntoIterator<Item = T>,
    mut print: impl FnMut(&mut BytesMut, T),
) {
    out.put_u8(b'(');
    for (at, item) in items.into_iter().enumerate() {
        if at > 0 {
            out.put_u8(b' ');
        }
        print(out, item);
    }
    out.put_u8(b')');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_parse() {
        let check = |input: &[u8], expected: Option<(&[u8], &[u8])>| {
            let parsed = astring(input).ok();
            let parsed = parsed.as_ref().map(|(rest, octets)| (octets.as_bytes(), *rest));
            assert_eq!(parsed, expected, "{}", input.escape_ascii());
        };
        check(b"abc] d", Some((b"abc]", b" d")));
        check(b"\"\" x", Some((b"", b" x")));
        check(br#""a\"b\\c" x"#, Some((br#"a"b\c"#, b" x")));
        check("\"gr\u{fc}n\"".as_bytes(), Some(("grün".as_bytes(), b"")));
        check(b"{3}\r\n\r\n\"x", Some((b"\r\n\"", b"x")));
        check(b"{3+}\r\nabcd", Some((b"abc", b"d")));
        check(b"{0}\r\n", Some((b"", b"")));
        for bad in [
            &b""[..],
            b" a",
            b"(",
            b"\"abc",
            b"\"a\\x\"",
            b"\"a\\",
            b"\"a\0\"",
            b"\"a\r\"",
            b"\"a\nb\"",
            b"\"\xff\"",
            b"{3}\r\nab",
            b"{3}abc",
            b"{3}\nabc",
            b"{-1}\r\n",
            b"{}\r\n",
            b"{+}\r\n",
            b"{1 }\r\na",
            b"{1",
            b"{1}\r\n\0",
            b"{18446744073709551616}\r\n",
            b"{9223372036854775807}\r\n",
            b"\\a",
            b"\x80",
        ] {
            check(bad, None);
        }
    }

    #[test]
    fn strings_print() {
        let check = |octets: &[u8], encoding, expected: &[u8]| {
            let mut out = BytesMut::new();
            print_astring(&mut out, octets, encoding);
            assert_eq!(out.escape_ascii().to_string(), expected.escape_ascii().to_string());
        };
        let (rev1, utf8) = (Encoding::ModifiedUtf7, Encoding::Utf8);
        check(b"INBOX", rev1, b"INBOX");
        check(b"", rev1, b"\"\"");
        check(b"nil", rev1, b"\"nil\"");
        check(br#"a "b" \"#, rev1, br#""a \"b\" \\""#);
        check("ü".as_bytes(), rev1, b"{2}\r\n\xc3\xbc");
        check("ü".as_bytes(), utf8, b"\"\xc3\xbc\"");
        check(b"\xff", utf8, b"{1}\r\n\xff");
        check(b"a\r\nb", utf8, b"{4}\r\na\r\nb");
        check(&[b' '; MAX_QUOTED + 1], rev1, &[b"{1025}\r\n", &[b' '; MAX_QUOTED + 1][..]].concat());
    }

    #[test]
    fn lists_are_bounded() {
        let mut three = parenthesised(atom, 3, "atoms");
        assert_eq!(three(b"()").unwrap().1, []);
        assert_eq!(three(b"(a b c)").unwrap().1.len(), 3);
        assert_eq!(three(b"(a b c d)"), Err(Fault::too_many(b"d)", "atoms")));
        for bad in [&b"(a  b)"[..], b"(a b", b"( a)", b"(a )", b"a"] {
            assert!(three(bad).is_err(), "{}", bad.escape_ascii());
        }
    }
}
