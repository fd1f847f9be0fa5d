//! `apply`: a directory as a file says it should be. The file names domains, users and aliases; what is other in the directory
//! is changed, what is not there is made, and nothing is deleted unless that is asked for.
//!
//! 1. The file is read ([`document`]); everything that is wrong in it is said at once, each with its line.
//! 2. The whole of it is rehearsed ([`rehearsal`]): every change is made, by the rules that hold for everybody, to a copy that
//!    is never written. What a rule refuses is found there, and nothing has changed.
//! 3. The changes are made ([`carry_out`]), each whole. What can stop them now is a machine that fails, or somebody else who
//!    changes the same row; the same file again goes on from there.

mod carry_out;
pub(crate) mod differences;
mod document;
mod node;
mod plan;
pub(crate) mod rehearsal;

use std::io::Read;

use directory::{Actor, Directory, Service, UserId};
use mailstore::Store;

use crate::{CommandError, Console, Exit};

/// Longest file: a million users fit.
const MAX_FILE: u64 = 1 << 30;

/// Most problems that are listed.
const MAX_PROBLEMS: usize = 100;

/// What to do with a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApplyRequest {
    /// What the file is called, in messages.
    pub name: String,
    /// Only say what would be changed.
    pub dry_run: bool,
    /// Delete what the file does not name, of the kinds that it has any of.
    pub prune: bool,
    /// Who asks.
    pub actor: Actor,
}

/// Something wrong, at an octet of the file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Problem {
    at: usize,
    text: String,
}

impl Problem {
    fn new(at: usize, text: impl ToString) -> Self {
        Self { at, text: text.to_string() }
    }
}

/// Makes the directory what the file on standard input says. Returns how it ended ([`Exit::Found`]: a dry run that found
/// something to change), and who is not welcome any more.
///
/// # Errors
/// [`CommandError`]; what is wrong with the file is listed on the console and is [`CommandError::Usage`] then.
pub fn apply(
    store: &Store,
    directory: &dyn Directory,
    request: &ApplyRequest,
    console: &mut dyn Console,
) -> Result<(Exit, Vec<UserId>), CommandError> {
    let text = read(console)?;
    let document = document::read(&text).or_else(|problems| refuse(&text, request, problems, console))?;
    let planned = plan::plan(directory, &document, request)?;
    let steps = planned.or_else(|problems| refuse(&text, request, problems, console))?;
    if request.dry_run {
        steps.iter().try_for_each(|step| console.out(&step.line))?;
        let exit = if steps.is_empty() { Exit::Ok } else { Exit::Found };
        return Ok((exit, Vec::new()));
    }
    let service = Service::new(directory, request.actor.clone());
    let mut unwelcome = Vec::new();
    for step in steps {
        step.carry_out(store, &service).map_err(|error| stopped(&text, request, step.at, &error))?;
        unwelcome.extend(step.unwelcome());
        console.out(&step.line)?;
    }
    Ok((Exit::Ok, unwelcome))
}

fn read(console: &mut dyn Console) -> Result<String, CommandError> {
    let mut octets = Vec::new();
    console.stdin().take(MAX_FILE + 1).read_to_end(&mut octets)?;
    if octets.len() as u64 > MAX_FILE {
        return Err(CommandError::Usage("the file is longer than 1 GiB".to_owned()));
    }
    String::from_utf8(octets).map_err(|_| CommandError::Usage("the file is not UTF-8".to_owned()))
}

/// Lists what is wrong.
fn refuse<T>(
    text: &str,
    request: &ApplyRequest,
    mut problems: Vec<Problem>,
    console: &mut dyn Console,
) -> Result<T, CommandError> {
    problems.sort();
    problems.dedup();
    let count = problems.len();
    for problem in problems.iter().take(MAX_PROBLEMS) {
        console.err(&format!("{}:{}: {}", request.name, line_of(text, problem.at), problem.text))?;
    }
    Err(CommandError::Usage(format!("{}: {count} problems; nothing was changed", request.name)))
}

/// What is said when a change fails that was rehearsed.
fn stopped(text: &str, request: &ApplyRequest, at: usize, error: &CommandError) -> CommandError {
    let place = format!("{}:{}", request.name, line_of(text, at));
    let text = format!("{place}: {error}; what is listed above is done, and the same file again goes on from there");
    match error {
        CommandError::Directory(directory::Error::Rule { .. } | directory::Error::Exists { .. }) => {
            CommandError::Usage(text)
        }
        _ => CommandError::Directory(directory::Error::Unavailable(text)),
    }
}

fn line_of(text: &str, at: usize) -> usize {
    1 + text.as_bytes()[..at.min(text.len())].iter().filter(|octet| **octet == b'\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_from_one() {
        for (at, line) in [(0, 1), (1, 1), (2, 2), (99, 3)] {
            assert_eq!(line_of("a\nb\nc", at), line, "{at}");
        }
    }
}
