//! The open mailboxes, by identity: everybody who opens one gets the same object. Those that nobody uses stay open for a
//! while, up to a number; then the ones that were not wanted for longest are closed.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::error::Result;
use crate::ident::UniqueId;
use crate::mailbox::Mailbox;

/// The open mailboxes.
pub(super) struct Registry {
    slots: Mutex<HashMap<UniqueId, Arc<Slot>>>,
    /// Counts requests: the age of an idle mailbox.
    clock: AtomicU64,
    /// How many mailboxes stay open when nobody uses them; each holds three files.
    limit: usize,
    /// Whether somebody was told that there are too many.
    evicting: AtomicBool,
}

/// A place for one mailbox, locked while it is opened or closed: nobody ever sees two objects of one mailbox.
#[derive(Default)]
struct Slot {
    mailbox: Mutex<Option<Arc<Mailbox>>>,
    used: AtomicU64,
}

impl Registry {
    pub(super) fn new(limit: usize) -> Registry {
        Registry { slots: Mutex::default(), clock: AtomicU64::new(0), limit, evicting: AtomicBool::new(false) }
    }

    /// How many are open, or about to be.
    pub(super) fn len(&self) -> usize {
        self.slots.lock().len()
    }

    /// The mailbox, if it is open.
    pub(super) fn get(&self, id: &UniqueId) -> Option<Arc<Mailbox>> {
        let slot = Arc::clone(self.slots.lock().get(id)?);
        self.touch(&slot);
        let mailbox = slot.mailbox.lock();
        mailbox.clone()
    }

    /// The mailbox; `open` is called if it is not open.
    pub(super) fn open(&self, id: &UniqueId, open: impl FnOnce() -> Result<Arc<Mailbox>>) -> Result<Arc<Mailbox>> {
        let slot = Arc::clone(self.slots.lock().entry(id.clone()).or_default());
        self.touch(&slot);
        let mut place = slot.mailbox.lock();
        if let Some(mailbox) = &*place {
            return Ok(Arc::clone(mailbox));
        }
        let mailbox = open()?;
        *place = Some(Arc::clone(&mailbox));
        Ok(mailbox)
    }

    /// Takes a mailbox out: it was deleted, or is about to be opened afresh.
    pub(super) fn remove(&self, id: &UniqueId) -> Option<Arc<Mailbox>> {
        let slot = self.slots.lock().remove(id)?;
        slot.mailbox.lock().take()
    }

    /// Whether there are so many that [`evict`](Self::evict) should run; says so once until it has.
    pub(super) fn wants_eviction(&self) -> bool {
        self.slots.lock().len() > self.limit && !self.evicting.swap(true, Ordering::AcqRel)
    }

    /// Closes mailboxes that nobody uses, the least recently wanted first, down to nine tenths of the limit.
    pub(super) fn evict(&self) {
        self.evicting.store(false, Ordering::Release);
        let mut slots: Vec<_> = {
            let slots = self.slots.lock();
            slots.iter().map(|(id, slot)| (slot.used.load(Ordering::Relaxed), id.clone(), Arc::clone(slot))).collect()
        };
        let mut surplus = slots.len().saturating_sub(self.limit - self.limit / 10);
        slots.sort_unstable_by_key(|(used, ..)| *used);
        for (_, id, slot) in slots {
            if surplus == 0 {
                return;
            }
            surplus -= usize::from(self.close_if_idle(&id, &slot));
        }
    }

    /// Closes everything, for an orderly stop.
    pub(super) fn close_all(&self) {
        let slots: Vec<_> = self.slots.lock().drain().collect();
        for (_, slot) in slots {
            if let Some(mailbox) = slot.mailbox.lock().take() {
                close(&mailbox);
            }
        }
    }

    fn close_if_idle(&self, id: &UniqueId, slot: &Arc<Slot>) -> bool {
        let Some(mut place) = slot.mailbox.try_lock() else { return false };
        // New users must come through this slot, whose lock we hold; so a count of one stays one.
        match &*place {
            Some(mailbox) if Arc::strong_count(mailbox) > 1 => return false,
            Some(mailbox) => close(mailbox),
            None => {}
        }
        *place = None;
        drop(place);
        let mut slots = self.slots.lock();
        // The map's, and ours: nobody is on the way to open it again.
        if Arc::strong_count(slot) <= 2 && slots.get(id).is_some_and(|current| Arc::ptr_eq(current, slot)) {
            slots.remove(id);
        }
        true
    }

    fn touch(&self, slot: &Slot) {
        slot.used.store(self.clock.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
    }
}

fn close(mailbox: &Arc<Mailbox>) {
    if let Err(error) = mailbox.close() {
        tracing::warn!(event = "mailbox.close.failed", mailbox = %mailbox.name(), %error);
    }
}
