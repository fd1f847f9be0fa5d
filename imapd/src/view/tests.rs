//! Views: rows for what must be told when, and a model of two sessions whose clients believe what they are told.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use proptest::prelude::*;

use super::*;
use crate::types::{Bound, SequenceRange};

fn set(uids: &[u32]) -> UidSet {
    uids.iter().copied().collect()
}

fn view(uids: &[u32]) -> View {
    View::new(&set(uids), ModSeq::new(1), 0)
}

/// 0 stands for `*`.
fn sequence_set(items: &[(u32, u32)]) -> SequenceSet {
    let bound = |number| NonZeroU32::new(number).map_or(Bound::Largest, Bound::Number);
    SequenceSet::Ranges(
        items.iter().map(|&(first, last)| SequenceRange { first: bound(first), last: bound(last) }).collect(),
    )
}

fn catch_up(view: &mut View, uids: &[u32], changed: &[u32], expunges: Expunges) -> Update {
    let (uids, changed) = (set(uids), set(changed));
    let modseq_of = |_| Some(ModSeq::new(9));
    view.catch_up(&Instant { uids: &uids, changed: &changed, modseq: ModSeq::new(9), modseq_of: &modseq_of }, expunges)
}

#[test]
fn sequence_sets() {
    let view = view(&[3, 5, 8, 4_000_000_000]);
    let check = |items: &[(u32, u32)], numbering, expected: Result<&[u32], u32>| {
        let found = view.resolve(&sequence_set(items), numbering);
        assert_eq!(found, expected.map(set).map_err(NoSuchMessage), "{items:?}");
    };
    check(&[(1, 2)], Numbering::Sequence, Ok(&[3, 5]));
    check(&[(0, 0)], Numbering::Sequence, Ok(&[4_000_000_000]));
    check(&[(3, 0), (1, 1)], Numbering::Sequence, Ok(&[3, 8, 4_000_000_000]));
    check(&[(1, 5)], Numbering::Sequence, Err(5));
    check(&[(9, 0)], Numbering::Sequence, Err(9));
    check(&[(1, 0)], Numbering::Uid, Ok(&[3, 5, 8, 4_000_000_000]));
    check(&[(4, 8)], Numbering::Uid, Ok(&[5, 8]));
    check(&[(6, 7)], Numbering::Uid, Ok(&[]));
    check(&[(u32::MAX, 0)], Numbering::Uid, Ok(&[4_000_000_000]));
}

#[test]
fn an_empty_mailbox_has_no_message() {
    let view = view(&[]);
    let check = |items: &[(u32, u32)], numbering, expected: Result<(), u32>| {
        let found = view.resolve(&sequence_set(items), numbering);
        assert_eq!(found, expected.map(|()| UidSet::new()).map_err(NoSuchMessage), "{items:?}");
    };
    check(&[(1, 0)], Numbering::Sequence, Ok(()));
    check(&[(1, 0)], Numbering::Uid, Ok(()));
    check(&[(1, 1)], Numbering::Uid, Ok(()));
    check(&[(1, 1)], Numbering::Sequence, Err(1));
}

#[test]
fn the_saved_result_loses_what_is_expunged() {
    let mut view = view(&[1, 2, 3]);
    view.save(set(&[1, 2, 9]));
    assert_eq!(view.resolve(&SequenceSet::Saved, Numbering::Sequence), Ok(set(&[1, 2])));
    catch_up(&mut view, &[2, 3], &[], Expunges::Tell);
    assert_eq!(view.resolve(&SequenceSet::Saved, Numbering::Uid), Ok(set(&[2])));
}

#[test]
fn expunges_wait_until_they_may_be_told() {
    let mut view = view(&[1, 2, 3, 4]);
    let held = catch_up(&mut view, &[1, 4, 5], &[], Expunges::Hold);
    assert_eq!((held.expunged.len(), held.exists), (0, Some(5)));
    assert_eq!((view.sequence(4), view.sequence(5)), (Some(4), Some(5)));
    let told = catch_up(&mut view, &[1, 4, 5], &[], Expunges::Tell);
    assert_eq!((told.expunged, told.vanished, told.exists), (vec![3, 2], set(&[2, 3]), None));
    assert_eq!((view.sequence(4), view.sequence(5)), (Some(2), Some(3)));
}

#[test]
fn a_message_that_comes_and_goes_is_never_told() {
    let mut view = view(&[1]);
    assert_eq!(catch_up(&mut view, &[1], &[], Expunges::Tell), Update::default());
}

#[test]
fn a_file_put_back_does_not_renumber() {
    let mut view = view(&[1, 9]);
    let update = catch_up(&mut view, &[1, 5, 9, 10], &[5], Expunges::Tell);
    assert_eq!((update.new, update.changed), (set(&[10]), set(&[])));
    assert_eq!((view.sequence(5), view.sequence(9), view.sequence(10)), (None, Some(2), Some(3)));
}

#[test]
fn own_changes_are_not_told_unless_somebody_changed_more() {
    let mut view = view(&[1, 2, 3]);
    view.told(set(&[1, 2]), ModSeq::new(5));
    let (uids, changed) = (set(&[1, 2, 3]), set(&[1, 2, 3]));
    let modseq_of = |uid| Some(ModSeq::new(if uid == 2 { 6 } else { 5 }));
    let now = Instant { uids: &uids, changed: &changed, modseq: ModSeq::new(6), modseq_of: &modseq_of };
    assert_eq!(view.catch_up(&now, Expunges::Hold).changed, set(&[2, 3]));
}

