//! What can go wrong in a directory. What an administrator or a user did wrong names the field, the value and the rule, as
//! data: commands, the REST interface and pages show the same thing.

use std::borrow::Cow;
use std::fmt;

/// The result of a directory operation.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Longest part of a value that an error repeats, in characters: enough to recognise it.
const SHOWN: usize = 120;

/// An error of the directory. The text is for whoever asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The input breaks a rule.
    #[error("{field}{place}: {}{rule}", Quoted(.value))]
    Rule {
        /// The field, as rows, commands and interfaces call it: `uid`, `mail`, `members` ...
        field: &'static str,
        /// Where in it, if it is a list.
        place: Place,
        /// What was given for it, cut if it is long; empty for a password.
        value: String,
        /// The rule, as a sentence without its full stop.
        rule: Cow<'static, str>,
    },
    /// The user ID, address or domain is taken.
    #[error("{field}: {}it is taken by {by}", Quoted(.value))]
    Exists {
        /// The field.
        field: &'static str,
        /// What was given for it.
        value: String,
        /// What has it: `user joe`, `alias staff@example.com`.
        by: String,
    },
    /// No such user.
    #[error("there is no user {0}")]
    NoUser(String),
    /// No such domain.
    #[error("there is no domain {0} on this server; create it first")]
    NoDomain(String),
    /// No such alias.
    #[error("there is no alias {0}")]
    NoAlias(String),
    /// Something that must not be deleted, renamed or disabled.
    #[error("{field}: {}{rule}", Quoted(.value))]
    Protected {
        /// The field, or what kind of thing it is.
        field: &'static str,
        /// What was to be changed.
        value: String,
        /// Why it must not be.
        rule: Cow<'static, str>,
    },
    /// Somebody else has changed the row since it was read.
    #[error("{kind} {name} was changed by somebody else meanwhile: look at it again")]
    Conflict {
        /// The kind of row: `user`, `alias`, `domain`, `privileges`.
        kind: &'static str,
        /// Its name.
        name: String,
    },
    /// Whoever asks may not do that.
    #[error("{action}: {rule}")]
    Denied {
        /// What was asked for.
        action: &'static str,
        /// Who may, or which switch is off.
        rule: Cow<'static, str>,
    },
    /// A row that this version can't read.
    #[error("row {key} of the directory can't be read: {what}")]
    Corrupt {
        /// The row's key.
        key: String,
        /// What is wrong with it.
        what: String,
    },
    /// The directory can't answer now: ask again later, and bounce no mail.
    #[error("the directory is not available: {0}")]
    Unavailable(String),
}

/// A place in a list of objects: `[3].pattern`, counted from 0. By itself it is none, and nothing is said of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Place(Option<(usize, &'static str)>);

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |(index, part)| write!(f, "[{index}]{part}"))
    }
}

impl Error {
    /// `value` breaks `rule`, as the content of `field`.
    #[must_use]
    pub fn rule(field: &'static str, value: impl AsRef<str>, rule: impl Into<Cow<'static, str>>) -> Error {
        Error::Rule { field, place: Place::default(), value: shown(value.as_ref()), rule: rule.into() }
    }

    /// `value` is taken by `by`.
    #[must_use]
    pub fn exists(field: &'static str, value: impl ToString, by: impl Into<String>) -> Error {
        Error::Exists { field, value: shown(&value.to_string()), by: by.into() }
    }

    /// `value` must stay as it is, for the reason that `rule` gives.
    #[must_use]
    pub fn protected(field: &'static str, value: impl ToString, rule: impl Into<Cow<'static, str>>) -> Error {
        Error::Protected { field, value: shown(&value.to_string()), rule: rule.into() }
    }

    /// The same rule for another field: a parser of values does not know what they are for.
    #[must_use]
    pub fn of_field(self, name: &'static str) -> Error {
        match self {
            Error::Rule { place, value, rule, .. } => Error::Rule { field: name, place, value, rule },
            Error::Exists { value, by, .. } => Error::Exists { field: name, value, by },
            other => other,
        }
    }

    /// The same rule for a part of one of the objects that the field is a list of: `in_list(3, ".pattern")`.
    #[must_use]
    pub fn in_list(self, index: usize, part: &'static str) -> Error {
        match self {
            Error::Rule { field, value, rule, .. } => {
                Error::Rule { field, place: Place(Some((index, part))), value, rule }
            }
            other => other,
        }
    }

    /// A word for the kind of error that stays what it is: interfaces map it to their codes.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Error::Rule { .. } => "rule",
            Error::Exists { .. } => "exists",
            Error::NoUser(_) => "no-user",
            Error::NoDomain(_) => "no-domain",
            Error::NoAlias(_) => "no-alias",
            Error::Protected { .. } => "protected",
            Error::Conflict { .. } => "conflict",
            Error::Denied { .. } => "denied",
            Error::Corrupt { .. } => "corrupt",
            Error::Unavailable(_) => "unavailable",
        }
    }

    /// The field that is wrong, where it is one: `mail`, `junk_filter.exceptions[3].pattern`.
    #[must_use]
    pub fn field(&self) -> Option<Cow<'static, str>> {
        let name: &'static str = match self {
            Error::Rule { field, place: place @ Place(Some(_)), .. } => return Some(format!("{field}{place}").into()),
            Error::Rule { field, .. } | Error::Exists { field, .. } | Error::Protected { field, .. } => field,
            Error::NoUser(_) => "uid",
            Error::NoDomain(_) => "domain",
            Error::NoAlias(_) => "alias",
            _ => return None,
        };
        Some(name.into())
    }

    /// The value that is wrong, where there is one.
    #[must_use]
    pub fn value(&self) -> Option<&str> {
        match self {
            Error::Rule { value, .. } | Error::Exists { value, .. } | Error::Protected { value, .. } => Some(value),
            Error::NoUser(name) | Error::NoDomain(name) | Error::NoAlias(name) => Some(name),
            _ => None,
        }
    }
}

/// A value in front of what is wrong with it.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // With escapes: what was given may hold line breaks and the codes of terminals.
        if self.0.is_empty() { Ok(()) } else { write!(f, "{:?}: ", self.0) }
    }
}

fn shown(value: &str) -> String {
    match value.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}...", &value[..end]),
        None => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_field_value_and_rule() {
        let check = |error: Error, expected: &str, code: &str| {
            assert_eq!(error.to_string(), expected);
            assert_eq!(error.code(), code);
        };
        check(Error::rule("title", "a\nb", "no control characters"), r#"title: "a\nb": no control characters"#, "rule");
        check(Error::rule("password", "", "it can't be empty"), "password: it can't be empty", "rule");
        check(Error::exists("mail", "a@b.c", "user joe"), r#"mail: "a@b.c": it is taken by user joe"#, "exists");
        check(Error::NoAlias("x@y".into()), "there is no alias x@y", "no-alias");
        let long = Error::rule("title", "ä".repeat(500), "too long").of_field("surname");
        assert_eq!((long.field().as_deref(), long.value().unwrap().chars().count()), (Some("surname"), SHOWN + 3));
        let placed = Error::rule("list", "x", "no").in_list(3, ".part");
        assert_eq!((placed.field().as_deref(), placed.code()), (Some("list[3].part"), "rule"));
        check(placed.of_field("other"), "other[3].part: \"x\": no", "rule");
    }
}
