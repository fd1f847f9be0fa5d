//! Directories that hold a mailbox's files and have no row: listed again from their cyrus.header, a batch at a time.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;

use super::{BATCH, ListFindingKind, Relisting, Step};
use crate::error::Result;
use crate::header::MailboxHeader;
use crate::ident::UniqueId;
use crate::list::{Change, Row, RowState};
use crate::mailbox::Marks;
use crate::name::MailboxName;
use crate::store::recover::new_id;
use crate::store::{Store, Unlisted, now};

/// What becomes of a directory without a row.
struct Plan {
    row: Row,
    marks: Marks,
    /// The row that was this directory's under another name or on another partition.
    from: Option<Arc<Row>>,
    /// The directory's header, if its unique id is another mailbox's.
    renewed: Option<MailboxHeader>,
    dir: PathBuf,
    what: String,
}

impl Relisting<'_> {
    pub(super) fn list_directories(&mut self) -> Step {
        self.progress("reading directories", 0, None)?;
        let mut found = Vec::new();
        for unlisted in self.store.unlisted()? {
            match unlisted.name.clone() {
                Some(name) => found.push((name, unlisted)),
                None => {
                    let what = "holds a mailbox's files, but its path is no mailbox name: move it";
                    self.tell(ListFindingKind::Misplaced, unlisted.dir.display(), what, false)?;
                }
            }
        }
        // Roots before what they govern, and one partition before the other if both have a directory of one name.
        found.sort_by(|(a, x), (b, y)| (a, &x.partition).cmp(&(b, &y.partition)));
        let total = found.len();
        for (done, part) in found.chunks(BATCH).enumerate() {
            self.progress(part[0].0.as_str(), done * BATCH, Some(total))?;
            self.list_part(part)?;
        }
        Ok(())
    }

    fn list_part(&mut self, part: &[(MailboxName, Unlisted)]) -> Step {
        let store = self.store;
        let names: Vec<_> = part.iter().map(|(name, _)| name).collect();
        let names = store.names.exclusive(&names);
        if !self.is_dry() {
            let lost = part
                .iter()
                .filter_map(|(name, unlisted)| store.lost_limits(name, store.read_header(&unlisted.dir).as_ref()));
            store.commit(lost.collect())?;
        }
        let mut plans = Vec::new();
        let (mut taken_names, mut taken_ids) = (HashSet::new(), HashSet::new());
        for (name, unlisted) in part {
            // Somebody may have made, moved or removed it since.
            if !store.directories.holds_mailbox(&unlisted.dir)? {
                continue;
            }
            if taken_names.contains(name) || self.occupied(name, unlisted)? {
                let what = format!("has a directory on partition {} too: move one of them", unlisted.partition);
                self.tell(ListFindingKind::Misplaced, name, what, false)?;
                continue;
            }
            if store.list.any(name).is_some_and(|row| row.partition == unlisted.partition) {
                continue;
            }
            let plan = self.plan(name, unlisted, &taken_ids)?;
            taken_names.insert(name.clone());
            taken_ids.insert(plan.row.unique_id.clone());
            plans.push(plan);
        }
        if !self.is_dry() {
            carry_out(store, &plans)?;
        }
        drop(names);
        for Plan { row, from, what, .. } in plans {
            self.moved.extend(from.as_ref().map(|from| from.name.clone()));
            let kind = if from.is_some() { ListFindingKind::Moved } else { ListFindingKind::Unlisted };
            self.tell(kind, &row.name, what, true)?;
        }
        Ok(())
    }

    /// Whether the name is another mailbox's, which has a directory of its own.
    fn occupied(&self, name: &MailboxName, unlisted: &Unlisted) -> Result<bool> {
        match self.store.list.any(name) {
            Some(row) if row.partition != unlisted.partition => self.store.has_directory(&row),
            _ => Ok(false),
        }
    }

    fn plan(&self, name: &MailboxName, unlisted: &Unlisted, taken: &HashSet<UniqueId>) -> Result<Plan> {
        let store = self.store;
        let header = store.read_header(&unlisted.dir);
        let mut warnings = Vec::new();
        // A row of this very name whose directory lay on another partition, or one of this identity whose directory is
        // not where it says: the directory was moved, and the row follows it.
        let by_name = store.list.any(name);
        let by_id = header.as_ref().and_then(|header| store.list.by_id(&header.unique_id));
        let from = match (by_name, by_id) {
            (Some(row), _) => Some(row),
            (None, Some(row)) if row.state == RowState::Active && !store.has_directory(&row)? => Some(row),
            _ => None,
        };
        let mut row = match &from {
            Some(row) => {
                let (name, partition) = (name.clone(), unlisted.partition.clone());
                Row { name, partition, modified: now(), ..Row::clone(row) }
            }
            None => store.row_from_files(&unlisted.partition, name, &unlisted.dir, header.as_ref(), &mut warnings)?,
        };
        if header.is_none() && from.is_none() {
            warnings.insert(0, "cyrus.header is lost: unique id and keyword names are new");
            match self.request.saved.as_ref().and_then(|saved| saved.acl(name)) {
                Some(acl) => row.acl = acl.clone(),
                None if name.owner().is_some() => warnings.push("its ACL is only its owner's"),
                None => warnings.push("its ACL is empty: only administrators see it"),
            }
        }
        if taken.contains(&row.unique_id) {
            // Two copies of one directory in the same batch; the first keeps the identity.
            row.unique_id = new_id()?;
            warnings.push("another mailbox has its unique id: it gets a new one");
        }
        row.quota_root = store.list.root_of(name);
        let mut what = match &from {
            Some(old) if old.name == *name => format!("its directory lies on partition {}", unlisted.partition),
            Some(old) => format!("was {}, whose directory was moved here", old.name),
            None if self.is_dry() => format!("has a directory '{}' but no DB entry", unlisted.dir.display()),
            None => format!("listed from its directory on partition {}", unlisted.partition),
        };
        for warning in warnings {
            what.push_str("; ");
            what.push_str(warning);
        }
        let marks = store.marks_from_files(&unlisted.dir)?;
        let renewed = header.filter(|header| header.unique_id != row.unique_id);
        Ok(Plan { row, marks, from, renewed, dir: unlisted.dir.clone(), what })
    }
}

