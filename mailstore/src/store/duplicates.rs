//! Looking after the duplicate delivery database.

use super::{Store, now};

/// How long a delivery is remembered: the MTA gives up after five days at most, and repeats within hours.
const REMEMBERED: i64 = 3 * 24 * 3600;

impl Store {
    /// Decides what became of deliveries that were under way when the last owner died: the message is in the mailbox, or it is
    /// not. There are no more of them than the server had clients.
    pub(super) fn decide_deliveries(&self) {
        let undecided = self.duplicates.undecided();
        for delivery in &undecided {
            // A mailbox that is gone needs no mark.
            let Some(row) = self.row_by_id(&delivery.mailbox) else { continue };
            match self.mailbox(&row.name) {
                Ok(mailbox) if mailbox.read().holds(delivery.hash) => self.duplicates.decide(delivery),
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(event = "duplicates.undecided", mailbox = %row.name, %error, "mail may come twice");
                }
            }
        }
        self.duplicates.begin_anew();
    }

    /// Forgets deliveries before that time (Unix seconds). Returns how many. Blocks.
    pub fn prune_duplicates_before(&self, before: i64) -> u64 {
        self.duplicates.prune(before)
    }

    /// Forgets deliveries of more than three days ago. Returns how many. Blocks.
    pub fn prune_duplicates(&self) -> u64 {
        self.duplicates.prune(now() - REMEMBERED)
    }
}
