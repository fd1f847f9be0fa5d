//! What the program is made of: the store and the directory, opened from the configuration and closed in order.

use std::sync::{Arc, OnceLock};

use directory::{Actor, Directory, Service, TokenCheck};
use durable::disk::{Disk, RealDisk};
use ldap::Ldap;
use mailstore::{Layout, OpenReport, Store, StoreOptions};
use rest::Tokens;
use tools::Exit;
use tracing::{info, warn};
use wire::Sessions;

use crate::backend::{self, Opened};
use crate::config::options::{Durability, Mode};
use crate::config::{Config, TRACE_HEADER};
use crate::failure::Failure;
use crate::metrics::Metrics;

/// The open store and directory. Whoever holds them is their only owner, on this machine or any other that sees the same
/// files.
#[derive(Clone)]
pub(crate) struct Services {
    pub(crate) store: Arc<Store>,
    pub(crate) directory: Arc<dyn Directory>,
    /// The same, if an LDAP server keeps it.
    pub(crate) ldap: Option<Arc<Ldap>>,
    /// The tokens of programs that use the directory over HTTP.
    pub(crate) api_tokens: Arc<Tokens>,
    /// Who is connected to a running server.
    pub(crate) sessions: Arc<Sessions>,
    /// What a running server counts.
    metrics: OnceLock<Arc<Metrics>>,
    /// The user of the operating system who gives commands.
    operator: u32,
}

impl Services {
    /// Opens both, and makes them if there is no trace of either. `tokens` says whose a token is: nobody but a server needs
    /// that. Blocks.
    ///
    /// # Errors
    /// Another process owns the store, or something in it must be repaired first; nothing was changed then.
    pub(crate) fn open(config: &Config, tokens: Option<Arc<dyn TokenCheck>>) -> Result<Self, Failure> {
        Self::open_as(config, store_options(config), tokens).map(|(services, _)| services)
    }

    /// The same with other options for the store, and with what its start found.
    ///
    /// # Errors
    /// As for [`open`](Self::open).
    pub(crate) fn open_as(
        config: &Config,
        options: StoreOptions,
        tokens: Option<Arc<dyn TokenCheck>>,
    ) -> Result<(Self, OpenReport), Failure> {
        let disk: Arc<dyn Disk> = Arc::new(RealDisk);
        let (store, report) = Store::open(options, Arc::clone(&disk)).map_err(store_failure)?;
        if report.created {
            info!(event = "store.created", config = %store.layout().config().display());
        }
        for why in &report.rebuilt {
            warn!(event = "store.rebuilt", why = %why);
        }
        for (key, reason) in &report.bad_rows {
            warn!(event = "store.row.bad", key = %key, reason = %reason);
        }
        // A first start that ended between the two left a store without a single mailbox, hence without users.
        let first = report.created || store.mailbox_count() == 0;
        let api_tokens = Arc::new(Tokens::open(Arc::clone(&disk), store.layout().config()));
        match backend::open(config, disk, store.layout().config(), first, tokens) {
            Ok(Opened { directory, ldap }) => {
                let (sessions, metrics) = (Arc::default(), OnceLock::new());
                let operator = rustix::process::geteuid().as_raw();
                Ok((Self { store, directory, ldap, api_tokens, sessions, metrics, operator }, report))
            }
            Err(failure) => {
                // What failed first is what to say; a store that is not closed repairs itself.
                let _ = store.close();
                Err(failure)
            }
        }
    }

    /// Lets commands show what the running server counts.
    pub(crate) fn show(&self, metrics: &Arc<Metrics>) {
        // There is one server in a process.
        let _ = self.metrics.set(Arc::clone(metrics));
    }

    /// What the running server counts; nothing in a process that runs a single command.
    pub(crate) fn metrics(&self) -> Option<&Arc<Metrics>> {
        self.metrics.get()
    }

    /// The same in the hands of another user of the operating system: root gives commands to a server that runs as somebody
    /// else, or becomes somebody else to run them.
    pub(crate) fn called_by(&self, uid: u32) -> Services {
        Services { operator: uid, ..self.clone() }
    }

    /// The directory in the hands of whoever gives the command.
    pub(crate) fn operator(&self) -> Service<'_> {
        Service::new(&*self.directory, Actor::operator(self.operator))
    }

    /// Makes everything durable and lets go of the store. Blocks.
    ///
    /// # Errors
    /// What could not be written; the next start repairs it as after a crash.
    pub(crate) fn close(&self) -> Result<(), Failure> {
        let directory = self.directory.close().map_err(directory_failure);
        self.store.close().map_err(store_failure)?;
        directory
    }
}

/// Leaves what is closed to the end of the process, which takes its memory along: freeing a million rows one by one would
/// take longer than most commands.
pub(crate) fn leave<T>(closed: T) {
    std::mem::forget(closed);
}

/// How the configuration wants the store.
pub(crate) fn store_options(config: &Config) -> StoreOptions {
    let mut options = StoreOptions::new(Layout::new(config.config_dir(), config.spool()));
    options.create = true;
    options.delayed_delete = config.store.delete_mode == Mode::Delayed;
    options.delayed_expunge = config.store.expunge_mode == Mode::Delayed;
    options.strict = config.store.durability == Durability::Strict;
    options.sync_window = config.performance.sync_window.0;
    options.max_idle = config.performance.open_mailboxes as usize;
    options.search_memory = usize::try_from(config.performance.search_memory.0).unwrap_or(usize::MAX);
    options.max_mailboxes = config.limits.mailboxes_per_user as usize;
    // A message grows by its trace header on the way in.
    options.max_message = config.message_size().saturating_add(TRACE_HEADER);
    options
}

/// A store that fails as the program's end.
pub(crate) fn store_failure(error: mailstore::Error) -> Failure {
    use mailstore::ErrorKind;
    let exit = match error.kind() {
        ErrorKind::InUse | ErrorKind::Unavailable | ErrorKind::DiskFull => Exit::TempFail,
        ErrorKind::Corrupt => Exit::Data,
        ErrorKind::Denied => Exit::NoPermission,
        ErrorKind::Io => Exit::Io,
        _ => Exit::Software,
    };
    Failure::new(exit, format!("cannot open the mail store: {error}"))
}

/// A directory that fails as the program's end.
pub(crate) fn directory_failure(error: directory::Error) -> Failure {
    let exit = match &error {
        directory::Error::Corrupt { .. } => Exit::Data,
        directory::Error::Unavailable(_) => Exit::TempFail,
        _ => Exit::Software,
    };
    Failure::new(exit, format!("cannot open the directory: {error}"))
}
