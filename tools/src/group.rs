//! Groups: who is in which is said of users.

use directory::{Directory, Error, Service, User, UserId};
use mailstore::Store;

use crate::accounts;
use crate::error::CommandError;

/// Puts users into a group, and takes others out. All must be there, and those who go must be in it, or nothing is changed.
///
/// # Errors
/// [`CommandError`].
pub fn change_group<D: Directory + ?Sized>(
    store: &Store,
    service: &Service<'_, D>,
    group: &str,
    add: &[UserId],
    remove: &[UserId],
) -> Result<(), CommandError> {
    for uid in add.iter().chain(remove) {
        let user = service.user(uid)?.ok_or_else(|| Error::NoUser(uid.to_string()))?;
        if remove.contains(uid) && !user.groups.iter().any(|known| known == group) {
            return Err(Error::rule("groups", group, format!("{uid} is not in it")).into());
        }
    }
    add.iter().try_for_each(|uid| change_one(store, service, uid, group, true))?;
    remove.iter().try_for_each(|uid| change_one(store, service, uid, group, false))
}

fn change_one<D: Directory + ?Sized>(
    store: &Store,
    service: &Service<'_, D>,
    uid: &UserId,
    group: &str,
    add: bool,
) -> Result<(), CommandError> {
    let mut edit = |user: &mut User| {
        user.groups.retain(|known| known != group);
        if add {
            user.groups.push(group.to_owned());
        }
        Ok(())
    };
    accounts::edit_user(store, service, uid, None, &mut edit).map(drop)
}
