//! Holding a mailbox that is in use while it is repaired: nobody appends meanwhile, but everybody reads, and flags may
//! change. In the end what the repair has made takes the place of index and cache in one step, under the lock, and sessions
//! are told what that means for them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use durable::disk::{Disk, DiskFile, parent, temporary_path};

use crate::cache_file::{self, CacheFile};
use crate::error::Result;
use crate::flags::{Keyword, SystemFlags};
use crate::ident::{ModSeq, UidValidity};
use crate::index::{Header, IndexFile, Record};
use crate::mailbox::history::History;
use crate::mailbox::open::INDEX;
use crate::mailbox::state::State;
use crate::mailbox::{Identity, Mailbox};
use crate::seen::{self, Seen};
use crate::uid_set::UidSet;

/// A mailbox that is held.
pub(crate) struct Held<'a>(&'a Arc<Mailbox>);

/// A mailbox as it is in memory.
pub(crate) struct Snapshot {
    pub(crate) header: Header,
    /// The records that could be read, in UID order.
    pub(crate) records: Vec<Record>,
    /// How many records could not be read.
    pub(crate) unreadable: u32,
    /// Whether the open index is not what this process wrote: somebody wrote over it.
    pub(crate) overwritten: bool,
    pub(crate) keywords: Vec<Keyword>,
    pub(crate) cache: CacheFile,
    pub(crate) index_file: DiskFile,
    pub(crate) seen_file: DiskFile,
    pub(crate) seen: Seen,
}

/// What takes the place of a mailbox's index and cache.
pub(crate) struct Replacement {
    /// Where numbers go on from. Counters and the mod-sequence are filled in.
    pub(crate) header: Header,
    /// In UID order.
    pub(crate) records: Vec<Record>,
    /// The records that get a new mod-sequence.
    pub(crate) renewed: UidSet,
    /// Changes up to this one are in `records`.
    pub(crate) seen_up_to: ModSeq,
    /// Names of the keywords' bits.
    pub(crate) keywords: Vec<Keyword>,
    /// A new cache and its temporary name, durable; nothing if the old one stays.
    pub(crate) cache: Option<(CacheFile, PathBuf)>,
    /// What becomes of the seen state.
    pub(crate) seen: SeenChoice,
    /// Expunges up to the new mod-sequence can't all be told to clients that come back.
    pub(crate) forgetful: bool,
    /// Sessions can't follow.
    pub(crate) reselect: bool,
}

/// What becomes of the seen state.
pub(crate) enum SeenChoice {
    /// The file is as it should be.
    Stays,
    /// The file is written again from what is known: what is in memory, or this where the mailbox is closed.
    Written(Seen),
    /// The file was put back from elsewhere: it counts, but for messages above the UID.
    PutBack(Seen, u32),
    /// Nobody has seen anything: the UIDs stand for other messages from now on.
    Reset,
}

impl Mailbox {
    /// Runs `work` while nobody appends. What was being appended is committed before.
    pub(crate) fn while_held<R>(self: &Arc<Self>, work: impl FnOnce(&Held<'_>) -> R) -> R {
        struct Release<'a>(&'a Mailbox);
        impl Drop for Release<'_> {
            fn drop(&mut self) {
                self.0.held.store(false, Ordering::Release);
                self.0.tell_of_move();
            }
        }
        let _one_at_a_time = self.maintenance.lock();
        {
            let _nobody_links = self.state.write();
            self.held.store(true, Ordering::Release);
        }
        let _release = Release(self);
        self.drain();
        work(&Held(self))
    }

    pub(super) fn is_held(&self) -> bool {
        self.held.load(Ordering::Acquire)
    }

    /// Waits until nobody holds the mailbox.
    pub(super) fn await_release(&self) {
        let mut waiting = self.moves.lock();
        while self.is_held() {
            self.moved.wait(&mut waiting);
        }
    }
}

