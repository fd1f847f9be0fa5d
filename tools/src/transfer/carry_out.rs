//! Makes the changes that were rehearsed. Each is whole, and what they lead to is there before them:
//!
//! | step | a crash after it leaves |
//! |---|---|
//! | the global record, domains | them; the same import again goes on |
//! | new users, pending, a thousand at a time | nobody who can log in; mail for them waits; the next start makes their mailboxes |
//! | new aliases, those within others first | the same |
//! | mailboxes; users become active, or disabled, a thousand at a time | some users; the next start makes the others |
//! | rows that were there are changed, one by one | some changed; the same import again changes the others |

use directory::{Directory, Error, Service, User, UserId, UserState};
use mailstore::Store;

use super::import::ImportRequest;
use super::plan::{Action, Domain, Plan};
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
    let Plan { privileges, domains, users, coming, aliases, changes, .. } = plan;
    privileges.iter().try_for_each(|privileges| service.set_privileges(privileges).map(drop))?;
    for domain in domains {
        match domain {
            Domain::Create(name, description) => drop(service.create_domain(&name, &description)?),
            Domain::Describe(name, text, revision) => drop(service.describe_domain(&name, &text, Some(revision))?),
        }
    }
    let mut progress = Steps { console, done: 0, total: users.len() as u64 };
    for some in users.chunks(AT_ONCE) {
        service.create_users_among(some, &coming)?;
        progress.step("accounts", some.len())?;
    }
    for some in aliases.iter().flat_map(|level| level.chunks(AT_ONCE)) {
        service.create_aliases(some)?;
    }
    progress.done = 0;
    let users: Vec<&User> = users.iter().map(|(user, _)| user).collect();
    for some in users.chunks(AT_ONCE) {
        accounts::finish_users(store, service, some)?;
        progress.step("mailboxes", some.len())?;
    }
    progress = Steps { console: progress.console, done: 0, total: changes.len() as u64 };
    let mut unwelcome = Vec::new();
    for change in changes {
        match change.action {
            Action::User(user) => {
                let now = accounts::update_user(store, service, &user)?;
                unwelcome.extend((now.state == UserState::Disabled).then_some(now.uid));
            }
            Action::Quota(uid) => accounts::follow_row(store, service, &uid)?,
            action => action.rehearse(service)?,
        }
        progress.step("changes", 1)?;
    }
    Ok(unwelcome)
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
