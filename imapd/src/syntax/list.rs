//! LIST with its extensions (RFC 9051, 6.3.9; RFC 5258, 5819, 6154, 8440).

use bytes::{BufMut, BytesMut};
use nom::Parser;

use super::{
    Fault, Input, Parsed,
    mailbox::{list_mailbox, mailbox, print_list_mailbox, print_mailbox},
    status::{print_status_items, status_items},
    text::{parenthesised, parenthesised1, print_parenthesised, sp, word},
};
use crate::types::{Encoding, List, ListPattern, ListReturn, ListSelection, MAX_PATTERNS};

/// Options in one list of them: beyond all there are, repeated.
const MAX_OPTIONS: usize = 32;

/// ```abnf
/// list             = "LIST" [SP list-select-opts] SP mailbox SP mbox-or-pat [SP list-return-opts]
/// list-return-opts = "RETURN" SP "(" [return-option *(SP return-option)] ")"
/// ```
/// The input starts behind the first space.
pub(super) fn list<'a>(encoding: Encoding) -> impl FnMut(Input<'a>) -> Parsed<'a, List> {
    move |input| {
        let (mut rest, mut selection) = (input, Vec::new());
        if input.first() == Some(&b'(') {
            (rest, (selection, ())) = (select_opts, sp).parse(input)?;
        }
        let (rest, (reference, ())) = (mailbox(encoding), sp).parse(rest)?;
        let (rest, (patterns, parenthesised)) = mbox_or_pat(rest, encoding)?;
        let (rest, returns) = match rest.strip_prefix(b" ") {
            Some(after) if !after.is_empty() && after.first() != Some(&b' ') => {
                return_opts(after).map(|(rest, returns)| (rest, Some(returns)))?
            }
            _ => (rest, None),
        };
        Ok((rest, List { selection, reference, patterns, parenthesised, returns }))
    }
}

