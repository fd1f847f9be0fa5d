//! What a command works with besides the session's state: the server and the connection.

use std::sync::Arc;

use directory::Directory;
use login::{Door, Profile};
use mailstore::Store;
use tokio_util::sync::CancellationToken;
use wire::meter::Commands;
use wire::{Connection, Tls};

use crate::commands;
use crate::lock::Locks;
use crate::options::Options;
use crate::outcome::Refused;
use crate::pace::Pace;

/// How SASL is used (RFC 5034, 4). There is no maildrop of nobody in particular.
const PROFILE: Profile = Profile { challenge: "+ ", details: true, anonymous: false };

/// The POP3 service: what all its sessions share.
#[derive(Debug)]
pub struct Pop3 {
    /// The mail.
    pub store: Arc<Store>,
    /// Who is let in, and by what.
    pub(crate) door: Door,
    /// For STLS; without it the command is not offered.
    pub tls: Option<Tls>,
    /// What an administrator can set.
    pub options: Options,
    /// Cancelled when the server stops.
    pub shutdown: CancellationToken,
    /// How often each command ended how, and how long it took.
    pub commands: Arc<Commands>,
    /// Maildrops in use.
    pub(crate) locks: Arc<Locks>,
    /// Who has logged in when.
    pub(crate) pace: Pace,
}

impl Pop3 {
    /// A service over `store` and `directory`.
    pub fn new(
        store: Arc<Store>,
        directory: Arc<dyn Directory>,
        tls: Option<Tls>,
        options: Options,
        shutdown: CancellationToken,
    ) -> Arc<Pop3> {
        let commands = Arc::new(Commands::new(commands::names()));
        let (locks, pace) = (Arc::default(), Pace::default());
        let door = Door { directory, policy: options.login.clone(), profile: PROFILE };
        Arc::new(Pop3 { store, door, tls, options, shutdown, commands, locks, pace })
    }
}

/// See the [module](self). One for each connection.
#[derive(Debug)]
pub(crate) struct Context {
    /// What all sessions share.
    pub(crate) server: Arc<Pop3>,
    /// Input and output.
    pub(crate) connection: Connection,
    /// UTF8 was said (RFC 6856, 2).
    pub(crate) utf8: bool,
}

impl Context {
    /// Runs work that blocks on a thread that may.
    pub(crate) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Pop3) -> Result<T, Refused> + Send + 'static,
    ) -> Result<T, Refused> {
        let server = Arc::clone(&self.server);
        wire::work::blocking(move || work(&server)).await?
    }

    /// Whether a password may be sent now.
    pub(crate) fn may_log_in(&self) -> bool {
        self.server.options.allow_plain_text || self.connection.is_secure()
    }

    /// Whether STLS would be accepted now, before login.
    pub(crate) fn offers_tls(&self) -> bool {
        self.server.tls.is_some() && self.connection.info().tls.is_none()
    }
}
