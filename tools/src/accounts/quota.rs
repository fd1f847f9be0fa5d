//! A user's quota is said in the directory, in megabytes, and enforced by the quota root at the user's INBOX. Where the two
//! differ, the directory is right: whoever sets a quota tells it first, so a crash in between is ended by following it, and a
//! directory that others write to (LDAP) is followed in the same way.
//!
//! A limit that is no whole number of megabytes can be set over IMAP only. The directory has it rounded up, and the root keeps
//! it as exact as it was set until another number of megabytes is said. A limit of messages is the root's alone.

use std::fmt;
use std::ops::ControlFlow;

use directory::{Directory, MAX_PAGE, Page, Service, User, UserId, UserQuery, UserState};
use mailstore::{MailboxName, QuotaLimits, Store};

use super::{inbox, mailbox};
use crate::error::CommandError;

/// A quota root that did not say what the directory says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Followed {
    /// Whose.
    pub uid: UserId,
    /// What the root said, in KiB.
    pub was: Option<u64>,
    /// What it says now, in KiB.
    pub now: Option<u64>,
}

impl fmt::Display for Followed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told = |limit: Option<u64>| limit.map_or_else(|| "NONE".to_owned(), |kib| kib.to_string());
        write!(f, "user/{}: limit was {}, the directory says {}", self.uid, told(self.was), told(self.now))
    }
}

/// Makes a user's quota root say what the directory says. Blocks.
///
/// # Errors
/// [`CommandError`].
pub fn follow_row<D: Directory + ?Sized>(
    store: &Store,
    service: &Service<'_, D>,
    uid: &UserId,
) -> Result<(), CommandError> {
    let followed = store.change_quota(&inbox(uid)?, |now| {
        // Read while nobody else changes the root: whoever comes last reads what was said last.
        Ok(service.user(uid)?.map_or(now, |user| limits(now, user.quota_limit_mib)))
    });
    followed.map_err(|problem| match problem {
        CommandError::Store(problem) => mailbox(uid, problem),
        other => other,
    })
}

/// The same for many users: one change of the mailboxes database for all whose limits change.
///
/// # Errors
/// [`CommandError`].
pub(crate) fn follow_some<D: Directory + ?Sized>(
    store: &Store,
    service: &Service<'_, D>,
    uids: &[UserId],
) -> Result<(), CommandError> {
    let inboxes = uids.iter().map(inbox).collect::<Result<Vec<_>, _>>()?;
    store.change_quotas(&inboxes, |position, now| {
        Ok::<_, CommandError>(service.user(&uids[position])?.map_or(now, |user| limits(now, user.quota_limit_mib)))
    })
}

/// Finds the quota roots of users that do not say what the directory says, and unless it is a dry run makes them. Users
/// without a mailbox are passed over. `wanted` is asked for each user: whether to look at him, or `Break` to end; `found` is
/// told what differs. Blocks; it reads rows and memory, no file of the store.
///
/// # Errors
/// [`CommandError`].
pub fn follow_rows<D: Directory + ?Sized>(
    store: &Store,
    service: &Service<'_, D>,
    dry_run: bool,
    wanted: &mut dyn FnMut(&UserId) -> ControlFlow<(), bool>,
    found: &mut dyn FnMut(&Followed) -> ControlFlow<()>,
) -> Result<(), CommandError> {
    let mut page = Page { after: None, limit: MAX_PAGE };
    loop {
        let users = service.users(&UserQuery::default(), &page)?;
        for user in &users.rows {
            match wanted(&user.uid) {
                ControlFlow::Break(()) => return Ok(()),
                ControlFlow::Continue(false) => continue,
                ControlFlow::Continue(true) => {}
            }
            let Some(followed) = follow_user(store, service, user, dry_run)? else { continue };
            if found(&followed).is_break() {
                return Ok(());
            }
        }
        match users.next {
            Some(next) => page.after = Some(next),
            None => return Ok(()),
        }
    }
}

/// The same of one user.
///
/// # Errors
/// [`CommandError`].
pub(crate) fn follow_user<D: Directory + ?Sized>(
    store: &Store,
    service: &Service<'_, D>,
    user: &User,
    dry_run: bool,
) -> Result<Option<Followed>, CommandError> {
    let followed = difference(store, user);
    if let Some(Followed { uid, was, now }) = followed.as_ref().filter(|_| !dry_run) {
        follow_row(store, service, uid)?;
        tracing::warn!(event = "quota.limit.followed", user = %uid, was, now);
    }
    Ok(followed)
}

/// What the limits of a user's root are to be, when the directory says `mib`.
pub(super) fn limits(now: Option<QuotaLimits>, mib: Option<u64>) -> Option<QuotaLimits> {
    let wanted = now.unwrap_or_default().with_storage_mib(mib);
    Some(wanted).filter(|wanted| *wanted != QuotaLimits::default())
}

/// Whether a user's quota root says what the directory says.
pub(crate) fn is_followed(store: &Store, user: &User) -> bool {
    difference(store, user).is_none()
}

fn difference(store: &Store, user: &User) -> Option<Followed> {
    if !matches!(user.state, UserState::Active | UserState::Disabled) {
        return None;
    }
    let inbox = MailboxName::inbox(user.uid.as_str()).ok()?;
    let was = store.quota_limits(&inbox);
    let now = limits(was, user.quota_limit_mib);
    let kib = |limits: Option<QuotaLimits>| limits.and_then(|limits| limits.storage_kib);
    let differs = was != now && store.row(&inbox).is_some();
    differs.then(|| Followed { uid: user.uid.clone(), was: kib(was), now: kib(now) })
}
