//! What is in memory of the mailbox list: always something that was durable at some moment.
//!
//! A mailbox costs its row and two places: one by name, which shares the row's text, and one by identity, which is the row
//! itself.

use std::{
    borrow::Borrow,
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    hash::{Hash, Hasher},
    sync::Arc,
    thread::Builder,
};

use parking_lot::Mutex;

use super::{Change, Intent, Row, RowState};
use crate::ident::UniqueId;
use crate::name::MailboxName;
use crate::quota::QuotaLimits;

/// Rows, quota limits, and what is under way.
#[derive(Default, Debug)]
pub(super) struct Tables {
    pub(super) rows: BTreeMap<MailboxName, Arc<Row>>,
    /// How many of them each user has: a limit is looked at whenever one is made.
    pub(super) owned: HashMap<Box<str>, usize>,
    /// Those that are being made or removed: few, and looked for at each start.
    pub(super) unfinished: BTreeSet<MailboxName>,
    /// The row that an identity had last. Only rows that are in `rows`.
    ids: HashSet<ById>,
    pub(super) limits: BTreeMap<MailboxName, QuotaLimits>,
    pub(super) intents: BTreeMap<String, Intent>,
    pub(super) uid_validity: u32,
}

/// A row found by its identity.
#[derive(Debug)]
struct ById(Arc<Row>);

impl Borrow<UniqueId> for ById {
    fn borrow(&self) -> &UniqueId {
        &self.0.unique_id
    }
}

impl PartialEq for ById {
    fn eq(&self, other: &ById) -> bool {
        self.0.unique_id == other.0.unique_id
    }
}

impl Eq for ById {}

impl Hash for ById {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.unique_id.hash(state);
    }
}

impl Tables {
    /// Takes in a row that [`fill`](Self::fill) will put into its places: a new one of a new name.
    pub(super) fn announce(&mut self, row: &Row) {
        self.note(row);
        self.count(row);
    }

    /// Puts rows, whose names ascend, into the tables; that by name is empty. Each is made at once, one beside the other: the
    /// tree's nodes are full, and the set does not grow by doubling.
    pub(super) fn fill(&mut self, rows: Vec<Arc<Row>>, again: Vec<Arc<Row>>) {
        let count = rows.len();
        let Tables { rows: by_name, ids, .. } = self;
        let by_id = Mutex::new(Some(|| {
            ids.reserve(again.len());
            for row in again {
                ids.replace(ById(row));
            }
        }));
        let once = || by_id.lock().take().into_iter().for_each(|by_id| by_id());
        std::thread::scope(|scope| {
            if count >= WORTH_A_THREAD {
                // Where there is no thread to be had, this one does both.
                let _ = Builder::new().name("list-ids".to_owned()).spawn_scoped(scope, once);
            }
            *by_name = rows.into_iter().map(|row| (row.name.clone(), row)).collect();
            once();
        });
    }

    /// What there is of a row beside its places.
    fn note(&mut self, row: &Row) {
        self.uid_validity = self.uid_validity.max(row.uid_validity.get());
        if row.state != RowState::Active {
            self.unfinished.insert(row.name.clone());
        } else if !self.unfinished.is_empty() {
            self.unfinished.remove(&row.name);
        }
    }

    /// One more mailbox of its owner.
    fn count(&mut self, row: &Row) {
        let Some(owner) = tree_of(&row.name) else { return };
        match self.owned.get_mut(owner) {
            Some(count) => *count += 1,
            None => drop(self.owned.insert(owner.into(), 1)),
        }
    }

    pub(super) fn by_id(&self, id: &UniqueId) -> Option<&Arc<Row>> {
        self.ids.get(id).map(|found| &found.0)
    }

    pub(super) fn apply(&mut self, change: Change) {
        match change {
            Change::Put(row) => self.put(Arc::new(row)),
            Change::Drop { name, id: _, last: _ } => self.remove(name.as_str()),
            Change::Limits(root, Some(limits)) => {
                self.limits.insert(root, limits);
            }
            Change::Limits(root, None) => {
                self.limits.remove(&root);
            }
            // Not in memory.
            Change::Marks(..) => {}
            Change::Begin(intent) => {
                self.intents.insert(intent.key.clone(), intent);
            }
            Change::End(key) => {
                self.intents.remove(&key);
            }
        }
    }

    pub(super) fn put(&mut self, row: Arc<Row>) {
        match self.rows.insert(row.name.clone(), Arc::clone(&row)) {
            // The name was another mailbox's, which has none now.
            Some(old) => self.forget_id(&old),
            None => self.count(&row),
        }
        self.note(&row);
        self.ids.replace(ById(row));
    }

    /// The row of a name goes; its mailbox may have got another one before.
    pub(super) fn remove(&mut self, name: &str) {
        let Some(old) = self.rows.remove(name) else { return };
        self.forget_id(&old);
        self.unfinished.remove(name);
        let Some(owner) = tree_of(&old.name) else { return };
        if let Some(count) = self.owned.get_mut(owner) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.owned.remove(owner);
            }
        }
    }

    fn forget_id(&mut self, old: &Arc<Row>) {
        if self.by_id(&old.unique_id).is_some_and(|row| Arc::ptr_eq(row, old)) {
            self.ids.remove(&old.unique_id);
        }
    }
}

/// Fewer rows than this are sooner put into two tables by one thread.
const WORTH_A_THREAD: usize = 10_000;

/// The user in whose tree a name lies; in nobody's if the mailbox was deleted.
fn tree_of(name: &MailboxName) -> Option<&str> {
    name.owner().filter(|_| !name.is_deleted())
}
