//! The records that a repair begins with: those of the index on the disk, of an open mailbox's memory, or both where
//! somebody put an old index in the place of the one in use.

use std::collections::BTreeMap;
use std::sync::Arc;

use durable::disk::Disk;

use super::event::Events;
use crate::cache_file::{self, CacheFile};
use crate::error::{Error, Result};
use crate::ident::Timestamp;
use crate::index::{self, Header, IndexFile, Record};
use crate::mailbox::{Identity, Snapshot, is_same};
use crate::quota::QuotaUsed;

/// Where the cache record of a message stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Source {
    /// In the file named cyrus.cache.
    Disk,
    /// In the file that the running server has open, which is another one.
    Memory,
}

/// A record, and where its cache record is.
pub(super) struct Entry {
    pub(super) record: Record,
    pub(super) source: Source,
    /// Its keyword bits are those of the cyrus.header beside it, not of memory.
    pub(super) from_file: bool,
}

/// What a repair begins with.
pub(super) struct Base {
    /// Where numbers go on from.
    pub(super) header: Header,
    /// In UID order.
    pub(super) entries: Vec<Entry>,
    /// The index has lost track of messages: files without a record are its victims, and keep their UIDs.
    pub(super) damaged: bool,
    /// There is no index.
    pub(super) lost: bool,
    /// The index is another one than the last that clients knew: every record gets a new mod-sequence.
    pub(super) put_back: bool,
    /// The index is that of an earlier mailbox of this name: its UIDs may have stood for other messages since.
    pub(super) foreign: bool,
    /// What the index that was put back knows nothing beyond.
    pub(super) knows_up_to: Option<u32>,
    /// Files above this UID were never known.
    pub(super) boundary: u32,
    /// The mailbox is closed, and was not closed in order: the last expunges may not have reached their files.
    pub(super) crashed: bool,
    /// The index has to be written again in any case.
    pub(super) rewrite: bool,
    /// The file named cyrus.cache, if it belongs to the index.
    pub(super) disk_cache: Option<CacheFile>,
    /// The open cache, where it is not that file.
    pub(super) memory_cache: Option<CacheFile>,
    /// What the quota root counts for the mailbox.
    pub(super) charged: QuotaUsed,
    /// Changes up to this mod-sequence are in the records.
    pub(super) seen_up_to: crate::ident::ModSeq,
}

impl Base {
    /// Reads the index of a mailbox, which is as `memory` says if it is open.
    ///
    /// # Errors
    /// The disk's; [`Error::Unavailable`] for an index that a newer version wrote.
    pub(super) fn find(
        disk: &Arc<dyn Disk>,
        identity: &Identity,
        memory: Option<&Snapshot>,
        events: &mut Events,
    ) -> Result<Base> {
        let path = identity.dir.join(index::FILE);
        let mut base = match memory {
            Some(memory) if is_same(&**disk, &path, &memory.index_file) => from_memory(memory, events),
            Some(memory) => match open(disk, identity)? {
                Ok((index, header)) => both(memory, read(&index, header, events)?, events),
                Err(what) => {
                    let what = format!("cyrus.index is {what}: written again as the running server knows it");
                    events.change("index.rewritten", None, what);
                    Base { rewrite: true, ..from_memory(memory, events) }
                }
            },
            None => match open(disk, identity)? {
                Ok((index, header)) => from_disk(read(&index, header, events)?, identity),
                Err(what) => lost(&**disk, identity, &what, events),
            },
        };
        base.check_header(events);
        base.find_caches(disk, identity, memory, events)?;
        Ok(base)
    }

    /// What is there is not believed.
    pub(super) fn ignored(disk: &dyn Disk, identity: &Identity, events: &mut Events) -> Base {
        lost(disk, identity, "ignored, as asked", events)
    }

    /// Counters and numbers of the header against the records.
    fn check_header(&mut self, events: &mut Events) {
        let live = || self.entries.iter().map(|entry| &entry.record).filter(|record| !record.is_expunged());
        let (exists, used) = (live().count() as u32, live().map(|record| u64::from(record.size)).sum::<u64>());
        let header = &mut self.header;
        if self.put_back || self.damaged {
            // Which counters an index had that is no more does not matter.
        } else if (header.exists, header.used) != (exists, used) {
            let what = format!("counters were wrong: {} messages of {} bytes", header.exists, header.used);
            events.change("index.counters", None, format!("{what}, should be {exists} of {used}"));
            self.rewrite = true;
        }
        let (mut last_uid, mut modseq) = (header.last_uid, header.highest_modseq);
        for Entry { record, .. } in &self.entries {
            last_uid = last_uid.max(record.uid.get());
            modseq = modseq.max(record.modseq);
        }
        if last_uid > header.last_uid {
            let what = format!("the last UID was {}, but there is {last_uid}: raised", header.last_uid);
            events.change("index.last_uid", None, what);
            self.rewrite = true;
        }
        if modseq > header.highest_modseq {
            events.change("index.modseq", None, "the highest mod-sequence was too low: raised");
            self.rewrite = true;
        }
        (header.last_uid, header.highest_modseq) = (last_uid, modseq);
        self.boundary = self.boundary.max(last_uid);
    }

