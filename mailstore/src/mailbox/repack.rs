//! Forgetting expunged messages for good: their records and files go, everything else stays where it is. The new index
//! is written and synced without the lock; only what changed meanwhile is added under it.

use std::collections::HashMap;
use std::sync::Arc;

use durable::disk::{parent, temporary_path};

use crate::error::{Error, Result};
use crate::ident::{ModSeq, Timestamp};
use crate::index::{Header, IndexFile, Record, encode_all};
use crate::mailbox::Mailbox;
use crate::mailbox::files::{EXPUNGED_DIR, message_files, message_path};
use crate::mailbox::open::INDEX;
use crate::mailbox::state::State;
use crate::uid_set::UidSet;

impl Mailbox {
    /// Forgets the messages that were expunged before `before` (Unix seconds). Returns how many. A mailbox whose index was
    /// put back from elsewhere is left alone: which messages it has is to be found out first.
    ///
    /// # Errors
    /// The disk's; the mailbox is as it was, or the files of forgotten messages are still there and go with the next
    /// repack.
    pub fn repack(self: &Arc<Self>, before: i64) -> Result<u64> {
        let _one_at_a_time = self.maintenance.lock();
        let Some(_stays) = self.stay() else { return Ok(0) };
        let open = self.state.read().index.file().clone();
        if !self.is_in_place(INDEX, &open) {
            return Ok(0);
        }
        let (snapshot, forgotten) = self.snapshot(before)?;
        if !forgotten.uids.is_empty() {
            self.sync_files()?;
            self.replace_index(snapshot, &forgotten)?;
        }
        self.remove_files()?;
        Ok(forgotten.uids.len())
    }

    fn snapshot(self: &Arc<Self>, before: i64) -> Result<(Snapshot, Forgotten)> {
        let state = self.state.read();
        let mut records = Vec::with_capacity(state.live.len() as usize);
        let mut forgotten = Forgotten::default();
        state.index.scan(state.header.records, |_, record| match record {
            Some(record) if record.is_expunged() && record.saved < before => {
                forgotten.uids.insert(record.uid.get());
                forgotten.modseq = forgotten.modseq.max(record.modseq);
            }
            Some(record) => records.push(record),
            None => {}
        })?;
        Ok((Snapshot { records, header: state.header.clone() }, forgotten))
    }

    fn replace_index(self: &Arc<Self>, snapshot: Snapshot, forgotten: &Forgotten) -> Result<()> {
        let disk = self.around.disk();
        let path = self.dir().join(INDEX);
        let temporary = temporary_path(&path);
        let numbers: HashMap<u32, u32> =
            snapshot.records.iter().enumerate().map(|(n, r)| (r.uid.get(), n as u32)).collect();
        let mut header = snapshot.header.clone();
        header.records = snapshot.records.len() as u32;
        let file = IndexFile::replace(disk, &temporary, &header, &snapshot.records).inspect_err(|_| {
            // On a full disk half an index would take the room that somebody else needs.
            let _ = disk.unlink(&temporary);
        })?;
        let swapped = (|| -> Result<()> {
            let mut state = self.state.write();
            let mut header = Header { last_repack: Timestamp::now().seconds, clean: None, ..state.header.clone() };
            header.deleted_modseq = header.deleted_modseq.max(forgotten.modseq);
            header.records = snapshot.records.len() as u32;
            for record in state.changed_after(snapshot.header.highest_modseq)? {
                match numbers.get(&record.uid.get()) {
                    Some(number) => file.write(*number, &record.encode())?,
                    None => {
                        file.write(header.records, &encode_all(&[record]))?;
                        header.records += 1;
                    }
                }
            }
            file.write_header(&header)?;
            if !self.is_in_place(INDEX, state.index.file()) {
                return Err(Error::corrupt(&path, "put back from elsewhere while the mailbox was repacked"));
            }
            disk.rename(&temporary, &path)?;
            state.header = header;
            state.index = IndexFile::reopen(disk, &path)?;
            Ok(())
        })();
        if let Err(error) = swapped {
            let _ = disk.unlink(&temporary);
            return Err(error);
        }
        disk.sync_data(file.file())?;
        Ok(disk.sync_dir(parent(&path))?)
    }

    /// Removes what waits below `expunged./` and has no record any more.
    fn remove_files(self: &Arc<Self>) -> Result<()> {
        let disk = self.around.disk();
        let aside = self.dir().join(EXPUNGED_DIR);
        let waiting = message_files(&**disk, &aside)?;
        if waiting.is_empty() {
            return Ok(());
        }
        let mut known = UidSet::new();
        {
            let state = self.state.read();
            state.index.scan(state.header.records, |_, record| {
                known.extend(record.map(|r| r.uid.get()));
            })?;
        }
        for uid in waiting - known {
            disk.unlink(&message_path(&aside, uid))?;
        }
        Ok(())
    }
}

struct Snapshot {
    records: Vec<Record>,
    header: Header,
}

#[derive(Default)]
struct Forgotten {
    uids: UidSet,
    modseq: ModSeq,
}

impl State {
    pub(super) fn changed_after(&self, since: ModSeq) -> Result<Vec<Record>> {
        let mut changed = Vec::new();
        if self.header.highest_modseq > since {
            self.index.scan(self.header.records, |_, record| changed.extend(record.filter(|r| r.modseq > since)))?;
        }
        Ok(changed)
    }
}
