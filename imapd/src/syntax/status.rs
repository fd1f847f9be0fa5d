//! STATUS items (RFC 9051, 6.3.11).

use bytes::{BufMut, BytesMut};

use super::{
    Fault, Input, Parsed,
    text::{parenthesised1, print_parenthesised, word},
};
use crate::types::StatusItem;

/// ```abnf
/// status-att-list = "(" status-att *(SP status-att) ")"
/// status-att      = "MESSAGES" / "UIDNEXT" / "UIDVALIDITY" / "UNSEEN" / "DELETED" / "SIZE" / "RECENT" /
///                   "HIGHESTMODSEQ" / "APPENDLIMIT" / "MAILBOXID" / "DELETED-STORAGE"
/// ```
/// Repeated items count once.
pub(super) fn status_items(input: Input<'_>) -> Parsed<'_, Vec<StatusItem>> {
    let (rest, mut items) = parenthesised1(status_att, 4 * StatusItem::ALL.len(), "status items")(input)?;
    let mut seen = Vec::new();
    items.retain(|item| {
        !seen.contains(item) && {
            seen.push(*item);
            true
        }
    });
    Ok((rest, items))
}

fn status_att(input: Input<'_>) -> Parsed<'_, StatusItem> {
    let (rest, name) = word("a status item")(input)?;
    match StatusItem::ALL.into_iter().find(|item| item.name().eq_ignore_ascii_case(name)) {
        Some(item) => Ok((rest, item)),
        None => Err(Fault::expected(input, "a status item")),
    }
}

pub(super) fn print_status_items(out: &mut BytesMut, items: &[StatusItem]) {
    print_parenthesised(out, items, |out, item| out.put_slice(item.name().as_bytes()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items() {
        let check = |input: &str, expected: Option<&[StatusItem]>| {
            assert_eq!(status_items(input.as_bytes()).ok().map(|parsed| parsed.1).as_deref(), expected, "{input}");
        };
        check("(messages UNSEEN MESSAGES)", Some(&[StatusItem::Messages, StatusItem::Unseen]));
        check("(DELETED-STORAGE DELETED)", Some(&[StatusItem::DeletedStorage, StatusItem::Deleted]));
        for bad in ["()", "MESSAGES", "(FOO)", "(MESSAGES", "(MESSAGES  UNSEEN)", "((MESSAGES))"] {
            check(bad, None);
        }
    }
}
