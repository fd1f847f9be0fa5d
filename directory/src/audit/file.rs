//! The audit log's file: a line for each entry, turned over by size.
//!
//! A back end that keeps entries until they are durable here (the embedded directory does) loses none, whatever ends the
//! server: what is not in the file at the next start is written then.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use durable::disk::{self, Disk, DiskFile};
use parking_lot::Mutex;

use super::Entry;

/// The file that is written to, below the log directory.
const AUDIT_FILE: &str = "audit.log";

/// A file that has grown to this gets a name with the number of its last entry, and another is begun: some 50,000 entries,
/// and a file that an editor opens.
const MAX_FILE: u64 = 16 << 20;

/// So many of the files before are kept.
const KEPT_FILES: usize = 20;

/// Octets at the end of a file that are looked at for entries which may be missing: what is waiting is in the last two files.
const TAIL: u64 = 2 * MAX_FILE;

/// The audit log of a directory.
#[derive(Debug)]
pub struct AuditFile {
    disk: Arc<dyn Disk>,
    directory: PathBuf,
    max: u64,
    open: Mutex<Option<Open>>,
}

#[derive(Debug)]
struct Open {
    file: DiskFile,
    size: u64,
    /// The last line has no end: a crash cut it off.
    torn: bool,
}

impl AuditFile {
    /// The log in `directory`, which is made with the first entry.
    #[must_use]
    pub fn new(directory: &Path, disk: Arc<dyn Disk>) -> AuditFile {
        AuditFile { disk, directory: directory.to_owned(), max: MAX_FILE, open: Mutex::default() }
    }

