//! FETCH (RFC 9051, 6.4.5; RFC 7162, 3.1.4).

use super::{Numbering, PartPath, Partial, Section, SequenceSet};

/// Different items in one FETCH: each may cost the whole message, so this bounds what one command can make us send.
pub const MAX_FETCH_ATTRIBUTES: usize = 128;

/// The arguments of FETCH and UID FETCH.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetch {
    /// What `set` counts.
    pub numbering: Numbering,
    /// Which messages.
    pub set: SequenceSet,
    /// What to send of each: no item twice, at most [`MAX_FETCH_ATTRIBUTES`].
    pub attributes: Vec<FetchAttribute>,
    /// `CHANGEDSINCE`: only messages with a higher mod-sequence.
    pub changed_since: Option<u64>,
    /// `VANISHED`: name the messages expunged since then too; only with UID FETCH and `changed_since`.
    pub vanished: bool,
}

/// `fetch-att`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum FetchAttribute {
    /// `BODY` without a section: the body structure without its extension data.
    Body,
    /// `BODYSTRUCTURE`
    BodyStructure,
    /// `ENVELOPE`
    Envelope,
    /// `FLAGS`
    Flags,
    /// `INTERNALDATE`
    InternalDate,
    /// `MODSEQ`: turns CONDSTORE on.
    ModSeq,
    /// `RFC822`: `BODY[]` under its old name (rev1).
    Rfc822,
    /// `RFC822.HEADER`: `BODY.PEEK[HEADER]` under its old name (rev1).
    Rfc822Header,
    /// `RFC822.SIZE`
    Rfc822Size,
    /// `RFC822.TEXT`: `BODY[TEXT]` under its old name (rev1).
    Rfc822Text,
    /// `UID`
    Uid,
    /// `BODY[...]` and `BODY.PEEK[...]`
    BodySection {
        /// Which piece.
        section: Section,
        /// Which octets of it.
        partial: Option<Partial>,
        /// Leave \Seen alone.
        peek: bool,
    },
    /// `BINARY[...]` and `BINARY.PEEK[...]`: a part without its transfer encoding.
    Binary {
        /// Which part.
        part: PartPath,
        /// Which decoded octets of it.
        partial: Option<Partial>,
        /// Leave \Seen alone.
        peek: bool,
    },
    /// `BINARY.SIZE[...]`: how many octets `BINARY[...]` would send.
    BinarySize(PartPath),
}

impl FetchAttribute {
    /// Whether fetching this sets \Seen (RFC 9051, 6.4.5).
    pub fn sets_seen(&self) -> bool {
        match self {
            FetchAttribute::Rfc822 | FetchAttribute::Rfc822Text => true,
            FetchAttribute::BodySection { peek, .. } | FetchAttribute::Binary { peek, .. } => !peek,
            _ => false,
        }
    }
}
