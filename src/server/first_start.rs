//! What a new server is given: an administrator who can log in.

use directory::{ADMIN, Actor, Service, UserId, UserState, generate_password};
use tools::user::{AddUser, add_user};
use tools::{Exit, accounts};
use tracing::info;

use crate::failure::Failure;
use crate::services::Services;

/// Makes the user `admin` if there is none, or if a crash left it half-made, and returns the password made up for it.
pub(super) fn ensure_admin(services: &Services) -> Result<Option<String>, Failure> {
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
pub(super) fn end_what_was_begun(services: &Services) -> Result<(), Failure> {
    let service = Service::new(&*services.directory, Actor::server());
    let ended = accounts::resume(&services.store, &service);
    ended.map(drop).map_err(|problem| Failure::new(problem.exit(), format!("cannot look at the directory: {problem}")))
}
