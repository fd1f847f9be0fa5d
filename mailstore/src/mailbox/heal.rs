//! Making a damaged or missing cache record anew, on the spot, when somebody wants it. What was made is written to the
//! cache by the store's worker, many at a time.

use std::collections::BTreeMap;
use std::sync::Arc;

use message::Limits;

use crate::cache::{self, CacheBuf};
use crate::error::{Error, Result};
use crate::ident::Uid;
use crate::index::Record;
use crate::mailbox::Mailbox;
use crate::mailbox::change::Change;
use crate::stage::MAX_MESSAGE;

/// How many records wait to be written at most; more are made again when they are wanted again.
const MAX_WAITING: usize = 4096;

/// Records that wait to be written.
#[derive(Default)]
pub(super) struct Heals {
    records: BTreeMap<Uid, Vec<u8>>,
    /// Whether the worker was told.
    announced: bool,
}

/// Fills `into` with the cache record of a message from its file.
pub(super) fn fill(mailbox: &Arc<Mailbox>, record: &Record, into: &mut CacheBuf) -> Result<()> {
    let uid = record.uid;
    if let Some(made) = mailbox.heals.lock().records.get(&uid)
        && into.set(uid, made.clone())
    {
        return Ok(());
    }
    let file = mailbox.open_at_once(uid)?;
    let bytes = file.read_all(MAX_MESSAGE)?;
    let made = cache::encode(uid, &message::analyse(&bytes, &Limits::default()));
    mailbox.around.counters().cache_heals.add(1);
    if !into.set(uid, made.clone()) {
        return Err(Error::corrupt(file.path(), "no cache record can be made of it"));
    }
    let mut heals = mailbox.heals.lock();
    if heals.records.len() < MAX_WAITING {
        heals.records.insert(uid, made);
    }
    if !std::mem::replace(&mut heals.announced, true) {
        tracing::warn!(event = "mailbox.cache.healed", mailbox = %mailbox.name(), %uid,
            "cache records are missing or damaged; making them anew");
        let mailbox = Arc::clone(mailbox);
        let around = Arc::clone(&mailbox.around);
        around.run_later(Box::new(move || mailbox.write_heals()));
    }
    Ok(())
}

impl Mailbox {
    fn write_heals(self: &Arc<Self>) {
        let records = {
            let mut heals = self.heals.lock();
            heals.announced = false;
            std::mem::take(&mut heals.records)
        };
        // A repair may hold it for minutes, and this is the store's only worker. What is dropped is made again when somebody
        // reads it, if the repair has not done so.
        let Some(_one_at_a_time) = self.maintenance.try_lock() else { return };
        let healed = self.commit(&mut self.state.write(), Change::Heal(records.into_iter().collect()));
        if let Err(error) = healed {
            tracing::warn!(event = "mailbox.heal.failed", mailbox = %self.name(), %error);
        }
    }
}
