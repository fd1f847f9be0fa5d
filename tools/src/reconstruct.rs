//! `reconstruct`: mailboxes brought in step with their message files, and directories that no row knows listed again.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};

use mailstore::{
    Adopted, ErrorKind, MailboxName, RepairEvent, RepairKind, RepairOptions, Repaired, Row, Store, Unlisted,
};
use parking_lot::{Condvar, Mutex};
use serde_json::json;

use crate::error::CommandError;
use crate::select::{self, Pattern};
use crate::{Console, Exit, Progress};

/// Two threads at least: while one waits for the disk the other computes. More than eight only compete for it.
const THREADS: std::ops::RangeInclusive<usize> = 2..=8;

/// How many mailboxes may be ahead of the one that is told about next, so that one that takes long, or a console that
/// does, does not fill the memory with the results of the others.
const AHEAD: usize = 64;

/// What to reconstruct, and how.
#[derive(Debug, Clone, Default)]
pub struct Reconstruct {
    /// Mailboxes, or user IDs with `users`; all mailboxes if there are none.
    pub names: Vec<String>,
    /// With everything below them.
    pub recursive: bool,
    /// Add directories that no row knows, with or without cyrus.header.
    pub find: bool,
    /// Do not add directories that have a cyrus.header either, where no mailboxes are named.
    pub no_discover: bool,
    /// The names are user IDs: all of their mailboxes.
    pub users: bool,
    /// Add the named directories of this partition.
    pub partition: Option<String>,
    /// Add the directory at this path and those below it.
    pub path: Option<PathBuf>,
    /// Only list directories again, repair no mailbox that is listed.
    pub only_list: bool,
    /// Say nothing of mailboxes where nothing is wrong, nor of what is only odd.
    pub quiet: bool,
    /// One JSON object a line.
    pub json: bool,
    /// How each mailbox is repaired.
    pub repair: RepairOptions,
}

/// Reconstructs. A line for every change; in a dry run the same lines.
///
/// Ends with [`Exit::Ok`] if everything is in order afterwards, else with the code of the first thing that is not.
///
/// # Errors
/// [`CommandError::Usage`], or that nobody reads the output any more.
pub fn reconstruct(store: &Store, request: &Reconstruct, console: &mut dyn Console) -> Result<Exit, CommandError> {
    let patterns = match request.users {
        true => request.names.iter().map(|user| Pattern::of_user(user)).collect::<Result<Vec<_>, _>>()?,
        false => request.names.iter().map(|text| Pattern::parse(store, text)).collect::<Result<_, _>>()?,
    };
    let mut run = Run {
        store,
        request,
        patterns,
        below: request.recursive || request.users,
        console,
        exit: Exit::Ok,
        mailboxes: 0,
        messages: 0,
        changes: 0,
        problems: 0,
    };
    let rows = run.rows()?;
    if !request.only_list {
        run.mailboxes(&rows)?;
    }
    run.unlisted()?;
    run.summary()?;
    Ok(run.exit)
}

struct Run<'a> {
    store: &'a Store,
    request: &'a Reconstruct,
    patterns: Vec<Pattern>,
    below: bool,
    console: &'a mut dyn Console,
    exit: Exit,
    mailboxes: u64,
    messages: u64,
    changes: u64,
    problems: u64,
}

