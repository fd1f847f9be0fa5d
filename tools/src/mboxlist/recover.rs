//! `ctl_mboxlist -r` and `-v`: list and directories in step again, or what is not.

use std::io;

use mailstore::{ListAudience, ListFinding, ListFindingKind, ListRepair, OpenReport, SavedList, Store};
use serde_json::json;

use crate::error::CommandError;
use crate::{Console, Exit, Progress};

/// What `ctl_mboxlist -r` is asked for.
#[derive(Debug, Clone, Default)]
pub struct RecoverList {
    /// Only say what would be done.
    pub dry_run: bool,
    /// Remove rows whose directories are missing.
    pub prune: bool,
    /// One JSON object for each finding.
    pub json: bool,
    /// A saved copy of the list, to fill gaps from.
    pub saved: Option<SavedList>,
    /// How the store was opened; nothing in a running server, whose list is proved.
    pub opened: Option<OpenReport>,
}

/// Brings list and directories in step, and says each change on a line.
///
/// Ends with [`Exit::Found`] if a dry run found something; what is left for a person is named, and no failure.
///
/// # Errors
/// [`CommandError::Store`] if the disk fails; running it again goes on from there.
pub fn recover_list(store: &Store, request: RecoverList, console: &mut dyn Console) -> Result<Exit, CommandError> {
    let RecoverList { dry_run, prune, json, saved, opened } = request;
    let mut audience = Audience::new(console, json, Wording::Plain);
    let report = opened.unwrap_or_default();
    audience.tell_opening(&report)?;
    let repair = ListRepair { dry_run, prune, unproven: !report.is_proved(), saved };
    store.repair_list(&repair, &mut audience)?;
    let Audience { heard, repaired, .. } = audience;
    audience.end()?;
    if repaired > 0 && !dry_run {
        // The newest copy is one that needs no recovery.
        store.checkpoint()?;
    }
    if !json {
        let (mailboxes, left) = (store.mailbox_count(), heard - repaired);
        console.out(&match (heard, dry_run) {
            (0, _) => format!("{mailboxes} mailboxes, nothing to do"),
            (_, true) => format!("{mailboxes} mailboxes, {repaired} to repair, {left} left to a person"),
            (_, false) => format!("{mailboxes} mailboxes, {repaired} repaired, {left} left to a person"),
        })?;
    }
    Ok(if dry_run && heard > 0 { Exit::Found } else { Exit::Ok })
}

/// Says what is not in step, in the words that Cyrus has for it, and repairs nothing.
///
/// Ends with [`Exit::Found`] if there is anything.
///
/// # Errors
/// [`CommandError::Store`] if the disk fails.
pub fn verify_list(store: &Store, json: bool, console: &mut dyn Console) -> Result<Exit, CommandError> {
    let mut audience = Audience::new(console, json, Wording::Classic);
    store.verify_list(&mut audience)?;
    store.repair_list(&ListRepair { dry_run: true, ..ListRepair::default() }, &mut audience)?;
    let heard = audience.heard;
    audience.end()?;
    Ok(if heard > 0 { Exit::Found } else { Exit::Ok })
}

/// How findings are said.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wording {
    Plain,
    Classic,
}

struct Audience<'a> {
    console: &'a mut dyn Console,
    json: bool,
    wording: Wording,
    heard: u64,
    repaired: u64,
    gone: Option<io::Error>,
}

impl<'a> Audience<'a> {
    fn new(console: &'a mut dyn Console, json: bool, wording: Wording) -> Self {
        Self { console, json, wording, heard: 0, repaired: 0, gone: None }
    }

    /// What opening the store found and did.
    fn tell_opening(&mut self, report: &OpenReport) -> Result<(), CommandError> {
        let lost = report.salvaged.iter().map(|what| ("salvaged", what.clone()));
        let aside = report.moved_to.iter().map(|path| ("kept-aside", path.display().to_string()));
        let ended = report.completed.iter().map(|what| ("completed", what.clone()));
        let rebuilt = report.rebuilt.iter().filter(|_| report.is_proved()).map(|what| ("rebuilt", what.clone()));
        for (kind, what) in lost.chain(rebuilt).chain(aside).chain(ended) {
            self.heard += 1;
            self.repaired += 1;
            let line = match self.json {
                true => json!({"kind": kind, "place": "mailboxes.db", "what": what, "repaired": true}).to_string(),
                false => format!("mailboxes.db: {}: {what}", kind.replace('-', " ")),
            };
            self.console.out(&line)?;
        }
        Ok(())
    }

    fn line(&self, finding: &ListFinding) -> String {
        let ListFinding { kind, place, what, repaired } = finding;
        if self.json {
            return json!({"kind": kind.as_str(), "place": place, "what": what, "repaired": repaired}).to_string();
        }
        match (self.wording, kind) {
            (Wording::Classic, ListFindingKind::MissingDirectory | ListFindingKind::Unlisted) => {
                format!("'{place}' {what}")
            }
            _ => finding.to_string(),
        }
    }

    /// Whether anybody still listened.
    fn end(self) -> Result<(), CommandError> {
        self.gone.map_or(Ok(()), |problem| Err(problem.into()))
    }

    fn note(&mut self, said: io::Result<()>) -> bool {
        said.map_err(|problem| self.gone = Some(problem)).is_ok()
    }
}

impl ListAudience for Audience<'_> {
    fn found(&mut self, finding: &ListFinding) -> bool {
        self.heard += 1;
        self.repaired += u64::from(finding.repaired);
        let line = self.line(finding);
        let said = self.console.out(&line);
        self.note(said)
    }

    fn progress(&mut self, what: &str, done: u64, total: Option<u64>) -> bool {
        let said = self.console.progress(&Progress { what: what.to_owned(), done, total });
        self.note(said)
    }
}
