//! Bringing an index in step with the message files after a crash or damage.
//!
//! What is decided for each message file and record:
//!
//! | file | record | |
//! |---|---|---|
//! | live place | live | nothing to do |
//! | live place | none, UID beyond the last committed | taken in under its UID: an append that a crash cut short |
//! | live place | none, the index is damaged or lost | taken in under its UID, flags are lost |
//! | live place | none, the index is healthy | left alone and reported: `reconstruct` decides |
//! | live place | expunged | put aside: the crash came before that |
//! | aside only | live | expunged: the crash came before the index was synced |
//! | nowhere | live | left alone and reported: the disk may come back |
//! | empty | none | removed: no message is empty |

use std::path::Path;
use std::sync::Arc;

use durable::disk::leftover_temporaries;
use message::Limits;

use crate::cache;
use crate::cache_file::CacheFile;
use crate::error::Result;
use crate::flags::{KeywordBits, MAX_KEYWORDS, SystemFlags};
use crate::ident::{ContentHash, ModSeq, Timestamp, Uid};
use crate::index::{CACHE_START, Header, IndexFile, Record};
use crate::mailbox::files::{EXPUNGED_DIR, message_files, message_path};
use crate::mailbox::{Identity, Surroundings};
use crate::quota::QuotaUsed;
use crate::stage::MAX_MESSAGE;
use crate::uid_set::UidSet;

/// What a look at the index found.
pub(super) struct Plan<'a> {
    around: &'a Arc<dyn Surroundings>,
    identity: &'a Identity,
    pub(super) live: UidSet,
    pub(super) deleted: UidSet,
    pub(super) expunged: UidSet,
    pub(super) used: u64,
    pub(super) last_uid: u32,
    pub(super) max_modseq: ModSeq,
    pub(super) keyword_mask: KeywordBits,
    pub(super) stray_keywords: bool,
    /// What the quota root counts for this mailbox already.
    pub(super) charged: QuotaUsed,
    damaged_records: u32,
    lost: bool,
}

/// The index as it is now.
pub(super) struct Repaired {
    pub(super) header: Header,
    pub(super) index: IndexFile,
    pub(super) live: UidSet,
    pub(super) deleted: UidSet,
    /// Expunged messages whose files are to be put aside.
    pub(super) settle: UidSet,
}

impl<'a> Plan<'a> {
    pub(super) fn new(around: &'a Arc<dyn Surroundings>, identity: &'a Identity, keywords: usize) -> Plan<'a> {
        let keyword_mask = if keywords >= MAX_KEYWORDS { KeywordBits::MAX } else { (1 << keywords) - 1 };
        Plan {
            around,
            identity,
            live: UidSet::new(),
            deleted: UidSet::new(),
            expunged: UidSet::new(),
            used: 0,
            last_uid: 0,
            max_modseq: ModSeq::ZERO,
            keyword_mask,
            stray_keywords: false,
            charged: QuotaUsed::default(),
            damaged_records: 0,
            lost: false,
        }
    }

    /// There is no index: the header that a new one begins with.
    pub(super) fn lost(&mut self) -> Header {
        self.lost = true;
        // Any generation that the old cache did not have; a cache of the same generation by chance does no harm,
        // because each of its records names its UID and is checked.
        let generation = Timestamp::now().seconds as u32;
        Header::new(self.identity.uid_validity, generation)
    }

    /// Notes damaged records.
    pub(super) fn count(&mut self, records: u32, what: &'static str) {
        if records > 0 {
            self.damaged_records += records;
            tracing::error!(event = "mailbox.index.damaged", mailbox = %self.identity.name, count = records, what);
        }
    }

    /// Whether the index lost track of messages, so that files without a record are its victims.
    fn is_damaged(&self) -> bool {
        self.lost || self.damaged_records > 0
    }
}

