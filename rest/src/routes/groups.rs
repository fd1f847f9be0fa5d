//! `/api/v1/groups`. A group is there as long as a user is in it: who is in which is a field of users.

use directory::Privilege;
use serde::Serialize;
use utoipa::ToSchema;

use super::{Answer, Paging, Part, Refused};
use crate::caller::Caller;
use crate::extract::{Name, Query};
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
    get, path = "/api/v1/groups/{name}", tag = "groups", operation_id = "get_group", params(("name" = String, Path), Paging),
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
