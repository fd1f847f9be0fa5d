//! What changed since a mod-sequence: the latest changes from memory, older ones from the index.

use std::collections::VecDeque;

use crate::ident::ModSeq;
use crate::uid_set::UidSet;

/// How many changes are remembered: enough that a session which looks up at every change never scans the index, small
/// enough that a thousand open mailboxes cost nothing (16 bytes each, grown on demand).
const REMEMBERED: usize = 2048;

/// What changed after a mod-sequence.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Changes {
    /// Live messages that were appended or whose flags changed.
    pub changed: UidSet,
    /// Messages that were expunged.
    pub expunged: UidSet,
    /// Whether `expunged` is known to be all of them. If not, records were repacked since, and every UID below UIDNEXT
    /// that is not live must count as expunged (RFC 7162, 3.2.5.2 allows to name more than were).
    pub complete: bool,
    /// The mod-sequence that brings the asker up to date.
    pub modseq: ModSeq,
}

#[derive(Clone, Copy, Debug)]
struct Event {
    modseq: ModSeq,
    uid: u32,
    expunged: bool,
}

/// The latest changes.
#[derive(Debug)]
pub(super) struct History {
    events: VecDeque<Event>,
    /// All changes above this are in `events`.
    from: ModSeq,
}

impl History {
    /// Nothing is remembered up to `modseq`.
    pub(super) fn new(modseq: ModSeq) -> History {
        History { events: VecDeque::new(), from: modseq }
    }

    /// Remembers a change of `uids`.
    pub(super) fn push(&mut self, modseq: ModSeq, uids: impl IntoIterator<Item = u32>, expunged: bool) {
        for uid in uids {
            if self.events.len() == REMEMBERED
                && let Some(oldest) = self.events.pop_front()
            {
                // Part of that mod-sequence's changes is forgotten, so all of it is.
                self.from = oldest.modseq;
            }
            self.events.push_back(Event { modseq, uid, expunged });
        }
    }

    /// The changes after `since`, if they are all remembered.
    pub(super) fn since(&self, since: ModSeq) -> Option<(UidSet, UidSet)> {
        if since < self.from {
            return None;
        }
        let (mut changed, mut expunged) = (UidSet::new(), UidSet::new());
        for event in self.events.iter().rev().take_while(|e| e.modseq > since) {
            if event.expunged {
                expunged.insert(event.uid)
            } else {
                changed.insert(event.uid)
            };
        }
        changed -= &expunged;
        Some((changed, expunged))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uids(s: &UidSet) -> Vec<u32> {
        s.iter().collect()
    }

    #[test]
    fn remembers_the_latest() {
        let mut h = History::new(ModSeq::new(10));
        h.push(ModSeq::new(11), [1, 2], false);
        h.push(ModSeq::new(12), [2], true);
        assert!(h.since(ModSeq::new(9)).is_none());
        let (changed, expunged) = h.since(ModSeq::new(10)).unwrap();
        assert_eq!((uids(&changed), uids(&expunged)), (vec![1], vec![2]));
        let (changed, expunged) = h.since(ModSeq::new(11)).unwrap();
        assert_eq!((uids(&changed), uids(&expunged)), (vec![], vec![2]));
    }

    #[test]
    fn a_change_that_is_partly_forgotten_is_forgotten() {
        let mut h = History::new(ModSeq::ZERO);
        h.push(ModSeq::new(1), 1..=100, false);
        h.push(ModSeq::new(2), 1..=REMEMBERED as u32, false);
        assert!(h.since(ModSeq::ZERO).is_none());
        assert_eq!(h.since(ModSeq::new(1)).unwrap().0.len(), REMEMBERED as u64);
        h.push(ModSeq::new(3), [1], false);
        assert!(h.since(ModSeq::new(1)).is_none());
        assert_eq!(h.since(ModSeq::new(2)).unwrap().0.len(), 1);
    }
}
