//! `/api/v1/aliases`.

use std::sync::Arc;

use directory::{Address, Alias, AliasQuery, DomainName, Member, RemoteAddress, Service, UserId, Words};
use hyper::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::fields::{Line, at_most, given, some_at_most};
use super::{Answer, NotChanged, NotDone, Part, Precondition, Refused, page};
use crate::caller::Caller;
use crate::extract::{Body, IfMatch, Name, Query};
use crate::problem::Problem;

/// An alias.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Alias)]
pub(super) struct AliasView {
    #[schema(example = "staff@example.com")]
    address: String,
    description: String,
    /// Users who may change it.
    owners: Vec<String>,
    members: Vec<MemberView>,
    /// A file that its mail is appended to. Shown to its owners and to administrators.
    file: Option<String>,
    /// A program that its mail is piped into. Shown to its owners and to administrators.
    program: Option<String>,
    /// Whether users may add and remove themselves.
    joinable: bool,
    /// Which state of the alias this is; the same as the ETag.
    revision: String,
}

impl AliasView {
    fn of(alias: &Alias, caller: &Caller) -> AliasView {
        let all = caller.account.admin || alias.owners.contains(&caller.account.user);
        AliasView {
            address: alias.address.to_string(),
            description: alias.description.clone(),
            owners: alias.owners.iter().map(ToString::to_string).collect(),
            members: alias.members().map(MemberView::from).collect(),
            file: alias.file.clone().filter(|_| all),
            program: alias.program.clone().filter(|_| all),
            joinable: alias.joinable,
            revision: alias.revision.to_string(),
        }
    }
}

/// Whom an alias reaches.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Member)]
pub(super) struct MemberView {
    kind: Kind,
    /// A user ID, an address or the name of a group.
    name: String,
}

/// What a member is.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    /// A user of this server.
    User,
    /// Another alias of this server.
    Alias,
    /// An address elsewhere.
    Remote,
    /// The users of a group.
    Group,
}

impl From<Member> for MemberView {
    fn from(member: Member) -> MemberView {
        let (kind, name) = match member {
            Member::User(user) => (Kind::User, user.to_string()),
            Member::Alias(address) => (Kind::Alias, address.to_string()),
            Member::Remote(address) => (Kind::Remote, address.to_string()),
            Member::Group(name) => (Kind::Group, name),
        };
        MemberView { kind, name }
    }
}

/// A member as people write one (`joe`, `staff`, `x@else.example`, `group:sales`), or as it is shown.
#[derive(Deserialize, ToSchema)]
#[serde(untagged)]
#[schema(as = MemberGiven)]
pub(super) enum Given {
    /// A user ID or an alias of the alias's domain, an address, or `group:` and the name of a group.
    Text(String),
    /// As it is shown.
    Shown(MemberView),
}

impl Given {
    fn parse(&self, service: &Service<'_>) -> Result<Vec<Member>, Problem> {
        const FIELD: &str = "members";
        let MemberView { kind, name } = match self {
            Given::Text(text) if text.trim().is_empty() => return Err(Problem::rule(FIELD, text, "it names nobody")),
            Given::Text(text) => return Ok(service.parse_members(text)?),
            Given::Shown(view) => view,
        };
        let member = match kind {
            Kind::User => UserId::parse(name).map(Member::User),
            Kind::Alias => Address::parse(name).map(Member::Alias),
            Kind::Remote => RemoteAddress::parse(name).map(Member::Remote),
            Kind::Group => Ok(Member::Group(name.clone())),
        };
        Ok(vec![member.map_err(|error| error.of_field(FIELD))?])
    }
}

