//! The dump: all rows of a ledger in one flat text file, so that the journal need not be replayed from its beginning.
//!
//! ```text
//! dump    = header *row trailer
//! header  = <JSON object: "dump" name, "version", "seq" number of a batch, "time" seconds since 1970> LF
//! row     = "[" <key as JSON string> "," <value as JSON> "]" LF     ; in key order
//! trailer = <JSON object: "rows" count, "through" number of a batch, "crc" of all bytes before this line> LF
//! ```
//!
//! A dump is written while changes go on. It holds everything up to batch `seq` and perhaps parts of those up to
//! `through`; since a batch states the new values, not the difference, replaying all batches after `seq` gives the exact
//! state of any moment from `through` on. A dump whose journal ends before `through` proves nothing and is not used.

mod keep;

use std::{
    borrow::Cow,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{
    disk::{self, Disk, parent, temporary_path},
    journal::LineReader,
};
pub(crate) use keep::superfluous;

/// Readers refuse dumps of a newer version.
const VERSION: u32 = 1;

/// A dump file by its name: `<name>.<seq, 20 digits>.<seconds since 1970>.dump`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct DumpName {
    pub(crate) seq: u64,
    pub(crate) time: i64,
}

impl DumpName {
    pub(crate) fn path(&self, dir: &Path, name: &str) -> PathBuf {
        dir.join(format!("{name}.{:020}.{}.dump", self.seq, self.time))
    }

    /// Reads a file name of the ledger `name`.
    pub(crate) fn parse(file: &str, name: &str) -> Option<Self> {
        let (seq, time) = file.strip_prefix(name)?.strip_prefix('.')?.strip_suffix(".dump")?.split_once('.')?;
        Some(Self { seq: seq.parse().ok()?, time: time.parse().ok()? })
    }
}

#[derive(Serialize, Deserialize)]
struct Header<'a> {
    #[serde(borrow)]
    dump: Cow<'a, str>,
    version: u32,
    seq: u64,
    time: i64,
}

#[derive(Serialize, Deserialize)]
struct Trailer<'a> {
    rows: u64,
    through: u64,
    #[serde(borrow)]
    crc: Cow<'a, str>,
}

/// Writes a dump beside its final name and puts it there when it is whole and durable.
pub(crate) struct DumpWriter<'a> {
    disk: &'a dyn Disk,
    path: PathBuf,
    temporary: PathBuf,
    file: disk::DiskFile,
    buffer: Vec<u8>,
    written: u64,
    rows: u64,
    crc: crc32fast::Hasher,
}

/// Rows are gathered to writes of about this size.
const CHUNK: usize = 256 << 10;

impl<'a> DumpWriter<'a> {
    pub(crate) fn start(disk: &'a dyn Disk, dir: &Path, name: &str, dump: &DumpName) -> disk::Result<Self> {
        let path = dump.path(dir, name);
        let temporary = temporary_path(&path);
        let file = disk.create_new(&temporary)?;
        let mut writer = Self {
            disk,
            path,
            temporary,
            file,
            buffer: Vec::with_capacity(CHUNK),
            written: 0,
            rows: 0,
            crc: crc32fast::Hasher::new(),
        };
        let header = Header { dump: name.into(), version: VERSION, seq: dump.seq, time: dump.time };
        writer.line(serde_json::json!(header).to_string().as_bytes())?;
        Ok(writer)
    }

    pub(crate) fn row(&mut self, key: &str, value: &str) -> disk::Result<()> {
        self.rows += 1;
        let key = serde_json::Value::from(key);
        self.line(format!("[{key},{value}]").as_bytes())
    }

    pub(crate) fn finish(mut self, through: u64) -> disk::Result<u64> {
        self.flush()?;
        let crc = format!("{:08x}", self.crc.clone().finalize());
        let trailer = Trailer { rows: self.rows, through, crc: crc.into() };
        self.line(serde_json::json!(trailer).to_string().as_bytes())?;
        self.flush()?;
        self.disk.sync_data(&self.file)?;
        self.disk.rename(&self.temporary, &self.path)?;
        self.disk.sync_dir(parent(&self.path))?;
        Ok(self.rows)
    }

