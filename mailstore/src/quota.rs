//! Quota roots: how much a user, or any part of the hierarchy, may store.
//!
//! A root may sit at any mailbox; a mailbox is governed by the nearest root at or above it, so by one at most. What is
//! charged is the sum of the sizes of all live messages, each copy by itself; what was expunged or deleted costs nothing
//! any more, even while its files are kept. Index, cache and other files are free.
//!
//! Usage lives in memory ([`QuotaRoot`]) and is derived: after a crash it is summed up anew from the index headers. The
//! quota file is written for the administrator, and read after an orderly stop ([`file`]). Limits are durable in the
//! mailboxes database.

pub(crate) mod file;
mod recount;
pub(crate) mod roots;

use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::{
    error::{Error, Result},
    ident::UniqueId,
    name::MailboxName,
};
use recount::Recount;
pub(crate) use recount::Recounted;

/// Storage limits count in units of 1024 bytes (RFC 9208, 5.1).
pub const STORAGE_UNIT: u64 = 1024;

/// KiB in a megabyte as people say it: quotas are told and set in megabytes, and kept in KiB.
const KIB_IN_MIB: u64 = 1024;

/// What a quota root has to say about an append.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum QuotaCheck {
    /// Refused if usage would exceed the limit (IMAP).
    #[default]
    Enforce,
    /// Refused only if usage exceeds the limit already: a delivery that starts within the limit may overshoot it.
    EnforceAfter,
    /// Never refused (`deliver -q`, IGNOREQUOTA, moves within a root).
    Ignore,
}

/// The limits of a quota root. A limit of 0 forbids everything, whatever the check; no limit is `None`.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub struct QuotaLimits {
    /// STORAGE, in KiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage_kib: Option<u64>,
    /// MESSAGE, in messages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub messages: Option<u64>,
}

/// What is stored below a quota root.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct QuotaUsed {
    /// Bytes of all messages.
    pub bytes: u64,
    /// How many messages.
    pub messages: u64,
}

/// Limits and usage of a quota root at one instant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct QuotaUsage {
    /// The root.
    pub root: MailboxName,
    /// What is used.
    pub used: QuotaUsed,
    /// What may be used.
    pub limits: QuotaLimits,
}

impl QuotaLimits {
    /// The limit of storage in megabytes: rounded up, so that no limit but 0, which lets nothing in, is told as 0.
    #[must_use]
    pub fn storage_mib(&self) -> Option<u64> {
        self.storage_kib.map(|kib| kib.div_ceil(KIB_IN_MIB))
    }

    /// These limits with `mib` megabytes of storage. A limit that is told as so many megabytes already stays as exact as it
    /// was set.
    #[must_use]
    pub fn with_storage_mib(self, mib: Option<u64>) -> QuotaLimits {
        if self.storage_mib() == mib {
            return self;
        }
        QuotaLimits { storage_kib: mib.map(|mib| mib.saturating_mul(KIB_IN_MIB)), ..self }
    }
}

impl QuotaUsed {
    pub(crate) fn plus(self, more: QuotaUsed) -> QuotaUsed {
        QuotaUsed {
            bytes: self.bytes.saturating_add(more.bytes),
            messages: self.messages.saturating_add(more.messages),
        }
    }

    pub(crate) fn minus(self, less: QuotaUsed) -> QuotaUsed {
        QuotaUsed {
            bytes: self.bytes.saturating_sub(less.bytes),
            messages: self.messages.saturating_sub(less.messages),
        }
    }
}

impl QuotaUsage {
    /// Percent of the storage limit in use, rounded down; nothing without a limit or with a limit of 0.
    #[must_use]
    pub fn percent(&self) -> Option<u64> {
        let limit = self.limits.storage_kib.filter(|limit| *limit > 0)?;
        Some(u64::try_from(u128::from(self.used.bytes / STORAGE_UNIT) * 100 / u128::from(limit)).unwrap_or(u64::MAX))
    }
}

/// A quota root. One lock for usage and limits: a check and its charge are one step, and nothing waits inside.
#[derive(Debug)]
pub struct QuotaRoot {
    name: MailboxName,
    state: Mutex<State>,
    /// Held while the quota file is written or compared. Taken before `state`.
    file: Mutex<()>,
    /// A mailbox was made anew, and nobody knows what it was charged for.
    doubtful: AtomicBool,
}

