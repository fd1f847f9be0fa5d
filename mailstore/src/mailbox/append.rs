//! Appending messages, from wherever they come. A message is durable - bytes and directory entry - before its record is
//! committed, and committed before the caller is told:
//!
//! 1. the staged file was written and synced (`stage`);
//! 2. under the lock: a UID is assigned and the file is linked under it;
//! 3. without the lock: the directory is synced, once for all appends that are waiting (group commit);
//! 4. under the lock: cache, records and header are written and published, for all of them at once.
//!
//! A crash between 2 and 4 leaves files beyond the last record; the mailbox's next open takes them in under the same UIDs.

mod charge;
mod marks;
mod source;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use parking_lot::{Condvar, Mutex, MutexGuard};

use crate::error::{Error, ErrorKind, Result};
use crate::flags::{Keyword, SystemFlags};
use crate::ident::{Timestamp, Uid};
use crate::index::Record;
use crate::mailbox::Mailbox;
use crate::mailbox::change::{Arrival, Change};
use crate::mailbox::files::message_path;
use crate::mailbox::state::State;
use crate::quota::QuotaCheck;
use crate::seen::SeenChange;
use crate::stage::Staged;
use crate::uid_set::UidSet;

use self::charge::Charge;
pub(super) use self::source::Source;
use self::source::unlink;

/// How many foreign files in the way of new UIDs are stepped over before the mailbox counts as damaged.
const MAX_STEPPED_OVER: u32 = 100_000;

/// A message to append.
#[derive(Clone)]
pub struct NewMessage {
    /// The message itself.
    pub staged: Arc<Staged>,
    /// INTERNALDATE.
    pub internal_date: Timestamp,
    /// System flags.
    pub flags: SystemFlags,
    /// Keywords.
    pub keywords: Vec<Keyword>,
    /// Whether it is \Seen for [`AppendOptions::reader`].
    pub seen: bool,
}

/// How to append.
#[derive(Clone, Default)]
pub struct AppendOptions {
    /// What the quota root has to say.
    pub quota: QuotaCheck,
    /// Whose \Seen flag the messages carry.
    pub reader: Option<String>,
}

/// A message that has a file somewhere and is about to be linked.
pub(super) struct Incoming {
    /// All but the UID, mod-sequences and cache place.
    pub(super) record: Record,
    pub(super) source: Source,
    /// For whom it is \Seen.
    pub(super) seen_by: Vec<String>,
}

/// An append that is linked but not yet durable: pass it to [`Mailbox::complete`].
#[must_use]
pub(crate) struct Ticket {
    slot: Arc<Slot>,
    uids: Vec<Uid>,
}

type Slot = Mutex<Option<Result<(), Arc<Error>>>>;

struct Pending {
    messages: Vec<(Uid, Incoming)>,
    charge: Charge,
    slot: Arc<Slot>,
}

/// Appends that wait for the directory's sync.
#[derive(Default)]
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    done: Condvar,
}

#[derive(Default)]
struct Waiting {
    pending: Vec<Pending>,
    /// Whether somebody is syncing and committing for all.
    busy: bool,
}

impl Mailbox {
    /// Appends messages: all of them, durably, or none.
    ///
    /// # Errors
    /// [`Error::OverQuota`], [`Error::Limit`], or the disk's; nothing was appended then.
    pub fn append(self: &Arc<Self>, messages: &[NewMessage], options: &AppendOptions) -> Result<Vec<Uid>> {
        let ticket = self.enqueue(messages, options)?;
        self.complete(ticket)
    }

    /// The first half of an append: everything that can be refused.
    pub(crate) fn enqueue(self: &Arc<Self>, messages: &[NewMessage], options: &AppendOptions) -> Result<Ticket> {
        let now = Timestamp::now().seconds;
        let mut incoming = Vec::with_capacity(messages.len());
        for message in messages {
            let keywords = self.keyword_bits(&message.keywords)?;
            let mut record = fresh_record(&message.staged, message.internal_date, now);
            record.flags = message.flags;
            record.keywords = keywords;
            let source = Source::Staged(Arc::clone(&message.staged));
            let seen_by = options.reader.iter().filter(|_| message.seen).cloned().collect();
            incoming.push(Incoming { record, source, seen_by });
        }
        self.enqueue_incoming(incoming, options.quota)
    }

    pub(super) fn enqueue_incoming(self: &Arc<Self>, mut incoming: Vec<Incoming>, quota: QuotaCheck) -> Result<Ticket> {
        let charge = Charge::make(self.identity().quota.clone(), &incoming, quota)
            .inspect_err(|_| self.around.counters().quota.refusals.add(1))?;
        let linked = self.link(&mut incoming, &charge);
        if linked.is_err() {
            charge.take_back();
        }
        linked
    }

