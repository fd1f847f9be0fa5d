//! cyrus.seen: which messages each reader of a mailbox has seen, and up to which UID messages are not \Recent for that
//! reader any more (docs/formats/seen.md). Text; a change appends a line, so marking a message read costs one short
//! write, and now and then the file is replaced by its essence.
//!
//! First line: `angarium-seen 1 <UIDVALIDITY>`. Then lines of
//!
//! `<crc> <user id> <recent uid> <unix time of the change> <operation><uid set>`
//!
//! crc: CRC-32 of the rest of the line, 8 hexadecimal digits. Operation `=` sets the reader's set of seen UIDs, `+` adds
//! to it, `-` takes away. A line that can't be read is dropped, and a set that isn't one counts as empty, both with a log
//! line: at worst messages look unread.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::ident::UidValidity;
use crate::uid_set::{self, UidSet};

/// The file's name in a mailbox directory.
pub(crate) const FILE: &str = "cyrus.seen";

/// Largest file that is read: ten thousand readers with fragmented sets. A larger one counts as damaged.
pub(crate) const MAX_SIZE: u64 = 256 << 20;

/// Smaller files are never rewritten.
const COMPACT_FROM: u64 = 16 << 10;

const BANNER: &str = "angarium-seen 1";

/// One reader's state.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct Reader {
    pub(crate) seen: UidSet,
    /// UIDs above this are \Recent for the first session that selects the mailbox.
    pub(crate) recent_above: u32,
    /// Unix seconds of the last change.
    pub(crate) changed: i64,
}

/// The state of all readers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    readers: BTreeMap<String, Reader>,
    /// Length of the file in bytes.
    pub(crate) len: u64,
    /// Length it had when it was last replaced.
    essence: u64,
}

/// A change of one reader's state.
#[derive(Clone, Debug, Default)]
pub(crate) struct SeenChange {
    pub(crate) reader: String,
    pub(crate) add: UidSet,
    pub(crate) remove: UidSet,
    pub(crate) recent_above: Option<u32>,
}

