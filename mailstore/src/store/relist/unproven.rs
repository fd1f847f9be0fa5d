//! What was under way, in a list that may be older than the directories: an operation that an old copy shows as begun may
//! have ended long ago, and another mailbox may have its name by now. So only what the directories confirm is ended.

use std::sync::Arc;

use super::{ListFindingKind, Relisting, Step};
use crate::list::{Change, Intent, Row, RowState};

impl Relisting<'_> {
    pub(super) fn settle_unproven(&mut self) -> Step {
        for intent in self.store.list.intents() {
            self.settle_move(&intent)?;
        }
        let mut unfinished = Vec::new();
        self.store.list.walk("", |row| {
            if row.state != RowState::Active {
                unfinished.push(Arc::clone(row));
            }
            std::ops::ControlFlow::Continue(())
        });
        unfinished.iter().try_for_each(|row| self.settle_row(row))
    }

    /// The directory follows its row only if it is still that mailbox's, and nothing is in its way.
    fn settle_move(&mut self, intent: &Intent) -> Step {
        let store = self.store;
        let mut confirmed = Vec::new();
        for partition in &intent.partitions {
            // A partition that is configured no more has nothing to move.
            let (Ok(old), Ok(new)) = (
                store.layout().mailbox_dir(partition, &intent.old),
                store.layout().mailbox_dir(partition, &intent.new),
            ) else {
                continue;
            };
            let id = store.read_header(&old).map(|header| header.unique_id.to_string());
            if id.as_ref() == Some(&intent.key) && !store.directories.holds_mailbox(&new)? {
                confirmed.push(partition.clone());
            }
        }
        let what = match confirmed.is_empty() {
            true => format!("a move to {} was under way; its directory is not there (any more)", intent.new),
            false => format!("its directory follows it to {}", intent.new),
        };
        if !self.is_dry() {
            let _names = store.names.exclusive(&[&intent.old, &intent.new]);
            store.directories.carry_out(&Intent { partitions: confirmed, ..intent.clone() })?;
            store.commit(vec![Change::End(intent.key.clone())])?;
        }
        Ok(self.tell(ListFindingKind::Unfinished, &intent.old, what, true)?)
    }

    fn settle_row(&mut self, row: &Arc<Row>) -> Step {
        let store = self.store;
        let dir = store.layout().mailbox_dir(&row.partition, &row.name).ok();
        let header = dir.as_ref().and_then(|dir| store.read_header(dir));
        let is_its_own = header.as_ref().is_some_and(|header| header.unique_id == row.unique_id);
        let holds_files = match &dir {
            Some(dir) => store.directories.holds_mailbox(dir)?,
            None => false,
        };
        let gone = Change::Drop { name: row.name.clone(), id: row.unique_id.clone(), last: true };
        let (what, change, wipe) = match (row.state, holds_files) {
            // What looks unfinished here may be in use since: nothing that has files is undone.
            (RowState::Creating, true) => {
                let active = Row { state: RowState::Active, ..Row::clone(row) };
                ("its creation was under way; it has files, and is kept", Change::Put(active), false)
            }
            (RowState::Creating, false) => ("its creation was under way; it has no files, and goes", gone, false),
            (_, true) if is_its_own => ("its removal was under way, and is ended", gone, true),
            (_, true) => ("its removal was under way; the directory is another mailbox's by now", gone, false),
            (_, false) => ("its removal was under way, and is ended", gone, true),
        };
        if !self.is_dry() {
            let _names = store.names.exclusive(&[&row.name]);
            if wipe && dir.is_some() {
                store.directories.wipe(&row.partition, &row.name)?;
            }
            store.commit(vec![change])?;
        }
        Ok(self.tell(ListFindingKind::Unfinished, &row.name, what, true)?)
    }
}
