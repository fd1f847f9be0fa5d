//! Making the mailboxes of many users at once: all of them share two commits of the mailboxes database, and one sync of the
//! file systems stands for some ten syncs of files and directories each.
//!
//! | step | a crash after it leaves |
//! |---|---|
//! | rows in state `Creating` are durable | nothing that the next start would not remove |
//! | files are written, and subscriptions | the same |
//! | the file systems are synced | the same |
//! | rows in state `Active` are durable, with the limits | the mailboxes |

use std::sync::Arc;

use super::{CreateOptions, Store};
use crate::error::{Error, Result};
use crate::layout::DEFAULT_PARTITION;
use crate::list::{Change, Row, RowState};
use crate::mailbox::{Surroundings, create_files_unsynced};
use crate::name::MailboxName;
use crate::quota::QuotaLimits;

/// Everything that one user gets.
struct Making {
    user: String,
    limits: Option<QuotaLimits>,
    /// The INBOX, then the folders.
    rows: Vec<Row>,
}

impl Making {
    fn inbox(&self) -> Option<&MailboxName> {
        self.rows.first().map(|row| &row.name)
    }
}

impl Store {
    /// Makes INBOXes with quota roots, the same `folders` below each (`Sent`, `Archive/2026`), and the subscriptions to them
    /// all. Users of whom there is anything already are left out: their positions in `users` are returned, and
    /// [`create_user`](Store::create_user) tells what it is. A thousand at once are a good measure. Blocks.
    ///
    /// # Errors
    /// [`Error::BadName`] when somebody can't be a user; the disk's. None was made then; what can't be taken back, the next
    /// start takes back.
    pub fn create_users(&self, users: &[(&str, Option<QuotaLimits>)], folders: &[String]) -> Result<Vec<usize>> {
        let (batch, left) = self.begin_many(users, folders)?;
        if batch.is_empty() {
            return Ok(left);
        }
        let made = self.write_many(&batch).and_then(|()| self.finish_many(&batch));
        if let Err(error) = made {
            self.undo_many(&batch);
            return Err(error);
        }
        for row in batch.iter().flat_map(|user| &user.rows) {
            tracing::info!(event = "mailbox.created", mailbox = %row.name, id = %row.unique_id);
        }
        Ok(left)
    }

    /// Makes the rows that nobody sees. From then on nobody else can make these mailboxes, so that no lock is held while the
    /// disk works.
    fn begin_many(
        &self,
        users: &[(&str, Option<QuotaLimits>)],
        folders: &[String],
    ) -> Result<(Vec<Making>, Vec<usize>)> {
        let inboxes = users.iter().map(|(user, _)| MailboxName::inbox(user)).collect::<Result<Vec<_>, _>>()?;
        let _names = self.names.exclusive(&inboxes.iter().collect::<Vec<_>>());
        let (mut batch, mut left) = (Vec::new(), Vec::new());
        for (position, (inbox, (user, limits))) in inboxes.iter().zip(users).enumerate() {
            match self.new_rows(inbox, *limits, folders)? {
                Some(rows) => batch.push(Making { user: (*user).to_owned(), limits: *limits, rows }),
                None => left.push(position),
            }
        }
        if !batch.is_empty() {
            self.commit(batch.iter().flat_map(|user| &user.rows).flat_map(Self::begun).collect())?;
        }
        Ok((batch, left))
    }

    /// The rows of a user of whom there is nothing yet.
    fn new_rows(
        &self,
        inbox: &MailboxName,
        limits: Option<QuotaLimits>,
        folders: &[String],
    ) -> Result<Option<Vec<Row>>> {
        let first = self.new_row(inbox, &CreateOptions::default(), limits)?;
        let mut rows = vec![first];
        for folder in folders {
            let name = folder.split('/').try_fold(inbox.clone(), |above, level| above.child(level))?;
            let row = self.new_row(&name, &CreateOptions::default(), None)?;
            // The mailbox above it is not there yet.
            let (acl, quota_root) = (rows[0].acl.clone(), rows[0].quota_root.clone());
            rows.push(Row { acl, quota_root, partition: rows[0].partition.clone(), ..row });
        }
        for row in &rows {
            let dir = self.layout().mailbox_dir(&row.partition, &row.name)?;
            if self.list.any(&row.name).is_some() || self.directories.holds_mailbox(&dir)? {
                return Ok(None);
            }
        }
        Ok(Some(rows))
    }

    /// Writes all files, and makes them durable.
    fn write_many(&self, batch: &[Making]) -> Result<()> {
        let around: Arc<dyn Surroundings> = Arc::clone(&self.shared) as _;
        for user in batch {
            if let (Some(limits), Some(inbox)) = (user.limits, user.inbox()) {
                self.roots.add(inbox, limits);
            }
            for row in &user.rows {
                let active = Row { state: RowState::Active, ..row.clone() };
                create_files_unsynced(&around, &self.identity(&active)?)?;
            }
            self.subscriptions.begin(&user.user, user.rows.iter().map(|row| row.name.clone()))?;
        }
        let disk = around.disk();
        disk.sync_everything(self.layout().config())?;
        Ok(disk.sync_everything(self.layout().partition(DEFAULT_PARTITION)?)?)
    }

    /// Everybody sees the mailboxes from now on; unless somebody has deleted the user meanwhile.
    fn finish_many(&self, batch: &[Making]) -> Result<()> {
        let inboxes: Vec<_> = batch.iter().filter_map(Making::inbox).collect();
        let _names = self.names.exclusive(&inboxes);
        let mut changes = Vec::new();
        for user in batch {
            for row in &user.rows {
                let ours = self.list.any(&row.name).filter(|now| now.unique_id == row.unique_id);
                if ours.is_none() {
                    return Err(Error::Unavailable(format!("{} was deleted while it was made", row.name)));
                }
                changes.push(Change::Put(Row { state: RowState::Active, ..row.clone() }));
            }
            let limits = user.inbox().cloned().zip(user.limits);
            changes.extend(limits.map(|(inbox, limits)| Change::Limits(inbox, Some(limits))));
        }
        self.commit(changes)
    }

    fn undo_many(&self, batch: &[Making]) {
        for user in batch {
            user.rows.iter().rev().for_each(|row| self.undo_create(row, false));
            self.forget_root(user.limits.and(user.inbox()));
        }
    }
}
