//! Repairs in the background: a mailbox that was found damaged when it was opened or while it is in use is brought in step
//! with its message files by a thread of its own, one mailbox after the other, while everybody goes on using it.
//!
//! Only what can be derived is repaired ([`RepairOptions::derived_only`]): nothing that may be the last trace of a message
//! is changed without an administrator. A mailbox gets one repair in an hour at most, so that a disk that fails again and
//! again does not keep the store busy, and a log of the damage stays readable.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::Store;
use crate::counters::Counters;
use crate::error::{Error, Result};
use crate::ident::UniqueId;
use crate::repair::{OddFiles, RepairKind, RepairOptions};

/// Mailboxes that wait at most. Where more are damaged the disk is, and an administrator has more to do than that.
const MAX_WAITING: usize = 1024;
/// A mailbox is not repaired again before that.
const AGAIN: Duration = Duration::from_secs(60 * 60);

/// Who waits for a repair.
pub(super) struct Healing {
    on: AtomicBool,
    queue: Mutex<Queue>,
    wake: Condvar,
    /// The repair under way is to end.
    stopping: Arc<AtomicBool>,
    counters: Arc<Counters>,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<UniqueId>,
    /// When each was last taken in.
    taken: HashMap<UniqueId, Instant>,
    stop: bool,
}

impl Healing {
    pub(super) fn new(counters: Arc<Counters>) -> Healing {
        let (queue, wake, stopping) = (Mutex::default(), Condvar::new(), Arc::default());
        Healing { on: AtomicBool::new(false), queue, wake, stopping, counters }
    }

    /// The mailbox is damaged. Never blocks.
    pub(super) fn ask(&self, id: &UniqueId) {
        if self.on.load(Ordering::Acquire) && !self.take_in(id, Instant::now()) {
            self.counters.healing.skipped.add(1);
        }
    }

    fn take_in(&self, id: &UniqueId, now: Instant) -> bool {
        let mut queue = self.queue.lock();
        queue.taken.retain(|_, taken| now.saturating_duration_since(*taken) < AGAIN);
        if queue.taken.contains_key(id) || queue.waiting.len() >= MAX_WAITING {
            return false;
        }
        queue.taken.insert(id.clone(), now);
        queue.waiting.push_back(id.clone());
        self.counters.healing.waiting.set(queue.waiting.len() as u64);
        self.wake.notify_one();
        true
    }

    /// Waits for the next. Nothing when the store is closed.
    fn next(&self) -> Option<UniqueId> {
        let mut queue = self.queue.lock();
        loop {
            if queue.stop {
                return None;
            }
            if let Some(id) = queue.waiting.pop_front() {
                self.counters.healing.waiting.set(queue.waiting.len() as u64);
                return Some(id);
            }
            self.wake.wait(&mut queue);
        }
    }

    /// Nobody is repaired any more; who is under way is left at the next message, as it was.
    pub(super) fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
        self.queue.lock().stop = true;
        self.wake.notify_all();
    }
}

impl Store {
    /// From now on damaged mailboxes are repaired in the background, until the store is closed.
    ///
    /// # Errors
    /// There is no thread to be had.
    pub fn heal_in_background(self: &Arc<Self>) -> Result<()> {
        let healing = &self.shared.healing;
        if healing.on.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        let (healing, store) = (Arc::clone(healing), Arc::downgrade(self));
        let thread = std::thread::Builder::new().name("store-heal".into()).spawn(move || heal_all(&healing, &store));
        let thread = thread.map_err(|error| Error::Unavailable(format!("no thread: {error}")))?;
        self.threads.lock().push(thread);
        Ok(())
    }

    /// Repairs what can be derived of a mailbox, and says so.
    fn heal(&self, id: &UniqueId) {
        let Some(row) = self.row_by_id(id) else { return };
        let options = RepairOptions {
            derived_only: true,
            reinject: false,
            odd_files: OddFiles::Ignore,
            stop: Some(Arc::clone(&self.shared.healing.stopping)),
            ..RepairOptions::default()
        };
        let counters = &self.counters().healing;
        tracing::warn!(event = "mailbox.reconstruct.begun", mailbox = %row.name,
            "the mailbox is damaged: it is repaired in the background");
        match self.reconstruct(&row.name, &options) {
            Ok(repaired) => {
                let count = |kind| repaired.events.iter().filter(|event| event.kind == kind).count();
                let (changes, left) = (count(RepairKind::Change), count(RepairKind::Problem));
                let counter = if left == 0 { &counters.repaired } else { &counters.left };
                counter.add(1);
                let messages = repaired.messages;
                tracing::warn!(event = "mailbox.reconstruct.finished", mailbox = %row.name, messages, changes, left);
            }
            // The next open finds the damage again.
            Err(_) if options.is_stopped() => {
                tracing::info!(event = "mailbox.reconstruct.stopped", mailbox = %row.name)
            }
            Err(error) => {
                counters.failed.add(1);
                tracing::error!(event = "mailbox.reconstruct.failed", mailbox = %row.name, %error);
            }
        }
    }
}

fn heal_all(healing: &Healing, store: &Weak<Store>) {
    while let Some(id) = healing.next() {
        let Some(store) = store.upgrade() else { return };
        let heal = std::panic::AssertUnwindSafe(|| store.heal(&id));
        // One mailbox that makes a defect show must not leave all others without repair.
        if std::panic::catch_unwind(heal).is_err() {
            store.counters().healing.failed.add(1);
            tracing::error!(event = "store.work.panicked");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: usize) -> UniqueId {
        UniqueId::parse(&format!("id{number}")).unwrap()
    }

    #[test]
    fn once_an_hour_and_not_too_many() {
        let counters = Arc::new(Counters::default());
        let healing = Healing::new(Arc::clone(&counters));
        let begin = Instant::now();
        assert!(healing.take_in(&id(0), begin));
        assert!(!healing.take_in(&id(0), begin + AGAIN / 2), "it waits already");
        assert_eq!(healing.next(), Some(id(0)));
        assert!(!healing.take_in(&id(0), begin + AGAIN / 2), "within the hour");
        assert!(healing.take_in(&id(0), begin + AGAIN));
        assert_eq!(healing.next(), Some(id(0)));
        for number in 0..MAX_WAITING {
            assert!(healing.take_in(&id(1 + number), begin));
        }
        assert_eq!(counters.healing.waiting.get(), MAX_WAITING as u64);
        assert!(!healing.take_in(&id(MAX_WAITING + 1), begin));
        healing.stop();
        assert_eq!(healing.next(), None);
    }

    #[test]
    fn nobody_is_asked_before_it_is_switched_on() {
        let healing = Healing::new(Arc::default());
        healing.ask(&id(1));
        healing.on.store(true, Ordering::Release);
        healing.ask(&id(2));
        assert_eq!(healing.next(), Some(id(2)));
    }
}
