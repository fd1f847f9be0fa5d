//! Replies to whoever writes while a user is away: what they say, and how often the same sender gets one. This is what was set,
//! and nothing that sends: replies are an action of Sieve scripts (RFC 5230), which the server does not run yet.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::text;

/// Longest text of a reply in characters: two pages. The script that it becomes a part of has room for it (32 KiB in Cyrus), and
/// thousands of rows with such texts fit into one batch.
pub const MAX_VACATION_TEXT: usize = 4096;

/// Days that pass until the same sender gets another reply. RFC 5230, 4.1 leaves the bounds to the site; these are Cyrus's
/// longest, and the shortest that can be said in days.
pub const VACATION_DAYS: RangeInclusive<u32> = 1..=90;

/// What passes where nobody has said it (RFC 5230, 4.1).
const USUAL_DAYS: u32 = 7;

/// The subject where nobody has written one.
const USUAL_SUBJECT: &str = "Absence notification";

/// The text where nobody has written one.
const USUAL_TEXT: &str = "This is an automated reply: This person is temporarily out of the office";

/// What is replied while a user is away. All of it stays as it is while it is off.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct Vacation {
    /// Whether the user is away.
    pub on: bool,
    /// The subject; empty: [`effective_subject`](Self::effective_subject) says which.
    pub subject: String,
    /// The text, with line breaks; empty: [`effective_text`](Self::effective_text) says which.
    pub text: String,
    /// Days until the same sender gets another reply; of [`VACATION_DAYS`].
    pub days: u32,
}

impl Default for Vacation {
    /// Of whom nothing was said.
    fn default() -> Vacation {
        Vacation { on: false, subject: String::new(), text: String::new(), days: USUAL_DAYS }
    }
}

impl Vacation {
    /// The subject that replies have.
    #[must_use]
    pub fn effective_subject(&self) -> &str {
        if self.subject.is_empty() { USUAL_SUBJECT } else { &self.subject }
    }

    /// The text that replies have.
    #[must_use]
    pub fn effective_text(&self) -> &str {
        if self.text.is_empty() { USUAL_TEXT } else { &self.text }
    }

    /// As a [`User`](crate::User) has it: nothing where nothing is said.
    #[must_use]
    pub fn kept(self) -> Option<Box<Vacation>> {
        (self != Vacation::default()).then(|| Box::new(self))
    }

    /// What must hold, of what is not as it was.
    ///
    /// # Errors
    /// [`Error::Rule`].
    pub(crate) fn check(&self, old: Option<&Vacation>) -> Result<()> {
        if old.is_none_or(|old| old.subject != self.subject) {
            text::check("vacation.subject", &self.subject)?;
        }
        if old.is_none_or(|old| old.text != self.text) {
            check_text(&self.text)?;
        }
        if !VACATION_DAYS.contains(&self.days) && old.is_none_or(|old| old.days != self.days) {
            return Err(Error::rule("vacation.days", self.days.to_string(), "a number of days from 1 to 90"));
        }
        Ok(())
    }
}

/// A text for people, which becomes the body of a message.
fn check_text(text: &str) -> Result<()> {
    let wrong = |rule: &'static str| Err(Error::rule("vacation.text", text, rule));
    if text.chars().count() > MAX_VACATION_TEXT {
        return wrong("it has at most 4096 characters");
    }
    if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\t')) {
        return wrong("it can have line breaks (LF) and tabs, and no other control characters");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_empty_has_a_usual_text() {
        let mut vacation = Vacation::default();
        let said = (vacation.effective_subject(), vacation.effective_text(), vacation.days);
        let usual = "This is an automated reply: This person is temporarily out of the office";
        assert_eq!(said, ("Absence notification", usual, 7));
        assert_eq!(vacation.clone().kept(), None);
        (vacation.subject, vacation.text) = ("Away".into(), "Until May".into());
        assert_eq!((vacation.effective_subject(), vacation.effective_text()), ("Away", "Until May"));
        assert_eq!(vacation.clone().kept(), Some(Box::new(vacation)), "what is off stays");
        assert_eq!(serde_json::from_str::<Vacation>("{}").unwrap(), Vacation::default());
    }

    #[test]
    fn rules() {
        let check = |subject: &str, text: &str, days: u32, field: Option<&str>| {
            let vacation = Vacation { on: true, subject: subject.into(), text: text.into(), days };
            let checked = vacation.check(None);
            assert_eq!(checked.err().and_then(|error| error.field()).as_deref(), field, "{vacation:?}");
            // What an older version has let pass stays changeable.
            vacation.check(Some(&vacation)).unwrap();
        };
        let longest = "ö".repeat(MAX_VACATION_TEXT);
        check("", "", 7, None);
        check("Grüße", "a\n\tb\n", 1, None);
        check("", &longest, 90, None);
        check("", &(longest + "x"), 7, Some("vacation.text"));
        check("", "a\r\nb", 7, Some("vacation.text"));
        check("", "\0", 7, Some("vacation.text"));
        check("a\nBcc: x@y.example", "", 7, Some("vacation.subject"));
        check(&"x".repeat(257), "", 7, Some("vacation.subject"));
        check("", "", 0, Some("vacation.days"));
        check("", "", 91, Some("vacation.days"));
    }
}
