//! `/api/v1/quotas` and `/api/v1/users/{uid}/quota`.

use directory::{DomainName, User, UserOrder, UserQuery, UserState};
use mailstore::{MailboxName, Store};
use serde::{Deserialize, Serialize};
use tools::quota::Found;
use utoipa::{IntoParams, ToSchema};

use super::fields::nullable;
use super::users::find;
use super::{Answer, NotChanged, NotDone, Part, Precondition, Refused, page};
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

/// Whether anything is to change.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Trying {
    /// Say only what would be put right.
    dry_run: Option<bool>,
}

/// Whose quotas are to be recounted.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Recounting {
    /// Of this domain only.
    domain: Option<String>,
    /// Say only what would be put right.
    dry_run: Option<bool>,
    /// Most users of this page.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u64>,
    /// `next` of the page before.
    after: Option<String>,
}

/// Something that was wrong.
#[derive(Serialize, ToSchema)]
pub(super) struct QuotaFinding {
    /// `limit` (not what the directory says), `usage` (counted wrongly), `root` (a folder counted to another one), `removed` (a
    /// root of nothing), or `other`.
    #[schema(example = "usage")]
    kind: &'static str,
    /// What it was, for people.
    #[schema(example = "user/joe: usage was 1, now 0")]
    text: String,
    /// Whether it is right now.
    fixed: bool,
}

/// What was found.
#[derive(Serialize, ToSchema)]
pub(super) struct Recounted {
    findings: Vec<QuotaFinding>,
}

impl Recounted {
    fn of(found: Vec<Found>, dry_run: bool) -> Recounted {
        let finding = |Found { kind, text, is_open }| QuotaFinding { kind, text, fixed: !dry_run && !is_open };
        Recounted { findings: found.into_iter().map(finding).collect() }
    }
}

/// What was found of some users.
#[derive(Serialize, ToSchema)]
pub(super) struct PageRecounted {
    findings: Vec<QuotaFinding>,
    /// How many users this page was about.
    users: usize,
    /// To be sent as `after` for the next users; null: these were the last.
    #[schema(required = true)]
    next: Option<String>,
}

/// Puts a user's quota right: the limit is what the directory says, and what is used is counted anew. Mail may come meanwhile.
#[utoipa::path(
    post, path = "/api/v1/users/{uid}/quota/recount", tag = "quotas", operation_id = "recount_quota",
    params(("uid" = String, Path, example = "joe", description = "User ID"), Trying),
    responses((status = 200, description = "What was wrong", body = Recounted), NotDone),
)]
pub(super) async fn recount(
    caller: Caller,
    Name(uid): Name,
    Query(trying): Query<Trying>,
) -> Result<Answer<Recounted>, Problem> {
    caller.require_admin("recount a quota")?;
    let dry_run = trying.dry_run.unwrap_or_default();
    let found = caller.run(move |shared, service| {
        let user = find(service, &uid)?;
        Ok(tools::quota::recount(&shared.store, service, &[&user], dry_run)?)
    });
    Ok(Answer::ok(Recounted::of(found.await?, dry_run)))
}

/// Does that for users, page by page: each request recounts so many of them, by user ID, and says where to go on. Roots that are
/// nobody's are left to `quota -f`.
#[utoipa::path(
    post, path = "/api/v1/quotas/recount", tag = "quotas", operation_id = "recount_quotas", params(Recounting),
    responses((status = 200, description = "What was wrong", body = PageRecounted), NotDone),
)]
pub(super) async fn recount_all(
    caller: Caller,
    Query(which): Query<Recounting>,
) -> Result<Answer<PageRecounted>, Problem> {
    caller.require_admin("recount quotas")?;
    let page = page(which.limit, which.after)?;
    let domain = which.domain.as_deref().map(DomainName::parse).transpose()?;
    let dry_run = which.dry_run.unwrap_or_default();
    let recounted = caller.run(move |shared, service| {
        let listing = service.users(&UserQuery { domain, ..UserQuery::default() }, &page)?;
        let users: Vec<&User> = listing.rows.iter().map(|user| &**user).collect();
        let found = tools::quota::recount(&shared.store, service, &users, dry_run)?;
        let Recounted { findings } = Recounted::of(found, dry_run);
        Ok(PageRecounted { findings, users: users.len(), next: listing.next })
    });
    recounted.await.map(Answer::ok)
}
