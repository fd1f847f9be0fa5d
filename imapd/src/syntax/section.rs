//! Sections and partials (RFC 9051, 9; RFC 3516).

use std::fmt::Write;
use std::num::NonZeroU32;

use bytes::{BufMut, BytesMut};
use nom::{Parser, bytes::complete::tag, sequence::delimited};

use super::{
    Fault, Input, Parsed, expect,
    number::{number64, nz_number, nz_number64},
    text::sp,
    text::{astring, parenthesised1, print_astring, print_parenthesised, word},
};
use crate::types::{AString, Encoding, MAX_PART_DEPTH, PartPath, Partial, Section, SectionText};

/// Names in one HEADER.FIELDS: each is looked for in every header.
const MAX_HEADER_FIELDS: usize = 256;

/// ```abnf
/// section          = "[" [section-spec] "]"
/// section-spec     = section-msgtext / (section-part ["." section-text])
/// section-msgtext  = "HEADER" / "HEADER.FIELDS" [".NOT"] SP header-list / "TEXT"
/// section-text     = section-msgtext / "MIME"
/// ```
pub(super) fn section(input: Input<'_>) -> Parsed<'_, Section> {
    let (rest, _) = expect("\"[\"", tag("[")).parse(input)?;
    let (rest, (part, dot)) = section_part(rest)?;
    let (rest, text) = match rest.first() {
        Some(b']') if !dot => (rest, None),
        _ => section_text(rest, !part.is_empty()).map(|(rest, text)| (rest, Some(text)))?,
    };
    let (rest, _) = expect("\"]\"", tag("]")).parse(rest)?;
    Ok((rest, Section { part: part.into(), text }))
}

/// ```abnf
/// section-binary = "[" [section-part] "]"
/// ```
pub(super) fn section_binary(input: Input<'_>) -> Parsed<'_, PartPath> {
    let (rest, _) = expect("\"[\"", tag("[")).parse(input)?;
    match section_part(rest)? {
        (rest, (_, true)) => Err(Fault::expected(rest, "a part number")),
        (rest, (part, false)) => {
            let (rest, _) = expect("a part number or \"]\"", tag("]")).parse(rest)?;
            Ok((rest, part.into()))
        }
    }
}

/// ```abnf
/// partial = "<" number64 "." nz-number64 ">"
/// ```
pub(super) fn partial(input: Input<'_>) -> Parsed<'_, Option<Partial>> {
    if input.first() != Some(&b'<') {
        return Ok((input, None));
    }
    let range =
        (number64, expect("\".\"", tag(".")), nz_number64).map(|(offset, _, length)| Partial { offset, length });
    delimited(tag("<"), range, expect("\">\"", tag(">"))).map(Some).parse(input)
}

/// ```abnf
/// section-part = nz-number *("." nz-number)
/// ```
/// Says too whether a dot follows; the dot is consumed. No numbers at all is the message itself.
fn section_part(input: Input<'_>) -> Parsed<'_, (Vec<NonZeroU32>, bool)> {
    let mut part = Vec::new();
    let mut rest = input;
    while rest.first().is_some_and(u8::is_ascii_digit) {
        if part.len() == MAX_PART_DEPTH {
            return Err(Fault::too_many(rest, "levels in a part number"));
        }
        let (after, number) = nz_number(rest)?;
        part.push(number);
        match after.strip_prefix(b".") {
            Some(after) => rest = after,
            None => return Ok((after, (part, false))),
        }
    }
    let dot = !part.is_empty();
    Ok((rest, (part, dot)))
}

/// What of the part. `MIME` needs a part: the message itself has no MIME header but its own (RFC 9051, 6.4.5.1).
fn section_text(input: Input<'_>, of_part: bool) -> Parsed<'_, SectionText> {
    let (rest, name) = word("a section")(input)?;
    let is = |known: &str| name.eq_ignore_ascii_case(known);
    match () {
        () if is("HEADER") => Ok((rest, SectionText::Header)),
        () if is("TEXT") => Ok((rest, SectionText::Text)),
        () if is("MIME") && of_part => Ok((rest, SectionText::Mime)),
        () if is("HEADER.FIELDS") => header_list(rest).map(|(rest, names)| (rest, SectionText::HeaderFields(names))),
        () if is("HEADER.FIELDS.NOT") => {
            header_list(rest).map(|(rest, names)| (rest, SectionText::HeaderFieldsNot(names)))
        }
        () => Err(Fault::expected(input, "a section")),
    }
}

/// ```abnf
/// header-list     = "(" header-fld-name *(SP header-fld-name) ")"
/// header-fld-name = astring
/// ```
fn header_list(input: Input<'_>) -> Parsed<'_, Box<[AString]>> {
    let (rest, ()) = sp(input)?;
    let (rest, names) = parenthesised1(astring, MAX_HEADER_FIELDS, "header field names")(rest)?;
    Ok((rest, names.into()))
}

/// Prints `section`, as the client wrote it: replies repeat it too (RFC 9051, 7.5.2).
pub(crate) fn print_section(out: &mut BytesMut, section: &Section, encoding: Encoding) {
    out.put_u8(b'[');
    print_part(out, &section.part);
    if let Some(text) = &section.text {
        if !section.part.is_empty() {
            out.put_u8(b'.');
        }
        let (name, fields): (&[u8], Option<&[AString]>) = match text {
            SectionText::Header => (b"HEADER", None),
            SectionText::Text => (b"TEXT", None),
            SectionText::Mime => (b"MIME", None),
            SectionText::HeaderFields(names) => (b"HEADER.FIELDS ", Some(names)),
            SectionText::HeaderFieldsNot(names) => (b"HEADER.FIELDS.NOT ", Some(names)),
        };
        out.put_slice(name);
        if let Some(names) = fields {
            print_parenthesised(out, names, |out, name| print_astring(out, name.as_bytes(), encoding));
        }
    }
    out.put_u8(b']');
}

/// Prints `section-binary`.
pub(super) fn print_section_binary(out: &mut BytesMut, part: &[NonZeroU32]) {
    out.put_u8(b'[');
    print_part(out, part);
    out.put_u8(b']');
}

pub(super) fn print_partial(out: &mut BytesMut, partial: Option<Partial>) {
    if let Some(Partial { offset, length }) = partial {
        // Writing to a BytesMut cannot fail.
        let _ = write!(out, "<{offset}.{length}>");
    }
}

fn print_part(out: &mut BytesMut, part: &[NonZeroU32]) {
    for (at, number) in part.iter().enumerate() {
        let dot = if at == 0 { "" } else { "." };
        // Writing to a BytesMut cannot fail.
        let _ = write!(out, "{dot}{number}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections() {
        let check = |input: &str, expected: Option<&str>| {
            let parsed = section(input.as_bytes()).ok().filter(|(rest, _)| rest.is_empty()).map(|(_, section)| {
                let mut out = BytesMut::new();
                print_section(&mut out, &section, Encoding::Utf8);
                String::from_utf8_lossy(&out).into_owned()
            });
            assert_eq!(parsed.as_deref(), expected, "{input}");
        };
        check("[]", Some("[]"));
        check("[text]", Some("[TEXT]"));
        check("[1.2.3]", Some("[1.2.3]"));
        check("[4294967295]", Some("[4294967295]"));
        check("[1.MIME]", Some("[1.MIME]"));
        check("[2.header.fields (to \"From\" {2}\r\nCc)]", Some("[2.HEADER.FIELDS (to From Cc)]"));
        check("[HEADER.FIELDS.NOT (Received)]", Some("[HEADER.FIELDS.NOT (Received)]"));
        for bad in [
            "[",
            "[1",
            "[1.]",
            "[.1]",
            "[0]",
            "[1.0]",
            "[MIME]",
            "[1.2.]",
            "[4294967296]",
            "[HEADER.FIELDS]",
            "[HEADER.FIELDS ()]",
            "[HEADER.FIELDS(a)]",
            "[HEADERS]",
            "[TEXT.1]",
            "[1 .2]",
            "[ ]",
            "[TEXT] ",
        ] {
            check(bad, None);
        }
        let deep = |levels: usize| format!("[{}]", vec!["1"; levels].join("."));
        check(&deep(MAX_PART_DEPTH), Some(&deep(MAX_PART_DEPTH)));
        check(&deep(MAX_PART_DEPTH + 1), None);
        check(&deep(100_000), None);
    }

    #[test]
    fn partials() {
        let check = |input: &str, expected: Option<(u64, u64)>| {
            let parsed = partial(input.as_bytes()).ok().and_then(|(_, partial)| partial);
            assert_eq!(parsed.map(|partial| (partial.offset, partial.length)), expected, "{input}");
        };
        check("<0.1>", Some((0, 1)));
        check("<4294967295.4294967295>", Some((4_294_967_295, 4_294_967_295)));
        check("<9223372036854775807.9223372036854775807>", Some((i64::MAX as u64, i64::MAX as u64)));
        check("", None);
        for bad in ["<0.0>", "<0>", "<0.1", "<.1>", "<9223372036854775808.1>", "<-1.1>"] {
            assert!(partial(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
