//! `/api/v1/connections`: who is connected, over whichever protocol, and ending that (`angarium who`, `angarium kick`).

use directory::Network;
use hyper::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use wire::sessions::SessionView;

use super::fields::at_most;
use super::{Answer, NotDone, Paging, Part, Refused};
use crate::caller::Caller;
use crate::extract::{Body, Name, Query};
use crate::problem::Problem;

/// What a client is told if the administrator says nothing else.
const MESSAGE: &str = "Disconnected by the administrator";
/// Longest message in characters: a line of a mail client's window.
const MAX_MESSAGE: usize = 200;

/// A connection.
#[derive(Serialize, ToSchema)]
#[schema(as = Connection)]
pub(super) struct ConnectionView {
    /// The log's `conn`.
    id: u64,
    #[schema(example = "imaps")]
    service: String,
    /// Who has logged in.
    #[schema(required = true)]
    user: Option<String>,
    /// Address and port of the client, or `unix`.
    #[schema(example = "192.0.2.7:40123")]
    from: String,
    /// The version of TLS.
    #[schema(required = true)]
    tls: Option<String>,
    /// How long it has been there.
    seconds: u64,
    octets_in: u64,
    octets_out: u64,
    /// The mailbox that is selected.
    #[schema(required = true)]
    mailbox: Option<String>,
    /// What the client calls itself.
    #[schema(required = true)]
    client: Option<String>,
}

impl From<SessionView> for ConnectionView {
    fn from(view: SessionView) -> ConnectionView {
        let text = |text: Option<std::sync::Arc<str>>| text.map(|text| text.to_string());
        ConnectionView {
            id: view.id,
            service: view.service.to_owned(),
            user: text(view.user),
            from: view.peer.to_string(),
            tls: view.tls.map(Into::into),
            seconds: view.age.as_secs(),
            octets_in: view.octets_in,
            octets_out: view.octets_out,
            mailbox: text(view.mailbox),
            client: text(view.client),
        }
    }
}

/// Whose.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Whose {
    /// Of this user only.
    user: Option<String>,
    /// Most rows of the page.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u64>,
    /// `next` of the page before.
    after: Option<String>,
}

/// Which connections are to end: those of any of these users or from any of these networks.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Ending {
    /// User IDs.
    #[serde(default, deserialize_with = "at_most::<1000, _, _>")]
    #[schema(max_items = 1000)]
    users: Vec<String>,
    /// Addresses, or networks as `192.0.2.0/24`.
    #[serde(default, deserialize_with = "at_most::<1000, _, _>")]
    #[schema(max_items = 1000)]
    networks: Vec<String>,
    /// All connections of mail clients and MTAs.
    #[serde(default)]
    all: bool,
    /// What clients are told: one line.
    #[schema(min_length = 1, max_length = 200)]
    message: Option<String>,
}

/// How many connections were told to end.
#[derive(Serialize, ToSchema)]
pub(super) struct Ended {
    connections: usize,
}

/// Who is connected, in the order in which they came.
#[utoipa::path(
    get, path = "/api/v1/connections", tag = "connections", operation_id = "list_connections", params(Whose),
    responses((status = 200, description = "A page of connections", body = Part<ConnectionView>), Refused),
)]
pub(super) async fn list(caller: Caller, Query(whose): Query<Whose>) -> Result<Answer<Part<ConnectionView>>, Problem> {
    caller.require_admin("see who is connected")?;
    let fits = |view: &SessionView| whose.user.is_none() || view.user.as_deref() == whose.user.as_deref();
    let views = caller.shared.connections.list().into_iter().filter(|view| view.is_clients() && fits(view));
    let paging = Paging { limit: whose.limit, after: whose.after.clone() };
    // As many digits as the largest number has: texts sort as numbers do.
    Part::cut(views.map(ConnectionView::from).collect(), &paging, |view| format!("{:020}", view.id)).map(Answer::ok)
}

/// Ends a connection: what is under way is done first. The client may come again.
#[utoipa::path(
    delete, path = "/api/v1/connections/{id}", tag = "connections", operation_id = "end_connection",
    params(("id" = String, Path, description = "As the list shows it")), responses((status = 204, description = "It is told to end"), NotDone),
)]
pub(super) async fn end(caller: Caller, Name(id): Name) -> Result<StatusCode, Problem> {
    caller.require_admin("end a connection")?;
    let id: Option<u64> = id.parse().ok();
    let ended = end_those(&caller, MESSAGE, |view| Some(view.id) == id);
    if ended == 0 {
        return Err(Problem::missing("no-connection", "there is no connection of that number").of("id"));
    }
    Ok(StatusCode::NO_CONTENT)
}

/// Ends connections of users, from networks, or all.
#[utoipa::path(
    post, path = "/api/v1/connections/end", tag = "connections", operation_id = "end_connections", request_body = Ending,
    responses((status = 200, description = "They are told to end", body = Ended), NotDone),
)]
pub(super) async fn end_many(caller: Caller, Body(ending): Body<Ending>) -> Result<Answer<Ended>, Problem> {
    caller.require_admin("end connections")?;
    let networks = ending.networks.iter().map(|text| network(text)).collect::<Result<Vec<_>, _>>()?;
    if ending.users.is_empty() && networks.is_empty() && !ending.all {
        return Err(Problem::rule("users", "", "say which: users, networks, or all"));
    }
    let message = ending.message.as_deref().unwrap_or(MESSAGE);
    if message.is_empty() || message.chars().count() > MAX_MESSAGE || message.chars().any(char::is_control) {
        return Err(Problem::rule("message", message, "a message is one line of 1 to 200 characters"));
    }
    let connections = end_those(&caller, message, |view| {
        ending.all
            || view.user.as_deref().is_some_and(|user| ending.users.iter().any(|wanted| wanted == user))
            || view.peer.ip().is_some_and(|ip| networks.iter().any(|network| network.contains(ip)))
    });
    Ok(Answer::ok(Ended { connections }))
}

fn end_those(caller: &Caller, message: &str, chosen: impl Fn(&SessionView) -> bool) -> usize {
    let ended = caller.shared.connections.end(message, |view| view.is_clients() && chosen(view));
    let by = caller.account.user.as_str();
    tracing::info!(event = "sessions.kicked", by, sessions = ended, message);
    ended
}

fn network(text: &str) -> Result<Network, Problem> {
    text.parse().map_err(|_| Problem::rule("networks", text, "a network is an address, or one with a prefix length"))
}
