//! The mailbox list: every mailbox's row, quota limits, high-water marks, and what is under way.
//!
//! All of it is in memory, sorted by name, so that LIST costs no disk and no copy; every change is durable before it can
//! be seen. Keys of the durable form (docs/formats/mailboxes.md):
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
pub(crate) mod row;

use std::{
    collections::{BTreeMap, HashMap},
    hash::{BuildHasher, RandomState},
    ops::{Bound, ControlFlow},
    sync::Arc,
};

use parking_lot::{Mutex, RwLock};

use self::backing::Backing;
pub(crate) use self::intent::Intent;
pub use self::row::{Row, RowState};
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

/// What is in memory: always something that was durable at some moment.
#[derive(Default, Debug)]
struct Tables {
    rows: BTreeMap<Box<str>, Arc<Row>>,
    /// How many of them each user has: a limit is looked at whenever one is made.
    owned: HashMap<Box<str>, usize>,
    ids: HashMap<UniqueId, MailboxName>,
    marks: HashMap<UniqueId, Marks>,
    limits: BTreeMap<MailboxName, QuotaLimits>,
    intents: BTreeMap<String, Intent>,
    uid_validity: u32,
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
        let (mut tables, mut loaded) = (Tables::default(), Loaded::default());
        backing.load(&mut |key, value| {
            if let Err(what) = tables.read(key, value) {
                tracing::error!(event = "mailboxes.row.damaged", key, what);
                loaded.bad.push((key.to_owned(), what));
            }
        })?;
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
        let tables = self.tables.read();
        // A name may have been given to another mailbox.
        tables.rows.get(tables.ids.get(id)?.as_str()).filter(|row| row.unique_id == *id).cloned()
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
                chunk.extend(range.take_while(|(name, _)| name.starts_with(prefix)).take(WALK).map(|(_, r)| r.clone()));
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
        let mut at = Some(name.clone());
        while let Some(name) = at {
            if tables.limits.contains_key(&name) {
                return Some(name);
            }
            at = name.parent();
        }
        None
    }

    /// The limits of the quota root at `root`, if there is one.
    pub(crate) fn limits(&self, root: &MailboxName) -> Option<QuotaLimits> {
        self.tables.read().limits.get(root).copied()
    }

    /// All quota roots with their limits, in byte order.
    pub(crate) fn roots(&self) -> Vec<(MailboxName, QuotaLimits)> {
        self.tables.read().limits.iter().map(|(name, limits)| (name.clone(), *limits)).collect()
    }

    /// The high-water marks of a mailbox.
    pub(crate) fn marks(&self, id: &UniqueId) -> Marks {
        self.tables.read().marks.get(id).copied().unwrap_or_default()
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
            Tables::default().read(key, value).map_err(|what| Error::Invalid(format!("{key}: {what}")))?;
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
        let raised = all.filter_map(|(id, marks)| {
            let old = self.marks(&id);
            let new = Marks { last_uid: marks.last_uid.max(old.last_uid), modseq: marks.modseq.max(old.modseq) };
            (new != old).then_some(Change::Marks(id, new))
        });
        self.apply(raised.collect())
    }

    /// Durably raises high-water marks; they never go back.
    pub(crate) fn raise_marks(&self, id: &UniqueId, marks: Marks) -> Result<()> {
        let _one_at_a_time = self.raising[self.hasher.hash_one(id) as usize % STRIPES].lock();
        let old = self.marks(id);
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

impl Tables {
    /// Takes in a key and its value as they were stored.
    fn read(&mut self, key: &str, value: &str) -> Result<(), String> {
        let json = |error: serde_json::Error| error.to_string();
        match key.split_once('/') {
            Some(("N", name)) => {
                let row = Row::decode(value)?;
                if row.name.as_str() != name {
                    return Err("the row is that of another mailbox".to_owned());
                }
                self.apply(Change::Put(row));
            }
            // Made anew from the rows.
            Some(("I", _)) => {}
            Some(("M", id)) => {
                let id = UniqueId::parse(id).ok_or("bad unique id")?;
                let (last_uid, modseq) = serde_json::from_str(value).map_err(json)?;
                self.marks.insert(id, Marks { last_uid, modseq });
            }
            Some(("Q", root)) => {
                let root = MailboxName::parse(root).map_err(|error| error.to_string())?;
                self.limits.insert(root, serde_json::from_str(value).map_err(json)?);
            }
            Some(("V", "uidvalidity")) => {
                self.uid_validity = self.uid_validity.max(serde_json::from_str(value).map_err(json)?);
            }
            Some(("X", key)) => {
                self.intents.insert(key.to_owned(), Intent::decode(key, value)?);
            }
            // A newer version's: kept, not understood.
            _ => return Err(UNKNOWN_KEY.to_owned()),
        }
        Ok(())
    }

    fn apply(&mut self, change: Change) {
        match change {
            Change::Put(row) => {
                self.uid_validity = self.uid_validity.max(row.uid_validity.get());
                self.ids.insert(row.unique_id.clone(), row.name.clone());
                let name = row.name.clone();
                if self.rows.insert(name.as_str().into(), Arc::new(row)).is_none()
                    && let Some(owner) = tree_of(&name)
                {
                    *self.owned.entry(owner.into()).or_default() += 1;
                }
            }
            Change::Drop { name, id, last } => {
                if self.rows.remove(name.as_str()).is_some() {
                    self.disown(&name);
                }
                if last {
                    self.ids.remove(&id);
                    self.marks.remove(&id);
                }
            }
            Change::Limits(root, Some(limits)) => {
                self.limits.insert(root, limits);
            }
            Change::Limits(root, None) => {
                self.limits.remove(&root);
            }
            Change::Marks(id, marks) => {
                self.marks.insert(id, marks);
            }
            Change::Begin(intent) => {
                self.intents.insert(intent.key.clone(), intent);
            }
            Change::End(key) => {
                self.intents.remove(&key);
            }
        }
    }
}

impl Tables {
    /// A mailbox of that name is gone.
    fn disown(&mut self, name: &MailboxName) {
        let Some(owner) = tree_of(name) else { return };
        if let Some(count) = self.owned.get_mut(owner) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.owned.remove(owner);
            }
        }
    }
}

/// The user in whose tree a name lies; in nobody's if the mailbox was deleted.
fn tree_of(name: &MailboxName) -> Option<&str> {
    name.owner().filter(|_| !name.is_deleted())
}

/// The error of a mailbox that does not exist.
pub(crate) fn not_found(name: &MailboxName) -> Error {
    Error::NotFound(name.to_string())
}

#[cfg(test)]
mod tests;