/// An alias to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewAlias {
    /// Can't be changed.
    #[schema(example = "staff@example.com", min_length = 1)]
    address: String,
    #[serde(default)]
    #[schema(value_type = Line)]
    description: String,
    /// User IDs or addresses of users. A user who makes an alias is its owner if there is no other.
    #[serde(default, deserialize_with = "at_most::<10000, _, _>")]
    #[schema(max_items = 10000)]
    owners: Vec<String>,
    /// A user who makes an alias is a member if there is no other.
    #[serde(default, deserialize_with = "at_most::<10000, _, _>")]
    #[schema(max_items = 10000)]
    members: Vec<Given>,
    /// An absolute path. Administrators only.
    file: Option<String>,
    /// A command with an absolute path. Administrators only.
    program: Option<String>,
    /// Whether users may add and remove themselves; they may if it is left out.
    joinable: Option<bool>,
}

/// What is to be changed of an alias.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AliasChange {
    #[schema(value_type = Option<Line>)]
    description: Option<String>,
    /// All of them.
    #[serde(default, deserialize_with = "some_at_most::<10000, _, _>")]
    #[schema(max_items = 10000)]
    owners: Option<Vec<String>>,
    /// All of them.
    #[serde(default, deserialize_with = "some_at_most::<10000, _, _>")]
    #[schema(max_items = 10000)]
    members: Option<Vec<Given>>,
    /// null: none.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    file: Option<Option<String>>,
    /// null: none.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    program: Option<Option<String>>,
    joinable: Option<bool>,
}

/// Who comes, and who goes. No If-Match is needed: it applies to whatever is there.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MemberChange {
    #[serde(default, deserialize_with = "at_most::<10000, _, _>")]
    #[schema(max_items = 10000)]
    add: Vec<Given>,
    #[serde(default, deserialize_with = "at_most::<10000, _, _>")]
    #[schema(max_items = 10000)]
    remove: Vec<Given>,
}

/// Which owners come, and which go.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct OwnerChange {
    #[serde(default, deserialize_with = "at_most::<10000, _, _>")]
    #[schema(max_items = 10000)]
    add: Vec<String>,
    #[serde(default, deserialize_with = "at_most::<10000, _, _>")]
    #[schema(max_items = 10000)]
    remove: Vec<String>,
}

/// Which aliases.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Search {
    /// Of this domain only.
    domain: Option<String>,
    /// Words that each must be part of the name or the description.
    q: Option<String>,
    /// Most rows of the page.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u64>,
    /// `next` of the page before.
    after: Option<String>,
}

/// Aliases, by address.
#[utoipa::path(
    get, path = "/api/v1/aliases", tag = "aliases", operation_id = "list_aliases", params(Search),
    responses((status = 200, description = "A page of aliases", body = Part<AliasView>), Refused),
)]
pub(super) async fn list(caller: Caller, Query(search): Query<Search>) -> Result<Answer<Part<AliasView>>, Problem> {
    let page = page(search.limit, search.after)?;
    let domain = search.domain.as_deref().map(DomainName::parse).transpose()?;
    let query = AliasQuery { domain, words: Words::parse(search.q.as_deref().unwrap_or_default()) };
    let listing = caller.run(move |_, service| Ok(service.aliases(&query, &page)?)).await?;
    Ok(Answer::ok(Part::of(listing, |alias| AliasView::of(&alias, &caller))))
}

/// Makes an alias.
#[utoipa::path(
    post, path = "/api/v1/aliases", tag = "aliases", operation_id = "create_alias", request_body = NewAlias,
    responses((status = 201, description = "The alias", body = AliasView, headers(("ETag" = String), ("Location" = String))), NotDone),
)]
pub(super) async fn create(caller: Caller, Body(new): Body<NewAlias>) -> Result<Answer<AliasView>, Problem> {
    let made = caller.run(move |_, service| {
        let address = service.alias_address(&new.address).map_err(|error| error.of_field("address"))?;
        service.require_domain(address.domain()).map_err(|error| Problem::from(error).in_body().of("address"))?;
        let service = &in_domain(service, &address);
        let mut alias = Alias::new(address);
        alias.description = new.description;
        alias.owners = owners(service, &new.owners)?;
        for member in members(service, &new.members)? {
            alias.add(member);
        }
        (alias.file, alias.program) = (new.file, new.program);
        alias.joinable = new.joinable.unwrap_or(true);
        service.create_alias(&alias).map_err(|error| Problem::from(error).in_body())
    });
    let alias = made.await?;
    let location = format!("/api/v1/aliases/{}", alias.address);
    Ok(Answer::created(AliasView::of(&alias, &caller), location).at(alias.revision))
}

