//! The order in which aliases are made that name each other: those within others first.

use std::collections::HashSet;

/// Aliases by their positions.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Nesting {
    /// Each names none but those of the levels before.
    pub(crate) levels: Vec<Vec<usize>>,
    /// Those that are in a round of each other, or name one that is.
    pub(crate) round: Vec<usize>,
}

/// Orders aliases; `named` has for each the positions of those that it names.
pub(crate) fn nesting(named: &[Vec<usize>]) -> Nesting {
    let mut outer: Vec<Vec<usize>> = vec![Vec::new(); named.len()];
    let mut waits: Vec<usize> = vec![0; named.len()];
    for (at, named) in named.iter().enumerate() {
        let inner: HashSet<usize> = named.iter().copied().collect();
        waits[at] = inner.len();
        inner.into_iter().for_each(|inner| outer[inner].push(at));
    }
    let mut level: Vec<usize> = (0..named.len()).filter(|at| waits[*at] == 0).collect();
    let mut levels = Vec::new();
    while !level.is_empty() {
        let mut next = Vec::new();
        for outer in level.iter().flat_map(|at| &outer[*at]) {
            waits[*outer] -= 1;
            if waits[*outer] == 0 {
                next.push(*outer);
            }
        }
        next.sort_unstable();
        levels.push(std::mem::replace(&mut level, next));
    }
    Nesting { levels, round: (0..named.len()).filter(|at| waits[*at] > 0).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_inner_ones_come_first() {
        let check = |named: &[&[usize]], levels: &[&[usize]], round: &[usize]| {
            let named: Vec<_> = named.iter().map(|named| named.to_vec()).collect();
            let levels = levels.iter().map(|level| level.to_vec()).collect();
            assert_eq!(nesting(&named), Nesting { levels, round: round.to_vec() }, "{named:?}");
        };
        check(&[], &[], &[]);
        check(&[&[1, 2], &[2], &[]], &[&[2], &[1], &[0]], &[]);
        check(&[&[1, 1], &[], &[0]], &[&[1], &[0], &[2]], &[]);
        check(&[&[0], &[], &[3], &[2], &[3]], &[&[1]], &[0, 2, 3, 4]);
        // Nobody's stack is used up.
        let chain: Vec<_> = (0..100_000_usize).map(|at| at.checked_sub(1).into_iter().collect()).collect();
        assert_eq!(nesting(&chain).levels.len(), 100_000);
    }
}
