//! Checking what is above the mailboxes: directories without rows, quota roots, special uses, subscriptions.

use std::collections::HashSet;
use std::sync::Arc;

use durable::disk::FileKind;

use super::CheckReport;
use crate::error::Result;
use crate::list::Row;
use crate::store::Store;

/// What is said of a directory that has no row.
pub(crate) const UNLISTED: &str = "unlisted directory: run reconstruct with -f";

impl Store {
    /// One mailbox of a user is for one thing.
    pub(crate) fn check_uses(&self, rows: &[Arc<Row>], report: &mut CheckReport) {
        let mut taken = HashSet::new();
        for row in rows {
            for known in &row.special_use {
                if row.name.owner().is_none() || !taken.insert((row.name.owner(), *known)) {
                    report.damage(&row.name, None, format!("has the special use {known}, but may not"));
                }
            }
        }
    }

    /// Usage of quota roots, and which root governs a mailbox.
    pub(super) fn check_roots(&self, report: &mut CheckReport) -> Result<()> {
        self.list("", |name, row| {
            if row.quota_root != self.quota_root_of(name) {
                report.damage(name, None, "its row names another quota root than the one that governs it");
            }
            std::ops::ControlFlow::Continue(())
        });
        for (root, _) in self.quota_roots() {
            let (used, counted) = (self.quota(&root)?.used, self.recount(&root)?);
            if used != counted {
                let what = format!(
                    "usage is {} bytes in {} messages, should be {} in {}: run quota -f",
                    used.bytes, used.messages, counted.bytes, counted.messages
                );
                report.damage(format!("quota root {root}"), None, what);
            }
        }
        Ok(())
    }

    /// Directories that hold a mailbox's files and have no row.
    pub(super) fn check_directories(&self, report: &mut CheckReport) -> Result<()> {
        for unlisted in self.unlisted()? {
            report.damage(unlisted.dir.display(), None, UNLISTED);
        }
        Ok(())
    }

    /// Subscription files, hashed or not, as long as `go_on` says so: it is asked before each.
    pub(crate) fn check_subscriptions(&self, report: &mut CheckReport, go_on: &mut dyn FnMut() -> bool) -> Result<()> {
        let top = self.layout().config().join("user");
        let mut todo = vec![top];
        while let Some(dir) = todo.pop() {
            let entries = match self.disk().read_dir(&dir) {
                Ok(entries) => entries,
                Err(error) if error.is_not_found() => continue,
                Err(error) => return Err(error.into()),
            };
            for entry in entries {
                let Some(name) = entry.name.to_str() else { continue };
                if entry.kind == FileKind::Directory && name.len() == 1 {
                    todo.push(dir.join(name));
                } else if let Some(user) = name.strip_suffix(".sub") {
                    if !go_on() {
                        return Ok(());
                    }
                    self.check_subscription(user, report)?;
                }
            }
        }
        Ok(())
    }

    fn check_subscription(&self, user: &str, report: &mut CheckReport) -> Result<()> {
        let place = format!("subscriptions of {user}");
        match self.load_subscriptions(user) {
            Ok(loaded) if loaded.bad_lines > 0 => {
                report.damage(place, None, format!("{} bad lines: run subs --repair", loaded.bad_lines));
            }
            Ok(loaded) if loaded.unsorted => report.note(place, None, "not in order"),
            Ok(_) => {}
            Err(error) => report.damage(place, None, error.to_string()),
        }
        Ok(())
    }
}
