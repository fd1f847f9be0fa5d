//! Deliveries as they begin and end, in a file that is written at once and synced never: what a process wrote outlives it.
//!
//! ```text
//! file      = magic *record
//! magic     = "angdlv1" LF
//! record    = length crc body        ; length of the body, 2 octets; CRC-32 (IEEE) of the body, 4 octets
//! body      = begin / delivered / undone
//! begin     = "B" number time hash id-length id key
//! delivered = "D" number
//! undone    = "U" number             ; the message is not there
//! number    = 8OCTET                 ; counts copies; unique in the two files
//! time      = 8OCTET                 ; Unix seconds
//! hash      = 32OCTET                ; BLAKE3 of the message
//! id-length = OCTET
//! id        = *64OCTET               ; unique id of the mailbox
//! key       = *256OCTET              ; as in the database
//! ```
//!
//! All numbers are little-endian. A record that is cut or damaged ends the file: after a power cut anything may stand there.
//!
//! There are two files, because a file may go only when the database has reached the disk with all that it says: a long
//! `deliver.journal` becomes `deliver.journal.old`, a new one begins with the deliveries under way, and the old one goes
//! behind the database's flush.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use durable::disk::{self, Disk, DiskFile};
use parking_lot::Mutex;

use crate::ident::{ContentHash, UniqueId};

const MAGIC: &[u8; 8] = b"angdlv1\n";

/// A file of this many octets is long: some thousand deliveries, replayed within milliseconds.
pub(super) const LONG: u64 = 1 << 20;

/// What is read of a file at most. One is longer than [`LONG`] only where the database can't be flushed.
const MOST: u64 = 64 << 20;

const LENGTH: usize = 2;
const PREFIX: usize = LENGTH + 4;

/// One copy of a message on its way.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Note {
    /// When it began, Unix seconds.
    pub(super) time: i64,
    /// Of the message.
    pub(super) hash: ContentHash,
    pub(super) mailbox: UniqueId,
    /// Of its mark in the database.
    pub(super) key: Vec<u8>,
}

/// The journal of deliveries.
#[derive(Debug)]
pub(super) struct Journal {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    old: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Nothing until the first delivery, and after an error.
    file: Option<DiskFile>,
    end: u64,
    /// The length at which the file counts as long.
    long: u64,
    next: u64,
    /// The records of deliveries under way, by number.
    under_way: BTreeMap<u64, Vec<u8>>,
    rotating: bool,
    has_old: bool,
    /// Whether an error was logged since the last success: a full disk would log each delivery.
    failing: bool,
}

#[derive(PartialEq, Eq, Debug)]
enum Record {
    Begin(u64, Note),
    Delivered(u64),
    Undone(u64),
}

impl Journal {
    /// The journal at `path`. No file is touched.
    pub(super) fn new(disk: Arc<dyn Disk>, path: PathBuf) -> Journal {
        let mut old = path.clone().into_os_string();
        old.push(".old");
        let state = State {
            file: None,
            end: 0,
            long: LONG,
            next: 0,
            under_way: BTreeMap::new(),
            rotating: false,
            has_old: false,
            failing: false,
        };
        Journal { disk, path, old: old.into(), state: Mutex::new(state) }
    }

    /// What the files say: each copy, and whether it was delivered. Copies that certainly were not are left out; of the
    /// others nobody knows.
    pub(super) fn replay(&self) -> Vec<(Note, bool)> {
        let mut open = BTreeMap::new();
        let mut delivered = Vec::new();
        for path in [&self.old, &self.path] {
            let bytes = match self.disk.read(path, MOST) {
                Ok(bytes) => bytes,
                Err(error) if error.is_not_found() => continue,
                Err(error) => {
                    tracing::warn!(event = "duplicates.journal.failed", %error, "not read");
                    continue;
                }
            };
            for record in records(&bytes) {
                match record {
                    Record::Begin(number, note) => drop(open.insert(number, note)),
                    Record::Delivered(number) => delivered.extend(open.remove(&number).map(|note| (note, true))),
                    Record::Undone(number) => drop(open.remove(&number)),
                }
            }
        }
        delivered.extend(open.into_values().map(|note| (note, false)));
        delivered
    }

    /// Removes the files: the database holds what they say. The next delivery begins a new one.
    pub(super) fn begin_anew(&self) {
        let mut state = self.state.lock();
        (state.file, state.end, state.long) = (None, 0, LONG);
        for path in [&self.old, &self.path] {
            match self.disk.unlink(path) {
                Err(error) if !error.is_not_found() => state.failed(&error),
                _ => {}
            }
        }
        state.has_old = false;
    }

