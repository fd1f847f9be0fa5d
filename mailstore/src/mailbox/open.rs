//! Opening a mailbox. A cleanly closed one costs a header, a pass over the index and the seen file. One that was not
//! closed, or is damaged, is brought in step with its message files first (`reconcile`): messages beyond the last
//! committed record are taken in under their UIDs, a lost index is made anew, and each repair is one log line.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};

use durable::disk::DiskFile;
use parking_lot::{Condvar, Mutex, RwLock};
use tokio::sync::watch;

use crate::cache_file::{self, CacheFile};
use crate::error::{Error, Result};
use crate::flags::{Keyword, SystemFlags};
use crate::header::{self, MailboxHeader};
use crate::ident::UidValidity;
use crate::index::{self, Glance, Header, IndexFile, Loaded};
use crate::mailbox::history::History;
use crate::mailbox::reconcile::{self, Plan};
use crate::mailbox::state::State;
use crate::mailbox::texts::SearchedTexts;
use crate::mailbox::{Identity, Mailbox, Surroundings};
use crate::seen::{self, Seen};
use crate::uid_set::{Ascending, UidSet};

/// The index's name in a mailbox directory.
pub(crate) const INDEX: &str = index::FILE;

impl Mailbox {
    /// Opens the mailbox that `identity` describes. Its quota root's usage must count what the mailbox's index header
    /// says it uses; what opening changes about that is charged here.
    ///
    /// # Errors
    /// When the directory is missing or the disk fails. Damage of the mailbox's own files is repaired, not reported.
    pub(crate) fn open(around: Arc<dyn Surroundings>, identity: Identity) -> Result<Arc<Mailbox>> {
        let disk = around.disk();
        if !disk.exists(&identity.dir)? {
            return Err(Error::corrupt(&identity.dir, "the mailbox's directory is missing"));
        }
        let keywords = open_header(&around, &identity)?;
        let (state, settle) = load(&around, &identity, keywords)?;
        let mailbox = Arc::new(Mailbox {
            unique_id: identity.unique_id.clone(),
            marks: Mutex::new(identity.marks),
            identity: RwLock::new(Arc::new(identity)),
            moves: Mutex::default(),
            moved: Condvar::new(),
            state: RwLock::new(state),
            queue: super::Queue::default(),
            heals: Mutex::default(),
            texts: SearchedTexts::default(),
            keyword_change: Mutex::default(),
            maintenance: Mutex::default(),
            place: RwLock::default(),
            published: watch::Sender::new(0),
            dirty: AtomicBool::new(false),
            gone: AtomicBool::new(false),
            moving: AtomicU64::new(0),
            held: AtomicBool::new(false),
            damage_noted: AtomicBool::new(false),
            replaced_noted: AtomicBool::new(false),
            missing_noted: AtomicBool::new(false),
            around,
        });
        let (last_uid, modseq) = {
            let header = &mailbox.state.read().header;
            (header.last_uid, header.highest_modseq.get())
        };
        let marks = *mailbox.marks.lock();
        if last_uid > marks.last_uid || modseq > marks.modseq {
            // The repair has used numbers beyond the marks: another loss of the index must not use them again.
            mailbox.raise_marks(last_uid, modseq)?;
        }
        if !settle.is_empty() {
            let later = Arc::clone(&mailbox);
            mailbox.around.run_later(Box::new(move || {
                if let Err(error) = later.settle_expunged(&settle, None) {
                    tracing::warn!(event = "mailbox.settle.failed", mailbox = %later.name(), %error);
                }
            }));
        }
        Ok(mailbox)
    }
}

/// Reads cyrus.header for its keyword names, and writes it again if it is missing or damaged.
fn open_header(around: &Arc<dyn Surroundings>, identity: &Identity) -> Result<Vec<Keyword>> {
    let disk = &**around.disk();
    let path = identity.dir.join(header::FILE);
    let (keywords, damage) = match disk.read(&path, header::MAX_SIZE) {
        Ok(bytes) => match MailboxHeader::decode(&bytes) {
            Ok(decoded) if decoded.damage.is_none() && decoded.header.unique_id == identity.unique_id => {
                let current = contents(identity, decoded.header.keywords.clone());
                // The row changed while the mailbox was closed, or a crash came before its copy was written.
                if decoded.header != current {
                    disk.replace_file(&path, &current.encode())?;
                }
                return Ok(current.keywords);
            }
            Ok(decoded) if decoded.header.unique_id != identity.unique_id => {
                (Vec::new(), "belongs to another mailbox (unique id)")
            }
            Ok(decoded) => (decoded.header.keywords, decoded.damage.unwrap_or("damaged")),
            Err(what) => (Vec::new(), what),
        },
        Err(error) if error.is_not_found() => (Vec::new(), "missing"),
        Err(error) if error.is_not_regular() => (Vec::new(), "not a regular file"),
        Err(error) => return Err(error.into()),
    };
    around.counters().heals.header.add(1);
    tracing::warn!(event = "mailbox.header.rebuilt", mailbox = %identity.name, what = damage,
        keywords = keywords.len(), "cyrus.header is made anew from the mailboxes database");
    if damage != "missing" {
        let aside = path.with_extension("header.bad");
        disk.rename(&path, &aside)?;
    }
    disk.replace_file(&path, &contents(identity, keywords.clone()).encode())?;
    Ok(keywords)
}

