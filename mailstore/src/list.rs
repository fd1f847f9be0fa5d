//! The mailbox list: every mailbox's row, quota limits, high-water marks, and what is under way.
//!
//! All of it but the high-water marks is in memory, sorted by name, so that LIST costs no disk and no copy; every change is
//! durable before it can be seen. A mailbox's marks are read from the database when the mailbox is opened. Keys of the
//! durable form (docs/formats/mailboxes.md):
//!
//! | key | value |
//! |---|---|
//! | `N/<name>` | the row |
//! | `I/<unique id>` | the name, so that a mailbox is found by its identity |
//! | `M/<unique id>` | high-water marks: `[last UID, mod-sequence]` |
//! | `Q/<name>` | limits of the quota root at that mailbox |
//! | `V/uidvalidity` | no UIDVALIDITY above this was given out |
//! | `X/<unique id>` | a move that is under way ([`intent`]) |

pub(crate) mod backing;
pub(crate) mod intent;
pub(crate) mod ledger;
mod loading;
pub(crate) mod row;
mod tables;

use std::{
    hash::{BuildHasher, RandomState},
    ops::{Bound, ControlFlow},
    sync::Arc,
};

use parking_lot::{Mutex, RwLock};

use self::backing::Backing;
pub(crate) use self::intent::Intent;
pub use self::row::{Row, RowState};
use self::tables::Tables;
use crate::error::{Error, Result};
use crate::ident::{UidValidity, UniqueId};
use crate::mailbox::Marks;
use crate::name::{MailboxName, SEPARATOR};
use crate::quota::QuotaLimits;

/// How many rows a walk takes out at a time: the lock is not held while the visitor works.
const WALK: usize = 256;

/// Raising the marks of one mailbox is one at a time; of different ones seldom.
const STRIPES: usize = 64;

/// The mailbox list.
#[derive(Debug)]
pub(crate) struct MailboxList {
    backing: Box<dyn Backing>,
    tables: RwLock<Tables>,
    raising: Vec<Mutex<()>>,
    hasher: RandomState,
    /// What was found wrong while loading, and is still there.
    bad: Mutex<Vec<(String, String)>>,
}

/// A change; several make a batch that happens as a whole.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// Writes a row, in place of the one of that name if there is one.
    Put(Row),
    /// Removes the row of a name; `last` says that the mailbox is gone for good, with its marks.
    Drop { name: MailboxName, id: UniqueId, last: bool },
    /// Sets the limits of a quota root, or removes the root.
    Limits(MailboxName, Option<QuotaLimits>),
    /// Sets high-water marks.
    Marks(UniqueId, Marks),
    /// Begins a move.
    Begin(Intent),
    /// Ends a move.
    End(String),
}

/// What was found wrong while loading.
#[derive(Default, Debug)]
pub(crate) struct Loaded {
    /// Keys whose values make no sense, and why. They stay in the database.
    pub(crate) bad: Vec<(String, String)>,
}

impl MailboxList {
    /// Reads everything into memory.
    pub(crate) fn load(backing: Box<dyn Backing>) -> Result<(MailboxList, Loaded)> {
        let (tables, loaded) = loading::load(&*backing)?;
        let raising = (0..STRIPES).map(|_| Mutex::new(())).collect();
        let (tables, hasher, bad) = (RwLock::new(tables), RandomState::new(), Mutex::new(loaded.bad.clone()));
        let list = MailboxList { backing, tables, raising, hasher, bad };
        Ok((list, loaded))
    }

    /// The row of a name, whatever its state.
    pub(crate) fn any(&self, name: &MailboxName) -> Option<Arc<Row>> {
        self.tables.read().rows.get(name.as_str()).cloned()
    }

    /// The row of a mailbox that can be used.
    pub(crate) fn row(&self, name: &MailboxName) -> Option<Arc<Row>> {
        self.any(name).filter(|row| row.state == RowState::Active)
    }

