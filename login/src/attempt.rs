//! One attempt to log in: from where, with what, and what became of it, for the history and the log.

use std::borrow::Cow;
use std::sync::Arc;

use directory::{Directory, Login, Origin, Refusal, UserId};
use tokio::time::Instant;
use tracing::info;
use wire::{Connection, Peer};

use crate::name::LoginName;
use crate::{Failure, LoggedIn, for_log};

/// An attempt to log in.
pub(crate) struct Attempt {
    conn: u64,
    service: &'static str,
    peer: Peer,
    pub(crate) origin: Origin<'static>,
    mechanism: &'static str,
    tls: Option<&'static str>,
    client: Option<Arc<str>>,
    /// When the client's last line came.
    asked: Instant,
}

impl Attempt {
    /// One that begins now; `mechanism` is that of SASL, or [`COMMAND`].
    pub(crate) fn new(connection: &Connection, mechanism: &'static str) -> Self {
        let info = connection.info();
        Self {
            conn: info.id,
            service: info.service,
            peer: info.peer,
            origin: Origin::now(protocol(info.service), info.peer.ip()),
            mechanism,
            tls: info.tls.map(|tls| tls.version),
            client: connection.client(),
            asked: Instant::now(),
        }
    }

    /// The client has said more. A client that takes its time between lines must not learn from what is left of the delay how
    /// long its password was looked at: the answer is due so long after the last of them.
    pub(crate) fn goes_on(&mut self) {
        self.asked = Instant::now();
    }

    /// The failed login that it is; `guess` stands for what was tried.
    pub(crate) fn failure(&self, claimed: &str, guess: Option<u64>) -> Failure {
        Failure::Refused { claimed: for_log(claimed), guess, asked: self.asked }
    }

    /// Somebody is in.
    pub(crate) fn entered(&self, directory: &dyn Directory, entered: &LoggedIn) {
        let note = |user: &UserId, by: Option<&UserId>, acting_as: Option<&UserId>| {
            let login = Login {
                app: entered.app.clone(),
                by: by.map(ToString::to_string),
                acting_as: acting_as.map(ToString::to_string),
                ..self.login()
            };
            directory.note_login(user, directory::Attempt { conn: self.conn, login });
        };
        let user = &entered.account.user;
        note(user, entered.proxy.as_ref(), None);
        if let Some(administrator) = &entered.proxy {
            note(administrator, None, Some(user));
        }
    }

    /// A password is no good.
    pub(crate) fn refused(&self, directory: &dyn Directory, claimed: LoginName<'_>, refusal: &Refusal) {
        if let Some(app) = refusal.app() {
            let Self { conn, service, peer, .. } = self;
            let user = claimed.user.escape_debug();
            info!(event = "login.app.refused", conn, service, %user, %peer, app, reason = refusal.reason());
        }
        let login = Login { app: refusal.app().map(str::to_owned), ..self.login() };
        self.failed(directory, claimed.user, login, refusal.reason());
    }

    /// Somebody is not let in for another reason.
    pub(crate) fn failed_for(&self, directory: &dyn Directory, claimed: &str, reason: &'static str) {
        self.failed(directory, claimed, self.login(), reason);
    }

    fn failed(&self, directory: &dyn Directory, claimed: &str, login: Login, reason: &'static str) {
        let Ok(user) = UserId::parse(claimed) else { return };
        let login = Login { refused: Some(Cow::Borrowed(reason)), ..login };
        directory.note_login(&user, directory::Attempt { conn: self.conn, login });
    }

    fn login(&self) -> Login {
        Login {
            first: self.origin.now,
            last: self.origin.now,
            count: 1,
            refused: None,
            from: self.origin.address,
            protocol: Cow::Borrowed(self.origin.protocol),
            mechanism: Cow::Borrowed(self.mechanism),
            tls: self.tls.map(Cow::Borrowed),
            app: None,
            client: self.client.as_deref().map(str::to_owned),
            by: None,
            acting_as: None,
        }
    }
}

/// The mechanism of a protocol's own command: LOGIN, or USER and PASS.
pub(crate) const COMMAND: &str = "password";

/// The protocol of a service: `imaps` is IMAP over TLS from the first octet.
fn protocol(service: &'static str) -> &'static str {
    service.strip_suffix('s').unwrap_or(service)
}