/// An alias.
#[utoipa::path(
    get, path = "/api/v1/aliases/{address}", tag = "aliases", operation_id = "get_alias", params(("address" = String, Path, example = "staff@example.org")),
    responses((status = 200, description = "The alias", body = AliasView, headers(("ETag" = String))), Refused),
)]
pub(super) async fn show(caller: Caller, Name(address): Name) -> Result<Answer<AliasView>, Problem> {
    let alias = caller.run(move |_, service| find(service, &address)).await?;
    Ok(Answer::ok(AliasView::of(&alias, &caller)).at(alias.revision))
}

/// Changes what is given.
#[utoipa::path(
    patch, path = "/api/v1/aliases/{address}", tag = "aliases", operation_id = "change_alias",
    params(("address" = String, Path, example = "staff@example.org"), Precondition), request_body = AliasChange,
    responses((status = 200, description = "The alias as it is now", body = AliasView, headers(("ETag" = String))), NotChanged),
)]
pub(super) async fn change(
    caller: Caller,
    Name(address): Name,
    expected: IfMatch,
    Body(change): Body<AliasChange>,
) -> Result<Answer<AliasView>, Problem> {
    let changed = caller.run(move |_, service| {
        let mut alias = Alias::clone(&*find(service, &address)?);
        alias.revision = expected.expect(alias.revision)?;
        let service = &in_domain(service, &alias.address);
        change.apply(service, &mut alias)?;
        service.update_alias(&alias).map_err(|error| Problem::from(error).in_body())
    });
    let alias = changed.await?;
    Ok(Answer::ok(AliasView::of(&alias, &caller)).at(alias.revision))
}

impl AliasChange {
    /// Puts into a row what is given.
    fn apply(self, service: &Service<'_>, alias: &mut Alias) -> Result<(), Problem> {
        if let Some(description) = self.description {
            alias.description = description;
        }
        if let Some(given) = &self.owners {
            alias.owners = owners(service, given)?;
        }
        if let Some(given) = &self.members {
            let new = members(service, given)?;
            let old: Vec<_> = alias.members().collect();
            for member in &old {
                alias.remove(member);
            }
            for member in new {
                alias.add(member);
            }
        }
        if let Some(file) = self.file {
            alias.file = file;
        }
        if let Some(program) = self.program {
            alias.program = program;
        }
        if let Some(joinable) = self.joinable {
            alias.joinable = joinable;
        }
        Ok(())
    }
}

/// Deletes an alias, and those that are left without a member by that.
#[utoipa::path(
    delete, path = "/api/v1/aliases/{address}", tag = "aliases", operation_id = "delete_alias",
    params(("address" = String, Path, example = "staff@example.org"), Precondition),
    responses((status = 204, description = "It is gone"), NotChanged),
)]
pub(super) async fn delete(caller: Caller, Name(address): Name, expected: IfMatch) -> Result<StatusCode, Problem> {
    let deleted = caller.run(move |_, service| {
        let alias = find(service, &address)?;
        let expected = expected.expect(alias.revision)?;
        Ok(service.delete_alias(&alias.address, Some(expected))?)
    });
    deleted.await.map(|()| StatusCode::NO_CONTENT)
}

