//! What a quota root is charged for an append, before the first of its messages has a file, until all of them are counted
//! with the mailbox.

use std::sync::Arc;

use super::Incoming;
use crate::error::Result;
use crate::ident::UniqueId;
use crate::quota::{QuotaCheck, QuotaRoot, QuotaUsed};

/// What a quota root was charged for messages that are on their way into the mailbox.
#[derive(Clone)]
pub(super) struct Charge {
    root: Option<Arc<QuotaRoot>>,
    used: QuotaUsed,
}

impl Charge {
    pub(super) fn make(root: Option<Arc<QuotaRoot>>, incoming: &[Incoming], check: QuotaCheck) -> Result<Charge> {
        let bytes = incoming.iter().map(|m| u64::from(m.record.size)).sum();
        let messages = incoming.len() as u64;
        if let Some(root) = &root {
            root.charge(bytes, messages, check)?;
        }
        Ok(Charge { root, used: QuotaUsed { bytes, messages } })
    }

    /// The messages did not come in.
    pub(super) fn take_back(&self) {
        if let Some(root) = &self.root {
            root.take_back(self.used);
        }
    }

    /// The messages came into the mailbox. If another root governs it by now, that one gets the charge.
    pub(super) fn settle(&self, mailbox: &UniqueId, governing: Option<&Arc<QuotaRoot>>) {
        match (&self.root, governing) {
            (Some(charged), Some(governing)) if Arc::ptr_eq(charged, governing) => charged.settle(mailbox, self.used),
            (_, governing) => {
                self.take_back();
                if let Some(governing) = governing {
                    governing.arrived(mailbox, self.used);
                }
            }
        }
    }
}
