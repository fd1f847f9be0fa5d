//! What any durable state needs: a narrow disk, a change journal that is the record, and a sled index over it.
//!
//! - [`disk`]: the only way the store touches files, with a real and a faulty implementation.
//! - [`Ledger`]: a sorted map of keys to JSON values. A change is a checksummed line in a journal, synced before anybody
//!   sees it; sled holds the current state for fast look-ups and can be thrown away; flat dumps bound what must be
//!   replayed. `docs/formats/journal.md` describes the files.
//!
//! Invariants: bytes read from a disk are never trusted (an error value, not a panic); a ledger is never replaced by less
//! than it held; and nothing here knows what the rows mean: mailboxes, users and protocols live above.

pub mod disk;
mod dump;
#[cfg(fuzzing)]
pub mod fuzzing;
mod journal;
mod ledger;

pub use ledger::{
    Batch, Error, Json, Ledger, OpenError, OpenReport, Options, Rebuilt, Rows, TornTail, VerifyReport, Visit,
};
