//! STORE (RFC 9051, 6.4.6; RFC 7162, 3.1.3).

use super::{Flag, Numbering, SequenceSet};

/// The arguments of STORE and UID STORE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store {
    /// What `set` counts.
    pub numbering: Numbering,
    /// Which messages.
    pub set: SequenceSet,
    /// `UNCHANGEDSINCE`: leave messages with a higher mod-sequence alone and name them in `[MODIFIED]`; may be 0.
    pub unchanged_since: Option<u64>,
    /// What to do with `flags`.
    pub operation: StoreOperation,
    /// `.SILENT`: do not send the new flags.
    pub silent: bool,
    /// The flags; may be empty.
    pub flags: Vec<Flag>,
}

/// How the flags of the command and of the message combine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreOperation {
    /// `FLAGS`: these and no others.
    Replace,
    /// `+FLAGS`
    Add,
    /// `-FLAGS`
    Remove,
}
