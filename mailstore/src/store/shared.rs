//! What mailboxes see of the store.

use std::sync::Arc;

use durable::disk::Disk;

use super::background::Background;
use super::healing::Healing;
use crate::counters::Counters;
use crate::error::Result;
use crate::ident::UniqueId;
use crate::list::MailboxList;
use crate::mailbox::{Mailbox, Marks, Surroundings, TextMemory};

/// What all mailboxes share.
pub(super) struct Shared {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) boot_id: [u8; 16],
    pub(super) keeps_expunged: bool,
    pub(super) strict: bool,
    pub(super) list: Arc<MailboxList>,
    pub(super) background: Arc<Background>,
    pub(super) text_memory: TextMemory,
    pub(super) counters: Arc<Counters>,
    pub(super) healing: Arc<Healing>,
}

impl Surroundings for Shared {
    fn disk(&self) -> &Arc<dyn Disk> {
        &self.disk
    }

    fn boot_id(&self) -> [u8; 16] {
        self.boot_id
    }

    fn keeps_expunged(&self) -> bool {
        self.keeps_expunged
    }

    fn is_strict(&self) -> bool {
        self.strict
    }

    fn note_dirty(&self, mailbox: &Arc<Mailbox>) {
        self.background.note_dirty(Arc::clone(mailbox));
    }

    fn raise_marks(&self, id: &UniqueId, marks: Marks) -> Result<()> {
        self.list.raise_marks(id, marks)?;
        self.background.note_list_change();
        Ok(())
    }

    fn run_later(&self, work: Box<dyn FnOnce() + Send>) {
        self.background.run_later(work);
    }

    fn text_memory(&self) -> &TextMemory {
        &self.text_memory
    }

    fn note_damage(&self, id: &UniqueId) {
        self.healing.ask(id);
    }

    fn counters(&self) -> &Arc<Counters> {
        &self.counters
    }
}
