//! Users: list, search, make, change, disable, delete.

use std::collections::HashSet;
use std::sync::Arc;

use super::Service;
use crate::Directory;
use crate::actor::Who;
use crate::address::Address;
use crate::alias::Alias;
use crate::credentials::Credentials;
use crate::error::Result;
use crate::privileges::Privilege;
use crate::query::{Listing, Page, UserQuery};
use crate::revision::Revision;
use crate::rules;
use crate::rules::cascade::Cascade;
use crate::secret::Secret;
use crate::user::{User, UserId, UserState};
use crate::view::Named;

impl<D: Directory + ?Sized> Service<'_, D> {
    /// A user. Users see themselves, and others if they may search.
    ///
    /// # Errors
    /// [`Denied`](crate::Error::Denied), or the directory's.
    pub fn user(&self, uid: &UserId) -> Result<Option<Arc<User>>> {
        if self.actor.uid() != Some(uid) {
            self.require(Privilege::UserSearch, "look at another user")?;
        }
        self.look(|view| view.user(uid))
    }

    /// A page of users, of the current domain if one was chosen and the query names none.
    ///
    /// # Errors
    /// [`Denied`](crate::Error::Denied), [`Rule`](crate::Error::Rule) for a cursor that is none, or the directory's.
    pub fn users(&self, query: &UserQuery, page: &Page) -> Result<Listing<Arc<User>>> {
        self.require(Privilege::UserSearch, "look for users")?;
        let domain = query.domain.clone().or_else(|| self.domain.clone());
        self.look(|view| view.users(&UserQuery { domain, ..query.clone() }, page))
    }

    /// The aliases that name a user, as owner or as member.
    ///
    /// # Errors
    /// The directory's.
    pub fn aliases_of(&self, uid: &UserId) -> Result<Vec<Arc<Alias>>> {
        self.look(|view| view.aliases_naming(Named::User(uid)))
    }

    /// The aliases that would vanish with a user, because they would have no owner or no member left: what the question
    /// before the deletion lists (USR-8).
    ///
    /// # Errors
    /// [`NoUser`](crate::Error::NoUser), or the directory's.
    pub fn vanishing_with(&self, uid: &UserId) -> Result<Vec<Address>> {
        self.look(|view| {
            let user = rules::user::require(view, uid)?;
            let mut cascade = Cascade::new(view);
            cascade.without_user(&user)?;
            cascade.settle()
        })
    }

    /// Makes a user who is [`UserState::Pending`]: nobody can log in or get mail until the mailbox exists and
    /// [`activate_user`](Service::activate_user) says so. The row must have all that the mailbox is made from (the quota): a
    /// crash in between is ended by who finds it. Making a pending user again is allowed. Without a quota the user gets that
    /// of the [privileges](crate::Privileges), which the caller has filled in ([`User::quota_limit_mib`]).
    ///
    /// # Errors
    /// [`Denied`](crate::Error::Denied), [`Rule`](crate::Error::Rule), [`Exists`](crate::Error::Exists), [`NoDomain`](crate::Error::NoDomain), the
    /// directory's.
    pub fn create_user(&self, user: &User, password: &Secret) -> Result<User> {
        rules::require_administrator(&self.actor, "make a user")?;
        // Before anything is locked: it takes its time.
        let credentials = self.directory.passwords().hash(password)?;
        let around = self.directory.surroundings();
        let made =
            |view: &dyn crate::View, actor: &crate::Actor| rules::user::create(view, actor, around, user, credentials);
        let revision = self.change(made)?;
        Ok(User { state: UserState::Pending, revision, ..user.clone().tidied() })
    }

    /// Makes up to 10,000 users at once, as [`create_user`](Service::create_user) makes one: all of them or none, in one
    /// change. What is kept of their passwords is made before ([`Passwords::hash`](crate::Passwords::hash),
    /// [`Credentials::from_hash`]).
    ///
    /// # Errors
    /// As [`create_user`](Service::create_user); the first that is refused.
    pub fn create_users(&self, users: &[(User, Credentials)]) -> Result<()> {
        self.create_users_among(users, &HashSet::new())
    }

    /// The same for a part of many users and aliases that come together: mail may be forwarded to addresses that are
    /// `coming`, and nobody's yet. Whoever makes these users makes the others before they are
    /// [activated](Service::activate_users).
    ///
    /// # Errors
    /// As there.
    pub fn create_users_among(&self, users: &[(User, Credentials)], coming: &HashSet<Address>) -> Result<()> {
        let around = self.directory.surroundings();
        self.change(|view, actor| rules::user::create_all(view, actor, around, users, coming)).map(drop)
    }

    /// [`activate_user`](Service::activate_user) for several, in one change.
    ///
    /// # Errors
    /// As there.
    pub fn activate_users(&self, ids: &[UserId]) -> Result<()> {
        self.change(|view, actor| rules::user::activate_all(view, actor, ids)).map(drop)
    }

    /// The user's mailbox exists: logins and mail are welcome, unless the user was made to be disabled.
    ///
    /// # Errors
    /// [`Denied`](crate::Error::Denied), [`NoUser`](crate::Error::NoUser), or the directory's.
    pub fn activate_user(&self, uid: &UserId) -> Result<()> {
        self.change(|view, actor| rules::user::activate(view, actor, uid)).map(drop)
    }

    /// Stores a changed user, if nobody else has changed him since the row was read. A pending user stays pending. Users may
    /// change themselves, but for what only administrators may. Returns the user as he is now.
    ///
    /// # Errors
    /// [`Denied`](crate::Error::Denied), [`NoUser`](crate::Error::NoUser), [`Conflict`](crate::Error::Conflict), [`Rule`](crate::Error::Rule),
    /// [`Exists`](crate::Error::Exists), [`NoDomain`](crate::Error::NoDomain), [`Protected`](crate::Error::Protected), the directory's.
    pub fn update_user(&self, user: &User) -> Result<Arc<User>> {
        self.change(|view, actor| rules::user::update(view, actor, user))?;
        self.look(|view| rules::user::require(view, &user.uid))
    }

    /// Sets what a user may store, in megabytes; `None` is no limit. Whatever else is changed of him meanwhile stays changed.
    /// This is the row alone: who enforces it must be told ([`crate::User::quota_limit_mib`]).
    ///
    /// # Errors
    /// [`Denied`](crate::Error::Denied), [`NoUser`](crate::Error::NoUser), [`Rule`](crate::Error::Rule), the directory's.
    pub fn set_user_quota(&self, uid: &UserId, mib: Option<u64>) -> Result<()> {
        self.change(|view, actor| rules::user::set_quota(view, actor, uid, mib)).map(drop)
    }

    /// Disables a user, or enables one again. A disabled user can't log in, and mail for him is refused.
    ///
    /// # Errors
    /// [`Denied`](crate::Error::Denied), [`NoUser`](crate::Error::NoUser), [`Conflict`](crate::Error::Conflict), [`Protected`](crate::Error::Protected)
    /// for `admin`, the directory's.
    pub fn set_user_enabled(&self, uid: &UserId, enabled: bool, expected: Option<Revision>) -> Result<()> {
        self.change(|view, actor| rules::user::set_enabled(view, actor, uid, enabled, expected)).map(drop)
    }

    /// Begins to delete a user: from now on there is none for logins, mail and aliases; aliases that are left without an
    /// owner or a member are gone. The user ID and the addresses are nobody else's before the mailbox is removed and
    /// [`finish_user_deletion`](Service::finish_user_deletion) has been called. Doing it again after a crash is allowed.
    ///
    /// # Errors
    /// [`Denied`](crate::Error::Denied), [`NoUser`](crate::Error::NoUser), [`Conflict`](crate::Error::Conflict), [`Protected`](crate::Error::Protected)
    /// for `admin`, the directory's.
    pub fn begin_user_deletion(&self, uid: &UserId, expected: Option<Revision>) -> Result<()> {
        self.change(|view, actor| rules::user::begin_deletion(view, actor, uid, expected)).map(drop)
    }

    /// The mailbox is gone: removes what is left of the user.
    ///
    /// # Errors
    /// [`Denied`](crate::Error::Denied), [`NoUser`](crate::Error::NoUser), [`Protected`](crate::Error::Protected) for a user who is not being
    /// deleted, the directory's.
    pub fn finish_user_deletion(&self, uid: &UserId) -> Result<()> {
        self.change(|view, actor| rules::user::finish_deletion(view, actor, uid)).map(drop)
    }

    /// The user who acts, where it is one without an administrator's rights.
    #[must_use]
    pub fn acting_user(&self) -> Option<&UserId> {
        match &self.actor.who {
            Who::User(uid) => Some(uid),
            Who::Server | Who::Operator(_) | Who::Administrator(_) => None,
        }
    }
}
