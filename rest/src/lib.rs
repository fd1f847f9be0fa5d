//! The directory over HTTP, for programs and pages: everything that the commands do with domains, users and aliases, as
//! `/api/v1`, with an OpenAPI 3.1 document that is made from the types here ([`openapi`]).
//!
//! - [`serve`] runs one connection, [`Rest`] is what all of them share.
//! - `routes` has a file for each kind of thing, and the one list of what there is.
//! - `caller` finds out who asks: a session's cookie, or a token.
//! - `extract` takes requests apart, `problem` says what is wrong with them.
//!
//! Decisions:
//! - **Rules live below** ([`directory::Service`]): nothing here decides who may change what, or what a name may be.
//! - **A change names the state that it changes** (If-Match, RFC 9110, 13.1.1), except where it says only what to add or to
//!   take away. Without it: 428; when somebody else was faster: 412.
//! - **No CORS**: pages of other sites can't read anything here, and what a browser sends by itself (the cookie) changes
//!   nothing without a header that only our pages know.
//! - **Nothing is cached, nothing compressed**: answers hold what a stranger could try to learn by their size.
//! - **A password is never in an answer**, but for an app password and a token in the answer to the request that made it.

mod caller;
mod connection;
mod counted;
mod extract;
mod problem;
#[expect(unused_qualifications, reason = "the macros of utoipa write paths out")]
mod routes;
mod secrets;
mod sessions;
mod tokens;

use std::fmt;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Router;
use directory::{Directory, UserId};
use login::{Door, Policy, Profile};
use mailstore::Store;
use tokio_util::sync::CancellationToken;
use wire::meter::Commands;

pub use connection::{BUSY, serve};
pub use problem::Problem;
pub use routes::openapi;
pub use tokens::{MAX_LIFE, NewToken, Token, Tokens};

/// What all connections share.
pub struct Rest {
    shared: Arc<Shared>,
    routes: Router,
    shutdown: CancellationToken,
    /// How often requests of each method ended how.
    pub commands: Arc<Commands>,
}

/// What handlers work with.
struct Shared {
    store: Arc<Store>,
    directory: Arc<dyn Directory>,
    tokens: Arc<Tokens>,
    sessions: sessions::Sessions,
    /// Who is connected to the server, over whichever protocol.
    connections: Arc<wire::Sessions>,
    door: Door,
}

impl Shared {
    /// Ends the connections of somebody who is not welcome any more, over whichever protocol.
    fn show_out(&self, user: &UserId) {
        self.connections.end(CLOSED, |view| view.user.as_deref() == Some(user.as_str()));
    }
}

impl Rest {
    /// The interface to these; `connections` is everybody who is connected.
    #[must_use]
    pub fn new(
        store: Arc<Store>,
        directory: Arc<dyn Directory>,
        tokens: Arc<Tokens>,
        connections: Arc<wire::Sessions>,
        shutdown: CancellationToken,
    ) -> Arc<Rest> {
        // Passwords only; what else a site lets people in by needs an exchange that HTTP does not have.
        let profile = Profile { challenge: "", details: false, anonymous: false };
        let door = Door { directory: Arc::clone(&directory), policy: Policy::default(), profile };
        let sessions = sessions::Sessions::default();
        let shared = Arc::new(Shared { store, directory, tokens, sessions, connections, door });
        let routes = routes::router(Arc::clone(&shared));
        Arc::new(Rest { shared, routes, shutdown, commands: Arc::new(Commands::new(METHODS)) })
    }
}

/// What a client is told whose user is disabled or deleted.
const CLOSED: &str = "This account is closed";

/// The methods that there are.
const METHODS: [&str; 5] = ["delete", "get", "patch", "post", "put"];

impl fmt::Debug for Rest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rest").field("directory", &self.shared.directory).finish_non_exhaustive()
    }
}

/// Unix seconds.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
