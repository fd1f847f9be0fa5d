//! Which piece of a message BODY[...] and BINARY[...] ask for (RFC 9051, 6.4.5.1).

use std::num::NonZeroU32;

use super::AString;

/// Levels in a part number: deeper parts are opaque to the MIME scanner, so nothing below can exist.
pub const MAX_PART_DEPTH: usize = 100;

/// A part number such as `1.2.3`, outermost first; empty for the message itself.
pub type PartPath = Box<[NonZeroU32]>;

/// `section`: a part, and what of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Section {
    /// The part; at most [`MAX_PART_DEPTH`] numbers.
    pub part: PartPath,
    /// `None` is the whole part.
    pub text: Option<SectionText>,
}

/// `section-text` and `section-msgtext`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum SectionText {
    /// `HEADER`
    Header,
    /// `HEADER.FIELDS (...)`: at least one name.
    HeaderFields(Box<[AString]>),
    /// `HEADER.FIELDS.NOT (...)`: at least one name.
    HeaderFieldsNot(Box<[AString]>),
    /// `TEXT`
    Text,
    /// `MIME`: the header of a body part; needs a part number.
    Mime,
}

/// `partial`: octets `offset .. offset + length`, both below 2^63.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Partial {
    /// The first octet wanted; behind the end of the text the answer is empty.
    pub offset: u64,
    /// How many octets at most; not zero.
    pub length: u64,
}

impl Partial {
    /// The octets meant out of `size`, as start and end.
    pub fn within(&self, size: u64) -> (u64, u64) {
        let start = self.offset.min(size);
        (start, start.saturating_add(self.length).min(size))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partials_stay_inside() {
        let check = |offset, length, size, expected| {
            assert_eq!(Partial { offset, length }.within(size), expected);
        };
        check(0, 10, 100, (0, 10));
        check(95, 10, 100, (95, 100));
        check(100, 1, 100, (100, 100));
        check(u64::MAX >> 1, u64::MAX >> 1, 100, (100, 100));
        check(0, 1, 0, (0, 0));
    }
}
