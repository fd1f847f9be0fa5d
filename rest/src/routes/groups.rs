//! `/api/v1/groups`. A group is there as long as a user is in it: who is in which is a field of users.

use directory::{Privilege, UserId};
use hyper::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::fields::at_most;
use super::{Answer, NotDone, Paging, Part, Refused};
use crate::caller::Caller;
use crate::extract::{Body, Name, Query};
use crate::problem::Problem;

/// A group.
#[derive(Serialize, ToSchema)]
#[schema(as = Group)]
pub(super) struct GroupView {
    name: String,
    /// How many users are in it.
    users: usize,
}

/// A user who is in a group.
#[derive(Serialize, ToSchema)]
#[schema(as = GroupUser)]
pub(super) struct UserOf {
    uid: String,
}

/// Who comes, and who goes.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct GroupChange {
    /// User IDs.
    #[serde(default, deserialize_with = "at_most::<1000, _, _>")]
    #[schema(max_items = 1000)]
    add: Vec<String>,
    /// User IDs.
    #[serde(default, deserialize_with = "at_most::<1000, _, _>")]
    #[schema(max_items = 1000)]
    remove: Vec<String>,
}

/// The groups, by name.
#[utoipa::path(
    get, path = "/api/v1/groups", tag = "groups", operation_id = "list_groups", params(Paging),
    responses((status = 200, description = "A page of groups", body = Part<GroupView>), Refused),
)]
pub(super) async fn list(caller: Caller, Query(paging): Query<Paging>) -> Result<Answer<Part<GroupView>>, Problem> {
    let groups = caller.run(|_, service| Ok(service.groups()?)).await?;
    let views = groups.into_iter().map(|(name, users)| GroupView { name, users }).collect();
    Part::cut(views, &paging, |view| view.name.clone()).map(Answer::ok)
}

/// The users of a group, by user ID.
#[utoipa::path(
    get, path = "/api/v1/groups/{name}", tag = "groups", operation_id = "get_group", params(("name" = String, Path, example = "staff"), Paging),
    responses((status = 200, description = "A page of users", body = Part<UserOf>), Refused),
)]
pub(super) async fn show(
    caller: Caller,
    Name(name): Name,
    Query(paging): Query<Paging>,
) -> Result<Answer<Part<UserOf>>, Problem> {
    let found = caller.run(move |_, service| {
        service.require(Privilege::UserSearch, "look for users")?;
        match service.look(|view| view.group(&name))? {
            users if users.is_empty() => Err(Problem::missing("no-group", format!("nobody is in a group {name}"))),
            users => Ok(users),
        }
    });
    let views = found.await?.iter().map(|uid| UserOf { uid: uid.to_string() }).collect();
    Part::cut(views, &paging, |view| view.uid.clone()).map(Answer::ok)
}

/// Puts users into a group, and takes others out. All must be there, or nothing is changed.
#[utoipa::path(
    post, path = "/api/v1/groups/{name}/users", tag = "groups", operation_id = "change_group",
    params(("name" = String, Path, example = "staff")), request_body = GroupChange,
    responses((status = 204, description = "They are in it, or not"), NotDone),
)]
pub(super) async fn change(
    caller: Caller,
    Name(name): Name,
    Body(change): Body<GroupChange>,
) -> Result<StatusCode, Problem> {
    caller.require_admin("change a group")?;
    let changed = caller.run(move |shared, service| {
        let (add, remove) = (users("add", &change.add)?, users("remove", &change.remove)?);
        let changed = tools::group::change_group(&shared.store, service, &name, &add, &remove);
        changed.map_err(|error| Problem::from(error).in_body())
    });
    changed.await.map(|()| StatusCode::NO_CONTENT)
}

fn users(field: &'static str, texts: &[String]) -> directory::Result<Vec<UserId>> {
    texts.iter().map(|text| UserId::parse(text).map_err(|error| error.of_field(field))).collect()
}