impl Seen {
    /// Reads the file of a mailbox with that UIDVALIDITY; `complain` is told of every line that was dropped.
    pub(crate) fn decode(bytes: &[u8], validity: UidValidity, mut complain: impl FnMut(usize, &'static str)) -> Seen {
        let mut seen = Seen { len: bytes.len() as u64, ..Seen::default() };
        let mut lines = bytes.split(|b| *b == b'\n').enumerate();
        let banner = format!("{BANNER} {validity}");
        if lines.next().is_none_or(|(_, first)| first != banner.as_bytes()) {
            complain(1, "not the seen state of this mailbox and UIDVALIDITY");
            seen.len = 0;
            return seen;
        }
        for (number, line) in lines.filter(|(_, line)| !line.is_empty()) {
            match Line::decode(line) {
                Ok(line) => seen.replay(line, || complain(number + 1, "not a set of UIDs, taken as empty")),
                Err(what) => complain(number + 1, what),
            }
        }
        if !bytes.ends_with(b"\n") {
            // Whatever is appended now would become part of this line.
            complain(bytes.split(|b| *b == b'\n').count(), "its end is missing");
        }
        seen.essence = seen.len;
        // What was read up to some message is one run.
        seen.readers.values_mut().for_each(|reader| _ = reader.seen.optimize());
        seen
    }

    fn replay(&mut self, line: Line<'_>, complain: impl FnOnce()) {
        let set = uid_set::parse(line.set).unwrap_or_else(|| {
            complain();
            UidSet::new()
        });
        let reader = self.readers.entry(line.user.to_owned()).or_default();
        match line.operation {
            b'+' => reader.seen |= set,
            b'-' => reader.seen -= set,
            _ => reader.seen = set,
        }
        reader.recent_above = line.recent;
        reader.changed = line.changed;
    }

    /// The whole state as a file.
    pub(crate) fn encode(&self, validity: UidValidity) -> Vec<u8> {
        let mut out = format!("{BANNER} {validity}\n");
        for (user, reader) in &self.readers {
            push_line(&mut out, user, (reader.recent_above, reader.changed), '=', &reader.seen);
        }
        out.into_bytes()
    }

    /// The lines to append for `change`; empty if it changes nothing. [`apply`](Self::apply) it when they are written.
    pub(crate) fn lines(&self, change: &SeenChange, now: i64) -> Vec<u8> {
        let before = self.readers.get(&change.reader).map(|reader| reader.recent_above);
        let recent_above = change.recent_above.or(before).unwrap_or_default();
        let recent_moves = before != Some(recent_above);
        let mut out = String::new();
        if !change.remove.is_empty() {
            push_line(&mut out, &change.reader, (recent_above, now), '-', &change.remove);
        }
        if !change.add.is_empty() || (change.remove.is_empty() && change.recent_above.is_some() && recent_moves) {
            push_line(&mut out, &change.reader, (recent_above, now), '+', &change.add);
        }
        out.into_bytes()
    }

    /// Takes over a change whose lines were written.
    pub(crate) fn apply(&mut self, change: &SeenChange, written: u64, now: i64) {
        let reader = self.readers.entry(change.reader.clone()).or_default();
        reader.seen -= &change.remove;
        reader.seen |= &change.add;
        reader.recent_above = change.recent_above.unwrap_or(reader.recent_above);
        reader.changed = now;
        self.len += written;
    }

    /// Whether the file has grown so much that it should be replaced by its essence.
    pub(crate) fn is_bloated(&self) -> bool {
        self.len > COMPACT_FROM && self.len > self.essence.saturating_mul(4)
    }

    /// The file was replaced by its essence of `len` bytes.
    pub(crate) fn replaced(&mut self, len: u64) {
        self.len = len;
        self.essence = len;
    }

    /// A reader's state.
    pub(crate) fn reader(&self, user: &str) -> Option<&Reader> {
        self.readers.get(user)
    }

    /// All readers.
    pub(crate) fn readers(&self) -> impl Iterator<Item = (&str, &Reader)> {
        self.readers.iter().map(|(user, reader)| (user.as_str(), reader))
    }

    /// What a file that was put back says, and of messages above `above`, which it cannot know, what was known until now.
    /// No reader has seen more than `last_uid`.
    pub(crate) fn put_back(mut self, known: &Seen, above: u32, last_uid: u32) -> Seen {
        for (user, before) in &known.readers {
            let reader = self.readers.entry(user.clone()).or_default();
            reader.seen.extend(before.seen.range(above.saturating_add(1)..));
            reader.recent_above = reader.recent_above.max(before.recent_above);
            reader.changed = reader.changed.max(before.changed);
        }
        self.clamp(last_uid);
        self
    }

    /// Forgets UIDs that were never given out. Answers whether there were any.
    pub(crate) fn clamp(&mut self, last_uid: u32) -> bool {
        let mut clamped = false;
        for reader in self.readers.values_mut() {
            if reader.seen.max().is_some_and(|uid| uid > last_uid) || reader.recent_above > last_uid {
                clamped = true;
                reader.recent_above = reader.recent_above.min(last_uid);
                reader.seen = reader.seen.range(..=last_uid).collect();
            }
        }
        clamped
    }

    /// Forgets UIDs that don't exist any more; a rewrite writes less then.
    pub(crate) fn retain(&mut self, live: &UidSet) {
        self.readers.values_mut().for_each(|r| r.seen &= live);
    }
}

fn push_line(out: &mut String, user: &str, marks: (u32, i64), operation: char, set: &UidSet) {
    let (recent_above, changed) = marks;
    let rest = format!("{user} {recent_above} {changed} {operation}{}", uid_set::format(set));
    // Writing to a String can't fail.
    let _ = writeln!(out, "{:08x} {rest}", crc32fast::hash(rest.as_bytes()));
}

struct Line<'a> {
    user: &'a str,
    recent: u32,
    changed: i64,
    operation: u8,
    set: &'a str,
}

