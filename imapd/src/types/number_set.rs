//! A set of message numbers as ascending ranges: what a sequence set means once `*` is known, and what replies print.

use std::{cmp, fmt};

/// Numbers in ascending, disjoint, non-adjacent ranges. `1:4294967295` takes eight octets, and nothing here ever expands it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NumberSet {
    ranges: Vec<(u32, u32)>,
}

impl NumberSet {
    /// The set of no number.
    pub fn new() -> NumberSet {
        NumberSet::default()
    }

    /// From ranges in any order, overlapping or reversed.
    pub fn from_ranges(mut ranges: Vec<(u32, u32)>) -> NumberSet {
        for range in &mut ranges {
            *range = (cmp::min(range.0, range.1), cmp::max(range.0, range.1));
        }
        ranges.sort_unstable();
        let mut set = NumberSet { ranges: Vec::new() };
        for (first, last) in ranges {
            set.push_range(first, last);
        }
        set
    }

    /// Adds `number`, which is cheap if it is larger than every member so far.
    pub fn push(&mut self, number: u32) {
        match self.ranges.last() {
            Some(&(first, _)) if number < first => {
                let mut ranges = std::mem::take(&mut self.ranges);
                ranges.push((number, number));
                *self = NumberSet::from_ranges(ranges);
            }
            _ => self.push_range(number, number),
        }
    }

    /// Whether `number` is a member.
    pub fn contains(&self, number: u32) -> bool {
        let at = self.ranges.partition_point(|&(_, last)| last < number);
        self.ranges.get(at).is_some_and(|&(first, _)| first <= number)
    }

    /// Whether there is no member.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// How many members.
    pub fn len(&self) -> u64 {
        self.ranges.iter().map(|&(first, last)| u64::from(last - first) + 1).sum()
    }

    /// The smallest member.
    pub fn first(&self) -> Option<u32> {
        self.ranges.first().map(|range| range.0)
    }

    /// The largest member.
    pub fn last(&self) -> Option<u32> {
        self.ranges.last().map(|range| range.1)
    }

    /// The ranges, ascending, both ends included.
    pub fn ranges(&self) -> &[(u32, u32)] {
        &self.ranges
    }

    /// Every member, ascending. Only for sets that are known to be small: see [`NumberSet::positions`].
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.ranges.iter().flat_map(|&(first, last)| first..=last)
    }

    /// Where members stand in `sorted` (ascending, no repeats), as ranges of positions; costs a binary search per range.
    pub fn positions<'a>(&'a self, sorted: &'a [u32]) -> impl Iterator<Item = std::ops::Range<usize>> + 'a {
        self.ranges.iter().filter_map(|&(first, last)| {
            let start = sorted.partition_point(|&number| number < first);
            let end = sorted.partition_point(|&number| number <= last);
            (start < end).then_some(start..end)
        })
    }

    /// Appends a range that does not start before the last one.
    fn push_range(&mut self, first: u32, last: u32) {
        match self.ranges.last_mut() {
            Some(before) if first <= before.1.saturating_add(1) => before.1 = cmp::max(before.1, last),
            _ => self.ranges.push((first, last)),
        }
    }
}

impl FromIterator<u32> for NumberSet {
    fn from_iter<I: IntoIterator<Item = u32>>(numbers: I) -> NumberSet {
        let mut set = NumberSet::new();
        for number in numbers {
            set.push(number);
        }
        set
    }
}

/// `sequence-set` in its shortest form: `1:3,5`. The empty set prints nothing, which no grammar allows: ask first.
impl fmt::Display for NumberSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, &(first, last)) in self.ranges.iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            match first == last {
                true => write!(f, "{comma}{first}")?,
                false => write!(f, "{comma}{first}:{last}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_merge() {
        let check = |ranges: &[(u32, u32)], expected: &str| {
            assert_eq!(NumberSet::from_ranges(ranges.to_vec()).to_string(), expected);
        };
        check(&[], "");
        check(&[(5, 5)], "5");
        check(&[(3, 1), (4, 4)], "1:4");
        check(&[(10, 12), (1, 2), (11, 20)], "1:2,10:20");
        check(&[(1, u32::MAX), (7, 9)], "1:4294967295");
        check(&[(u32::MAX, u32::MAX), (1, 1)], "1,4294967295");
    }

    #[test]
    fn numbers_come_in_any_order() {
        let set: NumberSet = [5, 1, 2, 9, 5, 3].into_iter().collect();
        assert_eq!(set.to_string(), "1:3,5,9");
        assert_eq!((set.len(), set.first(), set.last()), (5, Some(1), Some(9)));
        assert_eq!(set.iter().collect::<Vec<_>>(), [1, 2, 3, 5, 9]);
        assert!(set.contains(2) && set.contains(9) && !set.contains(4) && !set.contains(10));
    }

    #[test]
    fn positions_do_not_expand_ranges() {
        let view = [2, 4, 6, 4_000_000_000];
        let check = |ranges: &[(u32, u32)], expected: &[(usize, usize)]| {
            let set = NumberSet::from_ranges(ranges.to_vec());
            let positions = set.positions(&view).map(|range| (range.start, range.end));
            assert_eq!(positions.collect::<Vec<_>>(), expected);
        };
        check(&[(1, u32::MAX)], &[(0, 4)]);
        check(&[(3, 4), (6, 7)], &[(1, 2), (2, 3)]);
        check(&[(3, 7)], &[(1, 3)]);
        check(&[(2, 2), (4_000_000_000, u32::MAX)], &[(0, 1), (3, 4)]);
        check(&[(7, 9)], &[]);
    }
}
