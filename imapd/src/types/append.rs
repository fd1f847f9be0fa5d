//! APPEND up to the message, which is never part of the parsed text (RFC 9051, 6.3.12; RFC 3502).

use super::{DateTime, Flag, MailboxArg, Tag};

/// Everything before the first message of an APPEND.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppendPrefix {
    /// The command's tag.
    pub tag: Tag,
    /// Where the messages go.
    pub mailbox: MailboxArg,
    /// What belongs to the first message.
    pub item: AppendItem,
}

/// What stands before the literal of one message of an APPEND.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AppendItem {
    /// Its flags.
    pub flags: Vec<Flag>,
    /// Its internal date; the time of arrival if absent.
    pub date: Option<DateTime>,
}
