//! What is above the mailboxes: usage of quota roots, which is repaired; which root governs a mailbox, special uses,
//! directories without rows and subscriptions, which are named.

use std::cell::{Cell, RefCell};
use std::ops::ControlFlow;
use std::sync::Arc;

use super::{ScrubFinding, ScrubPace, Scrubbed};
use crate::check::{CheckReport, Severity, UNLISTED};
use crate::error::Result;
use crate::list::Row;
use crate::store::{QuotaRepair, Store};

/// What a directory, the index headers of a quota root's mailboxes or a subscription file cost of the budget: a block, whose
/// place on the disk costs more than its reading.
const BLOCK: u64 = 4096;

/// So many are paid for together.
const AT_ONCE: u64 = 8;

impl Store {
    /// Scrubs what is above the mailboxes. Blocks.
    ///
    /// # Errors
    /// The disk's.
    pub fn scrub_above(&self, dry_run: bool, by: &mut dyn ScrubPace) -> Result<Scrubbed> {
        let (by, stopped, mut blocks) = (RefCell::new(by), Cell::new(false), 0);
        let mut go_on = || {
            blocks += 1;
            if blocks % AT_ONCE == 0 {
                stopped.set(stopped.get() || by.borrow_mut().pace(AT_ONCE * BLOCK).is_break());
            }
            !stopped.get()
        };
        let request = QuotaRepair { dry_run, usage_only: true, ..QuotaRepair::default() };
        self.repair_quotas(&request, &mut |_| go_on(), &mut |finding| {
            by.borrow_mut().found(ScrubFinding::repaired("quota.usage", "quota root", finding.to_string()));
            true
        })?;
        let mut rows: Vec<Arc<Row>> = Vec::new();
        self.list("", |name, row| {
            if row.quota_root != self.quota_root_of(name) {
                let what = "its row names another quota root than the one that governs it";
                by.borrow_mut().found(ScrubFinding::left("quota.root", name, None, what, "run `quota -f`"));
            }
            rows.push(Arc::clone(row));
            ControlFlow::Continue(())
        });
        let mut report = CheckReport::default();
        self.check_uses(&rows, &mut report);
        drop(rows);
        self.check_subscriptions(&mut report, &mut go_on)?;
        self.unlisted_directories(&mut report, &mut go_on);
        for finding in report.findings.into_iter().filter(|finding| finding.severity == Severity::Damage) {
            // What to do stands behind the last colon, where there is something to do.
            let (what, remedy) = match finding.what.rsplit_once(": run ") {
                Some((what, remedy)) => (what.to_owned(), format!("run `{remedy}`")),
                None => (finding.what, String::new()),
            };
            by.borrow_mut().found(ScrubFinding::left("store.check", finding.place, finding.uid, what, remedy));
        }
        Ok(if stopped.get() { Scrubbed::Stopped } else { Scrubbed::Whole })
    }

    /// Directories without rows. What looks like one is looked at again while nobody makes, renames or removes it.
    fn unlisted_directories(&self, report: &mut CheckReport, go_on: &mut dyn FnMut() -> bool) {
        // A directory that vanishes while it is read is being renamed; the next pass looks again.
        for unlisted in self.unlisted_while(go_on).unwrap_or_default() {
            let _names = unlisted.name.as_ref().map(|name| self.lock_tree(name));
            if self.is_unlisted(&unlisted.partition, unlisted.name.as_ref(), &unlisted.dir).unwrap_or_default() {
                report.damage(unlisted.dir.display(), None, UNLISTED);
            }
        }
    }
}
