//! The header fields kept in the cache, so that the lists mail clients show need no message file.
//!
//! | offset | size | field |
//! |---|---|---|
//! | 0 | 1 | 0x20: all cached fields of the message are here; 0x21: some did not fit |
//! | 1 | 2 | how many fields there are, n |
//! | 3 | 3 each | of each field: its number in the table of cached fields, and (2) the size of its lines |
//! | 3 + 3n | ... | the fields' lines, verbatim, in the order of the message |
//!
//! The numbers make HEADER.FIELDS a matter of copying: no line is looked at again. The lines by themselves are a header
//! block. The table of cached fields may grow only by another format, because its numbers are on disk.

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

/// The first byte: format 2, all fields there.
const COMPLETE: u8 = 0x20;
/// The first byte: format 2, some field did not fit.
const INCOMPLETE: u8 = 0x21;

/// Bytes before the entries.
const FIXED: usize = 3;
/// Bytes of an entry.
const ENTRY: usize = 3;

/// A message's cached fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CachedHeaders<'a> {
    complete: bool,
    entries: &'a [[u8; ENTRY]],
    block: &'a [u8],
}

/// A set of cached fields, by their numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Numbers(u64);

const _: () = assert!(CACHED_FIELDS.len() <= 64, "a number is a bit of 64");

impl Numbers {
    /// The numbers of all of `names`; nothing if some are not cached. Names are in lower case.
    pub(super) fn of<'n>(names: impl IntoIterator<Item = &'n [u8]>) -> Option<Numbers> {
        names.into_iter().try_fold(Numbers(0), |set, name| Some(Numbers(set.0 | 1 << number(name)?)))
    }

    fn contains(self, number: u8) -> bool {
        number < 64 && self.0 >> number & 1 == 1
    }
}

impl<'a> CachedHeaders<'a> {
    /// Makes the cached bytes of a message from the first `limit` bytes of its header block.
    #[must_use]
    pub fn build(block: &[u8], limit: usize) -> Vec<u8> {
        let mut first = if block.len() <= limit { COMPLETE } else { INCOMPLETE };
        let block = &block[..block.len().min(limit)];
        let (mut entries, mut lines) = (Vec::new(), Vec::new());
        for field in Fields::new(block) {
            let Some(number) = number(field.name) else { continue };
            let taken = &block[field.lines];
            // Only the last line of a message without a body lacks it; a block needs whole lines.
            let line_end: &[u8] = if taken.ends_with(b"\n") { b"" } else { b"\r\n" };
            let size = u16::try_from(taken.len() + line_end.len()).ok();
            let Some(size) = size.filter(|size| {
                FIXED + entries.len() * ENTRY + ENTRY + lines.len() + usize::from(*size) <= MAX_CACHED_BYTES
            }) else {
                first = INCOMPLETE;
                continue;
            };
            let [low, high] = size.to_le_bytes();
            entries.push([number, low, high]);
            lines.extend_from_slice(taken);
            lines.extend_from_slice(line_end);
        }
        // There are fewer than a third of MAX_CACHED_BYTES.
        let count = (entries.len() as u16).to_le_bytes();
        [&[first], &count[..], entries.as_flattened(), &lines].concat()
    }

    /// Reads cached bytes; `None` if they are of another format or damaged.
    #[must_use]
    pub fn open(cached: &'a [u8]) -> Option<Self> {
        let (&[first, low, high], rest) = cached.split_first_chunk::<FIXED>()?;
        let complete = match first {
            COMPLETE => true,
            INCOMPLETE => false,
            _ => return None,
        };
        let (entries, block) = rest.split_at_checked(usize::from(u16::from_le_bytes([low, high])) * ENTRY)?;
        Some(Self { complete, entries: entries.as_chunks().0, block })
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
        self.complete && fields.cached().is_some()
    }

    /// The answer to a `HEADER.FIELDS`; `None` if it takes the message file.
    #[must_use]
    pub fn choose(&self, selection: &FieldSelection) -> Option<Chosen<'a>> {
        let FieldSelection::Only(fields) = selection else { return None };
        let wanted = fields.cached().filter(|_| self.complete)?;
        let (mut size, mut sum) = (0, 0);
        for entry in self.entries {
            let lines = lines_of(*entry);
            sum += lines;
            if wanted.contains(entry[0]) {
                size += lines;
            }
        }
        // Otherwise it is damaged in a way that no checksum has noticed.
        (sum == self.block.len()).then_some(Chosen { cached: *self, wanted, size })
    }

    /// The unfolded value of the first cached field of this name.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<std::borrow::Cow<'a, [u8]>> {
        Fields::new(self.block)
            .find(|field| field.name.eq_ignore_ascii_case(name.as_bytes()))
            .map(|field| super::unfold(field.value))
    }
}

/// The answer to a `HEADER.FIELDS`, not copied yet.
#[derive(Debug, Clone, Copy)]
pub struct Chosen<'a> {
    cached: CachedHeaders<'a>,
    wanted: Numbers,
    size: usize,
}

impl<'a> Chosen<'a> {
    /// Octets of the answer, the empty line at its end included.
    #[must_use]
    pub fn size(&self) -> usize {
        self.size + FieldSelection::END.len()
    }

    /// The answer in pieces, in order.
    pub fn pieces(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let Chosen { cached, wanted, .. } = *self;
        let (mut at, mut entries) = (0, cached.entries.iter().peekable());
        let runs = std::iter::from_fn(move || {
            while let Some(entry) = entries.next_if(|entry| !wanted.contains(entry[0])) {
                at += lines_of(*entry);
            }
            let start = at;
            while let Some(entry) = entries.next_if(|entry| wanted.contains(entry[0])) {
                at += lines_of(*entry);
            }
            (at > start).then(|| cached.block.get(start..at).unwrap_or_default())
        });
        runs.chain(std::iter::once(FieldSelection::END))
    }
}

/// The size of the lines of an entry's field.
fn lines_of(entry: [u8; ENTRY]) -> usize {
    usize::from(u16::from_le_bytes([entry[1], entry[2]]))
}

/// The number of a cached field.
fn number(name: &[u8]) -> Option<u8> {
    let lower = name.iter().map(u8::to_ascii_lowercase);
    let found = CACHED_FIELDS.binary_search_by(|candidate| candidate.bytes().cmp(lower.clone()));
    found.ok().and_then(|number| u8::try_from(number).ok())
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
        let chosen = cached.choose(&wanted).unwrap();
        let answer: Vec<u8> = chosen.pieces().flatten().copied().collect();
        assert_eq!(answer, wanted.bytes(block));
        assert_eq!(answer.len(), chosen.size());
        assert_eq!(chosen.pieces().count(), 2, "neighbours are copied at once");
        assert!(cached.choose(&FieldSelection::Only(FieldSet::new(["X-Other"]))).is_none());
        assert!(cached.choose(&FieldSelection::Except(FieldSet::new(["Subject"]))).is_none());
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
        assert!(cached.choose(&FieldSelection::Only(FieldSet::new(["From"]))).is_none());
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
        let good = CachedHeaders::build(b"From: joe\r\nSubject: x\r\n", usize::MAX);
        let wanted = FieldSelection::Only(FieldSet::new(["From"]));
        for len in 0..good.len() {
            let chosen = CachedHeaders::open(&good[..len]).and_then(|cached| cached.choose(&wanted));
            assert!(chosen.is_none(), "cut at {len}");
        }
    }
}
