//! Lists that are read page by page, and what is looked for in them.

use crate::domain::DomainName;
use crate::error::Result;

/// Most rows of a page: a page fits into memory many times over, whoever asks.
pub const MAX_PAGE: usize = 1000;

/// Rows of a page if nobody says otherwise.
pub const DEFAULT_PAGE: usize = 100;

/// Most words of a search that count: more would only cost.
const MAX_WORDS: usize = 8;

/// Which part of a list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Page {
    /// Begin behind the row with this cursor, [`Listing::next`] of the page before; `None`: at the beginning. A cursor is a
    /// sort key and not a number: what was added or deleted meanwhile moves nothing.
    pub after: Option<String>,
    /// Most rows; at most [`MAX_PAGE`].
    pub limit: usize,
}

impl Default for Page {
    fn default() -> Page {
        Page { after: None, limit: DEFAULT_PAGE }
    }
}

impl Page {
    /// The first so many rows.
    #[must_use]
    pub fn first(limit: usize) -> Page {
        Page { after: None, limit }
    }

    /// The same number of rows, from a cursor on.
    #[must_use]
    pub fn next(&self, cursor: String) -> Page {
        Page { after: Some(cursor), limit: self.limit }
    }

    /// [`Page::limit`] within its bounds.
    #[must_use]
    pub fn size(&self) -> usize {
        self.limit.clamp(1, MAX_PAGE)
    }
}

/// A page of rows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Listing<T> {
    /// The rows.
    pub rows: Vec<T>,
    /// The cursor of the next page; `None`: this was the last.
    pub next: Option<String>,
}

impl<T> Listing<T> {
    /// A page with nothing on it.
    #[must_use]
    pub fn empty() -> Listing<T> {
        Listing { rows: Vec::new(), next: None }
    }
}

/// All rows, page by page.
///
/// # Errors
/// Those of `page_of`.
pub fn every<T>(mut page_of: impl FnMut(&Page) -> Result<Listing<T>>) -> Result<Vec<T>> {
    let (mut rows, mut page) = (Vec::new(), Page::first(MAX_PAGE));
    loop {
        let listing = page_of(&page)?;
        rows.extend(listing.rows);
        let Some(next) = listing.next else { return Ok(rows) };
        page = page.next(next);
    }
}

/// What users are sorted by.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum UserOrder {
    /// User ID; the cursor is one.
    #[default]
    UserId,
    /// Mail address, domain by domain; the cursor is one.
    Mail,
}

/// Which users.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct UserQuery {
    /// Of this domain only.
    pub domain: Option<DomainName>,
    /// Who match these words: user ID, first, last or display name.
    pub words: Words,
    /// Addresses may match too.
    pub in_addresses: bool,
    /// In which order.
    pub order: UserOrder,
}

/// Which aliases. They are sorted by address, domain by domain; the cursor is an address.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct AliasQuery {
    /// Of this domain only.
    pub domain: Option<DomainName>,
    /// That match these words: the name or the description.
    pub words: Words,
}

/// The words of a search. Each must be part of some field, whatever the case of letters; no character has a meaning of its own.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Words(Vec<String>);

impl Words {
    /// Splits what somebody typed.
    #[must_use]
    pub fn parse(text: &str) -> Words {
        let mut words: Vec<String> = text.split_whitespace().take(MAX_WORDS).map(fold).collect();
        // The longest is the rarest, mostly: it is looked for first.
        words.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        words.dedup();
        Words(words)
    }

    /// Whether everything matches.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The words, as [`fold`] leaves them, the longest first.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Whether all words are part of a text that was folded.
    #[must_use]
    pub fn match_folded(&self, text: &str) -> bool {
        self.0.iter().all(|word| text.contains(word.as_str()))
    }
}

/// A text as searches compare it: lower case, no control characters (they separate the fields of what is searched).
#[must_use]
pub(crate) fn fold(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_a_search() {
        let check = |typed: &str, text: &str, expected: bool| {
            assert_eq!(Words::parse(typed).match_folded(&fold(text)), expected, "{typed:?} {text:?}");
        };
        check("", "anything", true);
        check(" SMI  jo ", "Joe Smith", true);
        check("smi jx", "Joe Smith", false);
        check("ÖRG", "Jörg", true);
        check("j*", "joe", false);
        check(".*", "joe", false);
        assert_eq!(Words::parse("b aa b").iter().collect::<Vec<_>>(), ["aa", "b"]);
        assert_eq!(Words::parse(&"x y ".repeat(100)).iter().count(), 2);
        assert_eq!((Page::first(0).size(), Page::first(usize::MAX).size()), (1, MAX_PAGE));
    }
}
