//! Users whole: an account in the directory together with INBOX, quota root, subscriptions and default folders in the store;
//! made together, and gone together. Whatever ends the process in between, the next start of the server ends what was begun
//! ([`resume`]), or the same command again does.
//!
//! | step of creation | a crash after it leaves |
//! |---|---|
//! | the row, `pending` | nobody who can log in; mail waits; the next start goes on |
//! | INBOX, quota root, subscription, folders | the same |
//! | the row, `active` | the user |
//!
//! | step of deletion | a crash after it leaves |
//! |---|---|
//! | the row, `deleting`; aliases without the user | nobody; the next start goes on |
//! | mailboxes, quota roots, subscriptions, rights elsewhere go | the same |
//! | the row goes | nothing: user ID and addresses are free |
//!
//! Nothing is ever undone by deleting a mailbox: where an INBOX was there before, it stays.

mod quota;

use directory::{
    Address, Credentials, Directory, DomainName, Privileges, Revision, Secret, Service, User, UserId, UserState,
};
use mailstore::{Access, CreateOptions, Error, MailboxName, Store};

use self::quota::limits;
pub use self::quota::{Followed, follow_row, follow_rows};
pub(crate) use self::quota::{follow_some, follow_user, is_followed};
use crate::error::CommandError;

/// Makes a user with everything that belongs to one. Nobody can log in before all is there; after a crash in between, the
/// same again ends it. A user without a quota of his own gets none; [`with_default_quota`] fills in the one for new users.
///
/// # Errors
/// [`CommandError`].
pub fn create_user<D: Directory + ?Sized>(
    store: &Store,
    service: &Service<'_, D>,
    user: &User,
    password: &Secret,
) -> Result<User, CommandError> {
    let mut made = service.create_user(user, password)?;
    let privileges = service.privileges()?;
    finish_creation(store, service, &made, &privileges)?;
    made.state = if made.then_disabled { UserState::Disabled } else { UserState::Active };
    Ok(made)
}

/// Makes many users ([`create_user`] makes one): the directory is changed twice for all of them, and so is the mailboxes
/// database. Up to 10,000 at once; a crash in between is ended by the next start.
///
/// # Errors
/// [`CommandError`]: none was made if the directory refuses one. Where a mailbox can't be made, that user stays pending.
pub fn create_users<D: Directory + ?Sized>(
    store: &Store,
    service: &Service<'_, D>,
    users: &[(User, Credentials)],
) -> Result<(), CommandError> {
    service.create_users(users)?;
    finish_users(store, service, &users.iter().map(|(user, _)| user).collect::<Vec<_>>())
}

/// Makes the mailboxes of users who are pending, a thousand at a time, and then lets them in.
///
/// # Errors
/// [`CommandError`]: users whose mailboxes can't be made stay pending, and those that come after them.
pub fn finish_users<D: Directory + ?Sized>(
    store: &Store,
    service: &Service<'_, D>,
    users: &[&User],
) -> Result<(), CommandError> {
    let folders = &service.privileges()?.default_folders;
    for users in users.chunks(AT_ONCE) {
        let wanted: Vec<_> = users.iter().map(|user| (user.uid.as_str(), limits(None, user.quota_limit_mib))).collect();
        for position in store.create_users(&wanted, folders)? {
            // Of whom there is something from an attempt that ended early, or from a restore.
            let user = users[position];
            make_mailboxes(store, user, folders).map_err(|problem| mailbox(&user.uid, problem))?;
        }
        service.activate_users(&users.iter().map(|user| user.uid.clone()).collect::<Vec<_>>())?;
    }
    Ok(())
}

/// Users whose mailboxes share their syncs: some thousand files each time, which no disk waits for long.
pub(crate) const AT_ONCE: usize = 1000;

/// A user with the quota that new users get (`DefaultQuotaLimit`).
///
/// # Errors
/// The directory's.
pub fn with_default_quota<D: Directory + ?Sized>(
    service: &Service<'_, D>,
    mut user: User,
) -> Result<User, CommandError> {
    user.quota_limit_mib = service.privileges()?.default_quota_mib;
    Ok(user)
}

