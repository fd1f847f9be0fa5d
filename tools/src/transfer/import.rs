//! Reads rows, rehearses them, and makes them so.

use std::collections::HashSet;

use directory::{Actor, Directory, UserId};
use mailstore::Store;
use serde_json::json;

use super::lines::Lines;
use super::plan::{Plan, rehearse};
use super::problem::Problem;
use super::{Format, carry_out, entries, json};
use crate::{CommandError, Console, Exit, console};

/// How often wrong rows are left out and the rest is rehearsed again, each time without those that lead to what was left out.
const ROUNDS: usize = 20;

/// What to do with a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportRequest {
    /// What the file is called, in messages.
    pub name: String,
    /// How the file is written; by default what it begins like.
    pub format: Option<Format>,
    /// Only say what would be changed.
    pub dry_run: bool,
    /// Rows that are there and differ become what the file says.
    pub replace: bool,
    /// Wrong rows are left out, and the others are taken.
    pub keep_going: bool,
    /// The server's own domain stays what it is; that of the file is a domain like others.
    pub keep_primary: bool,
    /// Results as JSON.
    pub json: bool,
    /// Who asks.
    pub actor: Actor,
}

/// Makes the directory what the rows on standard input say. Returns how it ended, and who is not welcome any more.
///
/// # Errors
/// [`CommandError`]; what is wrong with rows is listed on the console, and ends with [`Exit::Data`].
pub fn import(
    store: &Store,
    directory: &dyn Directory,
    request: &ImportRequest,
    console: &mut dyn Console,
) -> Result<(Exit, Vec<UserId>), CommandError> {
    let import = Import::rehearsed(store, directory, request, console)?;
    list(&import.problems, request, console)?;
    if import.is_refused(request) {
        if !request.json {
            console.err(&format!("{}: {} problems; nothing was changed", request.name, import.problems.len()))?;
        }
        return Ok((Exit::Data, Vec::new()));
    }
    let (summary, is_right) = (import.summary(), import.problems.is_empty());
    let mut unwelcome = Vec::new();
    if request.dry_run {
        let mut lines = console::Lines::new(console);
        if !request.json {
            import.plan.lines().try_for_each(|line| lines.line(|text| text.push_str(&line)))?;
        }
        lines.flush()?;
    } else {
        unwelcome = import.carry_out(store, directory, request, console)?;
    }
    if request.json {
        let Summary { made: [domains, users, aliases], changed, equal, wrong } = summary;
        let said = json!({
            "made": {"domains": domains, "users": users, "aliases": aliases}, "changed": changed, "equal": equal,
            "wrong": wrong, "dry_run": request.dry_run,
        });
        console.out(&said.to_string())?;
    } else {
        console.out(&summary.say(request.dry_run))?;
    }
    let exit = match (is_right, request.dry_run && summary.is_work()) {
        (false, _) => Exit::Data,
        (true, true) => Exit::Found,
        (true, false) => Exit::Ok,
    };
    Ok((exit, unwelcome))
}

/// An import that was rehearsed: nothing is changed yet.
pub struct Import {
    /// What is wrong, by lines.
    pub problems: Vec<Problem>,
    /// Rows that are left out.
    wrong: usize,
    plan: Plan,
}

impl Import {
    /// Reads the rows on standard input and tries all of them, or with `keep_going` those that can be had.
    ///
    /// # Errors
    /// [`CommandError`], when they can't be read, or the directory can't answer.
    pub fn rehearsed(
        store: &Store,
        directory: &dyn Directory,
        request: &ImportRequest,
        console: &mut dyn Console,
    ) -> Result<Import, CommandError> {
        let format = request.format.map_or_else(|| Format::of_content(console.stdin()), Ok)?;
        let lines = &mut Lines::new(console.stdin());
        let (rows, mut problems) = match format {
            Format::Json => json::read(lines),
            Format::Ldif => entries::read(lines),
        }?;
        let mut wrong: HashSet<usize> = HashSet::new();
        let mut plan = Plan::default();
        for round in 1.. {
            wrong.extend(problems.iter().map(|problem| problem.line));
            let (planned, found) = rehearse(store, directory, &rows, &wrong, request, console)?;
            let is_done = found.is_empty() || !request.keep_going;
            problems.extend(found);
            plan = planned;
            if is_done {
                break;
            }
            if round == ROUNDS {
                let text = "too many rows lead to rows that are wrong: mend some first";
                return Err(CommandError::Usage(text.to_owned()));
            }
        }
        problems.sort();
        problems.dedup();
        Ok(Import { problems, wrong: wrong.len(), plan })
    }

    /// Whether nothing can be changed: something is wrong, and the rest is not to be taken.
    #[must_use]
    pub fn is_refused(&self, request: &ImportRequest) -> bool {
        !self.problems.is_empty() && !request.keep_going
    }

    /// How much there is to do.
    #[must_use]
    pub fn summary(&self) -> Summary {
        Summary { wrong: self.wrong, ..self.plan.summary() }
    }

    /// Does it. Returns who is not welcome any more.
    ///
    /// # Errors
    /// [`CommandError`]; the same import again goes on from there.
    pub fn carry_out(
        self,
        store: &Store,
        directory: &dyn Directory,
        request: &ImportRequest,
        console: &mut dyn Console,
    ) -> Result<Vec<UserId>, CommandError> {
        carry_out::carry_out(store, directory, self.plan, request, console)
    }
}

/// How much there is of what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    /// Domains, users and aliases that are not there yet.
    pub made: [usize; 3],
    /// Rows that are there and other.
    pub changed: usize,
    /// Rows that are as they should be.
    pub equal: usize,
    /// Rows that are left out.
    pub wrong: usize,
}

impl Summary {
    fn is_work(self) -> bool {
        self.changed > 0 || self.made != [0; 3]
    }

    fn say(self, dry_run: bool) -> String {
        let Self { made: [domains, users, aliases], changed, equal, .. } = self;
        let would = if dry_run { "would be " } else { "" };
        format!(
            "{domains} domains, {users} users and {aliases} aliases {would}made, {changed} rows {would}changed; {equal} \
             are as they should be"
        )
    }
}

/// Says what is wrong, all of it.
fn list(problems: &[Problem], request: &ImportRequest, console: &mut dyn Console) -> Result<(), CommandError> {
    for problem in problems {
        if request.json {
            console.out(&serde_json::to_string(problem).map_err(std::io::Error::other)?)?;
        } else {
            console.err(&format!("{}:{}: {}", request.name, problem.line, problem.text))?;
        }
    }
    Ok(())
}