    fn line(&mut self, line: &[u8]) -> disk::Result<()> {
        self.buffer.extend_from_slice(line);
        self.buffer.push(b'\n');
        if self.buffer.len() >= CHUNK { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> disk::Result<()> {
        self.disk.write_at(&self.file, &self.buffer, self.written)?;
        self.crc.update(&self.buffer);
        self.written += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }
}

impl Drop for DumpWriter<'_> {
    fn drop(&mut self) {
        // After a success the name is gone and this fails, which is fine.
        let _ = self.disk.unlink(&self.temporary);
    }
}

/// The key and the value of a row whose key needs no unescaping, which is nearly every one. What the value is nobody looks
/// at here: the checksum at the end says that it is what was written.
fn plain_row(line: &str) -> Option<(&str, &str)> {
    let rest = line.strip_prefix("[\"")?.strip_suffix(']')?;
    let end = memchr::memchr2(b'"', b'\\', rest.as_bytes())?;
    let (key, value) = (rest.get(..end)?, rest.get(end..)?.strip_prefix("\",")?);
    (!value.is_empty()).then_some((key, value))
}

/// What a whole dump says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DumpFacts {
    pub(crate) seq: u64,
    pub(crate) through: u64,
    pub(crate) rows: u64,
}

/// Why a dump is of no use.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DumpError {
    #[error(transparent)]
    Disk(#[from] disk::Error),
    #[error("{}: line {line}: {what}", path.display())]
    Bad { path: PathBuf, line: u64, what: &'static str },
    #[error("{0}")]
    Visitor(String),
}

/// Reads a dump and gives its rows to `visit`. Only the returned facts say that all of it was right: until then the
/// visitor must not let anybody see the rows.
pub(crate) fn read(
    disk: &dyn Disk,
    path: &Path,
    name: &str,
    visit: &mut dyn FnMut(&str, &str) -> Result<(), String>,
) -> Result<DumpFacts, DumpError> {
    let file = disk.open_read(path)?;
    let mut reader = LineReader::new(&file)?;
    let bad = |line, what| DumpError::Bad { path: path.into(), line, what };
    let mut crc = crc32fast::Hasher::new();
    let (mut seq, mut rows) = (None, 0);
    while let Some(raw) = reader.next()? {
        let number = raw.number;
        let text = str::from_utf8(raw.bytes).ok().filter(|_| raw.whole).ok_or_else(|| bad(number, "not a line"))?;
        if number == 1 {
            let header: Header<'_> = serde_json::from_str(text).map_err(|_| bad(number, "not a header"))?;
            if header.dump != name || header.version != VERSION {
                return Err(bad(number, "a dump of something else, or of a newer version"));
            }
            seq = Some(header.seq);
        } else if text.starts_with('[') {
            match plain_row(text) {
                Some((key, value)) => visit(key, value).map_err(DumpError::Visitor)?,
                None => {
                    let (key, value): (Cow<'_, str>, &RawValue) =
                        serde_json::from_str(text).map_err(|_| bad(number, "not a row"))?;
                    visit(&key, value.get()).map_err(DumpError::Visitor)?;
                }
            }
            rows += 1;
        } else {
            let trailer: Trailer<'_> = serde_json::from_str(text).map_err(|_| bad(number, "not a row"))?;
            let sum = format!("{:08x}", crc.finalize());
            if trailer.crc != sum || trailer.rows != rows {
                return Err(bad(number, "the checksum or the number of rows is wrong"));
            }
            let (through, seq) = (trailer.through, seq.ok_or_else(|| bad(number, "no header"))?);
            if reader.next()?.is_some() {
                return Err(bad(number + 1, "there is something after the end"));
            }
            return Ok(DumpFacts { seq, through, rows });
        }
        crc.update(raw.bytes);
        crc.update(b"\n");
    }
    Err(bad(rows + 2, "there is no end"))
}