/// ```abnf
/// list-select-opts = "(" [list-select-opt *(SP list-select-opt)] ")"
/// ```
/// RECURSIVEMATCH needs something to recurse for (RFC 5258, 3.1: BAD).
fn select_opts(input: Input<'_>) -> Parsed<'_, Vec<ListSelection>> {
    let option = |input| {
        let (rest, name) = word("a selection option")(input)?;
        match ListSelection::ALL.into_iter().find(|option| option.name().eq_ignore_ascii_case(name)) {
            Some(option) => Ok((rest, option)),
            None => Err(Fault::expected(input, "a selection option")),
        }
    };
    let (rest, mut options) = parenthesised(option, MAX_OPTIONS, "selection options")(input)?;
    let mut seen = Vec::new();
    options.retain(|option| {
        !seen.contains(option) && {
            seen.push(*option);
            true
        }
    });
    let recursive = options.contains(&ListSelection::RecursiveMatch);
    let base = |option: &ListSelection| matches!(option, ListSelection::Subscribed | ListSelection::SpecialUse);
    match recursive && !options.iter().any(base) {
        true => Err(Fault::refused(input, "RECURSIVEMATCH needs SUBSCRIBED or SPECIAL-USE")),
        false => Ok((rest, options)),
    }
}

/// ```abnf
/// mbox-or-pat = list-mailbox / patterns
/// patterns    = "(" list-mailbox *(SP list-mailbox) ")"
/// ```
fn mbox_or_pat(input: Input<'_>, encoding: Encoding) -> Parsed<'_, (Vec<ListPattern>, bool)> {
    match input.first() {
        Some(b'(') => {
            let (rest, patterns) = parenthesised1(list_mailbox(encoding), MAX_PATTERNS, "mailbox patterns")(input)?;
            Ok((rest, (patterns, true)))
        }
        _ => list_mailbox(encoding)(input).map(|(rest, pattern)| (rest, (vec![pattern], false))),
    }
}

/// ```abnf
/// return-option = "SUBSCRIBED" / "CHILDREN" / "SPECIAL-USE" / "MYRIGHTS" / "STATUS" SP status-att-list
/// ```
fn return_opts(input: Input<'_>) -> Parsed<'_, Vec<ListReturn>> {
    let (rest, ((), ())) = (super::text::keyword("RETURN"), sp).parse(input)?;
    let option = |input| {
        let (rest, name) = word("a return option")(input)?;
        let option = match name.to_ascii_uppercase().as_str() {
            "SUBSCRIBED" => ListReturn::Subscribed,
            "CHILDREN" => ListReturn::Children,
            "SPECIAL-USE" => ListReturn::SpecialUse,
            "MYRIGHTS" => ListReturn::MyRights,
            "STATUS" => {
                let (rest, ((), items)) = (sp, status_items).parse(rest)?;
                return Ok((rest, ListReturn::Status(items)));
            }
            _ => return Err(Fault::expected(input, "a return option")),
        };
        Ok((rest, option))
    };
    parenthesised(option, MAX_OPTIONS, "return options")(rest)
}

pub(super) fn print_list(out: &mut BytesMut, list: &List, encoding: Encoding) {
    if !list.selection.is_empty() {
        print_parenthesised(out, &list.selection, |out, option| out.put_slice(option.name().as_bytes()));
        out.put_u8(b' ');
    }
    print_mailbox(out, list.reference.as_str(), encoding);
    out.put_u8(b' ');
    match list.patterns.as_slice() {
        [pattern] if !list.parenthesised => print_list_mailbox(out, pattern, encoding),
        patterns => print_parenthesised(out, patterns, |out, pattern| print_list_mailbox(out, pattern, encoding)),
    }
    if let Some(returns) = &list.returns {
        out.put_slice(b" RETURN ");
        print_parenthesised(out, returns, print_return);
    }
}

fn print_return(out: &mut BytesMut, option: &ListReturn) {
    let name: &[u8] = match option {
        ListReturn::Subscribed => b"SUBSCRIBED",
        ListReturn::Children => b"CHILDREN",
        ListReturn::SpecialUse => b"SPECIAL-USE",
        ListReturn::MyRights => b"MYRIGHTS",
        ListReturn::Status(items) => {
            out.put_slice(b"STATUS ");
            return print_status_items(out, items);
        }
    };
    out.put_slice(name);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists() {
        let check = |input: &str, expected: Option<&str>| {
            let parsed = list(Encoding::ModifiedUtf7)(input.as_bytes()).ok().filter(|(rest, _)| rest.is_empty());
            let printed = parsed.map(|(_, list)| {
                let mut out = BytesMut::new();
                print_list(&mut out, &list, Encoding::ModifiedUtf7);
                String::from_utf8_lossy(&out).into_owned()
            });
            assert_eq!(printed.as_deref(), expected, "{input}");
        };
        check("\"\" *", Some("\"\" \"*\""));
        check("\"\" %]", Some("\"\" \"%]\""));
        check("inbox/ {2}\r\na%", Some("INBOX/ \"a%\""));
        check("\"\" Entw&APw-%", Some("\"\" \"Entw&APw-%\""));
        check("(subscribed RECURSIVEMATCH) \"\" \"*\"", Some("(SUBSCRIBED RECURSIVEMATCH) \"\" \"*\""));
        check("() \"\" (a b)", Some("\"\" (\"a\" \"b\")"));
        check("\"\" (\"\")", Some("\"\" (\"\")"));
        check(
            "(SPECIAL-USE REMOTE) \"\" % return (children subscribed special-use myrights status (messages))",
            Some("(SPECIAL-USE REMOTE) \"\" \"%\" RETURN (CHILDREN SUBSCRIBED SPECIAL-USE MYRIGHTS STATUS (MESSAGES))"),
        );
        check("\"\" % RETURN ()", Some("\"\" \"%\" RETURN ()"));
        for bad in [
            "",
            "\"\"",
            "\"\" ",
            "\"\" ()",
            "(RECURSIVEMATCH) \"\" *",
            "(RECURSIVEMATCH REMOTE) \"\" *",
            "(FOO) \"\" *",
            "\"\" * RETURN",
            "\"\" * RETURN (FOO)",
            "\"\" * RETURN (STATUS ())",
            "\"\" * FOO",
            "\"\" &AC8-",
            "a* b",
            "\"\" a&",
        ] {
            check(bad, None);
        }
        let patterns = |count: usize| format!("\"\" ({})", vec!["\"a\""; count].join(" "));
        check(&patterns(MAX_PATTERNS), Some(&patterns(MAX_PATTERNS)));
        check(&patterns(100_000), None);
    }
}