#[derive(Debug)]
struct State {
    used: QuotaUsed,
    limits: QuotaLimits,
    /// The part of `used` that was charged for messages on their way: no mailbox counts them yet.
    pending: QuotaUsed,
    /// What happens to mailboxes while somebody counts them.
    recount: Option<Recount>,
    /// Whether the quota file says something else.
    unwritten: bool,
    /// Whether the quota file may not have reached the disk.
    unsynced: bool,
}

impl QuotaRoot {
    pub(crate) fn new(name: MailboxName, limits: QuotaLimits, used: QuotaUsed, unwritten: bool) -> QuotaRoot {
        let (pending, recount) = (QuotaUsed::default(), None);
        let state = State { used, limits, pending, recount, unwritten, unsynced: false };
        QuotaRoot { name, state: Mutex::new(state), file: Mutex::default(), doubtful: AtomicBool::new(false) }
    }

    /// The mailbox that the root sits at.
    pub(crate) fn name(&self) -> &str {
        self.name.as_str()
    }

    pub(crate) fn mailbox_name(&self) -> &MailboxName {
        &self.name
    }

    /// Limits and usage now.
    #[must_use]
    pub fn usage(&self) -> QuotaUsage {
        let state = self.state.lock();
        QuotaUsage { root: self.name.clone(), used: state.used, limits: state.limits }
    }

    pub(crate) fn set_limits(&self, limits: QuotaLimits) {
        let mut state = self.state.lock();
        state.limits = limits;
        state.unwritten = true;
    }

    /// Charges messages that are about to come in, if there is room for them. Ends with [`settle`](Self::settle) or
    /// [`take_back`](Self::take_back).
    ///
    /// # Errors
    /// [`Error::OverQuota`]; nothing was charged then.
    pub(crate) fn charge(&self, bytes: u64, messages: u64, check: QuotaCheck) -> Result<()> {
        let mut state = self.state.lock();
        self.room(&state, bytes, messages, check)?;
        let more = QuotaUsed { bytes, messages };
        state.used = state.used.plus(more);
        state.pending = state.pending.plus(more);
        state.unwritten = true;
        Ok(())
    }

    /// The messages that were charged came into a mailbox. Called while that mailbox is locked.
    pub(crate) fn settle(&self, mailbox: &UniqueId, charged: QuotaUsed) {
        let mut state = self.state.lock();
        state.pending = state.pending.minus(charged);
        state.note(mailbox, charged, QuotaUsed::default());
    }

    /// The messages that were charged did not come in.
    pub(crate) fn take_back(&self, charged: QuotaUsed) {
        {
            let mut state = self.state.lock();
            state.pending = state.pending.minus(charged);
        }
        self.credit(charged.bytes, charged.messages);
    }

    /// Charges messages that came into a mailbox under another root's charge. Called while that mailbox is locked.
    pub(crate) fn arrived(&self, mailbox: &UniqueId, came: QuotaUsed) {
        self.state.lock().note(mailbox, came, QuotaUsed::default());
        self.take_over(came);
    }

    /// Messages of a mailbox were expunged. Called while that mailbox is locked.
    pub(crate) fn expunged(&self, mailbox: &UniqueId, gone: QuotaUsed) {
        self.state.lock().note(mailbox, QuotaUsed::default(), gone);
        self.credit(gone.bytes, gone.messages);
    }

    /// Whether `charge` would succeed now: lets a delivery be refused before its message is received.
    ///
    /// # Errors
    /// [`Error::OverQuota`].
    pub(crate) fn check(&self, bytes: u64, messages: u64, check: QuotaCheck) -> Result<()> {
        self.room(&self.state.lock(), bytes, messages, check)
    }

    /// Charges what a mailbox uses that was governed by another root until now.
    pub(crate) fn take_over(&self, used: QuotaUsed) {
        self.correct(QuotaUsed::default(), used);
    }

