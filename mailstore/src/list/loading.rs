//! Reading the mailbox list at the start.

mod entry;
mod parts;

use std::collections::BTreeMap;
use std::sync::Arc;

use self::entry::Entry;
use self::parts::{Told, read_copies};
use super::backing::Backing;
use super::row::Neighbour;
use super::tables::Tables;
use super::{Loaded, Row};
use crate::error::Result;

/// The list from safety copies, if they prove to be what the database holds; else from the database.
pub(super) fn load(backing: &dyn Backing) -> Result<(Tables, Loaded)> {
    let mut loading = Loading::default();
    if !read_copies(backing, |key, told| loading.take(key, told))? {
        loading = Loading::default();
        let mut before = Neighbour::default();
        backing.load(&mut |key, value| {
            let told = Entry::read(key, value, &mut before).map_or_else(Told::Bad, Told::Is);
            loading.take(key, told);
        })?;
    }
    Ok(loading.finish())
}

/// Whether a key and its value would make sense in the database.
///
/// # Errors
/// What is wrong with them.
pub(super) fn judge(key: &str, value: &str) -> Result<(), String> {
    Entry::read(key, value, &mut Neighbour::default()).map(drop)
}

/// What was read so far.
#[derive(Default)]
struct Loading {
    /// Rows whose names ascend: nearly all of them. They get their places by name when one comes that does not.
    sorted: Vec<Arc<Row>>,
    /// The same rows, for the other table.
    again: Vec<Arc<Row>>,
    tables: Tables,
    bad: BTreeMap<String, String>,
}

impl Loading {
    /// Takes in what is told of a key. What makes no sense is noted.
    fn take(&mut self, key: &str, told: Told) {
        if !self.bad.is_empty() {
            self.bad.remove(key);
        }
        match told {
            Told::Is(entry) => self.put_entry(entry),
            Told::Removed => self.remove(key),
            Told::Bad(what) => {
                // What was there before is no longer true, whatever came after it.
                self.remove(key);
                self.bad.insert(key.to_owned(), what);
            }
        }
    }

    fn put_entry(&mut self, entry: Entry) {
        match entry {
            Entry::Row(row) => self.put(row),
            Entry::Limits(root, limits) => {
                self.tables.limits.insert(root, limits);
            }
            Entry::UidValidity(value) => self.tables.uid_validity = self.tables.uid_validity.max(value),
            Entry::Intent(intent) => {
                self.tables.intents.insert(intent.key.clone(), intent);
            }
            Entry::Elsewhere => {}
        }
    }

    fn put(&mut self, row: Arc<Row>) {
        let ascends = self.sorted.last().is_none_or(|last| last.name < row.name);
        if self.tables.rows.is_empty() && ascends {
            self.tables.announce(&row);
            self.again.push(Arc::clone(&row));
            self.sorted.push(row);
        } else {
            self.settle();
            self.tables.put(row);
        }
    }

    fn remove(&mut self, key: &str) {
        match key.split_once('/') {
            Some(("N", name)) => {
                self.settle();
                self.tables.remove(name);
            }
            Some(("Q", root)) => {
                self.tables.limits.remove(root);
            }
            Some(("X", key)) => {
                self.tables.intents.remove(key);
            }
            _ => {}
        }
    }

    /// Puts the rows that came in order into the tables.
    fn settle(&mut self) {
        if !self.sorted.is_empty() {
            self.tables.fill(std::mem::take(&mut self.sorted), std::mem::take(&mut self.again));
        }
    }

    fn finish(mut self) -> (Tables, Loaded) {
        self.settle();
        for (key, what) in &self.bad {
            tracing::error!(event = "mailboxes.row.damaged", key, what);
        }
        (self.tables, Loaded { bad: self.bad.into_iter().collect() })
    }
}
