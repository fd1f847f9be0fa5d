//! How much structure one message may have before the rest of it is taken as opaque bytes.

/// The limits of one [`analyse`](crate::analyse) run.
///
/// Passing a limit is never an error: the part that passes it becomes an opaque leaf, shown to clients as
/// `application/octet-stream`, so that everybody's bytes stay reachable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Multiparts and messages that may be open inside one another.
    pub depth: usize,
    /// Parts of one message, nested ones included. The last one allowed takes the rest of the message.
    pub parts: usize,
    /// Bytes of one header block that are looked at.
    pub header_bytes: usize,
    /// Parameters of one Content-Type or Content-Disposition field that are kept.
    pub parameters: usize,
}

impl Limits {
    /// Real mail nests four or five deep; Dovecot stops at 100 as well (CVE-2020-12100).
    pub const DEPTH: usize = 100;
    /// The largest digests have some thousand parts; Dovecot stops at 10,000 as well.
    pub const PARTS: usize = 10_000;
    /// What an MTA takes is 100 KiB; 10 MiB lets even a broken import pass (CVE-2024-23185).
    pub const HEADER_BYTES: usize = 10 * 1024 * 1024;
    /// A file name of 255 characters, split by RFC 2231 as finely as software does, needs some 30.
    pub const PARAMETERS: usize = 1_000;
}

impl Default for Limits {
    fn default() -> Self {
        Self { depth: Self::DEPTH, parts: Self::PARTS, header_bytes: Self::HEADER_BYTES, parameters: Self::PARAMETERS }
    }
}
