//! What is wrong with a row: where, in which field, with which value, by which rule.

use std::collections::HashMap;

use directory::Error;
use serde::Serialize;

/// Something wrong in a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Problem {
    /// Its line, from 1.
    pub line: usize,
    /// The field that is wrong; empty for the whole row.
    pub field: String,
    /// What was given; empty for whatever may be a secret.
    pub value: String,
    /// The rule that it breaks.
    pub rule: String,
    /// All of it but the line, for people.
    #[serde(skip)]
    pub text: String,
}

impl Problem {
    /// A rule of the file itself.
    pub(super) fn new(line: usize, field: &str, rule: impl ToString) -> Self {
        let rule = rule.to_string();
        let text = if field.is_empty() { rule.clone() } else { format!("{field}: {rule}") };
        Self { line, field: field.to_owned(), value: String::new(), rule, text }
    }

    /// A rule of the directory.
    pub(super) fn of(line: usize, error: &Error) -> Self {
        let text = error.to_string();
        let rule = match error {
            Error::Rule { rule, .. } | Error::Protected { rule, .. } => rule.to_string(),
            Error::Exists { by, .. } => format!("it is taken by {by}"),
            _ => text.clone(),
        };
        let (field, value) = (error.field().unwrap_or_default(), error.value().unwrap_or_default());
        Self { line, field: field.into_owned(), value: value.to_owned(), rule, text }
    }
}

/// What was named so far, and in which line.
#[derive(Default)]
pub(super) struct Seen(HashMap<String, usize>);

impl Seen {
    /// Notes a row; one that is there twice is a problem.
    pub(super) fn note(&mut self, line: usize, name: String, problems: &mut Vec<Problem>) {
        if let Some(first) = self.0.get(&name) {
            let rule = format!("{name} is there twice: line {first} has it, too");
            problems.push(Problem::new(line, "", rule));
        } else {
            self.0.insert(name, line);
        }
    }
}

/// Whether an error is about a row, and not about a directory that can't answer.
pub(super) fn is_of_a_row(error: &Error) -> bool {
    !matches!(error, Error::Unavailable(_) | Error::Corrupt { .. })
}
