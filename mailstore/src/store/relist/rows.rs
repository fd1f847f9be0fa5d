//! Rows: those that only a saved copy has, entries that make no sense, twins, quota roots, and rows without directories.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use super::{BATCH, ListFindingKind, Relisting, Step, Stop};
use crate::error::Result;
use crate::ident::UniqueId;
use crate::layout::DEFAULT_PARTITION;
use crate::list::{Change, Row};
use crate::quota::file;
use crate::store::quota_repair::{QuotaFinding, QuotaRepair};
use crate::store::recover::new_id;
use crate::store::{Store, now};

impl Relisting<'_> {
    /// Rows that only the saved copy has. One whose directory is there is left to the scan, which finds more in it; one
    /// without is kept: mail for it waits until the directory is restored, or somebody prunes it.
    pub(super) fn take_saved_rows(&mut self) -> Step {
        let Some(saved) = self.request.saved.as_ref() else { return Ok(()) };
        let store = self.store;
        store.list.note_uid_validity(saved.uid_validity);
        let mailboxes: Vec<_> = saved.mailboxes().collect();
        for (number, part) in mailboxes.chunks(BATCH).enumerate() {
            self.progress(part[0].name.as_str(), number * BATCH, Some(mailboxes.len()))?;
            let _names = store.names.exclusive(&part.iter().map(|saved| &saved.name).collect::<Vec<_>>());
            let (mut changes, mut findings) = (Vec::new(), Vec::new());
            for mailbox in part {
                let known = mailbox.unique_id.as_ref().is_some_and(|id| store.list.by_id(id).is_some());
                if store.list.any(&mailbox.name).is_some() || known {
                    continue;
                }
                let partition = mailbox.partition.as_deref().unwrap_or(DEFAULT_PARTITION);
                let Ok(dir) = store.layout().mailbox_dir(partition, &mailbox.name) else {
                    let what = format!("the saved copy has it on partition {partition}, which is not configured");
                    findings.push((&mailbox.name, what, false));
                    continue;
                };
                if store.directories.holds_mailbox(&dir)? {
                    continue;
                }
                let fresh = mailbox.uid_validity;
                let uid_validity = fresh.unwrap_or_else(|| store.list.new_uid_validity(now()));
                let mut row = mailbox.row(DEFAULT_PARTITION, uid_validity, now())?;
                row.quota_root = store.list.root_of(&row.name);
                changes.push(Change::Put(row));
                findings.push((&mailbox.name, "taken from the saved copy; it has no directory".to_owned(), true));
            }
            if !self.is_dry() {
                store.commit(changes)?;
            }
            for (name, what, repaired) in findings {
                self.tell(ListFindingKind::Saved, name, what, repaired)?;
            }
        }
        self.take_saved_numbers()
    }

    /// High-water marks, and limits of roots that the list does not know.
    fn take_saved_numbers(&mut self) -> Step {
        let Some(saved) = self.request.saved.as_ref() else { return Ok(()) };
        let store = self.store;
        if !self.is_dry() {
            let marks: Vec<_> = saved.marks.iter().collect();
            for part in marks.chunks(BATCH) {
                store.list.raise_all_marks(part.iter().map(|(id, marks)| ((*id).clone(), **marks)))?;
            }
        }
        for (root, limits) in &saved.limits {
            if store.list.limits(root).is_some() {
                continue;
            }
            if !self.is_dry() {
                store.commit(vec![Change::Limits(root.clone(), Some(*limits))])?;
            }
            self.tell(ListFindingKind::QuotaRoot, root, "its limits are taken from the saved copy", true)?;
        }
        Ok(())
    }

    /// Entries that could not be read. A mailbox whose row is one of them comes back from its directory.
    pub(super) fn drop_bad_entries(&mut self) -> Step {
        for (key, why) in self.store.list.bad_entries() {
            if !self.is_dry() {
                self.store.list.forget_entry(&key)?;
            }
            self.tell(ListFindingKind::BadEntry, printable(&key), format!("removed from the database: {why}"), true)?;
        }
        Ok(())
    }

    /// Two rows of one identity share high-water marks and an open mailbox: all but one get another.
    pub(super) fn part_twins(&mut self) -> Step {
        let store = self.store;
        let mut by_id: HashMap<UniqueId, Vec<Arc<Row>>> = HashMap::new();
        store.list("", |_, row| {
            by_id.entry(row.unique_id.clone()).or_default().push(Arc::clone(row));
            ControlFlow::Continue(())
        });
        for (id, rows) in by_id.into_iter().filter(|(_, rows)| rows.len() > 1) {
            // The one that its directory confirms keeps the identity.
            let keeper = rows.iter().position(|row| is_confirmed(store, row)).unwrap_or(0);
            for (number, row) in rows.iter().enumerate() {
                if number == keeper {
                    continue;
                }
                if !self.is_dry() {
                    give_new_identity(store, row, &id)?;
                }
                let what = format!("has the unique id of {}: it gets a new one", rows[keeper].name);
                self.tell(ListFindingKind::Twin, &row.name, what, true)?;
            }
            if !self.is_dry() {
                // The index of identities follows the last change.
                store.commit(vec![Change::Put(Row::clone(&rows[keeper]))])?;
            }
        }
        Ok(())
    }

    /// Limits that only quota files still know, and rows that name another root than the one that governs them.
    pub(super) fn put_roots_right(&mut self) -> Step {
        let store = self.store;
        if self.request.unproven {
            let mut lost = Vec::new();
            store.list("", |name, _| {
                if store.list.limits(name).is_none()
                    && let Some(limits) = file::read_limits(&**store.disk(), store.layout(), name)
                {
                    lost.push((name.clone(), limits));
                }
                ControlFlow::Continue(())
            });
            for (root, limits) in lost {
                if !self.is_dry() {
                    store.commit(vec![Change::Limits(root.clone(), Some(limits))])?;
                }
                self.tell(ListFindingKind::QuotaRoot, root, "its limits are taken from its quota file", true)?;
            }
        }
        let request = QuotaRepair { dry_run: self.is_dry(), ..QuotaRepair::default() };
        let mut gone = false;
        let mut tell = |finding: &QuotaFinding| {
            let QuotaFinding::Root { mailbox, .. } = finding else { return true };
            let text = finding.to_string();
            let what = text.strip_prefix(&format!("{mailbox}: ")).unwrap_or(&text);
            gone = self.tell(ListFindingKind::QuotaRoot, mailbox, what, true).is_err();
            !gone
        };
        store.repair_governing(&request, &mut tell)?;
        if gone { Err(Stop::Gone) } else { Ok(()) }
    }

    pub(super) fn name_missing_directories(&mut self) -> Step {
        let store = self.store;
        let mut rows = Vec::new();
        store.list("", |name, row| {
            if !self.is_dry() || !self.moved.contains(name) {
                rows.push(Arc::clone(row));
            }
            ControlFlow::Continue(())
        });
        for row in rows {
            let partition = &row.partition;
            if store.layout().partition(partition).is_err() {
                let what = format!("is on partition '{partition}', which is not configured");
                self.tell(ListFindingKind::MissingDirectory, &row.name, what, false)?;
            } else if !store.has_directory(&row)? {
                if !self.request.prune {
                    let what = format!("has a DB entry but no directory on partition '{partition}'");
                    self.tell(ListFindingKind::MissingDirectory, &row.name, what, false)?;
                    continue;
                }
                if !self.is_dry() {
                    store.drop_row(&row.name)?;
                }
                let what = format!("removed: it had no directory on partition '{partition}'");
                self.tell(ListFindingKind::MissingDirectory, &row.name, what, true)?;
            }
        }
        Ok(())
    }
}

