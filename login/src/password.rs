//! A user name and a password.

use std::sync::{Arc, LazyLock};

use directory::{Account, Directory, Secret, UserId};
use tokio::sync::Semaphore;
use wire::Connection;

use crate::name::LoginName;
use crate::{Entered, Failure};

/// Passwords that are checked at a time, each on a thread of its own that it keeps busy: as many as there are processors, and
/// a few that wait for something else. The threads that wait for the disk are not to be taken by guesses.
static PLACES: LazyLock<Semaphore> = LazyLock::new(|| {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    Semaphore::new(processors + 2)
});

/// Checks `user`'s password; with `act_as`, an administrator's for somebody else's mail (RFC 4616, 2). With `details`, a
/// name may end in `+folder`.
///
/// Mail clients log in again and again: who was right a moment ago costs no hash, and no other thread.
///
/// # Errors
/// [`Failure::Refused`], [`Failure::Blocked`], [`Failure::Directory`], [`Failure::Task`].
pub async fn password(
    connection: &Connection,
    directory: &Arc<dyn Directory>,
    user: &str,
    password: Secret,
    act_as: Option<&str>,
    details: bool,
) -> Result<Entered, Failure> {
    if connection.is_blocked() {
        return Err(Failure::Blocked);
    }
    let name = LoginName::parse(user, details);
    let guess = wire::attempts::guess(&(name.user, password.expose()));
    let recognised = directory.recognise(name.user, &password);
    let found = match recognised {
        Some(account) => Some(account),
        None => {
            let (directory, user) = (Arc::clone(directory), name.user.to_owned());
            // Waiting here costs no thread. It fails only when it is closed, which nobody does.
            let _place = PLACES.acquire().await;
            tokio::task::spawn_blocking(move || directory.authenticate(&user, &password)).await??
        }
    };
    let account = found.ok_or_else(|| Failure::wrong(user, guess))?;
    act(directory, account, name, act_as, details)
        .await
        .and_then(|entered| entered.ok_or_else(|| Failure::refused(user)))
}

/// What somebody who has proved to be `account` is let into: the own mail, or for an administrator that of `act_as`;
/// nothing if it may not be.
pub(crate) async fn act(
    directory: &Arc<dyn Directory>,
    account: Account,
    name: LoginName<'_>,
    act_as: Option<&str>,
    details: bool,
) -> Result<Option<Entered>, Failure> {
    let own = |account, detail: Option<&str>| Entered { account, proxy: None, detail: detail.map(str::to_owned) };
    let Some(other) = act_as.map(|other| LoginName::parse(other, details)) else {
        return Ok(Some(own(account, name.detail)));
    };
    let detail = other.detail.or(name.detail);
    let Ok(wanted) = UserId::parse(other.user) else { return Ok(None) };
    if wanted == account.user {
        return Ok(Some(own(account, detail)));
    }
    if !account.admin {
        return Ok(None);
    }
    let directory = Arc::clone(directory);
    let found = tokio::task::spawn_blocking(move || directory.account(&wanted)).await??;
    Ok(found.map(|found| Entered { proxy: Some(account.user), ..own(found, detail) }))
}
