//! Free text in rows: names, titles, telephone numbers, descriptions.

use crate::error::{Error, Result};

/// Longest free text in characters: more than any name, and a row stays short.
pub const MAX_TEXT: usize = 256;

/// What must hold for a text: at most [`MAX_TEXT`] characters, none of them a control character (they would break lines of
/// logs and exports).
///
/// # Errors
/// [`Error::Rule`].
pub(crate) fn check(field: &'static str, text: &str) -> Result<()> {
    if text.chars().count() > MAX_TEXT {
        return Err(Error::rule(field, text, "it has at most 256 characters"));
    }
    if text.chars().any(|c| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')) {
        return Err(Error::rule(field, text, "it can't have control characters or line breaks"));
    }
    Ok(())
}

/// The same for a text that must be there.
///
/// # Errors
/// [`Error::Rule`].
pub(crate) fn check_required(field: &'static str, text: &str) -> Result<()> {
    if text.trim().is_empty() {
        return Err(Error::rule(field, text, "it must be given"));
    }
    check(field, text)
}
