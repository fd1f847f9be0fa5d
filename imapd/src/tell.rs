//! Tells a client what has happened in its mailbox since it was told last: EXPUNGE or VANISHED, EXISTS, RECENT, FLAGS,
//! FETCH (RFC 9051, 7.5; RFC 7162, 3.2.10). What must be told is [`crate::view`]'s business; here it is printed.

use mailstore::{ModSeq, Uid, UidSet};

use crate::access;
use crate::context::Context;
use crate::flags;
use crate::outcome::CommandError;
use crate::reply::{self, Code};
use crate::session::Selected;
use crate::types::NumberSet;
use crate::view::{Expunges, Instant, Update};

/// Messages told of under one lock and between two looks at how much the client has taken: some 16 KiB of replies.
pub(crate) const BATCH: usize = 256;

impl Selected {
    /// Brings the view up to date and queues what the client must know for that, writing while it is much.
    pub(crate) async fn tell(&mut self, context: &mut Context, expunges: Expunges) -> Result<(), CommandError> {
        if self.lost().is_some() {
            return Ok(());
        }
        self.renew_rights(context);
        let Some(update) = self.update(expunges)? else { return Ok(()) };
        self.tell_new_keywords(context);
        self.tell_expunged(context, &update).await?;
        if let Some(exists) = update.exists {
            let recent_above = if context.enabled.rev2 { None } else { Some(self.take_recent()?) };
            if let Some(above) = recent_above {
                self.view.mark_recent(&update.new, above);
            }
            let recent = self.view.recent();
            context.send(|out| {
                reply::exists(out, exists);
                if recent_above.is_some() {
                    reply::recent(out, recent);
                }
            });
        }
        self.tell_flags(context, &update.changed).await
    }

    /// Compares view and mailbox under one short lock.
    fn update(&mut self, expunges: Expunges) -> Result<Option<Update>, CommandError> {
        let reading = self.mailbox.read();
        if reading.incarnation() != self.incarnation {
            return Ok(None);
        }
        let status = reading.status();
        let modseq = status.highest_modseq;
        // Same mod-sequence and as many messages: nothing has happened, and no expunge waits.
        if modseq == self.view.modseq() && status.exists == self.view.exists() {
            return Ok(None);
        }
        let changes = reading.changes_since(self.view.modseq())?;
        let modseq_of = |uid| -> Option<ModSeq> { Uid::new(uid).and_then(|uid| reading.record(uid)).map(|r| r.modseq) };
        let now = Instant { uids: reading.uids(), changed: &changes.changed, modseq, modseq_of: &modseq_of };
        Ok(Some(self.view.catch_up(&now, expunges)))
    }

    /// FLAGS and PERMANENTFLAGS anew, if the mailbox has keywords that the client does not know of. They come before the
    /// first message that has one (RFC 9051, 7.3.5).
    pub(crate) fn tell_new_keywords(&mut self, context: &mut Context) {
        let keywords = self.mailbox.read().keywords().to_vec();
        if keywords.len() == self.keywords_told {
            return;
        }
        self.keywords_told = keywords.len();
        let permitted = access::permitted(self.effective_rights());
        let permanent = flags::permanent(permitted, &keywords, self.mailbox.takes_keywords());
        context.send(|out| reply::flags(out, flags::of_mailbox(&keywords)));
        context.tell_code(&Code::PermanentFlags(permanent), "Flags that last");
    }

    async fn tell_expunged(&self, context: &mut Context, update: &Update) -> Result<(), CommandError> {
        if context.enabled.qresync {
            let uids: NumberSet = update.vanished.iter().collect();
            context.send(|out| reply::vanished(out, &uids, false));
            return Ok(());
        }
        for batch in update.expunged.chunks(BATCH) {
            context.send(|out| batch.iter().for_each(|&sequence| reply::expunge(out, sequence)));
            context.relieve().await?;
        }
        Ok(())
    }

    /// The flags of messages as FETCH replies.
    pub(crate) async fn tell_flags(&self, context: &mut Context, uids: &UidSet) -> Result<(), CommandError> {
        let mut numbered = self.view.numbered(uids);
        loop {
            let batch: Vec<(u32, u32)> = numbered.by_ref().take(BATCH).collect();
            if batch.is_empty() {
                return Ok(());
            }
            self.tell_batch(context, &batch);
            context.relieve().await?;
        }
    }

    fn tell_batch(&self, context: &mut Context, batch: &[(u32, u32)]) {
        let enabled = context.enabled;
        let reading = self.mailbox.read();
        let reader = reading.reader(self.account().reader());
        context.send(|out| {
            for &(sequence, uid) in batch {
                let Some(record) = Uid::new(uid).and_then(|uid| reading.record(uid)) else { continue };
                let recent = !enabled.rev2 && self.view.is_recent(uid);
                let seen = reader.has_seen(record.uid);
                let mut items = reply::fetch_start(out, sequence);
                // With mod-sequences clients think in UIDs (RFC 7162, 3.2.4 demands it for QRESYNC).
                if enabled.condstore || enabled.rev2 {
                    items.uid(out, uid);
                }
                items.flags(out, flags::of_message(&record, reading.keywords(), seen, recent));
                if enabled.condstore {
                    items.mod_seq(out, record.modseq.get());
                }
                reply::fetch_end(out);
            }
        });
    }

    /// The UID above which messages are \Recent in this session; they are not so in the next one.
    fn take_recent(&self) -> Result<u32, CommandError> {
        let read_only = !self.effective_rights().intersects(access::CHANGING);
        Ok(self.mailbox.take_recent(self.account().reader(), read_only)?)
    }
}
