//! `deliver --mbox` and `deliver --maildir`: importing mail from files.
//!
//! Messages are appended in batches, so that one directory sync serves hundreds of them, and the syncs of the messages'
//! own files run side by side. A batch is in the mailbox as a whole or not at all.
//!
//! **Interrupted imports.** What was reported as imported is durable. A run that ended early names the place where the
//! next one goes on: an offset for `--from` (mbox), and in either case `--resume` skips messages whose very octets are in
//! the mailbox already, so that the same command can simply be run again. Without `--resume` a second run imports
//! everything a second time.
//!
//! A message that cannot be stored (a NUL octet, too large, unreadable) is reported with its place and left out; the
//! others are imported.

mod batch;
mod canonical;
pub(crate) mod folder_name;
mod from_line;
mod lines;
mod maildir;
mod mbox;
mod status;

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use mailstore::{
    Access, ContentHash, CreateOptions, ErrorKind, MailboxCopy, MailboxName, Record, StageWriter, Store, UidSet,
};
use serde::Serialize;

use self::batch::{Batch, Item, Place, Stop};
use self::maildir::MessageFile;
use self::mbox::Mbox;
use self::status::Flags;
use crate::console::{Console, Exit, Progress};
use crate::regular_file::open_regular;

pub(crate) use self::batch::exit_of;
pub(crate) use self::canonical::Canonical;
pub(crate) use self::lines::{Lines, PIECE};
pub use self::mbox::Quoting;

/// Octets of a message file that are read at a time.
const READ: usize = 64 * 1024;

/// Where mail comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// An mbox file.
    Mbox {
        /// The file; standard input if there is none.
        path: Option<PathBuf>,
        /// Offset of the From_ line to begin at, as a run that ended early has named it.
        from: u64,
        /// How body lines that begin with `From ` were written.
        quoting: Quoting,
    },
    /// A Maildir, with its folders.
    Maildir {
        /// The directory that holds `cur` and `new`.
        path: PathBuf,
    },
    /// A mailbox in a backup. Damaged messages are left out.
    Backup {
        /// The directory with its files.
        path: PathBuf,
        /// Only these messages.
        uids: Option<UidSet>,
    },
}

/// What to import, and where to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportRequest {
    /// Where it comes from.
    pub source: Source,
    /// Where it goes: an existing mailbox, or one that is made below an existing INBOX. Folders of a Maildir go below it.
    pub target: MailboxName,
    /// Import although the quota is used up.
    pub ignore_quota: bool,
    /// Skip messages that are in the mailbox already; those that nobody has flagged or read since get their flags.
    pub resume: bool,
    /// Print the summary as JSON.
    pub json: bool,
}

/// What an import did.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Summary {
    /// Messages in the store now that were not before.
    pub imported: u64,
    /// Their octets.
    pub octets: u64,
    /// Messages that were there already.
    pub present: u64,
    /// Messages left out, each reported.
    pub bad: u64,
    /// Mailboxes that were made.
    pub created: Vec<String>,
    /// For an mbox: the offset behind the last message that is done.
    pub offset: Option<u64>,
    /// Why it ended before the end, if it did.
    pub stopped: Option<String>,
}

/// Imports mail. Blocks for as long as it takes.
///
/// Exit codes: `Ok`; `Data` if messages were left out or the source is no mail; `NoInput` if it cannot be read; `NoUser`
/// if there is no such mailbox; `TempFail` if the quota or the disk is full, or the caller went away.
pub fn import(store: &Store, console: &mut dyn Console, request: &ImportRequest) -> Exit {
    let mut importer = Importer { store, console, request, summary: Summary::default() };
    let result = match &request.source {
        Source::Mbox { path, from, quoting } => importer.mbox(path.as_deref(), *from, *quoting),
        Source::Maildir { path } => importer.maildir(path),
        Source::Backup { path, uids } => importer.backup(path, uids.as_ref()),
    };
    importer.report(result)
}

struct Importer<'a> {
    store: &'a Store,
    console: &'a mut dyn Console,
    request: &'a ImportRequest,
    summary: Summary,
}

/// A mailbox being filled.
struct Target {
    batch: Batch,
    /// Its partition, where messages are staged.
    partition: String,
    /// Its name, for the progress.
    name: String,
}

/// Where an mbox is read from.
enum Input {
    /// Standard input, which is the console's.
    Console,
    File(BufReader<File>),
}

impl Input {
    fn reader<'a>(&'a mut self, console: &'a mut dyn Console) -> &'a mut dyn BufRead {
        match self {
            Self::Console => console.stdin(),
            Self::File(file) => file,
        }
    }
}