/// Stores a changed user, and the quota in the store if it is another one. After a crash in between the same again ends it.
///
/// # Errors
/// [`CommandError`].
pub fn update_user<D: Directory + ?Sized>(
    store: &Store,
    service: &Service<'_, D>,
    user: &User,
) -> Result<User, CommandError> {
    let now = service.update_user(user)?;
    if now.state != UserState::Pending && service.actor().is_administrator() {
        follow_row(store, service, &now.uid)?;
    }
    Ok(User::clone(&now))
}

/// Changes some fields of a user ([`update_user`]): `edit` makes the change to the row as it is now. If somebody else changes it
/// between the reading and the writing it is made again, to what is there by then; unless it must be the row with the revision
/// `expected`.
///
/// # Errors
/// [`CommandError`]; [`Conflict`](directory::Error::Conflict) if others were first twenty times.
pub fn edit_user<D: Directory + ?Sized>(
    store: &Store,
    service: &Service<'_, D>,
    uid: &UserId,
    expected: Option<Revision>,
    edit: &mut dyn FnMut(&mut User) -> Result<(), CommandError>,
) -> Result<User, CommandError> {
    let mut tries = TRIES;
    loop {
        let now = service.user(uid)?.ok_or_else(|| directory::Error::NoUser(uid.to_string()))?;
        let mut user = User::clone(&now);
        user.revision = expected.unwrap_or(user.revision);
        edit(&mut user)?;
        match update_user(store, service, &user) {
            Err(CommandError::Directory(directory::Error::Conflict { .. })) if expected.is_none() && tries > 0 => {
                tries -= 1;
            }
            done => return done,
        }
    }
}

/// How often a change is made again when somebody else's came first.
const TRIES: usize = 20;

/// Deletes a user and everything of the user's: the account, passwords, ownership and membership of aliases, mailboxes, seen
/// state, subscriptions, quota roots, rights on other mailboxes. Aliases that are left without an owner or a member go too
/// ([`Service::vanishing_with`] tells which). After a crash in between the same again ends it.
///
/// # Errors
/// [`CommandError`].
pub fn delete_user<D: Directory + ?Sized>(
    store: &Store,
    service: &Service<'_, D>,
    uid: &UserId,
    expected: Option<Revision>,
) -> Result<(), CommandError> {
    service.begin_user_deletion(uid, expected)?;
    finish_deletion(store, service, uid)
}

/// What would go with a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deletion {
    /// Aliases that would have no owner or no member left: they go too.
    pub vanishing: Vec<Address>,
    /// Aliases that the user would be taken out of.
    pub left: Vec<Address>,
}

/// What [`delete_user`] would do, if it would.
///
/// # Errors
/// [`CommandError`].
pub fn preview_deletion<D: Directory + ?Sized>(
    service: &Service<'_, D>,
    uid: &UserId,
) -> Result<Deletion, CommandError> {
    require_deletable(service, uid)?;
    let vanishing = service.vanishing_with(uid)?;
    let named = service.aliases_of(uid)?.into_iter().map(|alias| alias.address.clone());
    let left = named.filter(|address| !vanishing.contains(address)).collect();
    Ok(Deletion { vanishing, left })
}

/// Refuses if there is no such user, or none who may be deleted.
///
/// # Errors
/// [`CommandError`].
pub fn require_deletable<D: Directory + ?Sized>(service: &Service<'_, D>, uid: &UserId) -> Result<(), CommandError> {
    if *uid == UserId::admin() {
        return Err(directory::Error::protected("uid", uid, "the user admin can't be deleted").into());
    }
    service.user(uid)?.ok_or_else(|| directory::Error::NoUser(uid.to_string()))?;
    Ok(())
}

/// Deletes domains: all of them are marked, or none; then each goes with its users and aliases. Without `cascade` they must
/// be empty but for `postmaster`. `progress` is told each user who is gone. After a crash in between the same again ends it.
///
/// # Errors
/// [`CommandError`].
pub fn delete_domains<D: Directory + ?Sized>(
    store: &Store,
    service: &Service<'_, D>,
    names: &[DomainName],
    cascade: bool,
    progress: &mut dyn FnMut(&UserId),
) -> Result<(), CommandError> {
    let domains: Vec<_> = names.iter().map(|name| (name.clone(), None)).collect();
    delete_domains_at(store, service, &domains, cascade, progress)
}

