//! What is above the mailboxes: usage of quota roots, which is repaired; which root governs a mailbox, special uses,
//! directories without rows and subscriptions, which are named.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use super::{ScrubFinding, ScrubPace};
use crate::check::{CheckReport, Finding, Severity};
use crate::error::Result;
use crate::list::Row;
use crate::store::{QuotaRepair, Store};

impl Store {
    /// Scrubs what is above the mailboxes. Blocks.
    ///
    /// # Errors
    /// The disk's.
    pub fn scrub_above(&self, dry_run: bool, by: &mut dyn ScrubPace) -> Result<()> {
        let request = QuotaRepair { dry_run, usage_only: true, ..QuotaRepair::default() };
        self.repair_quotas(&request, &mut |_| true, &mut |finding| {
            by.found(ScrubFinding::repaired("quota.usage", "quota root", finding.to_string()));
            true
        })?;
        let mut rows: Vec<Arc<Row>> = Vec::new();
        self.list("", |name, row| {
            if row.quota_root != self.quota_root_of(name) {
                let what = "its row names another quota root than the one that governs it";
                by.found(ScrubFinding::left("quota.root", name, None, what, "run `quota -f`"));
            }
            rows.push(Arc::clone(row));
            ControlFlow::Continue(())
        });
        let mut report = CheckReport::default();
        self.check_uses(&rows, &mut report);
        self.check_subscriptions(&mut report)?;
        self.unlisted_directories(&mut report);
        for finding in report.findings.into_iter().filter(|finding| finding.severity == Severity::Damage) {
            // What to do stands behind the last colon, where there is something to do.
            let (what, remedy) = match finding.what.rsplit_once(": run ") {
                Some((what, remedy)) => (what.to_owned(), format!("run `{remedy}`")),
                None => (finding.what, String::new()),
            };
            by.found(ScrubFinding::left("store.check", finding.place, finding.uid, what, remedy));
        }
        Ok(())
    }

    /// Directories without rows. One that is there at two looks, and no row's at the end, is not being renamed.
    fn unlisted_directories(&self, report: &mut CheckReport) {
        let look = || {
            let mut found = CheckReport::default();
            // A directory that vanishes while it is read is being renamed; the next pass looks again.
            self.check_directories(&mut found).map(|()| found.findings).unwrap_or_default()
        };
        let first = look();
        if first.is_empty() {
            return;
        }
        self.settle();
        let second = look();
        let mut rows = HashSet::new();
        self.list("", |_, row| {
            rows.extend(self.layout().mailbox_dir(&row.partition, &row.name).map(|dir| dir.display().to_string()).ok());
            ControlFlow::Continue(())
        });
        let stays = |finding: &Finding| first.contains(finding) && !rows.contains(&finding.place);
        report.findings.extend(second.into_iter().filter(stays));
    }
}
