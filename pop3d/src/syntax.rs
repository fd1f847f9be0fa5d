//! Lines as words and numbers. Lines were cut and checked by [`wire::framing`]: no CR, LF or NUL is in them.

mod number;

pub(crate) use number::{MessageNumber, lines, message};

/// A command line.
///
/// ```abnf
/// command  = keyword [SP argument] CRLF
/// keyword  = 3*4ALPHA          ; in any case (RFC 1939, 3); UTF8 has a digit
/// argument = *%x01-09 / %x0B-0C / %x0E-FF
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Line<'a> {
    /// What it begins with, as written.
    pub(crate) keyword: &'a str,
    /// All that follows the blank behind it; `None` without a blank.
    pub(crate) argument: Option<&'a str>,
}

impl<'a> Line<'a> {
    /// Takes a line apart; nothing if it is not UTF-8 (RFC 6856, 2: what is not ASCII is).
    pub(crate) fn parse(line: &'a [u8]) -> Option<Line<'a>> {
        let text = std::str::from_utf8(line).ok()?;
        Some(match text.split_once(' ') {
            Some((keyword, argument)) => Line { keyword, argument: Some(argument) },
            None => Line { keyword: text, argument: None },
        })
    }

    /// The argument's words. Blanks at the end, and more than one between words, are passed over: clients written by hand
    /// send them.
    pub(crate) fn words(&self) -> Vec<&'a str> {
        self.argument.map_or_else(Vec::new, |text| text.split(' ').filter(|word| !word.is_empty()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words() {
        let check = |line: &str, keyword: &str, argument: Option<&str>, words: &[&str]| {
            let parsed = Line::parse(line.as_bytes()).unwrap();
            assert_eq!((parsed.keyword, parsed.argument, &parsed.words()[..]), (keyword, argument, words), "{line:?}");
        };
        check("QUIT", "QUIT", None, &[]);
        check("quit ", "quit", Some(""), &[]);
        check("TOP 1 10", "TOP", Some("1 10"), &["1", "10"]);
        check("TOP  1  10 ", "TOP", Some(" 1  10 "), &["1", "10"]);
        check("PASS a b ", "PASS", Some("a b "), &["a", "b"]);
        check("", "", None, &[]);
        check(" STAT", "", Some("STAT"), &["STAT"]);
        check("STAT\t", "STAT\t", None, &[]);
        assert_eq!(Line::parse(b"USER \xff"), None);
    }
}