impl Run<'_> {
    /// The mailboxes that are meant. A name that means nothing is said, unless a directory of that name is to be listed.
    fn rows(&mut self) -> Result<Vec<Arc<Row>>, CommandError> {
        let rows = if self.adds_only() { Vec::new() } else { select::rows(self.store, &self.patterns, self.below) };
        let finds = self.request.find || self.adds_only();
        let meant = |pattern: &Pattern| finds || rows.iter().any(|row| pattern.matches(&row.name, false));
        let missing: Vec<_> = self.patterns.iter().filter(|p| !meant(p)).map(|p| p.text.clone()).collect();
        for text in missing {
            self.fail(Exit::NoInput);
            self.console.err(&format!("{text}: there is no such mailbox"))?;
        }
        Ok(rows)
    }

    /// `-p` and `-P` list directories again; what is listed already is none of theirs.
    fn adds_only(&self) -> bool {
        self.request.partition.is_some() || self.request.path.is_some() || self.request.only_list
    }

    /// Repairs mailboxes, several at once; what is said about them comes in the order of their names.
    fn mailboxes(&mut self, rows: &[Arc<Row>]) -> Result<(), CommandError> {
        let (store, options) = (self.store, &self.request.repair);
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = threads.clamp(*THREADS.start(), *THREADS.end()).min(rows.len().max(1));
        let turn = Turn::default();
        let exact: Vec<MailboxName> = self.patterns.iter().filter_map(Pattern::name).collect();
        std::thread::scope(|scope| {
            let (send, results) = channel();
            for _ in 0..threads {
                let (send, turn, exact) = (send.clone(), &turn, &exact);
                scope.spawn(move || work(store, rows, options, exact, turn, &send));
            }
            drop(send);
            let mut waiting = BTreeMap::new();
            let mut shown = 0;
            for (number, result) in results {
                waiting.insert(number, result);
                while let Some(result) = waiting.remove(&shown) {
                    let told = self.tell(&rows[shown].name, result, shown as u64, rows.len() as u64);
                    if told.is_err() {
                        // Nobody listens: the mailboxes that are being repaired are the last ones.
                        turn.stop();
                        return told;
                    }
                    shown += 1;
                    turn.shown(shown);
                }
            }
            Ok(())
        })
    }

    fn tell(
        &mut self,
        name: &MailboxName,
        result: Result<Repaired, mailstore::Error>,
        done: u64,
        total: u64,
    ) -> Result<(), CommandError> {
        self.console.progress(&Progress { what: name.to_string(), done, total: Some(total) })?;
        match result {
            Ok(repaired) => {
                self.mailboxes += 1;
                self.messages += repaired.messages;
                for event in &repaired.events {
                    self.event(name.as_str(), event)?;
                }
            }
            // Deleted or renamed meanwhile.
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => {
                self.fail(exit_of(&error));
                let event = RepairEvent::new(RepairKind::Problem, "mailbox.failed", error.to_string());
                event.log(name);
                self.event(name.as_str(), &event)?;
            }
        }
        if !self.request.quiet && !self.request.json {
            self.console.out(name.as_str())?;
        }
        Ok(())
    }

    fn event(&mut self, place: &str, event: &RepairEvent) -> Result<(), CommandError> {
        match event.kind {
            RepairKind::Change => self.changes += 1,
            RepairKind::Note if self.request.quiet => return Ok(()),
            RepairKind::Note => {}
            RepairKind::Problem => {
                self.problems += 1;
                // What is too large today is so tomorrow; of everything else another run may have better luck.
                self.fail(if event.code == "message.too_large" { Exit::Data } else { Exit::TempFail });
            }
        }
        let line = if self.request.json {
            let kind = match event.kind {
                RepairKind::Change => "change",
                RepairKind::Note => "note",
                RepairKind::Problem => "problem",
            };
            json!({"mailbox": place, "kind": kind, "code": event.code, "uid": event.uid, "what": event.what})
                .to_string()
        } else {
            let kind = match event.kind {
                RepairKind::Change => "",
                RepairKind::Note => "note: ",
                RepairKind::Problem => "error: ",
            };
            format!("{place}: {kind}{event}")
        };
        Ok(self.console.out(&line)?)
    }

    /// The first problem decides how the command ends.
    fn fail(&mut self, exit: Exit) {
        if self.exit == Exit::Ok {
            self.exit = exit;
        }
    }

    /// Something the tool itself did or saw, for the log too.
    fn say(&mut self, place: &str, event: RepairEvent) -> Result<(), CommandError> {
        if !self.request.repair.dry_run {
            event.log(&place);
        }
        self.event(place, &event)
    }

    /// Directories that no row knows.
    fn unlisted(&mut self) -> Result<(), CommandError> {
        let looks = self.patterns.is_empty() || self.request.find || self.below || self.adds_only();
        if !looks {
            return Ok(());
        }
        let mut unlisted = self.store.unlisted()?;
        unlisted.retain(|found| self.is_meant(found));
        for found in &unlisted {
            self.list_again(found)?;
        }
        let found_nothing = |pattern: &&Pattern| {
            let there = |found: &Unlisted| found.name.as_ref().is_some_and(|name| pattern.matches(name, false));
            !unlisted.iter().any(there)
        };
        if self.request.partition.is_some() || self.request.find {
            let rows = select::rows(self.store, &self.patterns, false);
            let listed = |pattern: &&Pattern| rows.iter().any(|row| pattern.matches(&row.name, false));
            let missing: Vec<_> =
                self.patterns.iter().filter(found_nothing).map(|p| (p.text.clone(), listed(&p))).collect();
            for (text, listed) in missing {
                match (self.request.partition.is_some(), listed) {
                    (true, true) => self.console.err(&format!("{text}: is listed already"))?,
                    (_, true) => continue,
                    (_, false) => self.console.err(&format!("{text}: there is no such mailbox, and no directory"))?,
                }
                self.fail(Exit::NoInput);
            }
        }
        Ok(())
    }

    fn is_meant(&self, found: &Unlisted) -> bool {
        if let Some(path) = &self.request.path {
            return found.dir.starts_with(self.absolute(path));
        }
        if self.request.partition.as_ref().is_some_and(|partition| *partition != found.partition) {
            return false;
        }
        match &found.name {
            Some(name) => self.patterns.is_empty() || self.patterns.iter().any(|p| p.matches(name, self.below)),
            None => self.patterns.is_empty(),
        }
    }

    fn absolute(&self, path: &Path) -> PathBuf {
        self.console.directory().join(path)
    }

    fn list_again(&mut self, found: &Unlisted) -> Result<(), CommandError> {
        let place = found.dir.display().to_string();
        let Some(name) = &found.name else {
            let what = "unlisted directory: its path is no mailbox name, rename it";
            return self.say(&place, RepairEvent::new(RepairKind::Note, "directory.unlisted", what));
        };
        let bare = self.patterns.is_empty() && !self.request.no_discover;
        let wanted = self.request.find || self.adds_only() || (bare && found.has_header);
        if !wanted {
            let what = match found.has_header {
                true => "unlisted directory: run with -f to add it",
                false => "unlisted directory without cyrus.header: run with -f to add it",
            };
            return self.say(name.as_str(), RepairEvent::new(RepairKind::Note, "directory.unlisted", what));
        }
        match self.store.list_again(&found.partition, name, &self.request.repair) {
            Ok((Adopted { warnings, .. }, repaired)) => {
                let mut what = "unlisted directory: added".to_owned();
                for warning in warnings {
                    what.push_str("; ");
                    what.push_str(warning);
                }
                self.say(name.as_str(), RepairEvent::new(RepairKind::Change, "directory.added", what))?;
                let done = self.mailboxes;
                self.tell(name, Ok(repaired), done, done + 1)
            }
            Err(error) => {
                self.fail(exit_of(&error));
                let event = RepairEvent::new(RepairKind::Problem, "directory.failed", error.to_string());
                self.say(name.as_str(), event)
            }
        }
    }

    fn summary(&mut self) -> Result<(), CommandError> {
        let Self { mailboxes, messages, changes, problems, .. } = *self;
        let dry_run = self.request.repair.dry_run;
        tracing::info!(event = "reconstruct.finished", mailboxes, messages, changes, problems, dry_run);
        if self.request.json {
            let line = json!({"mailboxes": mailboxes, "messages": messages, "changes": changes, "problems": problems});
            return Ok(self.console.out(&line.to_string())?);
        }
        if self.request.quiet {
            return Ok(());
        }
        let changes = if dry_run { format!("{changes} changes to make") } else { format!("{changes} changes") };
        Ok(self.console.out(&format!("{mailboxes} mailboxes, {messages} messages, {changes}, {problems} problems"))?)
    }
}