/// One batch of the list for all of them.
fn carry_out(store: &Store, plans: &[Plan]) -> Result<()> {
    let mut changes = Vec::new();
    for Plan { row, marks, from, renewed, dir, .. } in plans {
        store.write_id(dir, renewed.clone(), &row.unique_id)?;
        if let Some(from) = from {
            store.let_go(from);
            if from.name != row.name {
                changes.push(Change::Drop { name: from.name.clone(), id: from.unique_id.clone(), last: false });
            }
        }
        let known = store.list.marks(&row.unique_id)?;
        changes.push(Change::Put(row.clone()));
        changes.push(Change::Marks(
            row.unique_id.clone(),
            Marks { last_uid: marks.last_uid.max(known.last_uid), modseq: marks.modseq.max(known.modseq) },
        ));
    }
    if changes.is_empty() {
        return Ok(());
    }
    store.commit(changes)?;
    for Plan { row, from, .. } in plans {
        tracing::info!(event = "mailbox.adopted", mailbox = %row.name, id = %row.unique_id, moved = from.is_some());
    }
    // Roots that are not in memory are summed up when they are wanted; those that are, now.
    let governing = |plan: &Plan| {
        let from = plan.from.as_ref().and_then(|from| from.quota_root.clone());
        [plan.row.quota_root.clone(), from]
    };
    let roots: HashSet<_> = plans.iter().flat_map(governing).flatten().collect();
    roots.iter().try_for_each(|root| store.recount_loaded(root))
}
