//! A directory that an LDAP server keeps: domains, users and aliases are entries of a schema of ours beside inetOrgPerson
//! (docs/ldap.md), which other programs may read, and people's own entries may be.
//!
//! Nothing is copied: who asks is answered by the server, or with what it said a moment ago ([`Settings::cache_fresh`]).
//! When it does not answer, logins and mail wait; look-ups of those it has lately spoken of go on for a while
//! ([`Settings::cache_stale`]). It is never taken for an answer that somebody does not exist.
//!
//! A directory is there before its server is: whoever asks first, once it answers, has it made ready for all
//! ([`Ldap::ready`]).
//!
//! Lists come sorted: LDAP keeps values of an attribute in no order.

mod cache;
mod change;
mod dn;
pub mod entries;
mod filter;
mod founding;
mod link;
mod meter;
mod rows;
mod schema;
mod settings;
mod url;
mod view;

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use directory::{
    Accepted, Account, Actor, AppPassword, AuditFile, Checked, Credentials, Directory, DomainName, Entry, Error, Event,
    Logins, Origin, Passwords, Plan, Refusal, Resolution, Result, Revision, Secret, Surroundings, TokenCheck, User,
    UserId, UserState, Verdict, View,
};
use durable::disk::Disk;
use parking_lot::{Mutex, RwLock};

use cache::{Cache, Key, Value};
use change::Changing;
pub use dn::is_name;
use filter::Filter;
use link::{Links, Trouble, code};
pub use meter::Meter;
use schema::{Places, class};
pub use settings::{Check, Identity, Settings};
pub use url::{Scheme, Url, UrlError};
use view::{Look, Source};

/// A directory in an LDAP server. One program at a time may change it; any number may read.
pub struct Ldap {
    links: Links,
    cache: Cache,
    places: Places,
    /// Whether what everybody relies on is there: the places, the end of a change that a crash cut short, a domain.
    is_ready: AtomicBool,
    /// One at a time makes it so.
    readying: Mutex<()>,
    /// Whether what is not there is to be made.
    create: bool,
    primary_domain: DomainName,
    /// One change at a time.
    changing: Mutex<Changing>,
    audit: Arc<AuditFile>,
    /// A domain that is being renamed.
    moving: RwLock<Option<(DomainName, DomainName)>>,
    passwords: Passwords,
    check: Check,
    admins: Vec<UserId>,
    surroundings: Surroundings,
    logins: Option<Logins>,
    tokens: Option<Arc<dyn TokenCheck>>,
}

/// How things are between us and the server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Status {
    /// For how long the server has not answered, and why; nothing if it does.
    pub outage: Option<(Duration, String)>,
    /// Answers that are remembered.
    pub cached: usize,
    /// How old the oldest of them is.
    pub oldest: Option<Duration>,
    /// Look-ups that were answered from memory because the server did not answer.
    pub bridged: u64,
    /// Connections that are open.
    pub connections: usize,
}

/// Connections by other settings, ready to come in place of those at work ([`Ldap::hand_over`]).
pub struct Successor(link::Successor);

impl fmt::Debug for Successor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Successor").finish_non_exhaustive()
    }
}

impl fmt::Debug for Ldap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ldap").field("links", &self.links).finish_non_exhaustive()
    }
}

impl Ldap {
    /// A directory whose server nobody has talked to yet. With `create`, what is not there when that happens is made: the
    /// entries that everything is kept below, and the primary domain. The audit log and the history of logins are below
    /// `config`.
    ///
    /// # Errors
    /// [`Error::Unavailable`] for settings that can't be used: a file of certificates that is none.
    pub fn new(config: &Path, disk: Arc<dyn Disk>, create: bool, settings: &Settings) -> Result<Ldap> {
        let audit = Arc::new(AuditFile::new(&config.join("log"), disk));
        Ok(Ldap {
            links: Links::new(settings)?,
            cache: Cache::new(settings.cache_size, settings.cache_fresh, settings.cache_stale),
            places: Places::new(&settings.base),
            is_ready: AtomicBool::new(false),
            readying: Mutex::default(),
            create,
            primary_domain: settings.primary_domain.clone(),
            changing: Mutex::new(Changing::new(Arc::clone(&audit))),
            audit,
            moving: RwLock::default(),
            passwords: Passwords::new(settings.hash_cost, settings.scram)?,
            check: settings.check,
            admins: settings.admins.clone(),
            surroundings: Surroundings::default(),
            logins: None,
            tokens: None,
        })
    }

