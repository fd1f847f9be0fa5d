//! Why a command does not parse: what was expected and at which octet.

use std::fmt;

use nom::error::{ErrorKind, ParseError};

use super::Input;
use crate::types::Tag;

/// A command that does not parse. `Display` is the text of the reply: `NO` for [`Problem::BadName`], else `BAD`. It repeats nothing of the input, which may be a
/// password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem} at octet {offset}")]
pub struct SyntaxError {
    /// The command's tag, if it got that far: the reply is tagged with it, or untagged.
    pub tag: Option<Tag>,
    /// Octets of the command before the place in question.
    pub offset: usize,
    /// What is wrong there.
    pub problem: Problem,
}

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Problem {
    /// Something else should stand here.
    Expected(&'static str),
    /// More of something than we take.
    TooMany(&'static str),
    /// Well formed, but not to be had.
    Refused(&'static str),
    /// A string, but no mailbox name: no mailbox is called so, which is NO, not BAD.
    BadName(&'static str),
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Problem::Expected(what) => write!(f, "Expected {what}"),
            Problem::TooMany(what) => write!(f, "Too many {what}"),
            Problem::Refused(why) | Problem::BadName(why) => f.write_str(why),
        }
    }
}

/// [`Problem`] while the place is still known as a rest of the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fault<'a> {
    pub(super) rest: Input<'a>,
    pub(super) problem: Problem,
}

/// What every parser returns.
pub(super) type Parsed<'a, T> = nom::IResult<Input<'a>, T, Fault<'a>>;

impl<'a> Fault<'a> {
    /// Another alternative may still fit.
    pub(super) fn expected(rest: Input<'a>, what: &'static str) -> nom::Err<Self> {
        nom::Err::Error(Fault { rest, problem: Problem::Expected(what) })
    }

    /// No alternative can fit.
    pub(super) fn too_many(rest: Input<'a>, what: &'static str) -> nom::Err<Self> {
        nom::Err::Failure(Fault { rest, problem: Problem::TooMany(what) })
    }

    /// No alternative can fit.
    pub(super) fn refused(rest: Input<'a>, why: &'static str) -> nom::Err<Self> {
        nom::Err::Failure(Fault { rest, problem: Problem::Refused(why) })
    }

    /// No alternative can fit.
    pub(super) fn bad_name(rest: Input<'a>, why: &'static str) -> nom::Err<Self> {
        nom::Err::Failure(Fault { rest, problem: Problem::BadName(why) })
    }

    /// Something is missing at the end of `input`.
    pub(super) fn missing(input: Input<'a>) -> Self {
        Fault { rest: input.get(input.len()..).unwrap_or_default(), problem: Problem::Expected("more") }
    }

    pub(super) fn into_error(self, input: Input<'_>, tag: Option<Tag>) -> SyntaxError {
        SyntaxError { tag, offset: input.len().saturating_sub(self.rest.len()), problem: self.problem }
    }
}

impl<'a> ParseError<Input<'a>> for Fault<'a> {
    /// nom's own parsers name their machinery, not what a client should write: [`expect`] says that.
    fn from_error_kind(rest: Input<'a>, _kind: ErrorKind) -> Self {
        Fault { rest, problem: Problem::Expected("something else") }
    }

    fn append(_rest: Input<'a>, _kind: ErrorKind, other: Self) -> Self {
        other
    }

    /// Of two alternatives, the one that got further knows better what is missing.
    fn or(self, other: Self) -> Self {
        if other.rest.len() < self.rest.len() { other } else { self }
    }
}

/// Runs `parser`; if it fails at its very first octet, says that `what` was expected there.
pub(super) fn expect<'a, T>(
    what: &'static str,
    mut parser: impl nom::Parser<Input<'a>, Output = T, Error = Fault<'a>>,
) -> impl FnMut(Input<'a>) -> Parsed<'a, T> {
    move |input| match parser.parse(input) {
        Err(nom::Err::Error(fault)) if fault.rest.len() == input.len() => Err(Fault::expected(input, what)),
        result => result,
    }
}
