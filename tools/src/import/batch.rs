//! A batch of messages: staged one by one, made durable side by side, appended together.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use mailstore::{
    AppendOptions, ContentHash, Error, ErrorKind, FlagOp, Mailbox, NewMessage, Permitted, QuotaCheck, Record,
    StageWriter, Staged, StoreRequest, SystemFlags, Timestamp, Uid, UidSet,
};

use super::Summary;
use super::mbox::MboxError;
use super::status::Flags;
use crate::console::{Console, Exit};

/// Messages of a batch: so many share a directory sync. More gain nothing measurable, and are lost together.
const MESSAGES: usize = 256;

/// Octets of a batch, so that a batch of large messages is no burst of gigabytes.
const OCTETS: u64 = 32 << 20;

/// Messages that are made durable at the same time. A journalling file system commits those together; more threads only
/// wait for the same disk.
const THREADS: usize = 8;

/// A message to append.
pub(super) struct Item {
    pub(super) writer: StageWriter,
    pub(super) place: Place,
    pub(super) date: Timestamp,
    pub(super) flags: Flags,
}

/// Where a message was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// The offset of its From_ line.
    Offset(u64),
    /// Its file.
    File(PathBuf),
}

/// Why an import ends before its end.
#[derive(Debug)]
pub(super) struct Stop {
    pub(super) exit: Exit,
    pub(super) why: String,
}

/// Messages on their way into one mailbox.
pub(super) struct Batch {
    mailbox: Arc<Mailbox>,
    options: AppendOptions,
    items: Vec<Item>,
    octets: u64,
    /// What is in the mailbox already, where that is to be skipped; with the UID of a message that nobody has flagged or
    /// read since it came.
    present: HashMap<ContentHash, Option<Uid>>,
}

impl Batch {
    /// Messages for `mailbox`.
    pub(super) fn new(mailbox: Arc<Mailbox>, ignore_quota: bool, resume: bool) -> Self {
        let quota = if ignore_quota { QuotaCheck::Ignore } else { QuotaCheck::Enforce };
        let options = AppendOptions { quota, reader: mailbox.name().owner().map(str::to_owned) };
        let mut present = HashMap::new();
        if resume {
            let reading = mailbox.read();
            let untouched = |record: &Record| (record.modseq == record.created_modseq).then_some(record.uid);
            present.extend(reading.records(1..=u32::MAX).map(|record| (record.hash, untouched(&record))));
        }
        Self { mailbox, options, items: Vec::new(), octets: 0, present }
    }

    /// Adds a message.
    pub(super) fn push(&mut self, item: Item) {
        self.octets += item.writer.len();
        self.items.push(item);
    }

    /// Whether it is time to [`flush`](Self::flush).
    pub(super) fn is_full(&self) -> bool {
        self.items.len() >= MESSAGES || self.octets >= OCTETS
    }

    /// Appends what was added. When it fails, nothing of it is in the mailbox but what `summary` says.
    pub(super) fn flush(&mut self, summary: &mut Summary, console: &mut dyn Console) -> Result<(), Stop> {
        self.octets = 0;
        let mut messages = Vec::with_capacity(self.items.len());
        for Finished { place, staged, date, flags } in finish(std::mem::take(&mut self.items)) {
            let staged = match staged {
                Ok(staged) => staged,
                Err(error) if error.kind() == ErrorKind::TooBig => {
                    summary.bad += 1;
                    console.err(&format!("{place}: {error}; left out"))?;
                    continue;
                }
                Err(error) => return Err(Stop::store(&place, &error)),
            };
            if let Some(untouched) = self.present.get(&staged.hash()) {
                summary.present += 1;
                if let Some(uid) = untouched {
                    self.complete(*uid, &flags).map_err(|error| Stop::store(&place, &error))?;
                }
                continue;
            }
            let Flags { system, seen, keywords } = flags;
            let staged = Arc::new(staged);
            messages.push((place, NewMessage { staged, internal_date: date, flags: system, keywords, seen }));
        }
        self.append(messages, summary, console)
    }

