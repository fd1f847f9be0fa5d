//! The one function that changes a mailbox. Everything that happens to messages is a [`Change`]; `commit` writes it,
//! takes it into memory, tells the quota root, remembers it for those who ask what changed, and wakes whoever waits.
//! What has to see every change (a history, a replica) attaches here.

use std::sync::Arc;

use crate::cache;
use crate::error::Result;
use crate::ident::{ModSeq, Timestamp, Uid};
use crate::index::{Header, Record, encode_all};
use crate::mailbox::Mailbox;
use crate::mailbox::state::State;
use crate::quota::QuotaUsed;
use crate::seen::SeenChange;

/// A change of a mailbox's messages.
pub(super) enum Change {
    /// Messages whose files and directory entries are durable.
    Append {
        /// In UID order; `commit` fills in mod-sequences and cache offsets.
        arrivals: Vec<Arrival>,
        /// Who has seen which of them.
        seen: Vec<SeenChange>,
    },
    /// New flags or keywords of messages, or of what a reader has seen.
    Flags {
        /// Numbers and records, in order of number; `commit` fills in the mod-sequence.
        records: Vec<(u32, Record)>,
        /// What the reader has seen.
        seen: Option<SeenChange>,
    },
    /// Messages disappear.
    Expunge(
        /// Numbers and records, in order of number.
        Vec<(u32, Record)>,
    ),
    /// A reader has been told of new messages: no change of the messages, no mod-sequence.
    Recent(SeenChange),
    /// Cache records were made anew: nothing that a client could notice, no mod-sequence.
    Heal(
        /// UIDs and their cache records.
        Vec<(Uid, Vec<u8>)>,
    ),
}

/// A message that is being appended.
pub(super) struct Arrival {
    pub(super) record: Record,
    pub(super) cache: Vec<u8>,
}

impl Mailbox {
    /// Commits a change to the state that the caller has locked, and publishes it.
    ///
    /// # Errors
    /// The disk's. Nothing has changed then, as far as anybody can see: what was written is not committed.
    pub(super) fn commit(self: &Arc<Self>, state: &mut State, change: Change) -> Result<ModSeq> {
        let released = match &change {
            Change::Expunge(records) => {
                let bytes = records.iter().map(|(_, r)| u64::from(r.size)).sum();
                Some(QuotaUsed { bytes, messages: records.len() as u64 })
            }
            _ => None,
        };
        let (arrived, octets) = match &change {
            Change::Append { arrivals, .. } => {
                (arrivals.len() as u64, arrivals.iter().map(|arrival| u64::from(arrival.record.size)).sum())
            }
            _ => (0, 0),
        };
        let modseq = state.commit(change, self.around.boot_id())?;
        self.count(arrived, octets, released);
        if let (Some(released), Some(root)) = (released, &self.identity.read().quota) {
            root.expunged(&self.unique_id, released);
        }
        self.publish();
        self.note_dirty();
        Ok(modseq)
    }
}

impl Mailbox {
    fn count(&self, arrived: u64, octets: u64, released: Option<QuotaUsed>) {
        let counters = self.around.counters();
        if arrived > 0 {
            counters.appended.add(arrived);
            counters.appended_octets.add(octets);
        }
        if let Some(released) = released {
            counters.expunged.add(released.messages);
        }
    }
}

impl State {
    fn commit(&mut self, change: Change, boot_id: [u8; 16]) -> Result<ModSeq> {
        let now = Timestamp::now().seconds;
        let mut header = Header { clean: None, boot_id, ..self.header.clone() };
        match change {
            Change::Append { arrivals, seen } => self.append(header, arrivals, &seen, now),
            Change::Flags { mut records, seen } => {
                header.highest_modseq = header.highest_modseq.next();
                self.rewrite(&mut records, &header)?;
                seen.iter().try_for_each(|seen| self.write_seen(seen, now))?;
                self.finish(header, records.iter().map(|(_, r)| r), false)
            }
            Change::Expunge(mut records) => {
                header.highest_modseq = header.highest_modseq.next();
                let bytes: u64 = records.iter().map(|(_, r)| u64::from(r.size)).sum();
                header.exists = header.exists.saturating_sub(records.len() as u32);
                header.used = header.used.saturating_sub(bytes);
                self.rewrite(&mut records, &header)?;
                self.finish(header, records.iter().map(|(_, r)| r), true)
            }
            Change::Recent(seen) => {
                self.write_seen(&seen, now)?;
                Ok(self.header.highest_modseq)
            }
            Change::Heal(records) => self.heal(header, records),
        }
    }

