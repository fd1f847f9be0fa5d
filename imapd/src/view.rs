//! One session's view of its mailbox: which messages the client has been told of, and under which sequence numbers.
//!
//! This is the only place that turns sequence numbers into UIDs and back; commands and the store speak UIDs. A mailbox
//! changes at any time, the view only when the client is told: [`View::catch_up`] compares the two and says what to tell.
//!
//! - A message that was expunged keeps its sequence number until an EXPUNGE or VANISHED may be sent (RFC 9051, 7.5.1), so
//!   what is pending needs no list of its own: it is what the view holds and the mailbox does not.
//! - New messages get the next sequence numbers, because UIDs ascend. A UID that turns up below the largest one told (an
//!   administrator put a file back) would renumber messages behind the client's back: it waits for the next SELECT.
//! - Changed flags are found by mod-sequence. What the session has changed itself is not told twice ([`View::told`]).
//!
//! A view is a bitmap in which runs of UIDs take four bytes, so one of 50,000 messages is made in microseconds and is
//! mostly smaller than the connection it belongs to.

use mailstore::{ModSeq, UidSet};

use crate::types::{NumberSet, Numbering, SequenceSet};

/// Whether messages may be renumbered now (RFC 9051, 7.5.1; the table of commands decides).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expunges {
    /// The client may be told.
    Tell,
    /// A command that uses sequence numbers is in progress, or none is: they must wait.
    Hold,
}

/// The mailbox at one instant, as far as a view needs it.
pub(crate) struct Instant<'a> {
    /// Its messages.
    pub(crate) uids: &'a UidSet,
    /// Those of them that were appended or changed since [`View::modseq`]; more do no harm.
    pub(crate) changed: &'a UidSet,
    /// Its highest mod-sequence.
    pub(crate) modseq: ModSeq,
    /// The mod-sequence of one message.
    pub(crate) modseq_of: &'a dyn Fn(u32) -> Option<ModSeq>,
}

/// What to tell the client, in this order; the view counts it as told.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Update {
    /// UIDs of messages that are gone: for `VANISHED`.
    pub(crate) vanished: UidSet,
    /// Their sequence numbers, in an order in which each is right when it is told: for `EXPUNGE`.
    pub(crate) expunged: Vec<u32>,
    /// How many messages there are now, if some came: for `EXISTS`.
    pub(crate) exists: Option<u32>,
    /// UIDs of those that came.
    pub(crate) new: UidSet,
    /// UIDs of messages that the client knew and that have changed: for `FETCH`.
    pub(crate) changed: UidSet,
}

/// A sequence number that no message has (RFC 9051, 9: the answer is BAD).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("There is no message with sequence number {0}")]
pub(crate) struct NoSuchMessage(u32);

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct View {
    /// The messages that have sequence numbers: 1 for the smallest UID.
    uids: UidSet,
    /// No message above this UID has been told of.
    known_up_to: u32,
    /// The client knows every change up to here, except expunges that wait.
    modseq: ModSeq,
    /// Messages that are \Recent in this session (rev1).
    recent: UidSet,
    /// What the session has changed itself since it last caught up: the client knows the state as of that mod-sequence.
    own: Vec<(ModSeq, UidSet)>,
    /// The result of the last `SEARCH RETURN (SAVE)`.
    saved: UidSet,
}

impl View {
    /// A view of a mailbox that holds `uids`, at `modseq`; messages above `recent_above` are \Recent in this session.
    pub(crate) fn new(uids: &UidSet, modseq: ModSeq, recent_above: u32) -> View {
        let mut uids = uids.clone();
        uids.optimize();
        let mut recent = uids.clone();
        recent.remove_range(..=recent_above);
        let known_up_to = uids.max().unwrap_or(0);
        View { uids, known_up_to, modseq, recent, own: Vec::new(), saved: UidSet::new() }
    }

