//! The header fields kept in the cache, so that the lists mail clients show need no message file.
//!
//! The cached bytes are one version-and-flag byte and then the chosen fields' lines, verbatim and in order: a header
//! block of its own, from which HEADER.FIELDS is answered with the very function that answers it from the file.

use super::{FieldSelection, FieldSet, Fields};

/// The fields that are cached: what Thunderbird, Outlook, Apple Mail, Roundcube, mutt, K-9 and mbsync ask for when they
/// list a mailbox, and what SORT, THREAD and filing need. In lower case, sorted.
///
/// Received is left out: clients ask for it message by message only, and its lines are half of a usual header.
pub const CACHED_FIELDS: &[&str] = &[
    "authentication-results",
    "auto-submitted",
    "bcc",
    "cc",
    "content-transfer-encoding",
    "content-type",
    "date",
    "delivered-to",
    "disposition-notification-to",
    "errors-to",
    "from",
    "importance",
    "in-reply-to",
    "list-archive",
    "list-help",
    "list-id",
    "list-owner",
    "list-post",
    "list-subscribe",
    "list-unsubscribe",
    "list-unsubscribe-post",
    "mail-followup-to",
    "mail-reply-to",
    "message-id",
    "mime-version",
    "newsgroups",
    "organization",
    "precedence",
    "priority",
    "references",
    "reply-to",
    "resent-date",
    "resent-from",
    "resent-to",
    "return-path",
    "return-receipt-to",
    "sender",
    "subject",
    "to",
    "user-agent",
    "x-draft-info",
    "x-label",
    "x-list",
    "x-mailer",
    "x-original-to",
    "x-priority",
    "x-spam-flag",
    "x-spam-score",
    "x-spam-status",
    "x-uniform-type-identifier",
    "x-universally-unique-identifier",
];

/// Larger blobs are cut: a mailing to thousands of addresses must not bloat the cache of everyone. 98 in 100 messages
/// need less than 4 KiB.
const MAX_CACHED_BYTES: usize = 32 * 1024;

/// The first byte: format 1, all fields there.
const COMPLETE: u8 = 0x10;
/// The first byte: format 1, some field did not fit.
const INCOMPLETE: u8 = 0x11;

/// A message's cached fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CachedHeaders<'a> {
    complete: bool,
    block: &'a [u8],
}

impl<'a> CachedHeaders<'a> {
    /// Makes the cached bytes of a message from the first `limit` bytes of its header block.
    #[must_use]
    pub fn build(block: &[u8], limit: usize) -> Vec<u8> {
        let mut cached = vec![if block.len() <= limit { COMPLETE } else { INCOMPLETE }];
        let block = &block[..block.len().min(limit)];
        for field in Fields::new(block).filter(|field| is_cached(field.name)) {
            if cached.len() + field.lines.len() > MAX_CACHED_BYTES {
                cached[0] = INCOMPLETE;
                continue;
            }
            cached.extend_from_slice(&block[field.lines]);
            // Only the last line of a message without a body lacks it; a block needs whole lines.
            if cached.last() != Some(&b'\n') {
                cached.extend_from_slice(b"\r\n");
            }
        }
        cached
    }

    /// Reads cached bytes; `None` if they are of another format or damaged.
    #[must_use]
    pub fn open(cached: &'a [u8]) -> Option<Self> {
        match cached.split_first()? {
            (&COMPLETE, block) => Some(Self { complete: true, block }),
            (&INCOMPLETE, block) => Some(Self { complete: false, block }),
            _ => None,
        }
    }

    /// Whether every cached field of the message is here.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// The cached lines as a header block.
    #[must_use]
    pub fn block(&self) -> &'a [u8] {
        self.block
    }

    /// Whether HEADER.FIELDS of these names can be answered from here.
    #[must_use]
    pub fn covers(&self, fields: &FieldSet) -> bool {
        self.complete && fields.is_cached()
    }

    /// Writes the answer to a `HEADER.FIELDS` into `answer` and says whether it could; otherwise it takes the message
    /// file.
    pub fn answer(&self, selection: &FieldSelection, answer: &mut Vec<u8>) -> bool {
        let covered = matches!(selection, FieldSelection::Only(fields) if self.covers(fields));
        if covered {
            selection.answer(self.block, answer);
        }
        covered
    }

    /// The unfolded value of the first cached field of this name.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<std::borrow::Cow<'a, [u8]>> {
        Fields::new(self.block)
            .find(|field| field.name.eq_ignore_ascii_case(name.as_bytes()))
            .map(|field| super::unfold(field.value))
    }
}

pub(super) fn is_cached(name: &[u8]) -> bool {
    let lower = name.iter().map(u8::to_ascii_lowercase);
    CACHED_FIELDS.binary_search_by(|candidate| candidate.bytes().cmp(lower.clone())).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted() {
        assert!(CACHED_FIELDS.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(CACHED_FIELDS.iter().all(|name| *name == name.to_lowercase()));
    }

    #[test]
    fn answers_without_the_file() {
        let block = b"Received: x\r\nFROM: joe\r\nX-Other: 1\r\nSubject: a\r\n b\r\n\r\n";
        let bytes = CachedHeaders::build(block, usize::MAX);
        let cached = CachedHeaders::open(&bytes).unwrap();
        assert!(cached.is_complete());
        assert_eq!(cached.block(), b"FROM: joe\r\nSubject: a\r\n b\r\n");
        let wanted = FieldSelection::Only(FieldSet::new(["Subject", "Date", "From"]));
        let mut answer = b"left from before".to_vec();
        assert!(cached.answer(&wanted, &mut answer));
        assert_eq!(answer, wanted.bytes(block));
        assert!(!cached.answer(&FieldSelection::Only(FieldSet::new(["X-Other"])), &mut answer));
        assert!(!cached.answer(&FieldSelection::Except(FieldSet::new(["Subject"])), &mut answer));
        assert_eq!(cached.value("subject").unwrap().as_ref(), b"a b");
    }

    #[test]
    fn large_headers_are_marked() {
        let block = format!("From: joe\r\nTo: {}\r\nSubject: x\r\n\r\n", "a@example.com, ".repeat(10_000));
        let bytes = CachedHeaders::build(block.as_bytes(), usize::MAX);
        assert!(bytes.len() <= MAX_CACHED_BYTES);
        let cached = CachedHeaders::open(&bytes).unwrap();
        assert!(!cached.is_complete());
        assert_eq!(cached.block(), b"From: joe\r\nSubject: x\r\n");
        assert!(!cached.answer(&FieldSelection::Only(FieldSet::new(["From"])), &mut Vec::new()));
    }

    #[test]
    fn headers_beyond_the_limit_are_marked() {
        let bytes = CachedHeaders::build(b"From: joe\r\nSubject: x\r\n", 11);
        assert!(!CachedHeaders::open(&bytes).unwrap().is_complete());
    }

    #[test]
    fn damaged_bytes_are_refused() {
        assert_eq!(CachedHeaders::open(b""), None);
        assert_eq!(CachedHeaders::open(b"\xffFrom: x\r\n"), None);
    }
}
