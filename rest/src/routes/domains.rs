//! `/api/v1/domains`.

use std::sync::Arc;

use directory::{Domain, DomainName, Revision, Service, UserId, Words};
use hyper::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::fields::{Line, NameOfDomain, at_most};
use super::{Answer, NotChanged, NotDone, Paging, Part, Precondition, Refused};
use crate::Shared;
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
    #[schema(value_type = NameOfDomain, example = "example.com")]
    name: String,
    #[serde(default)]
    #[schema(value_type = Line)]
    description: String,
}

/// What is to be changed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DomainChange {
    #[schema(value_type = Line)]
    description: String,
}

/// Another name.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Renaming {
    #[schema(value_type = NameOfDomain, example = "example.net")]
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

/// Domains to be deleted.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Deletion {
    #[serde(deserialize_with = "at_most::<1000, _, _>")]
    #[schema(min_items = 1, max_items = 1000)]
    domains: Vec<Going>,
    /// Delete their users with all their mail, and their aliases. Without it they must be empty.
    #[serde(default)]
    cascade: bool,
}

/// One of them.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Going {
    #[schema(value_type = NameOfDomain, example = "example.com")]
    name: String,
    /// Which state of the domain is to go, as it was read; whichever there is if it is left out.
    revision: Option<String>,
}

/// What went.
#[derive(Serialize, ToSchema)]
pub(super) struct Gone {
    /// The users who went with their domains.
    users: Vec<String>,
}

/// Which domains.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Search {
    /// Words that each must be part of the name or the description.
    q: Option<String>,
    /// Most rows of the page.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u64>,
    /// `next` of the page before.
    after: Option<String>,
}

/// The domains of the server, by name.
#[utoipa::path(
    get, path = "/api/v1/domains", tag = "domains", operation_id = "list_domains", params(Search),
    responses((status = 200, description = "A page of domains", body = Part<DomainView>), Refused),
)]
pub(super) async fn list(caller: Caller, Query(search): Query<Search>) -> Result<Answer<Part<DomainView>>, Problem> {
    let domains = caller.run(|_, service| Ok(service.domains()?)).await?;
    let words = Words::parse(search.q.as_deref().unwrap_or_default());
    let text = |domain: &Domain| format!("{} {}", domain.name, domain.description).to_lowercase();
    let fits = domains.iter().filter(|domain| words.match_folded(&text(domain)));
    let views = fits.map(|domain| DomainView::from(&**domain)).collect();
    let paging = Paging { limit: search.limit, after: search.after };
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
    get, path = "/api/v1/domains/{domain}", tag = "domains", operation_id = "get_domain", params(("domain" = String, Path, example = "example.org")),
    responses((status = 200, description = "The domain", body = DomainView, headers(("ETag" = String))), Refused),
)]
pub(super) async fn show(caller: Caller, Name(name): Name) -> Result<Answer<DomainView>, Problem> {
    let domain = caller.run(move |_, service| find(service, &name)).await?;
    Ok(Answer::ok(DomainView::from(&*domain)).at(domain.revision))
}

/// Changes the description.
#[utoipa::path(
    patch, path = "/api/v1/domains/{domain}", tag = "domains", operation_id = "change_domain",
    params(("domain" = String, Path, example = "example.org"), Precondition), request_body = DomainChange,
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
    params(("domain" = String, Path, example = "example.org"), Cascade, Precondition),
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
        let expected = expected.expect(domain.revision)?;
        delete_all(shared, service, &[(domain.name.clone(), Some(expected))], cascade).map(drop)
    });
    deleted.await.map(|()| StatusCode::NO_CONTENT)
}

/// Deletes domains: all of them, or none.
#[utoipa::path(
    post, path = "/api/v1/domain-deletions", tag = "domains", operation_id = "delete_domains", request_body = Deletion,
    responses(
        (status = 200, description = "They are gone", body = Gone),
        NotDone,
        (status = 412, description = "Somebody else has changed one of them since it was seen.", body = Problem,
         content_type = "application/problem+json"),
    ),
)]
pub(super) async fn delete_several(caller: Caller, Body(deletion): Body<Deletion>) -> Result<Answer<Gone>, Problem> {
    let gone = caller.run(move |shared, service| {
        let parse = |going: &Going| -> directory::Result<(DomainName, Option<Revision>)> {
            let name = DomainName::parse(&going.name).map_err(|error| error.of_field("domains"))?;
            Ok((name, going.revision.as_deref().map(str::parse).transpose()?))
        };
        let domains = deletion.domains.iter().map(parse).collect::<directory::Result<Vec<_>>>()?;
        if domains.is_empty() {
            return Err(Problem::rule("domains", "", "name one at least"));
        }
        delete_all(shared, service, &domains, deletion.cascade).map_err(Problem::in_body)
    });
    gone.await.map(|users| Answer::ok(Gone { users }))
}

/// Deletes domains, and shows their users out.
fn delete_all(
    shared: &Shared,
    service: &Service<'_>,
    domains: &[(DomainName, Option<Revision>)],
    cascade: bool,
) -> Result<Vec<String>, Problem> {
    let mut users = Vec::new();
    let mut gone = |uid: &UserId| {
        shared.show_out(uid);
        users.push(uid.to_string());
    };
    tools::accounts::delete_domains_at(&shared.store, service, domains, cascade, &mut gone)?;
    Ok(users)
}

/// How many users and aliases a domain has.
#[utoipa::path(
    get, path = "/api/v1/domains/{domain}/counts", tag = "domains", operation_id = "count_domain",
    params(("domain" = String, Path, example = "example.org")), responses((status = 200, description = "The numbers", body = Counts), Refused),
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
    params(("domain" = String, Path, example = "example.org"), Precondition), request_body = Renaming,
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
            let expected = expected.expect(domain.revision)?;
            let new = DomainName::parse(&renaming.name).map_err(|error| error.of_field("name"))?;
            service.rename_domain_at(&domain.name, &new, Some(expected))?;
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
