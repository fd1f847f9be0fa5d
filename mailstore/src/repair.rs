//! Bringing a mailbox in step with its message files, whatever has happened to it: what `reconstruct` does.
//!
//! A mailbox is first looked at without disturbing anybody ([`examine`](Store::reconstruct)). Only if something is up it is
//! held - appends wait, everything else goes on - and looked at again; what is decided then ([`plan`]) is made and put in
//! place. A dry run stops before that, so that it lists exactly what would be changed. The modules follow that order:
//! [`found`] reads what is there, [`plan`] decides, [`make`] reads messages and makes records of them, [`write`] puts
//! everything in place.
//!
//! What is true, in this order: message files; a whole record of the index; what memory knows of an open mailbox; what the
//! mailboxes database says. Whatever is unknown (flags of a lost record) is lost and named, never guessed.

mod adopt;
mod ahead;
mod event;
mod examine;
mod files;
mod found;
mod index;
mod make;
mod plan;
mod run;
mod write;

#[cfg(test)]
mod crash_tests;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::error::{Error, Result};

pub use event::{RepairEvent, RepairKind};
pub use examine::Examination;
pub(crate) use run::Known;
pub use run::Repaired;

/// What to do with a message file whose bytes are not those that its record was made of.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Mismatch {
    /// The record is made anew; UID and flags stay.
    #[default]
    Update,
    /// The message gets a new UID, so that clients fetch it again; its flags are lost (`-R`).
    Renumber,
    /// The message is expunged (`-U`).
    Discard,
}

/// What to do with files that have no business in a mailbox.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum OddFiles {
    /// They are named.
    #[default]
    Report,
    /// They are passed over (`-o`).
    Ignore,
    /// They are removed (`-O`).
    Remove,
}

/// How a mailbox is repaired.
#[derive(Clone, Debug)]
pub struct RepairOptions {
    /// Change nothing, but say what would be changed.
    pub dry_run: bool,
    /// Read every message, compare it with its hash and its cache record with what it should be.
    pub contents: bool,
    /// Compare the sizes of message files with their records.
    pub sizes: bool,
    /// What becomes of messages that are not what their records say.
    pub mismatch: Mismatch,
    /// What becomes of odd files.
    pub odd_files: OddFiles,
    /// Message files that an index in good health does not know are taken in under new UIDs; else they are left alone.
    pub reinject: bool,
    /// The mailbox gets a new UIDVALIDITY even if nothing is wrong: clients forget what they know of it.
    pub bump_uid_validity: bool,
    /// What cyrus.header, cyrus.index and cyrus.cache say is not believed: the mailbox is made of its message files alone.
    pub fresh: bool,
    /// Where the ACLs of cyrus.header and of the mailboxes database differ, the first counts.
    pub header_acl: bool,
    /// What may be the last trace of a message is left alone and named as a problem: no record is removed or made anew
    /// because its file is missing, empty or another one, and no file is removed. Only what is derived is repaired.
    pub derived_only: bool,
    /// Modes and owners are set right; else they are only named.
    pub fix_modes: bool,
    /// A file that was written so recently may be on its way still: it is waited for.
    pub settling: Duration,
    /// Changes with other codes than these are not made: where there are any when the mailbox is held, nothing is changed.
    pub only: Option<&'static [&'static str]>,
    /// When somebody sets it, the work ends between two messages, with [`Error::Unavailable`]; nothing was changed then.
    pub stop: Option<Arc<AtomicBool>>,
}

impl RepairOptions {
    /// Whether the work goes on.
    ///
    /// # Errors
    /// It does not.
    fn go_on(&self) -> Result<()> {
        if self.is_stopped() { Err(Error::Unavailable("a repair was stopped half-way".to_owned())) } else { Ok(()) }
    }

    /// Whether somebody has set [`stop`](Self::stop).
    pub(crate) fn is_stopped(&self) -> bool {
        self.stop.as_ref().is_some_and(|stop| stop.load(Ordering::Acquire))
    }
}

impl Default for RepairOptions {
    fn default() -> RepairOptions {
        RepairOptions {
            dry_run: false,
            contents: false,
            sizes: true,
            mismatch: Mismatch::Update,
            odd_files: OddFiles::Report,
            reinject: true,
            bump_uid_validity: false,
            fresh: false,
            header_acl: false,
            derived_only: false,
            fix_modes: false,
            settling: Duration::from_secs(2),
            only: None,
            stop: None,
        }
    }
}
