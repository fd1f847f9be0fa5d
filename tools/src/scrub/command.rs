//! `scrub`, by hand: everything, or the mailboxes that are named, now.

use std::io;
use std::ops::ControlFlow;

use mailstore::{ErrorKind, MailboxName, ScrubFinding, ScrubKind, ScrubPace, Scrubbed, Store};
use serde_json::json;

use super::budget::{Budget, Clock};
use super::{Tally, end, note};
use crate::error::CommandError;
use crate::select::{self, Pattern};
use crate::{Console, Exit, Progress};

/// What to scrub, and how.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ScrubRequest {
    /// Mailboxes; everything if there are none.
    pub names: Vec<String>,
    /// With everything below them.
    pub recursive: bool,
    /// Repair nothing.
    pub dry_run: bool,
    /// Only findings: no summary.
    pub quiet: bool,
    /// One JSON object a line.
    pub json: bool,
    /// How much may be read in a second; 0 for as much as there is.
    pub octets_per_second: u64,
}

/// Scrubs. A line for each finding. A scrub of everything that comes to its end counts as the last pass.
///
/// Ends with [`Exit::Ok`] if everything is in order now, with [`Exit::Found`] if something is left, in a dry run if anything
/// was found, and with [`Exit::NoInput`] if there is no such mailbox.
///
/// # Errors
/// [`CommandError::Usage`], the disk's, or that nobody reads the output any more.
pub fn scrub(
    store: &Store,
    request: &ScrubRequest,
    clock: &dyn Clock,
    console: &mut dyn Console,
) -> Result<Exit, CommandError> {
    let patterns = request.names.iter().map(|text| Pattern::parse(store, text)).collect::<Result<Vec<_>, _>>()?;
    let rows = select::rows(store, &patterns, request.recursive);
    let mut exit = Exit::Ok;
    for pattern in &patterns {
        if !rows.iter().any(|row| pattern.matches(&row.name, false)) {
            exit = Exit::NoInput;
            console.err(&format!("{}: there is no such mailbox", pattern.text))?;
        }
    }
    let started = clock.unix();
    let budget = Budget::new(clock, request.octets_per_second);
    let total = rows.len() as u64;
    let mut run =
        Run { store, request, budget, console, tally: Tally::default(), what: String::new(), total, gone: None };
    for row in &rows {
        run.mailbox(&row.name)?;
    }
    let whole = patterns.is_empty();
    if whole {
        let scrubbed = store.scrub_above(request.dry_run, &mut run)?;
        run.listened()?;
        if scrubbed == Scrubbed::Stopped {
            return Err(io::Error::from(io::ErrorKind::Interrupted).into());
        }
    }
    if !request.quiet {
        run.summary()?;
    }
    let tally = run.tally;
    if whole && !request.dry_run {
        end(store, started, tally, clock, false)?;
    }
    let found = tally.left > 0 || (request.dry_run && tally.repaired > 0);
    Ok(if found && exit == Exit::Ok { Exit::Found } else { exit })
}

struct Run<'a> {
    store: &'a Store,
    request: &'a ScrubRequest,
    budget: Budget<'a>,
    console: &'a mut dyn Console,
    tally: Tally,
    /// The mailbox that is being scrubbed.
    what: String,
    total: u64,
    /// Why nobody reads the output any more.
    gone: Option<io::Error>,
}

impl Run<'_> {
    fn mailbox(&mut self, name: &MailboxName) -> Result<(), CommandError> {
        self.what = name.to_string();
        match self.store.scrub_mailbox(name, 0, self.request.dry_run, self) {
            Ok(Scrubbed::Whole) => self.tally.mailboxes += 1,
            Ok(Scrubbed::Stopped) => {
                self.listened()?;
                return Err(io::Error::from(io::ErrorKind::Interrupted).into());
            }
            // It was deleted meanwhile.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error.into()),
        }
        self.listened()
    }

    /// An error if nobody reads the output any more.
    fn listened(&mut self) -> Result<(), CommandError> {
        self.gone.take().map_or(Ok(()), |gone| Err(gone.into()))
    }

    fn summary(&mut self) -> Result<(), CommandError> {
        let Tally { mailboxes, messages, octets, repaired, left } = self.tally;
        let line = if self.request.json {
            json!({"summary": self.tally}).to_string()
        } else {
            let repaired_are = if self.request.dry_run { "to be repaired" } else { "repaired" };
            format!(
                "{mailboxes} mailboxes, {messages} messages, {octets} bytes, {repaired} {repaired_are}, {left} left"
            )
        };
        Ok(self.console.out(&line)?)
    }
}

impl ScrubPace for Run<'_> {
    fn pace(&mut self, octets: u64) -> ControlFlow<()> {
        self.budget.take(octets)?;
        self.tally.octets += octets;
        let progress = Progress { what: self.what.clone(), done: self.tally.mailboxes, total: Some(self.total) };
        match self.console.progress(&progress) {
            Ok(()) => ControlFlow::Continue(()),
            Err(gone) => {
                self.gone = Some(gone);
                ControlFlow::Break(())
            }
        }
    }

    fn reached(&mut self, _: u32) {
        self.tally.messages += 1;
    }

    fn found(&mut self, finding: ScrubFinding) {
        if self.request.dry_run {
            match finding.kind {
                ScrubKind::Repaired => self.tally.repaired += 1,
                ScrubKind::Left => self.tally.left += 1,
            }
        } else {
            note(self.store, &finding, &mut self.tally);
        }
        let line = if self.request.json {
            let ScrubFinding { kind, code, place, uid, what, remedy } = &finding;
            let repaired = *kind == ScrubKind::Repaired && !self.request.dry_run;
            json!({
                "place": place, "uid": uid, "code": code, "what": what, "remedy": remedy,
                "repaired": repaired, "left": *kind == ScrubKind::Left,
            })
            .to_string()
        } else {
            finding.to_string()
        };
        if let Err(gone) = self.console.out(&line) {
            self.gone = Some(gone);
        }
    }
}
