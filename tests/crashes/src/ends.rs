//! The ways in which the world can end.

use std::hash::{BuildHasher, RandomState};
use std::sync::OnceLock;

use rustix::io::Errno;

/// What happens at a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The process dies; of a write these many bytes reach the file. What the kernel has been given stays.
    Crash {
        /// The bytes.
        torn: usize,
    },
    /// The power fails: a choice, by the seed, of what was not synced is gone, torn, or there in another order.
    PowerCut {
        /// 0 and 1 modulo 4 keep and lose all of it.
        seed: u64,
    },
    /// This one change fails, and the process lives on.
    Error(Errno),
    /// This change and all later ones fail for want of room; there is room again when the operation has given up.
    Full,
    /// The same with a file system that went read-only.
    ReadOnly,
}

/// Which ends a trial tries at each step.
#[derive(Clone, Debug, Default)]
pub struct Ends {
    fixed: Vec<End>,
    in_turn: Vec<End>,
    cuts: u64,
}

impl Ends {
    /// These, at every step.
    #[must_use]
    pub fn of(fixed: &[End]) -> Self {
        Self { fixed: fixed.to_vec(), ..Self::default() }
    }

    /// And one of these at each step, another one at the next. Of power cuts each has a seed of its own.
    #[must_use]
    pub fn and_in_turn(mut self, in_turn: &[End]) -> Self {
        self.in_turn = in_turn.to_vec();
        self
    }

    /// And so many power cuts at each step: one loses all that is not synced, the next keeps some of it by chance, the third
    /// the older part of it, the fourth all of it; and so on.
    #[must_use]
    pub fn and_power_cuts(mut self, cuts: u64) -> Self {
        self.cuts = cuts;
        self
    }

    /// Those at a step.
    pub(crate) fn at(&self, step: u64) -> Vec<End> {
        let turn = self.in_turn.get(step as usize % self.in_turn.len().max(1)).map(|end| match end {
            End::PowerCut { .. } => cut(step, self.cuts),
            other => *other,
        });
        self.fixed.iter().copied().chain(turn).chain(self.power_cuts(step)).collect()
    }

    /// The power cuts at a step.
    pub(crate) fn power_cuts(&self, step: u64) -> Vec<End> {
        (0..self.cuts).map(|number| cut(step, number)).collect()
    }

    /// The power cuts after the last step: of every kind, if there are any at all.
    pub(crate) fn last_power_cuts(&self) -> Vec<End> {
        let some = self.cuts > 0 || self.in_turn.iter().any(|end| matches!(end, End::PowerCut { .. }));
        (0..self.cuts.max(if some { 3 } else { 0 })).map(|number| cut(0, number)).collect()
    }
}

/// A power cut of another kind at each step; the first one after the last step keeps nothing but what was promised.
fn cut(step: u64, number: u64) -> End {
    let chance = splitmix(seed() ^ splitmix(step.wrapping_mul(0x100) ^ number));
    End::PowerCut { seed: (chance & !3) | ((number + step / 2 + 1) % 4) }
}

/// The seed of this run: that of `CRASH_SEED`, or one that no run had.
pub fn seed() -> u64 {
    static SEED: OnceLock<u64> = OnceLock::new();
    *SEED.get_or_init(|| {
        let given = std::env::var("CRASH_SEED").ok();
        given.map_or_else(|| RandomState::new().hash_one(0) >> 16, |text| text.parse().expect("CRASH_SEED is a number"))
    })
}

fn splitmix(state: u64) -> u64 {
    let z = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_has_all_kinds_of_power_cuts() {
        let ends = Ends::of(&[End::Full]).and_power_cuts(4);
        let kinds = |step| -> Vec<u64> {
            let seed = |end: &End| if let End::PowerCut { seed } = end { Some(seed % 4) } else { None };
            ends.at(step).iter().filter_map(seed).collect()
        };
        assert_eq!((kinds(1), kinds(2)), (vec![1, 2, 3, 0], vec![2, 3, 0, 1]));
        let turns = Ends::default().and_in_turn(&[End::Full, End::ReadOnly]);
        assert_eq!((turns.at(2), turns.at(3)), (vec![End::Full], vec![End::ReadOnly]));
        assert_eq!(ends.at(1)[0], End::Full);
        assert_ne!(ends.at(1), ends.at(2), "other choices at every step");
        assert_eq!(ends.at(7), ends.at(7), "the same choices when repeated");
    }
}
