//! `/api/v1/users/{uid}/app-passwords`.

use directory::{AppPassword, Network};
use hyper::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::fields::at_most;
use super::users::own_or_found;
use super::{Answer, NotDone, Refused};
use crate::caller::Caller;
use crate::extract::{Body, Name, Names};
use crate::now;
use crate::problem::Problem;

/// An app password, without the password.
#[derive(Serialize, ToSchema)]
#[schema(as = AppPassword)]
pub(super) struct AppView {
    name: String,
    /// The protocols it is good for.
    protocols: Vec<String>,
    /// The networks it is good from; none: everywhere.
    networks: Vec<String>,
    /// When it was made, in Unix seconds.
    created: u64,
    /// When it ends, in Unix seconds; null: never.
    #[schema(required = true)]
    expires: Option<u64>,
}

impl From<&AppPassword> for AppView {
    fn from(app: &AppPassword) -> AppView {
        AppView {
            name: app.name.clone(),
            protocols: app.protocols.clone(),
            networks: app.networks.iter().map(ToString::to_string).collect(),
            created: app.created,
            expires: app.expires,
        }
    }
}

/// All of a user's.
#[derive(Serialize, ToSchema)]
pub(super) struct AppViews {
    items: Vec<AppView>,
}

/// An app password to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewApp {
    /// What it is for; unique among the user's.
    #[schema(example = "phone", min_length = 1, max_length = 64)]
    name: String,
    /// `imap`, `pop3`, `lmtp`, `sieve`.
    #[schema(example = json!(["imap"]), min_items = 1)]
    protocols: Vec<String>,
    /// Networks that it is good from, as `192.0.2.0/24`; none: everywhere.
    #[serde(default, deserialize_with = "at_most::<16, _, _>")]
    #[schema(max_items = 16)]
    networks: Vec<String>,
    /// When it ends, in Unix seconds.
    expires: Option<u64>,
}

/// A new app password.
#[derive(Serialize, ToSchema)]
pub(super) struct MadeApp {
    name: String,
    /// It is shown this once.
    password: String,
}

/// A user's app passwords.
#[utoipa::path(
    get, path = "/api/v1/users/{uid}/app-passwords", tag = "app passwords", operation_id = "list_app_passwords",
    params(("uid" = String, Path, example = "joe", description = "User ID")), responses((status = 200, description = "All of them", body = AppViews), Refused),
)]
pub(super) async fn list(caller: Caller, Name(uid): Name) -> Result<Answer<AppViews>, Problem> {
    let found = caller.run(move |_, service| {
        let user = own_or_found(service, &uid)?;
        Ok(AppViews { items: service.app_passwords(&user)?.iter().map(AppView::from).collect() })
    });
    found.await.map(Answer::ok)
}

/// Makes an app password.
#[utoipa::path(
    post, path = "/api/v1/users/{uid}/app-passwords", tag = "app passwords", operation_id = "create_app_password",
    params(("uid" = String, Path, example = "joe", description = "User ID")), request_body = NewApp,
    responses((status = 201, description = "The password", body = MadeApp, headers(("Location" = String))), NotDone),
)]
pub(super) async fn create(
    caller: Caller,
    Name(uid): Name,
    Body(new): Body<NewApp>,
) -> Result<Answer<MadeApp>, Problem> {
    let made = caller.run(move |_, service| {
        let user = own_or_found(service, &uid)?;
        let networks = new.networks.iter().map(|text| network(text)).collect::<Result<_, _>>()?;
        let NewApp { name, protocols, expires, .. } = new;
        let app = AppPassword { name, protocols, networks, created: now(), expires };
        let password = service.add_app_password(&user, &app)?;
        let password = String::from_utf8_lossy(password.expose()).into_owned();
        Ok((user, MadeApp { name: app.name, password }))
    });
    let (user, made) = made.await?;
    Ok(Answer::created(made, format!("/api/v1/users/{user}/app-passwords")))
}

/// Takes all app passwords of a user back.
#[utoipa::path(
    delete, path = "/api/v1/users/{uid}/app-passwords", tag = "app passwords", operation_id = "delete_app_passwords",
    params(("uid" = String, Path, example = "joe", description = "User ID")), responses((status = 204, description = "There is none any more"), NotDone),
)]
pub(super) async fn delete_all(caller: Caller, Name(uid): Name) -> Result<StatusCode, Problem> {
    let removed = caller.run(move |_, service| {
        let user = own_or_found(service, &uid)?;
        Ok(service.remove_app_passwords(&user, None)?)
    });
    removed.await.map(|_| StatusCode::NO_CONTENT)
}

/// Takes an app password back.
#[utoipa::path(
    delete, path = "/api/v1/users/{uid}/app-passwords/{name}", tag = "app passwords", operation_id = "delete_app_password",
    params(("uid" = String, Path, example = "joe", description = "User ID"), ("name" = String, Path, example = "phone")),
    responses((status = 204, description = "It is gone"), NotDone),
)]
pub(super) async fn delete(caller: Caller, Names(uid, name): Names) -> Result<StatusCode, Problem> {
    let removed = caller.run(move |_, service| {
        let user = own_or_found(service, &uid)?;
        if service.remove_app_passwords(&user, Some(&name))? == 0 {
            return Err(Problem::missing("no-app-password", "the user has no app password of that name").of("name"));
        }
        Ok(())
    });
    removed.await.map(|()| StatusCode::NO_CONTENT)
}

fn network(text: &str) -> Result<Network, Problem> {
    text.parse().map_err(|_| Problem::rule("networks", text, "a network is an address, or one with a prefix length"))
}
