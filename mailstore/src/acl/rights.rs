//! A set of rights, and its letters (RFC 4314, 2.1).

use std::fmt::{self, Write as _};

/// A set of rights.
///
/// The letters `c` and `d` of RFC 2086 are not rights but names for sets: `c` is `k` and `x`, `d` is `t` and `e`. Read,
/// such a letter stands for its set only if no member of the set is there by itself; written, it follows whenever a
/// member is in the set. So a client that sends back what it was told changes nothing, and old clients still find their
/// letters. (RFC 4314, 2.1.1, would have `kc` mean `kx`; then every such echo would add a right that nobody granted.)
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub struct Rights(u32);

/// Why a text is not a set of rights.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0:?} is not a right")]
pub struct RightsError(
    /// The first letter that means nothing.
    pub char,
);

/// All letters in the order in which they are written; the bit of a right is its place here. The virtual `c` and `d`
/// stand between `e` and `a`.
const LETTERS: &[u8; 22] = b"lrswipkxtean0123456789";

/// How many letters come before the virtual ones.
const BEFORE_VIRTUAL: usize = 10;

impl Rights {
    /// No right.
    pub const NONE: Rights = Rights(0);
    /// `l`: the mailbox is visible to LIST, can be subscribed to, and may be known to exist.
    pub const LOOKUP: Rights = Rights(1);
    /// `r`: SELECT, and reading messages.
    pub const READ: Rights = Rights(1 << 1);
    /// `s`: keep \Seen across sessions.
    pub const SEEN: Rights = Rights(1 << 2);
    /// `w`: change flags other than \Seen and \Deleted.
    pub const WRITE: Rights = Rights(1 << 3);
    /// `i`: APPEND and COPY into the mailbox.
    pub const INSERT: Rights = Rights(1 << 4);
    /// `p`: send mail to the mailbox's submission address.
    pub const POST: Rights = Rights(1 << 5);
    /// `k`: create mailboxes below this one.
    pub const CREATE: Rights = Rights(1 << 6);
    /// `x`: delete or rename the mailbox.
    pub const DELETE_MAILBOX: Rights = Rights(1 << 7);
    /// `t`: set and clear \Deleted.
    pub const DELETE_MESSAGES: Rights = Rights(1 << 8);
    /// `e`: EXPUNGE.
    pub const EXPUNGE: Rights = Rights(1 << 9);
    /// `a`: read and change the list itself.
    pub const ADMINISTER: Rights = Rights(1 << 10);
    /// `n`: write annotations (RFC 5257).
    pub const ANNOTATE: Rights = Rights(1 << 11);
    /// Every right that means something to this server.
    pub const ALL: Rights = Rights((1 << 12) - 1);
    /// `ALL` and the digits, which a site may give a meaning of its own.
    pub const ALL_WITH_SITE: Rights = Rights((1 << 22) - 1);

    /// `c` of RFC 2086.
    const LEGACY_CREATE: Rights = Rights::CREATE.with(Rights::DELETE_MAILBOX);
    /// `d` of RFC 2086.
    const LEGACY_DELETE: Rights = Rights::DELETE_MESSAGES.with(Rights::EXPUNGE);

    /// The set written in `text`: letters and digits in any order, upper case not allowed (RFC 4314, 2.1).
    ///
    /// ```abnf
    /// rights     = *right
    /// right      = LOWER-ALPHA / DIGIT
    /// ```
    ///
    /// # Errors
    /// When a letter means nothing.
    pub fn parse(text: &str) -> Result<Rights, RightsError> {
        let (mut rights, mut legacy) = (Rights::NONE, Vec::new());
        for letter in text.chars() {
            match letter {
                'c' => legacy.push(Rights::LEGACY_CREATE),
                'd' => legacy.push(Rights::LEGACY_DELETE),
                _ => rights = rights.with(Rights::of_letter(letter).ok_or(RightsError(letter))?),
            }
        }
        let explicit = rights;
        for members in legacy {
            if !explicit.intersects(members) {
                rights = rights.with(members);
            }
        }
        Ok(rights)
    }

    /// Whether all of `other` are in this set.
    #[must_use]
    pub const fn contains(self, other: Rights) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether any of `other` is in this set.
    #[must_use]
    pub const fn intersects(self, other: Rights) -> bool {
        self.0 & other.0 != 0
    }

    /// This set and `other`.
    #[must_use]
    pub const fn with(self, other: Rights) -> Rights {
        Rights(self.0 | other.0)
    }

    /// This set without `other`.
    #[must_use]
    pub const fn without(self, other: Rights) -> Rights {
        Rights(self.0 & !other.0)
    }

    /// Whether there is no right in the set.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The rights one by one, in the order of writing.
    pub fn each(self) -> impl Iterator<Item = Rights> {
        (0..LETTERS.len()).map(|bit| Rights(1 << bit)).filter(move |right| self.contains(*right))
    }

    fn of_letter(letter: char) -> Option<Rights> {
        LETTERS.iter().position(|&l| char::from(l) == letter).map(|bit| Rights(1 << bit))
    }
}

/// `lrswipkxtecdan` and digits: the order in which Cyrus writes them.
impl fmt::Display for Rights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (bit, letter) in LETTERS.iter().enumerate() {
            if bit == BEFORE_VIRTUAL {
                if self.intersects(Rights::LEGACY_CREATE) {
                    f.write_char('c')?;
                }
                if self.intersects(Rights::LEGACY_DELETE) {
                    f.write_char('d')?;
                }
            }
            if self.contains(Rights(1 << bit)) {
                f.write_char(char::from(*letter))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_both_ways() {
        let rows = [
            ("", ""),
            ("lr", "lr"),
            ("rl", "lr"),
            ("lrswipcda", "lrswipkxtecda"),
            ("lrswipkxtean0123456789", "lrswipkxtecdan0123456789"),
            ("c", "kxc"),
            ("d", "ted"),
            ("kc", "kc"),
            ("xc", "xc"),
            ("dt", "td"),
            ("ed", "ed"),
            ("cd", "kxtecd"),
            ("9l0", "l09"),
            ("lllr", "lr"),
        ];
        for (input, expected) in rows {
            let rights = Rights::parse(input).unwrap();
            assert_eq!(rights.to_string(), expected, "{input}");
            assert_eq!(Rights::parse(&rights.to_string()), Ok(rights), "{input} read back");
        }
        for (bad, letter) in [("lq", 'q'), ("L", 'L'), ("l r", ' '), ("é", 'é'), ("+l", '+')] {
            assert_eq!(Rights::parse(bad), Err(RightsError(letter)), "{bad}");
        }
    }

    #[test]
    fn one_by_one() {
        let letters: Vec<_> = Rights::parse("tkl").unwrap().each().map(|right| right.to_string()).collect();
        assert_eq!(letters, ["l", "kc", "td"]);
    }
}
