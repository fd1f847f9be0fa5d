//! The numbers and names that identify mailboxes and messages. Each is a type of its own, so that a UID can't be
//! passed where a mod-sequence is meant, and a zero that RFC 9051 forbids can't be built.

use std::fmt;
use std::num::NonZeroU32;

/// A message's unique identifier within one mailbox and one UIDVALIDITY; never 0, strictly ascending, never reissued
/// (RFC 9051, 2.3.1.1).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Uid(NonZeroU32);

impl Uid {
    /// The smallest UID.
    pub const MIN: Uid = Uid(NonZeroU32::MIN);
    /// The largest UID.
    pub const MAX: Uid = Uid(NonZeroU32::MAX);

    /// A UID, unless `n` is 0.
    #[must_use]
    pub fn new(n: u32) -> Option<Uid> {
        NonZeroU32::new(n).map(Uid)
    }

    /// The number as it goes on the wire.
    #[must_use]
    pub fn get(self) -> u32 {
        self.0.get()
    }

    /// The UID after this one, or nothing when the mailbox has used up all UIDs of its UIDVALIDITY.
    #[must_use]
    pub fn next(self) -> Option<Uid> {
        self.0.checked_add(1).map(Uid)
    }
}

impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A mailbox's UIDVALIDITY: Unix seconds of its making, raised whenever UIDs can't be kept (RFC 9051, 2.3.1.1).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct UidValidity(NonZeroU32);

impl UidValidity {
    /// A UIDVALIDITY, unless `n` is 0.
    #[must_use]
    pub fn new(n: u32) -> Option<UidValidity> {
        NonZeroU32::new(n).map(UidValidity)
    }

    /// The UIDVALIDITY of a mailbox made at `unix_seconds`, but always above `previous`: the name may have been in use
    /// before, and a clock may have been set back.
    #[must_use]
    pub fn at(unix_seconds: i64, previous: Option<UidValidity>) -> UidValidity {
        let now = u32::try_from(unix_seconds).ok().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MIN);
        match previous {
            Some(UidValidity(old)) if old >= now => UidValidity(old.saturating_add(1)),
            _ => UidValidity(now),
        }
    }

    /// The number as it goes on the wire.
    #[must_use]
    pub fn get(self) -> u32 {
        self.0.get()
    }
}

impl fmt::Display for UidValidity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A mod-sequence: grows with every change to a mailbox's messages (RFC 7162, 3.1). 0 stands for "before everything".
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct ModSeq(u64);

impl ModSeq {
    /// Before every change.
    pub const ZERO: ModSeq = ModSeq(0);

    /// RFC 7162, 3.1.1: a mod-sequence is a 63-bit number.
    const LIMIT: u64 = i64::MAX as u64;

    /// A mod-sequence, clamped to 63 bits.
    #[must_use]
    pub fn new(n: u64) -> ModSeq {
        ModSeq(n.min(Self::LIMIT))
    }

    /// The number as it goes on the wire.
    #[must_use]
    pub fn get(self) -> u64 {
        self.0
    }

    /// The mod-sequence of the next change.
    #[must_use]
    pub fn next(self) -> ModSeq {
        ModSeq::new(self.0 + 1)
    }
}

impl fmt::Display for ModSeq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A mailbox's identity for its whole life, whatever it is renamed to: 32 lower-case hexadecimal digits.
/// What state is kept by (never by name: a name may be deleted and made again).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct UniqueId(String);

impl UniqueId {
    /// A new random identity.
    ///
    /// # Errors
    /// When the kernel gives no random bytes.
    pub fn random() -> std::io::Result<UniqueId> {
        let mut bytes = [0u8; 16];
        getrandom::fill(&mut bytes).map_err(std::io::Error::other)?;
        Ok(UniqueId(bytes.iter().map(|b| format!("{b:02x}")).collect()))
    }

    /// The identity written in `text`: 1 to 64 ASCII letters, digits and hyphens, so that one that an older server or
    /// an administrator wrote (a UUID, or 16 hexadecimal digits) is kept.
    #[must_use]
    pub fn parse(text: &str) -> Option<UniqueId> {
        let ok = (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        ok.then(|| UniqueId(text.to_owned()))
    }

    /// The identity as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UniqueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// BLAKE3 of a message file's bytes: proves that a file is the message that was accepted.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ContentHash(pub [u8; 32]);

impl ContentHash {
    /// The hash of `message`.
    #[must_use]
    pub fn of(message: &[u8]) -> ContentHash {
        ContentHash(*blake3::hash(message).as_bytes())
    }
}

/// A hash of a message that comes in pieces.
#[derive(Default)]
pub(crate) struct Hashing(blake3::Hasher);

impl Hashing {
    /// Adds a piece.
    pub(crate) fn add(&mut self, piece: &[u8]) {
        self.0.update(piece);
    }

    /// The hash of all pieces.
    pub(crate) fn end(&self) -> ContentHash {
        ContentHash(*self.0.finalize().as_bytes())
    }
}

impl fmt::Display for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

impl fmt::Debug for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// An instant with the zone it was given in: INTERNALDATE and the Date field keep the zone for the reader's sake, all
/// comparisons use the seconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Timestamp {
    /// Unix seconds, UTC.
    pub seconds: i64,
    /// Offset of the local zone from UTC in minutes, -1439 to 1439.
    pub zone_minutes: i16,
}

impl Timestamp {
    /// The present, in UTC.
    #[must_use]
    pub fn now() -> Timestamp {
        let seconds = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(0, |d| i64::try_from(d.as_secs()).unwrap_or(i64::MAX));
        Timestamp { seconds, zone_minutes: 0 }
    }
}

impl From<message::MailDate> for Timestamp {
    fn from(date: message::MailDate) -> Timestamp {
        Timestamp { seconds: date.seconds, zone_minutes: date.zone }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uid_validity_never_goes_back() {
        let old = UidValidity::new(2_000_000_000);
        assert_eq!(UidValidity::at(1_700_000_000, None).get(), 1_700_000_000);
        assert_eq!(UidValidity::at(1_700_000_000, old).get(), 2_000_000_001);
        assert_eq!(UidValidity::at(-5, None).get(), 1);
    }

    #[test]
    fn unique_ids_are_distinct_and_read_back() {
        let (a, b) = (UniqueId::random().unwrap(), UniqueId::random().unwrap());
        assert_ne!(a, b);
        assert_eq!(UniqueId::parse(a.as_str()), Some(a));
        for bad in ["", "a/b", "a b", "..", &"x".repeat(65)] {
            assert_eq!(UniqueId::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn mod_sequences_stay_63_bit() {
        assert_eq!(ModSeq::new(u64::MAX).next().get(), i64::MAX as u64);
    }
}