    fn link(self: &Arc<Self>, incoming: &mut Vec<Incoming>, charge: &Charge) -> Result<Ticket> {
        let wanted = u32::try_from(incoming.len()).map_err(|_| Error::Limit("too many messages at once"))?;
        // A copy's messages are all of one mailbox.
        let origin = incoming.first().and_then(|message| message.source.origin().cloned());
        loop {
            let before = origin.as_ref().map(|origin| origin.whereabouts());
            let mut state = self.state.write();
            if self.is_gone() {
                return Err(Error::NotFound(self.name().to_string()));
            }
            if self.is_moving() || self.is_held() {
                drop(state);
                self.await_rest();
                self.await_release();
                continue;
            }
            let last = state.assigned.checked_add(wanted).ok_or(Error::Limit("the mailbox has used up its UIDs"))?;
            let modseq = state.header.highest_modseq.get();
            if !self.within_marks(last, modseq) {
                drop(state);
                self.raise_marks(last, modseq)?;
                continue;
            }
            let dir = self.dir();
            let uids = match self.link_all(&dir, incoming, &mut state) {
                Err(Error::Disk(error)) if error.is_not_found() => {
                    drop(state);
                    if let Some(origin) = &origin {
                        origin.await_rest();
                    }
                    let origin_moved = origin.as_ref().map(|origin| origin.whereabouts()) != before;
                    if origin_moved || self.await_move(&dir) || self.is_gone() {
                        continue;
                    }
                    return Err(error.into());
                }
                // Names that were taken led beyond the mark: the next round raises it first.
                Err(Error::Unavailable(_)) => continue,
                linked => linked?,
            };
            let slot = Arc::new(Slot::default());
            let messages = uids.iter().copied().zip(incoming.drain(..)).collect();
            let charge = charge.clone();
            let pending = Pending { messages, charge, slot: Arc::clone(&slot) };
            // Still under the state's lock, so that the queue is in UID order.
            self.queue.waiting.lock().pending.push(pending);
            return Ok(Ticket { slot, uids });
        }
    }

    /// Links every message under the next free UID. A UID whose file name is taken (left by a crash, or put there by an
    /// administrator) is left out; `reconstruct` decides what that file is.
    fn link_all(&self, dir: &Path, incoming: &mut [Incoming], state: &mut State) -> Result<Vec<Uid>> {
        let disk = &**self.around.disk();
        let mut uids = Vec::with_capacity(incoming.len());
        let mut stepped_over = 0;
        let mark = self.marks.lock().last_uid;
        let outcome = incoming.iter_mut().try_for_each(|message| {
            loop {
                let next = state.assigned.checked_add(1).and_then(Uid::new);
                let uid = next.ok_or(Error::Limit("the mailbox has used up its UIDs"))?;
                state.assigned = uid.get();
                if uid.get() > mark {
                    return Err(Error::Unavailable("UIDs beyond the high-water mark".into()));
                }
                match message.source.link_to(disk, &message_path(dir, uid.get())) {
                    Ok(()) => {
                        message.record.uid = uid;
                        uids.push(uid);
                        return Ok(());
                    }
                    Err(error) if error.is_exists() && stepped_over < MAX_STEPPED_OVER => stepped_over += 1,
                    Err(error) => return Err(Error::from(error)),
                }
            }
        });
        if stepped_over > 0 {
            tracing::warn!(event = "mailbox.uid.skipped", mailbox = %self.name(), count = stepped_over,
                "file names of new UIDs are taken: run reconstruct");
        }
        match outcome {
            Ok(()) => Ok(uids),
            Err(error) => {
                uids.iter().for_each(|uid| unlink(disk, &message_path(dir, uid.get())));
                Err(error)
            }
        }
    }

    /// The second half of an append: returns when the messages are durable and committed. One of those who wait does the
    /// work for all.
    ///
    /// # Errors
    /// The disk's; the messages are not in the mailbox then.
    pub(crate) fn complete(self: &Arc<Self>, ticket: Ticket) -> Result<Vec<Uid>> {
        let mut waiting = self.queue.waiting.lock();
        loop {
            if let Some(result) = ticket.slot.lock().take() {
                return result.map(|()| ticket.uids).map_err(Error::Shared);
            }
            if waiting.busy {
                self.queue.done.wait(&mut waiting);
                continue;
            }
            waiting = self.commit_waiting(waiting);
        }
    }

    /// Sees to it that everything that is linked is committed, or taken back.
    pub(super) fn drain(self: &Arc<Self>) {
        let mut waiting = self.queue.waiting.lock();
        while waiting.busy || !waiting.pending.is_empty() {
            if waiting.busy {
                self.queue.done.wait(&mut waiting);
                continue;
            }
            waiting = self.commit_waiting(waiting);
        }
    }

