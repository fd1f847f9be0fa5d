//! Reading journal files: what is in them, what is torn, what is damaged.

use std::path::{Path, PathBuf};

use super::{Line, MAX_LINE, parse};
use crate::disk::{self, Disk, DiskFile};

/// What a journal file holds, found without understanding its payloads.
#[derive(Clone, Debug)]
pub(crate) struct Inspection {
    pub(crate) path: PathBuf,
    /// The number of the last batch before this file; `None` if the header is bad.
    pub(crate) after: Option<u64>,
    /// The last good batch before `torn`, or `after`.
    pub(crate) last: u64,
    /// Everything up to here is proved to have been durable by a later line.
    pub(crate) synced: u64,
    /// Where the torn tail begins, if there is one: bytes to cut.
    pub(crate) torn: Option<u64>,
    /// The size of the file.
    pub(crate) len: u64,
    /// What is wrong that a power cut does not explain.
    pub(crate) damage: Option<String>,
    /// The format version that the header names; 0 if it names none.
    pub(crate) version: u64,
}

/// Reads a whole journal file and judges it. Never fails on its content, only on the disk.
pub(crate) fn inspect(disk: &dyn Disk, path: &Path) -> disk::Result<Inspection> {
    let file = disk.open_read(path)?;
    let mut reader = LineReader::new(&file)?;
    let mut found = Inspection {
        path: path.into(),
        after: None,
        last: 0,
        synced: 0,
        torn: None,
        len: reader.len,
        damage: None,
        version: 0,
    };
    let mut first_bad: Option<(u64, u64)> = None;
    // The last good line even behind a bad one; `found.last` stays before it.
    let mut highest = 0;
    while let Some(raw) = reader.next()? {
        let Some(line) = raw.line().filter(|line| raw.number == 1 || line.seq > highest) else {
            if raw.number > 1 {
                first_bad = first_bad.or(Some((raw.number, raw.offset)));
            }
            continue;
        };
        if raw.number == 1 {
            found.after = Some(line.seq);
            found.version = version(line.payload);
            (found.last, found.synced) = (line.seq, line.seq);
        } else {
            // A file without a header starts wherever its first line says.
            let starts = found.after.is_none() && highest == 0;
            if first_bad.is_none() && (starts || line.seq == found.last.saturating_add(1)) {
                found.last = line.seq;
            } else {
                first_bad = first_bad.or(Some((raw.number, raw.offset)));
            }
            found.synced = found.synced.max(line.synced);
        }
        highest = line.seq;
    }
    let name = path.display();
    match first_bad {
        _ if found.after.is_none() => found.damage = Some(format!("{name}: line 1 (the header) is bad")),
        Some((number, _)) if found.synced > found.last => {
            found.damage = Some(format!("{name}: line {number} is bad or out of order"));
        }
        Some((_, offset)) => found.torn = Some(offset),
        None if found.synced > found.last => {
            found.damage = Some(format!("{name}: ends before batch {}", found.synced));
        }
        None => {}
    }
    Ok(found)
}

fn version(header: &str) -> u64 {
    serde_json::from_str::<serde_json::Value>(header).ok().and_then(|header| header["version"].as_u64()).unwrap_or(0)
}

/// Gives every good line of a file after its header to `visit`, in order, up to byte `end`.
pub(crate) fn replay<E: From<disk::Error>>(
    disk: &dyn Disk,
    path: &Path,
    end: u64,
    visit: &mut dyn FnMut(Line<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let file = disk.open_read(path)?;
    let mut reader = LineReader::new(&file)?;
    while let Some(raw) = reader.next()? {
        if raw.offset >= end {
            break;
        }
        if let Some(line) = raw.line().filter(|_| raw.number > 1) {
            visit(line)?;
        }
    }
    Ok(())
}

/// Splits a file into lines with bounded memory.
pub(crate) struct LineReader<'a> {
    file: &'a DiskFile,
    len: u64,
    buffer: Vec<u8>,
    /// The unread part of the buffer.
    start: usize,
    filled: usize,
    /// Where in the file `start` is.
    offset: u64,
    number: u64,
}

/// One line as it stands in the file.
pub(crate) struct RawLine<'a> {
    /// Counting from 1.
    pub(crate) number: u64,
    /// Where it begins.
    pub(crate) offset: u64,
    /// Without the line break.
    pub(crate) bytes: &'a [u8],
    /// Whether it ends in a line break and is not longer than [`MAX_LINE`].
    pub(crate) whole: bool,
}

impl<'a> RawLine<'a> {
    pub(crate) fn line(&self) -> Option<Line<'a>> {
        if self.whole { parse(self.bytes) } else { None }
    }
}

/// Enough that the system calls cost nothing beside the checksums.
const CHUNK: usize = 256 << 10;

impl<'a> LineReader<'a> {
    pub(crate) fn new(file: &'a DiskFile) -> disk::Result<Self> {
        let len = file.metadata()?.size;
        Ok(Self { file, len, buffer: vec![0; CHUNK], start: 0, filled: 0, offset: 0, number: 0 })
    }