/// Which mailbox is repaired next.
#[derive(Default)]
struct Turn {
    state: Mutex<TurnState>,
    told: Condvar,
}

#[derive(Default)]
struct TurnState {
    next: usize,
    shown: usize,
    stopped: bool,
}

impl Turn {
    /// The next number, once it is not too far ahead; none when nobody listens any more.
    fn next(&self) -> Option<usize> {
        let mut state = self.state.lock();
        self.told.wait_while(&mut state, |state| !state.stopped && state.next >= state.shown + AHEAD);
        let number = state.next;
        state.next += 1;
        (!state.stopped).then_some(number)
    }

    fn shown(&self, shown: usize) {
        self.state.lock().shown = shown;
        self.told.notify_all();
    }

    fn stop(&self) {
        self.state.lock().stopped = true;
        self.told.notify_all();
    }
}

/// A defect ends the command, instead of letting the others wait for a result that never comes.
struct StopOnPanic<'a>(&'a Turn);

impl Drop for StopOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.stop();
        }
    }
}

/// Takes one mailbox after the other until there are no more.
fn work(
    store: &Store,
    rows: &[Arc<Row>],
    options: &RepairOptions,
    exact: &[MailboxName],
    turn: &Turn,
    send: &Sender<(usize, Result<Repaired, mailstore::Error>)>,
) {
    let _others_end = StopOnPanic(turn);
    while let Some(number) = turn.next() {
        let Some(row) = rows.get(number) else { return };
        let result = match has_directory(store, row) {
            Ok(true) => store.reconstruct(&row.name, options),
            Ok(false) => without_directory(store, row, options, exact.contains(&row.name)),
            Err(error) => Err(error),
        };
        if send.send((number, result)).is_err() {
            return;
        }
    }
}

