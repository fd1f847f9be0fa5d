//! The directory that Angarium keeps itself: rows of a [`durable::Ledger`], all of them in memory too, because every
//! delivery and every login asks (docs/formats/directory.md).
//!
//! A change is planned against the rows in memory, written to the ledger as one batch, and taken into memory when the
//! ledger has it: nobody ever sees half a change, or one that a crash could undo. Its entries in the audit log are in the
//! same batch, until they are durable in their file.

mod changing;
mod moving;
mod row_format;
mod rows;
mod text_index;
mod view;

use std::path::Path;
use std::sync::Arc;

use durable::disk::Disk;
use durable::{Ledger, OpenReport, Options};
use parking_lot::{Mutex, RwLock};

use crate::actor::Actor;
use crate::app_password::AppPassword;
use crate::audit::{AuditFile, Entry, Event};
use crate::credentials::Credentials;
use crate::domain::DomainName;
use crate::error::{Error, Result};
use crate::expansion;
use crate::founding;
use crate::logins::Logins;
use crate::origin::{Accepted, Origin, Refusal, Verdict};
use crate::password::HashCost;
use crate::passwords::{Checked, Passwords};
use crate::scram::{self, ScramCost, ScramHash, ScramKeys, Verifier};
use crate::secret::Secret;
use crate::surroundings::Surroundings;
use crate::token::TokenCheck;
use crate::user::{UserId, UserState};
use crate::view::View;
use crate::{Account, Directory, Plan, Resolution, Revision};
use changing::Changing;
use row_format::{Rewrite, Stored, unavailable};
use rows::Rows;

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
    changing: Mutex<Changing>,
    passwords: Passwords,
    admins: Vec<UserId>,
    surroundings: Surroundings,
    audit: AuditFile,
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
        let options = Options { create, ..Options::default() };
        let (index, copies) = (config.join("directory.db"), config.join("copies"));
        let opened = Ledger::open(&index, &copies, "directory", Arc::clone(&disk), &options);
        let (ledger, report) = opened.map_err(unavailable)?;
        let Stored { rows, moves, outbox } = Stored::load(&ledger)?;
        let directory = Embedded {
            ledger,
            rows: RwLock::new(rows),
            changing: Mutex::default(),
            passwords: Passwords::new(settings.hash_cost, settings.scram)?,
            admins: settings.admins.clone(),
            surroundings: Surroundings::default(),
            audit: AuditFile::new(&config.join("log"), disk),
            logins: None,
            tokens: None,
        };
        directory.resume(moves, outbox.into_values().collect());
        founding::ensure_primary_domain(&directory, &settings.primary_domain)?;
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

    /// Looks at the machine around where rules want it.
    #[must_use]
    pub fn with_surroundings(mut self, surroundings: Surroundings) -> Embedded {
        self.surroundings = surroundings;
        self
    }

    /// The audit log.
    #[must_use]
    pub fn audit(&self) -> &AuditFile {
        &self.audit
    }

    /// Makes the secret that hides who exists, if there is none yet. It lasts: a salt that changed would tell.
    fn ensure_scram_secret(&self) -> Result<()> {
        if self.rows.read().scram_secret.is_some() {
            return Ok(());
        }
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(|e| Error::Unavailable(e.to_string()))?;
        let mut rewrite = Rewrite::default();
        rewrite.scram_secret(&key)?;
        rewrite.apply(&self.ledger)?;
        self.rows.write().scram_secret = Some(key);
        Ok(())
    }

    /// Keeps what should be kept of a password that was just right, unless it was changed meanwhile. The login does not
    /// depend on it.
    fn renew_password(&self, user: &UserId, kept: &Credentials, password: &Secret) {
        let renewed = self.passwords.renewed(kept, password).and_then(|renewed| {
            let Some(renewed) = renewed else { return Ok(()) };
            self.change(&Actor::server(), &mut |view| {
                let mut plan = Plan::default();
                if let Some(now) = view.credentials(user)?.filter(|now| now.hash == kept.hash) {
                    let row = Credentials { apps: now.apps, ..renewed.clone() };
                    plan.push(crate::Change::Credentials(user.clone(), row));
                }
                Ok(plan)
            })
            .map(drop)
        });
        if let Err(error) = renewed {
            tracing::warn!(event = "directory.password.kept", %user, %error, "the password's hash could not be renewed");
        }
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
}

