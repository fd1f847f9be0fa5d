//! `ctl_mboxlist -r` and `-v`: the mailbox list and the directories are brought in step, as far as both can tell.
//!
//! The ladder begins below: the list was opened from index, dumps and journal, whatever of them could be read
//! ([`StoreOptions::salvage`](super::StoreOptions)). Here come, in this order:
//! 1. what was under way, if the list is not proved complete ([`unproven`]): only what directories confirm is ended;
//! 2. rows that their cyrus.header knows better, if the list is not proved complete ([`headers`]);
//! 3. rows of a saved copy that the administrator gave (a row of the list wins);
//! 4. directories without rows: every cyrus.header of every partition ([`scan`]);
//! 5. entries that make no sense, two mailboxes of one identity, quota roots;
//! 6. rows without directories: named, or removed if asked.
//!
//! Every step looks first and changes then, so a dry run says the same, and a second run finds nothing.

mod headers;
mod rows;
pub(crate) mod saved;
mod scan;
mod unproven;

use std::collections::HashSet;
use std::fmt;

use self::saved::SavedList;
use super::Store;
use crate::error::Result;
use crate::name::MailboxName;

/// Changes that are committed together: one sync for many, and locks that are not held for long.
const BATCH: usize = 256;

/// What `ctl_mboxlist -r` is asked for.
#[derive(Clone, Debug, Default)]
pub struct ListRepair {
    /// Only say what would be done.
    pub dry_run: bool,
    /// Remove rows whose directories are missing, instead of naming them.
    pub prune: bool,
    /// The list could not be proved complete when it was opened ([`OpenReport::is_proved`](super::OpenReport::is_proved)):
    /// directories may know better.
    pub unproven: bool,
    /// A copy of the list that the administrator saved.
    pub saved: Option<SavedList>,
}

/// What kind of thing was found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ListFindingKind {
    /// A directory without a row: it is listed.
    Unlisted,
    /// A directory that no mailbox can have: left alone.
    Misplaced,
    /// A row whose directory is missing.
    MissingDirectory,
    /// A row that follows its directory to another name or partition.
    Moved,
    /// A row taken from a saved copy.
    Saved,
    /// A row that its cyrus.header knew better.
    Outdated,
    /// An operation that was under way.
    Unfinished,
    /// An entry of the database that makes no sense.
    BadEntry,
    /// Two mailboxes of one identity.
    Twin,
    /// Limits of a quota root, or which root governs a mailbox.
    QuotaRoot,
    /// Numbers that may have been used beyond the high-water marks.
    Marks,
    /// Journal, dumps and index do not agree.
    Database,
}

impl ListFindingKind {
    /// The word for it in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unlisted => "unlisted",
            Self::Misplaced => "misplaced",
            Self::MissingDirectory => "missing-directory",
            Self::Moved => "moved",
            Self::Saved => "saved",
            Self::Outdated => "outdated",
            Self::Unfinished => "unfinished",
            Self::BadEntry => "bad-entry",
            Self::Twin => "twin",
            Self::QuotaRoot => "quota-root",
            Self::Marks => "marks",
            Self::Database => "database",
        }
    }
}

/// Something that was not in step.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ListFinding {
    /// What kind of thing.
    pub kind: ListFindingKind,
    /// The mailbox, directory or key that it is about.
    pub place: String,
    /// What is the matter, or what was done.
    pub what: String,
    /// Whether the repair repairs it; else it is left to a person or another tool.
    pub repaired: bool,
}

impl fmt::Display for ListFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}

/// Where findings and progress go; `false` ends the work after what is begun.
pub trait ListAudience {
    /// Something was found, and unless it is a dry run done.
    fn found(&mut self, finding: &ListFinding) -> bool;

    /// Something is being looked at; `total` if it is known how many there are.
    fn progress(&mut self, what: &str, done: u64, total: Option<u64>) -> bool;
}

