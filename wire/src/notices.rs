//! What administrators tell everybody: the message of the day, and the words with which users are kept out.
//!
//! Both are one line of ASCII. Where they are said nobody has agreed on more yet: IMAP's `ENABLE` comes after the login, and
//! neither POP3 nor LMTP have UTF-8 in replies to clients that did not ask for it (RFC 6856, 2.1; RFC 6531, 3.5).

use std::sync::Arc;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Characters of a notice, of an octet each: with `-ERR [SYS/TEMP] ` before it the line stays below the 512 octets that a POP3 or LMTP reply
/// may have (RFC 2449, 4; RFC 5321, 4.5.3.1.5).
pub const LONGEST: usize = 400;

/// A line of text that any of the protocols can carry: printable ASCII, never empty, at most [`LONGEST`] octets, and not
/// beginning with `[`, which would look like a response code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice(Arc<str>);

impl Notice {
    /// The first line of `text` that has any text. Letters outside of ASCII lose their accents, other characters become
    /// `?`; what is too long is cut. `None` where nothing is left.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        text.lines().map(|text| line(text, LONGEST)).find(|line| !line.is_empty()).map(|line| Self(line.into()))
    }

    /// What an administrator has typed, if clients can be told all of it.
    ///
    /// # Errors
    /// What they could not be told.
    pub fn whole(text: &str) -> Result<Self, NoticeError> {
        if text.chars().any(char::is_control) {
            return Err(NoticeError::Lines);
        }
        match line(text, usize::MAX) {
            line if line.is_empty() => Err(NoticeError::Empty),
            line if line.len() > LONGEST => Err(NoticeError::Long),
            line => Ok(Self(line.into())),
        }
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0
    }
}

/// Why a text is no notice as it stands. What goes before it is what the text is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoticeError {
    /// It has control characters in it.
    #[error("must be one line of text")]
    Lines,
    /// There is nothing in it.
    #[error("is empty")]
    Empty,
    /// It has more than [`LONGEST`] characters.
    #[error("is longer than {LONGEST} characters")]
    Long,
}

/// What is in force now.
#[derive(Debug, Default)]
pub(crate) struct Notices {
    /// Told to everybody who logs in.
    pub(crate) motd: Option<Notice>,
    /// Told to everybody who is no administrator, instead of being let in.
    pub(crate) lockout: Option<Notice>,
}

/// A line without what a protocol could take for something else, cut after `most` octets.
fn line(text: &str, most: usize) -> String {
    let mut line = String::new();
    for c in text.nfkd().filter(|c| !is_combining_mark(*c)) {
        match ascii(c) {
            " " if line.is_empty() || line.ends_with(' ') => {}
            "" => line.push(c),
            other => line.push_str(other),
        }
        if line.len() >= most {
            break;
        }
    }
    line.truncate(most);
    line.trim_start_matches(['[', ' ']).trim_end().to_owned()
}

/// How a character is written in ASCII; empty for one that needs no change.
fn ascii(c: char) -> &'static str {
    match c {
        '!'..='~' => "",
        c if c.is_whitespace() || c.is_control() => " ",
        'ß' => "ss",
        'Æ' => "AE",
        'æ' => "ae",
        'Œ' => "OE",
        'œ' => "oe",
        'Ø' => "O",
        'ø' => "o",
        'Ł' => "L",
        'ł' => "l",
        '‘' | '’' | '‚' => "'",
        '“' | '”' | '„' | '«' | '»' => "\"",
        '‐' | '‑' | '–' | '—' => "-",
        '€' => "EUR",
        _ => "?",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_text_becomes_a_line_of_ascii() {
        let check = |text: &str, expected: Option<&str>| {
            let notice = Notice::new(text);
            assert_eq!(notice.as_ref().map(Notice::text), expected, "{text:?}");
        };
        check("Back at noon", Some("Back at noon"));
        check("\n \t\r\n  first \r\nsecond\n", Some("first"));
        check("", None);
        check("\r\n\0\u{1b}", None);
        check("a\0b\u{1b}[2Jc\rd", Some("a b [2Jc d"));
        check("[ALERT] x", Some("ALERT] x"));
        check("[[ [", None);
        check("Für „alle“ – außer Ægir…", Some("Fur \"alle\" - ausser AEgir..."));
        check("メンテ 12:00", Some("??? 12:00"));
        check("\u{202e}abc", Some("?abc"));
        check("* BYE\r\na OK x", Some("* BYE"));
    }

    #[test]
    fn no_text_is_too_long() {
        for text in ["x".repeat(10_000), "ß".repeat(10_000), "€".repeat(10_000), format!("{}  y", "x".repeat(399))] {
            let notice = Notice::new(&text).expect("there is text");
            assert!((LONGEST - 1..=LONGEST).contains(&notice.text().len()), "{}", notice.text().len());
        }
    }

    #[test]
    fn what_is_typed_is_told_whole_or_not_at_all() {
        let check = |text: &str, expected: Result<&str, NoticeError>| {
            assert_eq!(Notice::whole(text).as_ref().map(Notice::text), expected.as_ref().map(|text| *text), "{text:?}");
        };
        let (fits, sharp) = ("x".repeat(LONGEST), "s".repeat(LONGEST));
        check("Back at noon", Ok("Back at noon"));
        check("Größe", Ok("Grosse"));
        for lines in ["two\nlines", "a\r\n* BYE", "a\u{85}b", "x\n"] {
            check(lines, Err(NoticeError::Lines));
        }
        check("", Err(NoticeError::Empty));
        check("  ", Err(NoticeError::Empty));
        check("[[", Err(NoticeError::Empty));
        check(&fits, Ok(&fits));
        check(&format!(" [{fits}  "), Ok(&fits));
        check(&format!("[{fits}x"), Err(NoticeError::Long));
        check(&format!("{fits} x"), Err(NoticeError::Long));
        check(&format!("{fits}  "), Ok(&fits));
        check(&format!("{fits}y"), Err(NoticeError::Long));
        check(&"ß".repeat(LONGEST / 2), Ok(&sharp));
        check(&"ß".repeat(LONGEST / 2 + 1), Err(NoticeError::Long));
        check(&format!("{}€", &fits[2..]), Err(NoticeError::Long));
        check(&format!("{}€", &fits[3..]), Ok(&format!("{}EUR", &fits[3..])));
        check(&"x".repeat(100_000), Err(NoticeError::Long));
    }
}
