//! What there is: one list, of which both the router and the OpenAPI document are made.

mod aliases;
mod app_passwords;
mod audit;
mod connections;
mod console;
mod domains;
mod fields;
mod groups;
mod junk;
mod logins;
mod notices;
mod privileges;
mod quotas;
mod session;
mod tokens;
mod transfer;
mod usage;
mod users;
mod whole;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::response::{IntoResponse, Response};
use directory::{DEFAULT_PAGE, Listing, MAX_PAGE, Revision};
use hyper::StatusCode;
use hyper::header::{CONTENT_TYPE, ETAG, HeaderName, HeaderValue, LOCATION};
use serde::{Deserialize, Serialize};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{ContentBuilder, OpenApi as Document, RefOr, ResponseBuilder};
use utoipa::{IntoParams, IntoResponses, Modify, OpenApi, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::Shared;
use crate::caller::COOKIE_NAME;
use crate::problem::Problem;

/// The interface as a document.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Angarium",
        description = "Domains, users, aliases, quotas and privileges of a mail store.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    security(("token" = []), ("session" = [])),
    modifiers(&Schemes),
    components(schemas(Problem)),
)]
struct Api;

/// How people say who they are.
struct Schemes;

impl Modify for Schemes {
    fn modify(&self, api: &mut Document) {
        let components = api.components.get_or_insert_default();
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer);
        let bearer = bearer.description(Some("A token, or a session that was begun with `bearer`."));
        components.add_security_scheme("token", SecurityScheme::Http(bearer.build()));
        let cookie = ApiKeyValue::with_description(COOKIE_NAME, "A session; changes need X-CSRF-Token too.");
        components.add_security_scheme("session", SecurityScheme::ApiKey(ApiKey::Cookie(cookie)));
    }
}

/// All routes, with what answers where there is none.
pub(crate) fn router(shared: Arc<Shared>) -> Router {
    let (router, _) = all().split_for_parts();
    router.method_not_allowed_fallback(no_method).fallback(nothing).with_state(shared)
}

/// The OpenAPI 3.1 document.
#[must_use]
pub fn openapi() -> Document {
    all().split_for_parts().1
}

fn all() -> OpenApiRouter<Arc<Shared>> {
    OpenApiRouter::with_openapi(Api::openapi())
        .routes(routes!(document))
        .routes(routes!(session::begin, session::show, session::end))
        .routes(routes!(tokens::list, tokens::create))
        .routes(routes!(tokens::delete))
        .routes(routes!(domains::list, domains::create))
        .routes(routes!(domains::show, domains::change, domains::delete))
        .routes(routes!(domains::counts))
        .routes(routes!(domains::rename))
        .routes(routes!(domains::delete_several))
        .routes(routes!(users::list, users::create))
        .routes(routes!(users::show, users::change, users::delete))
        .routes(routes!(users::set_enabled))
        .routes(routes!(users::set_password))
        .routes(routes!(users::aliases))
        .routes(routes!(users::vanishing))
        .routes(routes!(app_passwords::list, app_passwords::create, app_passwords::delete_all))
        .routes(routes!(app_passwords::delete))
        .routes(routes!(quotas::show, quotas::set))
        .routes(routes!(quotas::list))
        .routes(routes!(quotas::recount))
        .routes(routes!(quotas::recount_all))
        .routes(routes!(usage::show))
        .routes(routes!(logins::list))
        .routes(routes!(aliases::list, aliases::create))
        .routes(routes!(aliases::show, aliases::change, aliases::delete))
        .routes(routes!(aliases::members_of))
        .routes(routes!(aliases::owners_of))
        .routes(routes!(aliases::join, aliases::leave))
        .routes(routes!(privileges::show, privileges::change))
        .routes(routes!(groups::list))
        .routes(routes!(groups::show))
        .routes(routes!(groups::change))
        .routes(routes!(connections::list))
        .routes(routes!(connections::end))
        .routes(routes!(connections::end_many))
        .routes(routes!(notices::show_motd, notices::set_motd, notices::clear_motd))
        .routes(routes!(notices::show_lockout, notices::lock_out, notices::end_lockout))
        .routes(routes!(audit::list))
        .routes(routes!(whole::apply_document))
        .routes(routes!(transfer::export_directory, transfer::import_directory))
}

/// This document.
#[utoipa::path(
    get, path = "/api/v1/openapi.json", tag = "document", operation_id = "get_document", security(()),
    responses((status = 200, description = "OpenAPI 3.1", body = serde_json::Value)),
)]
async fn document() -> Response {
    match serde_json::to_vec(&openapi()) {
        Ok(octets) => ([(CONTENT_TYPE, JSON)], octets).into_response(),
        Err(error) => Problem::defect(&error).into_response(),
    }
}

async fn nothing() -> Problem {
    Problem::missing("no-path", "there is nothing of that name: /api/v1/openapi.json tells what there is")
}

async fn no_method() -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method", "that method does nothing here: see Allow")
}

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// What is answered, as JSON.
pub(crate) struct Answer<T> {
    status: StatusCode,
    headers: Vec<(HeaderName, String)>,
    body: T,
}

impl<T> Answer<T> {
    /// 200.
    pub(crate) fn ok(body: T) -> Answer<T> {
        Answer { status: StatusCode::OK, headers: Vec::new(), body }
    }

