//! Reading the mailbox list at the start. A thread reads, another makes rows of it: with a million mailboxes that is what
//! the start takes its time for.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;

use super::backing::Backing;
use super::row::Neighbour;
use super::tables::Tables;
use super::{Intent, Loaded, Row, UNKNOWN_KEY, parse_marks};
use crate::error::{Error, Result};
use crate::ident::UniqueId;
use crate::name::MailboxName;

/// Keys and values that are handed over at a time, in octets.
const PART: usize = 256 << 10;

/// Parts that may wait: the faster thread does not run away.
const PARTS: usize = 8;

/// The list from safety copies, if they prove to be what the database holds; else from the database.
pub(super) fn load(backing: &dyn Backing) -> Result<(Tables, Loaded)> {
    let mut loading = Loading::default();
    if !from_copies(backing, &mut loading)? {
        loading = Loading::default();
        backing.load(&mut |key, value| loading.take(key, Some(value)))?;
    }
    Ok(loading.finish())
}

fn from_copies(backing: &dyn Backing, loading: &mut Loading) -> Result<bool> {
    std::thread::scope(|scope| {
        let (parts, taken) = sync_channel::<Part>(PARTS);
        let builder = std::thread::Builder::new().name("list-read".to_owned());
        let reader = builder.spawn_scoped(scope, move || {
            let mut part = Part::default();
            let read = backing.load_copies(&mut |key, value| {
                // Made anew from the rows.
                if key.starts_with("I/") {
                    return;
                }
                part.push(key, value);
                if part.text.len() >= PART {
                    let full = std::mem::replace(&mut part, Part::with_room());
                    // Nobody takes it any more: he panicked.
                    let _ = parts.send(full);
                }
            });
            let _ = parts.send(part);
            read
        });
        let reader = reader.map_err(|error| Error::Unavailable(format!("no thread: {error}")))?;
        for part in taken {
            part.each(|key, value| loading.take(key, value));
        }
        reader.join().unwrap_or_else(|_| Err(Error::Unavailable("the thread that read the mailbox list died".into())))
    })
}

/// Keys and values one behind the other.
#[derive(Default)]
struct Part {
    text: String,
    /// Where each key ends, and each value, if there is one.
    ends: Vec<(usize, Option<usize>)>,
}

impl Part {
    fn with_room() -> Part {
        Part { text: String::with_capacity(PART + PART / 8), ends: Vec::with_capacity(PART / 128) }
    }

    fn push(&mut self, key: &str, value: Option<&str>) {
        self.text.push_str(key);
        let key_end = self.text.len();
        self.text.push_str(value.unwrap_or_default());
        self.ends.push((key_end, value.map(|_| self.text.len())));
    }

    fn each(&self, mut visit: impl FnMut(&str, Option<&str>)) {
        let mut start = 0;
        for &(key_end, value_end) in &self.ends {
            visit(&self.text[start..key_end], value_end.map(|end| &self.text[key_end..end]));
            start = value_end.unwrap_or(key_end);
        }
    }
}

/// What was read so far.
#[derive(Default)]
pub(super) struct Loading {
    /// Rows whose names ascend: nearly all of them. They are put into the tables when one comes that does not.
    sorted: Vec<Arc<Row>>,
    tables: Tables,
    before: Neighbour,
    bad: BTreeMap<String, String>,
}

impl Loading {
    /// Takes in what is told of a key: its value, or that it is removed. What makes no sense is noted.
    fn take(&mut self, key: &str, value: Option<&str>) {
        if !self.bad.is_empty() {
            self.bad.remove(key);
        }
        let Some(value) = value else { return self.remove(key) };
        if let Err(what) = self.read(key, value) {
            // What was there before is no longer true, whatever came after it.
            self.remove(key);
            self.bad.insert(key.to_owned(), what);
        }
    }

    /// Takes in a key and its value as they were stored.
    pub(super) fn read(&mut self, key: &str, value: &str) -> Result<(), String> {
        let json = |error: serde_json::Error| error.to_string();
        match key.split_once('/') {
            Some(("N", name)) => {
                let row = Row::decode_after(value, &mut self.before)?;
                if row.name.as_str() != name {
                    return Err("the row is that of another mailbox".to_owned());
                }
                self.put(row);
            }
            // Made anew from the rows.
            Some(("I", _)) => {}
            // Read again when the mailbox is opened.
            Some(("M", id)) => {
                UniqueId::parse(id).ok_or("bad unique id")?;
                parse_marks(value)?;
            }
            Some(("Q", root)) => {
                let root = MailboxName::parse(root).map_err(|error| error.to_string())?;
                self.tables.limits.insert(root, serde_json::from_str(value).map_err(json)?);
            }
            Some(("V", "uidvalidity")) => {
                self.tables.uid_validity = self.tables.uid_validity.max(serde_json::from_str(value).map_err(json)?);
            }
            Some(("X", key)) => {
                self.tables.intents.insert(key.to_owned(), Intent::decode(key, value)?);
            }
            // A newer version's: kept, not understood.
            _ => return Err(UNKNOWN_KEY.to_owned()),
        }
        Ok(())
    }

    fn put(&mut self, row: Row) {
        let row = Arc::new(row);
        let ascends = self.sorted.last().is_none_or(|last| last.name < row.name);
        if self.tables.rows.is_empty() && ascends {
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
        if self.sorted.is_empty() {
            return;
        }
        let rows = Tables::of_rows(std::mem::take(&mut self.sorted));
        let others = std::mem::replace(&mut self.tables, rows);
        self.tables.uid_validity = self.tables.uid_validity.max(others.uid_validity);
        self.tables.limits = others.limits;
        self.tables.intents = others.intents;
    }

    fn finish(mut self) -> (Tables, Loaded) {
        self.settle();
        for (key, what) in &self.bad {
            tracing::error!(event = "mailboxes.row.damaged", key, what);
        }
        (self.tables, Loaded { bad: self.bad.into_iter().collect() })
    }
}