impl Held<'_> {
    /// The mailbox as it is in memory.
    pub(crate) fn snapshot(&self) -> Result<Snapshot> {
        snapshot(self.0)
    }

    /// Whether the message is there at this moment.
    pub(crate) fn is_live(&self, uid: u32) -> bool {
        self.0.state.read().live.contains(uid)
    }

    /// Puts `new` in the place of index and cache: in memory at once, then durably under their names.
    pub(crate) fn replace(&self, mut new: Replacement) -> Result<()> {
        let mailbox = self.0;
        let disk = mailbox.around.disk();
        let dir = mailbox.dir();
        let temporary = temporary_path(&dir.join(INDEX));
        let cache_name = new.cache.as_ref().map(|(_, path)| path.clone());
        let (index, seen) = {
            let mut state = mailbox.state.write();
            new.take_changes(&state)?;
            new.seal(state.header.highest_modseq, mailbox.around.boot_id());
            // A number that was not durably reserved is not used; the caller has reserved enough for the repair itself.
            let before = state.header.quota_used();
            let index = IndexFile::write_new(disk, &temporary, &new.header, &new.records)?;
            let file = index.file().clone();
            let choice = std::mem::replace(&mut new.seen, SeenChoice::Stays);
            let (last_uid, validity) = (new.header.last_uid, new.header.uid_validity);
            let seen = write_seen(&**disk, &dir, choice, Some(&state.seen), last_uid, validity)?;
            if let Some(root) = &mailbox.identity.read().quota {
                root.correct(before, new.header.quota_used());
            }
            state.take_over(new, index);
            mailbox.damage_noted.store(false, Ordering::Release);
            mailbox.replaced_noted.store(false, Ordering::Release);
            if let Some(written) = &seen {
                state.seen = written.seen.clone();
                state.seen_file = written.file.clone();
            }
            (file, seen)
        };
        let placed = place(&**disk, &dir, &index, &temporary, cache_name.as_deref(), seen.as_ref());
        if placed.is_err() {
            // Memory is ahead of the disk: the next open repairs that again.
            mailbox.state.write().damaged = true;
        }
        mailbox.publish();
        mailbox.note_dirty();
        placed
    }

    /// Replaces the seen state alone.
    pub(crate) fn replace_seen(&self, choice: SeenChoice) -> Result<()> {
        let mailbox = self.0;
        let (disk, dir) = (mailbox.around.disk(), mailbox.dir());
        let written = {
            let mut state = mailbox.state.write();
            let (last_uid, validity) = (state.header.last_uid, state.header.uid_validity);
            let written = write_seen(&**disk, &dir, choice, Some(&state.seen), last_uid, validity)?;
            if let Some(written) = &written {
                state.seen = written.seen.clone();
                state.seen_file = written.file.clone();
            }
            written
        };
        if let Some(written) = &written {
            written.place(&**disk, &dir)?;
        }
        mailbox.publish();
        Ok(())
    }

    /// The mailbox's row has changed.
    pub(crate) fn set_identity(&self, identity: Identity) {
        self.0.set_identity(identity);
    }

    /// Sees to it that these numbers may be used.
    pub(crate) fn reserve(&self, last_uid: u32, modseq: ModSeq) -> Result<()> {
        self.0.raise_marks(last_uid, modseq.get())
    }

    /// Writes cyrus.header as the mailboxes database and the keywords say.
    pub(crate) fn write_header_file(&self) -> Result<()> {
        self.0.write_header_file()
    }
}

/// The mailbox as it is in memory; one that is not held may change right after.
pub(crate) fn snapshot(mailbox: &Arc<Mailbox>) -> Result<Snapshot> {
    let state = mailbox.state.read();
    let on_disk = state.index.read_header();
    let overwritten = on_disk.as_ref() != Some(&state.header);
    // Of an index that somebody wrote over, what can be read is what he wrote.
    let count = match &on_disk {
        Some(header) => header.records.min(state.index.whole_records()?),
        None => state.header.records.min(state.index.whole_records()?),
    };
    let mut records = Vec::with_capacity(count as usize);
    let (mut unreadable, mut last) = (state.header.records.saturating_sub(count), 0);
    state.index.scan(count, |_, record| match record.filter(|record| record.uid.get() > last) {
        Some(record) => {
            last = record.uid.get();
            records.push(record);
        }
        None => unreadable += 1,
    })?;
    Ok(Snapshot {
        header: state.header.clone(),
        records,
        unreadable,
        overwritten,
        keywords: state.keywords.clone(),
        cache: state.cache.again(),
        index_file: state.index.file().clone(),
        seen_file: state.seen_file.clone(),
        seen: state.seen.clone(),
    })
}

impl Replacement {
    /// Writes what was made to a mailbox that nobody has open.
    pub(crate) fn write_closed(mut self, disk: &Arc<dyn Disk>, dir: &Path, boot_id: [u8; 16]) -> Result<Header> {
        self.seal(self.seen_up_to, boot_id);
        let temporary = temporary_path(&dir.join(INDEX));
        let index = IndexFile::write_new(disk, &temporary, &self.header, &self.records)?;
        let choice = std::mem::replace(&mut self.seen, SeenChoice::Stays);
        let seen = write_seen(&**disk, dir, choice, None, self.header.last_uid, self.header.uid_validity)?;
        let cache = self.cache.as_ref().map(|(_, path)| path.as_path());
        place(&**disk, dir, index.file(), &temporary, cache, seen.as_ref())?;
        Ok(self.header)
    }

