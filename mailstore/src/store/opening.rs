//! Opening the store, and what a start does about the work of a process that died: operations that were under way are
//! ended or undone, and what lies about is removed. Mailboxes themselves are looked at when they are opened.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use durable::disk::{self, Disk, FileKind};
use parking_lot::Mutex;

use super::background::{Background, Tools};
use super::directories::Directories;
use super::healing::Healing;
use super::names::NameLocks;
use super::registry::Registry;
use super::shared::Shared;
use super::{Store, StoreOptions, owner};
use crate::counters::Counters;
use crate::duplicate::Duplicates;
use crate::error::{Error, Result};
use crate::list::ledger::LedgerBacking;
use crate::list::{Change, MailboxList, RowState};
use crate::mailbox::TextMemory;
use crate::quota::roots::QuotaRoots;
use crate::subscription::Subscriptions;

/// What a start found and did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpenReport {
    /// The store is new.
    pub created: bool,
    /// The last owner stopped in order.
    pub clean: bool,
    /// Changes of the mailbox list that only the journal had.
    pub replayed: u64,
    /// Why the mailboxes database was made anew from journal and dump, or its journal from the database.
    pub rebuilt: Vec<String>,
    /// Only with [`StoreOptions::salvage`]: why the mailboxes database could not be proved complete, and what was taken from
    /// where. Empty if it could be.
    pub salvaged: Vec<String>,
    /// Where a damaged mailboxes database was put.
    pub moved_to: Option<PathBuf>,
    /// Entries of the mailboxes database that make no sense: key and reason. They are left there.
    pub bad_rows: Vec<(String, String)>,
    /// Operations that were under way, and what became of each.
    pub completed: Vec<String>,
    /// Only with [`StoreOptions::leave_unfinished`]: operations that were under way, and are still.
    pub unfinished: Vec<String>,
    /// Staged messages and temporary files that were removed.
    pub removed_files: u64,
}

impl OpenReport {
    /// Whether nothing that was ever committed to the mailbox list is missing. A list that a repair founded has lost all.
    #[must_use]
    pub fn is_proved(&self) -> bool {
        self.salvaged.is_empty()
    }

    /// Adds what was found when the mailboxes database was opened.
    fn take_in(&mut self, list: durable::OpenReport) {
        self.created = list.created;
        self.clean |= list.created;
        self.replayed = list.replayed;
        self.moved_to = list.rebuilt.as_ref().and_then(|rebuilt| rebuilt.moved_to.clone());
        self.rebuilt.extend(list.rebuilt.map(|rebuilt| rebuilt.why));
        self.rebuilt.extend(list.journal_renewed);
        self.salvaged.extend(list.salvaged);
    }
}

impl Store {
    /// Opens a store, and becomes its owner. Blocks.
    ///
    /// # Errors
    /// [`Error::InUse`](crate::Error::InUse) when it has another owner, who is named; `Unavailable` when the mailboxes
    /// database can't be proved complete (nothing was changed then).
    pub fn open(options: StoreOptions, disk: Arc<dyn Disk>) -> Result<(Arc<Store>, OpenReport)> {
        let layout = options.layout.clone();
        if options.create {
            disk.create_dir_all(layout.config())?;
        }
        let owner = owner::take(&*disk, &layout)?;
        let stop = take_clean_marker(&*disk, &layout.clean_marker())?;
        let mut report = OpenReport { clean: stop != Stop::Unclean, ..Default::default() };
        let empty = options.create && has_no_mailboxes(&*disk, &options)?;
        let (backing, opened) = open_list(&disk, &options, empty, &mut report)?;
        let opened_new = opened.created;
        report.take_in(opened);
        if opened_new && options.salvage && !empty {
            report.salvaged.push("there is no trace of a mailboxes database: a new one was begun".to_owned());
        }
        let (list, loaded) = MailboxList::load(Box::new(backing))?;
        report.bad_rows = loaded.bad;

        let directories = Directories { disk: Arc::clone(&disk), layout: layout.clone() };
        // What an incomplete list shows as under way may be long over: that is looked into by the repair.
        match report.is_proved() {
            true if options.leave_unfinished => report.unfinished = unfinished(&list),
            true => complete(&list, &directories, &mut report)?,
            false => {}
        }
        clean_up(&directories, options.salvage, &mut report)?;

        let list = Arc::new(list);
        // During a repair mailboxes come back whose use the files count already.
        let trusted = (stop == Stop::Clean || opened_new) && !options.salvage;
        let roots = Arc::new(QuotaRoots::new(Arc::clone(&disk), layout.clone(), trusted));
        let tools = Tools { list: Arc::clone(&list), roots: Arc::clone(&roots), window: options.sync_window };
        let (background, threads) = Background::start(tools)?;
        let shared = Arc::new(shared(&disk, &options, &list, background));
        let store = Store {
            registry: Arc::new(Registry::new(options.max_idle)),
            names: Arc::new(NameLocks::new()),
            subscriptions: Subscriptions::new(Arc::clone(&disk), layout.clone()),
            duplicates: Duplicates::open(disk, &layout.deliver_db()),
            directories,
            list,
            roots,
            shared,
            threads: Mutex::new(threads),
            closed: AtomicBool::new(false),
            owner: Mutex::new(Some(owner)),
            options,
        };
        store.decide_deliveries();
        tracing::info!(event = "store.opened", clean = report.clean, mailboxes = store.mailbox_count());
        Ok((Arc::new(store), report))
    }
}