    /// The same, and ready.
    ///
    /// # Errors
    /// As [`new`](Self::new) and [`ready`](Self::ready).
    pub fn open(config: &Path, disk: Arc<dyn Disk>, create: bool, settings: &Settings) -> Result<Ldap> {
        let directory = Ldap::new(config, disk, create, settings)?;
        directory.ready()?;
        Ok(directory)
    }

    /// Sees to it, once, that everybody gets right answers: what a crash cut short is finished, and what must be there is
    /// there. Whoever asks something comes by here first.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when the server can't be reached, does not let us in or does not do what must be done: the text
    /// says what.
    pub fn ready(&self) -> Result<()> {
        if self.is_ready.load(Ordering::Acquire) {
            return Ok(());
        }
        let _alone = self.readying.lock();
        if self.is_ready.load(Ordering::Acquire) {
            return Ok(());
        }
        if self.create {
            founding::make_places(&self.links, &self.places)?;
        }
        self.resume()?;
        if self.create {
            let server = Actor::server();
            self.plan_and_change(&server, &mut |view| directory::plan_primary_domain(view, &self.primary_domain))?;
        } else if !self.has_primary_domain()? {
            let base = &self.places.base;
            let why = format!("there are mailboxes here, and no domain below {base}: angarium mkimap makes one");
            return Err(Error::Unavailable(why));
        }
        self.is_ready.store(true, Ordering::Release);
        Ok(())
    }

    fn has_primary_domain(&self) -> Result<bool> {
        let primary = Filter::Is(schema::PRIMARY, "TRUE".to_owned());
        match self.links.find(&view::search(&self.places.domains, class::DOMAIN, Some(primary), None)) {
            Ok(found) => Ok(!found.is_empty()),
            Err(Trouble::Refused { code: code::NO_SUCH_OBJECT, .. }) => Ok(false),
            Err(trouble) => Err(trouble.into()),
        }
    }

