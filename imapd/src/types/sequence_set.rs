//! Which messages a command means (RFC 9051, 9: `sequence-set`).

use std::num::NonZeroU32;

use super::NumberSet;

/// Items in one sequence set: beyond what any client sends, and a bound on what one command makes us sort.
pub const MAX_SEQUENCE_ITEMS: usize = 64 * 1024;

/// Whether a command speaks of sequence numbers or, behind `UID`, of UIDs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Numbering {
    /// Message sequence numbers.
    Sequence,
    /// Unique identifiers.
    Uid,
}

/// A sequence set as written: `*` still stands for the largest number, and ranges may be reversed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SequenceSet {
    /// `$`: the result of the last `SEARCH RETURN (SAVE)` (RFC 9051, 6.4.4.1).
    Saved,
    /// Items in the client's order, at least one.
    Ranges(Box<[SequenceRange]>),
}

/// One item: `7` or `3:*`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SequenceRange {
    /// What stands before the colon.
    pub first: Bound,
    /// What stands behind it; equal to `first` for a single number.
    pub last: Bound,
}

/// One end of a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// A number.
    Number(NonZeroU32),
    /// `*`: the largest number in use.
    Largest,
}

impl SequenceSet {
    /// The set as ranges, with `*` standing for `largest`; the empty set if the mailbox is empty and only `*` was asked for.
    /// `None` for `$`, which only the session can answer.
    ///
    /// `10:*` with a `largest` of 5 is `5:10`, so it always names the last message (RFC 9051, 9: `seq-range`).
    pub fn resolve(&self, largest: u32) -> Option<NumberSet> {
        let SequenceSet::Ranges(items) = self else { return None };
        let number = |bound: Bound| match bound {
            Bound::Number(number) => number.get(),
            Bound::Largest => largest,
        };
        let ranges = items
            .iter()
            .filter(|item| largest > 0 || !item.uses_largest())
            .map(|item| (number(item.first), number(item.last)))
            .collect();
        Some(NumberSet::from_ranges(ranges))
    }

    /// Whether `*` occurs.
    pub fn uses_largest(&self) -> bool {
        matches!(self, SequenceSet::Ranges(items) if items.iter().any(SequenceRange::uses_largest))
    }
}

impl SequenceRange {
    fn uses_largest(&self) -> bool {
        self.first == Bound::Largest || self.last == Bound::Largest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(first: u32, last: u32) -> SequenceRange {
        let bound = |number| NonZeroU32::new(number).map_or(Bound::Largest, Bound::Number);
        SequenceRange { first: bound(first), last: bound(last) }
    }

    #[test]
    fn star_is_the_largest_number() {
        // 0 stands for `*` here.
        let check = |items: &[SequenceRange], largest, expected: &str| {
            let set = SequenceSet::Ranges(items.into());
            assert_eq!(set.resolve(largest).unwrap().to_string(), expected);
        };
        check(&[item(1, 0)], 10, "1:10");
        check(&[item(0, 0)], 10, "10");
        check(&[item(20, 0)], 10, "10:20");
        check(&[item(0, 3), item(1, 1)], 10, "1,3:10");
        check(&[item(1, 0)], 0, "");
        check(&[item(1, 2), item(0, 0)], 0, "1:2");
        check(&[item(4, 2), item(3, 6)], 0, "2:6");
        assert_eq!(SequenceSet::Saved.resolve(10), None);
    }
}
