//! The running server: listeners, signals, and an end in order.
//!
//! Start: ports, then the privileges go that they took; store and directory, first-start gifts, certificate, listeners; only when all of that stands does anybody get
//! an answer, and the service manager (and the terminal) hear that we are ready. End, in the other order: nobody new is
//! accepted, sessions say goodbye, commands finish, the store is closed.

mod announce;
mod control;
mod first_start;
mod memory;
mod quotas;
mod reload;
mod scrub;
mod upkeep;
mod watchdog;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use directory::{TokenCheck, UserId};
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tools::Exit;
use tracing::{info, warn};
use wire::listen::{self, Bound, Gate, Listener, Reception, Service};
use wire::{Connection, Tls};

use crate::certificate;
use crate::commands::Caller;
use crate::config::Config;
use crate::config::options::{BareLineEnds, Deletion, Heal};
use crate::failure::Failure;
use crate::logging::Logging;
use crate::metrics::{self, Metrics};
use crate::notify::notify;
use crate::privileges;
use crate::services::{Services, leave};
use crate::tokens::Tokens;
use crate::trace;

use first_start::Begun;

/// Mode of the LMTP socket: the directory above decides who may deliver.
const LMTP_SOCKET_MODE: u32 = 0o666;
/// Mode of the control socket: ours and root's.
const CONTROL_SOCKET_MODE: u32 = 0o600;
/// How long threads that are still busy after the drain may take; then the process ends under them.
const LAST_WAIT: Duration = Duration::from_secs(5);

/// Runs the server until a signal ends it.
///
/// # Errors
/// What keeps it from starting, naming the file or address, or what could not be saved at the end.
pub(crate) fn run(config: Config, caller: Caller) -> Result<Exit, Failure> {
    let logging = Logging::start(&config.log)?;
    raise_descriptor_limit();
    // While there is one thread, and before anything is made that would belong to root.
    let ports = Ports::bind(&config)?;
    privileges::become_user(&config)?;
    privileges::check_owner(&config)?;
    create_directories(&config)?;
    privileges::give_up(&config)?;
    let tokens = Arc::new(Tokens::read(&config)?);
    let services = Arc::new(Services::open(&config, Some(Arc::clone(&tokens) as Arc<dyn TokenCheck>))?);
    let runtime = threads(&config)?;
    let result = runtime.block_on(serve(Start { config, caller, logging, ports, tokens }, Arc::clone(&services)));
    runtime.shutdown_timeout(LAST_WAIT);
    let closed = services.close();
    leave(services);
    result?;
    closed?;
    Ok(Exit::Ok)
}

/// The threads that serve connections, and those that wait for the disk.
fn threads(config: &Config) -> Result<Runtime, Failure> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    if let Some(threads) = config.performance.threads {
        builder.worker_threads(threads.max(1) as usize);
    }
    builder.max_blocking_threads(config.performance.blocking_threads.max(1) as usize);
    let started = builder.enable_all().build();
    started.map_err(|problem| Failure::new(Exit::Os, format!("cannot start threads: {problem}")))
}

/// What was made before there were threads.
struct Start {
    config: Config,
    caller: Caller,
    logging: Logging,
    ports: Ports,
    tokens: Arc<Tokens>,
}