fn has_directory(store: &Store, row: &Row) -> Result<bool, mailstore::Error> {
    let dir = store.layout().mailbox_dir(&row.partition, &row.name)?;
    Ok(store.disk().exists(&dir)?)
}

/// A mailbox without a directory gets an empty one if it was named: if a whole partition is missing it is better not to
/// empty all its mailboxes.
fn without_directory(
    store: &Store,
    row: &Row,
    options: &RepairOptions,
    named: bool,
) -> Result<Repaired, mailstore::Error> {
    let event = if named {
        if !options.dry_run {
            store.recreate(&row.name)?;
        }
        let what = "its directory was missing: it gets an empty one and a new UIDVALIDITY";
        RepairEvent::new(RepairKind::Change, "directory.recreated", what)
    } else {
        let what = format!(
            "its directory is missing: restore it from a backup, or run `reconstruct {}` for an empty one, or \
             `ctl_mboxlist -r --prune` to forget it",
            row.name
        );
        RepairEvent::new(RepairKind::Problem, "directory.missing", what)
    };
    if !options.dry_run {
        event.log(&row.name);
    }
    Ok(Repaired { events: vec![event], messages: 0 })
}

/// How a command ends that met this error.
pub(crate) fn exit_of(error: &mailstore::Error) -> Exit {
    match error.kind() {
        ErrorKind::Corrupt => Exit::Data,
        ErrorKind::Io => Exit::Io,
        ErrorKind::Denied => Exit::NoPermission,
        ErrorKind::NotFound => Exit::NoInput,
        ErrorKind::Invalid | ErrorKind::BadName | ErrorKind::Exists => Exit::Usage,
        _ => Exit::TempFail,
    }
}

#[cfg(test)]
mod tests;
