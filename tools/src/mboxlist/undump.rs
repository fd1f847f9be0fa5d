//! `ctl_mboxlist -u`: loads a saved list.

use mailstore::{RestoredRow, Store};
use serde_json::json;

use super::saved;
use crate::error::CommandError;
use crate::{Console, Exit, Progress};

/// Progress is told every so many mailboxes: one that is as it was takes a microsecond, one that is made a few milliseconds.
const STEP: u64 = 100;

/// How a list is loaded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct UndumpList {
    /// Only say what would be done.
    pub dry_run: bool,
    /// One JSON object for each change.
    pub json: bool,
}

/// Loads the saved list `text`: mailboxes that are there get its ACLs; directories without a row are listed with them; what
/// is not there is made, empty. Lines that make no sense, and mailboxes that cannot be loaded, are named and passed over.
///
/// Ends with [`Exit::Data`] if there was any of those.
///
/// # Errors
/// [`CommandError::Io`] if nobody reads the answer.
pub fn undump_list(
    store: &Store,
    text: &[u8],
    request: UndumpList,
    console: &mut dyn Console,
) -> Result<Exit, CommandError> {
    let parsed = saved::parse(text);
    let mut exit = Exit::Ok;
    for (line, problem) in &parsed.problems {
        console.err(&format!("line {line}: {problem}"))?;
        exit = Exit::Data;
    }
    let total = Some(parsed.list.mailboxes().len() as u64);
    for (done, mailbox) in (0..).zip(parsed.list.mailboxes()) {
        if done % STEP == 0 {
            console.progress(&Progress { what: mailbox.name.to_string(), done, total })?;
        }
        let what = match store.restore_row(mailbox, request.dry_run) {
            Ok(RestoredRow::Unchanged) => continue,
            Ok(what) => what,
            Err(problem) => {
                console.err(&format!("{}: {problem}", mailbox.name))?;
                exit = Exit::Data;
                continue;
            }
        };
        let line = match request.json {
            true => json!({"mailbox": mailbox.name.as_str(), "done": what.as_str()}).to_string(),
            false => format!("{}: {}", mailbox.name, what.as_str()),
        };
        console.out(&line)?;
    }
    for root in store.restore_limits(&parsed.list, request.dry_run)? {
        let line = match request.json {
            true => json!({"root": root.as_str(), "done": "quota"}).to_string(),
            false => format!("{root}: quota restored"),
        };
        console.out(&line)?;
    }
    Ok(exit)
}
