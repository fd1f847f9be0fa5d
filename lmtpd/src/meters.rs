//! What the LMTP service counts, for whoever shows it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use wire::meter::{Commands, Verdict};

use crate::commands;
use crate::delivery::Delivered;
use crate::reply::Reply;

/// All counts of the service.
#[derive(Debug)]
pub struct Meters {
    /// How often each command ended how, and how long it took; DATA and BDAT with the message and all its replies.
    pub commands: Arc<Commands>,
    /// What recipients were told.
    pub deliveries: Deliveries,
}

/// What recipients were told: each counts once, at RCPT if it was refused there, else at the end of the message.
#[derive(Debug, Default)]
pub struct Deliveries {
    /// The message is in the mailbox.
    pub accepted: AtomicU64,
    /// It was there already: it came twice.
    pub duplicates: AtomicU64,
    /// Refused for good (5xx).
    pub refused: AtomicU64,
    /// Try again later (4xx).
    pub deferred: AtomicU64,
}

impl Meters {
    pub(crate) fn new() -> Self {
        Self { commands: Arc::new(Commands::new(commands::names())), deliveries: Deliveries::default() }
    }
}

impl Deliveries {
    pub(crate) fn delivered(&self, how: Delivered) {
        let counter = match how {
            Delivered::As(_) => &self.accepted,
            Delivered::Duplicate => &self.duplicates,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn refused(&self, reply: &Reply) {
        let counter = if reply.code() < 500 { &self.deferred } else { &self.refused };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// How a command that is answered so is counted.
pub(crate) fn verdict(reply: &Reply) -> Verdict {
    match reply.code() {
        ..400 => Verdict::Ok,
        _ if reply.is_client_error() => Verdict::Bad,
        _ => Verdict::No,
    }
}