/// Repairs what needs repair; a cleanly closed mailbox passes through untouched.
pub(super) fn reconcile(
    mut plan: Plan<'_>,
    path: &Path,
    index: Option<IndexFile>,
    mut header: Header,
    cache: &mut CacheFile,
) -> Result<Repaired> {
    let found = header.clone();
    let disk = plan.around.disk();
    let changed = disk.metadata(&plan.identity.dir)?.changed;
    let clean = header.clean == Some((changed.secs, changed.nanos));
    // Closed in order, and changed afterwards: files were put there, perhaps an old index among them.
    let meddled = header.clean.is_some() && !clean;
    let same_boot = header.boot_id == plan.around.boot_id();
    let files = if clean && !plan.is_damaged() { None } else { Some(Files::list(&plan)?) };
    let mut settle = UidSet::new();
    let mut additions = UidSet::new();
    let mut lost_expunges = UidSet::new();
    if let Some(files) = &files {
        settle = &plan.expunged & &files.live;
        additions = files.unknown(&plan, header.last_uid);
        lost_expunges = &(&plan.live & &files.aside) - &files.live;
        files.report(&plan, &additions);
    }
    // What was not synced before a power cut, is lost with the index, or was replaced by an older index from a backup, may
    // have used more numbers than anything on disk tells; the high-water marks were never exceeded.
    let untold = plan.lost || meddled || (!clean && !same_boot);
    numbers(&plan, files.as_ref(), untold, &mut header);
    validity(&plan, &mut header);
    let unchanged = additions.is_empty() && lost_expunges.is_empty() && !plan.is_damaged() && !plan.stray_keywords;
    let counted = header.exists == plan.live.len() as u32 && header.used == plan.used;
    let index = match index {
        Some(index) if unchanged => {
            if !counted {
                plan.around.counters().heals.counters.add(1);
                tracing::warn!(event = "mailbox.counters.repaired", mailbox = %plan.identity.name);
                header.exists = plan.live.len() as u32;
                header.used = plan.used;
            }
            if header != found {
                // Whoever sums up quota usage reads headers, also of mailboxes that are open.
                header.clean = None;
                header.boot_id = plan.around.boot_id();
                index.write_header(&header)?;
            }
            index
        }
        index => rewrite(&mut plan, path, index, &mut header, cache, &additions, &lost_expunges)?,
    };
    if let Some(root) = &plan.identity.quota {
        root.correct(plan.charged, header.quota_used());
        if plan.lost {
            root.doubt();
        }
    }
    Ok(Repaired { header, index, live: plan.live, deleted: plan.deleted, settle })
}

/// Numbering goes on above everything that is there, and above the high-water marks if there may have been more.
fn numbers(plan: &Plan<'_>, files: Option<&Files>, untold: bool, header: &mut Header) {
    header.highest_modseq = header.highest_modseq.max(plan.max_modseq);
    header.last_uid = header.last_uid.max(plan.last_uid);
    if let Some(highest) = files.and_then(Files::highest) {
        header.last_uid = header.last_uid.max(highest);
    }
    if untold {
        header.last_uid = header.last_uid.max(plan.identity.marks.last_uid);
        header.highest_modseq = header.highest_modseq.max(ModSeq::new(plan.identity.marks.modseq));
    }
}

/// The mailboxes database says which UIDVALIDITY the mailbox has; only a larger one in the index is believed, because
/// clients may have seen it.
fn validity(plan: &Plan<'_>, header: &mut Header) {
    let listed = plan.identity.uid_validity;
    if header.uid_validity < listed {
        header.uid_validity = listed;
    } else if header.uid_validity > listed {
        tracing::warn!(event = "mailbox.uidvalidity.differs", mailbox = %plan.identity.name,
            index = header.uid_validity.get(), database = listed.get());
    }
}

struct Files {
    live: UidSet,
    aside: UidSet,
}

impl Files {
    fn list(plan: &Plan<'_>) -> Result<Files> {
        let disk = &**plan.around.disk();
        let dir = &plan.identity.dir;
        // Left by a crash: nobody else has the mailbox open, so nobody is writing them.
        for name in leftover_temporaries(disk, dir)? {
            disk.unlink(&dir.join(name))?;
        }
        Ok(Files { live: message_files(disk, dir)?, aside: message_files(disk, &dir.join(EXPUNGED_DIR))? })
    }

    fn highest(&self) -> Option<u32> {
        self.live.max().max(self.aside.max())
    }

    /// Files to take in.
    fn unknown(&self, plan: &Plan<'_>, committed: u32) -> UidSet {
        let mut unknown = &(&self.live - &plan.live) - &plan.expunged;
        if !plan.is_damaged() {
            unknown.remove_range(0..=committed.max(plan.last_uid));
        }
        unknown
    }

    fn report(&self, plan: &Plan<'_>, additions: &UidSet) {
        let name = &plan.identity.name;
        let missing = (&(&plan.live - &self.live) - &self.aside).len();
        if missing > 0 {
            tracing::error!(event = "mailbox.files.missing", mailbox = %name, count = missing,
                "messages have no file: run reconstruct");
        }
        let strays = (&(&(&self.live - &plan.live) - &plan.expunged) - additions).len();
        if strays > 0 {
            tracing::warn!(event = "mailbox.files.unlisted", mailbox = %name, count = strays,
                "message files have no record: run reconstruct");
        }
    }
}