    /// Takes back what was charged for messages that are gone.
    pub(crate) fn credit(&self, bytes: u64, messages: u64) {
        let mut state = self.state.lock();
        let left = (state.used.bytes.checked_sub(bytes), state.used.messages.checked_sub(messages));
        if left.0.is_none() || left.1.is_none() {
            tracing::warn!(event = "quota.usage.underflow", root = %self.name, "usage was too low: run quota -f");
        }
        state.used = QuotaUsed { bytes: left.0.unwrap_or(0), messages: left.1.unwrap_or(0) };
        state.unwritten = true;
    }

    /// A mailbox uses something else than it was charged for, as its repair has shown.
    pub(crate) fn correct(&self, before: QuotaUsed, after: QuotaUsed) {
        if before == after {
            return;
        }
        let mut state = self.state.lock();
        let change = |used: u64, before: u64, after: u64| used.saturating_add(after).saturating_sub(before);
        state.used.bytes = change(state.used.bytes, before.bytes, after.bytes);
        state.used.messages = change(state.used.messages, before.messages, after.messages);
        state.unwritten = true;
    }

    /// A mailbox has lost its index and was made anew: what it was charged for is not known, so what the root says may be too
    /// much until its mailboxes are counted.
    pub(crate) fn doubt(&self) {
        self.doubtful.store(true, Ordering::Relaxed);
    }

    /// Whether the root's mailboxes are to be counted; whoever asks does it.
    pub(crate) fn take_doubt(&self) -> bool {
        self.doubtful.load(Ordering::Relaxed) && self.doubtful.swap(false, Ordering::Relaxed)
    }

    /// What the quota file should say, if it does not; it is taken as written from now on.
    fn take_unwritten(&self) -> Option<QuotaUsage> {
        let mut state = self.state.lock();
        let unwritten = std::mem::replace(&mut state.unwritten, false);
        state.unsynced |= unwritten;
        unwritten.then(|| QuotaUsage { root: self.name.clone(), used: state.used, limits: state.limits })
    }

    /// What the quota file should say, if it should say what memory does now.
    fn written(&self) -> Option<QuotaUsed> {
        let state = self.state.lock();
        (!state.unwritten).then_some(state.used)
    }

    fn take_unsynced(&self) -> bool {
        std::mem::replace(&mut self.state.lock().unsynced, false)
    }

    /// The quota file says something else than memory: the next round writes it.
    fn put_back(&self) {
        self.state.lock().unwritten = true;
    }

