//! Whether the store is in order.

use mailstore::{Severity, Store};
use serde_json::json;

use crate::error::CommandError;
use crate::{Console, Exit, Progress};

/// What to look at and how to say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckStore {
    /// Read every message and compare it with its hash.
    pub contents: bool,
    /// One JSON object a line.
    pub json: bool,
}

/// Looks at all mailboxes and says what is not in order, a line for each finding. Nothing is repaired.
///
/// Ends with [`Exit::Found`] if there is damage.
///
/// # Errors
/// The store cannot be looked at.
pub fn check_store(store: &Store, request: CheckStore, console: &mut dyn Console) -> Result<Exit, CommandError> {
    let total = store.mailbox_count() as u64;
    let mut done = 0;
    let mut gone = None;
    let mut progress = |row: &mailstore::Row| {
        let what = row.name.to_string();
        if let Err(problem) = console.progress(&Progress { what, done, total: Some(total) }) {
            gone = Some(problem);
        }
        done += 1;
    };
    let report = if request.contents { store.check_contents(&mut progress) } else { store.check(&mut progress) }?;
    if let Some(problem) = gone {
        return Err(problem.into());
    }
    let mut damaged = false;
    for finding in &report.findings {
        let damage = finding.severity == Severity::Damage;
        damaged |= damage;
        let line = if request.json {
            let (place, uid, what) = (&finding.place, finding.uid, &finding.what);
            json!({"damage": damage, "place": place, "uid": uid, "what": what}).to_string()
        } else {
            format!("{}{finding}", if damage { "" } else { "note: " })
        };
        console.out(&line)?;
    }
    if !request.json {
        let (mailboxes, messages, findings) = (report.mailboxes, report.messages, report.findings.len());
        console.out(&format!("{mailboxes} mailboxes, {messages} messages, {findings} findings"))?;
    }
    Ok(if damaged { Exit::Found } else { Exit::Ok })
}
