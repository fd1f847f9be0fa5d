//! Connections to the server: a few that all work is spread over, made when they are needed, made anew when they are lost.
//!
//! LDAP carries many operations over one connection at a time (RFC 4511, 3.1), so nobody waits for a connection to be free.
//! A server that can't be reached is left alone for a while, and everybody who asks meanwhile hears at once what is wrong.
//!
//! The connections live on a thread of their own. Callers block, whatever thread they are on.

mod gate;
pub(crate) mod tls;

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use directory::{Error, Result, Secret};
use ldap3::controls::{Control, ControlType, PagedResults, RawControl};
use ldap3::{Ldap, LdapConnAsync, LdapConnSettings, LdapError, LdapResult, Mod, Scope, SearchEntry};
use rustls::ClientConfig;
use tokio::runtime::Runtime;

use crate::filter::Filter;
use crate::meter::{Meter, add};
use crate::settings::Settings;
use crate::url::Scheme;
use gate::Gate;
pub(crate) use gate::Outage;

/// Entries of a page of a long list (RFC 2696): below the 500 that slapd gives at a time unless it is told otherwise.
const PAGE: i32 = 400;

/// Result codes that we look at (RFC 4511, appendix A).
pub(crate) mod code {
    pub(crate) const NO_SUCH_OBJECT: u32 = 32;
    pub(crate) const INAPPROPRIATE_AUTHENTICATION: u32 = 48;
    pub(crate) const INVALID_CREDENTIALS: u32 = 49;
    pub(crate) const ENTRY_ALREADY_EXISTS: u32 = 68;
}

/// Attributes to be written; one without values is taken away.
pub(crate) type Attributes = Vec<(&'static str, Vec<String>)>;

/// An entry that was found.
pub(crate) struct Entry {
    pub(crate) dn: String,
    /// By name in lower case.
    attributes: HashMap<String, Vec<String>>,
}

impl Entry {
    /// An entry that came from somewhere else.
    pub(crate) fn new(dn: String, attributes: impl IntoIterator<Item = (String, String)>) -> Entry {
        let mut all: HashMap<String, Vec<String>> = HashMap::new();
        for (name, value) in attributes {
            all.entry(name.to_ascii_lowercase()).or_default().push(value);
        }
        Entry { dn, attributes: all }
    }

    /// The values of an attribute, sorted: LDAP gives them in no order. Empty if it is not there, or not text.
    pub(crate) fn all(&self, attribute: &str) -> Vec<&str> {
        let values = self.attributes.get(&attribute.to_ascii_lowercase());
        let mut values: Vec<&str> = values.into_iter().flatten().map(String::as_str).collect();
        values.sort_unstable();
        values
    }

    /// The value of an attribute that has one.
    pub(crate) fn one(&self, attribute: &str) -> Option<&str> {
        self.attributes.get(&attribute.to_ascii_lowercase())?.first().map(String::as_str)
    }
}

impl From<SearchEntry> for Entry {
    fn from(found: SearchEntry) -> Entry {
        let attributes = found.attrs.into_iter().map(|(name, values)| (name.to_ascii_lowercase(), values)).collect();
        Entry { dn: found.dn, attributes }
    }
}

/// Why an operation came to nothing.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// The server said no; nothing has changed.
    Refused { code: u32, text: String },
    /// There was no answer: whether it was done is not known.
    Lost(String),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trouble::Refused { text, .. } => write!(f, "the LDAP server refuses: {text}"),
            Trouble::Lost(why) => f.write_str(why),
        }
    }
}

impl From<Trouble> for Error {
    fn from(trouble: Trouble) -> Error {
        Error::Unavailable(trouble.to_string())
    }
}

/// Where to look, and for what.
#[derive(Clone, Debug)]
pub(crate) struct Search {
    pub(crate) base: String,
    pub(crate) scope: Scope,
    pub(crate) filter: Filter,
    /// `None`: all that users have.
    pub(crate) attributes: Option<&'static [&'static str]>,
}

/// All connections.
pub(crate) struct Links {
    shared: ArcSwap<Shared>,
    meter: Arc<Meter>,
    /// There until the end.
    runtime: Option<Runtime>,
}

/// Connections that are to come in place of others.
pub(crate) struct Successor(Arc<Shared>);

struct Shared {
    settings: Settings,
    tls: Option<Arc<ClientConfig>>,
    /// Connections as ourselves.
    links: Vec<Slot>,
    /// Connections that users' passwords are tried on, one at a time: a bind changes who a connection is.
    binders: Vec<Slot>,
    turn: AtomicUsize,
    made: AtomicU64,
    gate: Gate,
    meter: Arc<Meter>,
}

type Slot = tokio::sync::Mutex<Option<Link>>;