async fn serve(start: Start, services: Arc<Services>) -> Result<(), Failure> {
    let Start { config, caller, logging, ports, tokens } = start;
    let mut signals = Signals::new()?;
    let tls = certificate::load(&config)?;
    let reception = Reception {
        gate: Arc::new(Gate::default()),
        sessions: Arc::clone(&services.sessions),
        limits: Arc::new(ArcSwap::from_pointee(config.wire_limits())),
        tasks: TaskTracker::new(),
        shutdown: CancellationToken::new(),
    };
    reception.gate.attempts().set_policy(config.login_policy());
    memory::limit(&reception.gate, &config);
    let listeners = Listeners::listen(ports, &config)?;
    // Only now: a start that fails on the way must not make a password that nobody gets to see.
    let first = first_start::begin(&services)?;
    announce::listening(&config, &listeners)?;
    login::notices::read_again(&services.sessions, &config.config_dir());
    let mut live = reload::Live {
        config,
        caller,
        logging,
        tls,
        tokens,
        ldap: services.ldap.clone(),
        limits: Arc::clone(&reception.limits),
        gate: Arc::clone(&reception.gate),
        sessions: Arc::clone(&reception.sessions),
    };
    listeners.serve(&live.config, &live.tls, &services, &reception);
    if live.config.store.heal == Heal::On {
        services.store.heal_in_background().map_err(|problem| Failure::new(Exit::Os, problem))?;
    }
    let keep = live.config.store.keep_deleted.0;
    let store = Arc::clone(&services.store);
    let scrubbing = live.config.scrub.clone();
    if let Begun::Waiting = first {
        let begin = first_start::begin_when_it_answers(Arc::clone(&services), live.config.domain());
        let shutdown = reception.shutdown.clone();
        reception.tasks.spawn(async move { shutdown.run_until_cancelled(begin).await.unwrap_or_default() });
    }
    reception.tasks.spawn(scrub::run(Arc::clone(&services), scrubbing, reception.shutdown.clone()));
    reception.tasks.spawn(quotas::run(Arc::clone(&services), reception.shutdown.clone()));
    reception.tasks.spawn(upkeep::run(services, keep, reception.shutdown.clone()));
    reception.tasks.spawn(watchdog::run(store, reception.shutdown.clone()));
    let password = match &first {
        Begun::Done(password) => password.as_deref(),
        Begun::Waiting => None,
    };
    announce::ready(&live.config.domain(), password).map_err(|problem| Failure::new(Exit::Io, problem))?;
    notify("READY=1");

    while let Asked::Reload = signals.next().await {
        live.reload();
    }
    notify("STOPPING=1");
    info!(event = "server.stopping", connections = reception.gate.connections());
    // Those who follow one on a terminal would keep us waiting.
    trace::end(&reception.sessions, |_| true);
    drain(&reception, live.config.server.shutdown_wait.0, &mut signals).await;
    announce::gone(&live.config);
    info!(event = "server.stopped");
    Ok(())
}

/// Waits for sessions to end; a second signal to stop is an impatient one.
async fn drain(reception: &Reception, wait: Duration, signals: &mut Signals) {
    reception.shutdown.cancel();
    reception.tasks.close();
    let impatient = async { while !matches!(signals.next().await, Asked::Stop) {} };
    tokio::select! {
        () = reception.tasks.wait() => return,
        () = tokio::time::sleep(wait) => {}
        () = impatient => {}
    }
    warn!(event = "server.sessions.cut", connections = reception.gate.connections());
}

/// The ports that are ours, though nobody can connect yet.
struct Ports {
    imap: Vec<Bound>,
    imaps: Vec<Bound>,
    pop3: Vec<Bound>,
    pop3s: Vec<Bound>,
    lmtp: Vec<Bound>,
    metrics: Vec<Bound>,
    http: Vec<Bound>,
    https: Vec<Bound>,
}

impl Ports {
    fn bind(config: &Config) -> Result<Self, Failure> {
        let bind = |addresses: &[std::net::SocketAddr]| {
            addresses.iter().map(|address| Bound::tcp(*address)).collect::<Result<Vec<_>, _>>()
        };
        Ok(Self {
            imap: bind(&config.imap.listen)?,
            imaps: bind(&config.imap.listen_tls)?,
            pop3: bind(&config.pop3.listen)?,
            pop3s: bind(&config.pop3.listen_tls)?,
            lmtp: bind(&config.lmtp.listen)?,
            metrics: bind(&config.metrics.listen)?,
            http: bind(&config.http.listen)?,
            https: bind(&config.http.listen_tls)?,
        })
    }
}

/// What listens, before anybody is served.
struct Listeners {
    imap: Vec<Listener>,
    imaps: Vec<Listener>,
    pop3: Vec<Listener>,
    pop3s: Vec<Listener>,
    lmtp: Vec<Listener>,
    metrics: Vec<Listener>,
    http: Vec<Listener>,
    https: Vec<Listener>,
    control: Listener,
}

impl Listeners {
    fn listen(ports: Ports, config: &Config) -> Result<Self, Failure> {
        let tcp = |bound: Vec<Bound>| bound.into_iter().map(Bound::listen).collect::<Result<Vec<_>, _>>();
        let mut lmtp = tcp(ports.lmtp)?;
        lmtp.push(Listener::unix(&config.lmtp_socket(), LMTP_SOCKET_MODE)?);
        Ok(Self {
            imap: tcp(ports.imap)?,
            imaps: tcp(ports.imaps)?,
            pop3: tcp(ports.pop3)?,
            pop3s: tcp(ports.pop3s)?,
            lmtp,
            metrics: tcp(ports.metrics)?,
            http: tcp(ports.http)?,
            https: tcp(ports.https)?,
            control: Listener::unix(&config.control_socket(), CONTROL_SOCKET_MODE)?,
        })
    }