    /// Flags a message that came without all of its flags: on its way when an earlier run was killed, it was taken in by its
    /// file alone; or it lost them with an index. It never becomes \Deleted: it may have been brought back on purpose.
    fn complete(&self, uid: Uid, flags: &Flags) -> Result<(), Error> {
        let Flags { seen, keywords, .. } = flags;
        let system = flags.system.without(SystemFlags::DELETED);
        if system == SystemFlags::NONE && !seen && keywords.is_empty() {
            return Ok(());
        }
        let request = StoreRequest {
            reader: self.options.reader.as_deref().unwrap_or_default(),
            uids: &UidSet::from_iter([uid.get()]),
            op: FlagOp::Add,
            system,
            seen: *seen && self.options.reader.is_some(),
            keywords,
            permitted: Permitted::ALL,
            unchanged_since: None,
        };
        match self.mailbox.store(&request) {
            // A mailbox has so many keywords; other flags matter more.
            Err(error) if error.kind() == ErrorKind::Limit => {
                self.mailbox.store(&StoreRequest { keywords: &[], ..request }).map(drop)
            }
            done => done.map(drop),
        }
    }

    fn append(
        &self,
        mut messages: Vec<(Place, NewMessage)>,
        summary: &mut Summary,
        console: &mut dyn Console,
    ) -> Result<(), Stop> {
        if messages.is_empty() {
            return Ok(());
        }
        match self.append_once(&messages, summary) {
            // A mailbox has so many keywords; messages matter more.
            Err(error) if error.kind() == ErrorKind::Limit && messages.iter().any(|(_, m)| !m.keywords.is_empty()) => {
                console.err(&format!("{}: {error}; these messages go without their keywords", self.mailbox.name()))?;
                messages.iter_mut().for_each(|(_, message)| message.keywords.clear());
                self.append(messages, summary, console)
            }
            // As many as there is room for.
            Err(error) if error.kind() == ErrorKind::OverQuota && messages.len() > 1 => {
                messages.iter().try_for_each(|message| {
                    self.append_once(std::slice::from_ref(message), summary)
                        .map_err(|error| Stop::store(&message.0, &error))
                })
            }
            Err(error) => Err(Stop::store(&messages[0].0, &error)),
            Ok(()) => Ok(()),
        }
    }

    fn append_once(&self, messages: &[(Place, NewMessage)], summary: &mut Summary) -> Result<(), Error> {
        let new: Vec<_> = messages.iter().map(|(_, message)| message.clone()).collect();
        self.mailbox.append(&new, &self.options)?;
        summary.imported += new.len() as u64;
        summary.octets += new.iter().map(|message| u64::from(message.staged.size())).sum::<u64>();
        Ok(())
    }
}

/// A message that is durable, or why it is not.
struct Finished {
    place: Place,
    staged: Result<Staged, Error>,
    date: Timestamp,
    flags: Flags,
}

/// Makes messages durable, several at a time. Their order is kept.
fn finish(items: Vec<Item>) -> Vec<Finished> {
    let mut done: Vec<Option<_>> = items.iter().map(|_| None).collect();
    let threads = THREADS.min(items.len());
    let work = Mutex::new(items.into_iter().zip(done.iter_mut()));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let next = work.lock().unwrap_or_else(PoisonError::into_inner).next();
                    let Some((Item { writer, place, date, flags }, slot)) = next else { return };
                    *slot = Some(Finished { place, staged: writer.finish(), date, flags });
                }
            });
        }
    });
    done.into_iter().flatten().collect()
}

impl Stop {
    /// The store does not take the message at `place`, nor those behind it.
    pub(super) fn store(place: &Place, error: &Error) -> Self {
        Self { exit: exit_of(error), why: format!("{place}: {error}") }
    }

    /// The source cannot be read.
    pub(super) fn input(what: &dyn fmt::Display, error: &io::Error) -> Self {
        Self { exit: Exit::NoInput, why: format!("{what}: {error}") }
    }
}

/// The exit code of a failed operation of the store. What may work later is a temporary failure: MTAs that pipe mail into
/// `deliver` bounce on everything else.
pub(crate) fn exit_of(error: &Error) -> Exit {
    match error.kind() {
        ErrorKind::NotFound => Exit::NoUser,
        ErrorKind::Denied => Exit::NoPermission,
        ErrorKind::BadName | ErrorKind::Invalid => Exit::Usage,
        ErrorKind::TooBig => Exit::Data,
        _ => Exit::TempFail,
    }
}

/// Nobody listens any more: the work so far is done, the rest is not begun.
impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self { exit: Exit::TempFail, why: format!("the caller is gone: {error}") }
    }
}

impl From<MboxError> for Stop {
    fn from(error: MboxError) -> Self {
        let exit = if matches!(error, MboxError::NotMbox(_)) { Exit::Data } else { Exit::NoInput };
        Self { exit, why: error.to_string() }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Offset(offset) => write!(f, "offset {offset}"),
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}
