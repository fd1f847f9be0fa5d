//! FETCH (RFC 9051, 6.4.5; RFC 3516; RFC 7162, 3.1.4 and 3.2.6).

use std::fmt::Write;

use bytes::{BufMut, BytesMut};
use nom::Parser;

use super::{
    Fault, Input, Parsed, expect,
    number::nz_number64,
    section::{partial, print_partial, print_section, print_section_binary, section, section_binary},
    sequence_set::{print_sequence_set, sequence_set},
    text::{parenthesised1, print_parenthesised, sp, word},
};
use crate::types::{Encoding, Fetch, FetchAttribute, MAX_FETCH_ATTRIBUTES, Numbering};

/// Items as written, before repeated ones are dropped: only a bound on the work of comparing them.
const MAX_WRITTEN_ATTRIBUTES: usize = 1024;

/// ```abnf
/// fetch = "FETCH" SP sequence-set SP ("ALL" / "FULL" / "FAST" / fetch-att / "(" fetch-att *(SP fetch-att) ")")
///         [SP "(" fetch-modifier *(SP fetch-modifier) ")"]
/// ```
pub(super) fn fetch<'a>(numbering: Numbering) -> impl FnMut(Input<'a>) -> Parsed<'a, Fetch> {
    move |input| {
        let (rest, (set, ())) = (sequence_set, sp).parse(input)?;
        let (rest, written) = attributes(rest)?;
        let mut attributes: Vec<FetchAttribute> = Vec::with_capacity(written.len().min(MAX_FETCH_ATTRIBUTES));
        for attribute in written {
            if attributes.contains(&attribute) {
                continue;
            }
            if attributes.len() == MAX_FETCH_ATTRIBUTES {
                return Err(Fault::too_many(input, "different items to fetch"));
            }
            attributes.push(attribute);
        }
        let mut fetch = Fetch { numbering, set, attributes, changed_since: None, vanished: false };
        match rest.strip_prefix(b" (") {
            Some(_) => modifiers(&mut fetch, rest.get(1..).unwrap_or_default()).map(|(rest, ())| (rest, fetch)),
            None => Ok((rest, fetch)),
        }
    }
}

