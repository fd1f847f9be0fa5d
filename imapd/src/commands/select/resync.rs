//! What a client that remembers a mailbox must be told of it: quick resynchronisation (RFC 7162, 3.2.5).

use mailstore::{Changes, ModSeq, Reading, UidSet};

use crate::outcome::CommandError;
use crate::types::{NumberSet, QResync, SequenceMatch};

/// The difference.
#[derive(Debug, PartialEq)]
pub(super) struct Resynced {
    /// UIDs that the client knows and that are gone.
    pub(super) vanished: NumberSet,
    /// Messages that the client knows, or would know by now, and whose flags have changed.
    pub(super) changed: UidSet,
}

/// The difference to what the client remembers; `None` if UIDVALIDITY has changed, which makes all it remembers void.
pub(super) fn resync(known: &QResync, reading: &Reading<'_>) -> Result<Option<Resynced>, CommandError> {
    let status = reading.status();
    if known.uid_validity != status.uid_validity.get() {
        return Ok(None);
    }
    let changes = reading.changes_since(ModSeq::new(known.mod_seq))?;
    Ok(Some(difference(known, reading.uids(), &changes, status.uid_next)))
}

fn difference(known: &QResync, live: &UidSet, changes: &Changes, uid_next: u32) -> Resynced {
    // RFC 7162, 3.2.5.1: without a list the client knows everything below UIDNEXT.
    let everything = || NumberSet::from_ranges(if uid_next > 1 { vec![(1, uid_next - 1)] } else { Vec::new() });
    let uids = known.known_uids.clone().unwrap_or_else(everything);
    let vanished = if changes.complete {
        changes.expunged.iter().filter(|&uid| uids.contains(uid)).collect()
    } else {
        let matched = known.matches.as_ref().map_or(0, |matches| last_match(matches, live));
        missing(&uids, live, matched, uid_next)
    };
    let changed = changes.changed.iter().filter(|&uid| uids.contains(uid)).collect();
    Resynced { vanished, changed }
}

/// The members of `uids` above `matched` and below `uid_next` that are not in `live`. Linear in the ranges and in `live`,
/// never in the length of a range.
fn missing(uids: &NumberSet, live: &UidSet, matched: u32, uid_next: u32) -> NumberSet {
    let mut missing = Vec::new();
    for &(first, last) in uids.ranges() {
        let (mut from, to) = (first.max(matched.saturating_add(1)), last.min(uid_next.saturating_sub(1)));
        if from > to {
            continue;
        }
        for uid in live.range(from..=to) {
            if from < uid {
                missing.push((from, uid - 1));
            }
            from = uid.saturating_add(1);
        }
        if from <= to {
            missing.push((from, to));
        }
    }
    NumberSet::from_ranges(missing)
}

/// The largest UID up to which client and mailbox agree (RFC 7162, 3.2.5.2): where both count the same number of messages
/// up to a UID, none of those below it is gone, because new messages only come behind. 0 if they agree nowhere.
fn last_match(matches: &SequenceMatch, live: &UidSet) -> u32 {
    let pairs = matches.sequence.iter().zip(matches.uids.iter());
    pairs
        .take_while(|&(sequence, uid)| live.contains(uid) && live.rank(uid) == u64::from(sequence))
        .last()
        .map_or(0, |pair| pair.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(ranges: &[(u32, u32)]) -> NumberSet {
        NumberSet::from_ranges(ranges.to_vec())
    }

    fn known(known_uids: Option<NumberSet>, matches: Option<SequenceMatch>) -> QResync {
        QResync { uid_validity: 1, mod_seq: 5, known_uids, matches }
    }

    fn changes(changed: &[u32], expunged: &[u32], complete: bool) -> Changes {
        let set = |uids: &[u32]| uids.iter().copied().collect();
        Changes { changed: set(changed), expunged: set(expunged), complete, modseq: ModSeq::new(9) }
    }

    #[test]
    fn differences() {
        let live: UidSet = [2, 5, 6, 9].into_iter().collect();
        let check = |known_uids: Option<&[(u32, u32)]>, changes: &Changes, vanished: &str, changed: &[u32]| {
            let found = difference(&known(known_uids.map(numbers), None), &live, changes, 12);
            assert_eq!(found.vanished.to_string(), vanished);
            assert_eq!(found.changed.iter().collect::<Vec<_>>(), changed);
        };
        let complete = changes(&[5, 9], &[3, 8], true);
        check(None, &complete, "3,8", &[5, 9]);
        check(Some(&[(1, 5)]), &complete, "3", &[5]);
        check(Some(&[(7, u32::MAX)]), &complete, "8", &[9]);
        let forgotten = changes(&[5], &[8], false);
        check(None, &forgotten, "1,3:4,7:8,10:11", &[5]);
        check(Some(&[(4, 5), (9, u32::MAX)]), &forgotten, "4,10:11", &[5]);
        check(Some(&[(20, 30)]), &forgotten, "", &[]);
    }

    #[test]
    fn an_empty_mailbox() {
        let found = difference(&known(None, None), &UidSet::new(), &changes(&[], &[], false), 1);
        assert_eq!(found, Resynced { vanished: NumberSet::new(), changed: UidSet::new() });
    }

    #[test]
    fn matched_pairs_need_not_be_told() {
        let live: UidSet = [2, 5, 6, 9].into_iter().collect();
        let check = |sequence: &[(u32, u32)], uids: &[(u32, u32)], expected: &str| {
            let matches = SequenceMatch { sequence: numbers(sequence), uids: numbers(uids) };
            let found = difference(&known(None, Some(matches)), &live, &changes(&[], &[], false), 12);
            assert_eq!(found.vanished.to_string(), expected);
        };
        check(&[(1, 2)], &[(2, 2), (5, 5)], "7:8,10:11");
        check(&[(1, 1), (4, 4)], &[(2, 2), (9, 9)], "10:11");
        check(&[(1, 1), (5, 5)], &[(2, 2), (9, 9)], "3:4,7:8,10:11");
        check(&[(2, 2)], &[(2, 2)], "1,3:4,7:8,10:11");
    }
}
