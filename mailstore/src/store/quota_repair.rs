//! What `quota -f` does: which root governs a mailbox, what each root's mailboxes use, and roots that govern nothing. It
//! works while mail arrives, and what arrives meanwhile counts exactly once ([`crate::quota`], `recount`).
//!
//! A mailbox is counted by its index header, as the server itself counts: `reconstruct` first where an index may be
//! wrong. `deep` adds up records and file sizes instead of believing the header.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use durable::disk::{FileKind, is_temporary_name};

use super::{Store, later_than};
use crate::counters::Counters;
use crate::error::{Error, Result};
use crate::index;
use crate::list::{Change, Row, RowState};
use crate::name::MailboxName;
use crate::quota::{QuotaRoot, QuotaUsed, Recounted};

/// Threads that read the index headers of one root's mailboxes: opening a file is the kernel's work, and it has more than one
/// processor.
const READERS: usize = 4;

/// Headers for which a thread is worth starting: some milliseconds of work.
const WORTH_A_THREAD: usize = 256;

/// What to look at and whether to repair it.
#[derive(Clone, Debug, Default)]
pub struct QuotaRepair {
    /// Only roots (and mailboxes) whose names begin with one of these texts; all of them if there is none.
    pub prefixes: Vec<String>,
    /// Only roots and mailboxes of these users, if there are any here.
    pub users: HashSet<String>,
    /// Change nothing.
    pub dry_run: bool,
    /// Add up the records of each index and the sizes of the files instead of believing the index headers.
    pub deep: bool,
    /// Only the usage of roots that govern something is put right; which root governs what, and roots of nothing, stay.
    pub usage_only: bool,
}

/// Something that was not right, and is now (unless it was a dry run, or [`is_open`](Self::is_open)).
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum QuotaFinding {
    /// Another root governs the mailbox than its row said.
    Root {
        /// The mailbox.
        mailbox: MailboxName,
        /// The root that it named.
        was: Option<MailboxName>,
        /// The nearest root at or above it.
        now: Option<MailboxName>,
    },
    /// The usage of a root was wrong.
    Usage {
        /// The root.
        root: MailboxName,
        /// What was taken for its usage: what the quota file said, or what deliveries were checked against.
        was: QuotaUsed,
        /// What its mailboxes use.
        now: QuotaUsed,
    },
    /// The root governed no mailbox, and is no more. Or only its file was left.
    Removed {
        /// The root, or the name of its file.
        root: String,
    },
    /// The counters of a mailbox's index were wrong (`deep`).
    Counters {
        /// The mailbox.
        mailbox: MailboxName,
        /// What its header said.
        was: QuotaUsed,
        /// What its records add up to.
        now: QuotaUsed,
    },
    /// A message's file has another size than its record says (`deep`), or is missing: work for `reconstruct`.
    File {
        /// The mailbox.
        mailbox: MailboxName,
        /// The message.
        uid: u32,
        /// Bytes by the record.
        record: u64,
        /// Bytes on the disk; nothing if there is no file.
        file: Option<u64>,
    },
    /// A mailbox could not be looked at; it counts as its index header says.
    Unreadable {
        /// The mailbox.
        mailbox: MailboxName,
        /// Why.
        why: String,
    },
}

impl QuotaFinding {
    /// Whether it is left for another tool.
    #[must_use]
    pub fn is_open(&self) -> bool {
        matches!(self, Self::File { .. } | Self::Unreadable { .. })
    }
}

