//! Sets of UIDs, and their text form: ranges as in an IMAP sequence set (RFC 9051, 9: `sequence-set`), without `*`.

/// A set of UIDs.
pub type UidSet = roaring::RoaringBitmap;

/// Most members of a set that is read from a file: `1:4294967295` must not fill the memory.
const MAX_MEMBERS: u32 = 1 << 26;

/// A set that is made of ascending UIDs: runs of them are added as such, which costs a step for each UID, wherever in the
/// set it is.
#[derive(Debug, Default)]
pub(crate) struct Ascending {
    set: UidSet,
    run: Option<(u32, u32)>,
}

impl Ascending {
    /// Adds a UID, larger than all before.
    pub(crate) fn push(&mut self, uid: u32) {
        match &mut self.run {
            Some((_, last)) if last.checked_add(1) == Some(uid) => *last = uid,
            run => {
                if let Some((first, last)) = run.replace((uid, uid)) {
                    self.set.insert_range(first..=last);
                }
            }
        }
    }

    /// The set, in the form that takes least memory: most mailboxes are a few runs, and every session copies the set.
    pub(crate) fn finish(mut self) -> UidSet {
        if let Some((first, last)) = self.run {
            self.set.insert_range(first..=last);
        }
        self.set.optimize();
        self.set
    }
}

/// The set as text, ascending: `1:5,7`. An empty set is the empty text.
#[must_use]
pub fn format(set: &UidSet) -> String {
    let mut out = String::new();
    for range in ranges(set) {
        if !out.is_empty() {
            out.push(',');
        }
        out.push_str(&range.0.to_string());
        if range.1 > range.0 {
            out.push(':');
            out.push_str(&range.1.to_string());
        }
    }
    out
}

/// The set's maximal runs, ascending, both ends inclusive.
pub fn ranges(set: &UidSet) -> impl Iterator<Item = (u32, u32)> + '_ {
    let mut uids = set.iter().peekable();
    std::iter::from_fn(move || {
        let first = uids.next()?;
        let mut last = first;
        while last.checked_add(1).is_some_and(|next| uids.next_if_eq(&next).is_some()) {
            last += 1;
        }
        Some((first, last))
    })
}

/// Reads the text form: ascending or not, ranges in either direction as RFC 9051 allows.
/// Nothing if any part is not a UID or a range of UIDs, or the set has more members than any mailbox has messages.
#[must_use]
pub fn parse(text: &str) -> Option<UidSet> {
    let mut set = UidSet::new();
    let mut room = MAX_MEMBERS;
    for part in text.split(',').filter(|_| !text.is_empty()) {
        let number = |t: &str| t.parse::<u32>().ok().filter(|n| *n > 0 && !t.starts_with('+'));
        match part.split_once(':') {
            Some((a, b)) => {
                let (a, b) = (number(a)?, number(b)?);
                room = room.checked_sub(a.abs_diff(b))?;
                set.insert_range(a.min(b)..=a.max(b));
            }
            None => {
                set.insert(number(part)?);
            }
        }
    }
    Some(set)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ascending_runs() {
        let check = |uids: &[u32]| {
            let mut set = Ascending::default();
            uids.iter().for_each(|uid| set.push(*uid));
            assert_eq!(set.finish(), uids.iter().copied().collect::<UidSet>(), "{uids:?}");
        };
        check(&[]);
        check(&[1]);
        check(&[1, 2, 3, 7, 9, 10, 65_535, 65_536, u32::MAX - 1, u32::MAX]);
    }

    #[test]
    fn text_form() {
        let rows: &[(&str, Option<&str>)] = &[
            ("", Some("")),
            ("1", Some("1")),
            ("1:3,5", Some("1:3,5")),
            ("5,1:3,4", Some("1:5")),
            ("3:1", Some("1:3")),
            ("4294967294:4294967295", Some("4294967294:4294967295")),
            ("1:4294967295", None),
            ("0", None),
            ("1:*", None),
            ("5:1,,x", None),
            ("4294967296", None),
            ("+1", None),
            ("1,", None),
        ];
        for (text, expected) in rows {
            assert_eq!(parse(text).map(|s| format(&s)).as_deref(), *expected, "{text}");
        }
    }
}