/// Adds and removes members.
#[utoipa::path(
    post, path = "/api/v1/aliases/{address}/members", tag = "aliases", operation_id = "change_members",
    params(("address" = String, Path, example = "staff@example.org")), request_body = MemberChange,
    responses((status = 200, description = "The alias as it is now", body = AliasView, headers(("ETag" = String))), NotDone),
)]
pub(super) async fn members_of(
    caller: Caller,
    Name(address): Name,
    Body(change): Body<MemberChange>,
) -> Result<Answer<AliasView>, Problem> {
    let changed = caller.run(move |_, service| {
        let alias = find(service, &address)?;
        let service = &in_domain(service, &alias.address);
        let (add, remove) = (members(service, &change.add)?, members(service, &change.remove)?);
        service.change_members(&alias.address, &add, &remove).map_err(|error| Problem::from(error).in_body())?;
        find(service, &address)
    });
    let alias = changed.await?;
    Ok(Answer::ok(AliasView::of(&alias, &caller)).at(alias.revision))
}

/// Adds and removes owners.
#[utoipa::path(
    post, path = "/api/v1/aliases/{address}/owners", tag = "aliases", operation_id = "change_owners",
    params(("address" = String, Path, example = "staff@example.org")), request_body = OwnerChange,
    responses((status = 200, description = "The alias as it is now", body = AliasView, headers(("ETag" = String))), NotDone),
)]
pub(super) async fn owners_of(
    caller: Caller,
    Name(address): Name,
    Body(change): Body<OwnerChange>,
) -> Result<Answer<AliasView>, Problem> {
    let changed = caller.run(move |_, service| {
        let alias = find(service, &address)?;
        let service = &in_domain(service, &alias.address);
        let (add, remove) = (owners(service, &change.add)?, owners(service, &change.remove)?);
        service.change_owners(&alias.address, &add, &remove).map_err(|error| Problem::from(error).in_body())?;
        find(service, &address)
    });
    let alias = changed.await?;
    Ok(Answer::ok(AliasView::of(&alias, &caller)).at(alias.revision))
}

/// Makes whoever asks a member.
#[utoipa::path(
    put, path = "/api/v1/aliases/{address}/membership", tag = "aliases", operation_id = "join_alias",
    params(("address" = String, Path, example = "staff@example.org")), responses((status = 204, description = "A member"), NotDone),
)]
pub(super) async fn join(caller: Caller, Name(address): Name) -> Result<StatusCode, Problem> {
    let joined = caller.run(move |_, service| Ok(service.join_alias(&find(service, &address)?.address)?));
    joined.await.map(|()| StatusCode::NO_CONTENT)
}

/// Takes whoever asks out.
#[utoipa::path(
    delete, path = "/api/v1/aliases/{address}/membership", tag = "aliases", operation_id = "leave_alias",
    params(("address" = String, Path, example = "staff@example.org")), responses((status = 204, description = "No member any more"), NotDone),
)]
pub(super) async fn leave(caller: Caller, Name(address): Name) -> Result<StatusCode, Problem> {
    let left = caller.run(move |_, service| Ok(service.leave_alias(&find(service, &address)?.address)?));
    left.await.map(|()| StatusCode::NO_CONTENT)
}

/// The alias that a path names.
fn find(service: &Service<'_>, address: &str) -> Result<Arc<Alias>, Problem> {
    // What no alias can be called is the name of none.
    let missing = || directory::Error::NoAlias(address.to_owned());
    let parsed = Address::parse(address).map_err(|_| missing())?;
    Ok(service.alias(&parsed)?.ok_or_else(missing)?)
}

/// The same service, for names without a domain that mean the alias's.
fn in_domain<'a>(service: &Service<'a>, address: &Address) -> Service<'a> {
    Service::new(service.directory(), service.actor().clone()).in_domain(address.domain().clone())
}

fn members(service: &Service<'_>, given: &[Given]) -> Result<Vec<Member>, Problem> {
    let mut all = Vec::with_capacity(given.len());
    for one in given {
        all.append(&mut one.parse(service)?);
    }
    Ok(all)
}

/// Owners by user ID, or by an address of theirs.
fn owners(service: &Service<'_>, given: &[String]) -> Result<Vec<UserId>, Problem> {
    let parse = |text: &String| match text.contains('@') {
        true => service.parse_owner(text),
        false => UserId::parse(text).map_err(|error| error.of_field("owners")),
    };
    Ok(given.iter().map(parse).collect::<Result<_, _>>()?)
}
