//! An index in memory: the check of a ledger replays the copies into one and compares.

use std::{collections::BTreeMap, ops::Bound, path::Path};

use parking_lot::Mutex;

use super::{
    Error, Json,
    batch::Row,
    index::{Index, IndexRows},
};

#[derive(Debug, Default)]
pub(super) struct MemoryIndex(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    rows: BTreeMap<String, String>,
    applied: u64,
}

impl MemoryIndex {
    pub(super) fn insert(&self, key: &str, value: &str) {
        self.0.lock().rows.insert(key.into(), value.into());
    }

    pub(super) fn set_applied(&self, seq: u64) {
        self.0.lock().applied = seq;
    }

    pub(super) fn into_rows(self) -> BTreeMap<String, String> {
        self.0.into_inner().rows
    }
}

impl Index for MemoryIndex {
    fn get(&self, key: &str) -> Result<Option<Json>, Error> {
        Ok(self.0.lock().rows.get(key).cloned().map(Json))
    }

    fn range(&self, start: Bound<&str>) -> IndexRows {
        let state = self.0.lock();
        let rows: Vec<_> = state
            .rows
            .range::<str, _>((start, Bound::Unbounded))
            .map(|(key, value)| Ok((key.clone(), Json(value.clone()))))
            .collect();
        Box::new(rows.into_iter())
    }

    fn range_back(&self) -> IndexRows {
        let rows: Vec<_> = self.range(Bound::Unbounded).collect();
        Box::new(rows.into_iter().rev())
    }

    fn apply(&self, rows: &mut dyn Iterator<Item = Row>, seq: u64) -> Result<(), Error> {
        let mut state = self.0.lock();
        for (key, value) in rows {
            match value {
                Some(value) => state.rows.insert(key, value),
                None => state.rows.remove(&key),
            };
        }
        state.applied = seq;
        Ok(())
    }

    fn applied(&self) -> Result<u64, Error> {
        Ok(self.0.lock().applied)
    }

    fn flush(&self) -> Result<(), Error> {
        Ok(())
    }

    fn dir(&self) -> &Path {
        Path::new("")
    }
}