    /// Notes that these copies are about to be delivered. Returns their numbers.
    pub(super) fn begin(&self, notes: &[Note]) -> Vec<u64> {
        let mut state = self.state.lock();
        let first = state.next;
        state.next += notes.len() as u64;
        let mut bytes = Vec::new();
        for (number, note) in (first..).zip(notes) {
            let record = Record::encode_begin(number, note);
            bytes.extend_from_slice(&record);
            state.under_way.insert(number, record);
        }
        // A file that is made now begins with all that is under way.
        if state.file.is_some() {
            self.write(&mut state, &bytes);
        } else {
            self.create(&mut state);
        }
        (first..state.next).collect()
    }

    /// Notes which of the copies came. Returns whether it is time to [`rotate`](Self::rotate).
    pub(super) fn end(&self, numbers: &[u64], came: &[bool]) -> bool {
        let mut bytes = Vec::new();
        for (number, came) in numbers.iter().zip(came) {
            let kind = if *came { b'D' } else { b'U' };
            frame(&mut bytes, &[&[kind], &number.to_le_bytes()]);
        }
        let mut state = self.state.lock();
        for number in numbers {
            state.under_way.remove(number);
        }
        if state.file.is_some() {
            self.write(&mut state, &bytes);
        }
        state.end >= state.long && !state.rotating
    }

    /// Begins a new file, and removes the old one when `flush` says that the database has reached the disk.
    pub(super) fn rotate(&self, flush: impl FnOnce() -> bool) {
        {
            let mut state = self.state.lock();
            if std::mem::replace(&mut state.rotating, true) {
                return;
            }
            // An old one that could not go yet stays the old one: what it says is in no other file.
            if !state.has_old {
                match self.disk.rename(&self.path, &self.old) {
                    Ok(()) => {
                        state.has_old = true;
                        self.create(&mut state);
                    }
                    Err(error) => state.failed(&error),
                }
            }
        }
        // No lock is held while the disk works: deliveries go on.
        let removed = flush().then(|| self.disk.unlink(&self.old));
        let mut state = self.state.lock();
        if let Some(Err(error)) = &removed {
            tracing::warn!(event = "duplicates.journal.failed", %error, "the old journal stays until the next turn");
        }
        let gone = matches!(removed, Some(Ok(())));
        state.rotating = false;
        state.has_old &= !gone;
        state.long = if gone { LONG } else { state.end + LONG };
    }

    /// Makes the file, with what is under way.
    fn create(&self, state: &mut State) {
        match self.disk.create_new(&self.path) {
            Ok(file) => {
                let mut bytes = MAGIC.to_vec();
                state.under_way.values().for_each(|record| bytes.extend_from_slice(record));
                (state.file, state.end) = (Some(file), 0);
                if !self.write(state, &bytes) {
                    // Nobody would read it without its beginning: the next delivery makes it anew.
                    state.file = None;
                    let _ = self.disk.unlink(&self.path);
                }
            }
            Err(error) => {
                state.file = None;
                state.failed(&error);
            }
        }
    }

    /// Returns whether they are written.
    fn write(&self, state: &mut State, bytes: &[u8]) -> bool {
        let Some(file) = &state.file else { return false };
        match self.disk.write_at(file, bytes, state.end) {
            Ok(()) => {
                state.end += bytes.len() as u64;
                state.failing = false;
                true
            }
            // The next record goes where this one failed.
            Err(error) => {
                state.failed(&error);
                false
            }
        }
    }
}

impl State {
    fn failed(&mut self, error: &disk::Error) {
        if !std::mem::replace(&mut self.failing, true) {
            tracing::error!(event = "duplicates.journal.failed", %error, "a crash now may let mail come twice");
        }
    }
}

impl Record {
    fn encode_begin(number: u64, note: &Note) -> Vec<u8> {
        let id = note.mailbox.as_str().as_bytes();
        let mut record = Vec::with_capacity(PREFIX + 50 + id.len() + note.key.len());
        let parts: [&[u8]; 7] = [
            b"B",
            &number.to_le_bytes(),
            &note.time.to_le_bytes(),
            &note.hash.0,
            // An id has at most 64 octets.
            &[id.len() as u8],
            id,
            &note.key,
        ];
        frame(&mut record, &parts);
        record
    }

    fn decode(body: &[u8]) -> Option<Record> {
        let (kind, rest) = body.split_first()?;
        let (number, rest) = rest.split_first_chunk()?;
        let number = u64::from_le_bytes(*number);
        match kind {
            b'B' => {
                let (time, rest) = rest.split_first_chunk()?;
                let (hash, rest) = rest.split_first_chunk()?;
                let (length, rest) = rest.split_first()?;
                let (id, key) = rest.split_at_checked(usize::from(*length))?;
                let mailbox = UniqueId::parse(std::str::from_utf8(id).ok()?)?;
                let time = i64::from_le_bytes(*time);
                Some(Record::Begin(number, Note { time, hash: ContentHash(*hash), mailbox, key: key.to_vec() }))
            }
            b'D' if rest.is_empty() => Some(Record::Delivered(number)),
            b'U' if rest.is_empty() => Some(Record::Undone(number)),
            _ => None,
        }
    }
}