/// The same; deletes none if one is not at the revision given with it any more.
///
/// # Errors
/// [`CommandError`].
pub fn delete_domains_at<D: Directory + ?Sized>(
    store: &Store,
    service: &Service<'_, D>,
    domains: &[(DomainName, Option<Revision>)],
    cascade: bool,
    progress: &mut dyn FnMut(&UserId),
) -> Result<(), CommandError> {
    for user in service.begin_domain_deletion_at(domains, cascade)? {
        delete_user(store, service, &user, None)?;
        progress(&user);
    }
    domains.iter().try_for_each(|(name, _)| Ok(service.finish_domain_deletion(name)?))
}

/// Ends what a crash cut short: users who were being made or deleted, domains that were being deleted. Returns how many. What
/// can't be ended is logged, and waits for the next start. `admin` is left to whoever makes the password up and shows it.
///
/// # Errors
/// The directory's.
pub fn resume<D: Directory + ?Sized>(store: &Store, service: &Service<'_, D>) -> Result<usize, CommandError> {
    let mut ended = 0;
    let mut note = |what: &'static str, name: &str, done: Result<(), CommandError>| match done {
        Ok(()) => {
            tracing::info!(event = "account.resumed", what, name);
            ended += 1;
        }
        Err(error) => tracing::error!(event = "account.unfinished", what, name, %error),
    };
    let privileges = service.privileges()?;
    let unfinished = service.look(|view| view.unfinished())?;
    let is_pending = |user: &&User| user.state == UserState::Pending && user.uid != UserId::admin();
    let pending: Vec<&User> = unfinished.iter().map(|user| &**user).filter(is_pending).collect();
    for users in pending.chunks(AT_ONCE) {
        let together = finish_users(store, service, users);
        for user in users {
            // One that can't be made must not keep the others waiting.
            let done =
                together.as_ref().map_or_else(|_| finish_creation(store, service, user, &privileges), |()| Ok(()));
            note("user", user.uid.as_str(), done);
        }
    }
    for user in unfinished.iter().filter(|user| user.state == UserState::Deleting) {
        note("user", user.uid.as_str(), finish_deletion(store, service, &user.uid));
    }
    for domain in service.domains()?.iter().filter(|domain| domain.deleting) {
        let done = delete_domains(store, service, std::slice::from_ref(&domain.name), true, &mut |_| {});
        note("domain", domain.name.as_str(), done);
    }
    Ok(ended)
}

fn finish_creation<D: Directory + ?Sized>(
    store: &Store,
    service: &Service<'_, D>,
    user: &User,
    privileges: &Privileges,
) -> Result<(), CommandError> {
    make_mailboxes(store, user, &privileges.default_folders).map_err(|problem| mailbox(&user.uid, problem))?;
    Ok(service.activate_user(&user.uid)?)
}

fn finish_deletion<D: Directory + ?Sized>(
    store: &Store,
    service: &Service<'_, D>,
    uid: &UserId,
) -> Result<(), CommandError> {
    store.delete_user(uid.as_str())?;
    Ok(service.finish_user_deletion(uid)?)
}

/// INBOX, quota root, subscription, folders; what is there stays.
fn make_mailboxes(store: &Store, user: &User, folders: &[String]) -> mailstore::Result<()> {
    let (uid, inbox) = (user.uid.as_str(), MailboxName::inbox(user.uid.as_str())?);
    match store.create_user(uid, limits(None, user.quota_limit_mib)) {
        Ok(_) => {}
        // It is there from an attempt that ended early, or from a restore.
        Err(Error::Exists(_)) => {
            store.change_quota(&inbox, |now| Ok::<_, Error>(limits(now, user.quota_limit_mib)))?;
            store.subscribe(uid, &inbox)?;
        }
        Err(problem) => return Err(problem),
    }
    for folder in folders {
        let name = folder.split('/').try_fold(inbox.clone(), |above, level| above.child(level))?;
        match store.create(&Access::user(uid), &name, &CreateOptions::default()) {
            Ok(_) | Err(Error::Exists(_)) => store.subscribe(uid, &name)?,
            Err(problem) => return Err(problem),
        }
    }
    Ok(())
}

fn inbox(uid: &UserId) -> Result<MailboxName, CommandError> {
    MailboxName::inbox(uid.as_str()).map_err(|problem| mailbox(uid, problem.into()))
}

fn mailbox(uid: &UserId, problem: Error) -> CommandError {
    CommandError::Mailbox { user: uid.clone(), problem }
}
