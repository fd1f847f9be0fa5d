//! Changing flags (STORE): system flags and keywords that all readers share, and what one reader has seen.

use std::sync::Arc;

use crate::error::Result;
use crate::flags::{Keyword, KeywordBits, SystemFlags};
use crate::ident::ModSeq;
use crate::index::Record;
use crate::mailbox::Mailbox;
use crate::mailbox::change::Change;
use crate::mailbox::state::State;
use crate::seen::SeenChange;
use crate::uid_set::UidSet;

/// What to do with the named flags.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FlagOp {
    /// Set them.
    Add,
    /// Clear them.
    Remove,
    /// Set them and clear all others.
    Replace,
}

/// Which flags the asker has the right to change (RFC 4314, 4): `s` for \Seen, `t` for \Deleted, `w` for the others. What
/// is not permitted stays as it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Permitted {
    /// System flags.
    pub system: SystemFlags,
    /// \Seen.
    pub seen: bool,
    /// Keywords.
    pub keywords: bool,
}

impl Permitted {
    /// Everything.
    pub const ALL: Permitted = Permitted { system: SystemFlags::CLIENT, seen: true, keywords: true };
}

/// A change of flags.
#[derive(Clone, Debug)]
pub struct StoreRequest<'a> {
    /// Whose \Seen flag is meant.
    pub reader: &'a str,
    /// The messages; UIDs that don't exist are passed over.
    pub uids: &'a UidSet,
    /// What to do.
    pub op: FlagOp,
    /// System flags.
    pub system: SystemFlags,
    /// Whether \Seen is among the named flags.
    pub seen: bool,
    /// Keywords.
    pub keywords: &'a [Keyword],
    /// What the asker may change.
    pub permitted: Permitted,
    /// Only messages that did not change after this mod-sequence (RFC 7162, 3.1.3).
    pub unchanged_since: Option<ModSeq>,
}

/// What a store did.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    /// The mailbox's highest mod-sequence afterwards.
    pub modseq: ModSeq,
    /// Messages whose flags are not what they were.
    pub changed: UidSet,
    /// Messages that had changed since and were left alone (MODIFIED).
    pub failed: UidSet,
}

impl Mailbox {
    /// Changes flags of messages, all under one mod-sequence. Blocks (a sync) only when a keyword is new to the mailbox,
    /// or the store is strict.
    ///
    /// # Errors
    /// `Limit` when the mailbox has no room for a new keyword, or the disk's; no flag has changed then.
    pub fn store(self: &Arc<Self>, request: &StoreRequest<'_>) -> Result<Stored> {
        let keywords = if request.op == FlagOp::Remove || !request.permitted.keywords {
            self.known_keyword_bits(request.keywords)
        } else {
            self.keyword_bits(request.keywords)?
        };
        let stored = {
            let mut state = self.state.write();
            state.prepare();
            let plan = plan(&state, request, keywords);
            let changed: UidSet = plan.records.iter().map(|(_, r)| r.uid.get()).collect();
            let modseq = if plan.records.is_empty() {
                state.header.highest_modseq
            } else {
                self.commit(&mut state, Change::Flags { records: plan.records, seen: plan.seen })?
            };
            Stored { modseq, changed, failed: plan.failed }
        };
        if self.around.is_strict() && !stored.changed.is_empty() {
            self.sync()?;
        }
        Ok(stored)
    }

    /// Whether [`store`](Self::store) may have to wait for the disk: what changes flags of few messages then is memory
    /// work otherwise, and three small writes to cached pages.
    #[must_use]
    pub fn store_blocks(&self, request: &StoreRequest<'_>) -> bool {
        let adds = request.op != FlagOp::Remove && request.permitted.keywords;
        self.syncs_changes() || (adds && !self.knows_keywords(request.keywords))
    }

    /// Whether every change is synced before its caller is told (the store is strict).
    #[must_use]
    pub(crate) fn syncs_changes(&self) -> bool {
        self.around.is_strict()
    }

    /// Tells which messages are \Recent for a reader: those above the UID that is returned. Unless the mailbox is opened
    /// read-only they are not so for the reader's next session (RFC 3501, 2.3.2).
    ///
    /// # Errors
    /// The disk's.
    pub fn take_recent(self: &Arc<Self>, reader: &str, read_only: bool) -> Result<u32> {
        let recent = |state: &State| state.seen.reader(reader).map_or(0, |r| r.recent_above);
        {
            let state = self.state.read();
            let last = state.live.max().unwrap_or(0);
            if read_only || recent(&state) >= last {
                return Ok(recent(&state));
            }
        }
        let mut state = self.state.write();
        let before = recent(&state);
        if let Some(last) = state.live.max().filter(|last| *last > before) {
            let change = SeenChange { reader: reader.to_owned(), recent_above: Some(last), ..SeenChange::default() };
            self.commit(&mut state, Change::Recent(change))?;
        }
        Ok(before)
    }
}

struct Plan {
    records: Vec<(u32, Record)>,
    seen: Option<SeenChange>,
    failed: UidSet,
}

fn plan(state: &State, request: &StoreRequest<'_>, keywords: KeywordBits) -> Plan {
    let empty = UidSet::new();
    let seen_before = state.seen.reader(request.reader).map_or(&empty, |r| &r.seen);
    let mut plan = Plan { records: Vec::new(), seen: None, failed: UidSet::new() };
    let (mut add, mut remove) = (UidSet::new(), UidSet::new());
    for (number, record) in state.select(request.uids) {
        let uid = record.uid.get();
        if request.unchanged_since.is_some_and(|since| record.modseq > since) {
            plan.failed.insert(uid);
            continue;
        }
        let before = (record, seen_before.contains(uid));
        let after = apply(before, request, keywords);
        if after == before {
            continue;
        }
        match (before.1, after.1) {
            (false, true) => add.insert(uid),
            (true, false) => remove.insert(uid),
            _ => false,
        };
        plan.records.push((number, after.0));
    }
    if !(add.is_empty() && remove.is_empty()) {
        plan.seen = Some(SeenChange { reader: request.reader.to_owned(), add, remove, recent_above: None });
    }
    plan
}

/// A message's record and whether the reader has seen it, after the request.
fn apply((mut record, seen): (Record, bool), request: &StoreRequest<'_>, keywords: KeywordBits) -> (Record, bool) {
    let may = request.permitted.system;
    let named = request.system;
    let system = match request.op {
        FlagOp::Add => record.flags.with(named),
        FlagOp::Remove => record.flags.without(named),
        FlagOp::Replace => record.flags.without(SystemFlags::CLIENT).with(named),
    };
    // Only permitted bits move.
    let moved = SystemFlags::from_bits((system.bits() ^ record.flags.bits()) & may.bits());
    record.flags = SystemFlags::from_bits(record.flags.bits() ^ moved.bits());
    if request.permitted.keywords {
        record.keywords = match request.op {
            FlagOp::Add => record.keywords | keywords,
            FlagOp::Remove => record.keywords & !keywords,
            FlagOp::Replace => keywords,
        };
    }
    let seen = match request.op {
        _ if !request.permitted.seen => seen,
        FlagOp::Add => seen || request.seen,
        FlagOp::Remove => seen && !request.seen,
        FlagOp::Replace => request.seen,
    };
    (record, seen)
}