impl Importer<'_> {
    fn mbox(&mut self, path: Option<&Path>, from: u64, quoting: Quoting) -> Result<(), Stop> {
        let (mut input, ahead) = match path {
            None => (Input::Console, None),
            Some(path) => {
                let path = self.console.directory().join(path);
                let (file, ahead) = open_at(&path, from).map_err(|error| Stop::input(&path.display(), &error))?;
                (Input::File(BufReader::with_capacity(READ, file)), ahead)
            }
        };
        let mut mbox = Mbox::new(input.reader(self.console), from, ahead, quoting)?;
        let mut target = self.target(&self.request.target.clone())?;
        self.summary.offset = Some(mbox.offset());
        let mut seen = 0;
        while let Some(entry) = mbox.next_entry() {
            let place = Place::Offset(entry.offset);
            let mut writer = self.stage(&target, &place)?;
            writer.set_internal_date(entry.date);
            let mut failed = None;
            let mut sink = |octets: &[u8]| {
                if failed.is_none() {
                    failed = writer.write(octets).err();
                }
            };
            let ending = mbox.read(input.reader(self.console), &mut sink);
            let ending = ending.map_err(|error| Stop::input(&place, &error))?;
            if ending.has_nul {
                self.bad(&place, "the message has a NUL octet")?;
            } else if let Some(error) = failed {
                self.bad_or_stop(&place, &error)?;
            } else if !ending.is_bookkeeping {
                target.batch.push(Item { writer, place, date: entry.date, flags: ending.flags });
            }
            seen += 1;
            if target.batch.is_full() {
                self.flush(&mut target, seen, None)?;
                self.summary.offset = Some(mbox.offset());
            }
        }
        self.flush(&mut target, seen, Some(seen))?;
        self.summary.offset = Some(mbox.offset());
        Ok(())
    }

    fn maildir(&mut self, path: &Path) -> Result<(), Stop> {
        let path = self.console.directory().join(path);
        let folders = maildir::folders(&path).map_err(|error| Stop::input(&path.display(), &error))?;
        for folder in folders {
            let name = match folder.name.as_str() {
                "" => self.request.target.clone(),
                below => match self.request.target.child(below) {
                    Ok(name) => name,
                    Err(error) => {
                        self.summary.bad += 1;
                        self.console.err(&format!("folder {below}: {error}"))?;
                        continue;
                    }
                },
            };
            let messages = folder.messages().map_err(|error| Stop::input(&folder.name, &error))?;
            let mut target = self.target(&name)?;
            let total = messages.len() as u64;
            for (seen, message) in (1..).zip(messages) {
                self.file(message, &mut target)?;
                if target.batch.is_full() {
                    self.flush(&mut target, seen, Some(total))?;
                }
            }
            self.flush(&mut target, total, Some(total))?;
        }
        Ok(())
    }

    fn backup(&mut self, path: &Path, uids: Option<&UidSet>) -> Result<(), Stop> {
        let copy = MailboxCopy::read(&**self.store.disk(), path).map_err(|error| Stop {
            exit: Exit::NoInput,
            why: format!("{}: {error}; `deliver` takes single message files", path.display()),
        })?;
        let mut target = self.target(&self.request.target.clone())?;
        let seen = self.request.target.owner().map(|owner| copy.seen_by(owner)).unwrap_or_default();
        let wanted = |record: &&Record| uids.is_none_or(|uids| uids.contains(record.uid.get()));
        let records: Vec<&Record> = copy.messages.iter().filter(wanted).collect();
        let total = records.len() as u64;
        if let Some(uids) = uids.filter(|uids| uids.len() > total) {
            let found: UidSet = records.iter().map(|record| record.uid.get()).collect();
            self.summary.bad += (uids - &found).len();
            let missing = mailstore::uid_set::format(&(uids - found));
            self.console.err(&format!("{}: there is no message {missing}", path.display()))?;
        }
        for (done, record) in (1..).zip(records) {
            let place = Place::File(path.join(format!("{}.", record.uid)));
            let Place::File(file) = &place else { continue };
            let octets = match saved_message(file, record.size) {
                Ok(octets) => octets,
                Err(error) => {
                    self.bad(&place, &error.to_string())?;
                    continue;
                }
            };
            if ContentHash::of(&octets) != record.hash {
                self.bad(&place, "it is not the message that was saved: the hash differs")?;
                continue;
            }
            let mut writer = self.stage(&target, &place)?;
            writer.set_internal_date(record.internal_date);
            match writer.write(&octets) {
                Ok(()) => {
                    let (system, keywords) = (record.flags, copy.keywords_of(record).cloned().collect());
                    let flags = Flags { system, seen: seen.contains(record.uid.get()), keywords };
                    target.batch.push(Item { writer, place, date: record.internal_date, flags });
                }
                Err(error) => self.bad_or_stop(&place, &error)?,
            }
            if target.batch.is_full() {
                self.flush(&mut target, done, Some(total))?;
            }
        }
        self.flush(&mut target, total, Some(total))
    }

    /// Stages one message file.
    fn file(&mut self, message: MessageFile, target: &mut Target) -> Result<(), Stop> {
        let MessageFile { path, date, flags } = message;
        let place = Place::File(path);
        let Place::File(path) = &place else { return Ok(()) };
        let mut file = match open_regular(path) {
            Ok(file) => file,
            // A client that is at work renames files as it changes their flags.
            Err(error) => return self.bad(&place, &error.to_string()),
        };
        let mut writer = self.stage(target, &place)?;
        writer.set_internal_date(date);
        let (mut canonical, mut piece, mut out) = (Canonical::default(), vec![0; READ], Vec::with_capacity(READ * 2));
        let mut ends_line = true;
        loop {
            let octets = match file.read(&mut piece) {
                Ok(0) => break,
                Ok(octets) => &piece[..octets],
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => return self.bad(&place, &error.to_string()),
            };
            canonical.convert(octets, &mut out);
            ends_line = octets.ends_with(b"\n");
            if let Err(error) = writer.write(&out) {
                return self.bad_or_stop(&place, &error);
            }
            out.clear();
        }
        canonical.end(ends_line, &mut out);
        if let Err(error) = writer.write(&out) {
            return self.bad_or_stop(&place, &error);
        }
        if canonical.saw_nul() {
            return self.bad(&place, "the message has a NUL octet");
        }
        target.batch.push(Item { writer, place, date, flags });
        Ok(())
    }

    /// Opens the mailbox, or makes it.
    fn target(&mut self, name: &MailboxName) -> Result<Target, Stop> {
        let stop = |error: mailstore::Error| Stop { exit: exit_of(&error), why: error.to_string() };
        let mailbox = match self.store.mailbox(name) {
            Err(error) if error.kind() == ErrorKind::NotFound && !name.is_inbox() => {
                self.create(name).map_err(stop)?;
                self.store.mailbox(name)
            }
            other => other,
        };
        let batch = Batch::new(mailbox.map_err(stop)?, self.request.ignore_quota, self.request.resume);
        let partition = self.store.row(name).map(|row| row.partition.clone()).unwrap_or_default();
        Ok(Target { batch, partition, name: name.to_string() })
    }

    /// Makes a mailbox, and those above it: as their owner, so that no more is made than the owner could.
    fn create(&mut self, name: &MailboxName) -> Result<(), mailstore::Error> {
        let access = match name.owner() {
            Some(owner) => Access::user(owner),
            None => Access::admin("admin"),
        };
        let mut missing = vec![name.clone()];
        let mut above = name.parent();
        while let Some(parent) = above.filter(|parent| self.store.row(parent).is_none() && !parent.is_inbox()) {
            above = parent.parent();
            missing.push(parent);
        }
        for name in missing.iter().rev() {
            self.store.create(&access, name, &CreateOptions::default())?;
            self.summary.created.push(name.to_string());
        }
        Ok(())
    }

    fn stage(&self, target: &Target, place: &Place) -> Result<StageWriter, Stop> {
        self.store.stage(&target.partition).map_err(|error| Stop::store(place, &error))
    }

    fn flush(&mut self, target: &mut Target, done: u64, total: Option<u64>) -> Result<(), Stop> {
        target.batch.flush(&mut self.summary, self.console)?;
        self.console.progress(&Progress { what: target.name.clone(), done, total })?;
        Ok(())
    }

    fn bad(&mut self, place: &Place, why: &str) -> Result<(), Stop> {
        self.summary.bad += 1;
        Ok(self.console.err(&format!("{place}: {why}; left out"))?)
    }

    fn bad_or_stop(&mut self, place: &Place, error: &mailstore::Error) -> Result<(), Stop> {
        match error.kind() {
            ErrorKind::TooBig => self.bad(place, &error.to_string()),
            _ => Err(Stop::store(place, error)),
        }
    }

    /// Says what was done. Failing to say it changes nothing any more.
    fn report(mut self, result: Result<(), Stop>) -> Exit {
        let exit = match result {
            Ok(()) if self.summary.bad > 0 => Exit::Data,
            Ok(()) => Exit::Ok,
            Err(stop) => {
                let _ = self.console.err(&stop.why);
                if let Some(offset) = self.summary.offset {
                    let _ = self
                        .console
                        .err(&format!("what lies before offset {offset} is imported; go on with --from {offset}"));
                }
                self.summary.stopped = Some(stop.why);
                stop.exit
            }
        };
        let Summary { imported, octets, present, bad, .. } = self.summary;
        tracing::info!(event = "import.finished", target = %self.request.target, imported, octets, present, bad, exit = exit.code());
        let line = if self.request.json {
            serde_json::to_string(&self.summary).unwrap_or_default()
        } else {
            format!(
                "{}: {imported} imported ({octets} octets), {present} there already, {bad} left out",
                self.request.target
            )
        };
        let _ = self.console.out(&line);
        exit
    }
}

/// A message file of a backup; of one that is longer than it should be no more than shows it.
fn saved_message(path: &Path, size: u32) -> std::io::Result<Vec<u8>> {
    let mut octets = Vec::new();
    open_regular(path)?.take(u64::from(size) + 1).read_to_end(&mut octets)?;
    Ok(octets)
}

/// The file from `offset` on, and once more to look ahead in if that is possible.
fn open_at(path: &Path, offset: u64) -> std::io::Result<(File, Option<File>)> {
    let mut file = File::open(path)?;
    let ahead = file.metadata()?.is_file().then(|| file.try_clone()).transpose()?;
    if offset > 0 {
        file.seek(SeekFrom::Start(offset))?;
    }
    Ok((file, ahead))
}

#[cfg(test)]
mod tests;