#[derive(Clone)]
struct Link {
    number: u64,
    place: usize,
    ldap: Ldap,
}

impl fmt::Debug for Links {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Links").field("url", &self.shared.load().settings.url).finish_non_exhaustive()
    }
}

impl Links {
    /// Connects to nobody yet.
    pub(crate) fn new(settings: &Settings) -> Result<Links> {
        let meter = Arc::<Meter>::default();
        let shared = ArcSwap::from_pointee(Shared::new(settings, &meter)?);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("ldap")
            .enable_all()
            .build()
            .map_err(|error| Error::Unavailable(error.to_string()))?;
        Ok(Links { shared, meter, runtime: Some(runtime) })
    }

    /// Those that other settings ask for, not made yet.
    pub(crate) fn successor(&self, settings: &Settings) -> Result<Successor> {
        Shared::new(settings, &self.meter).map(|shared| Successor(Arc::new(shared)))
    }

    /// Goes on over these. What is under way ends over the connections that it began on.
    pub(crate) fn hand_over(&self, successor: Successor) {
        self.shared.store(successor.0);
    }

    /// What is counted.
    pub(crate) fn meter(&self) -> &Arc<Meter> {
        &self.meter
    }

    /// Connections that are open; one that is being made is none.
    pub(crate) fn open(&self) -> usize {
        let shared = self.shared.load();
        let is_open = |slot: &&Slot| {
            slot.try_lock().is_ok_and(|mut slot| slot.as_mut().is_some_and(|link| !link.ldap.is_closed()))
        };
        shared.links.iter().chain(&shared.binders).filter(is_open).count()
    }

    /// Since when the server can't be reached, and why.
    pub(crate) fn outage(&self) -> Option<Outage> {
        self.shared.load().gate.outage()
    }

    /// What is found, for questions with few answers.
    pub(crate) fn find(&self, search: &Search) -> Result<Vec<Entry>, Trouble> {
        let ask = || {
            let (shared, search) = (self.shared.load_full(), search.clone());
            self.wait(async move {
                let link = shared.link().await?;
                Ok(shared.page(link, &search, None).await?.entries)
            })
        };
        // A connection that went away while nobody used it is no reason for an error.
        match ask() {
            Err(Trouble::Lost(_)) => ask(),
            answer => answer,
        }
    }

    /// Gives `take` everything that is found, page by page.
    pub(crate) fn each(&self, search: &Search, take: &mut dyn FnMut(Entry) -> Result<()>) -> Result<()> {
        let mut next: Option<(Link, Vec<u8>)> = None;
        let whole = self.shared.load_full();
        loop {
            let (shared, search) = (Arc::clone(&whole), search.clone());
            let page = self.wait(async move {
                // The cookie is good for the connection that it came over.
                let (link, cookie) = match next.take() {
                    Some((link, cookie)) => (link, cookie),
                    None => (shared.link().await?, Vec::new()),
                };
                let page = shared.page(link.clone(), &search, Some(cookie)).await?;
                Ok((link, page))
            });
            let (link, page) = page?;
            page.entries.into_iter().try_for_each(&mut *take)?;
            if page.cookie.is_empty() {
                return Ok(());
            }
            next = Some((link, page.cookie));
        }
    }

    /// Adds an entry.
    pub(crate) fn add(&self, dn: &str, attributes: &Attributes) -> Result<(), Trouble> {
        let attributes = attributes.iter().filter(|(_, values)| !values.is_empty());
        let attributes: Vec<_> = attributes.map(|(name, values)| ((*name).to_owned(), set(values))).collect();
        let dn = dn.to_owned();
        self.operate(move |mut ldap| async move { ldap.add(&dn, attributes).await })
    }

    /// Replaces attributes of an entry.
    pub(crate) fn replace(&self, dn: &str, attributes: &Attributes) -> Result<(), Trouble> {
        let replace = attributes.iter().map(|(name, values)| Mod::Replace((*name).to_owned(), set(values)));
        let (dn, replace) = (dn.to_owned(), replace.collect());
        self.operate(move |mut ldap| async move { ldap.modify(&dn, replace).await })
    }

    /// Removes an entry.
    pub(crate) fn delete(&self, dn: &str) -> Result<(), Trouble> {
        let dn = dn.to_owned();
        self.operate(move |mut ldap| async move { ldap.delete(&dn).await })
    }

    /// Gives an entry another name below the same parent.
    pub(crate) fn rename(&self, dn: &str, name: &str) -> Result<(), Trouble> {
        let (dn, name) = (dn.to_owned(), name.to_owned());
        self.operate(move |mut ldap| async move { ldap.modifydn(&dn, &name, true, None).await })
    }