impl fmt::Display for QuotaFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let or_none = |root: &Option<MailboxName>| root.as_ref().map_or("(none)".to_owned(), ToString::to_string);
        match self {
            Self::Root { mailbox, was, now } => {
                write!(f, "{mailbox}: quota root {} --> {}", or_none(was), or_none(now))
            }
            Self::Usage { root, was, now } if was.bytes == now.bytes => {
                write!(f, "{root}: usage was {} messages, now {}", was.messages, now.messages)
            }
            Self::Usage { root, was, now } => write!(f, "{root}: usage was {}, now {}", was.bytes, now.bytes),
            Self::Removed { root } => write!(f, "{root}: removed"),
            Self::Counters { mailbox, was, now } => write!(
                f,
                "{mailbox}: index says {} bytes in {} messages, records say {} in {}",
                was.bytes, was.messages, now.bytes, now.messages
            ),
            Self::File { mailbox, uid, record, file: Some(file) } => {
                write!(f, "{mailbox} uid {uid}: index says {record} bytes, the file has {file}: run reconstruct")
            }
            Self::File { mailbox, uid, .. } => write!(f, "{mailbox} uid {uid}: no file: run reconstruct"),
            Self::Unreadable { mailbox, why } => write!(f, "{mailbox}: {why}"),
        }
    }
}

/// By how much roots were wrong, all together.
#[derive(Default)]
struct Drift {
    octets: u64,
    roots: u64,
}

impl Drift {
    fn note(&mut self, finding: &QuotaFinding) {
        if let QuotaFinding::Usage { was, now, .. } = finding {
            self.octets = self.octets.saturating_add(was.bytes.abs_diff(now.bytes));
            self.roots += 1;
        }
    }

    /// Every root was looked at.
    fn show(&self, counters: &Counters) {
        counters.quota.drift_octets.set(self.octets);
        counters.quota.drift_roots.set(self.roots);
    }
}

/// Where findings go. `false` ends the work after what is begun: whoever asked is gone.
pub(super) type Tell<'a> = &'a mut dyn FnMut(&QuotaFinding) -> bool;

impl Store {
    /// Finds, and unless it is a dry run corrects, what is wrong with quota roots. Each root is told to `progress` before
    /// its turn; both callbacks end the work with `false`. Blocks.
    ///
    /// # Errors
    /// The disk's.
    pub fn repair_quotas(
        &self,
        request: &QuotaRepair,
        progress: &mut dyn FnMut(&MailboxName) -> bool,
        found: &mut dyn FnMut(&QuotaFinding) -> bool,
    ) -> Result<()> {
        self.settle();
        let mut drift = Drift::default();
        let mut tell = |finding: &QuotaFinding| {
            drift.note(finding);
            if !request.dry_run || finding.is_open() {
                tracing::info!(event = "quota.fixed", what = %finding);
            }
            found(finding)
        };
        if !request.usage_only && !self.repair_governing(request, &mut tell)? {
            return Ok(());
        }
        for (root, _) in self.quota_roots() {
            if !request.covers(&root) {
                continue;
            }
            if !progress(&root) || !self.repair_root(&root, request, &mut tell)? {
                return Ok(());
            }
        }
        let whole = request.prefixes.is_empty() && request.users.is_empty();
        if whole && !request.usage_only {
            self.remove_stray_files(request, &mut tell)?;
        }
        if whole {
            drift.show(self.counters());
        }
        Ok(())
    }