    fn find_caches(
        &mut self,
        disk: &Arc<dyn Disk>,
        identity: &Identity,
        memory: Option<&Snapshot>,
        events: &mut Events,
    ) -> Result<()> {
        let path = identity.dir.join(cache_file::FILE);
        // With both indexes the one on the disk is of the generation of the cache beside it.
        let generation = self.header.generation;
        self.disk_cache = CacheFile::open(disk, &path, generation)?;
        if let Some(memory) = memory {
            let same = is_same(&**disk, &path, memory.cache.file());
            for entry in self.entries.iter_mut().filter(|entry| !entry.from_file) {
                entry.source = if same { Source::Disk } else { Source::Memory };
            }
            if !same {
                self.memory_cache = Some(memory.cache.again());
            }
        }
        for cache in [&mut self.disk_cache, &mut self.memory_cache].into_iter().flatten() {
            cache.prepare(cache.file().metadata()?.size);
        }
        let lost = identity_of_damage(disk, &path, self.disk_cache.is_some())?;
        if self.lost {
            // Whatever it was, it went with the index.
        } else if let Some(what) = lost {
            events.change("cache.rebuilt", None, format!("cyrus.cache {what}: made anew"));
        } else if self.memory_cache.is_some() {
            events.change("cache.rebuilt", None, "cyrus.cache is not the one in use: made anew");
        }
        Ok(())
    }

    /// Whether cyrus.cache has to be made anew.
    pub(super) fn needs_new_cache(&self) -> bool {
        self.disk_cache.is_none() || self.memory_cache.is_some()
    }

    /// The cache that a record is in.
    pub(super) fn cache_of(&self, source: Source) -> Option<&CacheFile> {
        match source {
            Source::Disk => self.disk_cache.as_ref(),
            Source::Memory => self.memory_cache.as_ref(),
        }
    }
}

fn identity_of_damage(disk: &Arc<dyn Disk>, path: &std::path::Path, good: bool) -> Result<Option<&'static str>> {
    Ok(match good {
        true => None,
        false if !disk.exists(path)? => Some("is missing"),
        false => Some("belongs to another index or is none"),
    })
}

/// The records of an index on the disk, and what is wrong with them.
struct OnDisk {
    header: Header,
    records: Vec<Record>,
    damaged: bool,
    clean: bool,
}

/// Opens the index file; what is wrong with it, if it can't be used at all.
fn open(disk: &Arc<dyn Disk>, identity: &Identity) -> Result<Result<(IndexFile, Header), String>> {
    match IndexFile::open(disk, &identity.dir.join(index::FILE)) {
        Ok((index, loaded)) => Ok(Ok((index, loaded.header))),
        Err(Error::Corrupt { what, .. }) => Ok(Err(format!("unreadable ({what})"))),
        Err(Error::Disk(error)) if error.is_not_found() => Ok(Err("missing".to_owned())),
        Err(Error::Disk(error)) if error.is_not_regular() => Ok(Err("not a regular file".to_owned())),
        Err(error) => Err(error),
    }
}

fn read(index: &IndexFile, header: Header, events: &mut Events) -> Result<OnDisk> {
    let count = header.records.min(index.whole_records()?);
    let mut records = Vec::with_capacity(count as usize);
    let (mut bad, mut disordered, mut last) = (0u32, 0u32, 0);
    index.scan(count, |_, record| match record {
        Some(record) if record.uid.get() > last => {
            last = record.uid.get();
            records.push(record);
        }
        Some(_) => disordered += 1,
        None => bad += 1,
    })?;
    let missing = header.records - count;
    let rows = [(missing, "are missing at its end"), (bad, "have a wrong checksum"), (disordered, "are out of order")];
    for (count, what) in rows.into_iter().filter(|(count, _)| *count > 0) {
        events.change("index.damaged", None, format!("cyrus.index: {count} records {what}: dropped"));
    }
    let clean = header.clean.is_some();
    Ok(OnDisk { header, records, damaged: missing + bad + disordered > 0, clean })
}