    /// The flags of messages may have changed since the records were read, and messages may have been expunged.
    fn take_changes(&mut self, state: &State) -> Result<()> {
        for changed in state.changed_after(self.seen_up_to)? {
            let found = self.records.binary_search_by_key(&changed.uid, |record| record.uid);
            let Some(record) = found.ok().and_then(|at| self.records.get_mut(at)) else { continue };
            record.flags = changed.flags;
            record.keywords = changed.keywords;
            record.saved = changed.saved;
            self.renewed.insert(changed.uid.get());
        }
        Ok(())
    }

    /// Fills in the mod-sequence of what is new, and the counters.
    fn seal(&mut self, highest: ModSeq, boot_id: [u8; 16]) {
        let modseq = self.header.highest_modseq.max(highest).next();
        if !self.renewed.is_empty() {
            self.header.highest_modseq = modseq;
            for record in self.records.iter_mut().filter(|record| self.renewed.contains(record.uid.get())) {
                record.modseq = modseq;
                if record.created_modseq == ModSeq::ZERO {
                    record.created_modseq = modseq;
                }
            }
        }
        let header = &mut self.header;
        if self.forgetful {
            header.deleted_modseq = header.highest_modseq;
        }
        let live = || self.records.iter().filter(|record| !record.is_expunged());
        header.records = self.records.len() as u32;
        header.exists = live().count() as u32;
        header.used = live().map(|record| u64::from(record.size)).sum();
        header.clean = None;
        header.boot_id = boot_id;
    }
}

impl State {
    fn take_over(&mut self, new: Replacement, index: IndexFile) {
        self.header = new.header;
        self.assigned = self.header.last_uid;
        self.index = index;
        if let Some((cache, _)) = new.cache {
            self.cache = cache;
        }
        self.history = History::new(self.header.highest_modseq);
        self.keywords = new.keywords;
        self.incarnation += u64::from(new.reselect);
        self.damaged = false;
        let live = new.records.iter().filter(|record| !record.is_expunged());
        self.deleted = live
            .clone()
            .filter(|record| record.flags.contains(SystemFlags::DELETED))
            .map(|record| record.uid.get())
            .collect();
        self.live = live.map(|record| record.uid.get()).collect();
    }
}

/// A seen file that waits for its name.
struct WrittenSeen {
    seen: Seen,
    file: DiskFile,
    temporary: PathBuf,
}

impl WrittenSeen {
    /// Gives it its name, durable but for the name itself.
    fn place(&self, disk: &dyn Disk, dir: &Path) -> Result<()> {
        disk.sync_data(&self.file)?;
        disk.rename(&self.temporary, &dir.join(seen::FILE))?;
        Ok(disk.sync_dir(dir)?)
    }
}

/// Writes seen state of a mailbox that is closed.
pub(crate) fn write_closed_seen(
    disk: &dyn Disk,
    dir: &Path,
    choice: SeenChoice,
    last_uid: u32,
    validity: UidValidity,
) -> Result<()> {
    write_seen(disk, dir, choice, None, last_uid, validity)?.map_or(Ok(()), |written| written.place(disk, dir))
}

fn write_seen(
    disk: &dyn Disk,
    dir: &Path,
    choice: SeenChoice,
    known: Option<&Seen>,
    last_uid: u32,
    validity: UidValidity,
) -> Result<Option<WrittenSeen>> {
    let mut seen = match (choice, known) {
        (SeenChoice::Stays, _) => return Ok(None),
        (SeenChoice::Written(_), Some(known)) => known.clone(),
        (SeenChoice::Written(seen), None) => seen,
        (SeenChoice::PutBack(seen, above), Some(known)) => seen.put_back(known, above, last_uid),
        (SeenChoice::PutBack(seen, _), None) => seen,
        (SeenChoice::Reset, _) => Seen::default(),
    };
    seen.clamp(last_uid);
    let bytes = seen.encode(validity);
    let temporary = temporary_path(&dir.join(seen::FILE));
    let file = disk.create_new(&temporary)?;
    disk.write_at(&file, &bytes, 0)?;
    seen.replaced(bytes.len() as u64);
    Ok(Some(WrittenSeen { seen, file, temporary }))
}

/// Makes the new files durable, then gives them their names. Each of them is good beside the old ones of the others: a
/// cache of another generation than the index is not used, and seen state names its UIDVALIDITY.
fn place(
    disk: &dyn Disk,
    dir: &Path,
    index: &DiskFile,
    temporary: &Path,
    cache: Option<&Path>,
    seen: Option<&WrittenSeen>,
) -> Result<()> {
    disk.sync_data(index)?;
    let index_path = dir.join(INDEX);
    if let Some(cache) = cache {
        disk.rename(cache, &dir.join(cache_file::FILE))?;
    }
    disk.rename(temporary, &index_path)?;
    if let Some(seen) = seen {
        seen.place(disk, dir)?;
    }
    Ok(disk.sync_dir(parent(&index_path))?)
}
