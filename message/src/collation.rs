//! Comparing text without regard to case, after i;unicode-casemap (RFC 5051).
//!
//! RFC 5051 maps every character to title case and then decomposes it by compatibility. This does the same with upper
//! case, and maps once more after decomposing, so that `\u{24d0}` (circled a) and `A` are the same too. Characters whose
//! upper case is several characters keep their case, as in the RFC, which only knows simple mappings.

use std::borrow::Cow;

use memchr::memmem::Finder;
use unicode_normalization::UnicodeNormalization;

/// The form in which texts are compared.
#[must_use]
pub fn normalise(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        if text.bytes().any(|byte| byte.is_ascii_lowercase()) {
            return Cow::Owned(text.to_ascii_uppercase());
        }
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().map(upper).nfkd().map(upper).collect())
}

/// A text to search for, normalised once.
#[derive(Debug, Clone)]
pub struct Needle {
    finder: Finder<'static>,
    is_ascii: bool,
}

impl Needle {
    /// Prepares the search for `text`.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let normalised = normalise(text).into_owned();
        Self { is_ascii: normalised.is_ascii(), finder: Finder::new(normalised.as_bytes()).into_owned() }
    }

    /// Whether `text` holds it.
    #[must_use]
    pub fn is_in(&self, text: &str) -> bool {
        // Decomposing makes ASCII of other characters but not the reverse.
        if !self.is_ascii && text.is_ascii() {
            return false;
        }
        self.is_in_normalised(&normalise(text))
    }

    /// Whether a text that is normalised already holds it.
    #[must_use]
    pub fn is_in_normalised(&self, text: &str) -> bool {
        self.find_in_normalised(text.as_bytes()).is_some()
    }

    /// Where texts that are normalised already hold it first. The texts may be several, with octets between them that no
    /// UTF-8 holds.
    #[must_use]
    pub fn find_in_normalised(&self, texts: &[u8]) -> Option<usize> {
        self.finder.find(texts)
    }

    /// Whether every text holds it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.finder.needle().is_empty()
    }
}

/// The simple upper case of a character.
fn upper(character: char) -> char {
    let mut mapped = character.to_uppercase();
    match (mapped.next(), mapped.next()) {
        (Some(single), None) => single,
        _ => character,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compares() {
        for (needle, text, found) in [
            ("abc", "xABCx", true),
            ("ABC", "xabcx", true),
            ("", "x", true),
            ("abc", "ab", false),
            ("\u{e4}", "A\u{308}", true),
            ("stra\u{df}e", "STRA\u{df}E", true),
            ("\u{3c3}", "\u{3a3}", true),
            ("\u{3c2}", "\u{3c3}", true),
            ("\u{1c6}", "\u{1c5}", true),
            ("a", "\u{24d0}", true),
            ("fi", "\u{fb01}", true),
            ("A", "\u{aa}", true),
            ("\u{e4}", "plain", false),
            ("\u{436}", "\u{416}", true),
        ] {
            assert_eq!(Needle::new(needle).is_in(text), found, "{needle:?} in {text:?}");
            assert_eq!(Needle::new(needle).is_in_normalised(&normalise(text)), found, "{needle:?} in {text:?}");
        }
    }

    #[test]
    fn normalising_twice_changes_nothing() {
        for text in ["abc", "\u{c4}\u{df}\u{fb01}\u{24d0}\u{1c5}\u{345}", "\u{ac00}"] {
            let once = normalise(text);
            assert_eq!(normalise(&once), once);
        }
    }
}
