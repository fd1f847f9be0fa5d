//! Making records and cache records of message files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use durable::disk::{Disk, temporary_path};
use message::{Analysis, Limits, Lines};
use parking_lot::{Mutex, MutexGuard};

use super::RepairOptions;
use super::ahead::{Ahead, with_ahead};
use super::event::Events;
use super::found::HeaderFile;
use super::index::{Base, Entry};
use super::plan::Plan;
use crate::cache::{self, CacheBuf, CacheItems};
use crate::cache_file::{self, CacheFile};
use crate::error::Result;
use crate::flags::{KeywordBits, SystemFlags};
use crate::ident::{ContentHash, ModSeq, Timestamp, Uid};
use crate::index::{CACHE_START, Record};
use crate::mailbox::message_path;
use crate::stage::MAX_MESSAGE;
use crate::uid_set::UidSet;

/// Cache records are written this much at a time.
const BUFFER: usize = 1 << 20;

/// Messages from this size on are in memory one at a time, however many threads read.
const LARGE: u64 = 32 << 20;

static ONE_LARGE: Mutex<()> = Mutex::new(());

/// A message file that was read.
pub(super) struct Message {
    bytes: Vec<u8>,
    analysis: Analysis,
    modified: Timestamp,
    _alone: Option<MutexGuard<'static, ()>>,
}

/// Reads and analyses a message file; nothing if it is gone, or larger than any message.
pub(super) fn read(disk: &dyn Disk, dir: &Path, uid: u32) -> Result<Option<Message>> {
    let file = match disk.open_read(&message_path(dir, uid)) {
        Ok(file) => file,
        Err(error) if error.is_not_found() || error.is_not_regular() => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let found = file.metadata()?;
    if found.size > MAX_MESSAGE {
        return Ok(None);
    }
    let alone = (found.size >= LARGE).then(|| ONE_LARGE.lock());
    let bytes = file.read_all(MAX_MESSAGE)?;
    let analysis = message::analyse(&bytes, &Limits::default());
    let modified = Timestamp { seconds: found.modified.secs, zone_minutes: 0 };
    Ok(Some(Message { bytes, analysis, modified, _alone: alone }))
}

impl Message {
    pub(super) fn hash(&self) -> ContentHash {
        ContentHash::of(&self.bytes)
    }

    pub(super) fn cache_record(&self, uid: Uid) -> Vec<u8> {
        cache::encode(uid, &self.analysis)
    }

    /// A record without flags. The internal date is the file's time, which an append sets; where that can't be trusted,
    /// the topmost Received field is the better witness.
    fn record(&self, uid: Uid, trust_file_time: bool) -> Record {
        let received = self.analysis.received_date.filter(|_| !trust_file_time).map(Timestamp::from);
        let date = received.unwrap_or(self.modified);
        let mut record = Record::of(&self.analysis, self.bytes.len() as u32, self.hash(), date);
        record.uid = uid;
        record.saved = self.modified.seconds;
        record
    }

    /// What a client may stumble over.
    fn oddity(&self) -> Option<&'static str> {
        let Lines { nul, bare_lf, .. } = self.analysis.lines;
        match (nul, bare_lf) {
            (true, _) => Some("it holds NUL, and is served as it is"),
            (false, true) => Some("it has bare LF, and is served as it is"),
            (false, false) => None,
        }
    }
}

/// What is to be made of a message file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Wanted {
    /// The file's UID.
    from: u32,
    /// The message's UID.
    uid: Uid,
    what: What,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum What {
    /// Its cache record.
    Cache,
    /// A record too.
    Record { trust_file_time: bool },
}

/// What was made of a message file.
pub(super) struct Prepared {
    /// Without flags.
    record: Option<Record>,
    cached: Vec<u8>,
    oddity: Option<&'static str>,
}

/// Reads a message file and makes of it what is wanted; nothing if it is gone.
pub(super) fn prepare(disk: &dyn Disk, dir: &Path, wanted: Wanted) -> Result<Option<Prepared>> {
    let Some(message) = read(disk, dir, wanted.from)? else { return Ok(None) };
    let record = match wanted.what {
        What::Cache => None,
        What::Record { trust_file_time } => Some(message.record(wanted.uid, trust_file_time)),
    };
    Ok(Some(Prepared { record, cached: message.cache_record(wanted.uid), oddity: message.oddity() }))
}