fn entries(records: Vec<Record>, from_file: bool) -> Vec<Entry> {
    records.into_iter().map(|record| Entry { record, source: Source::Disk, from_file }).collect()
}

fn from_disk(found: OnDisk, identity: &Identity) -> Base {
    let found_validity = found.header.uid_validity;
    Base {
        boundary: found.header.last_uid,
        seen_up_to: found.header.highest_modseq,
        charged: found.header.quota_used(),
        header: found.header,
        entries: entries(found.records, true),
        damaged: found.damaged,
        lost: false,
        put_back: false,
        foreign: found_validity < identity.uid_validity,
        knows_up_to: None,
        crashed: !found.clean,
        rewrite: found.damaged,
        disk_cache: None,
        memory_cache: None,
    }
}

fn lost(disk: &dyn Disk, identity: &Identity, what: &str, events: &mut Events) -> Base {
    let what = format!("cyrus.index is {what}: made anew from the message files; flags are lost");
    events.change("index.rebuilt", None, what);
    // Any generation that the cache does not have.
    let now = Timestamp::now().seconds as u32;
    let generation = cache_file::generation(disk, &identity.dir).filter(|taken| *taken == now);
    let header = Header::new(identity.uid_validity, generation.map_or(now, |taken| taken.wrapping_add(1)));
    Base {
        boundary: 0,
        seen_up_to: header.highest_modseq,
        charged: QuotaUsed::default(),
        header,
        entries: Vec::new(),
        damaged: true,
        lost: true,
        put_back: false,
        foreign: false,
        knows_up_to: None,
        crashed: false,
        rewrite: true,
        disk_cache: None,
        memory_cache: None,
    }
}

/// The open mailbox, whose index is the file of that name.
fn from_memory(memory: &Snapshot, events: &mut Events) -> Base {
    let damaged = memory.unreadable > 0 || memory.overwritten;
    if memory.overwritten {
        events.change("index.overwritten", None, "cyrus.index was written over while in use: written again");
    } else if memory.unreadable > 0 {
        let what = format!("cyrus.index: {} records are damaged: dropped", memory.unreadable);
        events.change("index.damaged", None, what);
    }
    Base {
        boundary: memory.header.last_uid,
        seen_up_to: memory.header.highest_modseq,
        charged: memory.header.quota_used(),
        header: memory.header.clone(),
        entries: entries(memory.records.clone(), memory.overwritten),
        damaged,
        lost: false,
        put_back: memory.overwritten,
        foreign: false,
        knows_up_to: None,
        crashed: false,
        rewrite: damaged,
        disk_cache: None,
        memory_cache: None,
    }
}

/// An index was put in the place of the open one. It says what the messages that it knows are flagged; what came later is
/// only known to memory.
fn both(memory: &Snapshot, found: OnDisk, events: &mut Events) -> Base {
    let what = "cyrus.index was put back while the mailbox is in use: what it says of its messages counts, \
                later messages are kept";
    events.change("index.restored", None, what);
    let (knows_up_to, found_validity) = (found.header.last_uid, found.header.uid_validity);
    let mut all: BTreeMap<u32, Entry> = BTreeMap::new();
    for record in &memory.records {
        all.insert(record.uid.get(), Entry { record: *record, source: Source::Memory, from_file: false });
    }
    for record in found.records {
        let uid = record.uid.get();
        let expunged_since = record.is_expunged() && all.get(&uid).is_some_and(|entry| !entry.record.is_expunged());
        if !expunged_since {
            all.insert(uid, Entry { record, source: Source::Disk, from_file: true });
        }
    }
    let mut header = memory.header.clone();
    header.generation = found.header.generation;
    header.uid_validity = header.uid_validity.max(found.header.uid_validity);
    header.last_uid = header.last_uid.max(found.header.last_uid);
    header.highest_modseq = header.highest_modseq.max(found.header.highest_modseq);
    Base {
        boundary: header.last_uid,
        seen_up_to: memory.header.highest_modseq,
        charged: memory.header.quota_used(),
        header,
        entries: all.into_values().collect(),
        damaged: found.damaged,
        lost: false,
        put_back: true,
        foreign: found_validity != memory.header.uid_validity,
        knows_up_to: Some(knows_up_to),
        crashed: false,
        rewrite: true,
        disk_cache: None,
        memory_cache: None,
    }
}
