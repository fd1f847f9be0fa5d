//! The store: all mailboxes of one server. One process owns it at a time; everything else in the program reaches
//! mailboxes through it.
//!
//! Where to look: [`opening`] for what a start repairs, [`names`] for the locks of the hierarchy, [`registry`] for who
//! shares an open mailbox, `create`, `delete`, `rename` for changes of the hierarchy.
//!
//! A change of the hierarchy is committed by one batch of the mailbox list. What has to happen to directories before or
//! after it is recorded in that list too (a row's state, or an intent), so that the next start ends it. Whoever asks for
//! a mailbox that he may not see is told that it does not exist.
//!
//! Locks, in this order: a tree's names - a mailbox's slot in the registry - the mailbox's own - the mailbox list's.

mod access;
mod background;
mod create;
mod create_many;
mod delete;
mod directories;
mod duplicates;
mod healing;
mod ledger;
mod names;
mod opening;
mod owner;
mod quota_repair;
mod quotas;
mod recover;
mod registry;
mod relist;
mod rename;
mod repairing;
mod restore;
mod shared;
mod users;

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use durable::disk::{Disk, DiskFile};
use parking_lot::Mutex;

pub use self::create::{CreateOptions, MAX_MAILBOXES_PER_USER};
use self::directories::Directories;
pub use self::ledger::{FolderUse, LargeMessage, QuotaLedger};
use self::names::NameLocks;
pub use self::opening::OpenReport;
pub use self::quota_repair::{QuotaFinding, QuotaRepair};
pub use self::recover::{Adopted, Unlisted};
use self::registry::Registry;
pub use self::relist::saved::{SavedList, SavedMailbox};
pub use self::relist::{ListAudience, ListFinding, ListFindingKind, ListRepair};
pub use self::restore::RestoredRow;
use self::shared::Shared;
use crate::acl::{Access, Acl, Rights};
use crate::counters::Counters;
use crate::duplicate::Duplicates;
use crate::error::{Error, Result};
use crate::ident::{Timestamp, Uid, UniqueId};
use crate::layout::{DEFAULT_PARTITION, Layout};
use crate::list::{MailboxList, Row, RowState, not_found};
use crate::mailbox::{self, AppendOptions, Identity, Mailbox, Marks, NewMessage, Surroundings};
use crate::name::MailboxName;
use crate::quota::roots::QuotaRoots;
use crate::stage::StageWriter;
use crate::subscription::{Loaded, Subscriptions};

/// How a store behaves.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// Where it lies.
    pub layout: Layout,
    /// Found a new store if there is no trace of one.
    pub create: bool,
    /// Open even if the mailboxes database can't be proved complete, with what is left of it: only for repair.
    pub salvage: bool,
    /// What was under way when the last owner died is neither ended nor undone: the next start without this does it. Only to
    /// look at what a crash has left.
    pub leave_unfinished: bool,
    /// Deleted mailboxes stay below `DELETED/` until they are purged (default), or are removed at once.
    pub delayed_delete: bool,
    /// Expunged messages stay until the mailbox is repacked (default), or are removed at once.
    pub delayed_expunge: bool,
    /// Flag changes are synced before they are answered; by default within [`sync_window`](Self::sync_window).
    pub strict: bool,
    /// How long index, cache and seen state may wait for their sync. Half of the second that is promised: the sync
    /// itself takes time too.
    pub sync_window: Duration,
    /// Mailboxes that stay open when nobody uses them. Each costs three descriptors and some memory.
    pub max_idle: usize,
    /// Octets of header texts that are kept for searching, of all mailboxes together.
    pub search_memory: usize,
    /// Largest message in bytes.
    pub max_message: u64,
    /// Most mailboxes of one user. Default [`MAX_MAILBOXES_PER_USER`].
    pub max_mailboxes: usize,
    /// The ACL of a new mailbox at the top of the shared hierarchy.
    pub default_acl: Acl,
    /// Which run of the kernel this is; only tests that simulate power cuts set it.
    pub boot_id: Option<[u8; 16]>,
}

