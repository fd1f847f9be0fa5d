//! Mailbox names, LIST patterns and SPECIAL-USE attributes.

use bytes::{BufMut, BytesMut};
use nom::{
    Parser,
    branch::alt,
    bytes::complete::{tag, take_while1},
    sequence::preceded,
};

use super::{
    Fault, Input, Parsed, expect,
    modified_utf7::{self, Utf7Error},
    text::{astring, atom, print_astring, string},
};
use crate::types::{Encoding, ListPattern, MailboxArg, SpecialUse, is_astring_char};

/// ```abnf
/// mailbox = "INBOX" / astring
/// ```
/// In modified UTF-7 or in UTF-8, as the session has it.
pub(super) fn mailbox<'a>(encoding: Encoding) -> impl FnMut(Input<'a>) -> Parsed<'a, MailboxArg> {
    move |input| {
        let (rest, name) = expect("a mailbox name", astring).parse(input)?;
        let name = decode(input, name.as_bytes(), encoding)?;
        match MailboxArg::new(&name) {
            Some(name) => Ok((rest, name)),
            None => Err(Fault::bad_name(input, "Mailbox name holds NUL")),
        }
    }
}

/// ```abnf
/// list-mailbox   = 1*list-char / string
/// list-char      = ATOM-CHAR / list-wildcards / resp-specials
/// list-wildcards = "%" / "*"
/// ```
pub(super) fn list_mailbox<'a>(encoding: Encoding) -> impl FnMut(Input<'a>) -> Parsed<'a, ListPattern> {
    move |input| {
        let characters = take_while1(|octet| is_astring_char(octet) || matches!(octet, b'%' | b'*'));
        let (rest, pattern) = expect("a mailbox pattern", alt((characters.map(Into::into), string))).parse(input)?;
        let pattern = decode(input, &pattern, encoding)?;
        match ListPattern::new(&pattern) {
            Some(pattern) => Ok((rest, pattern)),
            None => Err(Fault::bad_name(input, "Mailbox pattern holds NUL")),
        }
    }
}

/// ```abnf
/// use-attr = "\All" / "\Archive" / "\Drafts" / "\Flagged" / "\Junk" / "\Sent" / "\Trash" / "\" atom
/// ```
pub(super) fn use_attr(input: Input<'_>) -> Parsed<'_, SpecialUse> {
    expect("a special use", preceded(tag("\\"), atom)).map(SpecialUse::new).parse(input)
}

/// Prints a mailbox name as the session expects it.
pub(crate) fn print_mailbox(out: &mut BytesMut, name: &str, encoding: Encoding) {
    match encoding {
        Encoding::ModifiedUtf7 => print_astring(out, modified_utf7::encode(name).as_bytes(), encoding),
        Encoding::Utf8 => print_astring(out, name.as_bytes(), encoding),
    }
}

/// Prints a pattern. Always as a string: it may look like an atom to us but hold `%` or `*`.
pub(super) fn print_list_mailbox(out: &mut BytesMut, pattern: &ListPattern, encoding: Encoding) {
    match encoding {
        Encoding::ModifiedUtf7 => {
            super::print_string(out, modified_utf7::encode(pattern.as_str()).as_bytes(), encoding);
        }
        Encoding::Utf8 => super::print_string(out, pattern.as_str().as_bytes(), encoding),
    }
}

pub(super) fn print_use_attr(out: &mut BytesMut, attr: &SpecialUse) {
    out.put_u8(b'\\');
    out.put_slice(attr.name().as_bytes());
}

/// `at` is where to point if the name is bad.
fn decode<'a>(at: Input<'a>, name: &[u8], encoding: Encoding) -> Result<String, nom::Err<Fault<'a>>> {
    match encoding {
        Encoding::ModifiedUtf7 => modified_utf7::decode(name).map_err(|error| Fault::bad_name(at, explain(error))),
        Encoding::Utf8 => {
            String::from_utf8(name.to_vec()).map_err(|_| Fault::bad_name(at, "Mailbox name is not UTF-8"))
        }
    }
}

fn explain(error: Utf7Error) -> &'static str {
    match error {
        Utf7Error::NotPrintable => "Mailbox name must be printable ASCII in modified UTF-7",
        Utf7Error::Unterminated => "Mailbox name has \"&\" without closing \"-\"",
        Utf7Error::Alphabet => "Mailbox name has an octet after \"&\" that is not modified base64",
        Utf7Error::NotUtf16 => "Mailbox name has encoded characters that are not UTF-16",
        Utf7Error::Nul => "Mailbox name has an encoded NUL",
        Utf7Error::NotCanonical => "Mailbox name is not in canonical modified UTF-7",
    }
}