/// What the mailboxes of a store have in common.
fn shared(
    disk: &Arc<dyn Disk>,
    options: &StoreOptions,
    list: &Arc<MailboxList>,
    background: Arc<Background>,
) -> Shared {
    let counters = Arc::new(Counters::default());
    Shared {
        disk: Arc::clone(disk),
        boot_id: options.boot_id.unwrap_or_else(kernel_boot_id),
        keeps_expunged: options.delayed_expunge,
        strict: options.strict,
        list: Arc::clone(list),
        background,
        text_memory: TextMemory::new(options.search_memory),
        healing: Arc::new(Healing::new(Arc::clone(&counters))),
        counters,
    }
}

/// Opens the mailboxes database. Only a repair opens one that is not proved complete, and until it is done nobody else does:
/// what was salvaged looks complete by itself.
fn open_list(
    disk: &Arc<dyn Disk>,
    options: &StoreOptions,
    empty: bool,
    report: &mut OpenReport,
) -> Result<(LedgerBacking, durable::OpenReport)> {
    let layout = &options.layout;
    let marker = layout.repair_marker();
    let unfinished = disk.exists(&marker)?;
    if unfinished && !options.salvage {
        let what = "an earlier `ctl_mboxlist -r` was not finished: run it again";
        return Err(Error::Unavailable(format!("mailboxes database: {what}")));
    }
    if unfinished {
        report.salvaged.push("an earlier repair was not finished".to_owned());
    }
    match LedgerBacking::open(Arc::clone(disk), layout, empty, false) {
        Err(Error::Unavailable(_)) if options.salvage => {
            if !unfinished {
                disk.replace_file(&marker, b"ctl_mboxlist -r has begun and is not done\n")?;
            }
            // With an empty list, if there is nothing left to begin with.
            LedgerBacking::open(Arc::clone(disk), layout, true, true)
        }
        opened => opened,
    }
}

/// In the marker of an orderly stop: quota files of roots that nobody needed since a crash are still those of before it.
pub(super) const RECOUNT: &[u8] = b"recount quotas\n";

/// How the last owner stopped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stop {
    /// In order.
    Clean,
    /// In order, but some quota files are older than that.
    Uncounted,
    /// Not in order.
    Unclean,
}

/// How the last owner stopped. From here on the store counts as in use.
fn take_clean_marker(disk: &dyn Disk, path: &Path) -> Result<Stop> {
    let stop = match disk.read(path, RECOUNT.len() as u64) {
        Ok(note) if note.is_empty() => Stop::Clean,
        Ok(_) => Stop::Uncounted,
        Err(error) if error.is_not_found() => return Ok(Stop::Unclean),
        // Longer than any of ours, or no file: a mark all the same, but not one to trust files for.
        Err(_) => Stop::Uncounted,
    };
    match disk.unlink(path) {
        Ok(()) => {
            disk.sync_dir(disk::parent(path))?;
            Ok(stop)
        }
        Err(error) if error.is_not_found() => Ok(Stop::Unclean),
        Err(error) => Err(error.into()),
    }
}