impl StoreOptions {
    /// The defaults for a store in these directories.
    #[must_use]
    pub fn new(layout: Layout) -> StoreOptions {
        StoreOptions {
            layout,
            create: false,
            salvage: false,
            leave_unfinished: false,
            delayed_delete: true,
            delayed_expunge: true,
            strict: false,
            sync_window: Duration::from_millis(500),
            max_idle: 1000,
            search_memory: 64 << 20,
            max_message: 50 << 20,
            max_mailboxes: MAX_MAILBOXES_PER_USER,
            default_acl: Acl::of_shared(),
            boot_id: None,
        }
    }
}

/// An open store.
pub struct Store {
    options: StoreOptions,
    directories: Directories,
    list: Arc<MailboxList>,
    roots: Arc<QuotaRoots>,
    registry: Arc<Registry>,
    names: Arc<NameLocks>,
    subscriptions: Subscriptions,
    duplicates: Duplicates,
    shared: Arc<Shared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    closed: AtomicBool,
    /// Keeps other owners out as long as it is open.
    owner: Mutex<Option<DiskFile>>,
}

impl Store {
    /// The disk that everything goes through.
    #[must_use]
    pub fn disk(&self) -> &Arc<dyn Disk> {
        &self.directories.disk
    }

    /// Where everything lies.
    #[must_use]
    pub fn layout(&self) -> &Layout {
        &self.directories.layout
    }

    /// How the store behaves.
    #[must_use]
    pub fn options(&self) -> &StoreOptions {
        &self.options
    }

    /// What the store has counted since it was opened. Memory only.
    #[must_use]
    pub fn counters(&self) -> &Arc<Counters> {
        &self.shared.counters
    }

    /// How many mailboxes are open. Memory only.
    #[must_use]
    pub fn open_mailboxes(&self) -> usize {
        self.registry.len()
    }

    /// The row of a mailbox. Memory only.
    #[must_use]
    pub fn row(&self, name: &MailboxName) -> Option<Arc<Row>> {
        self.list.row(name)
    }

    /// The row of the mailbox with that identity. Memory only.
    #[must_use]
    pub fn row_by_id(&self, id: &UniqueId) -> Option<Arc<Row>> {
        self.list.by_id(id).filter(|row| row.state == RowState::Active)
    }

    /// Visits all mailboxes whose names begin with the text `prefix`, in byte order of their names, until `visit` breaks.
    /// Whether the asker may see one is his business ([`Row::rights`]). Memory only; no lock is held meanwhile.
    pub fn list(&self, prefix: &str, mut visit: impl FnMut(&MailboxName, &Arc<Row>) -> ControlFlow<()>) {
        self.list.walk(prefix, |row| match row.state {
            RowState::Active => visit(&row.name, row),
            RowState::Creating | RowState::Deleting => ControlFlow::Continue(()),
        });
    }

    /// As [`list`](Self::list), but begins at the first name that is not before the text `from` in byte order: a reader who
    /// takes the list in pieces goes on where he stopped. Memory only.
    pub fn list_from(&self, prefix: &str, from: &str, mut visit: impl FnMut(&Arc<Row>) -> ControlFlow<()>) {
        self.list.walk_from(prefix, from, |row| match row.state {
            RowState::Active => visit(row),
            RowState::Creating | RowState::Deleting => ControlFlow::Continue(()),
        });
    }

    /// Whether there is a mailbox below `name`. Memory only.
    #[must_use]
    pub fn has_children(&self, name: &MailboxName) -> bool {
        self.list.has_children(name)
    }

