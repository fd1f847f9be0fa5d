//! SELECT and EXAMINE (RFC 9051, 6.3.2; RFC 7162, 3.1.8 and 3.2.5).

use super::{MailboxArg, NumberSet};

/// The arguments of SELECT and EXAMINE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Select {
    /// The mailbox.
    pub mailbox: MailboxArg,
    /// `(CONDSTORE)`: tell mod-sequences from now on.
    pub condstore: bool,
    /// `(QRESYNC ...)`: what the client remembers of the mailbox.
    pub qresync: Option<QResync>,
}

/// What a client remembers of a mailbox, so that it need only be told the difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QResync {
    /// The UIDVALIDITY it saw; all else is void if another one holds now.
    pub uid_validity: u32,
    /// The highest mod-sequence it has processed; not zero.
    pub mod_seq: u64,
    /// The UIDs it has; `None` stands for all it could have.
    pub known_uids: Option<NumberSet>,
    /// Some sequence numbers and their UIDs.
    pub matches: Option<SequenceMatch>,
}

/// `seq-match-data`: the n-th sequence number had the n-th UID. Both sets have the same size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SequenceMatch {
    /// Sequence numbers.
    pub sequence: NumberSet,
    /// Their UIDs.
    pub uids: NumberSet,
}
