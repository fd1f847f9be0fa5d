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
        let (expunged, when) = {
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
            // The file system's own idea of now, which is what the times of files are compared with.
            let when = state.index.file().metadata().ok().map(|found| found.modified);
            (Expunged { uids, modseq }, when)
        };
        let (mailbox, uids) = (Arc::clone(self), expunged.uids.clone());
        self.around.run_later(Box::new(move || {
            if let Err(error) = mailbox.settle_expunged(&uids, when) {
                tracing::warn!(event = "mailbox.settle.failed", mailbox = %mailbox.name(), %error);
            }
        }));
        if self.around.is_strict() {
            self.sync()?;
        }
        Ok(expunged)
    }
}

#[cfg(test)]
mod tests {
    use crate::mailbox::files::{EXPUNGED_DIR, message_path};
    use crate::mailbox::tests::{filled, set, text};

    #[test]
    fn a_file_that_is_put_back_at_once_is_not_put_aside_again() {
        let (_dir, bench, mailbox) = filled(3);
        let (file, aside) = (message_path(&mailbox.dir(), 2), message_path(&mailbox.dir().join(EXPUNGED_DIR), 2));
        let index = mailbox.dir().join("cyrus.index");
        mailbox.remove_messages(&set("1:2")).unwrap();
        // As tar does it, before the worker has come to it, but not within the same tick of the file system's clock.
        let expunged = std::fs::metadata(&index).unwrap().modified().unwrap();
        loop {
            std::fs::remove_file(&file).unwrap();
            std::fs::write(&file, text(2)).unwrap();
            if std::fs::metadata(&file).unwrap().modified().unwrap() > expunged {
                break;
            }
        }
        bench.run();
        assert!(file.exists() && !aside.exists(), "it stays where it was put");
        assert!(!message_path(&mailbox.dir(), 1).exists(), "the other one went");
    }
}