/// What was made.
pub(super) struct Made {
    /// In UID order.
    pub(super) records: Vec<Record>,
    /// Those that clients must be told of.
    pub(super) renewed: UidSet,
    /// A new cache and its temporary name; nothing if the old one stays.
    pub(super) cache: Option<(CacheFile, PathBuf)>,
    /// The committed length of the cache.
    pub(super) cache_len: u64,
    /// Files that get another UID: the old and the new one.
    pub(super) renamed: Vec<(u32, u32)>,
    /// The last UID.
    pub(super) last_uid: u32,
    /// Keyword bits that had no name.
    pub(super) keywords_dropped: KeywordBits,
}

/// Whoever makes them.
pub(super) struct Maker<'a> {
    pub(super) disk: &'a Arc<dyn Disk>,
    pub(super) dir: &'a Path,
    pub(super) base: &'a Base,
    pub(super) plan: &'a Plan,
    pub(super) header_file: &'a HeaderFile,
    /// The generation of a new cache.
    pub(super) generation: u32,
    /// No UID up to this one is given out again.
    pub(super) last_uid: u32,
    /// Unix seconds.
    pub(super) now: i64,
    pub(super) options: &'a RepairOptions,
    pub(super) events: &'a mut Events,
}

impl Maker<'_> {
    /// Makes everything that the plan asks for. In a dry run nothing is written.
    pub(super) fn make(mut self) -> Result<Made> {
        let wanted = self.wanted();
        let cache = CacheWriter::begin(&self, self.options.dry_run)?;
        let temporary = cache.temporary.clone();
        let made = with_ahead(&**self.disk, self.dir, &wanted, |ahead| self.make_of(ahead, cache));
        if let (Err(_), Some(temporary)) = (&made, temporary) {
            // What can't be removed is recognised by its name.
            let _ = self.disk.unlink(&temporary);
        }
        made
    }

    /// What will be made of message files, in that order.
    fn wanted(&self) -> Vec<Wanted> {
        let mut wanted = Vec::new();
        let mut added = self.plan.add.iter().peekable();
        for entry in &self.base.entries {
            let uid = entry.record.uid.get();
            while let Some(before) = added.next_if(|added| *added < uid) {
                wanted.extend(self.new_record(before, before));
            }
            wanted.extend(self.made_of_file(&entry.record));
        }
        wanted.extend(added.filter_map(|uid| self.new_record(uid, uid)));
        wanted
    }

    /// What has to be made of the file of a message that has a record.
    fn made_of_file(&self, record: &Record) -> Option<Wanted> {
        let uid = record.uid.get();
        let what = if self.plan.expunge.contains(uid) {
            return None;
        } else if self.plan.remake.contains(uid) {
            What::Record { trust_file_time: true }
        } else if self.plan.recache.contains(uid) {
            What::Cache
        } else {
            return None;
        };
        Some(Wanted { from: uid, uid: record.uid, what })
    }

    fn new_record(&self, from: u32, uid: u32) -> Option<Wanted> {
        // An append that was cut short left the internal date as the file's time.
        let cut_short = !self.base.damaged && !self.base.put_back && from == uid && self.base.crashed;
        Some(Wanted { from, uid: Uid::new(uid)?, what: What::Record { trust_file_time: cut_short } })
    }

    fn make_of(&mut self, ahead: &mut Ahead<'_>, mut cache: CacheWriter) -> Result<Made> {
        let mut made = Made {
            records: Vec::with_capacity(self.base.entries.len() + self.plan.add.len() as usize),
            renewed: UidSet::new(),
            cache: None,
            cache_len: 0,
            renamed: Vec::new(),
            last_uid: self.last_uid,
            keywords_dropped: 0,
        };
        let (base, plan) = (self.base, self.plan);
        let mut added = plan.add.iter().peekable();
        for entry in &base.entries {
            let uid = entry.record.uid.get();
            while let Some(before) = added.next_if(|added| *added < uid) {
                self.take_in(before, before, ahead, &mut made, &mut cache)?;
            }
            self.keep(entry, ahead, &mut made, &mut cache)?;
        }
        for uid in added {
            self.take_in(uid, uid, ahead, &mut made, &mut cache)?;
        }
        for uid in &plan.renumber {
            let Some(new) = made.last_uid.checked_add(1) else {
                self.events.problem("message.reinjected", Some(uid), "the mailbox has used up its UIDs");
                break;
            };
            if self.take_in(uid, new, ahead, &mut made, &mut cache)? {
                made.renamed.push((uid, new));
                made.last_uid = new;
            }
        }
        (made.cache, made.cache_len) = cache.end()?;
        Ok(made)
    }

    /// A record that stays, perhaps changed.
    fn keep(&mut self, entry: &Entry, ahead: &mut Ahead<'_>, made: &mut Made, cache: &mut CacheWriter) -> Result<()> {
        self.options.go_on()?;
        let (uid, mut record) = (entry.record.uid.get(), entry.record);
        let mut renewed = self.base.put_back;
        // Memory knows keywords by the names in force, the disk by those of the file that is there.
        if entry.from_file {
            let (bits, lost) = self.header_file.translate(record.keywords);
            made.keywords_dropped |= lost;
            renewed |= bits != record.keywords;
            record.keywords = bits;
        }
        if self.plan.expunge.contains(uid) {
            record.flags = record.flags.with(SystemFlags::EXPUNGED);
            record.saved = self.now;
            renewed = true;
        } else if let Some(wanted) = self.made_of_file(&record) {
            if let Some(prepared) = ahead.take(wanted)? {
                if let Some(new) = prepared.record {
                    record = Record {
                        internal_date: record.internal_date,
                        saved: record.saved,
                        flags: record.flags,
                        keywords: record.keywords,
                        modseq: record.modseq,
                        created_modseq: record.created_modseq,
                        ..new
                    };
                    renewed = true;
                }
                cache.add(&mut record, &prepared.cached)?;
            }
        } else if !record.is_expunged() {
            cache.keep(self.base.cache_of(entry.source), &mut record)?;
        }
        if renewed {
            made.renewed.insert(uid);
        }
        made.records.push(record);
        Ok(())
    }

    /// A message that has a file and no record.
    fn take_in(
        &mut self,
        from: u32,
        uid: u32,
        ahead: &mut Ahead<'_>,
        made: &mut Made,
        cache: &mut CacheWriter,
    ) -> Result<bool> {
        self.options.go_on()?;
        let Some(wanted) = self.new_record(from, uid) else { return Ok(false) };
        let Some(Prepared { record: Some(mut record), cached, oddity }) = ahead.take(wanted)? else {
            return Ok(false);
        };
        cache.add(&mut record, &cached)?;
        record.modseq = ModSeq::ZERO;
        if let Some(what) = oddity {
            self.events.note("message.odd", Some(uid), what);
        }
        made.last_uid = made.last_uid.max(uid);
        made.renewed.insert(uid);
        made.records.push(record);
        Ok(true)
    }
}

