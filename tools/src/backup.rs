//! `angarium backup`: a copy of the whole store, taken while it is in use.
//!
//! The copy has the shape of the store: `spool/<partition>/<mailbox>/` with one file a message and the mailbox's small
//! files as they were at one moment, `config/` with the safety copies of the mailboxes database and the directory (the
//! limits of quota roots are among them), subscriptions and scripts, and a manifest with the hash of every file. So it can
//! be restored with `tar` and `reconstruct` as well as with `angarium restore`.
//!
//! Message files never change, so one that the previous backup has is linked to it and costs nothing (`--previous`); on
//! the spool's own file system the spool's file can be linked (`--hard-link`), which protects from mistakes, not from the
//! loss of the disk. Every file that is copied is compared with the hash that the store has of it.

pub(crate) mod manifest;
mod verify;

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use directory::Directory;
use mailstore::{ContentHash, ErrorKind, Mailbox, Record, Row, Store};
use serde_json::json;

use self::manifest::{Entry, VERSION, Writer};
use crate::error::CommandError;
use crate::{Console, Exit, Progress};

pub use self::verify::verify_backup;

/// What of the configuration directory belongs into a backup, as far as it is there. Keys and passwords of services are
/// left to those who manage the machine.
const CONFIGURATION: [&str; 4] = ["copies", "user", "sieve", "quota"];

/// Where a backup goes, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupRequest {
    /// A directory that is empty or not there.
    pub to: PathBuf,
    /// An earlier backup on the same file system.
    pub previous: Option<PathBuf>,
    /// Link message files instead of copying them.
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
    let to = console.directory().join(&request.to);
    prepare(&to)?;
    let previous = match &request.previous {
        Some(dir) => Previous::read(&console.directory().join(dir))?,
        None => Previous::default(),
    };
    let mut backup = Backup {
        manifest: Writer::create(&to)?,
        to,
        previous,
        hard_link: request.hard_link,
        mailboxes: 0,
        messages: 0,
        octets: 0,
        linked: 0,
        bad: 0,
    };
    let (time, program) = (now(), env!("CARGO_PKG_VERSION").to_owned());
    backup.manifest.add(&Entry::Backup { version: VERSION, time, program })?;
    backup.mailboxes(store, console)?;
    // After the mailboxes, so that no mailbox of the backup is missing in its list.
    store.checkpoint()?;
    directory.checkpoint()?;
    for name in CONFIGURATION {
        let from = store.layout().config().join(name);
        if from.is_dir() {
            backup.tree(&from, &format!("config/{name}"))?;
        }
    }
    let Backup { manifest, to, mailboxes, messages, octets, linked, bad, .. } = backup.end()?;
    manifest.finish(&to)?;
    tracing::info!(event = "backup.finished", to = %to.display(), mailboxes, messages, octets, linked, bad);
    console.out(&if request.json {
        json!({"mailboxes": mailboxes, "messages": messages, "octets": octets, "linked": linked, "bad": bad})
            .to_string()
    } else {
        format!("{mailboxes} mailboxes, {messages} messages ({linked} linked), {octets} octets, {bad} bad")
    })?;
    Ok(if bad > 0 { Exit::Found } else { Exit::Ok })
}