    /// By service, as `listening.json` and the terminal name them.
    fn by_name(&self) -> [(&'static str, &[Listener]); 9] {
        [
            ("imap", &self.imap),
            ("imaps", &self.imaps),
            ("pop3", &self.pop3),
            ("pop3s", &self.pop3s),
            ("lmtp", &self.lmtp),
            ("metrics", &self.metrics),
            ("http", &self.http),
            ("https", &self.https),
            ("control", std::slice::from_ref(&self.control)),
        ]
    }

    fn serve(self, config: &Config, tls: &Tls, services: &Arc<Services>, reception: &Reception) {
        let imap = imap_service(config, tls, services, reception);
        let pop3 = pop3_service(config, tls, services, reception);
        let lmtp = lmtp_service(config, tls, services);
        let rest = rest_service(services, reception);
        let metrics = Arc::new(Metrics::new(services, &reception.gate, &imap, &pop3, &lmtp, &rest));
        services.show(&metrics);
        let imap = move |conn: Connection| imapd::serve(Arc::clone(&imap), conn);
        let refusal = "* BYE [UNAVAILABLE] Too many connections, try again later\r\n";
        let clear = Service { name: "imap", tls: None, refusal, most: config.imap.connections };
        let encrypted = Service { name: "imaps", tls: Some(tls.for_protocol("imap")), ..clear.clone() };
        accept(self.imap, &clear, reception, &imap);
        accept(self.imaps, &encrypted, reception, &imap);

        let pop3 = move |conn: Connection| pop3d::serve(Arc::clone(&pop3), conn);
        let refusal = "-ERR [SYS/TEMP] Too many connections, try again later\r\n";
        let clear = Service { name: "pop3", tls: None, refusal, most: config.pop3.connections };
        let encrypted = Service { name: "pop3s", tls: Some(tls.for_protocol("pop3")), ..clear.clone() };
        accept(self.pop3, &clear, reception, &pop3);
        accept(self.pop3s, &encrypted, reception, &pop3);

        let shutdown = reception.shutdown.clone();
        let lmtp = move |conn: Connection| Arc::clone(&lmtp).serve(conn, shutdown.clone());
        let refusal = "421 4.3.2 Too many connections, try again later\r\n";
        let service = Service { name: "lmtp", tls: None, refusal, most: config.lmtp.connections };
        accept(self.lmtp, &service, reception, &lmtp);

        let shutdown = reception.shutdown.clone();
        let page = move |conn: Connection| metrics::serve(Arc::clone(&metrics), conn, shutdown.clone());
        let most = Some(metrics::CONNECTIONS);
        let service = Service { name: "metrics", tls: None, refusal: metrics::BUSY, most };
        accept(self.metrics, &service, reception, &page);

        let requests = move |conn: Connection| rest::serve(Arc::clone(&rest), conn);
        let clear = Service { name: "http", tls: None, refusal: rest::BUSY, most: Some(config.http.connections) };
        let encrypted = Service { name: "https", tls: Some(tls.for_protocol("http/1.1")), ..clear.clone() };
        accept(self.http, &clear, reception, &requests);
        accept(self.https, &encrypted, reception, &requests);

        let (services, shutdown) = (Arc::clone(services), reception.shutdown.clone());
        let control = move |conn: Connection| control::answer(conn, Arc::clone(&services), shutdown.clone());
        let service = Service { name: "control", tls: None, refusal: "", most: None };
        accept([self.control], &service, reception, &control);
    }
}

/// Serves a service at each of these listeners.
fn accept<H, F>(listeners: impl IntoIterator<Item = Listener>, service: &Service, reception: &Reception, session: &H)
where
    H: Fn(Connection) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    for listener in listeners {
        info!(event = "listener.ready", service = service.name, address = %listener.local());
        reception.tasks.spawn(listen::serve(listener, service.clone(), reception.clone(), session.clone()));
    }
}

fn imap_service(config: &Config, tls: &Tls, services: &Services, reception: &Reception) -> Arc<imapd::Imap> {
    let options = imapd::Options {
        host_name: config.hostname(),
        allow_plain_text: config.imap.allow_plaintext,
        quota_warn: u8::try_from(config.quota.warn_percent).unwrap_or(100).min(100),
        quota_warn_free_mib: config.quota.warn_free_mib,
        message_size: config.message_size(),
        login: config.login_by(),
        ..imapd::Options::default()
    };
    let (store, directory) = (Arc::clone(&services.store), Arc::clone(&services.directory));
    imapd::Imap::new(store, directory, Some(tls.clone()), options, reception.shutdown.clone())
}

