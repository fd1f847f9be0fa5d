//! Copying and moving messages between mailboxes: a hard link and a record each, no byte of mail is copied.

use std::sync::Arc;

use crate::cache::{CacheBuf, CacheItems};
use crate::error::Result;
use crate::flags::Keyword;
use crate::ident::{Timestamp, Uid};
use crate::mailbox::Mailbox;
use crate::mailbox::append::{Incoming, Source};
use crate::mailbox::store::Permitted;
use crate::quota::QuotaCheck;
use crate::uid_set::UidSet;

/// How to copy.
#[derive(Clone, Debug)]
pub struct CopyOptions<'a> {
    /// Who copies: the copies are \Seen for this reader if the originals are.
    pub reader: &'a str,
    /// Which flags the copies may carry, by the reader's rights on the target.
    pub permitted: Permitted,
    /// What the target's quota root has to say.
    pub quota: QuotaCheck,
}

impl Mailbox {
    /// Copies messages to the end of `target`, which may be this mailbox: all of them, durably, or none.
    /// Returns source and target UIDs in order; UIDs that don't exist are passed over.
    ///
    /// # Errors
    /// As for [`append`](Self::append).
    pub fn copy_to(
        self: &Arc<Self>,
        uids: &UidSet,
        target: &Arc<Mailbox>,
        options: &CopyOptions<'_>,
    ) -> Result<Vec<(Uid, Uid)>> {
        let (sources, incoming) = self.outgoing(uids, target, options)?;
        if incoming.is_empty() {
            return Ok(Vec::new());
        }
        let ticket = target.enqueue_incoming(incoming, options.quota)?;
        let copies = target.complete(ticket)?;
        Ok(sources.into_iter().zip(copies).collect())
    }

    /// Moves messages to the end of `target`: copies them, then removes the originals. A crash in between leaves both.
    ///
    /// # Errors
    /// As for [`copy_to`](Self::copy_to); when only the removal fails, the copies stay.
    pub fn move_to(
        self: &Arc<Self>,
        uids: &UidSet,
        target: &Arc<Mailbox>,
        options: &CopyOptions<'_>,
    ) -> Result<Vec<(Uid, Uid)>> {
        let moved = self.copy_to(uids, target, options)?;
        let sources: UidSet = moved.iter().map(|(from, _)| from.get()).collect();
        self.remove_messages(&sources)?;
        Ok(moved)
    }

    /// What the target needs of each message: record, file and cache record.
    fn outgoing(
        self: &Arc<Self>,
        uids: &UidSet,
        target: &Arc<Mailbox>,
        options: &CopyOptions<'_>,
    ) -> Result<(Vec<Uid>, Vec<Incoming>)> {
        let now = Timestamp::now().seconds;
        let mut found = Vec::new();
        {
            let reading = self.read();
            let reader = reading.reader(options.reader);
            let mut buf = CacheBuf::default();
            for record in reading.records_of(uids) {
                reading.cache(&record, CacheItems::ALL, &mut buf)?;
                let names: Vec<Keyword> = reading.keywords_of(&record).cloned().collect();
                found.push((record, names, reader.has_seen(record.uid), buf.record().to_vec()));
            }
        }
        let mut sources = Vec::with_capacity(found.len());
        let mut incoming = Vec::with_capacity(found.len());
        for (mut record, names, seen, cache) in found {
            let uid = record.uid.get();
            sources.push(record.uid);
            record.flags = crate::flags::SystemFlags::from_bits(record.flags.bits() & options.permitted.system.bits());
            record.keywords = if options.permitted.keywords { target.keyword_bits(&names)? } else { 0 };
            record.saved = now;
            let seen_by = if seen && options.permitted.seen { vec![options.reader.to_owned()] } else { Vec::new() };
            incoming.push(Incoming {
                record,
                source: Source::Copied { from: Arc::clone(self), uid, expunged: false, cache },
                seen_by,
            });
        }
        Ok((sources, incoming))
    }
}