    /// The row of an identity.
    pub(crate) fn by_id(&self, id: &UniqueId) -> Option<Arc<Row>> {
        self.tables.read().by_id(id).cloned()
    }

    /// How many rows there are.
    pub(crate) fn len(&self) -> usize {
        self.tables.read().rows.len()
    }

    /// How many rows a user's tree has.
    pub(crate) fn owned_by(&self, user: &str) -> usize {
        self.tables.read().owned.get(user).copied().unwrap_or_default()
    }

    /// Visits all rows whose names begin with the text `prefix`, in byte order, whatever their state. Rows that change
    /// during the walk may be met in either form; a row that does not change is met exactly once.
    pub(crate) fn walk(&self, prefix: &str, visit: impl FnMut(&Arc<Row>) -> ControlFlow<()>) {
        self.walk_from(prefix, prefix, visit);
    }

    /// The same from the first name that is not before `start`.
    pub(crate) fn walk_from(&self, prefix: &str, start: &str, mut visit: impl FnMut(&Arc<Row>) -> ControlFlow<()>) {
        let mut chunk: Vec<Arc<Row>> = Vec::with_capacity(WALK);
        let mut from: Bound<Box<str>> = Bound::Included(prefix.max(start).into());
        loop {
            {
                let tables = self.tables.read();
                let start = match &from {
                    Bound::Included(name) => Bound::Included(&**name),
                    Bound::Excluded(name) => Bound::Excluded(&**name),
                    Bound::Unbounded => Bound::Unbounded,
                };
                let range = tables.rows.range::<str, _>((start, Bound::Unbounded));
                chunk.extend(
                    range.take_while(|(name, _)| name.as_str().starts_with(prefix)).take(WALK).map(|(_, r)| r.clone()),
                );
            }
            let whole = chunk.len() == WALK;
            if let Some(last) = chunk.last() {
                from = Bound::Excluded(last.name.as_str().into());
            }
            for row in chunk.drain(..) {
                if visit(&row).is_break() {
                    return;
                }
            }
            if !whole {
                return;
            }
        }
    }

    /// The rows at and below `name`, in byte order of the names below it.
    pub(crate) fn tree(&self, name: &MailboxName) -> Vec<Arc<Row>> {
        let mut rows: Vec<_> = self.any(name).into_iter().collect();
        self.walk(&format!("{name}{SEPARATOR}"), |row| {
            rows.push(Arc::clone(row));
            ControlFlow::Continue(())
        });
        rows
    }

