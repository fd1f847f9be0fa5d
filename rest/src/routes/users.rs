//! `/api/v1/users`.

mod automatic;
mod view;

use std::sync::Arc;

use directory::{Address, Credentials, DomainName, Service, User, UserId, UserOrder, UserQuery, UserState, Words};
use serde::{Deserialize, Serialize};
use tools::accounts::{Deletion, preview_deletion};
use utoipa::{IntoParams, ToSchema};

use super::fields::{GivenPassword, Password};
use super::{Answer, NotChanged, NotDone, Part, Precondition, Refused, page};
use crate::caller::Caller;
use crate::extract::{Body, IfMatch, Name, Query};
use crate::problem::Problem;
use view::{NewUser, UserChange, UserView};

/// Which users.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Search {
    /// Of this domain only.
    domain: Option<String>,
    /// Words that each must be part of the user ID or a name.
    q: Option<String>,
    /// They may be part of an address too.
    in_addresses: Option<bool>,
    /// What the list is sorted by.
    #[param(inline)]
    order: Option<Order>,
    /// Most rows of the page.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u64>,
    /// `next` of the page before.
    after: Option<String>,
}

/// What users are sorted by.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Order {
    /// User ID.
    Uid,
    /// Mail address, domain by domain.
    Mail,
}

/// Whether a user can log in and gets mail.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Enabled {
    enabled: bool,
}

/// A password, or the hash of one that another server has kept.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewPassword {
    /// The password.
    password: Option<Password>,
    /// Instead: its hash (`{SSHA512}...`, `$6$...`). Administrators only.
    #[schema(max_length = 1020)]
    hash: Option<Password>,
}

/// What went.
#[derive(Serialize, ToSchema)]
pub(super) struct Deleted {
    uid: String,
    /// Aliases that had no owner or no member left without the user.
    aliases: Vec<String>,
}

/// Addresses of aliases.
#[derive(Serialize, ToSchema)]
pub(super) struct Addresses {
    addresses: Vec<String>,
}

/// What would go with a user.
#[derive(Serialize, ToSchema)]
pub(super) struct Vanishing {
    /// Aliases that would have no owner or no member left: they would go too.
    addresses: Vec<String>,
    /// Aliases that would be without the user.
    left: Vec<String>,
}

/// Users, page by page.
#[utoipa::path(
    get, path = "/api/v1/users", tag = "users", operation_id = "list_users", params(Search),
    responses((status = 200, description = "A page of users", body = Part<UserView>), Refused),
)]
pub(super) async fn list(caller: Caller, Query(search): Query<Search>) -> Result<Answer<Part<UserView>>, Problem> {
    let (page, query) = (page(search.limit, search.after.clone())?, query(&search)?);
    let listing = caller.run(move |_, service| Ok(service.users(&query, &page)?)).await?;
    Ok(Answer::ok(Part::of(listing, |user| UserView::of(&user, &caller.account))))
}

fn query(search: &Search) -> Result<UserQuery, Problem> {
    Ok(UserQuery {
        domain: search.domain.as_deref().map(DomainName::parse).transpose()?,
        words: Words::parse(search.q.as_deref().unwrap_or_default()),
        in_addresses: search.in_addresses.unwrap_or_default(),
        order: match search.order {
            None | Some(Order::Uid) => UserOrder::UserId,
            Some(Order::Mail) => UserOrder::Mail,
        },
    })
}

/// Makes a user with a mailbox.
#[utoipa::path(
    post, path = "/api/v1/users", tag = "users", operation_id = "create_user", request_body = NewUser,
    responses((status = 201, description = "The user", body = UserView, headers(("ETag" = String), ("Location" = String))), NotDone),
)]
pub(super) async fn create(caller: Caller, Body(new): Body<NewUser>) -> Result<Answer<UserView>, Problem> {
    let user = caller
        .run(move |shared, service| {
            let (new, password) = new.parts()?;
            let user = new.user(service).map_err(Problem::in_body)?;
            let domain = service.require_domain(user.mail.domain());
            domain.map_err(|error| Problem::from(error).in_body().of("mail"))?;
            let made = match password {
                GivenPassword::Clear(password) => {
                    tools::accounts::create_user(&shared.store, service, &user, &password).map(drop)
                }
                GivenPassword::Hash(hash) => {
                    let credentials = Credentials::from_hash(&hash).map_err(|error| error.of_field("hash"))?;
                    tools::accounts::create_users(&shared.store, service, &[(user.clone(), credentials)])
                }
            };
            made.map_err(|error| Problem::from(error).in_body())?;
            find(service, user.uid.as_str())
        })
        .await?;
    let location = format!("/api/v1/users/{}", user.uid);
    Ok(Answer::created(UserView::of(&user, &caller.account), location).at(user.revision))
}

