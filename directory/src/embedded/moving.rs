//! A domain gets another name. The row `move/<old name>` is what counts: when it is on disk the domain has its new name, for
//! everybody, from one moment to the next. The rows that have the old name in them are rewritten in batches, since a million
//! of them fit into none; what a crash leaves of that is done at the next start.

use super::Embedded;
use super::changing::Changing;
use super::row_format::Rewrite;
use crate::audit::Entry;
use crate::domain::DomainName;
use crate::error::Result;
use crate::{Change, Renaming, Revision};

/// Rows that still have the old name on disk; in memory they have the new one.
#[derive(Debug)]
pub(super) struct Moving {
    from: DomainName,
    revision: Revision,
    /// The last first.
    left: Vec<Change>,
}

impl Embedded {
    /// Renames a domain.
    pub(super) fn rename(
        &self,
        changing: &mut Changing,
        from: &DomainName,
        to: &DomainName,
        revision: Revision,
        entries: &[Entry],
    ) -> Result<()> {
        let mut changes = self.rows.read().renaming(&Renaming { from, to });
        let mut rewrite = Rewrite::default();
        let mut written = 0;
        while written < changes.len() && !rewrite.is_full() {
            rewrite.change(&mut changes[written], revision)?;
            written += 1;
        }
        let rest = changes.split_off(written);
        if !rest.is_empty() {
            rewrite.begin_move(from, to)?;
        }
        self.write(changing, rewrite, entries)?;
        changes.extend(rest.iter().cloned().map(|change| stamped(change, revision)));
        self.take(changes);
        changing.moving = Some(Moving { from: from.clone(), revision, left: rest.into_iter().rev().collect() });
        self.move_on(changing);
        Ok(())
    }

    /// Goes on where a crash came between.
    pub(super) fn resume_move(&self, changing: &mut Changing, from: DomainName, to: DomainName) {
        let revision = self.next_revision();
        let changes = self.rows.read().renaming(&Renaming { from: &from, to: &to });
        tracing::info!(event = "directory.move.resumed", %from, %to, rows = changes.len());
        self.take(changes.iter().cloned().map(|change| stamped(change, revision)).collect());
        changing.moving = Some(Moving { from, revision, left: changes.into_iter().rev().collect() });
        self.move_on(changing);
    }

    /// Rewrites what can be. It has happened all the same: the next change goes on, or the next start.
    fn move_on(&self, changing: &mut Changing) {
        if let Err(error) = self.go_on_moving(changing) {
            tracing::warn!(event = "directory.move.unfinished", %error, "rows of a renamed domain wait to be rewritten");
        }
    }

    /// Rewrites the rows that are left. Nothing else is changed before.
    pub(super) fn go_on_moving(&self, changing: &mut Changing) -> Result<()> {
        let Some(mut moving) = changing.moving.take() else { return Ok(()) };
        while !moving.left.is_empty() {
            let mut rewrite = Rewrite::default();
            let mut rest = moving.left.len();
            let mut written = Ok(());
            while rest > 0 && written.is_ok() && !rewrite.is_full() {
                rest -= 1;
                written = rewrite.change(&mut moving.left[rest], moving.revision);
            }
            if rest == 0 {
                rewrite.end_move(&moving.from);
            }
            if let Err(error) = written.and_then(|()| self.write(changing, rewrite, &[])) {
                changing.moving = Some(moving);
                return Err(error);
            }
            moving.left.truncate(rest);
        }
        Ok(())
    }
}

/// As the row is written.
fn stamped(mut change: Change, revision: Revision) -> Change {
    match &mut change {
        Change::Domain(row) => row.revision = revision,
        Change::User(row) => row.revision = revision,
        Change::Alias(row) => row.revision = revision,
        Change::Privileges(row) => row.revision = revision,
        _ => {}
    }
    change
}
