//! `/api/v1/quotas` and `/api/v1/users/{uid}/quota`.

use directory::{DomainName, User, UserOrder, UserQuery, UserState};
use mailstore::{MailboxName, Store};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::fields::nullable;
use super::users::find;
use super::{Answer, NotChanged, Part, Precondition, Refused, page};
use crate::caller::Caller;
use crate::extract::{Body, IfMatch, Name, Query};
use crate::problem::Problem;

/// Above so many percent a user is warned (QUO-4).
const WARN_ABOVE: u64 = 90;

/// What a user's mail may take, and takes.
#[derive(Serialize, ToSchema)]
#[schema(as = Quota)]
pub(super) struct QuotaView {
    uid: String,
    mail: String,
    /// In MiB; null: no quota, and nothing is counted; 0: no mail at all.
    #[schema(required = true)]
    limit_mib: Option<u64>,
    /// What is used, in KiB.
    #[schema(required = true)]
    used_kib: Option<u64>,
    /// What is left, in KiB.
    #[schema(required = true)]
    free_kib: Option<u64>,
    /// What is used of the limit, rounded down; may be above 100.
    #[schema(required = true)]
    percent: Option<u64>,
    /// More than 90 percent are used.
    warning: bool,
    /// No mail comes in any more.
    full: bool,
}

impl QuotaView {
    fn of(store: &Store, user: &User) -> Result<QuotaView, Problem> {
        let mut view = QuotaView {
            uid: user.uid.to_string(),
            mail: user.mail.to_string(),
            limit_mib: user.quota_limit_mib,
            used_kib: None,
            free_kib: None,
            percent: None,
            warning: false,
            full: user.quota_limit_mib == Some(0),
        };
        let inbox = MailboxName::inbox(user.uid.as_str()).map_err(mailstore::Error::from)?;
        let Some(limit) = store.quota_limits(&inbox).and_then(|limits| limits.storage_kib) else { return Ok(view) };
        let used = store.quota(&inbox)?.used.bytes;
        let used_kib = used.div_ceil(1024);
        // No division where nothing is allowed (QUO-7).
        let percent = (used / 1024).saturating_mul(100).checked_div(limit);
        view.used_kib = Some(used_kib);
        view.free_kib = Some(limit.saturating_sub(used_kib));
        view.percent = percent;
        view.warning = percent.is_some_and(|percent| percent > WARN_ABOVE);
        view.full = limit == 0 || used > limit.saturating_mul(1024);
        Ok(view)
    }
}

/// A limit to be set.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewLimit {
    /// In MiB; null: no quota; 0: no mail at all.
    #[serde(deserialize_with = "nullable")]
    #[schema(required = true)]
    limit_mib: Option<u64>,
}

/// Whose.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Which {
    /// Of this domain only.
    domain: Option<String>,
    /// Most rows of the page.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u64>,
    /// `next` of the page before.
    after: Option<String>,
}

/// The quotas of all users, by mail address.
#[utoipa::path(
    get, path = "/api/v1/quotas", tag = "quotas", operation_id = "list_quotas", params(Which),
    responses((status = 200, description = "A page of quotas", body = Part<QuotaView>), Refused),
)]
pub(super) async fn list(caller: Caller, Query(which): Query<Which>) -> Result<Answer<Part<QuotaView>>, Problem> {
    caller.require_admin("look at other users' quotas")?;
    let page = page(which.limit, which.after)?;
    let domain = which.domain.as_deref().map(DomainName::parse).transpose()?;
    let part = caller.run(move |shared, service| {
        let query = UserQuery { domain, order: UserOrder::Mail, ..UserQuery::default() };
        let listing = service.users(&query, &page)?;
        let there = listing.rows.iter().filter(|user| user.state != UserState::Deleting);
        let items = there.map(|user| QuotaView::of(&shared.store, user)).collect::<Result<_, _>>()?;
        Ok(Part { items, next: listing.next })
    });
    part.await.map(Answer::ok)
}

/// A user's quota.
#[utoipa::path(
    get, path = "/api/v1/users/{uid}/quota", tag = "quotas", operation_id = "get_quota", params(("uid" = String, Path, example = "joe", description = "User ID")),
    responses((status = 200, description = "The quota", body = QuotaView, headers(("ETag" = String))), Refused),
)]
pub(super) async fn show(caller: Caller, Name(uid): Name) -> Result<Answer<QuotaView>, Problem> {
    caller.require_own(&uid, "look at another user's quota")?;
    let found = caller.run(move |shared, service| {
        let user = find(service, &uid)?;
        Ok((QuotaView::of(&shared.store, &user)?, user.revision))
    });
    let (view, revision) = found.await?;
    Ok(Answer::ok(view).at(revision))
}

/// Sets a user's quota.
#[utoipa::path(
    put, path = "/api/v1/users/{uid}/quota", tag = "quotas", operation_id = "set_quota",
    params(("uid" = String, Path, example = "joe", description = "User ID"), Precondition), request_body = NewLimit,
    responses((status = 200, description = "The quota as it is now", body = QuotaView, headers(("ETag" = String))), NotChanged),
)]
pub(super) async fn set(
    caller: Caller,
    Name(uid): Name,
    expected: IfMatch,
    Body(new): Body<NewLimit>,
) -> Result<Answer<QuotaView>, Problem> {
    caller.require_admin("set a quota")?;
    let changed = caller.run(move |shared, service| {
        let mut user = User::clone(&*find(service, &uid)?);
        user.revision = expected.expect(user.revision)?;
        user.quota_limit_mib = new.limit_mib;
        let user = tools::accounts::update_user(&shared.store, service, &user)?;
        Ok((QuotaView::of(&shared.store, &user)?, user.revision))
    });
    let (view, revision) = changed.await?;
    Ok(Answer::ok(view).at(revision))
}