    /// Connections by other settings, of which places, sizes and how passwords are checked do not count. Nothing has
    /// changed yet.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn successor(&self, settings: &Settings) -> Result<Successor> {
        self.links.successor(settings).map(Successor)
    }

    /// Goes on over these. What is under way ends over those that it began on.
    pub fn hand_over(&self, successor: Successor) {
        self.links.hand_over(successor.0);
    }

    /// Keeps a history of logins.
    #[must_use]
    pub fn with_logins(mut self, logins: Logins) -> Ldap {
        self.logins = Some(logins);
        self
    }

    /// Takes tokens that `check` finds good.
    #[must_use]
    pub fn with_tokens(mut self, check: Arc<dyn TokenCheck>) -> Ldap {
        self.tokens = Some(check);
        self
    }

    /// Looks at the machine around where rules want it.
    #[must_use]
    pub fn with_surroundings(mut self, surroundings: Surroundings) -> Ldap {
        self.surroundings = surroundings;
        self
    }

    /// How things are.
    #[must_use]
    pub fn status(&self) -> Status {
        let (cached, oldest) = self.cache.extent();
        let outage = self.links.outage().map(|outage| (outage.since.elapsed(), outage.why));
        let bridged = self.meter().bridged.load(Ordering::Relaxed);
        Status { outage, cached, oldest, bridged, connections: self.links.open() }
    }

    /// What is counted.
    #[must_use]
    pub fn meter(&self) -> &Meter {
        self.links.meter()
    }

    fn source<'a>(&'a self, moving: Option<&'a (DomainName, DomainName)>) -> Source<'a> {
        Source { links: &self.links, cache: &self.cache, places: &self.places, meter: self.links.meter(), moving }
    }

    fn account_of(&self, row: &User) -> Account {
        Account {
            user: row.uid.clone(),
            admin: row.admin || self.admins.contains(&row.uid),
            groups: row.groups.clone(),
        }
    }

    /// What a right password leads to: the user's own, or the app password `app`.
    fn accept(&self, row: &User, app: Option<&AppPassword>, origin: &Origin<'_>) -> Verdict {
        if row.state != UserState::Active {
            return Verdict::Refused(Refusal::Disabled);
        }
        let mut account = self.account_of(row);
        if let Some(app) = app {
            if let Err(unfit) = app.permits(origin) {
                return Verdict::Refused(Refusal::App { name: app.name.clone(), unfit });
            }
            // It is for a program that reads mail: whoever finds the telephone must not get the server.
            account.admin = false;
        }
        Verdict::Accepted(Accepted { account, app: app.map(|app| app.name.clone()) })
    }

    /// Lets in whom the server has spoken of lately, while it does not answer: `why`. Who can't be let in may still be right.
    fn authenticate_from_memory(
        &self,
        user: &UserId,
        is_name: bool,
        password: &Secret,
        origin: &Origin<'_>,
        why: String,
    ) -> Result<Verdict> {
        let known = self.cache.stale(&Key::User(user.clone())).filter(|_| is_name);
        let person = match known {
            Some(Value::User(row, kept)) => Some((row, kept)),
            _ => None,
        };
        let kept = person.as_ref().and_then(|(_, kept)| kept.as_ref());
        let app = match self.passwords.check(user, kept, password) {
            Checked::Wrong => return Err(Error::Unavailable(why)),
            Checked::Own => None,
            Checked::App(app) => Some(app),
        };
        let verdict = person.map(|(row, _)| self.accept(&row, app.as_ref(), origin));
        match verdict {
            Some(Verdict::Accepted(accepted)) => {
                meter::add(&self.meter().bridged);
                Ok(Verdict::Accepted(accepted))
            }
            Some(Verdict::Refused(_)) | None => Err(Error::Unavailable(why)),
        }
    }

    /// What a password is. The server is asked in any case, whoever it is about.
    fn check_password(&self, user: &UserId, kept: Option<&Credentials>, password: &Secret) -> Result<Checked> {
        match self.check {
            Check::Hash => Ok(self.passwords.check(user, kept, password)),
            Check::Bind => {
                if self.links.bind(&self.places.user(user.as_str()), password)? {
                    return Ok(Checked::Own);
                }
                // The hash, if there is one, is the server's business. A password that is wrong costs a hash of ours.
                Ok(match self.passwords.check(user, kept, password) {
                    Checked::App(app) => Checked::App(app),
                    Checked::Own | Checked::Wrong => Checked::Wrong,
                })
            }
        }
    }

    /// Keeps what should be kept of a password that was just right, unless it was changed meanwhile. The login does not
    /// depend on it.
    fn renew_password(&self, user: &UserId, kept: &Credentials, password: &Secret) {
        let renewed = self.passwords.renewed(kept, password).and_then(|renewed| {
            let Some(renewed) = renewed else { return Ok(()) };
            self.change(&Actor::server(), &mut |view| {
                let now = view.credentials(user)?.filter(|now| now.hash() == kept.hash());
                let row = now.map(|now| directory::Change::Credentials(user.clone(), renewed.keeping_apps_of(&now)));
                Ok(Plan { changes: row.into_iter().collect(), events: Vec::new() })
            })
            .map(drop)
        });
        if let Err(error) = renewed {
            tracing::warn!(event = "directory.password.kept", %user, %error, "the password's hash could not be renewed");
        }
    }
}

