//! The administrator's repair: the most there is, from everything that can be read. Nothing here is ever used by a server.
//!
//! What is taken, later sources over earlier ones:
//! 1. the newest dump that is whole; without one, the readable rows of the newest that has any;
//! 2. every good line of every journal, in order, whatever is missing between them: a line states new values;
//! 3. the rows that can still be read in the damaged index, unless it is older than the dump, or a line says something newer
//!    of the same key.

use std::{
    collections::{BTreeMap, HashSet},
    ops::Bound,
    path::Path,
};

use super::{
    Error,
    batch::{Batch, Row},
    index::Index,
    recover::{Evidence, LINES_PER_STEP, Shortfall},
};
use crate::{
    disk,
    dump::{self, DumpError},
    journal::{self, Line},
};

/// What could be gathered.
#[derive(Default)]
pub(super) struct Gathered {
    pub(super) rows: BTreeMap<String, String>,
    /// No batch above this was ever seen.
    pub(super) highest: u64,
    /// The dump that was begun with.
    pub(super) dump: Option<u64>,
    /// Where rows came from, for the administrator.
    pub(super) sources: Vec<String>,
}

impl Evidence<'_> {
    /// Gives `index`, which can be read to its end, every later batch that can be read. Returns the highest number seen.
    pub(super) fn salvage(&self, index: &dyn Index) -> Result<(u64, u64), Shortfall> {
        let applied = index.applied()?;
        let (mut highest, mut lines) = (applied, 0);
        let mut rows: Vec<Row> = Vec::new();
        self.each_line(&mut |line, batch| {
            if line.seq > highest {
                highest = line.seq;
                lines += 1;
                rows.extend(batch);
            }
        })?;
        let mut rows = rows.into_iter().peekable();
        while rows.peek().is_some() {
            index.apply(&mut rows.by_ref().take(LINES_PER_STEP), applied)?;
        }
        if highest > applied {
            index.apply(&mut std::iter::empty(), highest)?;
        }
        Ok((highest, lines))
    }

    /// Gathers rows from everything but the index, and then from `index` if there is one.
    pub(super) fn gather(&self, index: Option<&dyn Index>) -> Result<Gathered, Shortfall> {
        let mut found = Gathered::default();
        self.gather_dump(&mut found)?;
        let applied = index.and_then(|index| index.applied().ok());
        let mut newer = HashSet::new();
        let mut lines = 0u64;
        let after = found.dump.unwrap_or(0);
        let mut last = 0;
        self.each_line(&mut |line, batch| {
            if line.seq <= after || line.seq <= last {
                return;
            }
            last = line.seq;
            lines += 1;
            for (key, value) in batch {
                if line.seq > applied.unwrap_or(0) {
                    newer.insert(key.clone());
                }
                match value {
                    Some(value) => drop(found.rows.insert(key, value)),
                    None => drop(found.rows.remove(&key)),
                }
            }
        })?;
        found.highest = found.highest.max(last).max(applied.unwrap_or(0));
        if lines > 0 {
            found.sources.push(format!("{lines} changes of the journal"));
        }
        if let Some(index) = index
            && applied.is_none_or(|applied| applied >= after)
        {
            let mut rows = 0u64;
            for (key, value) in readable_rows(index) {
                rows += 1;
                if !newer.contains(&key) {
                    found.rows.insert(key, value);
                }
            }
            found.sources.push(format!("{rows} readable rows of the damaged index"));
        }
        Ok(found)
    }

    fn gather_dump(&self, found: &mut Gathered) -> Result<(), Shortfall> {
        let mut partial: Option<(BTreeMap<String, String>, String)> = None;
        for dump in &self.listing.dumps {
            let path = dump.path(self.copies.dir(), self.copies.name());
            let mut rows = BTreeMap::new();
            let read = dump::read(self.disk, &path, self.copies.name(), &mut |key, value| {
                rows.insert(key.to_owned(), value.to_owned());
                Ok(())
            });
            found.highest = found.highest.max(dump.seq);
            match read {
                Ok(facts) => {
                    found.highest = found.highest.max(facts.through);
                    found.sources.push(format!("{} rows of the copy {}", rows.len(), path.display()));
                    (found.rows, found.dump) = (rows, Some(facts.seq));
                    return Ok(());
                }
                Err(DumpError::Disk(error)) if error.is_simulated_crash() => return Err(error.into()),
                Err(error) if !rows.is_empty() && partial.is_none() => {
                    partial = Some((rows, format!("the damaged copy {} ({error})", path.display())));
                }
                Err(_) => {}
            }
        }
        if let Some((rows, what)) = partial {
            found.sources.push(format!("{} readable rows of {what}", rows.len()));
            found.rows = rows;
        }
        Ok(())
    }

    /// Every good line of every journal, oldest file first.
    fn each_line(&self, visit: &mut dyn FnMut(Line<'_>, Vec<Row>)) -> Result<(), Shortfall> {
        let mut paths: Vec<_> = self.listing.archived.iter().map(|&after| self.copies.archived(after)).collect();
        paths.extend(self.active.map(|active| active.path.clone()));
        paths.iter().try_for_each(|path| self.lines_of(path, visit))
    }

    fn lines_of(&self, path: &Path, visit: &mut dyn FnMut(Line<'_>, Vec<Row>)) -> Result<(), Shortfall> {
        let each = &mut |line: Line<'_>| -> Result<(), disk::Error> {
            if let Some(batch) = Batch::parse(line.payload) {
                visit(line, batch);
            }
            Ok(())
        };
        match journal::replay(self.disk, path, u64::MAX, each) {
            // One file that cannot be read is what the administrator is here for.
            Err(error) if error.is_simulated_crash() => Err(error.into()),
            _ => Ok(()),
        }
    }
}