#[test]
fn recent_messages() {
    let mut view = View::new(&set(&[1, 2, 3]), ModSeq::ZERO, 2);
    assert!(view.is_recent(3) && !view.is_recent(2));
    let update = catch_up(&mut view, &[1, 2, 4, 5], &[], Expunges::Tell);
    view.mark_recent(&update.new, 4);
    assert!(view.is_recent(5) && !view.is_recent(4));
    assert_eq!(view.recent(), 1);
}

#[test]
fn numbers_far_apart_and_close_together() {
    let uids: Vec<u32> = (1..5000).map(|n| n * 3).chain([1_000_000, 4_000_000_000]).collect();
    let view = view(&uids);
    let wanted: UidSet = (1..40).chain(9000..9010).chain([14_997, 1_000_000, 2_000_000, 4_000_000_000]).collect();
    let expected: Vec<(u32, u32)> = (1u32..).zip(uids).filter(|&(_, uid)| wanted.contains(uid)).collect();
    assert_eq!(view.numbered(&wanted).collect::<Vec<_>>(), expected);
}

/// What happens to the model's mailbox, or which of its two sessions looks.
#[derive(Debug, Clone)]
enum Step {
    Append,
    /// The n-th of the live messages changes, by nobody's or by a session's hand.
    Change(usize, Option<usize>),
    Expunge(usize),
    Look(usize, Expunges),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => Just(Step::Append),
        3 => (any::<usize>(), proptest::option::of(0..2usize)).prop_map(|(at, by)| Step::Change(at, by)),
        2 => any::<usize>().prop_map(Step::Expunge),
        3 => (0..2usize, any::<bool>())
            .prop_map(|(session, tell)| Step::Look(session, if tell { Expunges::Tell } else { Expunges::Hold })),
    ]
}

/// A mailbox: UID to the mod-sequence of its last change.
#[derive(Default)]
struct Model {
    messages: BTreeMap<u32, ModSeq>,
    modseq: ModSeq,
    last_uid: u32,
}

impl Model {
    fn nth(&self, at: usize) -> Option<u32> {
        let count = self.messages.len().max(1);
        self.messages.keys().nth(at % count).copied()
    }

    fn touch(&mut self, uid: u32) {
        self.modseq = self.modseq.next();
        self.messages.insert(uid, self.modseq);
    }
}

/// A client that knows nothing but what it is told: the mod-sequence of each message, by sequence number.
struct Client {
    view: View,
    mirror: Vec<ModSeq>,
}

impl Client {
    fn look(&mut self, model: &Model, expunges: Expunges) {
        let uids: UidSet = model.messages.keys().copied().collect();
        let since = self.view.modseq();
        let changed = model.messages.iter().filter(|(_, modseq)| **modseq > since).map(|(&uid, _)| uid).collect();
        let modseq_of = |uid| model.messages.get(&uid).copied();
        let now = Instant { uids: &uids, changed: &changed, modseq: model.modseq, modseq_of: &modseq_of };
        let update = self.view.catch_up(&now, expunges);
        for sequence in update.expunged {
            self.mirror.remove(sequence as usize - 1);
        }
        if let Some(exists) = update.exists {
            assert!(exists as usize > self.mirror.len(), "EXISTS never shrinks a mailbox");
            self.mirror.resize(exists as usize, ModSeq::ZERO);
        }
        // New messages the client fetches; changed ones it is told.
        for (sequence, uid) in self.view.numbered(&(&update.new | &update.changed)) {
            self.mirror[sequence as usize - 1] = model.messages[&uid];
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn clients_that_believe_what_they_are_told_are_right(steps in proptest::collection::vec(step(), 1..200)) {
        let mut model = Model::default();
        let client = || Client { view: view(&[]), mirror: Vec::new() };
        let mut clients = [client(), client()];
        for step in steps {
            match step {
                Step::Append => {
                    model.last_uid += 1;
                    model.touch(model.last_uid);
                }
                Step::Change(at, by) => {
                    let Some(uid) = model.nth(at) else { continue };
                    model.touch(uid);
                    let Some(client) = by.map(|by| &mut clients[by]) else { continue };
                    // STORE answers with the new state, so the client knows it if it knows the message.
                    if let Some(sequence) = client.view.sequence(uid) {
                        client.mirror[sequence as usize - 1] = model.modseq;
                        client.view.told(set(&[uid]), model.modseq);
                    }
                }
                Step::Expunge(at) => {
                    let Some(uid) = model.nth(at) else { continue };
                    model.messages.remove(&uid);
                    model.modseq = model.modseq.next();
                }
                Step::Look(session, expunges) => {
                    let client = &mut clients[session];
                    client.look(&model, expunges);
                    prop_assert_eq!(client.mirror.len() as u32, client.view.exists());
                    for (&uid, &modseq) in &model.messages {
                        let sequence = client.view.sequence(uid);
                        prop_assert!(sequence.is_some(), "the client knows every message");
                        prop_assert_eq!(client.mirror[sequence.unwrap_or(1) as usize - 1], modseq);
                    }
                    if expunges == Expunges::Tell {
                        let expected: Vec<ModSeq> = model.messages.values().copied().collect();
                        prop_assert_eq!(&client.mirror, &expected);
                    }
                }
            }
        }
    }
}
