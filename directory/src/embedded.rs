//! The directory that Angarium keeps itself: rows of a [`durable::Ledger`], all of them in memory too, because every
//! delivery and every login asks (docs/formats/directory.md).
//!
//! A change is planned against the rows in memory, written to the ledger as one batch, and taken into memory when the
//! ledger has it: nobody ever sees half a change, or one that a crash could undo.

mod rows;

use std::path::Path;
use std::sync::Arc;

use durable::disk::Disk;
use durable::{Ledger, OpenReport};
use parking_lot::{Mutex, RwLock};

use crate::address::Address;
use crate::alias::{Alias, POSTMASTER};
use crate::app_password::{AppPassword, MAX_APP_PASSWORDS, StoredApp, Written};
use crate::domain::{Domain, DomainName};
use crate::error::{Error, Result};
use crate::logins::{Attempt, Login, Logins};
use crate::origin::{Accepted, Origin, Refusal, Verdict};
use crate::password::{HashCost, Hasher, Slot};
use crate::scram::{self, ScramCost, ScramHash, ScramKeys, Verifier};
use crate::secret::Secret;
use crate::stored::StoredPassword;
use crate::token::{self, TokenCheck, TokenHint, TokenProblem};
use crate::user::{ADMIN, NewUser, User, UserId, UserState};
use crate::{Account, Directory, Resolution};
use rows::{Change, Owner, Rows};

/// How the embedded directory behaves.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The server's own domain; made at the first start.
    pub primary_domain: DomainName,
    /// Users who administer the server whatever their rows say.
    pub admins: Vec<UserId>,
    /// What a password hash costs.
    pub hash_cost: HashCost,
    /// What SCRAM verifiers are made of.
    pub scram: ScramCost,
}

/// The embedded directory.
#[derive(Debug)]
pub struct Embedded {
    ledger: Ledger,
    rows: RwLock<Rows>,
    /// One change at a time, from plan to memory.
    changing: Mutex<()>,
    hasher: Hasher,
    scram: ScramCost,
    admins: Vec<UserId>,
    /// Who has logged in, if that is kept.
    logins: Option<Logins>,
    /// Who says whose a token is.
    tokens: Option<Arc<dyn TokenCheck>>,
}

impl Embedded {
    /// Opens the directory below `config`, or makes it, with its primary domain, if there is none and `create` allows it.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when the ledger can't be opened completely, [`Error::Corrupt`] for a row that can't be read.
    pub fn open(
        config: &Path,
        disk: Arc<dyn Disk>,
        create: bool,
        settings: &Settings,
    ) -> Result<(Embedded, OpenReport)> {
        let (ledger, report) = rows::open_ledger(config, disk, create)?;
        let rows = Rows::load(&ledger)?;
        let hasher = Hasher::new(settings.hash_cost)?;
        let directory = Embedded {
            ledger,
            rows: RwLock::new(rows),
            changing: Mutex::default(),
            hasher,
            scram: settings.scram,
            admins: settings.admins.clone(),
            logins: None,
            tokens: None,
        };
        if directory.domains()?.iter().all(|d| !d.primary) {
            directory.make_domain(&settings.primary_domain, "", true)?;
        }
        directory.ensure_scram_secret()?;
        Ok((directory, report))
    }

    /// Keeps a history of logins.
    #[must_use]
    pub fn with_logins(mut self, logins: Logins) -> Embedded {
        self.logins = Some(logins);
        self
    }

    /// Takes tokens that `check` finds good.
    #[must_use]
    pub fn with_tokens(mut self, check: Arc<dyn TokenCheck>) -> Embedded {
        self.tokens = Some(check);
        self
    }

    fn make_domain(&self, name: &DomainName, description: &str, primary: bool) -> Result<()> {
        Domain::check_description(description)?;
        self.change(|rows| {
            if rows.domains.contains_key(name) {
                return Err(Error::Exists(format!("the domain {name} exists already")));
            }
            let domain = Domain { name: name.clone(), description: description.to_owned(), primary };
            Ok(vec![Change::Domain(domain), Change::Alias(postmaster(name)?)])
        })
    }