/// The rows that can be read: forwards to the first damage, then backwards to the last.
fn readable_rows(index: &dyn Index) -> Vec<(String, String)> {
    let mut rows = Vec::new();
    let mut broken = false;
    for row in index.range(Bound::Unbounded) {
        match row {
            Ok((key, value)) => rows.push((key, value.0)),
            Err(_) => {
                broken = true;
                break;
            }
        }
    }
    if broken {
        let last = rows.last().map(|(key, _)| key.clone());
        let behind = index.range_back().map_while(Result::ok);
        rows.extend(
            behind
                .take_while(|(key, _)| last.as_ref().is_none_or(|last| key > last))
                .map(|(key, value)| (key, value.0)),
        );
    }
    rows
}

/// Fills an empty index with what was gathered.
pub(super) fn fill(index: &dyn Index, gathered: Gathered) -> Result<(), Error> {
    let highest = gathered.highest;
    let mut rows = gathered.rows.into_iter().map(|(key, value)| (key, Some(value))).peekable();
    while rows.peek().is_some() {
        index.apply(&mut rows.by_ref().take(LINES_PER_STEP), 0)?;
    }
    index.apply(&mut std::iter::empty(), highest)?;
    index.flush()
}

#[cfg(test)]
mod tests {
    use super::super::{Json, index::IndexRows, memory_index::MemoryIndex};
    use super::*;

    /// An index whose rows from `m` to `p` cannot be read.
    #[derive(Debug)]
    struct Holed(MemoryIndex);

    fn hole(row: Result<(String, Json), Error>) -> Result<(String, Json), Error> {
        match row {
            Ok((key, _)) if ("m".."q").contains(&key.as_str()) => Err(Error::Index("a hole".into())),
            other => other,
        }
    }

    impl Index for Holed {
        fn get(&self, key: &str) -> Result<Option<Json>, Error> {
            self.0.get(key)
        }

        fn range(&self, start: Bound<&str>) -> IndexRows {
            Box::new(self.0.range(start).map(hole))
        }

        fn range_back(&self) -> IndexRows {
            Box::new(self.0.range_back().map(hole))
        }

        fn apply(&self, rows: &mut dyn Iterator<Item = Row>, seq: u64) -> Result<(), Error> {
            self.0.apply(rows, seq)
        }

        fn applied(&self) -> Result<u64, Error> {
            self.0.applied()
        }

        fn flush(&self) -> Result<(), Error> {
            Ok(())
        }

        fn dir(&self) -> &Path {
            Path::new("")
        }
    }

    #[test]
    fn rows_on_both_sides_of_a_hole_are_read_once() {
        for (keys, expected) in [
            (&["a", "b", "m", "n", "x", "z"][..], &["a", "b", "z", "x"][..]),
            (&["a", "b"], &["a", "b"]),
            (&["m"], &[]),
            (&["m", "z"], &["z"]),
            (&["a", "p"], &["a"]),
            (&[], &[]),
        ] {
            let index = MemoryIndex::default();
            keys.iter().for_each(|key| index.insert(key, "1"));
            let read: Vec<_> = readable_rows(&Holed(index)).into_iter().map(|(key, _)| key).collect();
            assert_eq!(read, expected);
        }
    }
}
