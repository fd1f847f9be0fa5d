//! `angarium backup`: a copy of the whole store, taken while it is in use.
//!
//! The copy has the shape of the store: `spool/<partition>/<mailbox>/` with one file a message and the mailbox's small
//! files as they were at one moment, `config/` with the safety copies of the mailboxes database and the directory (the
//! limits of quota roots are among them), subscriptions, scripts and API tokens, and a manifest with the hash of every file. So it can
//! be restored with `tar` and `reconstruct` as well as with `angarium restore`.
//!
//! Message files never change, so one that the previous backup has is linked to it and costs nothing (`--previous`); on
//! the spool's own file system the spool's file can be linked (`--hard-link`), which protects from mistakes, not from the
//! loss of the disk. Every file that is copied is compared with the hash that the store has of it. Instead of a directory a
//! tar archive can be written, to a file or to standard output.

pub(crate) mod manifest;
mod target;
#[cfg(test)]
mod tests;
mod verify;

use std::collections::{HashMap, HashSet};
use std::fmt::Display;
use std::fs::{self, File};
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use directory::Directory;
use mailstore::{ContentHash, ErrorKind, Mailbox, Record, Row, Store};
use serde_json::json;

use self::manifest::{Entry, VERSION, Writer};
use self::target::{Archive, Target};
use crate::error::CommandError;
use crate::{Console, Exit, Progress};

pub use self::verify::verify_backup;

/// What of the configuration directory belongs into a backup, as far as it is there. Keys and passwords of services are
/// left to those who manage the machine; of API tokens there are only hashes.
const CONFIGURATION: [&str; 5] = ["copies", "user", "sieve", "quota", "api-tokens.json"];

/// How often a directory is listed again because files have come meanwhile. One that still grows has all that matters.
const LISTINGS: usize = 16;

/// A message file that is longer than its record says is copied all the same, for it may be of use, up to this size.
const MAX_STRANGE: u32 = 64 << 20;

/// Where a backup goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// A directory that is empty or not there.
    Directory(PathBuf),
    /// A tar archive: a file that is not there.
    Archive(PathBuf),
    /// A tar archive on standard output. What is said goes to standard error.
    Stdout,
}

/// Where a backup goes, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupRequest {
    /// Where it goes.
    pub to: Destination,
    /// An earlier backup on the same file system; for directories.
    pub previous: Option<PathBuf>,
    /// Link message files instead of copying them; for directories.
    pub hard_link: bool,
    /// One JSON object at the end.
    pub json: bool,
}

/// Makes a backup. Ends with [`Exit::Found`] if some message could not be copied as it should be; each is named.
///
/// # Errors
/// The directory cannot be used, or the store cannot be read. There is no manifest then.
pub fn backup(
    store: &Store,
    directory: &dyn Directory,
    request: &BackupRequest,
    console: &mut dyn Console,
) -> Result<Exit, CommandError> {
    let absolute = |path: &Path| console.directory().join(path);
    let previous = match &request.previous {
        Some(dir) => Previous::read(&absolute(dir))?,
        None => Previous::default(),
    };
    let mut target: Box<dyn Target> = match &request.to {
        Destination::Directory(path) => Box::new(target::Directory::create(Arc::clone(store.disk()), &absolute(path))?),
        Destination::Archive(path) => {
            Box::new(Archive::create(Arc::clone(store.disk()), &absolute(path), store.layout().config())?)
        }
        Destination::Stdout => Box::new(Archive::stdout(store.layout().config())),
    };
    let manifest = Writer::new(target.manifest()?);
    let hard_link = request.hard_link;
    let mut backup =
        Backup { target, manifest, previous, hard_link, mailboxes: 0, messages: 0, octets: 0, linked: 0, bad: 0 };
    let (time, program) = (now(), env!("CARGO_PKG_VERSION").to_owned());
    backup.manifest.add(&Entry::Backup { version: VERSION, time, program })?;
    backup.mailboxes(store, console)?;
    // After the mailboxes, so that no mailbox of the backup is missing in its list.
    store.checkpoint()?;
    directory.checkpoint()?;
    for name in CONFIGURATION {
        let from = store.layout().config().join(name);
        if from.is_dir() {
            backup.tree(&from, &format!("config/{name}"), console)?;
        } else if from.is_file() {
            backup.copy(&from, format!("config/{name}"), console)?;
        }
    }
    let Backup { target, mut manifest, mailboxes, messages, octets, linked, bad, .. } = backup;
    manifest.add(&Entry::End { mailboxes, messages, octets })?;
    manifest.finish()?;
    target.finish(console)?;
    tracing::info!(event = "backup.finished", to = ?request.to, mailboxes, messages, octets, linked, bad);
    let summary = if request.json {
        json!({"mailboxes": mailboxes, "messages": messages, "octets": octets, "linked": linked, "bad": bad})
            .to_string()
    } else {
        format!("{mailboxes} mailboxes, {messages} messages ({linked} linked), {octets} octets, {bad} bad")
    };
    match request.to {
        Destination::Stdout => console.err(&summary)?,
        _ => console.out(&summary)?,
    }
    Ok(if bad > 0 { Exit::Found } else { Exit::Ok })
}