    /// The file that is written to.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.directory.join(AUDIT_FILE)
    }

    /// Adds entries. They can be read at once, and survive a power cut after [`sync`](Self::sync).
    ///
    /// # Errors
    /// The disk's: some of the entries may be in, some not.
    pub fn append(&self, entries: &[Entry]) -> disk::Result<()> {
        let Some(last) = entries.last() else { return Ok(()) };
        let mut guard = self.open.lock();
        let mut lines: String = entries.iter().map(Entry::line).collect();
        let open = self.opened(&mut guard)?;
        if open.torn {
            lines.insert(0, '\n');
        }
        // Until it is all there, what is there may end anywhere.
        open.torn = true;
        self.disk.write_at(&open.file, lines.as_bytes(), open.size)?;
        open.size += lines.len() as u64;
        open.torn = false;
        if open.size < self.max {
            return Ok(());
        }
        let file = open.file.clone();
        *guard = None;
        self.turn_over(&file, last.number)
    }

    /// Makes all that was added durable.
    ///
    /// # Errors
    /// The disk's.
    pub fn sync(&self) -> disk::Result<()> {
        match &*self.open.lock() {
            Some(open) => self.disk.sync_data(&open.file),
            None => Ok(()),
        }
    }

    /// Those of `entries` that are not in the log: for a start after a crash.
    ///
    /// # Errors
    /// The disk's.
    pub fn missing(&self, entries: &[Entry]) -> disk::Result<Vec<Entry>> {
        if entries.is_empty() {
            return Ok(Vec::new());
        }
        let mut known = HashSet::new();
        let mut turned = self.turned()?;
        turned.truncate(1);
        for path in [self.path()].into_iter().chain(turned.into_iter().map(|(_, path)| path)) {
            known.extend(self.numbers_at_end(&path)?);
        }
        Ok(entries.iter().filter(|entry| !known.contains(&entry.number)).cloned().collect())
    }

    /// The last entries, the latest first: at most `limit`, from what is kept.
    ///
    /// # Errors
    /// The disk's. Lines that are none are passed over.
    pub fn last(&self, limit: usize) -> disk::Result<Vec<Entry>> {
        self.before(u64::MAX, limit)
    }

    /// The same of those whose numbers are below `number`. Reads no file in which there is none of them, and no more files
    /// than it takes.
    ///
    /// # Errors
    /// The disk's. Lines that are none are passed over.
    pub fn before(&self, mut number: u64, limit: usize) -> disk::Result<Vec<Entry>> {
        let mut found = Vec::new();
        let turned = self.turned()?;
        // The open file begins behind the last one that was turned over, and so does each of those.
        let begins = turned.iter().map(|(last, _)| *last).chain([0]);
        let paths = [self.path()].into_iter().chain(turned.iter().map(|(_, path)| path.clone()));
        for (path, begin) in paths.zip(begins) {
            if begin.saturating_add(1) >= number {
                continue;
            }
            let text = match self.disk.read(&path, 2 * self.max) {
                Ok(text) => text,
                Err(error) if error.is_not_found() => continue,
                Err(error) => return Err(error),
            };
            for line in text.split(|octet| *octet == b'\n').rev() {
                if found.len() >= limit {
                    return Ok(found);
                }
                // What is turned over meanwhile is seen twice, and said once.
                let entry = serde_json::from_slice(line).ok().filter(|entry: &Entry| entry.number < number);
                number = entry.as_ref().map_or(number, |entry| entry.number);
                found.extend(entry);
            }
        }
        Ok(found)
    }

    fn opened<'a>(&self, guard: &'a mut Option<Open>) -> disk::Result<&'a mut Open> {
        let open = match guard.take() {
            Some(open) => open,
            None => self.open()?,
        };
        Ok(guard.insert(open))
    }

    fn open(&self) -> disk::Result<Open> {
        let path = self.path();
        match self.disk.open_rw(&path) {
            Ok(file) => {
                let size = file.metadata()?.size;
                let mut end = [b'\n'];
                if let Some(last) = size.checked_sub(1) {
                    file.read_exact_at(&mut end, last)?;
                }
                Ok(Open { file, size, torn: end != [b'\n'] })
            }
            Err(error) if error.is_not_found() => {
                self.disk.create_dir_all(&self.directory)?;
                let file = self.disk.create_new(&path)?;
                self.disk.sync_dir(&self.directory)?;
                Ok(Open { file, size: 0, torn: false })
            }
            Err(error) => Err(error),
        }
    }

    /// Gives the file its last name, and removes those that are too many.
    fn turn_over(&self, file: &DiskFile, last: u64) -> disk::Result<()> {
        self.disk.sync_data(file)?;
        self.disk.rename(&self.path(), &self.directory.join(format!("{AUDIT_FILE}.{last:020}")))?;
        for (_, path) in self.turned()?.into_iter().skip(KEPT_FILES) {
            self.disk.unlink(&path)?;
        }
        self.disk.sync_dir(&self.directory)
    }

    /// The files that were turned over, the latest first.
    fn turned(&self) -> disk::Result<Vec<(u64, PathBuf)>> {
        let entries = match self.disk.read_dir(&self.directory) {
            Ok(entries) => entries,
            Err(error) if error.is_not_found() => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let number = |name: &str| name.strip_prefix(AUDIT_FILE)?.strip_prefix('.')?.parse().ok();
        let named = entries.iter().filter_map(|entry| entry.name.to_str());
        let mut turned: Vec<(u64, PathBuf)> =
            named.filter_map(|name| Some((number(name)?, self.directory.join(name)))).collect();
        turned.sort();
        turned.reverse();
        Ok(turned)
    }

    fn numbers_at_end(&self, path: &Path) -> disk::Result<Vec<u64>> {
        let file = match self.disk.open_read(path) {
            Ok(file) => file,
            Err(error) if error.is_not_found() => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let size = file.metadata()?.size;
        let length = size.min(TAIL);
        let mut tail = vec![0; usize::try_from(length).unwrap_or_default()];
        file.read_exact_at(&mut tail, size - length)?;
        let lines = tail.split(|octet| *octet == b'\n');
        let read = |line: &[u8]| serde_json::from_slice::<Entry>(line).ok().map(|entry| entry.number);
        Ok(lines.filter_map(read).collect())
    }
}

#[cfg(test)]
mod tests {
    use durable::disk::{Fault, FaultyDisk, RealDisk};

    use super::*;
    use crate::actor::Actor;
    use crate::audit::Event;

    fn entries(numbers: impl IntoIterator<Item = u64>) -> Vec<Entry> {
        let entry = |number| Entry::new(number, &Actor::server(), &Event::new("user.create", format!("user{number}")));
        numbers.into_iter().map(entry).collect()
    }

    fn numbers(entries: &[Entry]) -> Vec<u64> {
        entries.iter().map(|entry| entry.number).collect()
    }

    #[test]
    fn files_are_turned_over_and_old_ones_go() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = AuditFile::new(&dir.path().join("log"), Arc::new(RealDisk));
        log.max = 300;
        for number in 1..=100 {
            log.append(&entries([number])).unwrap();
        }
        log.sync().unwrap();
        let kept = log.turned().unwrap();
        assert_eq!(kept.len(), KEPT_FILES);
        assert!(kept.windows(2).all(|two| two[0].0 > two[1].0));
        assert_eq!(numbers(&log.last(5).unwrap()), [100, 99, 98, 97, 96]);
        assert!(log.last(1000).unwrap().len() > 2 * KEPT_FILES);
        // Page by page it is the same.
        let (all, mut pages, mut number) = (log.last(1000).unwrap(), Vec::new(), u64::MAX);
        loop {
            let page = log.before(number, 7).unwrap();
            let Some(last) = page.last() else { break };
            number = last.number;
            pages.extend(page);
        }
        assert_eq!(pages, all);
        assert_eq!((numbers(&log.before(98, 2).unwrap()), log.before(1, 5).unwrap()), (vec![97, 96], vec![]));
        assert_eq!(numbers(&log.missing(&entries([98, 100, 101])).unwrap()), [101]);
    }

    #[test]
    fn what_was_cut_off_is_written_again() {
        let dir = tempfile::tempdir().unwrap();
        let disk = Arc::new(FaultyDisk::new(Arc::new(RealDisk)));
        let log = AuditFile::new(dir.path(), disk.clone());
        log.append(&entries([1, 2])).unwrap();
        disk.set_fault(Some(Fault::Crash { at: disk.changes() + 1, torn: 20 }));
        assert!(log.append(&entries([3, 4])).is_err());
        drop(log);
        let log = AuditFile::new(dir.path(), Arc::new(RealDisk));
        let missing = log.missing(&entries(1..=4)).unwrap();
        assert_eq!(numbers(&missing), [3, 4]);
        log.append(&missing).unwrap();
        assert_eq!(numbers(&log.last(10).unwrap()), [4, 3, 2, 1]);
        assert_eq!(log.missing(&entries(1..=4)).unwrap(), []);
    }

    #[test]
    fn a_failed_write_does_not_spoil_the_next_line() {
        let dir = tempfile::tempdir().unwrap();
        let disk = Arc::new(FaultyDisk::new(Arc::new(RealDisk)));
        let log = AuditFile::new(dir.path(), disk.clone());
        log.append(&entries([1])).unwrap();
        let errno = rustix::io::Errno::NOSPC;
        disk.set_fault(Some(Fault::Fail { at: disk.changes() + 1, errno, lasting: false }));
        assert!(log.append(&entries([2])).is_err());
        log.append(&entries([2, 3])).unwrap();
        assert_eq!(numbers(&log.last(10).unwrap()), [3, 2, 1]);
    }
}
