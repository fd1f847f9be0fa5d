//! Removing messages. Their records stay, marked, until a repack, so that clients who come back can be told (RFC 7162);
//! their files wait below `expunged./` for as long as the store keeps them.

use std::sync::Arc;

use crate::error::Result;
use crate::flags::SystemFlags;
use crate::ident::{ModSeq, Timestamp};
use crate::mailbox::Mailbox;
use crate::mailbox::change::Change;
use crate::uid_set::UidSet;

/// What an expunge did.
#[derive(Clone, Debug, PartialEq)]
pub struct Expunged {
    /// The messages that are gone.
    pub uids: UidSet,
    /// The mailbox's highest mod-sequence afterwards.
    pub modseq: ModSeq,
}

impl Mailbox {
    /// Removes all messages that are \Deleted, or those of `among` that are.
    ///
    /// # Errors
    /// The disk's; nothing was removed then.
    pub fn expunge(self: &Arc<Self>, among: Option<&UidSet>) -> Result<Expunged> {
        self.remove(|deleted, _| match among {
            Some(among) => deleted & among,
            None => deleted.clone(),
        })
    }

    /// Removes messages whether they are \Deleted or not: the second half of a move.
    ///
    /// # Errors
    /// The disk's; nothing was removed then.
    pub fn remove_messages(self: &Arc<Self>, uids: &UidSet) -> Result<Expunged> {
        self.remove(|_, live| live & uids)
    }

    fn remove(self: &Arc<Self>, choose: impl FnOnce(&UidSet, &UidSet) -> UidSet) -> Result<Expunged> {
        let now = Timestamp::now().seconds;
        let expunged = {
            let mut state = self.state.write();
            let chosen = choose(&state.deleted, &state.live);
            if chosen.is_empty() {
                return Ok(Expunged { uids: chosen, modseq: state.header.highest_modseq });
            }
            state.prepare();
            let mut records: Vec<_> = state.select(&chosen).collect();
            for (_, record) in &mut records {
                record.flags = record.flags.with(SystemFlags::EXPUNGED);
                // Of an expunged message nobody asks when it was saved; repack asks when it was expunged.
                record.saved = now;
            }
            let uids: UidSet = records.iter().map(|(_, r)| r.uid.get()).collect();
            let modseq = self.commit(&mut state, Change::Expunge(records))?;
            Expunged { uids, modseq }
        };
        let (mailbox, uids) = (Arc::clone(self), expunged.uids.clone());
        self.around.run_later(Box::new(move || {
            if let Err(error) = mailbox.settle_expunged(&uids) {
                tracing::warn!(event = "mailbox.settle.failed", mailbox = %mailbox.name(), %error);
            }
        }));
        if self.around.is_strict() {
            self.sync()?;
        }
        Ok(expunged)
    }
}
