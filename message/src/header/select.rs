//! Choosing fields by name for `BODY[HEADER.FIELDS (...)]` and `BODY[HEADER.FIELDS.NOT (...)]` (RFC 9051, 6.4.5.1).

use std::ops::Range;

use super::Fields;
use super::cached::Numbers;

/// Up to this many names one comparison after another is quicker than a binary search: lengths mostly differ.
const FEW: usize = 12;

/// A set of field names, compared without regard to case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldSet {
    /// Lower case, sorted: a client may ask for thousands of names of a message with millions of fields.
    names: Vec<Vec<u8>>,
    /// Their numbers, if all of them are among the fields that the cache holds.
    cached: Option<Numbers>,
}

impl FieldSet {
    /// Makes the set of `names`.
    pub fn new<N: AsRef<[u8]>>(names: impl IntoIterator<Item = N>) -> Self {
        let mut names: Vec<_> = names.into_iter().map(|name| name.as_ref().to_ascii_lowercase()).collect();
        names.sort_unstable();
        names.dedup();
        let cached = Numbers::of(names.iter().map(Vec::as_slice));
        Self { names, cached }
    }

    /// Whether `name` is one of them.
    #[must_use]
    pub fn contains(&self, name: &[u8]) -> bool {
        if self.names.len() <= FEW {
            return self.names.iter().any(|candidate| candidate.eq_ignore_ascii_case(name));
        }
        let lower = name.iter().map(u8::to_ascii_lowercase);
        self.names.binary_search_by(|candidate| candidate.iter().copied().cmp(lower.clone())).is_ok()
    }

    /// What the cache calls the fields of these names, if it holds all of them.
    pub(super) fn cached(&self) -> Option<Numbers> {
        self.cached
    }

    /// The names, in lower case and sorted.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.names.iter().map(Vec::as_slice)
    }
}

/// Which fields of a header block are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FieldSelection {
    /// `HEADER.FIELDS`: the fields of the set.
    Only(FieldSet),
    /// `HEADER.FIELDS.NOT`: all others, among them the lines that are no fields.
    Except(FieldSet),
}

impl FieldSelection {
    /// The line that ends every answer to HEADER.FIELDS, whether or not a field was found.
    pub const END: &'static [u8] = b"\r\n";

    /// The chosen fields' lines in `block`, in their order there, neighbours joined. The answer to a client is these and
    /// then [`Self::END`].
    #[must_use]
    pub fn ranges(&self, block: &[u8]) -> Vec<Range<usize>> {
        let mut ranges: Vec<Range<usize>> = Vec::new();
        for field in Fields::new(block) {
            if !self.takes(field.name) {
                continue;
            }
            match ranges.last_mut() {
                Some(last) if last.end == field.lines.start => last.end = field.lines.end,
                _ => ranges.push(field.lines),
            }
        }
        ranges
    }

    /// The whole answer: the chosen fields' lines and [`Self::END`].
    #[must_use]
    pub fn bytes(&self, block: &[u8]) -> Vec<u8> {
        let mut answer = Vec::new();
        self.answer(block, &mut answer);
        answer
    }

    /// Writes the whole answer into `answer` instead of what is there.
    pub fn answer(&self, block: &[u8], answer: &mut Vec<u8>) {
        answer.clear();
        for field in Fields::new(block) {
            if self.takes(field.name) {
                answer.extend_from_slice(&block[field.lines]);
            }
        }
        // The last field of a message without a body may lack its line end.
        if !answer.is_empty() && !answer.ends_with(b"\n") {
            answer.extend_from_slice(b"\r\n");
        }
        answer.extend_from_slice(Self::END);
    }

    fn takes(&self, name: &[u8]) -> bool {
        match self {
            Self::Only(set) => !name.is_empty() && set.contains(name),
            Self::Except(set) => name.is_empty() || !set.contains(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCK: &[u8] =
        b"Received: a\r\nFrom: joe\r\nTo: ann,\r\n bob\r\njunk\r\nto: carl\r\nSubject: x\r\n\r\nTo: not a header\r\n";

    fn check(selection: &FieldSelection, expected: &str) {
        assert_eq!(String::from_utf8_lossy(&selection.bytes(BLOCK)), expected, "{selection:?}");
    }

    #[test]
    fn selects() {
        check(
            &FieldSelection::Only(FieldSet::new(["TO", "from"])),
            "From: joe\r\nTo: ann,\r\n bob\r\nto: carl\r\n\r\n",
        );
        check(&FieldSelection::Only(FieldSet::new(["X-None"])), "\r\n");
        check(&FieldSelection::Only(FieldSet::new(["", "junk"])), "\r\n");
        check(&FieldSelection::Except(FieldSet::new(["to", "received", "from"])), "junk\r\nSubject: x\r\n\r\n");
        check(
            &FieldSelection::Except(FieldSet::new([""; 0])),
            "Received: a\r\nFrom: joe\r\nTo: ann,\r\n bob\r\njunk\r\nto: carl\r\nSubject: x\r\n\r\n",
        );
        assert_eq!(FieldSelection::Only(FieldSet::new(["to", "from"])).ranges(BLOCK), [13..40, 46..56]);
        assert_eq!(FieldSelection::Only(FieldSet::new(["a"])).bytes(b"A: no line end"), b"A: no line end\r\n\r\n");
    }
}