    /// 201, and where it is.
    pub(crate) fn created(body: T, location: String) -> Answer<T> {
        Answer { status: StatusCode::CREATED, ..Answer::ok(body) }.with(LOCATION, location)
    }

    /// The same with another body.
    pub(crate) fn map<U>(self, view: impl FnOnce(T) -> U) -> Answer<U> {
        Answer { status: self.status, headers: self.headers, body: view(self.body) }
    }

    /// With the row's state, for If-Match.
    pub(crate) fn at(self, revision: Revision) -> Answer<T> {
        self.with(ETAG, format!("\"{revision}\""))
    }

    pub(crate) fn with(mut self, name: HeaderName, value: String) -> Answer<T> {
        self.headers.push((name, value));
        self
    }
}

impl<T: Serialize> IntoResponse for Answer<T> {
    fn into_response(self) -> Response {
        let octets = match serde_json::to_vec(&self.body) {
            Ok(octets) => octets,
            Err(error) => return Problem::defect(&error).into_response(),
        };
        let mut response = (self.status, [(CONTENT_TYPE, JSON)], octets).into_response();
        for (name, value) in self.headers {
            match HeaderValue::try_from(value) {
                Ok(value) => drop(response.headers_mut().insert(name, value)),
                Err(error) => return Problem::defect(&error).into_response(),
            }
        }
        response
    }
}

/// A part of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Part<T: ToSchema> {
    /// What is on this page.
    items: Vec<T>,
    /// To be sent as `after` for the next page; null: this was the last.
    #[schema(required = true)]
    next: Option<String>,
}

impl<T: ToSchema> Part<T> {
    fn of<R>(listing: Listing<R>, view: impl FnMut(R) -> T) -> Part<T> {
        Part { items: listing.rows.into_iter().map(view).collect(), next: listing.next }
    }

    /// A page of a list that is short enough to be read whole; sorted by `key`, which is the cursor.
    fn cut(rows: Vec<T>, paging: &Paging, key: impl Fn(&T) -> String) -> Result<Part<T>, Problem> {
        let page = paging.page()?;
        let behind = |row: &T| page.after.as_ref().is_none_or(|after| key(row) > *after);
        let mut items: Vec<T> = rows.into_iter().filter(behind).take(page.size() + 1).collect();
        let more = items.len() > page.size();
        items.truncate(page.size());
        let next = items.last().filter(|_| more).map(key);
        Ok(Part { items, next })
    }
}

/// Which part of a list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Paging {
    /// Most rows of the page.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u64>,
    /// `next` of the page before.
    after: Option<String>,
}

impl Paging {
    fn page(&self) -> Result<directory::Page, Problem> {
        page(self.limit, self.after.clone())
    }
}

fn page(limit: Option<u64>, after: Option<String>) -> Result<directory::Page, Problem> {
    let limit = match limit {
        None => DEFAULT_PAGE,
        Some(limit) => match usize::try_from(limit) {
            Ok(limit @ 1..=MAX_PAGE) => limit,
            _ => return Err(Problem::rule("limit", &limit.to_string(), "a page has 1 to 1000 rows")),
        },
    };
    Ok(directory::Page { after, limit })
}

/// What can go wrong when somebody looks.
pub(crate) struct Refused;

impl IntoResponses for Refused {
    fn responses() -> BTreeMap<String, RefOr<utoipa::openapi::Response>> {
        problems(&[
            (400, "The request makes no sense."),
            (401, "Nobody is known by what was sent."),
            (403, "Whoever asks may not."),
            (404, "It is not there."),
            (422, "A value breaks a rule."),
            (429, "Too many failed logins from that address."),
            (500, "A defect; see the server's log."),
            (503, "The directory or the store can't answer now."),
        ])
    }
}

/// What can go wrong with a change.
pub(crate) struct NotDone;

impl IntoResponses for NotDone {
    fn responses() -> BTreeMap<String, RefOr<utoipa::openapi::Response>> {
        let mut all = Refused::responses();
        all.append(&mut problems(&[
            (408, "The body did not come in time."),
            (409, "It is taken, or must stay as it is."),
            (413, "The body is too large."),
            (415, "The body is not JSON."),
        ]));
        all
    }
}

/// What can go wrong with a change of what somebody has seen.
pub(crate) struct NotChanged;

impl IntoResponses for NotChanged {
    fn responses() -> BTreeMap<String, RefOr<utoipa::openapi::Response>> {
        let mut all = NotDone::responses();
        all.append(&mut problems(&[
            (412, "Somebody else has changed it since it was seen."),
            (428, "If-Match is missing."),
        ]));
        all
    }
}

fn problems(list: &[(u16, &str)]) -> BTreeMap<String, RefOr<utoipa::openapi::Response>> {
    let problem = |text: &str| {
        let content = ContentBuilder::new().schema(Some(utoipa::openapi::Ref::from_schema_name("Problem"))).build();
        RefOr::T(ResponseBuilder::new().description(text).content("application/problem+json", content).build())
    };
    list.iter().map(|(status, text)| (status.to_string(), problem(text))).collect()
}

/// If-Match, in the document.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "it documents what extract::IfMatch takes")]
pub(crate) struct Precondition {
    /// The ETag of what is to be changed, as it was read; or `*` for whatever is there.
    #[param(rename = "If-Match", required = true, example = "*")]
    if_match: String,
}