fn pop3_service(config: &Config, tls: &Tls, services: &Services, reception: &Reception) -> Arc<pop3d::Pop3> {
    let pop3 = &config.pop3;
    let options = pop3d::Options {
        host_name: config.hostname(),
        allow_plain_text: pop3.allow_plaintext,
        uidl: pop3.uidl_format.clone(),
        exclusive: pop3.lock,
        use_acl: pop3.use_acl,
        mark_seen: pop3.mark_seen,
        deletion: match pop3.deletion {
            Deletion::Expunge => pop3d::Deletion::Expunge,
            Deletion::Flag => pop3d::Deletion::Flag,
        },
        login_delay: pop3.login_delay.0,
        expire_days: pop3.expire_days,
        refuse_utf8: pop3.refuse_utf8,
        idle: pop3.idle_timeout.0,
        login: config.login_by(),
        ..pop3d::Options::default()
    };
    let (store, directory) = (Arc::clone(&services.store), Arc::clone(&services.directory));
    pop3d::Pop3::new(store, directory, Some(tls.clone()), options, reception.shutdown.clone())
}

fn lmtp_service(config: &Config, tls: &Tls, services: &Services) -> Arc<lmtpd::Lmtp> {
    let settings = lmtpd::Settings {
        host_name: config.hostname(),
        message_size: config.message_size(),
        trusted: config.lmtp.trusted_networks.clone(),
        // As the directory writes them; what is none was an error of the configuration.
        deliverers: config
            .lmtp
            .deliverers
            .iter()
            .filter_map(|name| UserId::parse(name).ok())
            .map(String::from)
            .collect(),
        over_quota: if config.lmtp.over_quota_permanent {
            lmtpd::OverQuota::Permanent
        } else {
            lmtpd::OverQuota::Temporary
        },
        strict_quota: config.lmtp.strict_quota,
        bare_line_ends: match config.lmtp.bare_line_ends {
            BareLineEnds::Refuse => lmtpd::BareLineEnds::Refuse,
            BareLineEnds::Repair => lmtpd::BareLineEnds::Repair,
        },
        suppress_duplicates: config.lmtp.suppress_duplicates,
        fuzzy_folders: config.lmtp.fuzzy_folders,
        post_user: config.lmtp.postuser.clone(),
        login: config.lmtp.auth.then(|| config.login_by()),
        ..lmtpd::Settings::default()
    };
    let (store, directory) = (Arc::clone(&services.store), Arc::clone(&services.directory));
    Arc::new(lmtpd::Lmtp::new(settings, store, directory, Some(tls.clone())))
}

fn rest_service(services: &Services, reception: &Reception) -> Arc<rest::Rest> {
    let (store, directory) = (Arc::clone(&services.store), Arc::clone(&services.directory));
    let (tokens, sessions) = (Arc::clone(&services.api_tokens), Arc::clone(&services.sessions));
    rest::Rest::new(store, directory, tokens, sessions, reception.shutdown.clone())
}

/// The directories that listeners and certificates need; store and directory make their own.
fn create_directories(config: &Config) -> Result<(), Failure> {
    for directory in [config.config_dir().join("socket"), config.spool()] {
        std::fs::create_dir_all(&directory).map_err(|problem| {
            let exit = match problem.kind() {
                std::io::ErrorKind::PermissionDenied => Exit::NoPermission,
                _ => Exit::CantCreate,
            };
            Failure::new(exit, format!("cannot create {}: {problem}", directory.display()))
        })?;
    }
    Ok(())
}

/// As many descriptors as we may have: a session needs a socket and its mailbox's files, and the soft limit of many
/// systems is still 1024.
pub(crate) fn raise_descriptor_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    if let Err(problem) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        warn!(event = "server.descriptors.limited", error = %problem);
    }
}

/// What a signal asks for.
enum Asked {
    Reload,
    Stop,
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    fn new() -> Result<Self, Failure> {
        let listen = |kind| {
            signal(kind).map_err(|problem| Failure::new(Exit::Os, format!("cannot listen for signals: {problem}")))
        };
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
            hangup: listen(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.terminate.recv() => Asked::Stop,
            _ = self.interrupt.recv() => Asked::Stop,
            _ = self.hangup.recv() => Asked::Reload,
        }
    }
}