    /// Whether there is a usable mailbox below `name`.
    pub(crate) fn has_children(&self, name: &MailboxName) -> bool {
        let mut found = false;
        self.walk(&format!("{name}{SEPARATOR}"), |row| {
            found = row.state == RowState::Active;
            if found { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        found
    }

    /// The nearest usable mailbox above `name`.
    pub(crate) fn ancestor(&self, name: &MailboxName) -> Option<Arc<Row>> {
        let mut at = name.parent();
        while let Some(name) = at {
            if let Some(row) = self.row(&name) {
                return Some(row);
            }
            at = name.parent();
        }
        None
    }

    /// The quota root that governs `name`: at it, or the nearest above. Deleted mailboxes have none.
    pub(crate) fn root_of(&self, name: &MailboxName) -> Option<MailboxName> {
        if name.is_deleted() {
            return None;
        }
        let tables = self.tables.read();
        if tables.limits.is_empty() {
            return None;
        }
        let mut at = name.as_str();
        loop {
            if let Some((root, _)) = tables.limits.get_key_value(at) {
                return Some(root.clone());
            }
            at = at.rsplit_once(SEPARATOR)?.0;
        }
    }

    /// The limits of the quota root at `root`, if there is one.
    pub(crate) fn limits(&self, root: &MailboxName) -> Option<QuotaLimits> {
        self.tables.read().limits.get(root).copied()
    }

    /// All quota roots with their limits, in byte order.
    pub(crate) fn roots(&self) -> Vec<(MailboxName, QuotaLimits)> {
        self.tables.read().limits.iter().map(|(name, limits)| (name.clone(), *limits)).collect()
    }

    /// The high-water marks of a mailbox; none if none were ever set. Reads the database.
    ///
    /// # Errors
    /// When they can't be read: then nobody knows which UIDs were given out.
    pub(crate) fn marks(&self, id: &UniqueId) -> Result<Marks> {
        let written = self.backing.get(&format!("M/{id}"))?;
        let marks = written.map(|json| parse_marks(&json)).transpose();
        let unknown = |what| Error::Unavailable(format!("the high-water marks of {id} make no sense: {what}"));
        Ok(marks.map_err(unknown)?.unwrap_or_default())
    }

    /// Whether it can be read and changed: a database whose pages can't be trusted any more ends both, until a restart makes
    /// it anew.
    pub(crate) fn is_usable(&self) -> bool {
        // No key is empty, so this reads one page at most.
        self.backing.get("").is_ok()
    }

    /// The rows of mailboxes that are being made or removed.
    pub(crate) fn unfinished(&self) -> Vec<Arc<Row>> {
        let tables = self.tables.read();
        tables.unfinished.iter().filter_map(|name| tables.rows.get(name).cloned()).collect()
    }

    /// The moves that are under way.
    pub(crate) fn intents(&self) -> Vec<Intent> {
        self.tables.read().intents.values().cloned().collect()
    }

    /// A UIDVALIDITY that no mailbox ever had: the name may have been in use before, under any of them.
    pub(crate) fn new_uid_validity(&self, now: i64) -> UidValidity {
        let mut tables = self.tables.write();
        let next = UidValidity::at(now, UidValidity::new(tables.uid_validity));
        tables.uid_validity = next.get();
        next
    }

    /// A UIDVALIDITY that was given out once: new ones are larger.
    pub(crate) fn note_uid_validity(&self, known: u32) {
        let mut tables = self.tables.write();
        tables.uid_validity = tables.uid_validity.max(known);
    }

    /// Entries of the database that made no sense when it was loaded: key and reason. Entries that a newer version wrote
    /// are not among them.
    pub(crate) fn bad_entries(&self) -> Vec<(String, String)> {
        self.bad.lock().iter().filter(|(_, why)| why != UNKNOWN_KEY).cloned().collect()
    }

    /// Removes an entry that made no sense.
    pub(crate) fn forget_entry(&self, key: &str) -> Result<()> {
        self.backing.apply(vec![(key.to_owned(), None)])?;
        self.bad.lock().retain(|(bad, _)| bad != key);
        Ok(())
    }

    /// Gives every entry of the database whose key begins with `prefix` to `each`.
    pub(crate) fn entries(&self, prefix: &str, each: &mut dyn FnMut(&str, &str)) -> Result<()> {
        self.backing.load(&mut |key, value| {
            if key.starts_with(prefix) {
                each(key, value);
            }
        })
    }

    /// Sets or removes an entry of the database, past everything that keeps entries in step. What is in memory stays as it
    /// is: the list must be loaded again.
    pub(crate) fn set_entry(&self, key: &str, value: Option<&str>) -> Result<()> {
        if let Some(value) = value {
            loading::judge(key, value).map_err(|what| Error::Invalid(format!("{key}: {what}")))?;
        }
        self.backing.apply(vec![(key.to_owned(), value.map(str::to_owned))])
    }

    /// Reads everything below the list and compares: what does not agree.
    pub(crate) fn verify(&self) -> Result<Vec<String>> {
        self.backing.verify()
    }

    /// A safety copy, now.
    pub(crate) fn checkpoint(&self) -> Result<()> {
        self.backing.checkpoint()
    }

    /// Durably raises the high-water marks of many mailboxes at once.
    pub(crate) fn raise_all_marks(&self, all: impl Iterator<Item = (UniqueId, Marks)>) -> Result<()> {
        // All stripes, in their order: whoever raises one of them meanwhile would be set back.
        let _alone: Vec<_> = self.raising.iter().map(|stripe| stripe.lock()).collect();
        let mut raised = Vec::new();
        for (id, marks) in all {
            let old = self.marks(&id)?;
            let new = Marks { last_uid: marks.last_uid.max(old.last_uid), modseq: marks.modseq.max(old.modseq) };
            if new != old {
                raised.push(Change::Marks(id, new));
            }
        }
        self.apply(raised)
    }

    /// Durably raises high-water marks; they never go back.
    pub(crate) fn raise_marks(&self, id: &UniqueId, marks: Marks) -> Result<()> {
        let _one_at_a_time = self.raising[self.hasher.hash_one(id) as usize % STRIPES].lock();
        let old = self.marks(id)?;
        let marks = Marks { last_uid: marks.last_uid.max(old.last_uid), modseq: marks.modseq.max(old.modseq) };
        if marks == old {
            return Ok(());
        }
        self.apply(vec![Change::Marks(id.clone(), marks)])
    }

    /// Makes a batch of changes, durably and as a whole.
    ///
    /// # Errors
    /// When the database refuses; nothing has changed then.
    pub(crate) fn apply(&self, changes: Vec<Change>) -> Result<()> {
        let mut written = Vec::with_capacity(changes.len() * 2);
        let mut validity = false;
        for change in &changes {
            validity |= matches!(change, Change::Put(_) | Change::Drop { .. });
            change.encode(&mut written);
        }
        if validity {
            let highest = self.tables.read().uid_validity;
            written.push((VALIDITY.to_owned(), Some(highest.to_string())));
        }
        self.backing.apply(written)?;
        let mut tables = self.tables.write();
        changes.into_iter().for_each(|change| tables.apply(change));
        Ok(())
    }

    /// Whether all of the database can be read, as far as is known.
    pub(crate) fn is_checked(&self) -> bool {
        self.backing.is_checked()
    }

    /// Finds out; calls `pause` now and then, which ends it with `false`.
    pub(crate) fn check(&self, pause: &mut dyn FnMut() -> bool) -> Result<()> {
        self.backing.check(pause)
    }

    /// Work that nobody waits for.
    pub(crate) fn maintain(&self) -> Result<()> {
        self.backing.maintain()
    }

    /// Ends the database in order.
    pub(crate) fn close(&self) -> Result<()> {
        self.backing.close()
    }
}

const VALIDITY: &str = "V/uidvalidity";

/// Why an entry of a newer version is not used.
const UNKNOWN_KEY: &str = "unknown key";

/// The value of `M/<unique id>`.
fn parse_marks(json: &str) -> Result<Marks, String> {
    let (last_uid, modseq) = serde_json::from_str(json).map_err(|error| error.to_string())?;
    Ok(Marks { last_uid, modseq })
}

impl Change {
    fn encode(&self, out: &mut Vec<(String, Option<String>)>) {
        let text = |text: &str| serde_json::json!(text).to_string();
        match self {
            Change::Put(row) => {
                out.push((format!("N/{}", row.name), Some(row.encode())));
                out.push((format!("I/{}", row.unique_id), Some(text(row.name.as_str()))));
            }
            Change::Drop { name, id, last } => {
                out.push((format!("N/{name}"), None));
                if *last {
                    out.push((format!("I/{id}"), None));
                    out.push((format!("M/{id}"), None));
                }
            }
            Change::Limits(root, limits) => {
                out.push((format!("Q/{root}"), limits.map(|limits| serde_json::json!(limits).to_string())));
            }
            Change::Marks(id, marks) => {
                out.push((format!("M/{id}"), Some(format!("[{},{}]", marks.last_uid, marks.modseq))));
            }
            Change::Begin(intent) => out.push((format!("X/{}", intent.key), Some(intent.encode()))),
            Change::End(key) => out.push((format!("X/{key}"), None)),
        }
    }
}

/// The error of a mailbox that does not exist.
pub(crate) fn not_found(name: &MailboxName) -> Error {
    Error::NotFound(name.to_string())
}

#[cfg(test)]
mod tests;