/// A backup that is being made.
struct Backup {
    target: Box<dyn Target>,
    manifest: Writer,
    previous: Previous,
    hard_link: bool,
    mailboxes: u64,
    messages: u64,
    octets: u64,
    linked: u64,
    bad: u64,
}

impl Backup {
    fn mailboxes(&mut self, store: &Store, console: &mut dyn Console) -> Result<(), CommandError> {
        let mut rows: Vec<Arc<Row>> = Vec::new();
        store.list("", |name, row| {
            // What waits to be purged is not kept twice.
            if !name.is_deleted() {
                rows.push(Arc::clone(row));
            }
            ControlFlow::Continue(())
        });
        let total = rows.len() as u64;
        for (done, row) in (1..).zip(rows) {
            match store.mailbox(&row.name) {
                Ok(mailbox) => self.mailbox(store, &row, &mailbox, console)?,
                // It was deleted a moment ago.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => self.bad(console, &format!("{}: {error}", row.name))?,
            }
            console.progress(&Progress { what: row.name.to_string(), done, total: Some(total) })?;
        }
        Ok(())
    }

    fn mailbox(
        &mut self,
        store: &Store,
        row: &Row,
        mailbox: &Arc<Mailbox>,
        console: &mut dyn Console,
    ) -> Result<(), CommandError> {
        let copy = match mailbox.copy_out() {
            Ok(copy) => copy,
            // Moved or deleted a moment ago.
            Err(error) if error.kind() == ErrorKind::NotFound || mailbox.is_gone() => return Ok(()),
            Err(error) => return Ok(self.bad(console, &format!("{}: {error}", row.name))?),
        };
        let live = store.layout().mailbox_dir(&row.partition, &row.name)?;
        let spool = store.layout().partition(&row.partition)?;
        let below = live.strip_prefix(spool).map_or_else(|_| row.name.to_string(), |path| path.display().to_string());
        let directory = format!("spool/{}/{below}", row.partition);
        self.target.directory(&directory)?;
        self.manifest.add(&Entry::Mailbox {
            name: row.name.to_string(),
            partition: row.partition.clone(),
            id: row.unique_id.to_string(),
            uid_validity: copy.uid_validity.get(),
            directory: directory.clone(),
            messages: copy.messages.len() as u64,
        })?;
        for (name, bytes) in &copy.files {
            self.file(format!("{directory}/{name}"), bytes, SystemTime::now(), console)?;
        }
        if copy.unreadable > 0 {
            let what = format!("{}: {} records of its index cannot be read", row.name, copy.unreadable);
            self.bad(console, &what)?;
        }
        for record in &copy.messages {
            let path = format!("{directory}/{}.", record.uid);
            match self.message(mailbox, record, &path) {
                Ok(()) => {
                    self.add(path, u64::from(record.size), record.hash)?;
                    self.messages += 1;
                }
                Err(Unfit::Message(problem)) => {
                    self.bad(console, &format!("{} uid {}: {problem}", row.name, record.uid))?;
                }
                Err(Unfit::Target(error)) => return Err(error.into()),
            }
            self.target.pass_on(console)?;
        }
        self.mailboxes += 1;
        Ok(())
    }