    /// Whether the server lets somebody in with a password, which must not be empty: a bind with an empty one asks nothing
    /// and succeeds (RFC 4513, 5.1.2).
    pub(crate) fn bind(&self, dn: &str, password: &Secret) -> Result<bool, Trouble> {
        let Some(password) = std::str::from_utf8(password.expose()).ok().filter(|text| !text.is_empty()) else {
            return Ok(false);
        };
        let (shared, dn, password) = (self.shared.load_full(), dn.to_owned(), Secret::new(password));
        self.wait(async move { shared.bind(&dn, &password).await })
    }

    fn operate<F>(&self, start: impl FnOnce(Ldap) -> F + Send + 'static) -> Result<(), Trouble>
    where
        F: Future<Output = Result<LdapResult, LdapError>> + Send + 'static,
    {
        let shared = self.shared.load_full();
        self.wait(async move {
            let link = shared.link().await?;
            let work = start(link.ldap.clone());
            let result = shared.answer(&link, work).await?;
            accept(&result)
        })
    }

    /// Has something done on the connections' thread. What panics there, as on an answer that is no LDAP, is no answer.
    fn wait<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, Trouble>> + Send + 'static,
    ) -> Result<T, Trouble> {
        let lost = || Trouble::Lost("the LDAP server's answer made no sense".into());
        let Some(runtime) = &self.runtime else { return Err(lost()) };
        let (sender, receiver) = std::sync::mpsc::sync_channel(1);
        runtime.spawn(async move {
            // Nobody is there to hear it only if the caller's thread is gone.
            let _ = sender.send(work.await);
        });
        receiver.recv().map_err(|_| lost())?
    }
}

impl Drop for Links {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Does not wait, so it may be called on a thread of another runtime.
            runtime.shutdown_background();
        }
    }
}

struct Found {
    entries: Vec<Entry>,
    cookie: Vec<u8>,
}

impl Shared {
    fn new(settings: &Settings, meter: &Arc<Meter>) -> Result<Shared> {
        let slots = || (0..settings.connections.max(1)).map(|_| Slot::default()).collect();
        Ok(Shared {
            tls: tls::config(settings)?,
            links: slots(),
            binders: slots(),
            turn: AtomicUsize::new(0),
            made: AtomicU64::new(0),
            gate: Gate::new(settings.retry_at_most),
            settings: settings.clone(),
            meter: Arc::clone(meter),
        })
    }

    /// A connection, the next in turn.
    async fn link(&self) -> Result<Link, Trouble> {
        let place = self.turn.fetch_add(1, Ordering::Relaxed) % self.links.len();
        let mut slot = self.links[place].lock().await;
        if let Some(link) = slot.as_mut()
            && !link.ldap.is_closed()
        {
            return Ok(link.clone());
        }
        let mut link = self.connect(place).await?;
        if let Err(trouble) = self.say_who_we_are(&mut link.ldap).await {
            let who = self.settings.identity.as_ref().map_or("whoever runs this", |us| us.dn.as_str());
            let why = format!("the LDAP server does not let us in as {who}: {}", reason(&trouble));
            add(&self.meter.refused);
            self.gate.failed(&why);
            return Err(Trouble::Lost(why));
        }
        self.gate.reached();
        *slot = Some(link.clone());
        Ok(link)
    }

    /// Binds a new connection.
    async fn say_who_we_are(&self, ldap: &mut Ldap) -> Result<(), Trouble> {
        let result = match &self.settings.identity {
            Some(us) => self.try_bind(ldap, &us.dn, &us.password).await?,
            None if self.settings.url.scheme() == Scheme::Ldapi => {
                let wait = self.settings.operation_timeout;
                let bound = tokio::time::timeout(wait, ldap.sasl_external_bind()).await;
                let bound = bound.map_err(|_| Trouble::Lost(no_answer(wait)))?;
                bound.map_err(|error| Trouble::Lost(lost(&error)))?
            }
            None => return Ok(()),
        };
        accept(&result)
    }

    /// A new connection, as nobody yet.
    async fn connect(&self, place: usize) -> Result<Link, Trouble> {
        self.gate.may_try().map_err(Trouble::Lost)?;
        let mut settings = LdapConnSettings::new().set_starttls(self.settings.starttls);
        if let Some(tls) = &self.tls {
            settings = settings.set_config(Arc::clone(tls));
        }
        let url = &self.settings.url;
        let made =
            tokio::time::timeout(self.settings.connect_timeout, LdapConnAsync::with_settings(settings, url.as_str()));
        let failed = |why: &dyn fmt::Display| {
            let why = format!("the LDAP server {url} can't be reached: {why}");
            add(&self.meter.refused);
            self.gate.failed(&why);
            Trouble::Lost(why)
        };
        match made.await {
            Ok(Ok((connection, ldap))) => {
                add(&self.meter.connected);
                // It ends with the connection, and what waits for it is told.
                tokio::spawn(connection.drive());
                Ok(Link { number: self.made.fetch_add(1, Ordering::Relaxed), place, ldap })
            }
            Ok(Err(error)) => Err(failed(&error)),
            Err(_) => Err(failed(&format_args!("no answer for {:?}", self.settings.connect_timeout))),
        }
    }