    /// Plans a change and carries it out.
    fn change(&self, plan: impl FnOnce(&Rows) -> Result<Vec<Change>>) -> Result<()> {
        let _one_at_a_time = self.changing.lock();
        let changes = plan(&self.rows.read())?;
        if changes.is_empty() {
            return Ok(());
        }
        rows::write(&self.ledger, &changes)?;
        self.rows.write().apply(changes);
        // Changes are an administrator's and rare: the one that makes a dump due, at most once an hour, pays for it. The
        // change itself is safe already, so a failed dump is only worth a line in the log.
        if let Err(error) = self.ledger.maintain() {
            tracing::error!(event = "directory.copy.failed", %error, "the safety copy could not be written");
        }
        Ok(())
    }

    /// Makes the secret that hides who exists, if there is none yet. It lasts: a salt that changed would tell.
    fn ensure_scram_secret(&self) -> Result<()> {
        if self.rows.read().scram_secret.is_some() {
            return Ok(());
        }
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(|e| Error::Unavailable(e.to_string()))?;
        self.change(|_| Ok(vec![Change::ScramSecret(key)]))
    }

    /// Keeps what should be kept of a password that was just right, unless it was changed meanwhile. The login does not
    /// depend on it.
    fn renew_password(&self, user: &UserId, stored: &StoredPassword, password: &Secret) {
        let renewed = stored.renewed(password, &self.hasher, self.scram).and_then(|renewed| {
            let Some(renewed) = renewed else { return Ok(()) };
            self.change(|rows| {
                let same = rows.passwords.get(user).filter(|now| now.hash == stored.hash);
                let renewed = same.map(|now| StoredPassword { apps: now.apps.clone(), ..renewed });
                Ok(renewed.map(|renewed| Change::Password(user.clone(), renewed)).into_iter().collect())
            })
        });
        if let Err(error) = renewed {
            tracing::warn!(event = "directory.password.kept", %user, %error, "the password's hash could not be renewed");
        }
    }

    fn replace_password(&self, user: &UserId, stored: StoredPassword) -> Result<()> {
        self.change(|rows| {
            if !rows.users.contains_key(user) {
                return Err(Error::NoUser(user.to_string()));
            }
            let apps = rows.passwords.get(user).map(|now| now.apps.clone()).unwrap_or_default();
            Ok(vec![Change::Password(user.clone(), StoredPassword { apps, ..stored })])
        })?;
        self.hasher.forget(user);
        Ok(())
    }

    /// What a right password leads to: the user's own, or the app password `app`.
    fn accept(&self, user: &UserId, app: Option<&AppPassword>, origin: &Origin<'_>) -> Result<Verdict> {
        let Some(mut account) = self.account(user)? else { return Ok(Verdict::Refused(Refusal::Disabled)) };
        if let Some(app) = app {
            if let Err(unfit) = app.permits(origin) {
                return Ok(Verdict::Refused(Refusal::App { name: app.name.clone(), unfit }));
            }
            // It is for a program that reads mail: whoever finds the telephone must not get the server.
            account.admin = false;
        }
        Ok(Verdict::Accepted(Accepted { account, app: app.map(|app| app.name.clone()) }))
    }

    /// [`Embedded::accept`] for a password that was just right. One that is refused all the same (of a disabled user, or for
    /// another protocol) is not remembered: the next answer would be a quick one, and tell that it is right.
    fn accept_or_forget(&self, slot: &Slot, app: Option<&AppPassword>, origin: &Origin<'_>) -> Result<Verdict> {
        let verdict = self.accept(&slot.user, app, origin)?;
        if !matches!(verdict, Verdict::Accepted(_)) {
            self.hasher.forget_slot(slot);
        }
        Ok(verdict)
    }

    /// Changes a user's app passwords.
    fn change_apps<T>(&self, user: &UserId, change: impl FnOnce(&mut Vec<StoredApp>) -> Result<T>) -> Result<T> {
        let mut done = None;
        self.change(|rows| {
            let now = rows.users.get(user).and_then(|_| rows.passwords.get(user));
            let mut row = now.cloned().ok_or_else(|| Error::NoUser(user.to_string()))?;
            done = Some(change(&mut row.apps)?);
            Ok(vec![Change::Password(user.clone(), row)])
        })?;
        done.ok_or_else(|| Error::NoUser(user.to_string()))
    }

