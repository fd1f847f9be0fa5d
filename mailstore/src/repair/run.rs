//! Repairing one mailbox of the store, from the first look to the last file.

use std::time::{Duration, SystemTime};

use durable::disk::UnixTime;

use super::event::{Events, RepairEvent, RepairKind};
use super::files::Files;
use super::found::{HeaderFile, find_seen};
use super::index::Base;
use super::make::{Made, Maker};
use super::plan::{Judge, Plan};
use super::{RepairOptions, write};
use crate::error::{Error, Result};
use crate::ident::{ContentHash, Timestamp};
use crate::list::{Row, not_found};
use crate::mailbox::{Held, Identity, Marks, SeenChoice, Snapshot, snapshot};
use crate::name::MailboxName;
use crate::store::Store;

/// What a repair did.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Repaired {
    /// Everything that was changed, is odd, or could not be repaired.
    pub events: Vec<RepairEvent>,
    /// How many messages were looked at.
    pub messages: u64,
}

/// A message as its record says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known {
    pub(crate) uid: u32,
    pub(crate) size: u32,
    pub(crate) hash: ContentHash,
}

/// What a look at a mailbox says, without anything being done.
pub(crate) struct Survey {
    pub(crate) events: Vec<RepairEvent>,
    /// Whether a repair would change something.
    pub(crate) needs_repair: bool,
    /// In UID order.
    pub(crate) messages: Vec<Known>,
}

/// A mailbox that is being repaired.
pub(super) struct Repair<'a> {
    pub(super) store: &'a Store,
    pub(super) row: Row,
    pub(super) identity: Identity,
    pub(super) options: &'a RepairOptions,
    pub(super) held: Option<&'a Held<'a>>,
}

/// What a look at a mailbox found, and what is to be done.
pub(super) struct Look {
    pub(super) base: Base,
    pub(super) files: Files,
    pub(super) header_file: HeaderFile,
    pub(super) seen: SeenChoice,
    pub(super) plan: Plan,
    /// The mailbox gets a new UIDVALIDITY.
    pub(super) bump: bool,
    pub(super) events: Events,
}

impl Store {
    /// Brings a mailbox in step with its message files. Everybody can go on using it, though appends wait while something
    /// is repaired. Blocks.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Corrupt`] when its directory is missing ([`recreate`](Self::recreate)); the disk's.
    /// Whatever was repaired until then is in order, and a second run repairs the rest.
    pub fn reconstruct(&self, name: &MailboxName, options: &RepairOptions) -> Result<Repaired> {
        let row = self.row(name).ok_or_else(|| not_found(name))?;
        let first = {
            let memory = self.open_mailbox(name).map(|mailbox| snapshot(&mailbox)).transpose()?;
            self.repair(&row, options, None)?.look(memory.as_ref(), None)?
        };
        if !first.needs_repair() {
            return Ok(first.report(name, options));
        }
        await_settled(first.plan.youngest, options.settling);
        // Files of expunged messages reach their place: what is still there afterwards was put there.
        self.settle();
        let _names = self.lock_tree(name);
        let row = self.row(name).ok_or_else(|| not_found(name))?;
        let repaired = match self.open_mailbox(name) {
            Some(mailbox) => mailbox.while_held(|held| {
                let repair = self.repair(&row, options, Some(held))?;
                let memory = held.snapshot()?;
                repair.run(Some(&memory), &first.plan)
            }),
            None => self.repair(&row, options, None)?.run(None, &first.plan),
        }?;
        Ok(repaired.report(name, options))
    }

    /// Looks at a mailbox without disturbing anybody, and without opening it. Of one that is in use it may see what changes
    /// while it looks.
    pub(crate) fn survey(&self, name: &MailboxName, options: &RepairOptions) -> Result<Survey> {
        let row = self.row(name).ok_or_else(|| not_found(name))?;
        let memory = self.open_mailbox(name).map(|mailbox| snapshot(&mailbox)).transpose()?;
        let look = self.look_at(&row, options, memory.as_ref())?;
        let live = look.base.entries.iter().map(|entry| &entry.record).filter(|record| !record.is_expunged());
        let messages =
            live.map(|record| Known { uid: record.uid.get(), size: record.size, hash: record.hash }).collect();
        Ok(Survey { needs_repair: look.needs_repair(), messages, events: look.events.0 })
    }

