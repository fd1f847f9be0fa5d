//! What a command works with besides the session: the server, the connection, and what the client has enabled.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use directory::Directory;
use login::{Door, Profile};
use mailstore::Store;
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;
use wire::meter::Commands;
use wire::{Connection, Tls, WriteError};

use crate::commands;
use crate::namespace::Prefixes;
use crate::outcome::CommandError;
use crate::reply::{self, Code, Status};
use crate::session::Selected;
use crate::types::{Encoding, Tag};

/// A warning that a quota root is nearly full is not repeated within 10 minutes: clients select all the time, and some
/// show every ALERT in a window (as current Cyrus does).
const QUOTA_ALERT_EVERY: Duration = Duration::from_secs(10 * 60);

/// How SASL is used (RFC 9051, 6.2.2). Nobody in particular may read what everybody may.
const PROFILE: Profile = Profile { challenge: "+ ", details: false, anonymous: true };

/// The IMAP service: what all its sessions share.
#[derive(Debug)]
pub struct Imap {
    /// The mail.
    pub store: Arc<Store>,
    /// Who is let in, and by what.
    pub(crate) door: Door,
    /// For STARTTLS; without it the command is not offered.
    pub tls: Option<Tls>,
    /// What an administrator can set.
    pub options: Options,
    /// Cancelled when the server stops: sessions say BYE.
    pub shutdown: CancellationToken,
    /// How often each command ended how, and how long it took.
    pub commands: Arc<Commands>,
    /// When each quota root was last warned of, by root and user.
    quota_alerts: Mutex<HashMap<(String, String), Instant>>,
}

/// What an administrator can set.
#[derive(Debug, Clone)]
pub struct Options {
    /// The host's name, for the greeting.
    pub host_name: String,
    /// The program's version, for ID; empty to keep it to ourselves.
    pub version: String,
    /// Prefixes of the namespaces.
    pub prefixes: Prefixes,
    /// Passwords may be sent in clear text from anywhere. Default off: only over TLS, loopback and Unix sockets.
    pub allow_plain_text: bool,
    /// Usage of a quota, in percent, above which SELECT warns. Default 90, as in Cyrus.
    pub quota_warn: u8,
    /// Free megabytes of a quota above which SELECT does not warn, whatever the percentage. Default 0: they do not matter.
    pub quota_warn_free_mib: u32,
    /// Largest message of an APPEND, bytes.
    pub message_size: u64,
    /// What people are let in by, beside passwords.
    pub login: login::Policy,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            host_name: "localhost".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            prefixes: Prefixes::default(),
            allow_plain_text: false,
            quota_warn: 90,
            quota_warn_free_mib: 0,
            message_size: wire::limits::MESSAGE_SIZE,
            login: login::Policy::default(),
        }
    }
}

impl Imap {
    /// A service over `store` and `directory`.
    pub fn new(
        store: Arc<Store>,
        directory: Arc<dyn Directory>,
        tls: Option<Tls>,
        options: Options,
        shutdown: CancellationToken,
    ) -> Arc<Imap> {
        let commands = Arc::new(Commands::new(commands::COMMANDS.iter().map(|command| command.name)));
        let door = Door { directory, policy: options.login.clone(), profile: PROFILE };
        Arc::new(Imap { store, door, tls, options, shutdown, commands, quota_alerts: Mutex::default() })
    }

    /// Whether `user` should be warned of `root` now; true at most once in ten minutes.
    pub(crate) fn may_alert(&self, root: &str, user: &str) -> bool {
        let now = Instant::now();
        let mut alerts = self.quota_alerts.lock();
        alerts.retain(|_, last| now.duration_since(*last) < QUOTA_ALERT_EVERY);
        let key = (root.to_owned(), user.to_owned());
        let fresh = !alerts.contains_key(&key);
        if fresh {
            alerts.insert(key, now);
        }
        fresh
    }
}

/// What the client has switched on (RFC 5161). Nothing is ever switched off again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Enabled {
    /// Mod-sequences are told (RFC 7162, 3.1).
    pub(crate) condstore: bool,
    /// VANISHED instead of EXPUNGE (RFC 7162, 3.2); implies `condstore`.
    pub(crate) qresync: bool,
    /// IMAP4rev2: UTF-8 names, no \Recent, ESEARCH for SEARCH (RFC 9051, 6.3.1).
    pub(crate) rev2: bool,
}

/// See the [module](self). One for each connection.
#[derive(Debug)]
pub(crate) struct Context {
    /// What all sessions share.
    pub(crate) server: Arc<Imap>,
    /// Input and output.
    pub(crate) connection: Connection,
    /// What the client has switched on.
    pub(crate) enabled: Enabled,
    /// The tag of the command that is running, for ESEARCH.
    pub(crate) tag: Option<Tag>,
}

impl Context {
    /// How mailbox names and other text travel now.
    pub(crate) fn encoding(&self) -> Encoding {
        if self.enabled.rev2 { Encoding::Utf8 } else { Encoding::ModifiedUtf7 }
    }

    /// Queues the lines that `print` prints.
    pub(crate) fn send(&mut self, print: impl FnOnce(&mut BytesMut)) {
        let mut lines = BytesMut::new();
        print(&mut lines);
        self.connection.output().put_bytes(lines.freeze());
    }

    /// Queues an untagged OK, NO, BAD or BYE.
    pub(crate) fn tell(&mut self, status: Status, code: Option<&Code>, text: &str) {
        self.send(|out| reply::untagged(out, status, code, text));
    }

    /// Queues an untagged OK with a response code.
    pub(crate) fn tell_code(&mut self, code: &Code, text: &str) {
        self.tell(Status::Ok, Some(code), text);
    }

    /// Writes if much waits to be written; to be called between the replies of a long command.
    pub(crate) async fn relieve(&mut self) -> Result<(), WriteError> {
        self.connection.relieve().await
    }

    /// Runs work that blocks on a thread that may.
    pub(crate) async fn blocking<T, E>(
        &self,
        work: impl FnOnce(&Imap) -> Result<T, E> + Send + 'static,
    ) -> Result<T, CommandError>
    where
        T: Send + 'static,
        E: Send + 'static,
        CommandError: From<E>,
    {
        let server = Arc::clone(&self.server);
        Ok(wire::work::blocking(move || work(&server)).await??)
    }

    /// Mod-sequences are told from now on. If they were not before, the client is told where the selected mailbox stands
    /// (RFC 7162, 3.1).
    pub(crate) fn enable_condstore(&mut self, selected: Option<&Selected>) {
        if self.enabled.condstore {
            return;
        }
        self.enabled.condstore = true;
        if let Some(selected) = selected {
            self.tell_code(&Code::HighestModSeq(selected.view.modseq().get()), "Mod-sequences from now on");
        }
    }

    /// Whether a password may be sent now.
    pub(crate) fn may_log_in(&self) -> bool {
        self.server.options.allow_plain_text || self.connection.is_secure()
    }
}
