//! Rows that may be older than their directories: cyrus.header repeats each row, with the time of its last change, so after
//! the loss of the newest changes it knows better.

use std::collections::HashSet;
use std::sync::Arc;

use super::{BATCH, ListFindingKind, Relisting, Step};
use crate::error::Result;
use crate::ident::UniqueId;
use crate::index;
use crate::list::{Change, Row};
use crate::mailbox::Marks;

/// A row that its directory knows better.
struct Better {
    row: Row,
    /// The row that its mailbox had under another name.
    ghost: Option<Arc<Row>>,
    what: String,
}

impl Relisting<'_> {
    pub(super) fn believe_headers(&mut self) -> Step {
        let store = self.store;
        let mut rows: Vec<Arc<Row>> = Vec::new();
        store.list("", |_, row| {
            rows.push(Arc::clone(row));
            std::ops::ControlFlow::Continue(())
        });
        let (mut better, mut marks) = (Vec::new(), Vec::new());
        for (done, row) in rows.iter().enumerate() {
            if done % BATCH == 0 {
                self.progress(row.name.as_str(), done, Some(rows.len()))?;
            }
            better.extend(self.better_row(row)?);
            let id = better
                .last()
                .filter(|better: &&Better| better.row.name == row.name)
                .map(|better| &better.row.unique_id);
            let id = id.unwrap_or(&row.unique_id).clone();
            marks.extend(self.better_marks(row, &id)?.map(|marks| (row, id, marks)));
        }
        // Names may have gone round: who has another's name now is no ghost of his own.
        let names: HashSet<_> = better.iter().map(|better| better.row.name.clone()).collect();
        for part in better.chunks(BATCH) {
            let mut changes = Vec::new();
            for Better { row, ghost, .. } in part {
                changes.push(Change::Put(row.clone()));
                if let Some(ghost) = ghost.as_ref().filter(|ghost| !names.contains(&ghost.name)) {
                    self.moved.insert(ghost.name.clone());
                    let (name, id) = (ghost.name.clone(), ghost.unique_id.clone());
                    changes.push(Change::Drop { name, id, last: false });
                }
            }
            if !self.is_dry() {
                let _names = store.names.exclusive(&part.iter().map(|better| &better.row.name).collect::<Vec<_>>());
                store.commit(changes)?;
            }
            for Better { row, what, .. } in part {
                self.tell(ListFindingKind::Outdated, &row.name, what.clone(), true)?;
            }
        }
        for part in marks.chunks(BATCH) {
            if !self.is_dry() {
                store.list.raise_all_marks(part.iter().map(|(_, id, marks)| (id.clone(), *marks)))?;
            }
            for (row, _, marks) in part {
                let what = format!("no UID up to {} is used again", marks.last_uid);
                self.tell(ListFindingKind::Marks, &row.name, what, true)?;
            }
        }
        Ok(())
    }

    /// The row as cyrus.header and index know it, if they know more.
    fn better_row(&self, row: &Arc<Row>) -> Result<Option<Better>> {
        let store = self.store;
        let Ok(dir) = store.layout().mailbox_dir(&row.partition, &row.name) else { return Ok(None) };
        let Some(header) = store.read_header(&dir) else { return Ok(None) };
        let mut better = Row::clone(row);
        let (mut what, mut ghost) = (Vec::new(), None);
        if header.unique_id != row.unique_id {
            // The name was given up and another mailbox has it since: the row is that of a mailbox of the past. The other
            // one may have a row too, of the name it had.
            let other = store.list.by_id(&header.unique_id);
            if other.as_ref().is_none_or(|other| !self.has_own_directory(other)) {
                better.unique_id = header.unique_id.clone();
                what.push("another mailbox has its name by now".to_owned());
                ghost = other;
            }
        }
        let copy = Row::decode(&header.row).ok().filter(|copy| copy.unique_id == better.unique_id);
        let by_index = index::header(&**store.disk(), &dir).map(|header| header.uid_validity);
        let by_files = by_index.max(copy.as_ref().map(|copy| copy.uid_validity));
        // That of the past mailbox means nothing for this one.
        let by_row = Some(row.uid_validity).filter(|_| better.unique_id == row.unique_id || by_files.is_none());
        better.uid_validity = by_files.max(by_row).unwrap_or(row.uid_validity);
        // Times tell which of two versions of one mailbox is the later one; a row of another mailbox has nothing to say.
        let is_later = |copy: &Row| copy.modified > row.modified || better.unique_id != row.unique_id;
        if let Some(copy) = copy.filter(|copy| is_later(copy) && copy.name == row.name) {
            if copy.acl != better.acl {
                what.push("ACL".to_owned());
            }
            if copy.special_use != better.special_use {
                what.push("special use".to_owned());
            }
            (better.acl, better.special_use) = (copy.acl, copy.special_use);
            (better.created, better.modified) = (copy.created, copy.modified);
        }
        if better.uid_validity != row.uid_validity {
            what.push("UIDVALIDITY".to_owned());
        }
        if what.is_empty() {
            return Ok(None);
        }
        if let Some(ghost) = &ghost {
            what.push(format!("it was {}", ghost.name));
        }
        Ok(Some(Better { row: better, ghost, what: format!("taken from cyrus.header: {}", what.join(", ")) }))
    }

    /// Whether a row's directory says itself that it is that mailbox's.
    fn has_own_directory(&self, row: &Row) -> bool {
        let dir = self.store.layout().mailbox_dir(&row.partition, &row.name);
        let header = dir.ok().and_then(|dir| self.store.read_header(&dir));
        header.is_some_and(|header| header.unique_id == row.unique_id)
    }

    /// Higher marks, if the files show that numbers beyond the known ones were used.
    fn better_marks(&self, row: &Row, id: &UniqueId) -> Result<Option<Marks>> {
        let Ok(dir) = self.store.layout().mailbox_dir(&row.partition, &row.name) else { return Ok(None) };
        if !self.store.disk().exists(&dir)? {
            return Ok(None);
        }
        let (known, files) = (self.store.list.marks(id)?, self.store.marks_from_files(&dir)?);
        let higher = files.last_uid > known.last_uid || files.modseq > known.modseq;
        let marks = Marks { last_uid: files.last_uid.max(known.last_uid), modseq: files.modseq.max(known.modseq) };
        Ok(higher.then_some(marks))
    }
}
