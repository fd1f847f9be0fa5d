//! `/api/v1/domains`.

use std::sync::Arc;

use directory::{Domain, DomainName, Service};
use hyper::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{Answer, NotChanged, NotDone, Paging, Part, Precondition, Refused};
use crate::caller::Caller;
use crate::extract::{Body, IfMatch, Name, Query};
use crate::problem::Problem;

/// A domain.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Domain)]
pub(super) struct DomainView {
    #[schema(example = "example.com")]
    name: String,
    /// For people.
    description: String,
    /// The server's own, which can't be deleted.
    primary: bool,
    /// It is on its way out.
    deleting: bool,
    /// Which state of the domain this is; the same as the ETag.
    revision: String,
}

impl From<&Domain> for DomainView {
    fn from(domain: &Domain) -> DomainView {
        DomainView {
            name: domain.name.to_string(),
            description: domain.description.clone(),
            primary: domain.primary,
            deleting: domain.deleting,
            revision: domain.revision.to_string(),
        }
    }
}

/// A domain to be made. Its `postmaster` alias is made with it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewDomain {
    #[schema(example = "example.com", min_length = 1, max_length = 253)]
    name: String,
    #[serde(default)]
    #[schema(max_length = 256)]
    description: String,
}

/// What is to be changed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DomainChange {
    #[schema(max_length = 256)]
    description: String,
}

/// Another name.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Renaming {
    #[schema(example = "example.net", min_length = 1, max_length = 253)]
    name: String,
}

/// How much there is in a domain.
#[derive(Serialize, ToSchema)]
pub(super) struct Counts {
    users: usize,
    aliases: usize,
}

/// What else is to go.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Cascade {
    /// Delete the domain's users with all their mail, and its aliases. Without it the domain must be empty.
    cascade: Option<bool>,
}

/// The domains of the server, by name.
#[utoipa::path(
    get, path = "/api/v1/domains", tag = "domains", operation_id = "list_domains", params(Paging),
    responses((status = 200, description = "A page of domains", body = Part<DomainView>), Refused),
)]
pub(super) async fn list(caller: Caller, Query(paging): Query<Paging>) -> Result<Answer<Part<DomainView>>, Problem> {
    let domains = caller.run(|_, service| Ok(service.domains()?)).await?;
    let views = domains.iter().map(|domain| DomainView::from(&**domain)).collect();
    Part::cut(views, &paging, |view| view.name.clone()).map(Answer::ok)
}

/// Makes a domain.
#[utoipa::path(
    post, path = "/api/v1/domains", tag = "domains", operation_id = "create_domain", request_body = NewDomain,
    responses((status = 201, description = "It is made", body = DomainView, headers(("ETag" = String), ("Location" = String))), NotDone),
)]
pub(super) async fn create(caller: Caller, Body(new): Body<NewDomain>) -> Result<Answer<DomainView>, Problem> {
    let domain = caller
        .run(move |_, service| {
            let name = DomainName::parse(&new.name).map_err(|error| error.of_field("name"))?;
            Ok(service.create_domain(&name, &new.description)?)
        })
        .await?;
    let location = format!("/api/v1/domains/{}", domain.name);
    Ok(Answer::created(DomainView::from(&domain), location).at(domain.revision))
}

/// A domain.
#[utoipa::path(
    get, path = "/api/v1/domains/{domain}", tag = "domains", operation_id = "get_domain", params(("domain" = String, Path)),
    responses((status = 200, description = "The domain", body = DomainView, headers(("ETag" = String))), Refused),
)]
pub(super) async fn show(caller: Caller, Name(name): Name) -> Result<Answer<DomainView>, Problem> {
    let domain = caller.run(move |_, service| find(service, &name)).await?;
    Ok(Answer::ok(DomainView::from(&*domain)).at(domain.revision))
}

/// Changes the description.
#[utoipa::path(
    patch, path = "/api/v1/domains/{domain}", tag = "domains", operation_id = "change_domain",
    params(("domain" = String, Path), Precondition), request_body = DomainChange,
    responses((status = 200, description = "The domain as it is now", body = DomainView, headers(("ETag" = String))), NotChanged),
)]
pub(super) async fn change(
    caller: Caller,
    Name(name): Name,
    expected: IfMatch,
    Body(change): Body<DomainChange>,
) -> Result<Answer<DomainView>, Problem> {
    let domain = caller
        .run(move |_, service| {
            let domain = find(service, &name)?;
            let expected = expected.expect(domain.revision)?;
            service.describe_domain(&domain.name, &change.description, Some(expected))?;
            find(service, &name)
        })
        .await?;
    Ok(Answer::ok(DomainView::from(&*domain)).at(domain.revision))
}

/// Deletes a domain.
#[utoipa::path(
    delete, path = "/api/v1/domains/{domain}", tag = "domains", operation_id = "delete_domain",
    params(("domain" = String, Path), Cascade, Precondition),
    responses((status = 204, description = "It is gone"), NotChanged),
)]
pub(super) async fn delete(
    caller: Caller,
    Name(name): Name,
    Query(cascade): Query<Cascade>,
    expected: IfMatch,
) -> Result<StatusCode, Problem> {
    let cascade = cascade.cascade.unwrap_or_default();
    let deleted = caller.run(move |shared, service| {
        let domain = find(service, &name)?;
        expected.expect(domain.revision)?;
        let names = std::slice::from_ref(&domain.name);
        Ok(tools::accounts::delete_domains(&shared.store, service, names, cascade, &mut |_| {})?)
    });
    deleted.await.map(|()| StatusCode::NO_CONTENT)
}

/// How many users and aliases a domain has.
#[utoipa::path(
    get, path = "/api/v1/domains/{domain}/counts", tag = "domains", operation_id = "count_domain",
    params(("domain" = String, Path)), responses((status = 200, description = "The numbers", body = Counts), Refused),
)]
pub(super) async fn counts(caller: Caller, Name(name): Name) -> Result<Answer<Counts>, Problem> {
    let counts = caller
        .run(move |_, service| {
            let domain = find(service, &name)?;
            Ok(service.counts(Some(&domain.name))?)
        })
        .await?;
    Ok(Answer::ok(Counts { users: counts.users, aliases: counts.aliases }))
}

/// Gives a domain another name, and all addresses in it.
#[utoipa::path(
    post, path = "/api/v1/domains/{domain}/rename", tag = "domains", operation_id = "rename_domain",
    params(("domain" = String, Path), Precondition), request_body = Renaming,
    responses((status = 200, description = "The domain under its new name", body = DomainView, headers(("ETag" = String))), NotChanged),
)]
pub(super) async fn rename(
    caller: Caller,
    Name(name): Name,
    expected: IfMatch,
    Body(renaming): Body<Renaming>,
) -> Result<Answer<DomainView>, Problem> {
    let domain = caller
        .run(move |_, service| {
            let domain = find(service, &name)?;
            expected.expect(domain.revision)?;
            let new = DomainName::parse(&renaming.name).map_err(|error| error.of_field("name"))?;
            service.rename_domain(&domain.name, &new)?;
            find(service, new.as_str())
        })
        .await?;
    Ok(Answer::ok(DomainView::from(&*domain)).at(domain.revision))
}

/// The domain that a path names.
fn find(service: &Service<'_>, name: &str) -> Result<Arc<Domain>, Problem> {
    // What no domain can be called is the name of none.
    let missing = || directory::Error::NoDomain(name.to_owned());
    let parsed = DomainName::parse(name).map_err(|_| missing())?;
    Ok(service.domain(&parsed)?.ok_or_else(missing)?)
}