/// Whoever asked is gone.
struct Gone;

/// Either a failure of the disk or nobody who listens.
enum Stop {
    Gone,
    Failed(crate::error::Error),
}

impl<E: Into<crate::error::Error>> From<E> for Stop {
    fn from(error: E) -> Stop {
        Stop::Failed(error.into())
    }
}

impl From<Gone> for Stop {
    fn from(_: Gone) -> Stop {
        Stop::Gone
    }
}

type Step<T = ()> = std::result::Result<T, Stop>;

/// A repair under way.
struct Relisting<'a> {
    store: &'a Store,
    request: &'a ListRepair,
    audience: &'a mut dyn ListAudience,
    /// Rows that follow their directories: a dry run leaves them where they are.
    moved: HashSet<MailboxName>,
}

impl Store {
    /// Brings list and directories in step. Works on a store in use. Blocks.
    ///
    /// Everything found is told to `audience`; nothing else is returned: what is not told was in step.
    ///
    /// # Errors
    /// The disk's. What was done until then stands; the next run goes on from there.
    pub fn repair_list(&self, request: &ListRepair, audience: &mut dyn ListAudience) -> Result<()> {
        self.settle();
        let mut work = Relisting { store: self, request, audience, moved: HashSet::new() };
        match work.run() {
            Ok(()) if request.unproven && !request.dry_run => self.end_of_repair(),
            Ok(()) | Err(Stop::Gone) => Ok(()),
            Err(Stop::Failed(error)) => Err(error),
        }
    }

    /// From here on the list counts as complete: nobody knows more.
    fn end_of_repair(&self) -> Result<()> {
        // What was found is durable, and in a copy of its own.
        self.list.checkpoint()?;
        match self.disk().unlink(&self.layout().repair_marker()) {
            Err(error) if !error.is_not_found() => Err(error.into()),
            _ => Ok(self.disk().sync_dir(self.layout().config())?),
        }
    }

    /// Reads index, journal and dumps of the mailboxes database and compares them. Stops changes meanwhile. Blocks.
    ///
    /// # Errors
    /// The database's.
    pub fn verify_list(&self, audience: &mut dyn ListAudience) -> Result<()> {
        for what in self.list.verify()? {
            let place = "mailboxes.db".to_owned();
            let finding = ListFinding { kind: ListFindingKind::Database, place, what, repaired: false };
            if !audience.found(&finding) {
                break;
            }
        }
        Ok(())
    }

    /// Writes a safety copy of the mailboxes database now. Blocks.
    ///
    /// # Errors
    /// The disk's; the database itself is fine.
    pub fn checkpoint(&self) -> Result<()> {
        self.usable()?;
        self.list.checkpoint()
    }
}

impl Relisting<'_> {
    fn run(&mut self) -> Step {
        if self.request.unproven {
            self.settle_unproven()?;
            self.believe_headers()?;
        }
        self.take_saved_rows()?;
        self.drop_bad_entries()?;
        self.list_directories()?;
        self.part_twins()?;
        self.put_roots_right()?;
        self.name_missing_directories()
    }

    fn is_dry(&self) -> bool {
        self.request.dry_run
    }

    fn tell(
        &mut self,
        kind: ListFindingKind,
        place: impl fmt::Display,
        what: impl Into<String>,
        repaired: bool,
    ) -> std::result::Result<(), Gone> {
        let finding = ListFinding { kind, place: place.to_string(), what: what.into(), repaired };
        if repaired && !self.is_dry() {
            tracing::warn!(event = "mailboxes.repaired", kind = kind.as_str(), what = %finding);
        }
        if self.audience.found(&finding) { Ok(()) } else { Err(Gone) }
    }

    fn progress(&mut self, what: &str, done: usize, total: Option<usize>) -> std::result::Result<(), Gone> {
        if self.audience.progress(what, done as u64, total.map(|total| total as u64)) { Ok(()) } else { Err(Gone) }
    }
}
