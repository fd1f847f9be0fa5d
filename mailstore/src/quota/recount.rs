//! Counting what a root's mailboxes use while mail arrives, without a drift.
//!
//! Mailboxes are counted one after the other, each while it is locked. What happens to a mailbox after its turn is missing
//! in its count, what happens before is in it; so the root notes, for each mailbox, what came and went since the recount
//! began. Subtracting that at the mailbox's turn and adding it at the end gives the use at one moment, the last:
//!
//! ```text
//! used = sum over mailboxes of (counted at its turn - noted at its turn) + noted at the end + charged but not come in
//! ```
//!
//! Whoever counts holds the lock of the tree's names, so no mailbox comes or goes meanwhile.

use std::collections::HashMap;

use super::{QuotaRoot, QuotaUsed, State};
use crate::ident::UniqueId;

/// What happened since a recount began.
#[derive(Default, Debug)]
pub(super) struct Recount {
    came: QuotaUsed,
    went: QuotaUsed,
    /// The same by mailbox: came, went.
    mailboxes: HashMap<UniqueId, (QuotaUsed, QuotaUsed)>,
}

/// A recount under way; it ends with [`finish`](Self::finish), or when it is dropped.
pub(crate) struct Recounting<'a> {
    root: &'a QuotaRoot,
    /// As of the beginning: what the mailboxes that had their turn used, in two sums that only grow.
    counted: QuotaUsed,
    already_noted_came: QuotaUsed,
    already_noted_went: QuotaUsed,
}

/// How a recount ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Recounted {
    /// What the root believed.
    pub(crate) believed: QuotaUsed,
    /// What is used.
    pub(crate) counted: QuotaUsed,
}

impl QuotaRoot {
    /// Begins a recount. One at a time: the caller holds the lock of the tree's names.
    pub(crate) fn recount(&self) -> Recounting<'_> {
        self.state.lock().recount = Some(Recount::default());
        let none = QuotaUsed::default();
        Recounting { root: self, counted: none, already_noted_came: none, already_noted_went: none }
    }
}

impl Recounting<'_> {
    /// A mailbox's turn: it uses `used`. Called while that mailbox is locked, or nobody has it open.
    pub(crate) fn add(&mut self, mailbox: &UniqueId, used: QuotaUsed) {
        let state = self.root.state.lock();
        let noted = state.recount.as_ref().and_then(|recount| recount.mailboxes.get(mailbox)).copied();
        let (came, went) = noted.unwrap_or_default();
        self.counted = self.counted.plus(used);
        self.already_noted_came = self.already_noted_came.plus(came);
        self.already_noted_went = self.already_noted_went.plus(went);
    }

    /// Every mailbox had its turn. With `correct` the root believes the result from now on.
    pub(crate) fn finish(self, correct: bool) -> Recounted {
        let mut state = self.root.state.lock();
        let recount = state.recount.take().unwrap_or_default();
        let more = self.counted.plus(recount.came).plus(self.already_noted_went).plus(state.pending);
        let counted = more.minus(self.already_noted_came.plus(recount.went));
        let believed = state.used;
        if correct && believed != counted {
            state.used = counted;
            state.unwritten = true;
        }
        Recounted { believed, counted }
    }
}

impl Drop for Recounting<'_> {
    fn drop(&mut self) {
        self.root.state.lock().recount = None;
    }
}

impl State {
    /// A locked mailbox changes.
    pub(super) fn note(&mut self, mailbox: &UniqueId, came: QuotaUsed, went: QuotaUsed) {
        if let Some(recount) = &mut self.recount {
            recount.came = recount.came.plus(came);
            recount.went = recount.went.plus(went);
            let noted = recount.mailboxes.entry(mailbox.clone()).or_default();
            *noted = (noted.0.plus(came), noted.1.plus(went));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::MailboxName;
    use crate::quota::{QuotaCheck, QuotaLimits};

    const fn used(bytes: u64) -> QuotaUsed {
        QuotaUsed { bytes, messages: bytes / 10 }
    }

    fn id(text: &str) -> UniqueId {
        UniqueId::parse(text).unwrap()
    }

    #[test]
    fn what_happens_during_a_recount_counts_once() {
        // a has 100 and b has 50 by their indexes; the root believes 7.
        let name = MailboxName::parse("user/joe").unwrap();
        let root = QuotaRoot::new(name, QuotaLimits::default(), used(7), false);
        let charge = |more: QuotaUsed| root.charge(more.bytes, more.messages, QuotaCheck::Enforce).unwrap();
        // On its way before the recount begins, and after it ends.
        charge(used(1000));
        let mut recount = root.recount();
        // Comes into a before its turn, and into b after its turn.
        charge(used(20));
        root.settle(&id("a"), used(20));
        recount.add(&id("a"), used(120));
        recount.add(&id("b"), used(50));
        charge(used(30));
        root.settle(&id("b"), used(30));
        // Goes from b after its turn, and from a, whose count has it.
        root.expunged(&id("b"), used(40));
        root.expunged(&id("a"), used(110));
        // Comes and does not stay.
        charge(used(500));
        root.take_back(used(500));
        let found = recount.finish(true);
        assert_eq!(found.counted, used(10 + 40 + 1000));
        assert_eq!(root.usage().used, found.counted);
        root.settle(&id("a"), used(1000));
        let mut again = root.recount();
        again.add(&id("a"), used(1010));
        again.add(&id("b"), used(40));
        let found = again.finish(false);
        assert_eq!(found.believed, found.counted);
    }
}
