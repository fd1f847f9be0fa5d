//! APPEND up to its messages (RFC 9051, 6.3.12; RFC 3502).
//!
//! Framing stops at every literal announcement. If the text before it is a complete prefix, the literal is the message and
//! goes to disk as it arrives; else it is an argument (the mailbox name) and is read into the buffer first.

use bytes::{BufMut, BytesMut};
use nom::Parser;

use super::{
    Input, Parsed, SyntaxError,
    command::tag,
    date::{date_time, print_date_time},
    flag::{flag_list, print_flag_list},
    mailbox::{mailbox, print_mailbox},
    text::{keyword, sp},
};
use crate::types::{AppendItem, AppendPrefix, Encoding, Tag};

/// Parses the text before the announcement of the first message.
///
/// ```abnf
/// append        = "APPEND" SP mailbox 1*append-message
/// append-message = [SP flag-list] [SP date-time] SP literal
/// ```
///
/// # Errors
/// [`SyntaxError`] if this is no APPEND, not a complete one yet, or a wrong one: see [`literal_role`].
pub fn parse_append_prefix(text: &[u8], encoding: Encoding) -> Result<AppendPrefix, SyntaxError> {
    let mut seen = None;
    match append_prefix(text, encoding, &mut seen) {
        Ok((_, prefix)) => Ok(prefix),
        Err(error) => Err(into_error(error, text, seen)),
    }
}

/// Parses the text between one message and the announcement of the next (MULTIAPPEND).
///
/// # Errors
/// [`SyntaxError`], tagged with `tag`.
pub fn parse_append_next(text: &[u8], tag: &Tag) -> Result<AppendItem, SyntaxError> {
    match append_item(text) {
        Ok((_, item)) => Ok(item),
        Err(error) => Err(into_error(error, text, Some(tag.clone()))),
    }
}

/// What the literal is that follows some text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LiteralRole {
    /// An argument, to be read into the text.
    Argument,
    /// The first message of an APPEND, to be streamed.
    Message,
    /// Nothing: the text before it is an APPEND that is wrong already, and nobody wants the octets.
    Unwanted(SyntaxError),
}

/// What the literal is whose announcement follows `text`.
pub fn literal_role(text: &[u8], encoding: Encoding) -> LiteralRole {
    match (tag, sp, keyword("APPEND"), sp).parse(text) {
        // The mailbox comes as a literal, or this is another command.
        Ok(([], _)) | Err(_) => LiteralRole::Argument,
        Ok(_) => match parse_append_prefix(text, encoding) {
            Ok(_) => LiteralRole::Message,
            Err(error) => LiteralRole::Unwanted(error),
        },
    }
}

fn append_prefix<'a>(text: Input<'a>, encoding: Encoding, seen: &mut Option<Tag>) -> Parsed<'a, AppendPrefix> {
    let (rest, tag) = tag(text)?;
    *seen = Some(tag.clone());
    let (rest, ((), (), (), mailbox)) = (sp, keyword("APPEND"), sp, mailbox(encoding)).parse(rest)?;
    let (rest, item) = append_item(rest)?;
    Ok((rest, AppendPrefix { tag, mailbox, item }))
}

