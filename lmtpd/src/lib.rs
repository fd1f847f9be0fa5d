//! LMTP (RFC 2033), and what happens to a message on its way in.
//!
//! An MTA hands over a message for many recipients and gets a reply for each. `250` means that this recipient's copy
//! survives a power cut. Start reading at [`session`](self): its states, then [`commands`](self) for the table of what a
//! client can say, `route` for which mailbox an address means, `incoming` for a message's way to the stage, `delivery`
//! for its way into the mailboxes, and `reply` for what a client is told when any of it goes wrong.
//!
//! Extensions: PIPELINING (RFC 2920), 8BITMIME (RFC 6152), SMTPUTF8 (RFC 6531), CHUNKING (RFC 3030), SIZE (RFC 1870),
//! ENHANCEDSTATUSCODES (RFC 2034), STARTTLS (RFC 3207), AUTH (RFC 4954), and IGNOREQUOTA, which is Cyrus's.
//!
//! Invariants:
//! - Only `CRLF . CRLF` ends DATA; what else looks like an end is text, and by default reason to refuse the message.
//! - A message is read to its end before it is refused, so that what follows it is never read as a command.
//! - Nothing that can block runs on the reactor; nothing is done between the commit of a delivery and its reply.
//! - A connection that drops at any octet leaves no file behind.

mod commands;
mod delivery;
mod deposit;
#[cfg(fuzzing)]
pub mod fuzzing;
mod incoming;
mod intake;
mod limits;
mod meters;
mod reply;
mod route;
mod session;
mod settings;
mod syntax;
mod trace;

use std::sync::Arc;

use directory::Directory;
use login::{Door, Profile};
use mailstore::Store;
use tokio_util::sync::CancellationToken;
use wire::{Connection, Tls};

use deposit::Live;
use session::Shared;

pub use meters::{Deliveries, Meters};
pub use reply::OverQuota;
pub use settings::{BareLineEnds, Settings};

/// How SASL is used (RFC 4954, 4). Without a name everybody may deliver anyway.
const PROFILE: Profile = Profile { challenge: "334 ", details: false, anonymous: false };

/// The LMTP service: what all its sessions share.
pub struct Lmtp(Arc<Shared<Live>>);

impl Lmtp {
    /// A service that delivers into `store` to whom `directory` knows. With `tls`, STARTTLS is offered.
    #[must_use]
    pub fn new(settings: Settings, store: Arc<Store>, directory: Arc<dyn Directory>, tls: Option<Tls>) -> Self {
        let door = settings.login.clone().map(|policy| {
            let directory = Arc::clone(&directory);
            Door { directory, policy, profile: PROFILE }
        });
        Self(Arc::new(Shared::new(settings, Live { store, directory }, door, tls)))
    }

    /// What the service has counted since it was made.
    #[must_use]
    pub fn meters(&self) -> &Meters {
        &self.0.meters
    }

    /// Serves one connection until the client leaves or `shutdown` is cancelled; a message that is being received then
    /// is received and answered first. Connections that are not trusted ([`Settings::trusted`]) are turned away.
    pub async fn serve(self: Arc<Self>, conn: Connection, shutdown: CancellationToken) {
        session::serve(Arc::clone(&self.0), conn, shutdown).await;
    }
}

impl std::fmt::Debug for Lmtp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lmtp").field("settings", &self.0.settings).finish_non_exhaustive()
    }
}