impl Store {
    /// Whether the directory of a row exists.
    pub(super) fn has_directory(&self, row: &Row) -> Result<bool> {
        Ok(self.disk().exists(&self.layout().mailbox_dir(&row.partition, &row.name)?)?)
    }
}

/// Whether the directory's own header says that it is this mailbox.
fn is_confirmed(store: &Store, row: &Row) -> bool {
    let Ok(dir) = store.layout().mailbox_dir(&row.partition, &row.name) else { return false };
    let header = store.read_header(&dir);
    header.and_then(|header| Row::decode(&header.row).ok()).is_some_and(|copy| copy.name == row.name)
}

fn give_new_identity(store: &Store, row: &Arc<Row>, old: &UniqueId) -> Result<()> {
    let _names = store.names.exclusive(&[&row.name]);
    let Some(row) = store.row(&row.name) else { return Ok(()) };
    store.let_go(&row);
    let dir = store.layout().mailbox_dir(&row.partition, &row.name)?;
    let unique_id = new_id()?;
    store.write_id(&dir, store.read_header(&dir), &unique_id)?;
    let marks = store.list.marks(old)?;
    let new = Row { unique_id: unique_id.clone(), modified: now(), ..Row::clone(&row) };
    store.commit(vec![Change::Put(new), Change::Marks(unique_id, marks)])
}

/// A key without anything that would spoil a line.
fn printable(key: &str) -> String {
    key.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}