    fn room(&self, state: &State, bytes: u64, messages: u64, check: QuotaCheck) -> Result<()> {
        let (bytes, messages) = match check {
            QuotaCheck::Ignore => return Ok(()),
            QuotaCheck::Enforce => (bytes, messages),
            QuotaCheck::EnforceAfter => (0, 0),
        };
        // RFC 9208, 3.1.1: a limit of 0 prohibits any use; "used + 0 > 0" would let one message through.
        let fits = |limit: Option<u64>, unit: u64, used: u64, more: u64| match limit {
            None => true,
            Some(0) => false,
            Some(limit) => used.saturating_add(more) <= limit.saturating_mul(unit),
        };
        let room = fits(state.limits.storage_kib, STORAGE_UNIT, state.used.bytes, bytes)
            && fits(state.limits.messages, 1, state.used.messages, messages);
        if room { Ok(()) } else { Err(Error::OverQuota { root: self.name.to_string() }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root(storage_kib: Option<u64>, messages: Option<u64>, bytes: u64, count: u64) -> QuotaRoot {
        let name = MailboxName::parse("user/joe").unwrap();
        QuotaRoot::new(name, QuotaLimits { storage_kib, messages }, QuotaUsed { bytes, messages: count }, false)
    }

    #[test]
    fn what_is_refused() {
        use QuotaCheck::{Enforce, EnforceAfter, Ignore};
        // storage limit, message limit, bytes used, messages used, bytes more, messages more, check, allowed
        let rows = [
            (None, None, u64::MAX - 9, 5, 5, 1, Enforce, true),
            (Some(1), None, 1000, 1, 24, 1, Enforce, true),
            (Some(1), None, 1000, 1, 25, 1, Enforce, false),
            (Some(1), None, 1024, 1, 1_000_000, 1, EnforceAfter, true),
            (Some(1), None, 1025, 1, 1, 1, EnforceAfter, false),
            (Some(1), None, 1025, 1, 0, 0, Enforce, false),
            (Some(1), None, 9999, 1, 9999, 1, Ignore, true),
            (Some(0), None, 0, 0, 0, 0, Enforce, false),
            (Some(0), None, 0, 0, 1, 1, EnforceAfter, false),
            (Some(0), None, 0, 0, 1, 1, Ignore, true),
            (None, Some(2), 0, 1, 10, 1, Enforce, true),
            (None, Some(2), 0, 2, 10, 1, Enforce, false),
            (None, Some(2), 0, 2, 10, 1, EnforceAfter, true),
            (None, Some(2), 0, 3, 10, 1, EnforceAfter, false),
            (None, Some(0), 0, 0, 10, 1, EnforceAfter, false),
            (Some(u64::MAX), None, u64::MAX, 0, 10, 1, Enforce, true),
        ];
        for row in rows {
            let (storage, limit, bytes, count, more, n, check, allowed) = row;
            let root = root(storage, limit, bytes, count);
            assert_eq!(root.check(more, n, check).is_ok(), allowed, "{row:?}");
            assert_eq!(root.charge(more, n, check).is_ok(), allowed, "{row:?}");
            let expected = if allowed { bytes.saturating_add(more) } else { bytes };
            assert_eq!(root.usage().used.bytes, expected, "{row:?}");
        }
    }

    /// [QUO-1]
    #[test]
    fn limits_in_megabytes() {
        // KiB, as megabytes; megabytes said then, KiB then.
        for (kib, told, said, then) in [
            (None, None, None, None),
            (None, None, Some(0), Some(0)),
            (Some(0), Some(0), Some(0), Some(0)),
            (Some(0), Some(0), None, None),
            (Some(1), Some(1), Some(1), Some(1)),
            (Some(10_000), Some(10), Some(10), Some(10_000)),
            (Some(10_000), Some(10), Some(11), Some(11_264)),
            (Some(10_000), Some(10), Some(9), Some(9_216)),
            (Some(10_240), Some(10), Some(10), Some(10_240)),
            (Some(10_241), Some(11), None, None),
            (Some(u64::MAX), Some(1 << 54), Some(u64::MAX), Some(u64::MAX)),
        ] {
            let limits = QuotaLimits { storage_kib: kib, messages: Some(7) };
            assert_eq!(limits.storage_mib(), told, "{kib:?}");
            let expected = QuotaLimits { storage_kib: then, messages: Some(7) };
            assert_eq!(limits.with_storage_mib(said), expected, "{kib:?} {said:?}");
        }
    }

    #[test]
    fn usage_never_goes_below_zero() {
        let root = root(None, None, 100, 2);
        root.credit(60, 1);
        assert_eq!(root.usage().used, QuotaUsed { bytes: 40, messages: 1 });
        root.credit(60, 2);
        assert_eq!(root.usage().used, QuotaUsed::default());
        root.correct(QuotaUsed { bytes: 5, messages: 1 }, QuotaUsed { bytes: 25, messages: 3 });
        assert_eq!(root.usage().used, QuotaUsed { bytes: 20, messages: 2 });
    }

    #[test]
    fn concurrent_charges_never_exceed_the_limit() {
        let root = root(Some(1), None, 0, 0);
        let accepted: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|_| scope.spawn(|| (0..100).filter(|_| root.charge(10, 1, QuotaCheck::Enforce).is_ok()).count()))
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!((accepted, root.usage().used.bytes), (102, 1020));
    }

    /// [QUO-7]
    #[test]
    fn percent_is_rounded_down() {
        for (limit, bytes, expected) in [
            (Some(10), 9 * 1024 + 1023, Some(90)),
            (Some(10), 10 * 1024, Some(100)),
            (Some(3), 1024, Some(33)),
            (Some(0), 1024, None),
            (None, 1024, None),
            (Some(1), u64::MAX, Some(1_801_439_850_948_198_300)),
        ] {
            assert_eq!(root(limit, None, bytes, 1).usage().percent(), expected, "{limit:?} {bytes}");
        }
    }
}
