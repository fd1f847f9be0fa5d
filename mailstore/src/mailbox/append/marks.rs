//! The high-water marks that an append stays below.

use std::sync::Arc;

use crate::error::Result;
use crate::mailbox::Mailbox;
use crate::mailbox::context::Marks;

/// How far the high-water marks are raised at a time: a synced write to the mailboxes database for so many messages, and
/// so many UIDs are left out at most after a power cut.
const UID_STEP: u32 = 1024;
/// The same for mod-sequences, of which there are plenty.
const MODSEQ_STEP: u64 = 1 << 20;

impl Mailbox {
    /// Whether these numbers may be used. Marks that come near are raised in the background, so that nobody waits.
    pub(super) fn within_marks(self: &Arc<Self>, last_uid: u32, modseq: u64) -> bool {
        let marks = *self.marks.lock();
        let near = last_uid.saturating_add(UID_STEP / 2) > marks.last_uid || modseq + MODSEQ_STEP / 2 > marks.modseq;
        let within = last_uid <= marks.last_uid && modseq < marks.modseq;
        if within && near {
            let mailbox = Arc::downgrade(self);
            self.around.run_later(Box::new(move || {
                if let Some(mailbox) = mailbox.upgrade()
                    && let Err(error) = mailbox.raise_marks(last_uid, modseq)
                {
                    tracing::error!(event = "mailbox.marks.failed", mailbox = %mailbox.name(), %error);
                }
            }));
        }
        within
    }

    /// Raises the high-water marks well beyond these numbers.
    pub(in crate::mailbox) fn raise_marks(&self, last_uid: u32, modseq: u64) -> Result<()> {
        let before = *self.marks.lock();
        if last_uid.saturating_add(UID_STEP / 2) <= before.last_uid && modseq + MODSEQ_STEP / 2 <= before.modseq {
            return Ok(());
        }
        let raised = Marks {
            last_uid: before.last_uid.max(last_uid.saturating_add(UID_STEP)),
            modseq: before.modseq.max(modseq.saturating_add(MODSEQ_STEP)),
        };
        self.around.raise_marks(&self.unique_id, raised)?;
        let mut marks = self.marks.lock();
        marks.last_uid = marks.last_uid.max(raised.last_uid);
        marks.modseq = marks.modseq.max(raised.modseq);
        Ok(())
    }
}
