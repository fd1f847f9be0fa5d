//! What is to be done about each message file and each record.
//!
//! | file | record | |
//! |---|---|---|
//! | there | live | nothing, unless the sizes or the contents differ ([`Mismatch`]) |
//! | empty | any or none | the file is removed, the record expunged: no message is empty |
//! | put aside | live, a crash came | expunged: the crash came before the index was synced |
//! | put aside, the very message | live, the index was put back | the file is taken back |
//! | nowhere | live | expunged: the message is lost |
//! | there | none, UID beyond the last | taken in under its UID |
//! | there | none, the index is damaged | taken in under its UID, flags are lost |
//! | there | none, the index is in good health | a file that was put back: taken in under a new UID |
//! | there | expunged, the mailbox was closed in order | the same |
//! | there | expunged, a crash came | the file is put aside |

use std::ffi::{OsStr, OsString};
use std::path::Path;

use durable::disk::{Disk, FileKind, Metadata, UnixTime};
use rustix::process::geteuid;

use super::event::Events;
use super::files::{Files, look};
use super::index::{Base, Entry};
use super::{Mismatch, OddFiles, RepairOptions, make};
use crate::cache::{CacheBuf, CacheItems};
use crate::error::Result;
use crate::index::Record;
use crate::mailbox::{EXPUNGED_DIR, Held, Marks};
use crate::stage::MAX_MESSAGE;
use crate::uid_set::UidSet;

/// A file whose UID is this far beyond all others gets a new one: a mailbox that begins to count there soon has no UIDs
/// left.
const FAR_BEYOND: u32 = 1 << 24;

/// Modes of files and directories have no bits for others.
const OPEN_TO_OTHERS: u32 = 0o077;

/// What is to be done.
#[derive(Default)]
pub(super) struct Plan {
    /// Records that are expunged.
    pub(super) expunge: UidSet,
    /// Records that are made anew from their files.
    pub(super) remake: UidSet,
    /// Records whose cache record is made anew.
    pub(super) recache: UidSet,
    /// Files that are taken in, by UID.
    pub(super) add: UidSet,
    /// Files that are taken in under a new UID: the old one.
    pub(super) renumber: UidSet,
    /// Empty files.
    pub(super) remove: UidSet,
    /// Files of expunged messages.
    pub(super) put_aside: UidSet,
    /// Files that were put aside, of messages that are not expunged any more.
    pub(super) take_back: UidSet,
    /// Files whose mode is wrong.
    pub(super) wrong_mode: Vec<OsString>,
    /// Expunged messages that have a file.
    pub(super) expunged_with_file: UidSet,
    /// When the latest of the files that are taken in was written.
    pub(super) youngest: Option<UnixTime>,
}

impl Plan {
    /// Whether records change.
    pub(super) fn changes_index(&self) -> bool {
        let sets = [&self.expunge, &self.remake, &self.recache, &self.add, &self.renumber];
        sets.iter().any(|set| !set.is_empty())
    }
}

/// Whoever decides.
pub(super) struct Judge<'a> {
    pub(super) disk: &'a dyn Disk,
    pub(super) dir: &'a Path,
    pub(super) options: &'a RepairOptions,
    pub(super) marks: Marks,
    pub(super) base: &'a Base,
    pub(super) files: &'a Files,
    /// The mailbox, if it is open and held.
    pub(super) held: Option<&'a Held<'a>>,
    /// What an earlier look found, if this is the second.
    pub(super) earlier: Option<&'a Plan>,
    pub(super) events: &'a mut Events,
    pub(super) plan: Plan,
}

