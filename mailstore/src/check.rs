//! Checking a whole store: rows, directories, indexes, message files, caches, seen state, quotas, subscriptions. Nothing is
//! repaired that opening a mailbox does not repair; what is found is what `reconstruct`, `quota -f` and `ctl_mboxlist`
//! are for. Every test that writes ends here.

mod mailbox;
mod tree;

use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;

pub(crate) use self::tree::UNLISTED;
use crate::error::Result;
use crate::list::Row;
use crate::store::Store;

/// How bad a finding is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Severity {
    /// Untidy: something lies about that nobody misses.
    Note,
    /// Something is not as it must be.
    Damage,
}

/// Something that is not in order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// The mailbox, root or file that it is about.
    pub place: String,
    /// The message, if it is about one.
    pub uid: Option<u32>,
    /// What is wrong.
    pub what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.place)?;
        if let Some(uid) = self.uid {
            write!(f, " uid {uid}")?;
        }
        write!(f, ": {}", self.what)
    }
}

/// What a check has found.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct CheckReport {
    /// Mailboxes that were looked at.
    pub mailboxes: u64,
    /// Messages that were looked at.
    pub messages: u64,
    /// Everything that is not in order.
    pub findings: Vec<Finding>,
}

impl CheckReport {
    pub(crate) fn damage(&mut self, place: impl fmt::Display, uid: Option<u32>, what: impl Into<String>) {
        self.add(Severity::Damage, place, uid, what);
    }

    fn note(&mut self, place: impl fmt::Display, uid: Option<u32>, what: impl Into<String>) {
        self.add(Severity::Note, place, uid, what);
    }

    fn add(&mut self, severity: Severity, place: impl fmt::Display, uid: Option<u32>, what: impl Into<String>) {
        self.findings.push(Finding { severity, place: place.to_string(), uid, what: what.into() });
    }
}

impl Store {
    /// Checks the whole store; `progress` is told of each mailbox before it is looked at. May run while the store is in
    /// use, though a mailbox that changes meanwhile may look untidy. Blocks.
    ///
    /// # Errors
    /// The disk's, where it concerns more than one mailbox.
    pub fn check(&self, progress: &mut dyn FnMut(&Row)) -> Result<CheckReport> {
        self.check_store(progress, false)
    }

    /// The same, and reads every message file to compare it with its hash.
    ///
    /// # Errors
    /// As for [`check`](Self::check).
    pub fn check_contents(&self, progress: &mut dyn FnMut(&Row)) -> Result<CheckReport> {
        self.check_store(progress, true)
    }

    fn check_store(&self, progress: &mut dyn FnMut(&Row), contents: bool) -> Result<CheckReport> {
        self.settle();
        let mut report = CheckReport::default();
        let mut rows: Vec<Arc<Row>> = Vec::new();
        self.list("", |_, row| {
            rows.push(Arc::clone(row));
            ControlFlow::Continue(())
        });
        for row in &rows {
            progress(row);
            self.check_mailbox(row, contents, &mut report);
        }
        self.check_uses(&rows, &mut report);
        self.check_roots(&mut report)?;
        self.check_directories(&mut report)?;
        self.check_subscriptions(&mut report, &mut || true)?;
        Ok(report)
    }
}