    /// Rows that name another root than the nearest.
    pub(super) fn repair_governing(&self, request: &QuotaRepair, tell: Tell<'_>) -> Result<bool> {
        let mut wrong = Vec::new();
        self.list("", |name, row| {
            if request.covers(name) && row.quota_root != self.quota_root_of(name) {
                wrong.push(name.clone());
            }
            std::ops::ControlFlow::Continue(())
        });
        for name in wrong {
            let _names = self.names.exclusive(&[&name]);
            // It may have changed since.
            let (Some(row), now) = (self.row(&name), self.quota_root_of(&name)) else { continue };
            if row.quota_root == now {
                continue;
            }
            let finding = QuotaFinding::Root { mailbox: name, was: row.quota_root.clone(), now: now.clone() };
            if !request.dry_run {
                // The charge moves with the identity of the open mailbox.
                let opened = self.open_row(&row);
                self.commit(vec![Change::Put(Row {
                    quota_root: now,
                    modified: later_than(&row),
                    ..Row::clone(&row)
                })])?;
                if let Some(row) = self.list.by_id(&row.unique_id) {
                    self.refresh(&row);
                }
                drop(opened);
            }
            if !tell(&finding) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn repair_root(&self, name: &MailboxName, request: &QuotaRepair, tell: Tell<'_>) -> Result<bool> {
        let _names = self.names.exclusive(&[name]);
        if self.list.limits(name).is_none() {
            return Ok(true);
        }
        let rows = self.governed_by(name);
        if rows.is_empty() && self.list.any(name).is_none() {
            if request.usage_only {
                return Ok(true);
            }
            if !request.dry_run {
                self.commit(vec![Change::Limits(name.clone(), None)])?;
                self.roots.remove(name)?;
            }
            return Ok(tell(&QuotaFinding::Removed { root: name.to_string() }));
        }
        if request.deep && !self.audit_mailboxes(&rows, request, tell)? {
            return Ok(false);
        }
        // One that comes into memory only now is summed up if its file is not believed; what that says is news all the same.
        let fresh = self.roots.loaded(name).is_none();
        let Some(root) = self.load_root(name)? else { return Ok(true) };
        let edited = self.roots.edited(&root, fresh)?;
        let Recounted { believed, counted } = self.recount_exactly(&root, &rows, !request.dry_run)?;
        let was = edited.flatten().filter(|edited| *edited != counted).unwrap_or(believed);
        if !request.dry_run && (edited.is_some() || believed != counted) {
            self.roots.rewrite(&root)?;
        }
        if was != counted {
            self.counters().quota.drifts.add(1);
            self.counters().quota.corrected.add(u64::from(!request.dry_run));
        }
        Ok(was == counted || tell(&QuotaFinding::Usage { root: name.clone(), was, now: counted }))
    }

    pub(super) fn governed_by(&self, root: &MailboxName) -> Vec<Arc<Row>> {
        let governed = |row: &Arc<Row>| row.state == RowState::Active && row.quota_root.as_ref() == Some(root);
        self.list.tree(root).into_iter().filter(governed).collect()
    }

    /// Mailboxes came and went by another way than the usual: if the usage of `root` is in memory, it is counted anew; else
    /// when it is wanted, because its file is gone. Called with the tree locked.
    pub(crate) fn recount_loaded(&self, root: &MailboxName) -> Result<()> {
        match self.roots.loaded(root) {
            Some(loaded) => self.recount_exactly(&loaded, &self.governed_by(root), true).map(drop),
            None => self.roots.distrust(root),
        }
    }

    /// Counts the root of a mailbox that was just opened, if that has made it doubtful.
    pub(super) fn count_if_in_doubt(&self, row: &Row) {
        let Some(name) = &row.quota_root else { return };
        let Some(root) = self.roots.loaded(name).filter(|root| root.take_doubt()) else { return };
        let _tree = self.lock_tree(name);
        if let Err(error) = self.recount_loaded(name) {
            root.doubt();
            tracing::error!(event = "quota.recount.failed", root = %name, %error, "usage may be too high: run quota -f");
        }
    }

    /// What the mailboxes of `rows` use at this moment, and what was on its way into them.
    fn recount_exactly(&self, root: &QuotaRoot, rows: &[Arc<Row>], correct: bool) -> Result<Recounted> {
        self.count_each(root, rows, correct).map(|(recounted, _)| recounted)
    }

    /// The same, and what each of them used at its turn.
    pub(super) fn count_each(
        &self,
        root: &QuotaRoot,
        rows: &[Arc<Row>],
        correct: bool,
    ) -> Result<(Recounted, Vec<QuotaUsed>)> {
        let mut recount = root.recount();
        let mut uses = vec![QuotaUsed::default(); rows.len()];
        let mut closed = Vec::with_capacity(rows.len());
        for (row, used) in rows.iter().zip(&mut uses) {
            match self.registry.get(&row.unique_id) {
                Some(mailbox) => mailbox.with_use(|now| {
                    recount.add(&row.unique_id, now);
                    *used = now;
                }),
                None => closed.push((row, used, self.layout().mailbox_dir(&row.partition, &row.name)?)),
            }
        }
        // The tree is locked, so these stay closed.
        side_by_side(&mut closed, |(_, used, dir)| **used = index::quota_used(&**self.disk(), dir))?;
        for (row, used, _) in closed {
            recount.add(&row.unique_id, *used);
        }
        Ok((recount.finish(correct), uses))
    }

    /// Adds up records and files of each mailbox.
    fn audit_mailboxes(&self, rows: &[Arc<Row>], request: &QuotaRepair, tell: Tell<'_>) -> Result<bool> {
        for row in rows {
            let dir = self.layout().mailbox_dir(&row.partition, &row.name)?;
            let before = index::quota_used(&**self.disk(), &dir);
            let was_open = self.registry.get(&row.unique_id).is_some();
            let mailbox = match self.open_row(row) {
                Ok(mailbox) => mailbox,
                Err(error) => {
                    let finding = QuotaFinding::Unreadable { mailbox: row.name.clone(), why: error.to_string() };
                    if !tell(&finding) {
                        return Ok(false);
                    }
                    continue;
                }
            };
            let audit = mailbox.audit_use(!request.dry_run)?;
            // Opening a mailbox puts its counters right.
            let was = if was_open { audit.header } else { before };
            let mut findings = Vec::new();
            if was != audit.records {
                findings.push(QuotaFinding::Counters { mailbox: row.name.clone(), was, now: audit.records });
            }
            findings.extend(audit.files.into_iter().map(|(uid, record, file)| QuotaFinding::File {
                mailbox: row.name.clone(),
                uid,
                record,
                file,
            }));
            if !findings.iter().all(&mut *tell) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Quota files of roots that do not exist.
    fn remove_stray_files(&self, request: &QuotaRepair, tell: Tell<'_>) -> Result<()> {
        let known: HashSet<PathBuf> =
            self.quota_roots().iter().map(|(root, _)| self.layout().quota_file(root)).collect();
        for dir in self.directories_below(&self.layout().quota_dir())? {
            for entry in self.disk().read_dir(&dir)? {
                let path = dir.join(&entry.name);
                if entry.kind != FileKind::File || known.contains(&path) || is_temporary_name(&entry.name) {
                    continue;
                }
                if !request.dry_run {
                    self.disk().unlink(&path)?;
                }
                if !tell(&QuotaFinding::Removed { root: printable(entry.name) }) {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn directories_below(&self, dir: &std::path::Path) -> Result<Vec<PathBuf>> {
        let entries = match self.disk().read_dir(dir) {
            Err(error) if error.is_not_found() => return Ok(Vec::new()),
            read => read?,
        };
        let directories = entries.into_iter().filter(|entry| entry.kind == FileKind::Directory);
        Ok(directories.map(|entry| dir.join(entry.name)).collect())
    }
}

impl QuotaRepair {
    fn covers(&self, name: &MailboxName) -> bool {
        let is_theirs = || name.owner().is_some_and(|owner| self.users.contains(owner));
        (self.users.is_empty() || is_theirs())
            && (self.prefixes.is_empty() || self.prefixes.iter().any(|prefix| name.as_str().starts_with(&**prefix)))
    }
}

/// Does `work` for each of `items`, in several threads where there are many: it opens files.
pub(super) fn side_by_side<T: Send>(items: &mut [T], work: impl Fn(&mut T) + Sync) -> Result<()> {
    let share = items.len().div_ceil(READERS).max(WORTH_A_THREAD);
    std::thread::scope(|scope| {
        let mut parts = items.chunks_mut(share);
        let first = parts.next().unwrap_or_default();
        let work = &work;
        let others: Vec<_> = parts.map(|part| scope.spawn(move || part.iter_mut().for_each(work))).collect();
        first.iter_mut().for_each(work);
        others.into_iter().try_for_each(|other| {
            other.join().map_err(|_| Error::Unavailable("a thread that read indexes died".to_owned()))
        })
    })
}

/// A file name without anything that would spoil a line.
fn printable(name: OsString) -> String {
    name.to_string_lossy().chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}