impl Line<'_> {
    fn decode(line: &[u8]) -> Result<Line<'_>, &'static str> {
        let text = std::str::from_utf8(line).map_err(|_| "not UTF-8")?;
        let (crc, rest) = text.split_once(' ').ok_or("no checksum")?;
        if u32::from_str_radix(crc, 16) != Ok(crc32fast::hash(rest.as_bytes())) || crc.len() != 8 {
            return Err("its checksum is wrong");
        }
        let mut fields = rest.splitn(4, ' ');
        let mut field = || fields.next().ok_or("a field is missing");
        let user = field()?;
        let recent = field()?.parse().map_err(|_| "its recent UID is not a number")?;
        let changed = field()?.parse().map_err(|_| "its time is not a number")?;
        let set = field()?;
        let operation = *set.as_bytes().first().ok_or("no operation")?;
        if !matches!(operation, b'=' | b'+' | b'-') || user.is_empty() {
            return Err("an unknown operation");
        }
        Ok(Line { user, recent, changed, operation, set: &set[1..] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn validity() -> UidValidity {
        UidValidity::new(77).unwrap()
    }

    fn change(reader: &str, add: &str, remove: &str, recent_above: Option<u32>) -> SeenChange {
        let set = |t| uid_set::parse(t).unwrap();
        SeenChange { reader: reader.into(), add: set(add), remove: set(remove), recent_above }
    }

    fn grown() -> (Seen, Vec<u8>) {
        let mut seen = Seen::default();
        let mut file = seen.encode(validity());
        for c in [
            change("joe", "1:5,7", "", Some(10)),
            change("sue", "2", "", None),
            change("joe", "9", "3", None),
            change("joe", "", "", Some(12)),
        ] {
            let lines = seen.lines(&c, 1_790_000_000);
            seen.apply(&c, lines.len() as u64, 1_790_000_000);
            file.extend_from_slice(&lines);
        }
        (seen, file)
    }

    #[test]
    fn appended_lines_and_essence_read_the_same() {
        let (seen, file) = grown();
        for bytes in [file, seen.encode(validity())] {
            let read = Seen::decode(&bytes, validity(), |n, what| panic!("line {n}: {what}"));
            assert_eq!(read.readers, seen.readers);
        }
        let joe = seen.reader("joe").unwrap();
        assert_eq!((uid_set::format(&joe.seen).as_str(), joe.recent_above), ("1:2,4:5,7,9", 12));
        assert!(seen.lines(&change("joe", "", "", Some(12)), 0).is_empty(), "nothing changes");
    }

    #[test]
    fn damage_costs_only_what_it_hits() {
        let (_, file) = grown();
        for at in 0..file.len() {
            let mut bad = file.clone();
            bad[at] ^= 0x01;
            Seen::decode(&bad, validity(), |_, _| {});
            Seen::decode(&file[..at], validity(), |_, _| {});
        }
        let mut bad = file.clone();
        let sue = bad.windows(3).position(|w| w == b"sue").unwrap();
        bad[sue] = b'S';
        let mut complaints = 0;
        let seen = Seen::decode(&bad, validity(), |_, _| complaints += 1);
        assert_eq!(complaints, 1);
        assert!(seen.reader("joe").is_some() && seen.reader("sue").is_none());

        let mut complaints = 0;
        let seen = Seen::decode(&file[..file.len() - 1], validity(), |_, _| complaints += 1);
        assert_eq!((complaints, seen.readers().count()), (1, 2), "only the line end is missing");

        let rest = "joe 0 0 =5:1,,x";
        let text = format!("{BANNER} 77\n{:08x} {rest}\n", crc32fast::hash(rest.as_bytes()));
        let mut complaints = 0;
        let seen = Seen::decode(text.as_bytes(), validity(), |_, _| complaints += 1);
        assert_eq!((complaints, seen.reader("joe").unwrap().seen.len()), (1, 0));
    }

    #[test]
    fn another_uid_validity_starts_afresh() {
        let (_, file) = grown();
        let seen = Seen::decode(&file, UidValidity::new(78).unwrap(), |_, _| {});
        assert_eq!((seen.readers.len(), seen.len), (0, 0));
    }
}