/// Adds a record whose body is `parts`: some hundred octets, as the parts are bounded.
fn frame(into: &mut Vec<u8>, parts: &[&[u8]]) {
    let start = into.len();
    into.extend_from_slice(&[0; PREFIX]);
    parts.iter().for_each(|part| into.extend_from_slice(part));
    let body = &into[start + PREFIX..];
    let (length, crc) = (body.len() as u16, crc32fast::hash(body));
    into[start..start + LENGTH].copy_from_slice(&length.to_le_bytes());
    into[start + LENGTH..start + PREFIX].copy_from_slice(&crc.to_le_bytes());
}

/// The records of a file, up to its end or to the first one that is cut or damaged.
fn records(bytes: &[u8]) -> impl Iterator<Item = Record> {
    let mut rest = bytes.strip_prefix(MAGIC).unwrap_or_default();
    std::iter::from_fn(move || {
        let (length, after) = rest.split_first_chunk()?;
        let (crc, after) = after.split_first_chunk()?;
        let (body, after) = after.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
        rest = after;
        (crc32fast::hash(body) == u32::from_le_bytes(*crc)).then(|| Record::decode(body)).flatten()
    })
}

#[cfg(test)]
mod tests {
    use durable::disk::{Fault, FaultyDisk};

    use super::*;

    fn note(mailbox: &str, key: &[u8]) -> Note {
        let mailbox = UniqueId::parse(mailbox).unwrap();
        Note { time: -7, hash: ContentHash::of(key), mailbox, key: key.to_vec() }
    }

    #[test]
    fn records_are_read_up_to_the_first_bad_one() {
        let long = "m".repeat(64);
        let notes = [note("a", b"<1@x>\0a"), note(&long, &[0xff; 256]), note("c", b"")];
        let mut file = MAGIC.to_vec();
        let mut ends = vec![file.len()];
        for (number, note) in (0..).zip(&notes) {
            file.extend(Record::encode_begin(number, note));
            ends.push(file.len());
        }
        frame(&mut file, &[b"D", &1u64.to_le_bytes()]);
        ends.push(file.len());
        frame(&mut file, &[b"U", &2u64.to_le_bytes()]);
        ends.push(file.len());
        let all: Vec<_> = records(&file).collect();
        let begins = notes.into_iter().enumerate().map(|(number, note)| Record::Begin(number as u64, note));
        assert_eq!(all, begins.chain([Record::Delivered(1), Record::Undone(2)]).collect::<Vec<_>>());
        for length in 0..file.len() {
            let whole = ends.iter().filter(|end| **end <= length).count().saturating_sub(1);
            assert_eq!(records(&file[..length]).count(), whole, "cut at {length}");
        }
        for at in 0..file.len() {
            let mut bad = file.clone();
            bad[at] ^= 0x10;
            let whole = ends.iter().filter(|end| **end <= at).count().saturating_sub(1);
            assert_eq!(records(&bad).collect::<Vec<_>>(), &all[..whole], "bad at {at}");
        }
    }

    #[test]
    fn a_journal_without_its_beginning_is_made_anew() {
        let dir = tempfile::tempdir().unwrap();
        let disk = Arc::new(FaultyDisk::new(Arc::new(disk::RealDisk)));
        let journal = Journal::new(Arc::clone(&disk) as _, dir.path().join("deliver.journal"));
        disk.set_fault(Some(Fault::ShortWrite { at: disk.changes() + 2, keep: 3, errno: rustix::io::Errno::NOSPC }));
        journal.begin(&[note("a", b"1")]);
        journal.begin(&[note("b", b"2")]);
        assert_eq!(journal.replay(), [(note("a", b"1"), false), (note("b", b"2"), false)]);
    }

    #[test]
    fn a_journal_that_cannot_be_written_stops_nobody() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deliver.journal");
        std::fs::create_dir(&path).unwrap();
        let journal = Journal::new(Arc::new(disk::RealDisk), path.clone());
        assert_eq!(journal.replay(), []);
        let numbers = journal.begin(&[note("a", b"1"), note("b", b"1")]);
        assert!(!journal.end(&numbers, &[true, false]));
        let numbers = journal.begin(&[note("c", b"2")]);
        // It comes back with what is under way.
        std::fs::remove_dir(&path).unwrap();
        journal.begin(&[note("d", b"3")]);
        assert_eq!(journal.replay(), [(note("c", b"2"), false), (note("d", b"3"), false)]);
        assert!(!journal.end(&numbers, &[true]));
        assert_eq!(journal.replay(), [(note("c", b"2"), true), (note("d", b"3"), false)]);
    }
}
