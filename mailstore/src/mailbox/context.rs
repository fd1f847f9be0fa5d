//! What an open mailbox needs of the store around it: the disk, a place to report that it is dirty, somebody who raises
//! its high-water marks, and a thread for work that no client waits for.

use std::path::PathBuf;
use std::sync::Arc;

use durable::disk::Disk;

use crate::counters::Counters;
use crate::error::Result;
use crate::ident::{UidValidity, UniqueId};
use crate::mailbox::{Mailbox, TextMemory};
use crate::name::MailboxName;
use crate::quota::QuotaRoot;

/// The store, as a mailbox sees it.
pub(crate) trait Surroundings: Send + Sync {
    /// The disk that everything goes through.
    fn disk(&self) -> &Arc<dyn Disk>;

    /// Which run of the kernel this is: a mailbox written under another one may have lost what was not synced.
    fn boot_id(&self) -> [u8; 16];

    /// Whether expunged messages are kept until the next repack (delayed expunge) or removed at once.
    fn keeps_expunged(&self) -> bool;

    /// Whether flag changes are synced before they are answered (`durability = "strict"`).
    fn is_strict(&self) -> bool;

    /// The mailbox has changes in its index, cache or seen file that are not synced: call [`Mailbox::sync`] within a
    /// second. Called at most once until then. Never blocks.
    fn note_dirty(&self, mailbox: &Arc<Mailbox>);

    /// Durably raises the high-water marks of a mailbox in the mailboxes database: no UID above `last_uid` and no
    /// mod-sequence above `modseq` was used before this returns. Marks never go back.
    ///
    /// # Errors
    /// When the database refuses; then the caller uses no number above the old mark.
    fn raise_marks(&self, id: &UniqueId, marks: Marks) -> Result<()>;

    /// Runs `work` on the store's worker thread, in order. Never blocks. Work that a crash forgets is found again at the
    /// mailbox's next open.
    fn run_later(&self, work: Box<dyn FnOnce() + Send>);

    /// The memory for searched header texts.
    fn text_memory(&self) -> &TextMemory;

    /// The mailbox is damaged: it may be repaired in the background. Never blocks.
    fn note_damage(&self, id: &UniqueId);

    /// What the store counts.
    fn counters(&self) -> &Arc<Counters>;
}

/// Numbers that were never exceeded, whatever an index that was lost or restored from a backup says.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Marks {
    /// No UID above this was assigned.
    pub(crate) last_uid: u32,
    /// No mod-sequence above this was assigned.
    pub(crate) modseq: u64,
}

/// What the mailboxes database says of a mailbox: enough to open it, and to rebuild its cyrus.header.
#[derive(Clone)]
pub(crate) struct Identity {
    /// Internal name.
    pub(crate) name: MailboxName,
    /// Identity for life.
    pub(crate) unique_id: UniqueId,
    /// UIDVALIDITY.
    pub(crate) uid_validity: UidValidity,
    /// Directory of the message files.
    pub(crate) dir: PathBuf,
    /// High-water marks.
    pub(crate) marks: Marks,
    /// The quota root that governs it.
    pub(crate) quota: Option<Arc<QuotaRoot>>,
    /// The access control list as text, `id\trights\t...`, for cyrus.header.
    pub(crate) acl: String,
    /// The row as one line of JSON, for cyrus.header.
    pub(crate) row: String,
}
