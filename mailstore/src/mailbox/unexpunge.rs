//! Expunged messages that are kept for a while, and bringing them back: under new UIDs, because clients have seen the old
//! ones go.

use std::sync::Arc;

use message::Limits;

use crate::cache::{self, CacheBuf, CacheItems};
use crate::error::Result;
use crate::flags::SystemFlags;
use crate::ident::{Timestamp, Uid};
use crate::index::Record;
use crate::mailbox::append::{Incoming, Source};
use crate::mailbox::files::{EXPUNGED_DIR, message_files, message_path};
use crate::mailbox::{AppendOptions, Mailbox};
use crate::quota::QuotaCheck;
use crate::uid_set::UidSet;

impl Mailbox {
    /// The records of expunged messages whose files are kept, in UID order; [`Record::saved`] is when each was expunged. A
    /// message that was expunged a moment ago may not be among them yet ([`Store::settle`](crate::Store::settle)).
    ///
    /// # Errors
    /// The disk's.
    pub fn expunged(self: &Arc<Self>) -> Result<Vec<Record>> {
        let kept = message_files(&**self.around.disk(), &self.dir().join(EXPUNGED_DIR))?;
        let mut found = Vec::new();
        let state = self.state.read();
        state.index.scan(state.header.records, |_, record| {
            found.extend(record.filter(|record| record.is_expunged() && kept.contains(record.uid.get())));
        })?;
        Ok(found)
    }

    /// How many records a [`repack`](Self::repack) would forget.
    ///
    /// # Errors
    /// The disk's.
    pub fn forgettable(self: &Arc<Self>, before: i64) -> Result<u64> {
        let mut count = 0;
        let state = self.state.read();
        state.index.scan(state.header.records, |_, record| {
            count += u64::from(record.is_some_and(|record| record.is_expunged() && record.saved < before));
        })?;
        Ok(count)
    }

    /// Brings expunged messages back, with their flags but for \Deleted, whatever the quota. Returns old and new UIDs.
    ///
    /// # Errors
    /// As for [`append`](Self::append); no message was brought back then.
    pub fn unexpunge(self: &Arc<Self>, uids: &UidSet) -> Result<Vec<(Uid, Uid)>> {
        let (dir, disk) = (self.dir(), self.around.disk());
        let aside = dir.join(EXPUNGED_DIR);
        let now = Timestamp::now().seconds;
        let (mut old, mut incoming) = (Vec::new(), Vec::new());
        let mut buffer = CacheBuf::default();
        for mut record in self.expunged()?.into_iter().filter(|record| uids.contains(record.uid.get())) {
            let (uid, path) = (record.uid, message_path(&aside, record.uid.get()));
            let cached = {
                let state = self.state.read();
                state.cache.read(uid, record.cache_offset, record.cache_len, CacheItems::ALL, &mut buffer)
            };
            let cache = match cached {
                true => buffer.record().to_vec(),
                false => {
                    let bytes = disk.read(&path, u64::from(u32::MAX))?;
                    cache::encode(uid, &message::analyse(&bytes, &Limits::default()))
                }
            };
            record.flags = SystemFlags::from_bits(record.flags.bits() & SystemFlags::CLIENT.bits());
            record.flags = record.flags.without(SystemFlags::DELETED);
            record.saved = now;
            old.push(uid);
            let source = Source::Copied([path, message_path(&dir, uid.get())], cache);
            incoming.push(Incoming { record, source, seen: false });
        }
        if incoming.is_empty() {
            return Ok(Vec::new());
        }
        let options = AppendOptions { quota: QuotaCheck::Ignore, reader: None };
        let ticket = self.enqueue_incoming(incoming, &options)?;
        let new = self.complete(ticket)?;
        // The message has another name by now; the old one would bring it back a second time.
        for uid in &old {
            if let Err(error) = disk.unlink(&message_path(&aside, uid.get())) {
                tracing::warn!(event = "mailbox.settle.failed", mailbox = %self.name(), %error);
            }
        }
        tracing::info!(event = "mailbox.unexpunged", mailbox = %self.name(), messages = new.len());
        Ok(old.into_iter().zip(new).collect())
    }
}
