//! Scrubbing: reading everything that is kept, at leisure, to find what a disk has lost before somebody misses it.
//!
//! A mailbox is looked at as `reconstruct` would in a dry run (`repair`), without being opened: a scrub of a million mailboxes
//! must not push out of memory what people use. Then every message file is read and compared with the hash in its record
//! ([`messages`]); no lock is held meanwhile, and before each block whoever scrubs is asked whether, and when, it may be read
//! ([`ScrubPace`]). What is above the mailboxes comes last ([`above`]).
//!
//! Repaired is what repeats something that is kept elsewhere and whole: cyrus.cache, the counters of the index header,
//! cyrus.header where it says what the mailboxes database does not, the usage of quota roots. Everything else is named, with
//! the command for it.
//!
//! In memory are the records of one mailbox at a time, in 40 octets each after the first look, and one block of a message.

mod above;
mod messages;
#[cfg(test)]
mod tests;

use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::error::{Error, Result};
use crate::ident::Timestamp;
use crate::list::not_found;
use crate::name::MailboxName;
use crate::repair::{OddFiles, RepairEvent, RepairKind, RepairOptions};
use crate::store::Store;

/// Small files that are read of each mailbox besides its messages.
const SMALL_FILES: [&str; 4] = ["cyrus.header", "cyrus.index", "cyrus.cache", "cyrus.seen"];

/// What repeats something that is kept elsewhere, and what a crash has left behind: findings with these codes are repaired.
const DERIVED: [&str; 5] = ["cache.rebuilt", "cache.record", "index.counters", "header.updated", "file.leftover"];

/// A change of a mailbox's row reaches cyrus.header a moment later: seconds after which that should have happened, on the
/// busiest of machines.
const COPY_FOLLOWS: i64 = 60;

/// Whoever scrubs.
pub trait ScrubPace {
    /// So many octets are about to be read: waits until they may be. `Break` ends the scrub here.
    fn pace(&mut self, octets: u64) -> ControlFlow<()>;

    /// All messages of the mailbox up to this UID are done.
    fn reached(&mut self, uid: u32);

    /// Something is not in order, or was not.
    fn found(&mut self, finding: ScrubFinding);

    /// Set when the scrub is to end also where nothing is paced: while the index of a large mailbox is looked at.
    fn stop(&self) -> Option<Arc<AtomicBool>> {
        None
    }
}

/// What became of a finding.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ScrubKind {
    /// It is in order now; or, in a dry run, would be.
    Repaired,
    /// It is left for an administrator.
    Left,
}

/// Something that is not in order, or was not.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ScrubFinding {
    /// What became of it.
    pub kind: ScrubKind,
    /// What it is, for programs: `message.differs`.
    pub code: &'static str,
    /// The mailbox, quota root or file.
    pub place: String,
    /// The message concerned.
    pub uid: Option<u32>,
    /// What is wrong, for people.
    pub what: String,
    /// What to do about it; empty if nothing.
    pub remedy: String,
}

impl ScrubFinding {
    fn repaired(code: &'static str, place: impl fmt::Display, what: impl Into<String>) -> ScrubFinding {
        let place = place.to_string();
        ScrubFinding { kind: ScrubKind::Repaired, code, place, uid: None, what: what.into(), remedy: String::new() }
    }

    fn left(
        code: &'static str,
        place: impl fmt::Display,
        uid: Option<u32>,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) -> ScrubFinding {
        let (place, what, remedy) = (place.to_string(), what.into(), remedy.into());
        ScrubFinding { kind: ScrubKind::Left, code, place, uid, what, remedy }
    }
}

impl fmt::Display for ScrubFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.place)?;
        if let Some(uid) = self.uid {
            write!(f, " uid {uid}")?;
        }
        write!(f, ": {}", self.what)?;
        if self.remedy.is_empty() { Ok(()) } else { write!(f, "; {}", self.remedy) }
    }
}

/// How far a scrub came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scrubbed {
    /// To the end; also where the mailbox was deleted meanwhile.
    Whole,
    /// To where it was told to stop.
    Stopped,
}

impl Store {
    /// Scrubs a mailbox; of its messages those above the UID `above`. Whoever uses it notices nothing, unless something is
    /// repaired. Blocks.
    ///
    /// # Errors
    /// [`Error::NotFound`]. A mailbox that can't be read is a finding.
    pub fn scrub_mailbox(
        &self,
        name: &MailboxName,
        above: u32,
        dry_run: bool,
        by: &mut dyn ScrubPace,
    ) -> Result<Scrubbed> {
        let row = self.row(name).ok_or_else(|| not_found(name))?;
        if by.pace(self.small_files(name)).is_break() {
            return Ok(Scrubbed::Stopped);
        }
        // The directory of a mailbox that is being renamed is under neither name for a moment: nobody renames the second time.
        let options = options(by);
        let surveyed = self.survey(name, &options).or_else(|_| {
            let _names = self.lock_tree(name);
            self.survey(name, &options)
        });
        let surveyed = match surveyed {
            Ok(surveyed) => surveyed,
            Err(Error::NotFound(_)) => return Ok(Scrubbed::Whole),
            Err(_) if options.is_stopped() => return Ok(Scrubbed::Stopped),
            Err(error) => {
                let remedy = format!("run `reconstruct {name}`");
                by.found(ScrubFinding::left("mailbox.unreadable", name, None, error.to_string(), remedy));
                return Ok(Scrubbed::Whole);
            }
        };
        let events = self.confirmed(name, surveyed.needs_repair, surveyed.events, &options);
        self.tell(name, events, dry_run, &options, by);
        if options.is_stopped() {
            return Ok(Scrubbed::Stopped);
        }
        self.scrub_messages(&row.unique_id, surveyed.messages, above, by)
    }