/// `[SP flag-list] [SP date-time] SP`, and nothing behind it.
fn append_item(input: Input<'_>) -> Parsed<'_, AppendItem> {
    let mut item = AppendItem::default();
    let (mut rest, ()) = sp(input)?;
    if rest.first() == Some(&b'(') {
        (rest, (item.flags, ())) = (flag_list, sp).parse(rest)?;
    }
    if rest.first() == Some(&b'"') {
        let (after, (date, ())) = (date_time, sp).parse(rest)?;
        (rest, item.date) = (after, Some(date));
    }
    match rest.is_empty() {
        true => Ok((rest, item)),
        false => Err(super::Fault::expected(rest, "flags, a date or a literal")),
    }
}

fn into_error(error: nom::Err<super::Fault<'_>>, text: &[u8], tag: Option<Tag>) -> SyntaxError {
    match error {
        nom::Err::Error(fault) | nom::Err::Failure(fault) => fault.into_error(text, tag),
        // Complete parsers never ask for more.
        nom::Err::Incomplete(_) => super::Fault::missing(text).into_error(text, tag),
    }
}

/// Prints what [`parse_append_prefix`] parses.
pub fn print_append_prefix(prefix: &AppendPrefix, encoding: Encoding) -> BytesMut {
    let mut out = BytesMut::new();
    out.put_slice(prefix.tag.as_str().as_bytes());
    out.put_slice(b" APPEND ");
    print_mailbox(&mut out, prefix.mailbox.as_str(), encoding);
    print_append_item(&mut out, &prefix.item);
    out
}

/// Prints what [`parse_append_next`] parses.
pub fn print_append_item(out: &mut BytesMut, item: &AppendItem) {
    if !item.flags.is_empty() {
        out.put_u8(b' ');
        print_flag_list(out, &item.flags);
    }
    if let Some(date) = item.date {
        out.put_u8(b' ');
        print_date_time(out, date);
    }
    out.put_u8(b' ');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes() {
        let check = |input: &str, expected: Option<&str>| {
            let parsed = parse_append_prefix(input.as_bytes(), Encoding::ModifiedUtf7).ok();
            let printed = parsed.map(|prefix| print_append_prefix(&prefix, Encoding::ModifiedUtf7));
            assert_eq!(printed.as_deref(), expected.map(str::as_bytes), "{input}");
        };
        check("a append inbox ", Some("a APPEND INBOX "));
        check("a APPEND {5}\r\nS ent ", Some("a APPEND \"S ent\" "));
        check(r"a APPEND x (\Seen \Recent) ", None);
        check(r"a APPEND x (\Seen) ", Some(r"a APPEND x (\Seen) "));
        check(r"a APPEND x () ", Some("a APPEND x "));
        let full = "a APPEND x (\\Seen) \"17-Jul-1996 02:44:25 -0700\" ";
        check(full, Some(full));
        check("a APPEND x \" 7-Jul-1996 02:44:25 -0700\" ", Some("a APPEND x \" 7-Jul-1996 02:44:25 -0700\" "));
        // The mailbox is still to come as a literal, or has just come.
        check("a APPEND ", None);
        check("a APPEND x", None);
        check("a APPEND {1}\r\nx", None);
        for bad in [
            "a APPEND x  ",
            "a APPEND x (\\Seen)",
            "a APPEND x (\\Foo) ",
            "a APPEND x \"today\" ",
            "a APPEND x y ",
            "a NOOP ",
            "+ APPEND x ",
        ] {
            check(bad, None);
        }
    }

    #[test]
    fn later_messages() {
        let tag = Tag::new(b"a").unwrap();
        assert_eq!(parse_append_next(b" ", &tag), Ok(AppendItem::default()));
        assert_eq!(parse_append_next(b" (a) ", &tag).unwrap().flags.len(), 1);
        assert_eq!(parse_append_next(b"", &tag).unwrap_err().tag, Some(tag));
    }

    #[test]
    fn literals_have_roles() {
        let check = |input: &str, expected: &str| {
            let role = match literal_role(input.as_bytes(), Encoding::ModifiedUtf7) {
                LiteralRole::Argument => "argument",
                LiteralRole::Message => "message",
                LiteralRole::Unwanted(_) => "unwanted",
            };
            assert_eq!(role, expected, "{input}");
        };
        check("a append ", "argument");
        check("a APPEND x ", "message");
        check("a APPEND {1}\r\nx (\\Seen) ", "message");
        check("a APPEND x (", "unwanted");
        check("a APPEND x (\\Foo) ", "unwanted");
        check("a APPEND &AC8- ", "unwanted");
        check("a APPENDS ", "argument");
        check("a LOGIN ", "argument");
        check("APPEND ", "argument");
    }
}