/// Writes the whole index again with what is to be added, and without what is damaged.
fn rewrite(
    plan: &mut Plan<'_>,
    path: &Path,
    index: Option<IndexFile>,
    header: &mut Header,
    cache: &mut CacheFile,
    additions: &UidSet,
    lost_expunges: &UidSet,
) -> Result<IndexFile> {
    let disk = plan.around.disk();
    let modseq = header.highest_modseq.next();
    header.highest_modseq = modseq;
    let mut records = Vec::with_capacity(plan.live.len() as usize + additions.len() as usize);
    match &index {
        Some(index) => good_records(plan, index, header, lost_expunges, &mut records)?,
        None => header.cache_len = CACHE_START,
    }
    let mut taken_in = 0u32;
    for uid in additions {
        if let Some(record) = take_in(plan, uid, modseq, header, cache)? {
            records.push(record);
            taken_in += 1;
        }
    }
    records.sort_unstable_by_key(|r| r.uid);
    plan.live = UidSet::new();
    plan.deleted = UidSet::new();
    plan.used = 0;
    for record in records.iter().filter(|r| !r.is_expunged()) {
        plan.live.insert(record.uid.get());
        plan.used += u64::from(record.size);
        if record.flags.contains(SystemFlags::DELETED) {
            plan.deleted.insert(record.uid.get());
        }
    }
    header.records = records.len() as u32;
    header.exists = plan.live.len() as u32;
    header.used = plan.used;
    header.clean = None;
    header.boot_id = plan.around.boot_id();
    if plan.is_damaged() {
        // Who knows what the lost records said: nothing before this can be told to a client that comes back.
        header.deleted_modseq = modseq;
    }
    plan.around.counters().heals.index.add(1);
    if plan.is_damaged() {
        plan.around.note_damage(&plan.identity.unique_id);
    }
    tracing::warn!(event = "mailbox.index.repaired", mailbox = %plan.identity.name, taken_in,
        expunged = lost_expunges.len(), messages = header.exists, "the index is in step with the message files again");
    IndexFile::replace(disk, path, header, &records)
}

/// The records of an index that make sense, without keywords that have no name, and with the expunges that it has lost.
/// Those that change have the header's mod-sequence.
fn good_records(
    plan: &Plan<'_>,
    index: &IndexFile,
    header: &Header,
    lost_expunges: &UidSet,
    records: &mut Vec<Record>,
) -> Result<()> {
    let mut last = 0;
    index.scan(header.records, |_, record| {
        let Some(mut record) = record.filter(|r| r.uid.get() > last) else { return };
        last = record.uid.get();
        if record.keywords & !plan.keyword_mask != 0 {
            record.keywords &= plan.keyword_mask;
            record.modseq = header.highest_modseq;
        }
        if lost_expunges.contains(last) {
            record.flags = record.flags.with(SystemFlags::EXPUNGED);
            record.modseq = header.highest_modseq;
        }
        records.push(record);
    })
}

/// The record of a message file that has none; nothing if the file is empty, which is removed.
fn take_in(
    plan: &Plan<'_>,
    uid: u32,
    modseq: ModSeq,
    header: &mut Header,
    cache: &mut CacheFile,
) -> Result<Option<Record>> {
    let disk = plan.around.disk();
    let path = message_path(&plan.identity.dir, uid);
    let Some(uid) = Uid::new(uid) else { return Ok(None) };
    let file = match disk.open_read(&path) {
        Ok(file) => file,
        Err(error) if error.is_not_found() || error.is_not_regular() => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let size = file.metadata()?.size;
    if size > MAX_MESSAGE {
        tracing::error!(event = "mailbox.file.too_large", mailbox = %plan.identity.name, %uid, size,
            "a file is larger than any message: it is left alone");
        return Ok(None);
    }
    let bytes = file.read_all(MAX_MESSAGE)?;
    if bytes.is_empty() {
        disk.unlink(&path)?;
        tracing::warn!(event = "mailbox.file.empty", mailbox = %plan.identity.name, %uid, "an empty file is removed");
        return Ok(None);
    }
    let analysis = message::analyse(&bytes, &Limits::default());
    let modified = file.metadata()?.modified;
    let modified = Timestamp { seconds: modified.secs, zone_minutes: 0 };
    // An append that was cut short left the internal date as the file's time. A file whose record was lost may have
    // been touched since: the topmost Received field is the better witness.
    let received = analysis.received_date.filter(|_| plan.is_damaged());
    let date = received.map_or(modified, Timestamp::from);
    let mut record = Record::of(&analysis, bytes.len() as u32, ContentHash::of(&bytes), date);
    let cached = cache::encode(uid, &analysis);
    cache.write(header.cache_len, &cached)?;
    record.uid = uid;
    record.modseq = modseq;
    record.created_modseq = modseq;
    record.saved = modified.seconds;
    record.cache_offset = header.cache_len;
    record.cache_len = cached.len() as u32;
    header.cache_len += cached.len() as u64;
    Ok(Some(record))
}
