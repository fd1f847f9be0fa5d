//! What a mailbox is charged for: told exactly to whoever counts, and added up from records and files for `quota --deep`.

use std::sync::Arc;

use crate::error::Result;
use crate::index::Header;
use crate::mailbox::Mailbox;
use crate::mailbox::files::message_path;
use crate::quota::QuotaUsed;

/// What an audit of a mailbox found.
pub(crate) struct Audit {
    /// What the index header said.
    pub(crate) header: QuotaUsed,
    /// What the live records add up to.
    pub(crate) records: QuotaUsed,
    /// Messages whose files have another size than their records say: UID, the record's, the file's if there is one.
    pub(crate) files: Vec<(u32, u64, Option<u64>)>,
}

impl Mailbox {
    /// Tells `each` what the mailbox uses at a moment when nothing can change it.
    pub(crate) fn with_use<T>(&self, each: impl FnOnce(QuotaUsed) -> T) -> T {
        let state = self.state.read();
        each(state.header.quota_used())
    }

    /// Adds up live records, and compares each with its file. With `correct` a wrong counter is put right; its quota root
    /// is told.
    ///
    /// # Errors
    /// The disk's.
    pub(crate) fn audit_use(self: &Arc<Self>, correct: bool) -> Result<Audit> {
        let mut sizes = Vec::new();
        let audit = {
            let mut state = self.state.write();
            let mut records = QuotaUsed::default();
            state.glance(&state.live, |record| {
                sizes.push((record.uid, u64::from(record.size)));
                records = records.plus(QuotaUsed { bytes: u64::from(record.size), messages: 1 });
            });
            let header = state.header.quota_used();
            // Where records can't be read, the sum is not the truth either.
            let whole = records.messages == state.live.len();
            if whole && correct && header != records {
                let exists = u32::try_from(records.messages).unwrap_or(u32::MAX);
                let right = Header { exists, used: records.bytes, clean: None, ..state.header.clone() };
                state.index.write_header(&right)?;
                state.header = right;
                if let Some(root) = &self.identity().quota {
                    root.correct(header, records);
                }
                tracing::warn!(event = "mailbox.counters.repaired", mailbox = %self.name());
            }
            Audit { header, records: if whole { records } else { header }, files: Vec::new() }
        };
        let (dir, disk) = (self.dir(), self.around.disk());
        let mut files = Vec::new();
        for (uid, record) in sizes {
            let file = match disk.metadata(&message_path(&dir, uid)) {
                Ok(metadata) => Some(metadata.size),
                Err(error) if error.is_not_found() => None,
                Err(error) => return Err(error.into()),
            };
            if file != Some(record) {
                files.push((uid, record, file));
            }
        }
        // Those that were expunged since are no findings.
        let state = self.state.read();
        files.retain(|(uid, ..)| state.live.contains(*uid));
        Ok(Audit { files, ..audit })
    }

    /// Makes the header claim `more` bytes than there are.
    #[cfg(test)]
    pub(crate) fn spoil_counters(&self, more: u64) {
        let mut state = self.state.write();
        state.header.used += more;
    }
}