impl Directory for Embedded {
    fn authenticate(&self, login: &str, password: &Secret, origin: &Origin<'_>) -> Result<Verdict> {
        // A login that can't be a user ID is checked against the decoy all the same.
        let user = UserId::parse(login).unwrap_or_else(|_| UserId::admin());
        let known = UserId::parse(login).is_ok();
        let kept = self.rows.read().credentials.get(&user).filter(|_| known).cloned();
        let app = match self.passwords.check(&user, kept.as_ref(), password) {
            Checked::Wrong => return Ok(Verdict::Refused(Refusal::Wrong)),
            Checked::Own => None,
            Checked::App(app) => Some(app),
        };
        let verdict = self.accept(&user, app.as_ref(), origin)?;
        match (&kept, &verdict) {
            (Some(kept), Verdict::Accepted(_)) if app.is_none() => self.renew_password(&user, kept, password),
            (_, Verdict::Accepted(_)) => {}
            (_, Verdict::Refused(_)) => self.passwords.forget_refused(&user, kept.as_ref(), password),
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
        let kept = user.filter(active).and_then(|user| rows.credentials.get(&user));
        let verifier = kept.and_then(|kept| kept.scram.iter().find(|verifier| verifier.is_for(hash)));
        let secret = rows.scram_secret.unwrap_or_default();
        Ok(verifier.map_or_else(|| scram::decoy(hash, &secret, login, self.passwords.scram), Verifier::keys))
    }

    fn answers_from_memory(&self) -> bool {
        true
    }

    fn recognise(&self, login: &str, password: &Secret, origin: &Origin<'_>) -> Option<Accepted> {
        let user = UserId::parse(login).ok()?;
        // Nothing is copied, and no lock is held twice.
        let recognised = self.passwords.recognise(&user, self.rows.read().credentials.get(&user)?, password)?;
        let app = match recognised {
            Checked::App(app) => Some(app),
            Checked::Own | Checked::Wrong => None,
        };
        // What the password is good for, and whether the user may come in, is asked each time.
        match self.accept(&user, app.as_ref(), origin).ok()? {
            Verdict::Accepted(accepted) => Some(accepted),
            Verdict::Refused(_) => None,
        }
    }

    fn token_check(&self) -> Option<&dyn TokenCheck> {
        self.tokens.as_deref()
    }

    fn history(&self) -> Option<&Logins> {
        self.logins.as_ref()
    }

    fn remembers(&self, user: &UserId) -> bool {
        self.rows.read().users.contains_key(user)
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
        expansion::resolve(&*self.rows.read(), local, domain)
    }

    fn read(&self, look: &mut dyn FnMut(&dyn View) -> Result<()>) -> Result<()> {
        look(&*self.rows.read())
    }

    fn change(&self, actor: &Actor, plan: &mut dyn FnMut(&dyn View) -> Result<Plan>) -> Result<Revision> {
        self.plan_and_change(actor, plan)
    }

    fn note(&self, actor: &Actor, events: &[Event]) -> Result<()> {
        self.note_events(actor, events)
    }

    fn audited(&self, before: Option<u64>, limit: usize) -> Result<Vec<Entry>> {
        self.audit.before(before.unwrap_or(u64::MAX), limit).map_err(unavailable)
    }

    fn passwords(&self) -> &Passwords {
        &self.passwords
    }

    fn surroundings(&self) -> &Surroundings {
        &self.surroundings
    }

    fn checkpoint(&self) -> Result<()> {
        self.ledger.dump_now().map_err(unavailable)
    }

    fn close(&self) -> Result<()> {
        if let Some(logins) = &self.logins {
            logins.close();
        }
        self.settle_audit();
        self.ledger.close().map_err(unavailable)
    }
}

#[cfg(test)]
mod tests;
