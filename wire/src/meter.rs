//! What a protocol counts of its commands: how often each ended how, and how long it took. Plain atomics that whoever shows
//! them reads when he is asked; to count a command costs two relaxed additions and no lock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How a command ended. Ordered by how bad that is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// It worked.
    Ok,
    /// It could not be done, or not by this user, or not now.
    No,
    /// The client wrote something that no command is, or not there.
    Bad,
    /// The peer was gone before it could be answered.
    Gone,
}

impl Verdict {
    /// All of them, in order.
    pub const ALL: [Verdict; 4] = [Verdict::Ok, Verdict::No, Verdict::Bad, Verdict::Gone];

    /// The word for it, in lower case.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Ok => "ok",
            Verdict::No => "no",
            Verdict::Bad => "bad",
            Verdict::Gone => "gone",
        }
    }
}

/// Upper ends of the classes of [`Latency`], in microseconds: from what memory answers (a FETCH of flags) to what keeps a
/// person waiting.
pub const BOUNDS: [u64; 15] = [
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
    10_000_000,
];

/// How long something took, by classes.
#[derive(Debug, Default)]
pub struct Latency {
    /// How many took no longer than each of [`BOUNDS`] and longer than the one before; then those that took longer still.
    classes: [AtomicU64; BOUNDS.len() + 1],
    micros: AtomicU64,
}

impl Latency {
    /// Counts one.
    pub fn note(&self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let class = BOUNDS.partition_point(|bound| *bound < micros);
        if let Some(class) = self.classes.get(class) {
            class.fetch_add(1, Ordering::Relaxed);
        }
        self.micros.fetch_add(micros, Ordering::Relaxed);
    }

    /// How many there were by class (see [`BOUNDS`]; the last class has no bound), and the sum of their times.
    #[must_use]
    pub fn read(&self) -> ([u64; BOUNDS.len() + 1], Duration) {
        let classes = std::array::from_fn(|at| self.classes[at].load(Ordering::Relaxed));
        (classes, Duration::from_micros(self.micros.load(Ordering::Relaxed)))
    }
}

/// The name under which commands are counted that are none.
pub const OTHER: &str = "other";

/// The commands of one protocol.
#[derive(Debug)]
pub struct Commands {
    /// Sorted.
    names: Box<[&'static str]>,
    /// For each name, then for [`OTHER`]: by verdict.
    rows: Box<[[Latency; Verdict::ALL.len()]]>,
}

impl Commands {
    /// Counts for the commands with these names.
    pub fn new(names: impl IntoIterator<Item = &'static str>) -> Self {
        let mut names: Vec<_> = names.into_iter().collect();
        names.sort_unstable();
        names.dedup();
        let rows = (0..=names.len()).map(|_| Default::default()).collect();
        Self { names: names.into(), rows }
    }

    /// Counts one command. What a client made up counts as [`OTHER`], so that clients can't make new names.
    pub fn note(&self, name: &str, verdict: Verdict, took: Duration) {
        let row = self.names.binary_search(&name).unwrap_or(self.names.len());
        if let Some(row) = self.rows.get(row) {
            row[verdict as usize].note(took);
        }
    }

    /// All there is to read, by name and verdict.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, Verdict, &Latency)> {
        let names = self.names.iter().copied().chain([OTHER]);
        names.zip(&self.rows).flat_map(|(name, row)| {
            Verdict::ALL.into_iter().zip(row).map(move |(verdict, latency)| (name, verdict, latency))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes() {
        let check = |micros: u64, class: usize| {
            let latency = Latency::default();
            latency.note(Duration::from_micros(micros));
            let (classes, sum) = latency.read();
            assert_eq!(classes.iter().position(|count| *count == 1), Some(class), "{micros}");
            assert_eq!((classes.iter().sum::<u64>(), sum), (1, Duration::from_micros(micros)));
        };
        check(0, 0);
        check(100, 0);
        check(101, 1);
        check(1_000_000, 12);
        check(10_000_000, 14);
        check(10_000_001, 15);
        check(u64::MAX / 2, 15);
        assert!(BOUNDS.is_sorted());
    }

    #[test]
    fn commands_by_name_and_verdict() {
        let commands = Commands::new(["NOOP", "FETCH", "NOOP"]);
        commands.note("FETCH", Verdict::Ok, Duration::from_millis(1));
        commands.note("FETCH", Verdict::No, Duration::ZERO);
        commands.note("XYZZY", Verdict::Bad, Duration::ZERO);
        let counted: Vec<_> = commands
            .iter()
            .map(|(name, verdict, latency)| (name, verdict, latency.read().0.iter().sum::<u64>()))
            .filter(|(.., count)| *count > 0)
            .collect();
        assert_eq!(counted, [("FETCH", Verdict::Ok, 1), ("FETCH", Verdict::No, 1), (OTHER, Verdict::Bad, 1)]);
        assert_eq!(commands.iter().count(), 3 * Verdict::ALL.len());
    }
}
