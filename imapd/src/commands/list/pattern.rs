//! Matching mailbox names against LIST patterns: `*` stands for anything, `%` for anything without a separator (RFC 9051,
//! 6.3.9).
//!
//! A pattern is run as a set of positions that moves over the name octet by octet, so a match costs at most the product of
//! the two lengths however many wildcards there are. Backtracking would be exponential for `*%*%*%`, and neither recursion
//! nor memory beyond the set is needed.

use crate::namespace::{INBOX, SEPARATOR};

/// One pattern, ready to match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pattern {
    tokens: Vec<Token>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    Octet(u8),
    /// `%`
    Level,
    /// `*`
    Any,
}

impl Pattern {
    /// `reference` and `pattern` as one: the reference is a prefix of the names (RFC 9051, 6.3.9), in which wildcards have
    /// no meaning.
    pub(crate) fn new(reference: &str, pattern: &str) -> Pattern {
        let mut tokens: Vec<Token> = reference.bytes().map(Token::Octet).collect();
        for octet in pattern.bytes() {
            let token = match octet {
                b'%' => Token::Level,
                b'*' => Token::Any,
                octet => Token::Octet(octet),
            };
            push(&mut tokens, token);
        }
        Pattern { tokens }
    }

    /// What every name that matches begins with.
    pub(crate) fn literal_prefix(&self) -> String {
        let octets = self.tokens.iter().map_while(|token| match token {
            Token::Octet(octet) => Some(*octet),
            Token::Level | Token::Any => None,
        });
        // Cut inside a character only if the pattern was: a wildcard is no part of one.
        String::from_utf8_lossy(&octets.collect::<Vec<u8>>()).into_owned()
    }

    /// How many levels a name that matches can have; `None` if any number.
    pub(crate) fn levels(&self) -> Option<usize> {
        let separators = self.tokens.iter().filter(|token| **token == Token::Octet(SEPARATOR as u8)).count();
        (!self.tokens.contains(&Token::Any)).then_some(separators + 1)
    }

    /// Whether the pattern ends in `%`: levels of the hierarchy that are no mailboxes are then told too.
    pub(crate) fn ends_in_level(&self) -> bool {
        self.tokens.last() == Some(&Token::Level)
    }

    /// Whether `name` matches. INBOX does in any case of the pattern (RFC 9051, 5.1).
    pub(crate) fn matches(&self, name: &str) -> bool {
        let fold = name == INBOX;
        // Positions before which the pattern has matched, ascending.
        let mut at = Vec::with_capacity(4);
        self.reach(&mut at, 0);
        let mut next = Vec::with_capacity(4);
        for octet in name.bytes() {
            next.clear();
            for &position in &at {
                match self.tokens.get(position) {
                    Some(Token::Octet(wanted)) if same(*wanted, octet, fold) => self.reach(&mut next, position + 1),
                    Some(Token::Any) => self.reach(&mut next, position),
                    Some(Token::Level) if octet != SEPARATOR as u8 => self.reach(&mut next, position),
                    _ => {}
                }
            }
            std::mem::swap(&mut at, &mut next);
            if at.is_empty() {
                return false;
            }
        }
        at.last() == Some(&self.tokens.len())
    }

    /// Adds a position, and the one behind it if a wildcard stands there, which may match nothing. Two wildcards never
    /// stand side by side, so that is all; and positions come in ascending order, so the last ones show repeats.
    fn reach(&self, positions: &mut Vec<usize>, position: usize) {
        let wild = !matches!(self.tokens.get(position), None | Some(Token::Octet(_)));
        for position in position..=position + usize::from(wild) {
            if !positions.iter().rev().take(2).any(|&known| known == position) {
                positions.push(position);
            }
        }
    }
}

/// Adds a token; neighbouring wildcards are one, and a `*` among them decides.
fn push(tokens: &mut Vec<Token>, token: Token) {
    match (tokens.last_mut(), token) {
        (Some(last @ (Token::Level | Token::Any)), Token::Any) => *last = Token::Any,
        (Some(Token::Level | Token::Any), Token::Level) => {}
        (_, token) => tokens.push(token),
    }
}

fn same(wanted: u8, octet: u8, fold: bool) -> bool {
    wanted == octet || fold && wanted.eq_ignore_ascii_case(&octet)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn matching() {
        let check = |pattern: &str, name: &str, expected: bool| {
            assert_eq!(Pattern::new("", pattern).matches(name), expected, "{pattern} {name}");
        };
        check("*", "", true);
        check("%", "", true);
        check("", "", true);
        check("", "a", false);
        check("*", "a/b", true);
        check("%", "a", true);
        check("%", "a/b", false);
        check("%/%", "a/b", true);
        check("a*", "a/b/c", true);
        check("a%", "a/b", false);
        check("a%c", "abbc", true);
        check("a%c", "a/c", false);
        check("%b", "b", true);
        check("*b", "abab", true);
        check("*b", "aba", false);
        check("*a%b*c", "xxa/yaybzzc", true);
        check("%*", "a/b", true);
        check("*%", "a/b", true);
        check("a/*", "a", false);
        check("Entw*", "Entwürfe", true);
        check("inbox", "INBOX", true);
        check("in%", "INBOX", true);
        check("drafts", "Drafts", false);
        check("inbox/*", "INBOX/x", false);
    }

    #[test]
    fn references() {
        let check = |reference: &str, pattern: &str, name: &str, expected: bool| {
            assert_eq!(Pattern::new(reference, pattern).matches(name), expected, "{reference} {pattern} {name}");
        };
        check("a/", "%", "a/b", true);
        check("a/", "%", "b", false);
        check("a/b", "c", "a/bc", true);
        check("a%", "b", "a%b", true);
        check("a%", "b", "axb", false);
    }

    #[test]
    fn shapes() {
        let check = |pattern: &str, prefix: &str, levels: Option<usize>, level: bool| {
            let pattern = Pattern::new("", pattern);
            assert_eq!(
                (pattern.literal_prefix().as_str(), pattern.levels(), pattern.ends_in_level()),
                (prefix, levels, level)
            );
        };
        check("*", "", None, false);
        check("%", "", Some(1), true);
        check("a/b%c/%", "a/b", Some(3), true);
        check("Sent", "Sent", Some(1), false);
        check("ä*%", "ä", None, false);
    }

    #[test]
    fn many_wildcards_take_no_time() {
        let pattern = Pattern::new("", &"*%a".repeat(2000));
        assert!(!pattern.matches(&"a".repeat(490)));
        let pattern = Pattern::new("", &format!("{}b", "%a*".repeat(200)));
        assert!(!pattern.matches(&"a/".repeat(245)));
    }

    /// The definition, recursive and slow.
    fn defined(pattern: &[u8], name: &[u8]) -> bool {
        match (pattern.first(), name.first()) {
            (None, None) => true,
            (Some(b'*'), _) => defined(&pattern[1..], name) || !name.is_empty() && defined(pattern, &name[1..]),
            (Some(b'%'), octet) => {
                defined(&pattern[1..], name)
                    || octet.is_some_and(|&octet| octet != b'/') && defined(pattern, &name[1..])
            }
            (Some(a), Some(b)) => a == b && defined(&pattern[1..], &name[1..]),
            _ => false,
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn agrees_with_its_definition(pattern in "[ab/*%]{0,8}", name in "[ab/]{0,10}") {
            prop_assert_eq!(Pattern::new("", &pattern).matches(&name), defined(pattern.as_bytes(), name.as_bytes()));
        }
    }
}
