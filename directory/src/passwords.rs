//! What every back end does with passwords: hash them, check them, remember those that were right a moment ago.

use crate::app_password::{AppPassword, StoredApp, Written};
use crate::credentials::Credentials;
use crate::error::Result;
use crate::password::{HashCost, Hasher, Slot};
use crate::scram::ScramCost;
use crate::secret::Secret;
use crate::user::UserId;

/// Makes and checks hashes. One for a directory: it bounds how many are made at a time.
#[derive(Debug)]
pub struct Passwords {
    pub(crate) hasher: Hasher,
    pub(crate) scram: ScramCost,
}

/// What a password turned out to be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Checked {
    /// Nothing.
    Wrong,
    /// The user's own.
    Own,
    /// This app password; whether it is good for this protocol, from there and now, is to be asked
    /// ([`AppPassword::permits`]).
    App(AppPassword),
}

impl Passwords {
    /// With hashes and verifiers that cost so much.
    ///
    /// # Errors
    /// [`Rule`](crate::Error::Rule) for a cost that can't be, [`Unavailable`](crate::Error::Unavailable) without random bytes.
    pub fn new(cost: HashCost, scram: ScramCost) -> Result<Passwords> {
        Ok(Passwords { hasher: Hasher::new(cost)?, scram })
    }

    /// What is kept of a new password. Takes its time.
    ///
    /// # Errors
    /// [`Rule`](crate::Error::Rule) for a password that is empty or too long.
    pub fn hash(&self, password: &Secret) -> Result<Credentials> {
        Credentials::of(password, &self.hasher, self.scram)
    }

    /// Makes an app password beside those that are kept. Takes its time.
    pub(crate) fn make_app(&self, app: &AppPassword, kept: Option<&Credentials>) -> Result<(StoredApp, Secret)> {
        StoredApp::make(app, kept.map_or(&[], |kept| &kept.apps), &self.hasher)
    }

    /// What a password is. One hash is made, whether there is such a user or not (then `kept` is `None`), and whichever of
    /// the user's passwords it may be. Takes its time, unless it was right a moment ago.
    #[must_use]
    pub fn check(&self, user: &UserId, kept: Option<&Credentials>, password: &Secret) -> Checked {
        let written = Written::parse(password);
        let app = kept.zip(written.as_ref()).and_then(|(kept, written)| kept.app(written));
        if let (Some(app), Some(written)) = (app, &written) {
            let slot = Slot { user: user.clone(), app: Some(app.selector) };
            return match self.hasher.verify(&slot, Some(&app.hash), &written.letters) {
                true => Checked::App(app.app.clone()),
                false => Checked::Wrong,
            };
        }
        let slot = Slot::own(user.clone());
        match self.hasher.verify(&slot, kept.map(|kept| &*kept.hash), password) {
            true => Checked::Own,
            false => Checked::Wrong,
        }
    }

    /// What a password is, if that is known from memory alone: it was right a moment ago, with what is kept now. Costs no
    /// hash.
    #[must_use]
    pub fn recognise(&self, user: &UserId, kept: &Credentials, password: &Secret) -> Option<Checked> {
        let written = Written::parse(password);
        let app = written.as_ref().and_then(|written| kept.app(written));
        let slot = Slot { user: user.clone(), app: app.map(|app| app.selector) };
        let (hash, letters) = match (app, &written) {
            (Some(app), Some(written)) => (&app.hash, &written.letters),
            _ => (&kept.hash, password),
        };
        let found = app.map_or(Checked::Own, |app| Checked::App(app.app.clone()));
        self.hasher.remembers(&slot, hash, letters).then_some(found)
    }

    /// Forgets that a password was right: one that is refused all the same (of a disabled user, or for another protocol) must
    /// not be remembered. The next answer would be a quick one, and tell that it is right.
    pub fn forget_refused(&self, user: &UserId, kept: Option<&Credentials>, password: &Secret) {
        let written = Written::parse(password);
        let app = kept.zip(written.as_ref()).and_then(|(kept, written)| kept.app(written));
        self.hasher.forget_slot(&Slot { user: user.clone(), app: app.map(|app| app.selector) });
    }

    /// Forgets all of a user's passwords: they have changed.
    pub fn forget(&self, user: &UserId) {
        self.hasher.forget(user);
    }

    /// What is to be kept instead, now that the password is known to be right: a hash of ours for one from elsewhere, and
    /// verifiers as a new user would have them. Nothing if all is as it should be. Takes its time.
    ///
    /// # Errors
    /// As [`hash`](Passwords::hash).
    pub fn renewed(&self, kept: &Credentials, password: &Secret) -> Result<Option<Credentials>> {
        kept.renewed(password, &self.hasher, self.scram)
    }
}