    fn with_user(&self, user: &UserId, change: impl FnOnce(&mut User) -> Result<()>) -> Result<()> {
        self.change(|rows| {
            let mut row = rows.users.get(user).cloned().ok_or_else(|| Error::NoUser(user.to_string()))?;
            change(&mut row)?;
            Ok(vec![Change::User(row)])
        })
    }
}

fn postmaster(domain: &DomainName) -> Result<Alias> {
    let admin = UserId::admin();
    Ok(Alias {
        address: Address::new(POSTMASTER, domain.clone())?,
        description: "required of every mail domain".into(),
        owners: vec![admin.clone()],
        users: vec![admin],
        aliases: Vec::new(),
        remote: Vec::new(),
        joinable: false,
    })
}

impl Directory for Embedded {
    fn authenticate(&self, login: &str, password: &Secret, origin: &Origin<'_>) -> Result<Verdict> {
        // A login that can't be a user ID is checked against the decoy all the same.
        let user = UserId::parse(login).unwrap_or_else(|_| UserId::admin());
        let known = UserId::parse(login).is_ok();
        let stored = self.rows.read().passwords.get(&user).filter(|_| known).cloned();
        // One hash is made, whichever password it is.
        let written = Written::parse(password);
        let app = stored.as_ref().zip(written.as_ref()).and_then(|(stored, written)| stored.app(written));
        if let (Some(app), Some(written)) = (app, &written) {
            let slot = Slot { user, app: Some(app.selector) };
            return match self.hasher.verify(&slot, Some(&app.hash), &written.letters) {
                true => self.accept_or_forget(&slot, Some(&app.app), origin),
                false => Ok(Verdict::Refused(Refusal::Wrong)),
            };
        }
        let slot = Slot::own(user);
        if !self.hasher.verify(&slot, stored.as_ref().map(|stored| &*stored.hash), password) {
            return Ok(Verdict::Refused(Refusal::Wrong));
        }
        let verdict = self.accept_or_forget(&slot, None, origin)?;
        if let (Some(stored), Verdict::Accepted(_)) = (&stored, &verdict) {
            self.renew_password(&slot.user, stored, password);
        }
        Ok(verdict)
    }

    fn knows_scram(&self) -> bool {
        true
    }

    fn scram(&self, login: &str, hash: ScramHash) -> Result<ScramKeys> {
        let rows = self.rows.read();
        let user = UserId::parse(login).ok();
        let active = |user: &UserId| rows.users.get(user).is_some_and(|row| row.state == UserState::Active);
        let stored = user.filter(active).and_then(|user| rows.passwords.get(&user));
        let verifier = stored.and_then(|stored| stored.scram.iter().find(|verifier| verifier.is_for(hash)));
        let secret = rows.scram_secret.unwrap_or_default();
        Ok(verifier.map_or_else(|| scram::decoy(hash, &secret, login, self.scram), Verifier::keys))
    }

    fn answers_from_memory(&self) -> bool {
        true
    }

    fn recognise(&self, login: &str, password: &Secret, origin: &Origin<'_>) -> Option<Accepted> {
        let user = UserId::parse(login).ok()?;
        let written = Written::parse(password);
        let (hash, app) = {
            let rows = self.rows.read();
            let stored = rows.passwords.get(&user)?;
            match written.as_ref().and_then(|written| stored.app(written)) {
                Some(app) => (app.hash.clone(), Some((app.app.clone(), app.selector))),
                None => (stored.hash.clone(), None),
            }
        };
        let slot = Slot { user, app: app.as_ref().map(|(_, selector)| *selector) };
        let letters = written.as_ref().filter(|_| app.is_some()).map_or(password, |written| &written.letters);
        if !self.hasher.remembers(&slot, &hash, letters) {
            return None;
        }
        // What the password is good for, and whether the user may come in, is asked each time.
        match self.accept(&slot.user, app.as_ref().map(|(app, _)| app), origin).ok()? {
            Verdict::Accepted(accepted) => Some(accepted),
            Verdict::Refused(_) => None,
        }
    }

