//! Sequence sets (RFC 9051, 9; RFC 5182).

use std::fmt::Write;

use bytes::{BufMut, BytesMut};
use nom::{Parser, branch::alt, bytes::complete::tag, combinator::value};

use super::{Fault, Input, Parsed, expect, number::nz_number};
use crate::types::{Bound, MAX_SEQUENCE_ITEMS, NumberSet, SequenceRange, SequenceSet};

/// ```abnf
/// sequence-set      = (seq-number / seq-range) ["," sequence-set] / seq-last-command
/// seq-range         = seq-number ":" seq-number
/// seq-number        = nz-number / "*"
/// seq-last-command  = "$"
/// ```
pub(super) fn sequence_set(input: Input<'_>) -> Parsed<'_, SequenceSet> {
    if let Some(rest) = input.strip_prefix(b"$") {
        return Ok((rest, SequenceSet::Saved));
    }
    let mut items = Vec::new();
    let mut rest = input;
    loop {
        if items.len() == MAX_SEQUENCE_ITEMS {
            return Err(Fault::too_many(rest, "items in a sequence set"));
        }
        let (after, first) = expect("a sequence set", seq_number).parse(rest)?;
        let (after, last) = match after.strip_prefix(b":") {
            Some(after) => seq_number(after)?,
            None => (after, first),
        };
        items.push(SequenceRange { first, last });
        match after.strip_prefix(b",") {
            Some(after) => rest = after,
            None => return Ok((after, SequenceSet::Ranges(items.into()))),
        }
    }
}

/// A sequence set of plain numbers, with neither `*` nor `$` (RFC 7162, 7: `known-uids`, `known-sequence-set`).
pub(super) fn number_set(input: Input<'_>) -> Parsed<'_, NumberSet> {
    let (rest, set) = sequence_set(input)?;
    // Without `*` it does not matter what the largest number is.
    match set.resolve(1) {
        Some(numbers) if !set.uses_largest() => Ok((rest, numbers)),
        _ => Err(Fault::refused(input, "Only numbers may stand in this set")),
    }
}

fn seq_number(input: Input<'_>) -> Parsed<'_, Bound> {
    alt((value(Bound::Largest, tag("*")), nz_number.map(Bound::Number))).parse(input)
}

/// Prints a set as the client wrote it.
pub(super) fn print_sequence_set(out: &mut BytesMut, set: &SequenceSet) {
    let SequenceSet::Ranges(items) = set else {
        return out.put_u8(b'$');
    };
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.put_u8(b',');
        }
        print_bound(out, item.first);
        if item.last != item.first {
            out.put_u8(b':');
            print_bound(out, item.last);
        }
    }
}

fn print_bound(out: &mut BytesMut, bound: Bound) {
    // Writing to a BytesMut cannot fail.
    let _ = match bound {
        Bound::Number(number) => write!(out, "{number}"),
        Bound::Largest => out.write_char('*'),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets() {
        let check = |input: &str, expected: Option<&str>| {
            let printed = sequence_set(input.as_bytes()).ok().filter(|(rest, _)| rest.is_empty()).map(|(_, set)| {
                let mut out = BytesMut::new();
                print_sequence_set(&mut out, &set);
                String::from_utf8_lossy(&out).into_owned()
            });
            assert_eq!(printed.as_deref(), expected, "{input}");
        };
        check("1", Some("1"));
        check("*", Some("*"));
        check("$", Some("$"));
        check("1:*,*:4,4294967295", Some("1:*,*:4,4294967295"));
        check("2:2", Some("2"));
        for bad in [
            "",
            "0",
            "*:0",
            "1:0",
            "4294967296",
            "1:1:1",
            "1,",
            ",1",
            "1,,2",
            "1:",
            ":1",
            "-1",
            "$,1",
            "1,$",
            "**",
            "1-2",
        ] {
            check(bad, None);
        }
    }

    #[test]
    fn items_are_bounded() {
        let set = |items: usize| vec!["1:*"; items].join(",");
        assert!(sequence_set(set(MAX_SEQUENCE_ITEMS).as_bytes()).is_ok());
        assert!(sequence_set(set(MAX_SEQUENCE_ITEMS + 1).as_bytes()).is_err());
    }

    #[test]
    fn known_uids_are_numbers() {
        let check = |input: &str, expected: Option<&str>| {
            let set = number_set(input.as_bytes()).ok().map(|(_, set)| set.to_string());
            assert_eq!(set.as_deref(), expected, "{input}");
        };
        check("5,1:3,2", Some("1:3,5"));
        check("1:*", None);
        check("$", None);
    }
}