/// A backup that is being made.
struct Backup {
    to: PathBuf,
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
        let copy = mailbox.copy_out()?;
        let live = store.layout().mailbox_dir(&row.partition, &row.name)?;
        let spool = store.layout().partition(&row.partition)?;
        let below = live.strip_prefix(spool).map_or_else(|_| row.name.to_string(), |path| path.display().to_string());
        let directory = format!("spool/{}/{below}", row.partition);
        fs::create_dir_all(self.to.join(&directory))?;
        self.manifest.add(&Entry::Mailbox {
            name: row.name.to_string(),
            partition: row.partition.clone(),
            id: row.unique_id.to_string(),
            uid_validity: copy.uid_validity.get(),
            directory: directory.clone(),
            messages: copy.messages.len() as u64,
        })?;
        for (name, bytes) in &copy.files {
            let path = format!("{directory}/{name}");
            fs::write(self.to.join(&path), bytes)?;
            self.add(path, bytes.len() as u64, ContentHash::of(bytes))?;
        }
        for record in &copy.messages {
            let path = format!("{directory}/{}.", record.uid);
            match self.message(mailbox, record, &path) {
                Ok(hash) if hash == record.hash => {
                    self.add(path, u64::from(record.size), hash)?;
                    self.messages += 1;
                }
                Ok(_) => {
                    // It stays where it is: half a message may be better than none, but the manifest does not vouch for it.
                    self.bad(console, &format!("{} uid {}: the file differs from its hash", row.name, record.uid))?;
                }
                Err(problem) => self.bad(console, &format!("{} uid {}: {problem}", row.name, record.uid))?,
            }
        }
        self.mailboxes += 1;
        Ok(())
    }

    /// Puts a message file into the backup; returns its hash.
    fn message(&mut self, mailbox: &Arc<Mailbox>, record: &Record, path: &str) -> io::Result<ContentHash> {
        let to = self.to.join(path);
        if let Some(from) = self.previous.find(path, &record.hash)
            && fs::hard_link(from, &to).is_ok()
        {
            self.linked += 1;
            return Ok(record.hash);
        }
        let file = mailbox.open_message(record.uid).map_err(io::Error::other)?;
        if self.hard_link && fs::hard_link(file.path(), &to).is_ok() {
            self.linked += 1;
            // Only its size is looked at: to read it all is what a link spares.
            let size = file.as_file().metadata()?.len();
            return if size == u64::from(record.size) { Ok(record.hash) } else { Err(io::Error::other("wrong size")) };
        }
        let mut bytes = Vec::with_capacity(record.size as usize);
        file.as_file().take(u64::from(u32::MAX)).read_to_end(&mut bytes)?;
        let mut copy = File::create_new(&to)?;
        copy.write_all(&bytes)?;
        // The internal date is kept as the file's time, for the day when the index is lost.
        let date = u64::try_from(record.internal_date.seconds).unwrap_or(0);
        copy.set_modified(UNIX_EPOCH + Duration::from_secs(date))?;
        Ok(ContentHash::of(&bytes))
    }

    /// Copies the regular files below a directory of the configuration.
    fn tree(&mut self, from: &Path, path: &str) -> Result<(), CommandError> {
        fs::create_dir_all(self.to.join(path))?;
        let mut entries: Vec<_> = fs::read_dir(from)?.collect::<Result<_, _>>()?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let Some(name) = entry.file_name().to_str().map(|name| format!("{path}/{name}")) else { continue };
            let kind = entry.file_type()?;
            if kind.is_dir() {
                self.tree(&entry.path(), &name)?;
            } else if kind.is_file() {
                let bytes = match fs::read(entry.path()) {
                    Ok(bytes) => bytes,
                    // A copy that was rotated away meanwhile.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                    Err(error) => return Err(error.into()),
                };
                fs::write(self.to.join(&name), &bytes)?;
                self.add(name, bytes.len() as u64, ContentHash::of(&bytes))?;
            }
        }
        Ok(())
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

    fn end(mut self) -> io::Result<Self> {
        let Self { mailboxes, messages, octets, .. } = self;
        self.manifest.add(&Entry::End { mailboxes, messages, octets })?;
        Ok(self)
    }
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

/// Makes the backup's directory, or takes one that is empty.
fn prepare(to: &Path) -> Result<(), CommandError> {
    use std::os::unix::fs::DirBuilderExt;
    match fs::DirBuilder::new().mode(0o700).create(to) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => match fs::read_dir(to)?.next() {
            None => Ok(()),
            Some(_) => Err(CommandError::Usage(format!("{} is not empty", to.display()))),
        },
        Err(error) => Err(io::Error::new(error.kind(), format!("{}: {error}", to.display())).into()),
    }
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