impl Judge<'_> {
    /// Looks at everything.
    pub(super) fn judge(mut self) -> Result<Plan> {
        let base = self.base;
        let mut known = UidSet::new();
        let mut buffer = CacheBuf::default();
        for entry in &base.entries {
            self.options.go_on()?;
            let uid = entry.record.uid.get();
            known.insert(uid);
            match (entry.record.is_expunged(), self.files.live.contains(uid)) {
                (false, true) => self.message(entry, &mut buffer)?,
                (false, false) => self.without_file(&entry.record)?,
                (true, true) => self.expunged_with_file(uid)?,
                (true, false) => {}
            }
        }
        for uid in &self.files.live - &known {
            self.options.go_on()?;
            self.without_record(uid)?;
        }
        if self.options.sizes {
            self.own_files()?;
        }
        self.odd_files();
        Ok(self.plan)
    }

    /// A message with a file and a record.
    fn message(&mut self, entry: &Entry, buffer: &mut CacheBuf) -> Result<()> {
        let (uid, record) = (entry.record.uid.get(), &entry.record);
        if self.options.sizes {
            let Some(found) = look(self.disk, self.dir, uid)? else { return self.without_file(record) };
            self.check_mode(OsStr::new(&format!("{uid}.")), Some(uid), &found);
            if found.size == 0 {
                if self.empty(uid) {
                    self.plan.expunge.insert(uid);
                }
                return Ok(());
            }
            if found.size > MAX_MESSAGE && self.options.mismatch != Mismatch::Discard {
                self.too_large(uid, found.size);
                return Ok(());
            }
            if found.size != u64::from(record.size) {
                let what = format!("the file has {} bytes, the record says {}", found.size, record.size);
                return self.differs(uid, &what);
            }
        }
        let whole = self.base.cache_of(entry.source).is_some_and(|cache| {
            cache.read(record.uid, record.cache_offset, record.cache_len, CacheItems::ALL, buffer)
        });
        if self.options.contents {
            let Some(message) = make::read(self.disk, self.dir, uid)? else { return self.without_file(record) };
            if message.hash() != record.hash {
                return self.differs(uid, "the file is not the message that was accepted");
            }
            if whole && message.cache_record(record.uid) == buffer.record() {
                return Ok(());
            }
        } else if whole {
            return Ok(());
        }
        self.plan.recache.insert(uid);
        // A cache that is made anew is one event.
        if self.base.cache_of(entry.source).is_some() && !self.base.needs_new_cache() {
            self.events.change("cache.record", Some(uid), "its cache record is made anew");
        }
        Ok(())
    }

    fn differs(&mut self, uid: u32, what: &str) -> Result<()> {
        if self.options.derived_only {
            self.events.problem("message.differs", Some(uid), format!("{what}: left alone"));
            return Ok(());
        }
        match self.options.mismatch {
            Mismatch::Update => {
                self.plan.remake.insert(uid);
                self.events.change("message.differs", Some(uid), format!("{what}: its record is made anew"));
            }
            Mismatch::Renumber => {
                self.plan.expunge.insert(uid);
                self.plan.renumber.insert(uid);
                self.events.change("message.renumbered", Some(uid), format!("{what}: it gets a new UID"));
            }
            Mismatch::Discard => {
                self.plan.expunge.insert(uid);
                self.plan.put_aside.insert(uid);
                self.events.change("message.discarded", Some(uid), format!("{what}: expunged"));
            }
        }
        Ok(())
    }

    /// A record without a file.
    fn without_file(&mut self, record: &Record) -> Result<()> {
        let uid = record.uid.get();
        // Expunged since the records were read?
        if self.held.is_some_and(|held| !held.is_live(uid)) && !self.base.put_back {
            return Ok(());
        }
        // In a mailbox that is in use or was closed in order no live message's file is put aside: the index was put back, and
        // says that the message is to be there.
        if self.options.derived_only {
            self.events.problem("message.missing", Some(uid), "its file is missing: left alone");
            return Ok(());
        }
        let put_back = self.base.put_back || (self.held.is_none() && !self.base.crashed);
        if put_back && self.is_put_aside(record)? {
            self.plan.take_back.insert(uid);
            self.events.change("message.taken_back", Some(uid), "its file was put aside: taken back");
            return Ok(());
        }
        self.plan.expunge.insert(uid);
        let what = match self.files.aside.contains(uid) {
            true => "was expunged: its file is put aside",
            false => "not found: the record is removed",
        };
        self.events.change("message.missing", Some(uid), what);
        Ok(())
    }

    /// Whether the file of a message was put aside: this message, and not another one that a repair has discarded and was
    /// killed before it could say so in the index.
    fn is_put_aside(&self, record: &Record) -> Result<bool> {
        let uid = record.uid.get();
        if !self.files.aside.contains(uid) {
            return Ok(false);
        }
        let message = make::read(self.disk, &self.dir.join(EXPUNGED_DIR), uid)?;
        Ok(message.is_some_and(|message| message.hash() == record.hash))
    }

    fn expunged_with_file(&mut self, uid: u32) -> Result<()> {
        self.plan.expunged_with_file.insert(uid);
        // The file of a message that was expunged a moment ago is on its way.
        if self.held.is_some() && self.earlier.is_some_and(|earlier| !earlier.expunged_with_file.contains(uid)) {
            return Ok(());
        }
        if self.base.crashed && !self.files.aside.contains(uid) {
            self.plan.put_aside.insert(uid);
            self.events.change("message.expunged", Some(uid), "was expunged: its file is put aside");
            return Ok(());
        }
        self.stray(uid, "was expunged")
    }

    /// A file without a record.
    fn without_record(&mut self, uid: u32) -> Result<()> {
        let Some(found) = look(self.disk, self.dir, uid)? else { return Ok(()) };
        self.check_mode(OsStr::new(&format!("{uid}.")), Some(uid), &found);
        if found.size == 0 {
            self.empty(uid);
            return Ok(());
        }
        let beyond = uid > self.base.boundary;
        let far = uid.saturating_sub(self.base.boundary.max(self.marks.last_uid)) > FAR_BEYOND;
        if found.size > MAX_MESSAGE {
            self.too_large(uid, found.size);
            return Ok(());
        }
        if far || !(beyond || self.base.damaged) {
            return self.stray(uid, "not in the index");
        }
        if self.is_being_written(uid, &found) {
            return Ok(());
        }
        self.plan.add.insert(uid);
        let what = if beyond && !self.base.damaged { "found beyond the last UID: added" } else { "found: added" };
        self.events.change("message.added", Some(uid), what);
        Ok(())
    }

    fn stray(&mut self, uid: u32, why: &str) -> Result<()> {
        if !self.options.reinject {
            self.events.note("message.stray", Some(uid), format!("{why}, but there is a file: left alone"));
            return Ok(());
        }
        let Some(found) = look(self.disk, self.dir, uid)? else { return Ok(()) };
        if found.size > MAX_MESSAGE {
            self.too_large(uid, found.size);
            return Ok(());
        }
        if self.is_being_written(uid, &found) {
            return Ok(());
        }
        self.plan.renumber.insert(uid);
        self.events.change(
            "message.reinjected",
            Some(uid),
            format!("{why}, but there is a file: added under a new UID"),
        );
        Ok(())
    }

    /// A file that nobody can have as a message.
    fn too_large(&mut self, uid: u32, size: u64) {
        let what = format!("the file has {size} bytes, a message has {MAX_MESSAGE} at most: left alone");
        self.events.problem("message.too_large", Some(uid), what);
    }

    /// An empty file; answers whether it goes.
    fn empty(&mut self, uid: u32) -> bool {
        if self.options.derived_only {
            self.events.problem("message.empty", Some(uid), "the file is empty: left alone");
            return false;
        }
        self.plan.remove.insert(uid);
        self.events.change("message.empty", Some(uid), "the file is empty: removed");
        true
    }

    /// Whether somebody wrote to the file since the first look, after which its last change was waited for.
    fn is_being_written(&mut self, uid: u32, found: &Metadata) -> bool {
        self.plan.youngest = self.plan.youngest.max(Some(found.modified));
        let later = |earlier: &Plan| earlier.youngest.is_some_and(|youngest| found.modified > youngest);
        let written = self.earlier.is_some_and(later) && !self.options.settling.is_zero();
        if written {
            self.events.problem("message.unsettled", Some(uid), "is being written: run reconstruct again");
        }
        written
    }

    /// Modes and owners of the store's own files.
    fn own_files(&mut self) -> Result<()> {
        for name in &self.files.own {
            match self.disk.metadata(&self.dir.join(name)) {
                Ok(found) if found.kind == FileKind::File => self.check_mode(name, None, &found),
                Ok(_) => {}
                Err(error) if error.is_not_found() => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn check_mode(&mut self, name: &OsStr, uid: Option<u32>, found: &Metadata) {
        let foreign = found.uid != geteuid().as_raw();
        if !foreign && found.mode & OPEN_TO_OTHERS == 0 && found.mode & 0o600 == 0o600 {
            return;
        }
        let what = format!("{} has mode {:03o} and owner {}", name.display(), found.mode, found.uid);
        if self.options.fix_modes {
            self.plan.wrong_mode.push(name.to_owned());
            self.events.change("file.mode", uid, format!("{what}: set right"));
        } else {
            self.events.note("file.mode", uid, format!("{what}: --fix-perms sets that right"));
        }
    }

    fn odd_files(&mut self) {
        for name in &self.files.leftovers {
            self.events.change("file.leftover", None, format!("{} was left by a crash: removed", name.display()));
        }
        for name in &self.files.odd {
            let name = name.display();
            match self.options.odd_files {
                OddFiles::Report => self.events.note("file.odd", None, format!("odd file {name}")),
                OddFiles::Ignore => {}
                OddFiles::Remove => self.events.change("file.odd", None, format!("odd file {name}: removed")),
            }
        }
    }
}
