//! Passwords and app passwords.

use super::Service;
use crate::Directory;
use crate::app_password::AppPassword;
use crate::credentials::Credentials;
use crate::error::Result;
use crate::rules;
use crate::secret::Secret;
use crate::user::UserId;

impl<D: Directory + ?Sized> Service<'_, D> {
    /// Changes a user's own password. Logins with the old one fail from now on; app passwords stay as they are.
    ///
    /// # Errors
    /// [`Denied`](crate::Error::Denied), [`NoUser`](crate::Error::NoUser), [`Rule`](crate::Error::Rule) for an empty password, the directory's.
    pub fn set_password(&self, uid: &UserId, password: &Secret) -> Result<()> {
        self.look(|view| rules::password::check_may(view, &self.actor, uid))?;
        let made = self.directory.passwords().hash(password)?;
        self.change(|view, actor| rules::password::replace(view, actor, uid, made)).map(drop)
    }

    /// Takes a password hash that another server has made (docs/formats/directory.md lists the kinds). At the first login
    /// that works it is replaced by one of ours.
    ///
    /// # Errors
    /// [`Denied`](crate::Error::Denied), [`NoUser`](crate::Error::NoUser), [`Rule`](crate::Error::Rule) for a hash that can't be checked, the
    /// directory's.
    pub fn set_password_hash(&self, uid: &UserId, hash: &Secret) -> Result<()> {
        rules::require_administrator(&self.actor, "give a password's hash")?;
        let made = Credentials::from_hash(hash)?;
        self.change(|view, actor| rules::password::replace(view, actor, uid, made)).map(drop)
    }

    /// Replaces all that is kept of a user's passwords, app passwords too, with what another server kept.
    ///
    /// # Errors
    /// [`Denied`](crate::Error::Denied), [`NoUser`](crate::Error::NoUser), the directory's.
    pub fn set_credentials(&self, uid: &UserId, credentials: Credentials) -> Result<()> {
        self.change(|view, actor| rules::password::take_over(view, actor, uid, credentials)).map(drop)
    }

    /// A user's app passwords, in the order in which they were made.
    ///
    /// # Errors
    /// [`Denied`](crate::Error::Denied), [`NoUser`](crate::Error::NoUser), the directory's.
    pub fn app_passwords(&self, uid: &UserId) -> Result<Vec<AppPassword>> {
        if self.acting_user().is_some_and(|own| own != uid) {
            rules::require_administrator(&self.actor, "look at app passwords")?;
        }
        self.look(|view| {
            rules::user::require(view, uid)?;
            let kept = view.credentials(uid)?;
            Ok(kept.iter().flat_map(Credentials::app_passwords).cloned().collect())
        })
    }

    /// Makes an app password for a user, and returns it: nobody can find it out again.
    ///
    /// # Errors
    /// [`Denied`](crate::Error::Denied), [`NoUser`](crate::Error::NoUser), [`Exists`](crate::Error::Exists) for a name that the user has already,
    /// [`Rule`](crate::Error::Rule), the directory's.
    pub fn add_app_password(&self, uid: &UserId, app: &AppPassword) -> Result<Secret> {
        app.check()?;
        let kept = self.look(|view| {
            rules::password::check_may(view, &self.actor, uid)?;
            view.credentials(uid)
        })?;
        let (made, password) = self.directory.passwords().make_app(app, kept.as_ref())?;
        self.change(|view, actor| rules::password::add_app(view, actor, uid, made))?;
        Ok(password)
    }

    /// Takes back the app password called `name`, or all of a user's. Logins with it fail from now on. Returns how many there
    /// were.
    ///
    /// # Errors
    /// [`Denied`](crate::Error::Denied), [`NoUser`](crate::Error::NoUser), the directory's.
    pub fn remove_app_passwords(&self, uid: &UserId, name: Option<&str>) -> Result<usize> {
        let mut removed = 0;
        self.change(|view, actor| {
            let (plan, count) = rules::password::remove_apps(view, actor, uid, name)?;
            removed = count;
            Ok(plan)
        })?;
        Ok(removed)
    }
}
