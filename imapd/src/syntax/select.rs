//! SELECT and EXAMINE (RFC 9051, 6.3.2; RFC 7162, 3.1.8 and 3.2.5).

use std::fmt::Write;

use bytes::{BufMut, BytesMut};
use nom::Parser;

use super::{
    Fault, Input, Parsed, expect,
    mailbox::{mailbox, print_mailbox},
    number::{nz_number, nz_number64},
    sequence_set::number_set,
    text::{parenthesised1, sp, word},
};
use crate::types::{Encoding, QResync, Select, SequenceMatch};

/// ```abnf
/// select        = "SELECT" SP mailbox [SP "(" select-param *(SP select-param) ")"]
/// select-param  =/ "CONDSTORE" / "QRESYNC" SP "(" uidvalidity SP mod-sequence-value [SP known-uids] [SP seq-match-data] ")"
/// ```
pub(super) fn select<'a>(encoding: Encoding) -> impl FnMut(Input<'a>) -> Parsed<'a, Select> {
    move |input| {
        let (rest, mailbox) = mailbox(encoding)(input)?;
        let mut select = Select { mailbox, condstore: false, qresync: None };
        if !rest.starts_with(b" (") {
            return Ok((rest, select));
        }
        let param = |input: Input<'a>| {
            let (rest, name) = word("CONDSTORE or QRESYNC")(input)?;
            if name.eq_ignore_ascii_case("CONDSTORE") {
                select.condstore = true;
                return Ok((rest, ()));
            }
            if name.eq_ignore_ascii_case("QRESYNC") && select.qresync.is_none() {
                let (rest, ((), resync)) = (sp, qresync).parse(rest)?;
                select.qresync = Some(resync);
                return Ok((rest, ()));
            }
            Err(Fault::expected(input, "CONDSTORE or QRESYNC"))
        };
        let (rest, _) = parenthesised1(param, 8, "select parameters")(rest.get(1..).unwrap_or_default())?;
        Ok((rest, select))
    }
}

fn qresync(input: Input<'_>) -> Parsed<'_, QResync> {
    let (rest, _) = expect("\"(\"", nom::bytes::complete::tag("(")).parse(input)?;
    let (mut rest, (uid_validity, (), mod_seq)) =
        (expect("a UIDVALIDITY", nz_number), sp, expect("a mod-sequence", nz_number64)).parse(rest)?;
    let mut resync = QResync { uid_validity: uid_validity.get(), mod_seq, known_uids: None, matches: None };
    if rest.starts_with(b" ") && !rest.starts_with(b" (") {
        let (after, ((), uids)) = (sp, number_set).parse(rest)?;
        (rest, resync.known_uids) = (after, Some(uids));
    }
    if let Some(after) = rest.strip_prefix(b" ") {
        let (after, matches) = seq_match_data(after)?;
        (rest, resync.matches) = (after, Some(matches));
    }
    let (rest, _) = expect("\")\"", nom::bytes::complete::tag(")")).parse(rest)?;
    Ok((rest, resync))
}

/// ```abnf
/// seq-match-data = "(" known-sequence-set SP known-uid-set ")"
/// ```
fn seq_match_data(input: Input<'_>) -> Parsed<'_, SequenceMatch> {
    let (rest, (_, sequence, (), uids, _)) = (
        expect("\"(\"", nom::bytes::complete::tag("(")),
        number_set,
        sp,
        number_set,
        expect("\")\"", nom::bytes::complete::tag(")")),
    )
        .parse(input)?;
    match sequence.len() == uids.len() {
        true => Ok((rest, SequenceMatch { sequence, uids })),
        false => Err(Fault::refused(input, "Known sequence numbers and UIDs differ in count")),
    }
}

pub(super) fn print_select(out: &mut BytesMut, select: &Select, encoding: Encoding) {
    print_mailbox(out, select.mailbox.as_str(), encoding);
    if !select.condstore && select.qresync.is_none() {
        return;
    }
    out.put_slice(b" (");
    if select.condstore {
        out.put_slice(b"CONDSTORE");
    }
    if let Some(resync) = &select.qresync {
        let space = if select.condstore { " " } else { "" };
        // Writing to a BytesMut cannot fail.
        let _ = write!(out, "{space}QRESYNC ({} {}", resync.uid_validity, resync.mod_seq);
        if let Some(uids) = &resync.known_uids {
            let _ = write!(out, " {uids}");
        }
        if let Some(SequenceMatch { sequence, uids }) = &resync.matches {
            let _ = write!(out, " ({sequence} {uids})");
        }
        out.put_u8(b')');
    }
    out.put_u8(b')');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selects() {
        let check = |input: &str, expected: Option<&str>| {
            let parsed = select(Encoding::ModifiedUtf7)(input.as_bytes()).ok().filter(|(rest, _)| rest.is_empty());
            let printed = parsed.map(|(_, select)| {
                let mut out = BytesMut::new();
                print_select(&mut out, &select, Encoding::ModifiedUtf7);
                String::from_utf8_lossy(&out).into_owned()
            });
            assert_eq!(printed.as_deref(), expected, "{input}");
        };
        check("inbox", Some("INBOX"));
        check("a (condstore)", Some("a (CONDSTORE)"));
        check(
            "a (QRESYNC (67890007 20050715194045000 41,43:211,214:541))",
            Some("a (QRESYNC (67890007 20050715194045000 41,43:211,214:541))"),
        );
        check("a (QRESYNC (1 2 (5 10)) CONDSTORE)", Some("a (CONDSTORE QRESYNC (1 2 (5 10)))"));
        check("a (QRESYNC (1 2 41 (1:3 4,6:7)))", Some("a (QRESYNC (1 2 41 (1:3 4,6:7)))"));
        for bad in [
            "",
            "a ()",
            "a (FOO)",
            "a (QRESYNC)",
            "a (QRESYNC ())",
            "a (QRESYNC (1))",
            "a (QRESYNC (0 1))",
            "a (QRESYNC (1 0))",
            "a (QRESYNC (1 2 1:*))",
            "a (QRESYNC (1 2 $))",
            "a (QRESYNC (1 2 (1:3 4)))",
            "a (QRESYNC (1 2 1 2))",
            "a (QRESYNC (1 2) QRESYNC (1 2))",
            "a(CONDSTORE)",
        ] {
            check(bad, None);
        }
    }
}