    /// How long a mailbox's small files are.
    fn small_files(&self, name: &MailboxName) -> u64 {
        let dir = self.row(name).and_then(|row| self.layout().mailbox_dir(&row.partition, name).ok());
        let size = |file: &str| Some(self.disk().metadata(&dir.as_ref()?.join(file)).ok()?.size);
        let octets = SMALL_FILES.iter().filter_map(|file| size(file)).sum();
        self.counters().scrub.octets.add(octets);
        octets
    }

    /// What is still so at a second look. A mailbox that is in use changes while it is looked at: what is to be changed is
    /// looked at again while it is held, and files of messages that were expunged have reached their place.
    fn confirmed(
        &self,
        name: &MailboxName,
        needs_repair: bool,
        first: Vec<RepairEvent>,
        options: &RepairOptions,
    ) -> Vec<RepairEvent> {
        if !needs_repair && !first.iter().any(is_stray) {
            return first;
        }
        self.settle();
        // An error is of a mailbox that was renamed or deleted meanwhile, or is found at the next pass.
        let second = self.reconstruct(name, options).map(|repaired| repaired.events).unwrap_or_default();
        let before: Vec<_> = first.iter().filter(|event| is_stray(event)).map(|event| event.uid).collect();
        let fresh =
            self.row(name).is_none_or(|row| row.modified.saturating_add(COPY_FOLLOWS) > Timestamp::now().seconds);
        let stays = |event: &RepairEvent| match event.code {
            "message.stray" => before.contains(&event.uid),
            "header.updated" => !fresh,
            _ => true,
        };
        second.into_iter().filter(stays).collect()
    }

    /// Repairs what can be, and tells of everything. The repair looks once more, while it holds the mailbox: where anything
    /// but what is derived is to be done by then, it does nothing.
    fn tell(
        &self,
        name: &MailboxName,
        events: Vec<RepairEvent>,
        dry_run: bool,
        look: &RepairOptions,
        by: &mut dyn ScrubPace,
    ) {
        let is_change = |event: &&RepairEvent| event.kind == RepairKind::Change;
        // A repair does all there is to do: where that is more than what is derived, it is an administrator's.
        let repairs = events.iter().filter(is_change).all(|event| DERIVED.contains(&event.code));
        let done = match repairs && !dry_run && events.iter().any(|event| is_change(&event)) {
            true => {
                let repair = RepairOptions { dry_run: false, only: Some(&DERIVED), ..look.clone() };
                self.reconstruct(name, &repair).map(|repaired| repaired.events)
            }
            false => Ok(events.clone()),
        };
        let (events, failed) = match done {
            Ok(events) => (events, None),
            // Deleted or renamed meanwhile.
            Err(Error::NotFound(_)) => return,
            Err(_) if look.is_stopped() => return,
            Err(error) => (events, Some(format!(" ({error})"))),
        };
        for event in events {
            let what = || format!("{}{}", what_is_wrong(&event), failed.as_deref().unwrap_or_default());
            let remedy = || format!("run `reconstruct {name}`");
            match event.kind {
                RepairKind::Change if repairs && failed.is_none() => {
                    by.found(ScrubFinding::repaired(event.code, name, event.what.clone()));
                }
                RepairKind::Change => by.found(ScrubFinding::left(event.code, name, event.uid, what(), remedy())),
                RepairKind::Note if is_stray(&event) => {
                    by.found(ScrubFinding::left(event.code, name, event.uid, what(), remedy()));
                }
                // Messages whose files are missing are found when they are to be read.
                RepairKind::Note | RepairKind::Problem => {}
            }
        }
    }
}

/// How `reconstruct` looks at a mailbox for a scrub. Message files are not looked at one by one: each will be read.
fn options(by: &dyn ScrubPace) -> RepairOptions {
    RepairOptions {
        dry_run: true,
        stop: by.stop(),
        sizes: false,
        reinject: false,
        derived_only: true,
        odd_files: OddFiles::Ignore,
        settling: std::time::Duration::ZERO,
        ..RepairOptions::default()
    }
}

/// A message file without a record.
fn is_stray(event: &RepairEvent) -> bool {
    event.code == "message.stray"
}

/// What an event says of the damage, without what a repair does about it.
fn what_is_wrong(event: &RepairEvent) -> String {
    let what: &str = &event.what;
    what.rsplit_once(": ").map_or(what, |(wrong, _)| wrong).to_owned()
}