    /// Commits everything that waits, which nobody else does at the moment.
    fn commit_waiting<'q>(self: &'q Arc<Self>, mut waiting: MutexGuard<'q, Waiting>) -> MutexGuard<'q, Waiting> {
        waiting.busy = true;
        let batch = std::mem::take(&mut waiting.pending);
        drop(waiting);
        self.commit_batch(batch);
        waiting = self.queue.waiting.lock();
        waiting.busy = false;
        self.queue.done.notify_all();
        waiting
    }

    fn commit_batch(self: &Arc<Self>, batch: Vec<Pending>) {
        let slots: Vec<_> = batch.iter().map(|p| Arc::clone(&p.slot)).collect();
        let charges: Vec<_> = batch.iter().map(|p| p.charge.clone()).collect();
        let uids: Vec<Uid> = batch.iter().flat_map(|p| p.messages.iter().map(|(uid, _)| *uid)).collect();
        let outcome = self.sync_names().and_then(|()| {
            let (arrivals, seen) = arrivals(batch);
            let mut state = self.state.write();
            self.commit(&mut state, Change::Append { arrivals, seen })?;
            // Still under the state's lock: a change of the quota root hands over what is committed, and only that.
            let identity = self.identity();
            charges.iter().for_each(|charge| charge.settle(&self.unique_id, identity.quota.as_ref()));
            Ok(())
        });
        let result = outcome.map_err(|error| {
            if error.kind() != ErrorKind::NotFound {
                tracing::error!(event = "mailbox.append.failed", mailbox = %self.name(), %error);
            }
            self.unlink_again(&uids);
            charges.iter().for_each(Charge::take_back);
            Arc::new(error)
        });
        slots.iter().for_each(|slot| *slot.lock() = Some(result.clone()));
    }

    /// Takes message files back that were not committed. Those of a mailbox that was deleted meanwhile went with it, and
    /// the next mailbox of its name may have files of these names. No directory gets another mailbox's name while its own
    /// mailbox's state is locked, because a change of the identity waits for that.
    fn unlink_again(&self, uids: &[Uid]) {
        let _identity_stays = self.state.write();
        if !self.is_gone() {
            let dir = self.dir();
            uids.iter().for_each(|uid| unlink(&**self.around.disk(), &message_path(&dir, uid.get())));
        }
    }

    /// Makes the names of message files durable, wherever the directory is by now.
    fn sync_names(&self) -> Result<()> {
        loop {
            let before = self.whereabouts();
            self.around.counters().directory_syncs.add(1);
            match self.around.disk().sync_dir(&before.dir) {
                // What was synced may be the directory of the next mailbox of the old name, or one that the files leave.
                Ok(()) if !before.at_rest() || self.whereabouts() != before => self.await_rest(),
                Err(error) if error.is_not_found() && self.await_move(&before.dir) => {}
                Err(error) if error.is_not_found() && self.is_gone() => {
                    return Err(Error::NotFound(self.name().to_string()));
                }
                synced => return Ok(synced?),
            }
        }
    }
}

/// The record of a staged message, its UID still to come.
pub(super) fn fresh_record(staged: &Staged, internal_date: Timestamp, now: i64) -> Record {
    let analysis = staged.analysis();
    let mut record = Record::of(analysis, staged.size(), staged.hash(), internal_date);
    record.saved = now;
    record
}

fn arrivals(batch: Vec<Pending>) -> (Vec<Arrival>, Vec<SeenChange>) {
    let mut all = Vec::new();
    let mut seen: BTreeMap<String, UidSet> = BTreeMap::new();
    for (uid, message) in batch.into_iter().flat_map(|pending| pending.messages) {
        for reader in message.seen_by {
            seen.entry(reader).or_default().insert(uid.get());
        }
        all.push(Arrival { cache: message.source.cache(uid), record: message.record });
    }
    let seen = seen.into_iter().map(|(reader, add)| SeenChange { reader, add, ..SeenChange::default() });
    (all, seen.collect())
}

/// Delivers one message each to many mailboxes: links first, then shared syncs; a result for each target, in order.
pub(crate) fn deliver(targets: &[(Arc<Mailbox>, NewMessage)], options: &AppendOptions) -> Vec<Result<Uid>> {
    let tickets: Vec<_> =
        targets.iter().map(|(mailbox, message)| mailbox.enqueue(std::slice::from_ref(message), options)).collect();
    let complete = |((mailbox, _), ticket): (&(Arc<Mailbox>, NewMessage), Result<Ticket>)| {
        let uids = mailbox.complete(ticket?)?;
        uids.first().copied().ok_or_else(|| Error::Unavailable("an append lost its UID".into()))
    };
    targets.iter().zip(tickets).map(complete).collect()
}