    fn takes_tokens(&self) -> Option<&TokenHint> {
        self.tokens.as_ref().map(|check| check.hint())
    }

    fn is_asked_about(&self, token: &Secret) -> bool {
        self.tokens.as_ref().is_some_and(|check| check.is_asked_about(token))
    }

    fn authenticate_token(&self, token: &Secret) -> Result<std::result::Result<Account, TokenProblem>> {
        let Some(check) = &self.tokens else { return Ok(Err(TokenProblem::Invalid)) };
        match check.check(token)? {
            Ok(name) => token::account(self, &name),
            Err(problem) => Ok(Err(problem)),
        }
    }

    fn note_login(&self, user: &UserId, attempt: Attempt) {
        // Names that nobody has would fill the disk.
        if let Some(logins) = self.logins.as_ref().filter(|_| self.rows.read().users.contains_key(user)) {
            logins.note(user, attempt);
        }
    }

    fn name_client(&self, user: &UserId, conn: u64, client: &str) {
        if let Some(logins) = &self.logins {
            logins.name_client(user, conn, client);
        }
    }

    fn logins(&self, user: &UserId) -> Result<Vec<Login>> {
        self.logins.as_ref().map_or_else(|| Ok(Vec::new()), |logins| logins.of(user))
    }

    fn app_passwords(&self, user: &UserId) -> Result<Vec<AppPassword>> {
        let rows = self.rows.read();
        if !rows.users.contains_key(user) {
            return Err(Error::NoUser(user.to_string()));
        }
        Ok(rows.passwords.get(user).into_iter().flat_map(|stored| &stored.apps).map(|app| app.app.clone()).collect())
    }

    fn add_app_password(&self, user: &UserId, app: &AppPassword) -> Result<Secret> {
        app.check()?;
        let taken = self.rows.read().passwords.get(user).map(|stored| stored.apps.clone()).unwrap_or_default();
        // Before anything is locked: it takes its time.
        let (made, password) = StoredApp::make(app, &taken, &self.hasher)?;
        self.change_apps(user, |apps| {
            if apps.iter().any(|known| known.app.name == app.name) {
                return Err(Error::Exists(format!("{user} has an app password called {:?} already", app.name)));
            }
            if apps.len() >= MAX_APP_PASSWORDS {
                return Err(Error::Invalid(format!("a user has at most {MAX_APP_PASSWORDS} app passwords")));
            }
            if apps.iter().any(|known| known.selector == made.selector) {
                return Err(Error::Unavailable("another app password was made at the same time, try again".into()));
            }
            apps.push(made);
            Ok(password)
        })
    }

    fn remove_app_passwords(&self, user: &UserId, name: Option<&str>) -> Result<usize> {
        let removed = self.change_apps(user, |apps| {
            let before = apps.len();
            apps.retain(|known| name.is_some_and(|name| known.app.name != name));
            Ok(before - apps.len())
        })?;
        self.hasher.forget(user);
        Ok(removed)
    }

    fn account(&self, user: &UserId) -> Result<Option<Account>> {
        let rows = self.rows.read();
        let active = rows.users.get(user).filter(|row| row.state == UserState::Active);
        Ok(active.map(|row| Account {
            user: row.uid.clone(),
            admin: row.admin || self.admins.contains(&row.uid),
            groups: row.groups.clone(),
        }))
    }

    fn resolve(&self, local: &str, domain: Option<&str>) -> Result<Resolution> {
        let rows = self.rows.read();
        let domain = match domain {
            Some(domain) => DomainName::parse(domain).ok(),
            None => {
                if let Some(uid) = UserId::parse(local).ok().filter(|uid| rows.users.contains_key(uid)) {
                    return rows.recipient(&uid);
                }
                rows.primary().cloned()
            }
        };
        let Some(address) = domain.and_then(|domain| Address::new(local, domain).ok()) else {
            return Ok(Resolution::Unknown);
        };
        match rows.addresses.get(&address) {
            Some(Owner::User(uid)) => rows.recipient(uid),
            Some(Owner::Alias) => rows.recipients(&address),
            None => Ok(Resolution::Unknown),
        }
    }