    pub(crate) fn next(&mut self) -> disk::Result<Option<RawLine<'_>>> {
        let mut searched = self.start;
        let offset = self.offset;
        let mut dropped = 0u64;
        loop {
            if let Some(found) = memchr::memchr(b'\n', &self.buffer[searched..self.filled]) {
                let end = searched + found;
                return Ok(Some(self.take(end, end + 1, offset, dropped == 0)));
            }
            searched = self.filled;
            if self.filled - self.start > MAX_LINE {
                // Not a line of ours: forget what was read, keep looking for its end.
                dropped += (self.filled - self.start) as u64;
                self.offset += (self.filled - self.start) as u64;
                (self.start, self.filled, searched) = (0, 0, 0);
            }
            if self.start > 0 {
                self.buffer.copy_within(self.start..self.filled, 0);
                self.filled -= self.start;
                searched -= self.start;
                self.start = 0;
            }
            if self.buffer.len() - self.filled < CHUNK {
                self.buffer.resize(self.filled + CHUNK, 0);
            }
            let at = self.offset + self.filled as u64;
            let read = self.file.read_at(&mut self.buffer[self.filled..], at)?;
            if read == 0 {
                if self.filled == self.start && dropped == 0 {
                    return Ok(None);
                }
                let end = self.filled;
                return Ok(Some(self.take(end, end, offset, false)));
            }
            self.filled += read;
        }
    }

    fn take(&mut self, end: usize, next: usize, offset: u64, whole: bool) -> RawLine<'_> {
        let start = self.start;
        self.offset += (next - start) as u64;
        self.start = next;
        self.number += 1;
        RawLine { number: self.number, offset, bytes: &self.buffer[start..end], whole }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{disk::RealDisk, journal::encode};

    fn journal(lines: &[(u64, u64)]) -> (Vec<u8>, Vec<usize>) {
        let (mut bytes, mut starts) = (Vec::new(), Vec::new());
        for &(seq, synced) in lines {
            starts.push(bytes.len());
            encode(&mut bytes, Line { seq, synced, payload: "[]" });
        }
        (bytes, starts)
    }

    fn inspected(bytes: &[u8]) -> Inspection {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("j");
        std::fs::write(&path, bytes).unwrap();
        inspect(&RealDisk, &path).unwrap()
    }

    #[test]
    fn a_group_torn_by_a_power_cut_is_cut_and_damage_is_not() {
        // Batches 1 and 2 were synced alone; 3, 4 and 5 were one group whose sync may not have ended.
        let (bytes, starts) = journal(&[(0, 0), (1, 0), (2, 1), (3, 2), (4, 2), (5, 2)]);
        let whole = inspected(&bytes);
        assert_eq!((whole.after, whole.last, whole.synced, whole.torn, whole.damage), (Some(0), 5, 2, None, None));
        for (line, expect_torn) in [(1, false), (2, false), (3, true), (4, true), (5, true)] {
            let mut bytes = bytes.clone();
            bytes[starts[line] + 3] ^= 1;
            let found = inspected(&bytes);
            assert_eq!(found.last, line as u64 - 1);
            assert_eq!(found.torn, expect_torn.then_some(starts[line] as u64), "line {line}");
            assert_eq!(found.damage.is_some(), !expect_torn, "line {line}");
        }
    }

    #[test]
    fn every_cut_is_a_torn_tail_or_a_line_boundary() {
        let (bytes, starts) = journal(&[(7, 7), (8, 7), (9, 8)]);
        for len in starts[1]..bytes.len() {
            let found = inspected(&bytes[..len]);
            let boundary = starts.contains(&len);
            assert_eq!(found.torn.is_none(), boundary, "cut at {len}");
            assert_eq!(found.damage, None);
            assert_eq!(
                found.last,
                7 + starts[1..].iter().filter(|&&start| start != 0 && start < len).count() as u64
                    - u64::from(!boundary),
                "cut at {len}"
            );
        }
        assert!(inspected(&bytes[..5]).damage.is_some());
        assert!(inspected(b"").damage.is_some());
    }

    #[test]
    fn lines_cross_buffers() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        let lines: Vec<Vec<u8>> = (0..40usize).map(|n| vec![b'a' + n as u8 % 26; n * 20_011]).collect();
        std::fs::write(&path, lines.join(&b'\n')).unwrap();
        let file = RealDisk.open_read(&path).unwrap();
        let mut reader = LineReader::new(&file).unwrap();
        let mut offset = 0;
        for (n, line) in lines.iter().enumerate() {
            let raw = reader.next().unwrap().unwrap();
            assert_eq!((raw.number, raw.offset, raw.bytes.len()), (n as u64 + 1, offset, line.len()));
            assert_eq!(raw.whole, n + 1 < lines.len());
            assert!(raw.bytes == &line[..]);
            offset += line.len() as u64 + 1;
        }
        assert!(reader.next().unwrap().is_none());
    }
}