/// What cyrus.header should say.
pub(crate) fn contents(identity: &Identity, keywords: Vec<Keyword>) -> MailboxHeader {
    MailboxHeader {
        quota_root: identity.quota.as_ref().map(|root| root.name().to_owned()),
        unique_id: identity.unique_id.clone(),
        keywords,
        acl: identity.acl.clone(),
        row: identity.row.clone(),
    }
}

/// Everything in memory about the mailbox, and the expunged messages whose files are still among the live ones'.
pub(super) fn load(
    around: &Arc<dyn Surroundings>,
    identity: &Identity,
    keywords: Vec<Keyword>,
) -> Result<(State, UidSet)> {
    let disk = around.disk();
    let path = identity.dir.join(INDEX);
    let found = match IndexFile::open(disk, &path) {
        Ok(found) => Some(found),
        Err(Error::Corrupt { what, .. }) => {
            tracing::error!(event = "mailbox.index.damaged", mailbox = %identity.name, what);
            None
        }
        Err(Error::Disk(error)) if error.is_not_found() || error.is_not_regular() => {
            tracing::error!(event = "mailbox.index.missing", mailbox = %identity.name);
            None
        }
        Err(error) => return Err(error),
    };
    let mut plan = Plan::new(around, identity, keywords.len());
    let (index, header) = match found {
        Some((index, loaded)) => {
            let header = plan.survey(&index, loaded)?;
            (Some(index), header)
        }
        None => (None, plan.lost()),
    };
    let mut cache = open_cache(around, &identity.dir, &header)?;
    let repaired = reconcile::reconcile(plan, &path, index, header, &mut cache)?;
    let (seen, seen_file) = open_seen(around, identity, repaired.header.uid_validity)?;
    let state = State {
        history: History::new(repaired.header.highest_modseq),
        assigned: repaired.header.last_uid,
        header: repaired.header,
        index: repaired.index,
        cache,
        seen,
        seen_file,
        live: repaired.live,
        deleted: repaired.deleted,
        keywords,
        incarnation: 0,
        damaged: false,
    };
    Ok((state, repaired.settle))
}

fn open_cache(around: &Arc<dyn Surroundings>, dir: &Path, header: &Header) -> Result<CacheFile> {
    let disk = around.disk();
    let path = dir.join(cache_file::FILE);
    match CacheFile::open(disk, &path, header.generation)? {
        Some(cache) => Ok(cache),
        None => {
            // Records that point into the old cache are noticed by their checksum and UID, and made anew one by one.
            around.counters().heals.cache.add(1);
            tracing::warn!(event = "mailbox.cache.missing", dir = %dir.display(), "a new cache is filled as it is used");
            CacheFile::create(disk, &path, header.generation)
        }
    }
}

/// Reads cyrus.seen. A file with damage is written again at once: a torn last line would make the next one unreadable too.
fn open_seen(around: &Arc<dyn Surroundings>, identity: &Identity, validity: UidValidity) -> Result<(Seen, DiskFile)> {
    let disk = around.disk();
    let path = identity.dir.join(seen::FILE);
    let mut intact = true;
    let mut complain = |line: usize, what: &str| {
        intact = false;
        tracing::warn!(event = "mailbox.seen.damaged", mailbox = %identity.name, line, what);
    };
    let mut seen = match disk.read(&path, seen::MAX_SIZE) {
        Ok(bytes) => Seen::decode(&bytes, validity, &mut complain),
        Err(error) if error.is_not_found() || error.is_not_regular() => {
            complain(0, "missing");
            Seen::default()
        }
        Err(error) => return Err(error.into()),
    };
    if intact {
        return Ok((seen, disk.open_rw(&path)?));
    }
    around.counters().heals.seen.add(1);
    let bytes = seen.encode(validity);
    disk.replace_file(&path, &bytes)?;
    seen.replaced(bytes.len() as u64);
    Ok((seen, disk.open_rw(&path)?))
}

impl Plan<'_> {
    /// Looks at every record of an index that could be opened.
    fn survey(&mut self, index: &IndexFile, loaded: Loaded) -> Result<Header> {
        let Loaded { mut header, records } = loaded;
        self.count(header.records - records, "records are cut off");
        self.charged = header.quota_used();
        let mut last = 0;
        let mut sets = [Ascending::default(), Ascending::default(), Ascending::default()];
        index.survey(records, |record| match record {
            Some(record) if record.uid > last => {
                last = record.uid;
                self.take(record, &mut sets);
            }
            Some(_) => self.count(1, "records are out of order"),
            None => self.count(1, "records have a wrong checksum"),
        })?;
        [self.live, self.deleted, self.expunged] = sets.map(Ascending::finish);
        header.records = records;
        Ok(header)
    }

    fn take(&mut self, record: &Glance, [live, deleted, expunged]: &mut [Ascending; 3]) {
        let uid = record.uid;
        self.max_modseq = self.max_modseq.max(record.modseq);
        self.stray_keywords |= self.keyword_mask & record.keywords != record.keywords;
        self.last_uid = uid;
        if record.flags.contains(SystemFlags::EXPUNGED) {
            expunged.push(uid);
            return;
        }
        live.push(uid);
        self.used += u64::from(record.size);
        if record.flags.contains(SystemFlags::DELETED) {
            deleted.push(uid);
        }
    }
}
