//! Expunged messages that are kept for a while, and bringing them back: under new UIDs, because clients have seen the old
//! ones go.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use message::Limits;

use crate::cache::{self, CacheBuf, CacheItems};
use crate::error::{Error, Result};
use crate::flags::SystemFlags;
use crate::ident::{Timestamp, Uid};
use crate::index::Record;
use crate::mailbox::Mailbox;
use crate::mailbox::append::{Incoming, Source};
use crate::mailbox::change::Change;
use crate::mailbox::files::{EXPUNGED_DIR, message_files, message_path};
use crate::quota::QuotaCheck;
use crate::seen::SeenChange;
use crate::stage::MAX_MESSAGE;
use crate::uid_set::UidSet;

impl Mailbox {
    /// The records of expunged messages whose files are kept, in UID order; [`Record::saved`] is when each was expunged. A
    /// message that was expunged a moment ago may not be among them yet ([`Store::settle`](crate::Store::settle)).
    ///
    /// # Errors
    /// The disk's.
    pub fn expunged(self: &Arc<Self>) -> Result<Vec<Record>> {
        let Some(_stays) = self.stay() else { return Err(Error::NotFound(self.name().to_string())) };
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

    /// Brings expunged messages back, whatever the quota: with their flags but for \Deleted, and \Seen for whoever had seen
    /// them. What an earlier call began, which did not come to its end, is ended. Returns old and new UIDs.
    ///
    /// # Errors
    /// As for [`append`](Self::append); no message was brought back then.
    pub fn unexpunge(self: &Arc<Self>, uids: &UidSet) -> Result<Vec<(Uid, Uid)>> {
        // A repack would forget what is on its way back.
        let _one_at_a_time = self.maintenance.lock();
        let mut kept = self.expunged()?;
        kept.retain(|record| uids.contains(record.uid.get()));
        kept.iter_mut().for_each(as_brought_back);
        let mut pairs = self.back_already(&kept)?;
        self.complete_records(&kept, &pairs)?;
        kept.retain(|record| pairs.iter().all(|(old, _)| *old != record.uid));
        let mut incoming = Vec::new();
        for record in &kept {
            let cache = self.cache_of_expunged(record)?;
            let source = Source::Copied { from: Arc::clone(self), uid: record.uid.get(), expunged: true, cache };
            incoming.push(Incoming { record: *record, source, seen_by: self.seers(record.uid) });
        }
        if !incoming.is_empty() {
            let ticket = self.enqueue_incoming(incoming, QuotaCheck::Ignore)?;
            let new = self.complete(ticket)?;
            pairs.extend(kept.iter().map(|record| record.uid).zip(new));
        }
        if pairs.is_empty() {
            return Ok(pairs);
        }
        // The message has another name by now; the old one would bring it back a second time. What is known of it must not
        // be lost with the old name, though.
        self.sync()?;
        // Else the next call does it.
        let Some(_stays) = self.stay() else { return Ok(pairs) };
        let (aside, disk) = (self.dir().join(EXPUNGED_DIR), self.around.disk());
        for (old, _) in &pairs {
            if let Err(error) = disk.unlink(&message_path(&aside, old.get())) {
                tracing::warn!(event = "mailbox.settle.failed", mailbox = %self.name(), %error);
            }
        }
        tracing::info!(event = "mailbox.unexpunged", mailbox = %self.name(), messages = pairs.len());
        pairs.sort_unstable();
        Ok(pairs)
    }

    /// Which of these expunged messages are there again under other UIDs, because a call that brought them back did not
    /// come to its end: two names of one file tell. Hardly ever is there more to look at than the link counts.
    fn back_already(self: &Arc<Self>, kept: &[Record]) -> Result<Vec<(Uid, Uid)>> {
        let Some(_stays) = self.stay() else { return Err(Error::NotFound(self.name().to_string())) };
        let (dir, disk) = (self.dir(), self.around.disk());
        let mut linked = HashMap::new();
        for record in kept {
            match disk.metadata(&message_path(&dir.join(EXPUNGED_DIR), record.uid.get())) {
                Ok(file) if file.nlink > 1 => drop(linked.insert((file.dev, file.ino), record)),
                Err(error) if !error.is_not_found() => return Err(error.into()),
                _ => {}
            }
        }
        let mut pairs = Vec::new();
        let hashes: HashSet<_> = linked.values().map(|record| record.hash).collect();
        if hashes.is_empty() {
            return Ok(pairs);
        }
        let alike: Vec<Record> =
            self.read().records(1..=u32::MAX).filter(|record| hashes.contains(&record.hash)).collect();
        for live in alike {
            let file = disk.metadata(&message_path(&dir, live.uid.get()))?;
            if let Some(expunged) = linked.remove(&(file.dev, file.ino)).filter(|expunged| expunged.uid < live.uid) {
                pairs.push((expunged.uid, live.uid));
            }
        }
        Ok(pairs)
    }

    /// Gives messages that came back by their files alone what the records of the expunged ones say of them. What somebody
    /// has flagged since stays as it is.
    fn complete_records(self: &Arc<Self>, kept: &[Record], pairs: &[(Uid, Uid)]) -> Result<()> {
        for (old, new) in pairs {
            let Some(before) = kept.iter().find(|record| record.uid == *old) else { continue };
            let mut state = self.state.write();
            state.prepare();
            let mut records: Vec<_> = state.select(&UidSet::from_iter([new.get()])).collect();
            for (_, record) in &mut records {
                if record.flags == SystemFlags::NONE && record.keywords == 0 {
                    (record.flags, record.keywords) = (before.flags, before.keywords);
                    record.internal_date = before.internal_date;
                }
            }
            let add = UidSet::from_iter([new.get()]);
            let readers = state.seen.readers().filter(|(_, reader)| reader.seen.contains(old.get()));
            let mut seen: Vec<_> = readers
                .map(|(reader, _)| SeenChange { reader: reader.to_owned(), add: add.clone(), ..SeenChange::default() })
                .collect();
            // One of them goes with the records, so that sessions hear of it all.
            let first = seen.pop();
            for change in seen {
                self.commit(&mut state, Change::Recent(change))?;
            }
            self.commit(&mut state, Change::Flags { records, seen: first })?;
        }
        Ok(())
    }

    /// Who has seen a message.
    fn seers(&self, uid: Uid) -> Vec<String> {
        let state = self.state.read();
        let readers = state.seen.readers().filter(|(_, reader)| reader.seen.contains(uid.get()));
        readers.map(|(reader, _)| reader.to_owned()).collect()
    }

    fn cache_of_expunged(&self, record: &Record) -> Result<Vec<u8>> {
        let mut buffer = CacheBuf::default();
        let state = self.state.read();
        if state.cache.read(record.uid, record.cache_offset, record.cache_len, CacheItems::ALL, &mut buffer) {
            return Ok(buffer.record().to_vec());
        }
        drop(state);
        let path = message_path(&self.dir().join(EXPUNGED_DIR), record.uid.get());
        let bytes = self.around.disk().read(&path, MAX_MESSAGE)?;
        Ok(cache::encode(record.uid, &message::analyse(&bytes, &Limits::default())))
    }
}

/// The record of an expunged message as that of one that is there.
fn as_brought_back(record: &mut Record) {
    record.flags = SystemFlags::from_bits(record.flags.bits() & SystemFlags::CLIENT.bits());
    record.flags = record.flags.without(SystemFlags::DELETED);
    record.saved = Timestamp::now().seconds;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mailbox::tests::{filled, picture, set, store};
    use crate::mailbox::{FlagOp, StoreRequest};

    #[test]
    fn what_was_seen_is_seen_when_it_comes_back() {
        let (_dir, bench, mailbox) = filled(4);
        store(&mailbox, "1:2", FlagOp::Add, SystemFlags::FLAGGED, true, &["Work"]);
        let seen_by_sue = StoreRequest {
            reader: "sue",
            uids: &set("2,3"),
            op: FlagOp::Add,
            system: SystemFlags::NONE,
            seen: true,
            keywords: &[],
            permitted: crate::mailbox::Permitted::ALL,
            unchanged_since: None,
        };
        mailbox.store(&seen_by_sue).unwrap();
        let before = picture(&mailbox);
        mailbox.remove_messages(&set("1:3")).unwrap();
        bench.run();
        // A rewrite of the seen file keeps what is needed.
        mailbox.compact_seen().unwrap();
        let back = mailbox.unexpunge(&set("1:3")).unwrap();
        assert_eq!(back.iter().map(|(old, new)| (old.get(), new.get())).collect::<Vec<_>>(), [(1, 5), (2, 6), (3, 7)]);
        let after = picture(&mailbox);
        for (old, new) in [(0, 1), (1, 2), (2, 3)] {
            assert_eq!(before[old].split_once(' ').unwrap().1, after[new].split_once(' ').unwrap().1);
        }
        let reading = mailbox.read();
        let sue = reading.reader("sue");
        let seen: Vec<u32> = reading.uids().iter().filter(|uid| sue.has_seen(Uid::new(*uid).unwrap())).collect();
        assert_eq!(seen, [6, 7]);
    }

    #[test]
    fn what_is_back_already_does_not_come_twice() {
        let (dir, bench, mailbox) = filled(3);
        store(&mailbox, "2", FlagOp::Add, SystemFlags::FLAGGED, true, &["Work"]);
        let before = picture(&mailbox);
        mailbox.remove_messages(&set("2")).unwrap();
        bench.run();
        // Killed after the link: the next open takes the file in, as it takes any that has no record yet.
        let aside = mailbox.dir().join(EXPUNGED_DIR).join("2.");
        std::fs::hard_link(&aside, mailbox.dir().join("4.")).unwrap();
        drop(mailbox);
        let mailbox = crate::mailbox::tests::open(&bench, dir.path()).unwrap();
        assert_eq!(mailbox.read().uids(), &set("1,3,4"));
        let back = mailbox.unexpunge(&set("2")).unwrap();
        assert_eq!(back, [(Uid::new(2).unwrap(), Uid::new(4).unwrap())]);
        assert_eq!(mailbox.read().uids(), &set("1,3,4"));
        assert_eq!(picture(&mailbox)[2].split_once(' ').unwrap().1, before[1].split_once(' ').unwrap().1);
        assert!(!aside.exists());
        assert_eq!(mailbox.unexpunge(&set("2")).unwrap(), []);
    }
}