    /// Cache first, then records, then the header that makes both count: a crash between them leaves bytes that nobody
    /// refers to.
    fn append(
        &mut self,
        mut header: Header,
        mut arrivals: Vec<Arrival>,
        seen: &[SeenChange],
        now: i64,
    ) -> Result<ModSeq> {
        header.highest_modseq = header.highest_modseq.next();
        let mut cached = Vec::with_capacity(arrivals.iter().map(|a| a.cache.len()).sum());
        for Arrival { record, cache } in &mut arrivals {
            record.modseq = header.highest_modseq;
            record.created_modseq = header.highest_modseq;
            record.cache_offset = header.cache_len + cached.len() as u64;
            record.cache_len = cache.len() as u32;
            cached.extend_from_slice(cache);
            header.used += u64::from(record.size);
            header.last_uid = header.last_uid.max(record.uid.get());
        }
        let records: Vec<Record> = arrivals.into_iter().map(|a| a.record).collect();
        self.cache.write(header.cache_len, &cached)?;
        self.index.write(header.records, &encode_all(&records))?;
        header.cache_len += cached.len() as u64;
        header.records += records.len() as u32;
        header.exists += records.len() as u32;
        header.last_append = now;
        seen.iter().try_for_each(|seen| self.write_seen(seen, now))?;
        self.finish(header, records.iter(), false)
    }

    /// Writes changed records in place, runs of neighbours with one call each.
    fn rewrite(&mut self, records: &mut [(u32, Record)], header: &Header) -> Result<()> {
        records.iter_mut().for_each(|(_, record)| record.modseq = header.highest_modseq);
        for run in records.chunk_by(|a, b| a.0 + 1 == b.0) {
            let bytes: Vec<u8> = run.iter().flat_map(|(_, record)| record.encode()).collect();
            self.index.write(run[0].0, &bytes)?;
        }
        Ok(())
    }

    fn write_seen(&mut self, change: &SeenChange, now: i64) -> Result<()> {
        let lines = self.seen.lines(change, now);
        if !lines.is_empty() {
            self.index.disk().write_at(&self.seen_file, &lines, self.seen.len)?;
            self.seen.apply(change, lines.len() as u64, now);
        }
        Ok(())
    }

    fn heal(&mut self, mut header: Header, healed: Vec<(Uid, Vec<u8>)>) -> Result<ModSeq> {
        let mut bytes = Vec::new();
        let mut records = Vec::new();
        for (uid, cache) in healed {
            if let Some((number, mut record)) = self.find(uid) {
                record.cache_offset = header.cache_len + bytes.len() as u64;
                record.cache_len = cache.len() as u32;
                bytes.extend_from_slice(&cache);
                records.push((number, record));
            }
        }
        self.cache.write(header.cache_len, &bytes)?;
        header.cache_len += bytes.len() as u64;
        for (number, record) in &records {
            self.index.write(*number, &record.encode())?;
        }
        self.index.write_header(&header)?;
        self.header = header;
        Ok(self.header.highest_modseq)
    }

    fn finish<'a>(
        &mut self,
        header: Header,
        records: impl Iterator<Item = &'a Record> + Clone,
        expunged: bool,
    ) -> Result<ModSeq> {
        self.index.write_header(&header)?;
        self.header = header;
        self.history.push(self.header.highest_modseq, records.clone().map(|r| r.uid.get()), expunged);
        records.for_each(|record| self.note(record));
        Ok(self.header.highest_modseq)
    }
}

/// The cache record of a message that gets another UID: everything but the UID stays as it is.
pub(super) fn cache_for(uid: Uid, analysis: &message::Analysis) -> Vec<u8> {
    cache::encode(uid, analysis)
}
