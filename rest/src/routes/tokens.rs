//! `/api/v1/tokens`.

use directory::UserId;
use hyper::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Answer, NotDone, Paging, Part, Refused};
use crate::caller::Caller;
use crate::extract::{Body, Name, Query};
use crate::now;
use crate::problem::Problem;
use crate::tokens::{NewToken, Token};

/// A token, without its secret.
#[derive(Serialize, ToSchema)]
#[schema(as = Token)]
pub(super) struct TokenView {
    id: String,
    name: String,
    /// Whose rights it gives.
    user: String,
    /// When it was made, in Unix seconds.
    created: u64,
    /// When it ends, in Unix seconds; null: never.
    #[schema(required = true)]
    expires: Option<u64>,
    /// To be sent as `Authorization: Bearer`; shown this once.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    token: Option<String>,
}

impl From<Token> for TokenView {
    fn from(token: Token) -> TokenView {
        let Token { id, name, user, created, expires } = token;
        TokenView { id, name, user: user.to_string(), created, expires, token: None }
    }
}

/// A token to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TokenRequest {
    /// What it is for; unique among the user's.
    #[schema(example = "backup", min_length = 1, max_length = 256)]
    name: String,
    /// Whose rights it gives; those of whoever asks if it is left out.
    user: Option<String>,
    /// When it ends, in Unix seconds; never if it is left out.
    expires: Option<u64>,
}

/// All tokens.
#[utoipa::path(
    get, path = "/api/v1/tokens", tag = "tokens", operation_id = "list_tokens", params(Paging),
    responses((status = 200, description = "A page of tokens", body = Part<TokenView>), Refused),
)]
pub(super) async fn list(caller: Caller, Query(paging): Query<Paging>) -> Result<Answer<Part<TokenView>>, Problem> {
    caller.require_admin("look at tokens")?;
    let mut tokens = caller.shared.tokens.list()?;
    tokens.sort_by(|a, b| a.id.cmp(&b.id));
    Part::cut(tokens.into_iter().map(TokenView::from).collect(), &paging, |view| view.id.clone()).map(Answer::ok)
}

/// Makes a token.
#[utoipa::path(
    post, path = "/api/v1/tokens", tag = "tokens", operation_id = "create_token", request_body = TokenRequest,
    responses((status = 201, description = "The token", body = TokenView, headers(("Location" = String))), NotDone),
)]
pub(super) async fn create(caller: Caller, Body(new): Body<TokenRequest>) -> Result<Answer<TokenView>, Problem> {
    caller.require_admin("make a token")?;
    let own = caller.account.user.clone();
    let made = caller.run(move |shared, service| {
        let user = match &new.user {
            Some(user) => UserId::parse(user).map_err(|error| error.of_field("user"))?,
            None => own,
        };
        let new = NewToken { name: new.name, user, expires: new.expires };
        shared.tokens.create(&new, service, &shared.store, now()).map_err(|error| Problem::from(error).in_body())
    });
    let (token, secret) = made.await?;
    let location = format!("/api/v1/tokens/{}", token.id);
    Ok(Answer::created(TokenView { token: Some(secret.to_string()), ..token.into() }, location))
}

/// Takes a token back.
#[utoipa::path(
    delete, path = "/api/v1/tokens/{id}", tag = "tokens", operation_id = "delete_token", params(("id" = String, Path, description = "As the list shows it")),
    responses((status = 204, description = "It is good no more"), NotDone),
)]
pub(super) async fn delete(caller: Caller, Name(id): Name) -> Result<StatusCode, Problem> {
    caller.require_admin("take a token back")?;
    let deleted = caller.run(move |shared, service| Ok(shared.tokens.delete(&id, service)?)).await?;
    match deleted {
        Some(_) => Ok(StatusCode::NO_CONTENT),
        None => Err(Problem::missing("no-token", "there is no token of that ID").of("id")),
    }
}