impl Directory for Ldap {
    fn authenticate(&self, login: &str, password: &Secret, origin: &Origin<'_>) -> Result<Verdict> {
        // A login that can't be a user ID is checked all the same, as somebody who does not exist.
        let user = UserId::parse(login).unwrap_or_else(|_| UserId::admin());
        let is_name = UserId::parse(login).is_ok();
        let asked = self.ready().and_then(|()| Look::now(self.source(None)).person(&user));
        let person = match asked {
            Err(Error::Unavailable(why)) if self.check == Check::Hash => {
                return self.authenticate_from_memory(&user, is_name, password, origin, why);
            }
            asked => asked?.filter(|_| is_name),
        };
        let kept = person.as_ref().and_then(|(_, kept)| kept.as_ref());
        let app = match self.check_password(&user, kept, password)? {
            Checked::Wrong => return Ok(Verdict::Refused(Refusal::Wrong)),
            Checked::Own => None,
            Checked::App(app) => Some(app),
        };
        let Some((row, kept)) = &person else { return Ok(Verdict::Refused(Refusal::Wrong)) };
        let verdict = self.accept(row, app.as_ref(), origin);
        match (kept, &verdict) {
            (Some(kept), Verdict::Accepted(_)) if app.is_none() && self.check == Check::Hash => {
                self.renew_password(&user, kept, password);
            }
            (_, Verdict::Accepted(_)) => {}
            (kept, Verdict::Refused(_)) => self.passwords.forget_refused(&user, kept.as_ref(), password),
        }
        Ok(verdict)
    }

    fn recognise(&self, login: &str, password: &Secret, origin: &Origin<'_>) -> Option<Accepted> {
        let user = UserId::parse(login).ok()?;
        let Some(Value::User(row, kept)) = self.cache.fresh(&Key::User(user.clone())) else { return None };
        let app = match self.passwords.recognise(&user, &kept?, password)? {
            Checked::App(app) => Some(app),
            // Only the server knows, and may have changed its mind.
            Checked::Own if self.check == Check::Bind => return None,
            Checked::Own | Checked::Wrong => None,
        };
        match self.accept(&row, app.as_ref(), origin) {
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
        // Whoever was just asked about is, if there is such a user.
        self.cache.knows(&Key::User(user.clone()))
    }

    fn account(&self, user: &UserId) -> Result<Option<Account>> {
        self.ready()?;
        let person = Look::cached(self.source(None)).person(user)?;
        let active = person.filter(|(row, _)| row.state == UserState::Active);
        Ok(active.map(|(row, _)| self.account_of(&row)))
    }

    fn resolve(&self, local: &str, domain: Option<&str>) -> Result<Resolution> {
        directory::look(self, |view| directory::resolve(view, local, domain))
    }

    fn read(&self, look: &mut dyn FnMut(&dyn View) -> Result<()>) -> Result<()> {
        self.ready()?;
        let moving = self.moving.read().clone();
        look(&Look::cached(self.source(moving.as_ref())))
    }

    fn change(&self, actor: &Actor, plan: &mut dyn FnMut(&dyn View) -> Result<Plan>) -> Result<Revision> {
        self.ready()?;
        self.plan_and_change(actor, plan)
    }

    fn note(&self, actor: &Actor, events: &[Event]) -> Result<()> {
        self.ready()?;
        self.note_events(actor, events)
    }

    fn audited(&self, before: Option<u64>, limit: usize) -> Result<Vec<Entry>> {
        let found = self.audit.before(before.unwrap_or(u64::MAX), limit);
        found.map_err(|error| Error::Unavailable(error.to_string()))
    }

    fn passwords(&self) -> &Passwords {
        &self.passwords
    }

    fn surroundings(&self) -> &Surroundings {
        &self.surroundings
    }

    fn close(&self) -> Result<()> {
        if let Some(logins) = &self.logins {
            logins.close();
        }
        self.settle_audit();
        Ok(())
    }
}