/// Whether there is no mailbox on any partition, whose directories are made if they are missing: only then a missing
/// mailboxes database means a new store, and not a lost one.
fn has_no_mailboxes(disk: &dyn Disk, options: &StoreOptions) -> Result<bool> {
    for (_, partition) in options.layout.partitions() {
        disk.create_dir_all(partition)?;
        let entries = disk.read_dir(partition)?;
        let mailbox_tree =
            |entry: &disk::DirEntry| entry.kind == FileKind::Directory && !entry.name.to_string_lossy().ends_with('.');
        let lost_and_found = |entry: &disk::DirEntry| entry.name == "lost+found";
        if entries.iter().any(|entry| mailbox_tree(entry) && !lost_and_found(entry)) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Ends what was under way when the last owner died.
fn complete(list: &MailboxList, directories: &Directories, report: &mut OpenReport) -> Result<()> {
    for intent in list.intents() {
        directories.carry_out(&intent)?;
        list.apply(vec![Change::End(intent.key.clone())])?;
        report.completed.push(format!("{} was renamed to {}", intent.old, intent.new));
    }
    for row in list.unfinished() {
        directories.wipe(&row.partition, &row.name)?;
        list.apply(vec![Change::Drop { name: row.name.clone(), id: row.unique_id.clone(), last: true }])?;
        let what = if row.state == RowState::Creating { "its creation was undone" } else { "it was deleted" };
        report.completed.push(format!("{}: {what}", row.name));
    }
    for line in &report.completed {
        tracing::warn!(event = "store.recovered", what = line);
    }
    Ok(())
}

/// What [`complete`] would end or undo.
fn unfinished(list: &MailboxList) -> Vec<String> {
    let renamed = list.intents().into_iter().map(|intent| format!("{} is being renamed to {}", intent.old, intent.new));
    let half_made = list.unfinished().into_iter().map(|row| match row.state {
        RowState::Creating => format!("{}: its creation was begun", row.name),
        _ => format!("{}: its deletion was begun", row.name),
    });
    renamed.chain(half_made).collect()
}

/// Removes staged messages, which nobody was told are accepted, and temporary files.
fn clean_up(directories: &Directories, repairing: bool, report: &mut OpenReport) -> Result<()> {
    let Directories { disk, layout } = directories;
    for (name, _) in layout.partitions() {
        let stage = layout.stage_dir(name)?;
        disk.create_dir_all(&stage)?;
        for entry in disk.read_dir(&stage)? {
            if entry.kind != FileKind::Directory {
                disk.unlink(&stage.join(entry.name))?;
                report.removed_files += 1;
            }
        }
    }
    if report.clean && !repairing {
        return Ok(());
    }
    let mut dirs = vec![layout.config().to_owned()];
    for parent in [layout.quota_dir(), layout.config().join("user")] {
        dirs.extend(subdirectories(&**disk, &parent)?);
    }
    for dir in dirs {
        for name in disk::leftover_temporaries(&**disk, &dir)? {
            disk.unlink(&dir.join(name))?;
            report.removed_files += 1;
        }
    }
    Ok(())
}

fn subdirectories(disk: &dyn Disk, dir: &Path) -> Result<Vec<PathBuf>> {
    match disk.read_dir(dir) {
        Ok(entries) => Ok(entries
            .into_iter()
            .filter(|entry| entry.kind == FileKind::Directory)
            .map(|entry| dir.join(entry.name))
            .collect()),
        Err(error) if error.is_not_found() => Ok(Vec::new()),
        Err(error) => Err(error.into()),
    }
}

/// Which run of the kernel this is: what was written under another one may not have reached the disk. Where the kernel
/// doesn't say, every start counts as another run.
fn kernel_boot_id() -> [u8; 16] {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let digits: Vec<u8> = text.bytes().filter_map(|b| char::from(b).to_digit(16)).map(|d| d as u8).collect();
    let mut id = [0; 16];
    if digits.len() == 32 {
        id.iter_mut().zip(digits.chunks(2)).for_each(|(byte, pair)| *byte = pair[0] << 4 | pair[1]);
    } else if getrandom::fill(&mut id).is_err() {
        tracing::error!(event = "store.boot_id.unknown");
    }
    id
}