/// A user. Who is neither the user nor an administrator sees no more than name, address and telephone numbers.
#[utoipa::path(
    get, path = "/api/v1/users/{uid}", tag = "users", operation_id = "get_user", params(("uid" = String, Path, example = "joe", description = "User ID")),
    responses((status = 200, description = "The user", body = UserView, headers(("ETag" = String))), Refused),
)]
pub(super) async fn show(caller: Caller, Name(uid): Name) -> Result<Answer<UserView>, Problem> {
    let user = caller.run(move |_, service| find(service, &uid)).await?;
    Ok(Answer::ok(UserView::of(&user, &caller.account)).at(user.revision))
}

/// Changes what is given. Users may change what the privileges allow of their own.
#[utoipa::path(
    patch, path = "/api/v1/users/{uid}", tag = "users", operation_id = "change_user",
    params(("uid" = String, Path, example = "joe", description = "User ID"), Precondition), request_body = UserChange,
    responses((status = 200, description = "The user as it is now", body = UserView, headers(("ETag" = String))), NotChanged),
)]
pub(super) async fn change(
    caller: Caller,
    Name(uid): Name,
    expected: IfMatch,
    Body(change): Body<UserChange>,
) -> Result<Answer<UserView>, Problem> {
    let user = caller
        .run(move |shared, service| {
            let mut user = User::clone(&*find(service, &uid)?);
            user.revision = expected.expect(user.revision)?;
            change.apply(&mut user)?;
            tools::accounts::update_user(&shared.store, service, &user).map_err(|e| Problem::from(e).in_body())?;
            find(service, &uid)
        })
        .await?;
    Ok(Answer::ok(UserView::of(&user, &caller.account)).at(user.revision))
}

/// Deletes a user with all mail, and takes the user out of aliases; those that are left empty go too.
#[utoipa::path(
    delete, path = "/api/v1/users/{uid}", tag = "users", operation_id = "delete_user",
    params(("uid" = String, Path, example = "joe", description = "User ID"), Precondition),
    responses((status = 200, description = "The user is gone", body = Deleted), NotChanged),
)]
pub(super) async fn delete(caller: Caller, Name(uid): Name, expected: IfMatch) -> Result<Answer<Deleted>, Problem> {
    caller.require_admin("delete a user")?;
    let deleted = caller.run(move |shared, service| {
        let user = find(service, &uid)?;
        let expected = expected.expect(user.revision)?;
        // One who is half gone has none any more.
        let vanishing = service.vanishing_with(&user.uid).unwrap_or_default();
        let done = tools::accounts::delete_user(&shared.store, service, &user.uid, Some(expected));
        if !matches!(&done, Err(tools::CommandError::Directory(_))) {
            shared.show_out(&user.uid);
        }
        done?;
        Ok(Deleted { uid: user.uid.to_string(), aliases: vanishing.iter().map(ToString::to_string).collect() })
    });
    deleted.await.map(Answer::ok)
}

/// Lets a user log in and get mail, or not.
#[utoipa::path(
    put, path = "/api/v1/users/{uid}/enabled", tag = "users", operation_id = "enable_user",
    params(("uid" = String, Path, example = "joe", description = "User ID"), Precondition), request_body = Enabled,
    responses((status = 200, description = "The user as it is now", body = UserView, headers(("ETag" = String))), NotChanged),
)]
pub(super) async fn set_enabled(
    caller: Caller,
    Name(uid): Name,
    expected: IfMatch,
    Body(wanted): Body<Enabled>,
) -> Result<Answer<UserView>, Problem> {
    let user = caller
        .run(move |shared, service| {
            let user = find(service, &uid)?;
            let expected = expected.expect(user.revision)?;
            service.set_user_enabled(&user.uid, wanted.enabled, Some(expected))?;
            if !wanted.enabled {
                shared.show_out(&user.uid);
            }
            find(service, &uid)
        })
        .await?;
    Ok(Answer::ok(UserView::of(&user, &caller.account)).at(user.revision))
}