    async fn try_bind(&self, ldap: &mut Ldap, dn: &str, password: &Secret) -> Result<LdapResult, Trouble> {
        let wait = self.settings.connect_timeout.max(self.settings.operation_timeout);
        let text = std::str::from_utf8(password.expose()).unwrap_or_default();
        match tokio::time::timeout(wait, ldap.simple_bind(dn, text)).await {
            Ok(Ok(result)) => Ok(result),
            Ok(Err(error)) => Err(Trouble::Lost(lost(&error))),
            Err(_) => Err(Trouble::Lost(no_answer(wait))),
        }
    }

    /// Waits for an answer. A connection that does not give one is not used again.
    async fn answer<T>(&self, link: &Link, work: impl Future<Output = Result<T, LdapError>>) -> Result<T, Trouble> {
        let wait = self.settings.operation_timeout;
        let begun = Instant::now();
        let answer = tokio::time::timeout(wait, work).await;
        self.meter.note(begun.elapsed(), matches!(answer, Ok(Ok(_))));
        let why = match answer {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) => lost(&error),
            Err(_) => {
                let why = no_answer(wait);
                self.gate.failed(&why);
                why
            }
        };
        let mut slot = self.links[link.place].lock().await;
        if slot.as_ref().is_some_and(|kept| kept.number == link.number) {
            *slot = None;
        }
        Err(Trouble::Lost(why))
    }

    /// Everything that is found, or with a cookie the page that it stands for.
    async fn page(&self, link: Link, search: &Search, cookie: Option<Vec<u8>>) -> Result<Found, Trouble> {
        let mut ldap = link.ldap.clone();
        let Search { base, scope, filter, attributes } = search.clone();
        let work = async move {
            if let Some(cookie) = cookie {
                ldap.with_controls(RawControl::from(PagedResults { size: PAGE, cookie }));
            }
            ldap.search(&base, scope, &filter.to_string(), attributes.unwrap_or(&["*"])).await
        };
        let found = self.answer(&link, work).await?;
        accept(&found.1)?;
        let paged = found.1.ctrls.iter().find_map(|control| match control {
            Control(Some(ControlType::PagedResults), raw) => Some(raw.parse::<PagedResults>().cookie),
            _ => None,
        });
        let entries = found.0.into_iter().map(|entry| SearchEntry::construct(entry).into()).collect();
        Ok(Found { entries, cookie: paged.unwrap_or_default() })
    }

    async fn bind(&self, dn: &str, password: &Secret) -> Result<bool, Trouble> {
        let place = self.turn.fetch_add(1, Ordering::Relaxed) % self.binders.len();
        let mut slot = self.binders[place].lock().await;
        let mut kept = slot.take();
        let is_good = kept.as_mut().is_some_and(|link| !link.ldap.is_closed());
        let mut link = match kept.filter(|_| is_good) {
            Some(link) => link,
            None => self.connect(place).await?,
        };
        let begun = Instant::now();
        let result = self.try_bind(&mut link.ldap, dn, password).await;
        self.meter.note(begun.elapsed(), result.is_ok());
        let result = result?;
        self.gate.reached();
        *slot = Some(link);
        match result.rc {
            0 => Ok(true),
            code::INVALID_CREDENTIALS | code::INAPPROPRIATE_AUTHENTICATION | code::NO_SUCH_OBJECT => Ok(false),
            _ => accept(&result).map(|()| false),
        }
    }
}

fn lost(error: &LdapError) -> String {
    format!("the connection to the LDAP server was lost: {error}")
}

fn no_answer(wait: Duration) -> String {
    format!("the LDAP server gave no answer for {wait:?}")
}

fn reason(trouble: &Trouble) -> &str {
    match trouble {
        Trouble::Refused { text, .. } | Trouble::Lost(text) => text,
    }
}

fn accept(result: &LdapResult) -> Result<(), Trouble> {
    match result.rc {
        0 => Ok(()),
        code => {
            let known = result.to_string();
            // `rc=49 (invalidCredentials), dn: "...", text: "..."`: the name is what one looks for.
            let name = known.split_once('(').and_then(|(_, rest)| rest.split_once(')')).map_or("", |(name, _)| name);
            let colon = if result.text.is_empty() { "" } else { ": " };
            Err(Trouble::Refused { code, text: format!("{name} ({code}){colon}{}", result.text.escape_debug()) })
        }
    }
}

fn set(values: &[String]) -> HashSet<String> {
    values.iter().cloned().collect()
}