    /// The same for a directory that has no row yet, as if it had this one. Nothing is changed.
    ///
    /// # Errors
    /// As for [`reconstruct`](Self::reconstruct).
    pub(super) fn reconstruct_as(&self, row: &Row, options: &RepairOptions) -> Result<Repaired> {
        let options = RepairOptions { dry_run: true, ..options.clone() };
        let repair = self.repair(row, &options, None)?;
        let first = repair.look(None, None)?;
        if !first.needs_repair() {
            return Ok(first.report(&row.name, &options));
        }
        Ok(repair.run(None, &first.plan)?.report(&row.name, &options))
    }

    /// A look at a mailbox that is not held.
    pub(super) fn look_at(&self, row: &Row, options: &RepairOptions, memory: Option<&Snapshot>) -> Result<Look> {
        self.repair(row, options, None)?.look(memory, None)
    }

    fn repair<'a>(&'a self, row: &Row, options: &'a RepairOptions, held: Option<&'a Held<'a>>) -> Result<Repair<'a>> {
        let identity = self.identity(row)?;
        if !self.disk().exists(&identity.dir)? {
            return Err(Error::corrupt(&identity.dir, "the mailbox's directory is missing"));
        }
        Ok(Repair { store: self, row: row.clone(), identity, options, held })
    }
}

impl Repair<'_> {
    /// The second look, and what follows from it.
    fn run(&self, memory: Option<&Snapshot>, earlier: &Plan) -> Result<Look> {
        let mut look = self.look(memory, Some(earlier))?;
        if !look.needs_repair() {
            return Ok(look);
        }
        self.may_change(&look)?;
        let made = if look.rewrites_index() { Some(self.make(&mut look)?) } else { None };
        if self.options.dry_run {
            return Ok(look);
        }
        let temporary = made.as_ref().and_then(|made| made.cache.as_ref()).map(|(_, path)| path.clone());
        let written = self.may_change(&look).and_then(|()| write::write(self, &mut look, made));
        if let (Err(_), Some(temporary)) = (&written, temporary) {
            // What can't be removed is recognised by its name.
            let _ = self.store.disk().unlink(&temporary);
        }
        written?;
        Ok(look)
    }

    /// Whether nothing is to be changed but what was asked for.
    fn may_change(&self, look: &Look) -> Result<()> {
        let Some(only) = self.options.only else { return Ok(()) };
        let other = look.events.0.iter().find(|event| event.kind == RepairKind::Change && !only.contains(&event.code));
        match other {
            Some(event) => Err(Error::corrupt(&self.identity.dir, event.what.clone())),
            None => Ok(()),
        }
    }

    /// Looks at everything, changes nothing.
    fn look(&self, memory: Option<&Snapshot>, earlier: Option<&Plan>) -> Result<Look> {
        let disk = self.store.disk();
        let mut events = Events::default();
        let (header_file, mut base) = match self.options.fresh {
            true => (HeaderFile::ignored(), Base::ignored(&**disk, &self.identity, &mut events)),
            false => (
                HeaderFile::find(&**disk, &self.identity, &self.row, memory, &mut events)?,
                Base::find(disk, &self.identity, memory, &mut events)?,
            ),
        };
        let files = Files::list(&**disk, &self.identity.dir, memory.is_some())?;
        let validity = base.header.uid_validity;
        let seen = find_seen(&**disk, &self.identity.dir, validity, memory, base.knows_up_to, &mut events)?;
        let judge = Judge {
            disk: &**disk,
            dir: &self.identity.dir,
            options: self.options,
            marks: self.identity.marks,
            base: &base,
            files: &files,
            held: self.held,
            earlier,
            events: &mut events,
            plan: Plan::default(),
        };
        let plan = judge.judge()?;
        if memory.is_none() {
            find_old_index(&mut base, &plan, &mut events);
        }
        let bump = self.judge_validity(&base, &mut events);
        Ok(Look { base, files, header_file, seen, plan, bump, events })
    }

    fn judge_validity(&self, base: &Base, events: &mut Events) -> bool {
        let listed = self.store.row(&self.row.name).is_some();
        let unknown = listed && base.lost && self.identity.marks == Marks::default();
        let why = if self.options.bump_uid_validity {
            "UIDVALIDITY is raised, as asked"
        } else if base.foreign {
            "cyrus.index is that of an earlier mailbox of this name: UIDVALIDITY is raised"
        } else if unknown {
            "nobody knows which UIDs were used: UIDVALIDITY is raised"
        } else {
            if base.header.uid_validity > self.row.uid_validity {
                events.change("uidvalidity.listed", None, "the mailboxes database gets the UIDVALIDITY of cyrus.index");
            }
            return false;
        };
        events.change("uidvalidity.raised", None, why);
        true
    }

    fn make(&self, look: &mut Look) -> Result<Made> {
        let marks = self.identity.marks;
        let closed = self.held.is_none();
        let aside = look.files.aside.max().unwrap_or(0);
        let mut last_uid = look.base.header.last_uid.max(aside);
        if closed {
            // Nobody knows how far the numbers went that a crash or an old index forgot; never beyond the marks.
            last_uid = last_uid.max(marks.last_uid);
        }
        let made = Maker {
            disk: self.store.disk(),
            dir: &self.identity.dir,
            base: &look.base,
            plan: &look.plan,
            header_file: &look.header_file,
            generation: next_generation(look.base.header.generation),
            last_uid,
            now: Timestamp::now().seconds,
            options: self.options,
            events: &mut look.events,
        }
        .make()?;
        if made.keywords_dropped != 0 {
            let count = made.keywords_dropped.count_ones();
            look.events.change("keywords.dropped", None, format!("{count} keywords dropped: their names are lost"));
        }
        Ok(made)
    }
}