/// Changes a password. All sessions of the user end.
#[utoipa::path(
    put, path = "/api/v1/users/{uid}/password", tag = "users", operation_id = "set_password",
    params(("uid" = String, Path, example = "joe", description = "User ID")), request_body = NewPassword,
    responses((status = 204, description = "It is another one now"), NotDone),
)]
pub(super) async fn set_password(
    caller: Caller,
    Name(uid): Name,
    Body(new): Body<NewPassword>,
) -> Result<hyper::StatusCode, Problem> {
    let set = caller.run(move |_, service| {
        let user = own_or_found(service, &uid)?;
        match GivenPassword::either(new.password, new.hash)? {
            GivenPassword::Clear(password) => Ok(service.set_password(&user, &password)?),
            GivenPassword::Hash(hash) => {
                Ok(service.set_password_hash(&user, &hash).map_err(|error| error.of_field("hash"))?)
            }
        }
    });
    set.await.map(|()| hyper::StatusCode::NO_CONTENT)
}

/// The aliases that a user owns or is a member of.
#[utoipa::path(
    get, path = "/api/v1/users/{uid}/aliases", tag = "users", operation_id = "list_aliases_of_user",
    params(("uid" = String, Path, example = "joe", description = "User ID")),
    responses((status = 200, description = "Their addresses", body = Addresses), Refused),
)]
pub(super) async fn aliases(caller: Caller, Name(uid): Name) -> Result<Answer<Addresses>, Problem> {
    caller.require_own(&uid, "look at another user's aliases")?;
    let found = caller.run(move |_, service| {
        let user = own_or_found(service, &uid)?;
        let addresses = service.aliases_of(&user)?;
        Ok(Addresses { addresses: addresses.iter().map(|alias| alias.address.to_string()).collect() })
    });
    found.await.map(Answer::ok)
}

/// What would go with a user, if he were deleted; nothing is.
#[utoipa::path(
    get, path = "/api/v1/users/{uid}/vanishing", tag = "users", operation_id = "list_vanishing_with_user",
    params(("uid" = String, Path, example = "joe", description = "User ID")),
    responses(
        (status = 200, description = "Addresses of aliases", body = Vanishing),
        Refused,
        (status = 409, description = "That user stays.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn vanishing(caller: Caller, Name(uid): Name) -> Result<Answer<Vanishing>, Problem> {
    caller.require_admin("look at another user's aliases")?;
    let found = caller.run(move |_, service| {
        let user = find(service, &uid)?;
        let Deletion { vanishing, left } = preview_deletion(service, &user.uid)?;
        let texts = |addresses: Vec<Address>| addresses.iter().map(ToString::to_string).collect();
        Ok(Vanishing { addresses: texts(vanishing), left: texts(left) })
    });
    found.await.map(Answer::ok)
}

/// The user that a path names.
pub(super) fn find(service: &Service<'_>, uid: &str) -> Result<Arc<User>, Problem> {
    // What no user can be called is the name of none.
    let missing = || directory::Error::NoUser(uid.to_owned());
    let parsed = UserId::parse(uid).map_err(|_| missing())?;
    let found = service.user(&parsed)?;
    // Who is on the way out is gone for everybody but those who may have to help.
    let is_there = |user: &Arc<User>| service.actor().is_administrator() || user.state != UserState::Deleting;
    Ok(found.filter(is_there).ok_or_else(missing)?)
}

/// The same by the ID alone, where a user who may not look for others acts on himself, and rules decide about the rest.
pub(super) fn own_or_found(service: &Service<'_>, uid: &str) -> Result<UserId, Problem> {
    match UserId::parse(uid) {
        Ok(uid) if service.actor().uid() == Some(&uid) => Ok(uid),
        _ => find(service, uid).map(|user| user.uid.clone()),
    }
}

/// The address of the field `mail`; without one that of the user ID in the current domain.
fn mail_of(service: &Service<'_>, uid: &UserId, mail: Option<&str>) -> directory::Result<Address> {
    match mail {
        Some(mail) => Address::parse(mail).map_err(|error| error.of_field("mail")),
        None => Address::new(uid.as_str(), service.current_domain()?),
    }
}
