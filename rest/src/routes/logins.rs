//! `/api/v1/users/{uid}/logins`.

use directory::Login;
use serde::Serialize;
use utoipa::ToSchema;

use super::users::own_or_found;
use super::{Answer, Refused};
use crate::caller::Caller;
use crate::extract::Name;
use crate::problem::Problem;

/// Attempts to log in that differ in their time only.
#[derive(Serialize, ToSchema)]
#[schema(as = Login)]
pub(super) struct LoginView {
    /// The first one, in Unix seconds.
    first: u64,
    /// The last one, in Unix seconds.
    last: u64,
    /// How many there were.
    count: u64,
    /// Why it failed; null for a success.
    #[schema(required = true)]
    refused: Option<String>,
    /// From which address; null for a socket of the machine.
    #[schema(required = true)]
    from: Option<String>,
    #[schema(example = "imap")]
    protocol: String,
    /// The SASL mechanism, or `password`.
    mechanism: String,
    /// The version of TLS.
    #[schema(required = true)]
    tls: Option<String>,
    /// The name of the app password.
    #[schema(required = true)]
    app: Option<String>,
    /// What the client calls itself.
    #[schema(required = true)]
    client: Option<String>,
    /// The administrator who came in as this user.
    #[schema(required = true)]
    by: Option<String>,
    /// The user as whom this administrator came in.
    #[schema(required = true)]
    acting_as: Option<String>,
}

impl From<Login> for LoginView {
    fn from(login: Login) -> LoginView {
        LoginView {
            first: login.first,
            last: login.last,
            count: login.count,
            refused: login.refused.map(Into::into),
            from: login.from.map(|address| address.to_string()),
            protocol: login.protocol.into(),
            mechanism: login.mechanism.into(),
            tls: login.tls.map(Into::into),
            app: login.app,
            client: login.client,
            by: login.by,
            acting_as: login.acting_as,
        }
    }
}

/// All that is kept.
#[derive(Serialize, ToSchema)]
pub(super) struct LoginViews {
    items: Vec<LoginView>,
}

/// Who has logged in as a user lately, and who has tried; the latest first.
#[utoipa::path(
    get, path = "/api/v1/users/{uid}/logins", tag = "users", operation_id = "list_logins", params(("uid" = String, Path, example = "joe", description = "User ID")),
    responses((status = 200, description = "What is kept of them", body = LoginViews), Refused),
)]
pub(super) async fn list(caller: Caller, Name(uid): Name) -> Result<Answer<LoginViews>, Problem> {
    caller.require_own(&uid, "look at another user's logins")?;
    let found = caller.run(move |shared, service| {
        let user = own_or_found(service, &uid)?;
        let logins = shared.directory.logins(&user)?;
        Ok(LoginViews { items: logins.into_iter().map(LoginView::from).collect() })
    });
    found.await.map(Answer::ok)
}