    fn domains(&self) -> Result<Vec<Domain>> {
        Ok(self.rows.read().domains.values().cloned().collect())
    }

    fn create_domain(&self, name: &DomainName, description: &str) -> Result<()> {
        self.make_domain(name, description, false)
    }

    fn user(&self, user: &UserId) -> Result<Option<User>> {
        Ok(self.rows.read().users.get(user).cloned())
    }

    fn users(&self, domain: Option<&DomainName>) -> Result<Vec<User>> {
        let rows = self.rows.read();
        let wanted = |user: &&User| domain.is_none_or(|domain| user.mail.domain() == domain);
        Ok(rows.users.values().filter(wanted).cloned().collect())
    }

    fn create_user(&self, user: &NewUser, password: &Secret) -> Result<User> {
        let row = user.clone().into_user()?;
        let stored = StoredPassword::of(password, &self.hasher, self.scram)?;
        self.change(|rows| {
            if !rows.domains.contains_key(row.mail.domain()) {
                return Err(Error::NoDomain(row.mail.domain().to_string()));
            }
            if rows.users.get(&row.uid).is_some_and(|old| old.state != UserState::Pending) {
                return Err(Error::Exists(format!("the user {} exists already", row.uid)));
            }
            rows.require_free(&row.mail, &row.uid)?;
            Ok(vec![Change::User(row.clone()), Change::Password(row.uid.clone(), stored)])
        })?;
        Ok(row)
    }

    fn activate_user(&self, user: &UserId) -> Result<()> {
        self.with_user(user, |row| {
            row.state = UserState::Active;
            Ok(())
        })
    }

    fn update_user(&self, user: &User) -> Result<()> {
        user.check()?;
        self.change(|rows| {
            let old = rows.users.get(&user.uid).ok_or_else(|| Error::NoUser(user.uid.to_string()))?;
            if !rows.domains.contains_key(user.mail.domain()) {
                return Err(Error::NoDomain(user.mail.domain().to_string()));
            }
            for address in user.alternates.iter().chain([&user.mail]) {
                rows.require_free(address, &user.uid)?;
            }
            let state = match (old.state, user.state) {
                // Only the one who makes the mailbox can say that it is there.
                (UserState::Pending, _) => UserState::Pending,
                (state, UserState::Pending) | (_, state) => state,
            };
            Ok(vec![Change::User(User { state, ..user.clone() })])
        })
    }

    fn set_password(&self, user: &UserId, password: &Secret) -> Result<()> {
        self.replace_password(user, StoredPassword::of(password, &self.hasher, self.scram)?)
    }

    fn set_password_hash(&self, user: &UserId, hash: &Secret) -> Result<()> {
        let hash = std::str::from_utf8(hash.expose())
            .map_err(|_| Error::Invalid("a password hash is text, and that is not UTF-8".into()))?;
        self.replace_password(user, StoredPassword::brought(hash)?)
    }

    fn delete_user(&self, user: &UserId) -> Result<()> {
        if user.as_str() == ADMIN {
            return Err(Error::Protected("the user admin can't be deleted".into()));
        }
        self.change(|rows| {
            if !rows.users.contains_key(user) {
                return Err(Error::NoUser(user.to_string()));
            }
            let mut changes = rows.without_member(user);
            changes.push(Change::DeleteUser(user.clone()));
            Ok(changes)
        })?;
        self.hasher.forget(user);
        if let Some(logins) = &self.logins {
            logins.forget(user);
        }
        Ok(())
    }

    fn alias(&self, address: &Address) -> Result<Option<Alias>> {
        Ok(self.rows.read().aliases.get(address).cloned())
    }

    fn checkpoint(&self) -> Result<()> {
        self.ledger.dump_now().map_err(rows::unavailable)
    }

    fn close(&self) -> Result<()> {
        if let Some(logins) = &self.logins {
            logins.close();
        }
        self.ledger.close().map_err(|e| Error::Unavailable(e.to_string()))
    }
}

#[cfg(test)]
mod tests;
