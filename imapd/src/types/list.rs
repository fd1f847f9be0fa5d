//! LIST with its extensions (RFC 9051, 6.3.9; RFC 5258, 5819, 6154, 8440).

use super::{ListPattern, MailboxArg, StatusItem};

/// Patterns in one LIST: each is matched against every name.
pub const MAX_PATTERNS: usize = 256;

/// The arguments of LIST.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List {
    /// Which mailboxes, beyond the patterns; empty for the basic LIST.
    pub selection: Vec<ListSelection>,
    /// What the patterns are relative to.
    pub reference: MailboxArg,
    /// At least one, at most [`MAX_PATTERNS`].
    pub patterns: Vec<ListPattern>,
    /// Whether the patterns stood in parentheses, in which case an empty one has no special meaning (RFC 5258, 3).
    pub parenthesised: bool,
    /// What to say of each; `None` if there was no RETURN.
    pub returns: Option<Vec<ListReturn>>,
}

/// `list-select-opt`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListSelection {
    /// `SUBSCRIBED`: subscribed names, whether they exist or not.
    Subscribed,
    /// `REMOTE`: remote mailboxes too.
    Remote,
    /// `RECURSIVEMATCH`: also parents of what matches; never alone.
    RecursiveMatch,
    /// `SPECIAL-USE`: mailboxes with a special use (RFC 6154, 2).
    SpecialUse,
}

impl ListSelection {
    /// Every option.
    pub const ALL: [ListSelection; 4] = [Self::Subscribed, Self::Remote, Self::RecursiveMatch, Self::SpecialUse];

    /// The word on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            ListSelection::Subscribed => "SUBSCRIBED",
            ListSelection::Remote => "REMOTE",
            ListSelection::RecursiveMatch => "RECURSIVEMATCH",
            ListSelection::SpecialUse => "SPECIAL-USE",
        }
    }
}

/// `return-option`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListReturn {
    /// `SUBSCRIBED`: tell which names are subscribed.
    Subscribed,
    /// `CHILDREN`: tell which have children.
    Children,
    /// `SPECIAL-USE`: tell what they are for (RFC 6154, 2).
    SpecialUse,
    /// `MYRIGHTS`: a MYRIGHTS reply for each (RFC 8440).
    MyRights,
    /// `STATUS (...)`: a STATUS reply for each (RFC 5819); at least one item.
    Status(Vec<StatusItem>),
}
