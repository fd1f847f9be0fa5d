//! ID (RFC 2971).

use bytes::{BufMut, BytesMut};
use nom::{Parser, branch::alt, combinator::value};

use super::{
    Fault, Input, Parsed, expect,
    text::{keyword, nstring, print_nstring, print_parenthesised, print_string, sp, string},
};
use crate::types::{AString, Encoding, IdField};

/// RFC 2971, 3.3: at most 30 pairs, names of at most 30 octets, values of at most 1024.
const MAX_FIELDS: usize = 30;
const MAX_NAME: usize = 30;
const MAX_VALUE: usize = 1024;

/// ```abnf
/// id             = "ID" SP id-params-list
/// id-params-list = "(" *(string SP nstring) ")" / nil
/// ```
/// Pairs are separated by SP.
pub(super) fn id(input: Input<'_>) -> Parsed<'_, Option<Vec<IdField>>> {
    let fields = super::text::parenthesised(field, MAX_FIELDS, "ID fields").map(Some);
    expect("\"(\" or NIL", alt((value(None, keyword("NIL")), fields))).parse(input)
}

fn field(input: Input<'_>) -> Parsed<'_, IdField> {
    let (rest, name) = string(input)?;
    let (after, ((), value)) = (sp, nstring).parse(rest)?;
    let name = AString::new(&name).filter(|name| name.as_bytes().len() <= MAX_NAME);
    let fits = value.as_ref().is_none_or(|value| value.as_bytes().len() <= MAX_VALUE);
    match name {
        Some(name) if fits => Ok((after, IdField { name, value })),
        Some(_) => Err(Fault::refused(rest, "ID value is longer than 1024 octets")),
        None => Err(Fault::refused(input, "ID field name is longer than 30 octets")),
    }
}

pub(super) fn print_id(out: &mut BytesMut, fields: Option<&[IdField]>, encoding: Encoding) {
    match fields {
        None => out.put_slice(b"NIL"),
        Some(fields) => print_parenthesised(out, fields, |out, field| {
            print_string(out, field.name.as_bytes(), encoding);
            out.put_u8(b' ');
            print_nstring(out, field.value.as_ref().map(AString::as_bytes), encoding);
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids() {
        let check = |input: &str, legal| {
            let parsed = id(input.as_bytes()).ok().filter(|(rest, _)| rest.is_empty());
            assert_eq!(parsed.is_some(), legal, "{input}");
            if let Some((_, fields)) = parsed {
                let mut out = BytesMut::new();
                print_id(&mut out, fields.as_deref(), Encoding::ModifiedUtf7);
                assert_eq!(out.escape_ascii().to_string(), input.as_bytes().escape_ascii().to_string());
            }
        };
        check("NIL", true);
        check("()", true);
        check("(\"name\" \"Thunderbird\" \"version\" NIL)", true);
        check("(\"name\")", false);
        check("(name \"x\")", false);
        check("\"name\"", false);
        check(&format!("(\"{}\" NIL)", "n".repeat(MAX_NAME + 1)), false);
        check(&format!("(\"n\" \"{}\")", "v".repeat(MAX_VALUE + 1)), false);
        check(&format!("({})", vec!["\"n\" NIL"; MAX_FIELDS].join(" ")), true);
        check(&format!("({})", vec!["\"n\" NIL"; MAX_FIELDS + 1].join(" ")), false);
    }
}