/// The items, a macro spelled out (RFC 9051, 6.4.5). Macros stand alone, never in a list.
fn attributes(input: Input<'_>) -> Parsed<'_, Vec<FetchAttribute>> {
    use FetchAttribute::{Body, Envelope, Flags, InternalDate, Rfc822Size};
    if input.first() == Some(&b'(') {
        return parenthesised1(fetch_att, MAX_WRITTEN_ATTRIBUTES, "items to fetch")(input);
    }
    let (rest, name) = word("items to fetch")(input)?;
    let fast = vec![Flags, InternalDate, Rfc822Size];
    match name {
        name if name.eq_ignore_ascii_case("FAST") => Ok((rest, fast)),
        name if name.eq_ignore_ascii_case("ALL") => Ok((rest, [fast, vec![Envelope]].concat())),
        name if name.eq_ignore_ascii_case("FULL") => Ok((rest, [fast, vec![Envelope, Body]].concat())),
        _ => fetch_att(input).map(|(rest, attribute)| (rest, vec![attribute])),
    }
}

/// ```abnf
/// fetch-att = "ENVELOPE" / "FLAGS" / "INTERNALDATE" / "RFC822" [".HEADER" / ".SIZE" / ".TEXT"] /
///             "BODY" ["STRUCTURE"] / "UID" / "MODSEQ" /
///             "BODY" section [partial] / "BODY.PEEK" section [partial] /
///             "BINARY" [".PEEK"] section-binary [partial] / "BINARY.SIZE" section-binary
/// ```
fn fetch_att(input: Input<'_>) -> Parsed<'_, FetchAttribute> {
    let (rest, name) = word("an item to fetch")(input)?;
    let simple = match name.to_ascii_uppercase().as_str() {
        "ENVELOPE" => FetchAttribute::Envelope,
        "FLAGS" => FetchAttribute::Flags,
        "INTERNALDATE" => FetchAttribute::InternalDate,
        "RFC822" => FetchAttribute::Rfc822,
        "RFC822.HEADER" => FetchAttribute::Rfc822Header,
        "RFC822.SIZE" => FetchAttribute::Rfc822Size,
        "RFC822.TEXT" => FetchAttribute::Rfc822Text,
        "BODYSTRUCTURE" => FetchAttribute::BodyStructure,
        "UID" => FetchAttribute::Uid,
        "MODSEQ" => FetchAttribute::ModSeq,
        "BODY" if rest.first() != Some(&b'[') => FetchAttribute::Body,
        "BODY" => return body_section(rest, false),
        "BODY.PEEK" => return body_section(rest, true),
        "BINARY" => return binary(rest, false),
        "BINARY.PEEK" => return binary(rest, true),
        "BINARY.SIZE" => return section_binary(rest).map(|(rest, part)| (rest, FetchAttribute::BinarySize(part))),
        _ => return Err(Fault::expected(input, "an item to fetch")),
    };
    Ok((rest, simple))
}

fn body_section(input: Input<'_>, peek: bool) -> Parsed<'_, FetchAttribute> {
    let (rest, (section, partial)) = (section, partial).parse(input)?;
    Ok((rest, FetchAttribute::BodySection { section, partial, peek }))
}

fn binary(input: Input<'_>, peek: bool) -> Parsed<'_, FetchAttribute> {
    let (rest, (part, partial)) = (section_binary, partial).parse(input)?;
    Ok((rest, FetchAttribute::Binary { part, partial, peek }))
}

/// ```abnf
/// fetch-modifier =/ "CHANGEDSINCE" SP mod-sequence-value / "VANISHED"
/// ```
/// VANISHED needs UID FETCH and CHANGEDSINCE (RFC 7162, 3.2.6).
fn modifiers<'a>(fetch: &mut Fetch, input: Input<'a>) -> Parsed<'a, ()> {
    let modifier = |input: Input<'a>| {
        let (rest, name) = word("CHANGEDSINCE or VANISHED")(input)?;
        if name.eq_ignore_ascii_case("VANISHED") {
            fetch.vanished = true;
            return Ok((rest, ()));
        }
        if name.eq_ignore_ascii_case("CHANGEDSINCE") && fetch.changed_since.is_none() {
            let (rest, ((), value)) = (sp, expect("a mod-sequence", nz_number64)).parse(rest)?;
            fetch.changed_since = Some(value);
            return Ok((rest, ()));
        }
        Err(Fault::expected(input, "CHANGEDSINCE or VANISHED"))
    };
    let (rest, _) = parenthesised1(modifier, 8, "fetch modifiers")(input)?;
    if fetch.vanished && (fetch.numbering == Numbering::Sequence || fetch.changed_since.is_none()) {
        return Err(Fault::refused(input, "VANISHED needs UID FETCH and CHANGEDSINCE"));
    }
    Ok((rest, ()))
}

pub(super) fn print_fetch(out: &mut BytesMut, fetch: &Fetch, encoding: Encoding) {
    print_sequence_set(out, &fetch.set);
    out.put_u8(b' ');
    print_parenthesised(out, &fetch.attributes, |out, attribute| print_attribute(out, attribute, encoding));
    if let Some(mod_seq) = fetch.changed_since {
        let vanished = if fetch.vanished { " VANISHED" } else { "" };
        // Writing to a BytesMut cannot fail.
        let _ = write!(out, " (CHANGEDSINCE {mod_seq}{vanished})");
    }
}

fn print_attribute(out: &mut BytesMut, attribute: &FetchAttribute, encoding: Encoding) {
    let name: &[u8] = match attribute {
        FetchAttribute::Body => b"BODY",
        FetchAttribute::BodyStructure => b"BODYSTRUCTURE",
        FetchAttribute::Envelope => b"ENVELOPE",
        FetchAttribute::Flags => b"FLAGS",
        FetchAttribute::InternalDate => b"INTERNALDATE",
        FetchAttribute::ModSeq => b"MODSEQ",
        FetchAttribute::Rfc822 => b"RFC822",
        FetchAttribute::Rfc822Header => b"RFC822.HEADER",
        FetchAttribute::Rfc822Size => b"RFC822.SIZE",
        FetchAttribute::Rfc822Text => b"RFC822.TEXT",
        FetchAttribute::Uid => b"UID",
        FetchAttribute::BodySection { peek: false, .. } => b"BODY",
        FetchAttribute::BodySection { peek: true, .. } => b"BODY.PEEK",
        FetchAttribute::Binary { peek: false, .. } => b"BINARY",
        FetchAttribute::Binary { peek: true, .. } => b"BINARY.PEEK",
        FetchAttribute::BinarySize(_) => b"BINARY.SIZE",
    };
    out.put_slice(name);
    match attribute {
        FetchAttribute::BodySection { section, partial, .. } => {
            print_section(out, section, encoding);
            print_partial(out, *partial);
        }
        FetchAttribute::Binary { part, partial, .. } => {
            print_section_binary(out, part);
            print_partial(out, *partial);
        }
        FetchAttribute::BinarySize(part) => print_section_binary(out, part),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items() {
        let check = |input: &str, expected: Option<&str>| {
            let parsed = fetch(Numbering::Uid)(input.as_bytes()).ok().filter(|(rest, _)| rest.is_empty());
            let printed = parsed.map(|(_, fetch)| {
                let mut out = BytesMut::new();
                print_fetch(&mut out, &fetch, Encoding::ModifiedUtf7);
                String::from_utf8_lossy(&out).into_owned()
            });
            assert_eq!(printed.as_deref(), expected, "{input}");
        };
        check("1 FAST", Some("1 (FLAGS INTERNALDATE RFC822.SIZE)"));
        check("1 all", Some("1 (FLAGS INTERNALDATE RFC822.SIZE ENVELOPE)"));
        check("1 Full", Some("1 (FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODY)"));
        check("1:* flags", Some("1:* (FLAGS)"));
        check("1 (UID body BODY[])", Some("1 (UID BODY BODY[])"));
        check("1 body.peek[1.mime]<0.5>", Some("1 (BODY.PEEK[1.MIME]<0.5>)"));
        check(
            "1 (BINARY[1]<1.2> BINARY.PEEK[] BINARY.SIZE[1.2])",
            Some("1 (BINARY[1]<1.2> BINARY.PEEK[] BINARY.SIZE[1.2])"),
        );
        check("1 (FLAGS UID FLAGS)", Some("1 (FLAGS UID)"));
        check("1 UID (CHANGEDSINCE 12345)", Some("1 (UID) (CHANGEDSINCE 12345)"));
        check("1 UID (VANISHED CHANGEDSINCE 1)", Some("1 (UID) (CHANGEDSINCE 1 VANISHED)"));
        check(&format!("1 ({})", vec!["BODY[]"; 1000].join(" ")), Some("1 (BODY[])"));
        for bad in [
            "1",
            "1 ",
            "1 ()",
            "1 (ALL)",
            "1 (FLAGS",
            "1 (FLAGS UID",
            "1 FLAGS UID",
            "1 BODY.PEEK",
            "1 BODY[1",
            "1 BODY[]<0>",
            "1 BODY[]<0.0>",
            "1 BINARY",
            "1 BINARY[TEXT]",
            "1 BINARY[1.]",
            "1 BINARY.SIZE[1]<0.1>",
            "1 FOO",
            "1 UID ()",
            "1 UID (CHANGEDSINCE 0)",
            "1 UID (VANISHED)",
            "1 UID (CHANGEDSINCE 1 CHANGEDSINCE 2)",
            "1 UID (FOO)",
            "x FLAGS",
            "1 ((((FLAGS))))",
        ] {
            check(bad, None);
        }
        assert!(fetch(Numbering::Sequence)(b"1 UID (CHANGEDSINCE 1 VANISHED)").is_err());
    }

    #[test]
    fn different_items_are_bounded() {
        let items = |count: usize| (0..count).map(|at| format!("BODY[]<{at}.1>")).collect::<Vec<_>>().join(" ");
        let check = |count, legal| {
            let input = format!("1 ({})", items(count));
            let parsed = fetch(Numbering::Uid)(input.as_bytes());
            assert_eq!(parsed.is_ok(), legal, "{count}");
        };
        check(MAX_FETCH_ATTRIBUTES, true);
        check(MAX_FETCH_ATTRIBUTES + 1, false);
    }
}