/// The cache that is written: a new one, or the end of the old one.
struct CacheWriter {
    /// Nothing in a dry run.
    file: Option<CacheFile>,
    temporary: Option<PathBuf>,
    renew: bool,
    at: u64,
    buffer: Vec<u8>,
    copied: CacheBuf,
}

impl CacheWriter {
    fn begin(maker: &Maker<'_>, dry_run: bool) -> Result<CacheWriter> {
        let renew = maker.base.needs_new_cache();
        let temporary = renew.then(|| temporary_path(&maker.dir.join(cache_file::FILE)));
        let file = match &temporary {
            _ if dry_run => None,
            Some(path) => Some(CacheFile::write_new(maker.disk, path, maker.generation)?),
            None => maker.base.disk_cache.as_ref().map(CacheFile::again),
        };
        let at = if renew { CACHE_START } else { maker.base.header.cache_len.max(CACHE_START) };
        Ok(CacheWriter { file, temporary, renew, at, buffer: Vec::new(), copied: CacheBuf::default() })
    }

    fn add(&mut self, record: &mut Record, bytes: &[u8]) -> Result<()> {
        record.cache_offset = self.at + self.buffer.len() as u64;
        record.cache_len = bytes.len() as u32;
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= BUFFER { self.flush() } else { Ok(()) }
    }

    /// A record whose cache record is good: it stays where it is, or is copied into the new cache.
    fn keep(&mut self, from: Option<&CacheFile>, record: &mut Record) -> Result<()> {
        if !self.renew {
            return Ok(());
        }
        let mut copied = std::mem::take(&mut self.copied);
        let good = from.is_some_and(|from| {
            from.read(record.uid, record.cache_offset, record.cache_len, CacheItems::ALL, &mut copied)
        });
        if good {
            self.add(record, copied.record())?;
        } else {
            // It went bad since it was looked at: whoever wants it makes it anew.
            (record.cache_offset, record.cache_len) = (0, 0);
        }
        self.copied = copied;
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        if let Some(file) = &self.file {
            file.write(self.at, &self.buffer)?;
        }
        self.at += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }

    fn end(mut self) -> Result<(Option<(CacheFile, PathBuf)>, u64)> {
        self.flush()?;
        if let Some(file) = &self.file {
            file.sync()?;
        }
        Ok((self.file.zip(self.temporary), self.at))
    }
}