    /// Whether the mailbox list can still be read and changed. If not, only a restart helps.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        self.list.is_usable()
    }

    /// How many mailboxes there are, deleted ones that wait for their end included. Memory only.
    #[must_use]
    pub fn mailbox_count(&self) -> usize {
        self.list.len()
    }

    /// The mailbox, if it is open already. Memory only.
    #[must_use]
    pub fn open_mailbox(&self, name: &MailboxName) -> Option<Arc<Mailbox>> {
        self.registry.get(&self.row(name)?.unique_id)
    }

    /// The mailbox, opened if need be. Whoever holds it shares it with everybody else. Blocks when it has to be opened.
    ///
    /// # Errors
    /// [`Error::NotFound`], or why it can't be opened.
    pub fn mailbox(&self, name: &MailboxName) -> Result<Arc<Mailbox>> {
        let row = self.row(name).ok_or_else(|| not_found(name))?;
        if let Some(mailbox) = self.registry.get(&row.unique_id) {
            return Ok(mailbox);
        }
        self.usable()?;
        let (row, mailbox) = {
            let _names_stay = self.names.shared(name);
            // It may have been renamed or deleted before the lock was ours.
            let row = self.row(name).ok_or_else(|| not_found(name))?;
            let mailbox = self.open_row(&row)?;
            (row, mailbox)
        };
        self.count_if_in_doubt(&row);
        Ok(mailbox)
    }

    /// The mailbox for somebody who needs these rights, and all the rights he has. Blocks when it has to be opened.
    ///
    /// # Errors
    /// [`Error::NotFound`] also where the asker may not know of the mailbox; [`Error::Denied`] where he may.
    pub fn open_for(&self, access: &Access, name: &MailboxName, needed: Rights) -> Result<(Arc<Mailbox>, Rights)> {
        let (_, rights) = self.permitted(access, name, needed)?;
        Ok((self.mailbox(name)?, rights))
    }

    /// A place for an incoming message, on the partition of the mailbox that it is for (the first of them). Blocks.
    ///
    /// # Errors
    /// When there is no such partition.
    pub fn stage(&self, partition: &str) -> Result<StageWriter> {
        self.usable()?;
        let directory = self.layout().stage_dir(partition)?;
        Ok(StageWriter::new(Arc::clone(self.disk()), &directory, self.options.max_message, Arc::clone(self.counters())))
    }

    /// The partition that messages for `name` are best staged on: a hard link does not reach across partitions.
    #[must_use]
    pub fn partition_of(&self, name: &MailboxName) -> String {
        self.row(name).map_or_else(|| DEFAULT_PARTITION.to_owned(), |row| row.partition.clone())
    }

    /// Appends messages to several mailboxes, which share syncs; a result for each. Blocks.
    pub fn deliver(targets: &[(Arc<Mailbox>, NewMessage)], options: &AppendOptions) -> Vec<Result<Uid>> {
        mailbox::deliver(targets, options)
    }

    /// What was delivered recently, so that it is not delivered twice.
    #[must_use]
    pub fn duplicates(&self) -> &Duplicates {
        &self.duplicates
    }

    /// Waits until all work that was put off so far is done: files of expunged messages, copies of rows. Blocks.
    pub fn settle(&self) {
        let (done, wait) = std::sync::mpsc::channel();
        // Dropped with the job, whether it runs or not; either way the wait ends.
        self.shared.run_later(Box::new(move || drop(done)));
        let _: Result<(), _> = wait.recv();
    }

    /// Ends the store in order: everything is durable and marked clean, so that the next start need not look. Blocks.
    /// Sessions should have let go of their mailboxes.
    ///
    /// # Errors
    /// What could not be made durable; the next start repairs it as after a crash.
    pub fn close(&self) -> Result<()> {
        if self.closed.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        self.stop_threads();
        self.registry.close_all();
        self.duplicates.close();
        self.roots.write_all()?;
        self.list.close()?;
        let trusted = self.roots.can_be_trusted(&self.list.roots());
        let note = if trusted { &b""[..] } else { opening::RECOUNT };
        self.disk().replace_file(&self.layout().clean_marker(), note)?;
        tracing::info!(event = "store.closed");
        *self.owner.lock() = None;
        Ok(())
    }

    /// The row of a mailbox, and the rights that `access` has on it.
    fn permitted(&self, access: &Access, name: &MailboxName, needed: Rights) -> Result<(Arc<Row>, Rights)> {
        let row = self.row(name).ok_or_else(|| not_found(name))?;
        let rights = row.rights(access);
        if rights.contains(needed) {
            return Ok((row, rights));
        }
        // RFC 4314, 6: who may not look up a mailbox must not learn that it exists.
        if !rights.contains(Rights::LOOKUP) {
            return Err(not_found(name));
        }
        Err(Error::Denied(format!("{} needs {} on {name}", access.user, needed.without(rights))))
    }

    /// Opens the mailbox of a row, while its name is locked.
    fn open_row(&self, row: &Row) -> Result<Arc<Mailbox>> {
        let mailbox = self.registry.open(&row.unique_id, || {
            let around: Arc<dyn Surroundings> = Arc::clone(&self.shared) as _;
            Mailbox::open(around, self.identity(row)?)
        })?;
        // Tools open every mailbox there is.
        if self.registry.wants_eviction() {
            let registry = Arc::clone(&self.registry);
            self.shared.run_later(Box::new(move || registry.evict()));
        }
        Ok(mailbox)
    }

    /// What a mailbox is told about itself.
    pub(crate) fn identity(&self, row: &Row) -> Result<Identity> {
        Ok(Identity {
            name: row.name.clone(),
            unique_id: row.unique_id.clone(),
            uid_validity: row.uid_validity,
            dir: self.layout().mailbox_dir(&row.partition, &row.name)?,
            marks: self.list.marks(&row.unique_id)?,
            quota: match &row.quota_root {
                Some(root) => self.load_root(root)?,
                None => None,
            },
            acl: row.acl.to_string(),
            row: row.encode(),
        })
    }

    /// The high-water marks of a mailbox.
    pub(crate) fn marks(&self, row: &Row) -> Result<Marks> {
        self.list.marks(&row.unique_id)
    }

    /// A user's subscriptions, and what is wrong with them.
    pub(crate) fn load_subscriptions(&self, user: &str) -> Result<Loaded> {
        self.subscriptions.load(user)
    }

    /// Makes a batch of changes to the mailbox list.
    fn commit(&self, changes: Vec<crate::list::Change>) -> Result<()> {
        self.usable()?;
        self.list.apply(changes)?;
        self.shared.background.note_list_change();
        Ok(())
    }

    fn usable(&self) -> Result<()> {
        if self.closed.load(Ordering::Acquire) {
            return Err(Error::Unavailable("it is closed".to_owned()));
        }
        Ok(())
    }

    fn stop_threads(&self) {
        self.shared.healing.stop();
        self.shared.background.stop();
        let threads: Vec<_> = self.threads.lock().drain(..).collect();
        for thread in threads {
            // The one that repairs may have been the last to hold the store.
            if thread.thread().id() == std::thread::current().id() {
                continue;
            }
            if thread.join().is_err() {
                tracing::error!(event = "store.thread.panicked");
            }
        }
    }
}

impl Drop for Store {
    /// A store that is dropped without [`close`](Store::close) is as after a crash; only its threads end.
    fn drop(&mut self) {
        self.stop_threads();
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("config", &self.layout().config()).finish_non_exhaustive()
    }
}

/// Unix seconds.
fn now() -> i64 {
    Timestamp::now().seconds
}

/// The time of a change of a row: now, but later than the row says, whatever the clock does. A repair takes the later of
/// two versions of a row, and two changes may come within a second, or a clock may be set back.
fn later_than(row: &Row) -> i64 {
    now().max(row.modified.saturating_add(1))
}

#[cfg(test)]
mod crash_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tool_crashes;
