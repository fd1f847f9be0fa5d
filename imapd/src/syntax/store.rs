//! STORE (RFC 9051, 6.4.6; RFC 7162, 3.1.3).

use std::fmt::Write;

use bytes::{BufMut, BytesMut};
use nom::Parser;

use super::{
    Fault, Input, Parsed, expect,
    flag::{bare_flags, flag_list, print_flag_list},
    number::number64,
    sequence_set::{print_sequence_set, sequence_set},
    text::{keyword, parenthesised1, sp, word},
};
use crate::types::{Numbering, Store, StoreOperation};

/// ```abnf
/// store           = "STORE" SP sequence-set [SP "(" store-modifier *(SP store-modifier) ")"] SP store-att-flags
/// store-modifier  = "UNCHANGEDSINCE" SP mod-sequence-valzer
/// store-att-flags = (["+" / "-"] "FLAGS" [".SILENT"]) SP (flag-list / (flag *(SP flag)))
/// ```
pub(super) fn store<'a>(numbering: Numbering) -> impl FnMut(Input<'a>) -> Parsed<'a, Store> {
    move |input| {
        let (mut rest, (set, ())) = (sequence_set, sp).parse(input)?;
        let mut unchanged_since = None;
        if rest.first() == Some(&b'(') {
            let modifier = |input: Input<'a>| {
                let (rest, ((), (), value)) =
                    (keyword("UNCHANGEDSINCE"), sp, expect("a mod-sequence", number64)).parse(input)?;
                match unchanged_since.replace(value) {
                    None => Ok((rest, ())),
                    Some(_) => Err(Fault::refused(input, "UNCHANGEDSINCE is given twice")),
                }
            };
            let (after, (_, ())) = (parenthesised1(modifier, 8, "store modifiers"), sp).parse(rest)?;
            rest = after;
        }
        let (rest, (operation, silent)) = operation(rest)?;
        let (rest, ()) = sp(rest)?;
        let (rest, flags) = match rest.first() {
            Some(b'(') => flag_list(rest)?,
            _ => bare_flags(rest)?,
        };
        Ok((rest, Store { numbering, set, unchanged_since, operation, silent, flags }))
    }
}

fn operation(input: Input<'_>) -> Parsed<'_, (StoreOperation, bool)> {
    let (rest, operation) = match input {
        [b'+', rest @ ..] => (rest, StoreOperation::Add),
        [b'-', rest @ ..] => (rest, StoreOperation::Remove),
        rest => (rest, StoreOperation::Replace),
    };
    let (rest, name) = word("FLAGS, +FLAGS or -FLAGS")(rest)?;
    match name {
        name if name.eq_ignore_ascii_case("FLAGS") => Ok((rest, (operation, false))),
        name if name.eq_ignore_ascii_case("FLAGS.SILENT") => Ok((rest, (operation, true))),
        _ => Err(Fault::expected(input, "FLAGS, +FLAGS or -FLAGS")),
    }
}

pub(super) fn print_store(out: &mut BytesMut, store: &Store) {
    print_sequence_set(out, &store.set);
    if let Some(mod_seq) = store.unchanged_since {
        // Writing to a BytesMut cannot fail.
        let _ = write!(out, " (UNCHANGEDSINCE {mod_seq})");
    }
    let operation: &[u8] = match store.operation {
        StoreOperation::Replace => b" FLAGS",
        StoreOperation::Add => b" +FLAGS",
        StoreOperation::Remove => b" -FLAGS",
    };
    out.put_slice(operation);
    out.put_slice(if store.silent { b".SILENT " } else { b" " });
    print_flag_list(out, &store.flags);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stores() {
        let check = |input: &str, expected: Option<&str>| {
            let parsed = store(Numbering::Sequence)(input.as_bytes()).ok().filter(|(rest, _)| rest.is_empty());
            let printed = parsed.map(|(_, store)| {
                let mut out = BytesMut::new();
                print_store(&mut out, &store);
                String::from_utf8_lossy(&out).into_owned()
            });
            assert_eq!(printed.as_deref(), expected, "{input}");
        };
        check(r"2:4 +FLAGS (\Deleted)", Some(r"2:4 +FLAGS (\Deleted)"));
        check(r"1 flags.silent \Seen $a", Some(r"1 FLAGS.SILENT (\Seen $a)"));
        check(r"1 -FLAGS ()", Some(r"1 -FLAGS ()"));

        check(r"1:* (UNCHANGEDSINCE 0) FLAGS (a)", Some("1:* (UNCHANGEDSINCE 0) FLAGS (a)"));
        for bad in [
            r"1 FLAGS",
            r"1 FLAGS ",
            r"1 ++FLAGS (a)",
            r"1 FLAG (a)",
            r"1 +FLAGS(a)",
            r"1 () FLAGS (a)",
            r"1 (UNCHANGEDSINCE) FLAGS (a)",
            r"1 (UNCHANGEDSINCE 1 UNCHANGEDSINCE 2) FLAGS (a)",
            r"1 +FLAGS (a",
            r"1 +FLAGS.LOUD (a)",
            r"1 +FLAGS \Foo",
            r"1 +FLAGS \Recent",
        ] {
            check(bad, None);
        }
    }
}
