//! Where the room of a quota root went: folder by folder, as the root itself counts, and what of it is only kept for a while.
//!
//! Index headers are read, of folders with expunged messages the records, and of all folders where the largest messages are
//! wanted; never a message.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::path::PathBuf;
use std::sync::Arc;

use durable::disk::Disk;

use super::Store;
use super::quota_repair::side_by_side;
use crate::error::Result;
use crate::flags::SystemFlags;
use crate::ident::Timestamp;
use crate::index::{self, IndexFile};
use crate::list::{Row, RowState, not_found};
use crate::mailbox::{EXPUNGED_DIR, message_files};
use crate::name::MailboxName;
use crate::quota::{QuotaLimits, QuotaRoot, QuotaUsage, QuotaUsed, Recounted};

/// What the mailboxes below a quota root use.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct QuotaLedger {
    /// What the root says, at the moment when its mailboxes were counted; nothing if there is no root of that name.
    pub usage: Option<QuotaUsage>,
    /// What the mailboxes use together, with what is on its way into them.
    pub counted: QuotaUsed,
    /// What each of them uses, the largest first.
    pub folders: Vec<FolderUse>,
    /// Their largest messages, the largest first; as many as were asked for.
    pub largest: Vec<LargeMessage>,
}

/// What a mailbox uses.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FolderUse {
    /// Which.
    pub mailbox: MailboxName,
    /// What it is charged for.
    pub used: QuotaUsed,
    /// Expunged messages whose files are kept for a while. Nobody is charged for them, but the disk has them.
    pub expunged: QuotaUsed,
}

/// A message.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct LargeMessage {
    /// Octets.
    pub size: u32,
    /// Where it is.
    pub mailbox: MailboxName,
    /// Its UID there.
    pub uid: u32,
    /// When it came, in seconds since 1970.
    pub internal_date: i64,
}

impl QuotaLedger {
    /// Whether the root says what its mailboxes use; one that does not is put right by [`repair_quotas`](Store::repair_quotas).
    #[must_use]
    pub fn is_right(&self) -> bool {
        self.usage.as_ref().is_none_or(|usage| usage.used == self.counted)
    }
}

impl Store {
    /// What the mailboxes that the quota root at `name` governs use; where there is no root, all mailboxes at and below that
    /// name. Mail may come meanwhile; no mailbox there is made, renamed or removed. Blocks.
    ///
    /// # Errors
    /// [`Error::NotFound`](crate::Error::NotFound) if there is neither a root nor a mailbox of that name.
    pub fn quota_ledger(&self, name: &MailboxName, largest: usize) -> Result<QuotaLedger> {
        let (rows, (usage, counted, uses)) = {
            let _names = self.names.exclusive(&[name]);
            let root = self.load_root(name)?;
            if root.is_none() && self.row(name).is_none() {
                return Err(not_found(name));
            }
            let rows = match root {
                Some(_) => self.governed_by(name),
                None => self.list.tree(name).into_iter().filter(|row| row.state == RowState::Active).collect(),
            };
            let counted = self.count_for_ledger(root.as_deref(), name, &rows)?;
            (rows, counted)
        };
        let looks = rows.iter().zip(uses).map(|(row, used)| Look::new(self, row, used));
        let mut looks = looks.collect::<Result<Vec<_>>>()?;
        side_by_side(&mut looks, |look| look.closer(self.disk(), largest))?;
        let mut messages: Vec<LargeMessage> = Vec::new();
        for (look, row) in looks.iter_mut().zip(&rows) {
            let named =
                |(size, uid, internal_date)| LargeMessage { size, mailbox: row.name.clone(), uid, internal_date };
            messages.extend(look.largest.drain().map(|Reverse(found)| named(found)));
        }
        messages.sort_unstable_by(|a, b| b.cmp(a));
        messages.truncate(largest);
        let folder = |(look, row): (Look, &Arc<Row>)| FolderUse {
            mailbox: row.name.clone(),
            used: look.used,
            expunged: look.expunged,
        };
        let mut folders: Vec<FolderUse> = looks.into_iter().zip(&rows).map(folder).collect();
        // In byte order before; a stable sort keeps it among those of one size.
        folders.sort_by_key(|folder| Reverse(folder.used.bytes));
        Ok(QuotaLedger { usage, counted, folders, largest: messages })
    }

    /// What the root says, what the mailboxes use together, and each of them.
    fn count_for_ledger(
        &self,
        root: Option<&QuotaRoot>,
        name: &MailboxName,
        rows: &[Arc<Row>],
    ) -> Result<(Option<QuotaUsage>, QuotaUsed, Vec<QuotaUsed>)> {
        let Some(root) = root else {
            // Of nobody's charge, so nothing comes or goes while it is counted.
            let none = QuotaRoot::new(name.clone(), QuotaLimits::default(), QuotaUsed::default(), false);
            let (Recounted { counted, .. }, uses) = self.count_each(&none, rows, false)?;
            return Ok((None, counted, uses));
        };
        let (Recounted { believed, counted }, uses) = self.count_each(root, rows, false)?;
        Ok((Some(QuotaUsage { used: believed, ..root.usage() }), counted, uses))
    }
}

/// A mailbox that is looked at.
struct Look {
    dir: PathBuf,
    used: QuotaUsed,
    expunged: QuotaUsed,
    /// Size, UID and internal date, the smallest on top.
    largest: BinaryHeap<Reverse<(u32, u32, i64)>>,
}

impl Look {
    fn new(store: &Store, row: &Row, used: QuotaUsed) -> Result<Look> {
        let dir = store.layout().mailbox_dir(&row.partition, &row.name)?;
        Ok(Look { dir, used, expunged: QuotaUsed::default(), largest: BinaryHeap::new() })
    }

    /// Reads what the header does not say. An index that can't be read says nothing; nor does one that was renamed or removed
    /// meanwhile.
    fn closer(&mut self, disk: &Arc<dyn Disk>, largest: usize) {
        let Ok((index, loaded)) = IndexFile::open(disk, &self.dir.join(index::FILE)) else { return };
        let has_expunged = loaded.records > loaded.header.exists;
        if !has_expunged && largest == 0 {
            return;
        }
        let kept = match has_expunged {
            true => message_files(&**disk, &self.dir.join(EXPUNGED_DIR)).unwrap_or_default(),
            false => Default::default(),
        };
        let _ = index.survey(loaded.records, |record| {
            let Some(record) = record else { return };
            if !record.flags.contains(SystemFlags::EXPUNGED) {
                let Timestamp { seconds, .. } = record.internal_date;
                self.largest.push(Reverse((record.size, record.uid, seconds)));
                if self.largest.len() > largest {
                    self.largest.pop();
                }
            } else if kept.contains(record.uid) {
                self.expunged = self.expunged.plus(QuotaUsed { bytes: u64::from(record.size), messages: 1 });
            }
        });
    }
}
