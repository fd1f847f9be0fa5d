//! Makes the changes that were rehearsed. Each is whole, and what they lead to is there before them:
//!
//! | step | a crash after it leaves |
//! |---|---|
//! | the global record, domains | them; the same import again goes on |
//! | addresses that users give to others go, in one change with those who get them | the same |
//! | new users, pending, a thousand at a time | nobody who can log in; mail for them waits; the next start makes their mailboxes |
//! | new aliases, those within others first | the same |
//! | mailboxes; users become active, or disabled, a thousand at a time | some users; the next start makes the others |
//! | rows that were there are changed, a thousand at a time | some changed; the same import again changes the others |
//! | quota roots of these follow | some that don't; the same import again makes them |

use std::collections::{HashMap, HashSet};

use directory::{Address, Credentials, Directory, Error, Revision, Row, Service, User, UserId, UserState};
use mailstore::Store;

use super::exchange::{Exchange, Party};
use super::import::ImportRequest;
use super::plan::{Action, Change, Domain, Plan};
use crate::accounts::{self, AT_ONCE};
use crate::{CommandError, Console, Progress};

/// Makes all changes. Returns who is not welcome any more.
///
/// # Errors
/// [`CommandError::Directory`] with [`Error::Unavailable`]: a machine that fails, or somebody else who was first.
pub(super) fn carry_out(
    store: &Store,
    directory: &dyn Directory,
    plan: Plan,
    request: &ImportRequest,
    console: &mut dyn Console,
) -> Result<Vec<UserId>, CommandError> {
    let service = Service::new(directory, request.actor.clone());
    make(store, &service, plan, console).map_err(|error| {
        let text =
            format!("{}: {error}; some of it is done, and the same import again goes on from there", request.name);
        match error {
            CommandError::Io(_) => error,
            _ => Error::Unavailable(text).into(),
        }
    })
}

fn make<D: Directory + ?Sized>(
    store: &Store,
    service: &Service<'_, D>,
    plan: Plan,
    console: &mut dyn Console,
) -> Result<Vec<UserId>, CommandError> {
    plan.privileges.iter().try_for_each(|privileges| service.set_privileges(privileges).map(drop))?;
    for domain in &plan.domains {
        match domain {
            Domain::Create(name, description) => drop(service.create_domain(name, description)?),
            Domain::Describe(name, text, revision) => drop(service.describe_domain(name, text, Some(*revision))?),
        }
    }
    let exchange = Exchange::of(&plan);
    let mut written = Written { service, coming: &plan.coming, revisions: HashMap::new() };
    let groups = exchange.groups.iter().map(|group| group.iter().map(Party::row).collect()).collect();
    written.sets(groups)?;
    let made = exchange.made();
    let others: Vec<&(User, Credentials)> = plan.users.iter().filter(|(user, _)| !made.contains(&user.uid)).collect();
    let mut progress = Steps { console, done: made.len() as u64, total: plan.users.len() as u64 };
    for some in others.chunks(AT_ONCE) {
        let rows = some.iter().map(|(user, credentials)| Row::NewUser(user.clone(), credentials.clone()));
        written.rows(&rows.collect::<Vec<_>>())?;
        progress.step("accounts", some.len())?;
    }
    for level in &plan.aliases {
        written.sets(exchange.sets_of(level))?;
    }
    progress.done = 0;
    let users: Vec<&User> = plan.users.iter().map(|(user, _)| user).collect();
    for some in users.chunks(AT_ONCE) {
        accounts::finish_users(store, service, some)?;
        progress.step("mailboxes", some.len())?;
    }
    progress = Steps { console: progress.console, done: 0, total: plan.changes.len() as u64 };
    let mut unwelcome = Vec::new();
    for some in plan.changes.chunks(AT_ONCE) {
        written.changes(some)?;
        let mut concerned = Vec::with_capacity(some.len());
        for change in some {
            match &change.action {
                Action::User(user) => {
                    let uid = user.now.uid.clone();
                    unwelcome.extend((user.wanted.state == UserState::Disabled).then(|| uid.clone()));
                    concerned.push(uid);
                }
                Action::Quota(uid) => concerned.push(uid.clone()),
                Action::Credentials(..) | Action::Alias(_) | Action::Postmaster(_) => {}
            }
        }
        accounts::follow_some(store, service, &concerned)?;
        progress.step("changes", some.len())?;
    }
    Ok(unwelcome)
}

/// What was written so far.
struct Written<'a, D: Directory + ?Sized> {
    service: &'a Service<'a, D>,
    /// Addresses that somebody will have when all is done.
    coming: &'a HashSet<Address>,
    /// Of the users whose addresses went before the rest of their rows.
    revisions: HashMap<UserId, Revision>,
}

impl<D: Directory + ?Sized> Written<'_, D> {
    /// Writes rows in one change.
    fn rows(&mut self, rows: &[Row]) -> Result<(), Error> {
        if rows.is_empty() {
            return Ok(());
        }
        let revision = self.service.write_together(rows, self.coming)?;
        for row in rows {
            if let Row::User(user) = row {
                self.revisions.insert(user.uid.clone(), revision);
            }
        }
        Ok(())
    }

    /// Writes sets of rows, each set in one change, and as many sets as are a thousand rows.
    fn sets(&mut self, sets: Vec<Vec<Row>>) -> Result<(), Error> {
        let mut waiting: Vec<Row> = Vec::new();
        for set in sets {
            if waiting.len() + set.len() > AT_ONCE {
                self.rows(&std::mem::take(&mut waiting))?;
            }
            waiting.extend(set);
        }
        self.rows(&waiting)
    }

    /// Writes changes in one change.
    fn changes(&mut self, changes: &[Change]) -> Result<(), Error> {
        let mut rows = Vec::with_capacity(changes.len());
        for change in changes {
            let Some(mut row) = change.action.row(self.service)? else { continue };
            if let Row::User(user) = &mut row
                && let Some(revision) = self.revisions.get(&user.uid)
            {
                user.revision = *revision;
            }
            rows.push(row);
        }
        self.rows(&rows)
    }
}

/// Shows how far it is.
struct Steps<'c> {
    console: &'c mut dyn Console,
    done: u64,
    total: u64,
}

impl Steps<'_> {
    fn step(&mut self, what: &str, steps: usize) -> std::io::Result<()> {
        self.done += steps as u64;
        self.console.progress(&Progress { what: what.to_owned(), done: self.done, total: Some(self.total) })
    }
}