    /// Puts a message file into the backup.
    fn message(&mut self, mailbox: &Arc<Mailbox>, record: &Record, path: &str) -> Result<(), Unfit> {
        if let Some(from) = self.previous.find(path, &record.hash)
            && self.target.link(&from, path)
        {
            self.linked += 1;
            return Ok(());
        }
        let problem = |problem: &dyn Display| Unfit::Message(problem.to_string());
        let file = mailbox.open_message(record.uid).map_err(|error| problem(&error))?;
        let size = file.metadata().map_err(|error| problem(&error))?.size;
        let wrong_size = || problem(&format_args!("the file has {size} octets instead of {}", record.size));
        if self.hard_link && self.target.link(file.path(), path) {
            self.linked += 1;
            // Only its size is looked at: to read it all is what a link spares.
            return if size == u64::from(record.size) { Ok(()) } else { Err(wrong_size()) };
        }
        let bytes = file.read_all(record.size.max(MAX_STRANGE).into()).map_err(|error| problem(&error))?;
        // The internal date is kept as the file's time, for the day when the index is lost.
        let date = u64::try_from(record.internal_date.seconds).unwrap_or(0);
        self.target.file(path, &bytes, UNIX_EPOCH + Duration::from_secs(date)).map_err(Unfit::Target)?;
        // What differs is copied all the same, half a message may be better than none, but the manifest does not vouch for it.
        if bytes.len() as u64 != u64::from(record.size) {
            return Err(wrong_size());
        }
        if ContentHash::of(&bytes) != record.hash {
            return Err(problem(&"the file differs from its hash"));
        }
        Ok(())
    }

    /// Copies the regular files below a directory of the configuration. What is there only when the others are copied is
    /// copied too: a journal that was rotated meanwhile is in two files, and one without the other proves nothing.
    fn tree(&mut self, from: &Path, path: &str, console: &mut dyn Console) -> Result<(), CommandError> {
        self.target.directory(path)?;
        let mut known = HashSet::new();
        for _ in 0..LISTINGS {
            let mut entries: Vec<_> = fs::read_dir(from)?.collect::<Result<_, _>>()?;
            entries.retain(|entry| known.insert(entry.file_name()));
            if entries.is_empty() {
                break;
            }
            entries.sort_by_key(fs::DirEntry::file_name);
            for entry in entries {
                self.entry(&entry, path, console)?;
            }
        }
        Ok(())
    }

    fn entry(&mut self, entry: &fs::DirEntry, path: &str, console: &mut dyn Console) -> Result<(), CommandError> {
        let Some(name) = entry.file_name().to_str().map(|name| format!("{path}/{name}")) else { return Ok(()) };
        let kind = entry.file_type()?;
        if kind.is_dir() {
            return self.tree(&entry.path(), &name, console);
        }
        if !kind.is_file() {
            return Ok(());
        }
        self.copy(&entry.path(), name, console)
    }

    /// Copies a file of the configuration.
    fn copy(&mut self, from: &Path, name: String, console: &mut dyn Console) -> Result<(), CommandError> {
        let read = File::open(from).and_then(|mut file| {
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes)?;
            Ok((bytes, file.metadata()?.modified()?))
        });
        match read {
            Ok((bytes, modified)) => self.file(name, &bytes, modified, console),
            // A copy that was rotated away meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Puts a small file into the backup.
    fn file(
        &mut self,
        path: String,
        bytes: &[u8],
        modified: SystemTime,
        console: &mut dyn Console,
    ) -> Result<(), CommandError> {
        self.target.file(&path, bytes, modified)?;
        self.target.pass_on(console)?;
        Ok(self.add(path, bytes.len() as u64, ContentHash::of(bytes))?)
    }

    fn add(&mut self, path: String, size: u64, hash: ContentHash) -> io::Result<()> {
        self.octets += size;
        self.manifest.add(&Entry::File { path, size, hash: hash.to_string() })
    }

    fn bad(&mut self, console: &mut dyn Console, what: &str) -> io::Result<()> {
        self.bad += 1;
        tracing::error!(event = "backup.incomplete", what);
        console.err(what)
    }
}

/// Why a message is not in the backup as it should be.
enum Unfit {
    /// Because of the message: the backup goes on.
    Message(String),
    /// Because the backup cannot be written.
    Target(io::Error),
}

/// An earlier backup.
#[derive(Default)]
struct Previous {
    dir: PathBuf,
    hashes: HashMap<String, String>,
}

impl Previous {
    fn read(dir: &Path) -> io::Result<Self> {
        let mut hashes = HashMap::new();
        manifest::read(dir, |entry| {
            if let Entry::File { path, hash, .. } = entry {
                hashes.insert(path, hash);
            }
            Ok::<_, io::Error>(())
        })?;
        Ok(Self { dir: dir.to_owned(), hashes })
    }

    /// The file of that path, if it is the same.
    fn find(&self, path: &str, hash: &ContentHash) -> Option<PathBuf> {
        self.hashes.get(path).filter(|known| **known == hash.to_string())?;
        manifest::place(&self.dir, path)
    }
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
