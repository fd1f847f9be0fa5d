//! The shared object of one open mailbox. All sessions, deliveries and tools of the process use the same one; the
//! process is the only writer of the mailbox's files.
//!
//! How a change happens, whatever it is: its bytes are written (`pwrite`, no sync) by [`State::commit`], the one function
//! that changes a mailbox's state; it is then published, that is, everybody who sleeps on [`Mailbox::watch`] wakes. Syncs
//! happen outside of the lock: message files and their directory entries before the commit (`append`), index, cache and
//! seen state within a second after it ([`Mailbox::sync`]), because they can be rolled forward from the message files.
//!
//! Locks, in this order: `maintenance` - `keyword_change` - `place` - `state` - `queue`. `state` is held for memory and
//! page-cache work only: never over a sync, never over a client's socket.

mod append;
mod backup;
mod change;
pub(crate) mod context;
mod copy;
#[cfg(test)]
mod crash_tests;
mod create;
mod expunge;
mod files;
mod heal;
mod history;
mod hold;
mod keywords;
mod moving;
mod open;
mod reading;
mod reconcile;
mod repack;
mod replaced;
mod state;
mod store;
mod sync;
#[cfg(test)]
mod tests;
mod texts;
mod unexpunge;
mod usage;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::{Condvar, Mutex, RwLock};
use tokio::sync::watch;

pub(crate) use append::deliver;
pub use append::{AppendOptions, NewMessage};
pub use backup::{MailboxCopy, MailboxFiles};
pub(crate) use context::{Identity, Marks, Surroundings};
pub use copy::CopyOptions;
pub(crate) use create::{create_files, create_files_unsynced, make_file};
pub use expunge::Expunged;
pub(crate) use files::{EXPUNGED_DIR, message_files, message_path, message_uid};
pub use history::Changes;
pub(crate) use hold::{Held, Replacement, SeenChoice, Snapshot, snapshot, write_closed_seen};
pub(crate) use open::contents;
pub use reading::{ReaderState, Reading, Status};
pub(crate) use replaced::is_same;
pub use store::{FlagOp, Permitted, StoreRequest, Stored};
pub(crate) use texts::TextMemory;
pub use texts::{TextField, Texts};

use crate::ident::UniqueId;
use crate::name::MailboxName;
use append::Queue;
use state::State;

/// One open mailbox.
pub struct Mailbox {
    around: Arc<dyn Surroundings>,
    unique_id: UniqueId,
    /// What a rename, a change of the ACL or of the quota root replaces.
    identity: RwLock<Arc<Identity>>,
    state: RwLock<State>,
    queue: Queue,
    /// Cache records that were made anew and wait to be written.
    heals: Mutex<heal::Heals>,
    /// Header texts that were searched.
    texts: texts::SearchedTexts,
    keyword_change: Mutex<()>,
    /// One of repack, close and heal at a time.
    maintenance: Mutex<()>,
    /// Held for reading while files are worked on by their paths, for writing while they are moved or removed: the old
    /// directory may be another mailbox's a moment later.
    place: RwLock<()>,
    published: watch::Sender<u64>,
    /// Whether the store knows that there is something to sync.
    dirty: AtomicBool,
    gone: AtomicBool,
    /// How often its files began and ended to move to another directory, perhaps one by one: odd while they are on their way.
    moving: AtomicU64,
    /// Whether appends wait for a repair.
    held: AtomicBool,
    /// Whether a message's record could not be read since the mailbox was opened or repaired.
    damage_noted: AtomicBool,
    /// Whether somebody was told that a message has no file.
    missing_noted: AtomicBool,
    /// Whether somebody was told that another file has the place of an open one, since the mailbox was opened or repaired.
    replaced_noted: AtomicBool,
    /// The present high-water marks in the mailboxes database.
    marks: Mutex<Marks>,
    /// For those who found the directory missing: it may be on its way to another name.
    moves: Mutex<()>,
    moved: Condvar,
}

impl Mailbox {
    /// The mailbox's name at this moment.
    #[must_use]
    pub fn name(&self) -> MailboxName {
        self.identity.read().name.clone()
    }

    /// Its identity for life.
    #[must_use]
    pub fn unique_id(&self) -> &UniqueId {
        &self.unique_id
    }

    /// The directory of its message files.
    #[must_use]
    pub fn dir(&self) -> PathBuf {
        self.identity.read().dir.clone()
    }

    /// Changes with every commit, and when the mailbox is renamed, deleted or gets another ACL. A sleeping session waits
    /// for it; nobody polls.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.published.subscribe()
    }

    /// Whether the mailbox was deleted (or replaced by another of its name) while it was open: sessions let go of it.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Acquire)
    }

    /// The mailbox was deleted: wakes everybody who has it selected. Messages whose files are being linked are linked when
    /// this returns, and no others will be, and nobody works on its files any more: they can be moved or removed one by one.
    pub(crate) fn set_gone(&self) {
        {
            let _nobody_works = self.place.write();
            let _nobody_links = self.state.write();
            self.gone.store(true, Ordering::Release);
        }
        self.tell_of_move();
        self.publish();
    }

    /// The mailbox was renamed, moved, or its ACL or quota root changed in the mailboxes database. What it uses is
    /// charged to its new quota root from now on, in one step with that. The caller writes cyrus.header
    /// ([`write_header_file`](Self::write_header_file)).
    pub(crate) fn set_identity(&self, identity: Identity) {
        {
            let state = self.state.write();
            let mut current = self.identity.write();
            let same = match (&current.quota, &identity.quota) {
                (Some(old), Some(new)) => Arc::ptr_eq(old, new),
                (None, None) => true,
                _ => false,
            };
            if !same {
                let used = state.header.quota_used();
                if let Some(old) = &current.quota {
                    old.credit(used.bytes, used.messages);
                }
                if let Some(new) = &identity.quota {
                    new.take_over(used);
                }
            }
            *current = Arc::new(identity);
        }
        self.tell_of_move();
        self.publish();
    }

    pub(crate) fn identity(&self) -> Arc<Identity> {
        Arc::clone(&self.identity.read())
    }

    /// The record of a live message can't be read any more: tells the store once.
    fn note_damage(&self) {
        if !self.damage_noted.swap(true, Ordering::AcqRel) {
            tracing::error!(event = "mailbox.index.damaged", mailbox = %self.name(),
                what = "records can't be read any more");
            self.around.note_damage(&self.unique_id);
        }
    }

    fn publish(&self) {
        self.published.send_modify(|n| *n = n.wrapping_add(1));
    }

    /// Tells the store, once, that index, cache or seen file wait for a sync.
    fn note_dirty(self: &Arc<Self>) {
        if !self.dirty.swap(true, Ordering::AcqRel) {
            self.around.note_dirty(self);
        }
    }
}

impl std::fmt::Debug for Mailbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mailbox").field("name", &self.name()).field("unique_id", &self.unique_id).finish()
    }
}
