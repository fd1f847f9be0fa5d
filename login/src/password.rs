//! A user name and a password.

use std::sync::{Arc, LazyLock};

use directory::{Accepted, Account, Secret, UserId, Verdict};
use tokio::sync::Semaphore;

use crate::attempt::Attempt;
use crate::name::LoginName;
use crate::{Door, Failure, LoggedIn};

/// Passwords that are checked at a time, each on a thread of its own that it keeps busy: as many as there are processors, and
/// a few that wait for something else. The threads that wait for the disk are not to be taken by guesses.
static PLACES: LazyLock<Semaphore> = LazyLock::new(|| {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    Semaphore::new(processors + 2)
});

/// Checks `user`'s password, or one of the app passwords; with `act_as`, an administrator's for somebody else's mail
/// (RFC 4616, 2).
///
/// Mail clients log in again and again: who was right a moment ago costs no hash, and no other thread.
pub(crate) async fn check(
    door: &Door,
    attempt: &Attempt,
    user: &str,
    password: Secret,
    act_as: Option<&str>,
) -> Result<LoggedIn, Failure> {
    let name = LoginName::parse(user, door.profile.details);
    let guess = wire::attempts::guess(&(name.user, password.expose()));
    let verdict = match door.directory.recognise(name.user, &password, &attempt.origin) {
        Some(accepted) => Verdict::Accepted(accepted),
        None => {
            let (directory, user, origin) = (Arc::clone(&door.directory), name.user.to_owned(), attempt.origin);
            // Waiting here costs no thread. It fails only when it is closed, which nobody does.
            let _place = PLACES.acquire().await;
            wire::work::blocking(move || directory.authenticate(&user, &password, &origin)).await??
        }
    };
    let Accepted { account, app } = match verdict {
        Verdict::Accepted(accepted) => accepted,
        Verdict::Refused(refusal) => {
            attempt.refused(&*door.directory, name, &refusal);
            return Err(attempt.failure(user, Some(guess)));
        }
    };
    let Some(entered) = act(door, account, name, act_as).await? else {
        attempt.failed_for(&*door.directory, name.user, NO_RIGHT);
        return Err(attempt.failure(user, None));
    };
    let entered = LoggedIn { app, ..entered };
    attempt.entered(&*door.directory, &entered);
    Ok(entered)
}

/// In the history: no right to act as that user.
pub(crate) const NO_RIGHT: &str = "acting-as";

/// What somebody who has proved to be `account` is let into: the own mail, or for an administrator that of `act_as`;
/// nothing if it may not be.
pub(crate) async fn act(
    door: &Door,
    account: Account,
    name: LoginName<'_>,
    act_as: Option<&str>,
) -> Result<Option<LoggedIn>, Failure> {
    let own =
        |account, detail: Option<&str>| LoggedIn { account, proxy: None, detail: detail.map(str::to_owned), app: None };
    let Some(other) = act_as.map(|other| LoginName::parse(other, door.profile.details)) else {
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
    let directory = Arc::clone(&door.directory);
    let found = wire::work::blocking(move || directory.account(&wanted)).await??;
    Ok(found.map(|found| LoggedIn { proxy: Some(account.user), ..own(found, detail) }))
}
