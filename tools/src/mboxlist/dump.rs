//! `ctl_mboxlist -d`: a line for each mailbox, in the form that Cyrus 3 reads and writes.

use std::fmt::Write as _;
use std::ops::ControlFlow;

use mailstore::{Acl, Row, Store};
use serde_json::{Map, Value, json};

use crate::console::Lines;
use crate::error::CommandError;
use crate::{Console, Exit, Progress};

/// What is dumped, and how.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DumpList {
    /// Only mailboxes of this partition.
    pub partition: Option<String>,
    /// Take what is dumped out of the list; directories stay.
    pub purge: bool,
    /// A JSON object as Cyrus 3.6 writes it, a mailbox a line, instead of lines with tabs.
    pub json: bool,
}

/// Progress is told every so many mailboxes.
const STEP: u64 = 10_000;

/// Prints the mailbox list, sorted by name.
///
/// # Errors
/// [`CommandError::Io`] if nobody reads it, [`CommandError::Store`] if a row cannot be taken out of the list.
pub fn dump_list(store: &Store, request: &DumpList, console: &mut dyn Console) -> Result<Exit, CommandError> {
    let total = Some(store.mailbox_count() as u64);
    let (mut done, mut dumped) = (0, Vec::new());
    let mut failed = None;
    let mut lines = Lines::new(console);
    let mut classic = Classic::default();
    // A line is printed when the next one is known: the last one has no comma behind it.
    let mut held: Option<String> = None;
    if request.json {
        lines.line(|text| text.push('{'))?;
    }
    store.list("", |name, row| {
        done += 1;
        if request.partition.as_ref().is_some_and(|wanted| *wanted != row.partition) {
            return ControlFlow::Continue(());
        }
        if request.purge {
            dumped.push(name.clone());
        }
        let said = if request.json {
            let before = held.replace(json_line(store, row));
            before.map_or(Ok(()), |line| {
                lines.line(|text| {
                    text.push_str(&line);
                    text.push(',');
                })
            })
        } else {
            lines.line(|text| classic.line(row, text))
        };
        let told = said.and_then(|()| match done % STEP {
            0 => lines.progress(&Progress { what: name.to_string(), done, total }),
            _ => Ok(()),
        });
        match told {
            Ok(()) => ControlFlow::Continue(()),
            Err(problem) => {
                failed = Some(problem);
                ControlFlow::Break(())
            }
        }
    });
    if let Some(problem) = failed {
        return Err(problem.into());
    }
    if request.json {
        if let Some(last) = held {
            lines.line(|text| text.push_str(&last))?;
        }
        lines.line(|text| text.push('}'))?;
    }
    lines.flush()?;
    // Only now: somebody has read all of it.
    for name in dumped {
        store.unlist(&name)?;
    }
    Ok(Exit::Ok)
}

/// Writes lines in the classic form. Mailboxes beside each other mostly have the same ACL: its text is made once.
#[derive(Default)]
struct Classic {
    acl: Acl,
    acl_text: String,
}

impl Classic {
    /// `name TAB type SP partition SP acl ">" uniqueid SP mtime SP uidvalidity SP foldermodseq SP createdmodseq [SP use]`:
    /// what Cyrus 3 calls the legacy form. Cyrus 2 wrote it up to the ACL.
    fn line(&mut self, row: &Row, text: &mut String) {
        if self.acl != row.acl {
            self.acl = row.acl.clone();
            self.acl_text = row.acl.to_string();
        }
        for part in [row.name.as_str(), "\t0 ", &row.partition, " ", &self.acl_text, ">", row.unique_id.as_str(), " "] {
            text.push_str(part);
        }
        // Writing to a text does not fail.
        let _ = write!(text, "{} {} 0 0", row.modified, row.uid_validity);
        for known in &row.special_use {
            let _ = write!(text, " {known}");
        }
    }
}

fn json_line(store: &Store, row: &Row) -> String {
    let acl: Map<_, _> = row.acl.entries().map(|(id, rights)| (id.to_string(), json!(rights.to_string()))).collect();
    let uses: Vec<_> = row.special_use.iter().map(ToString::to_string).collect();
    // Numbers are texts, as Cyrus has them. What it does not know is ours: it ignores that.
    let mut entry = json!({
        "name": row.name.as_str(),
        "mtime": row.modified.to_string(),
        "uidvalidity": row.uid_validity.to_string(),
        "createdmodseq": "0",
        "foldermodseq": "0",
        "mbtype": "e",
        "partition": row.partition,
        "acl": acl,
        "uniqueid": row.unique_id.as_str(),
        "separator": "/",
        "created": row.created.to_string(),
    });
    if let Value::Object(entry) = &mut entry {
        if !uses.is_empty() {
            entry.insert("legacy_specialuse".into(), json!(uses.join(" ")));
        }
        if let Some(root) = &row.quota_root {
            entry.insert("quotaroot".into(), json!(root.as_str()));
        }
        if let Some(limits) = store.quota_limits(&row.name) {
            entry.insert("quota".into(), json!(limits));
        }
    }
    format!("{}: {entry}", json!(row.name.as_str()))
}