    /// How many messages the client counts.
    pub(crate) fn exists(&self) -> u32 {
        // Members are UIDs, of which there are fewer than 2^32.
        self.uids.len() as u32
    }

    /// The messages that the client counts; some may be gone from the mailbox.
    pub(crate) fn uids(&self) -> &UidSet {
        &self.uids
    }

    /// How far the client knows the mailbox's changes.
    pub(crate) fn modseq(&self) -> ModSeq {
        self.modseq
    }

    /// The sequence number of a message; `None` if the client has not been told of it.
    pub(crate) fn sequence(&self, uid: u32) -> Option<u32> {
        self.uids.contains(uid).then(|| self.uids.rank(uid) as u32)
    }

    /// The sequence number of each of `uids` that the client knows, as (sequence number, UID), ascending. Linear in the
    /// stretch of the view that is asked for, and cheap where a few messages far apart are.
    pub(crate) fn numbered<'a>(&'a self, uids: &'a UidSet) -> impl Iterator<Item = (u32, u32)> + 'a {
        self.numbered_in_order(uids.iter())
    }

    /// The same of UIDs that ascend.
    pub(crate) fn numbered_in_order<'a>(
        &'a self,
        uids: impl Iterator<Item = u32> + 'a,
    ) -> impl Iterator<Item = (u32, u32)> + 'a {
        let mut place = Place { uids: &self.uids, known: self.uids.iter(), next: 0, sequence: 0, last: None };
        uids.filter_map(move |uid| place.of(uid).map(|sequence| (sequence, uid)))
    }

    /// The messages of a client's sequence set, as UIDs that the client knows. UIDs that no message has are left out
    /// (RFC 9051, 6.4.9).
    ///
    /// # Errors
    /// For a sequence number that no message has (RFC 9051, 9: `seq-number`). One set is let pass although it names none:
    /// clients send `1:*` without asking whether the mailbox is empty.
    pub(crate) fn resolve(&self, set: &SequenceSet, numbering: Numbering) -> Result<UidSet, NoSuchMessage> {
        let largest = match numbering {
            Numbering::Uid => self.uids.max().unwrap_or(0),
            Numbering::Sequence => self.exists(),
        };
        match (set.resolve(largest), numbering) {
            (None, _) => Ok(&self.saved & &self.uids),
            (Some(numbers), Numbering::Uid) => Ok(self.among(&numbers)),
            (Some(_), Numbering::Sequence) if largest == 0 && set.uses_largest() => Ok(UidSet::new()),
            (Some(numbers), Numbering::Sequence) => self.at(&numbers),
        }
    }

    /// The messages with these UIDs that the client knows.
    pub(crate) fn among(&self, uids: &NumberSet) -> UidSet {
        uids.ranges().iter().fold(UidSet::new(), |mut found, &(first, last)| {
            // A range costs what the view holds of it, never its length.
            found |= self.stretch(first, last);
            found
        })
    }

    /// The messages with these sequence numbers.
    fn at(&self, numbers: &NumberSet) -> Result<UidSet, NoSuchMessage> {
        let exists = self.exists();
        if let Some(last) = numbers.last().filter(|&last| last > exists) {
            return Err(NoSuchMessage(last));
        }
        let mut found = UidSet::new();
        for &(first, last) in numbers.ranges() {
            // Both exist: numbers start at 1 and end at `exists`.
            let (Some(from), Some(to)) = (self.uid(first), self.uid(last)) else { return Err(NoSuchMessage(first)) };
            found |= self.stretch(from, to);
        }
        Ok(found)
    }

    /// The messages with UIDs in a range.
    fn stretch(&self, first: u32, last: u32) -> UidSet {
        // An iterator over a set ascends, so the error is never met.
        UidSet::from_sorted_iter(self.uids.range(first..=last)).unwrap_or_default()
    }

    /// The UID of the message with a sequence number.
    pub(crate) fn uid(&self, sequence: u32) -> Option<u32> {
        self.uids.select(sequence.checked_sub(1)?)
    }

    /// Whether the message is \Recent in this session.
    pub(crate) fn is_recent(&self, uid: u32) -> bool {
        self.recent.contains(uid)
    }

    /// How many messages are \Recent in this session: for `RECENT`.
    pub(crate) fn recent(&self) -> u32 {
        self.recent.len() as u32
    }

    /// Those of `new` above `recent_above` are \Recent in this session.
    pub(crate) fn mark_recent(&mut self, new: &UidSet, recent_above: u32) {
        self.recent.extend(new.range(recent_above.saturating_add(1)..));
    }

    /// Keeps the result of a search for `$` (RFC 9051, 6.4.4.1).
    pub(crate) fn save(&mut self, found: UidSet) {
        self.saved = found;
    }

    /// The session has changed these messages itself, at `modseq`, and has told the client (or was asked not to).
    pub(crate) fn told(&mut self, uids: UidSet, modseq: ModSeq) {
        self.own.push((modseq, uids));
    }

    /// Brings the view up to `now` and says what the client must be told for that.
    pub(crate) fn catch_up(&mut self, now: &Instant<'_>, expunges: Expunges) -> Update {
        let mut update = Update::default();
        let mut gone = self.gone(now.uids);
        update.changed = &(now.changed & &self.uids) - &gone;
        self.forget_own(&mut update.changed, now);
        if expunges == Expunges::Hold {
            gone.clear();
        }
        if !gone.is_empty() {
            update.expunged = self.numbered(&gone).map(|(sequence, _)| sequence).collect();
            update.expunged.reverse();
            self.uids -= &gone;
            self.recent -= &gone;
            self.saved -= &gone;
            update.vanished = gone;
        }
        update.new = now.uids.range(self.known_up_to.saturating_add(1)..).collect();
        if let Some(newest) = update.new.max() {
            self.uids |= &update.new;
            self.uids.optimize();
            self.known_up_to = newest;
            update.exists = Some(self.exists());
        }
        self.modseq = now.modseq;
        update
    }

    /// The messages that the client counts and the mailbox has no more. Mostly there are none, which two counts tell:
    /// a mailbox gets new messages above all others, so that below the last one told it can only have lost some.
    fn gone(&self, live: &UidSet) -> UidSet {
        if self.uids.len() == live.rank(self.known_up_to) {
            debug_assert!(self.uids.is_subset(live), "a message came in below others");
            return UidSet::new();
        }
        &self.uids - live
    }

    /// Takes out of `changed` what nobody else has changed since the session did.
    fn forget_own(&mut self, changed: &mut UidSet, now: &Instant<'_>) {
        for (modseq, uids) in std::mem::take(&mut self.own) {
            for uid in &uids & &*changed {
                if (now.modseq_of)(uid).is_some_and(|current| current <= modseq) {
                    changed.remove(uid);
                }
            }
        }
    }
}

/// How far apart two UIDs may be for the sequence number of the second to be counted on from the first: beyond it, one
/// rank in the bitmap costs less than stepping.
const FAR: u32 = 1024;

/// A position in a view that moves forward with the UIDs it is asked for.
struct Place<'a> {
    uids: &'a UidSet,
    known: roaring::bitmap::Iter<'a>,
    /// The UID taken from `known` last, 0 before the first.
    next: u32,
    /// Its sequence number.
    sequence: u32,
    last: Option<u32>,
}

impl Place<'_> {
    /// The sequence number of `uid`, which is larger than the last one asked for.
    fn of(&mut self, uid: u32) -> Option<u32> {
        if self.last.is_none_or(|last| uid - last > FAR) && uid > self.next {
            self.sequence = self.uids.rank(uid - 1) as u32;
            self.known = self.uids.range(uid..);
        }
        self.last = Some(uid);
        while self.next < uid {
            self.next = self.known.next()?;
            self.sequence += 1;
        }
        (self.next == uid).then_some(self.sequence)
    }
}

#[cfg(test)]
mod tests;
