//! What a new server is given: an administrator who can log in. And what a server that died is owed: the end of what it had
//! begun. Both need the directory; where an LDAP server keeps it and is away, they come later.

use std::sync::Arc;
use std::time::Duration;

use directory::{ADMIN, Actor, Service, UserId, UserState, generate_password};
use tools::user::{AddUser, add_user};
use tools::{Exit, accounts};
use tracing::{error, info, warn};

use super::announce;
use crate::failure::Failure;
use crate::services::Services;

/// How long until a directory that did not answer is asked again. What asks others too goes on by itself (`ldap::Gate`); this
/// is for a night without mail.
const AGAIN: Duration = Duration::from_secs(1);

/// How far a start has come with the directory.
pub(super) enum Begun {
    /// All is there; with the password of an administrator who was just made.
    Done(Option<String>),
    /// The LDAP server does not answer: clients are told to come again.
    Waiting,
}

/// Makes the administrator if there is none, and ends what was begun.
///
/// # Errors
/// What keeps the server from starting.
pub(super) fn begin(services: &Services) -> Result<Begun, Failure> {
    match make_and_end(services) {
        Ok(password) => Ok(Begun::Done(password)),
        Err(problem) if services.ldap.is_some() && problem.exit == Exit::TempFail => {
            warn!(event = "server.directory.waiting", reason = %problem, "logins and mail are put off until it answers");
            Ok(Begun::Waiting)
        }
        Err(problem) => Err(problem),
    }
}

/// The same, for a directory that did not answer at the start.
pub(super) async fn begin_when_it_answers(services: Arc<Services>, domain: String) {
    loop {
        tokio::time::sleep(AGAIN).await;
        let tried = Arc::clone(&services);
        let Ok(done) = tokio::task::spawn_blocking(move || make_and_end(&tried)).await else { return };
        match done {
            Ok(password) => {
                if let Some(password) = password {
                    // A terminal that is gone takes nothing along: `user passwd` makes another.
                    let _ = announce::first_start(&domain, &password);
                }
                info!(event = "server.directory.ready");
                return;
            }
            Err(problem) if problem.exit == Exit::TempFail => {}
            Err(problem) => {
                error!(event = "server.directory.failed", reason = %problem, "a restart tries again");
                return;
            }
        }
    }
}

fn make_and_end(services: &Services) -> Result<Option<String>, Failure> {
    let password = ensure_admin(services)?;
    end_what_was_begun(services)?;
    Ok(password)
}

/// Makes the user `admin` if there is none, or if a crash left it half-made, and returns the password made up for it.
fn ensure_admin(services: &Services) -> Result<Option<String>, Failure> {
    let unable = |problem: &dyn std::fmt::Display| {
        Failure::new(Exit::TempFail, format!("cannot make the user {ADMIN}: {problem}"))
    };
    let admin = UserId::admin();
    let found = services.directory.user(&admin).map_err(|problem| unable(&problem))?;
    if found.is_some_and(|user| user.state != UserState::Pending) {
        return Ok(None);
    }
    let password = generate_password().map_err(|problem| unable(&problem))?;
    let service = Service::new(&*services.directory, Actor::server());
    add_user(&services.store, &service, &AddUser::new(ADMIN), &password).map_err(|problem| unable(&problem))?;
    info!(event = "admin.created", user = ADMIN);
    Ok(Some(String::from_utf8_lossy(password.expose()).into_owned()))
}

/// Ends what a stop in the middle has left of users and domains who were being made or deleted.
fn end_what_was_begun(services: &Services) -> Result<(), Failure> {
    let service = Service::new(&*services.directory, Actor::server());
    let ended = accounts::resume(&services.store, &service);
    ended.map(drop).map_err(|problem| Failure::new(problem.exit(), format!("cannot look at the directory: {problem}")))
}