impl Look {
    /// Whether anything is to be changed.
    fn needs_repair(&self) -> bool {
        self.events.has_changes()
    }

    /// Whether index and cache are made anew.
    fn rewrites_index(&self) -> bool {
        let renamed_keywords = || {
            let mut from_file = self.base.entries.iter().filter(|entry| entry.from_file);
            from_file.any(|entry| self.header_file.translate(entry.record.keywords).0 != entry.record.keywords)
        };
        self.base.rewrite || self.bump || self.base.needs_new_cache() || self.plan.changes_index() || renamed_keywords()
    }

    fn report(self, name: &MailboxName, options: &RepairOptions) -> Repaired {
        let messages = self.base.entries.len() as u64;
        if !options.dry_run {
            self.events.0.iter().for_each(|event| event.log(name));
        }
        Repaired { events: self.events.0, messages }
    }
}

/// Whether the index of a closed mailbox is an old one: the mailbox was closed in order, its directory was changed
/// afterwards, and there are messages that the index never knew.
fn find_old_index(base: &mut Base, plan: &Plan, events: &mut Events) {
    let newer = plan.add.max().is_some_and(|last| last > base.boundary);
    if base.damaged || base.crashed || !newer {
        return;
    }
    base.put_back = true;
    base.rewrite = true;
    events.change("index.restored", None, "cyrus.index is older than the messages: numbering goes on above all");
}

/// Any other generation: a cache of the old one is not taken for a new one.
pub(super) fn next_generation(generation: u32) -> u32 {
    generation.wrapping_add(1)
}

/// A file that was written a moment ago may be on its way still: it is waited for.
fn await_settled(youngest: Option<UnixTime>, settling: Duration) {
    let Some(youngest) = youngest.and_then(|time| u64::try_from(time.secs).ok().map(|secs| (secs, time.nanos))) else {
        return;
    };
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let age = now.checked_sub(Duration::new(youngest.0, youngest.1));
    if let Some(left) = settling.checked_sub(age.unwrap_or_default()).filter(|left| !left.is_zero()) {
        std::thread::sleep(left);
    }
}
