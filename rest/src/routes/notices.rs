//! `/api/v1/motd` and `/api/v1/lockout`: what everybody is told at the login, and why users are kept out (`angarium motd`,
//! `angarium lockout`).
//!
//! They have no ETag: each is one line, and whoever keeps users out is in a hurry. The last word counts.

use hyper::StatusCode;
use login::notices::{Kind, Running, Untold};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use wire::notices::Notice;

use super::fields::NoticeLine;
use super::{Answer, NotDone, Refused};
use crate::caller::Caller;
use crate::extract::Body;
use crate::problem::Problem;

/// What is told.
#[derive(Serialize, ToSchema)]
#[schema(as = Notice)]
pub(super) struct NoticeView {
    /// As clients see it: letters lose their accents. null: nothing is told.
    #[schema(required = true, example = "Back at noon")]
    message: Option<String>,
}

/// What is to be told.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewNotice {
    #[schema(value_type = NoticeLine, example = "Back at noon")]
    message: String,
}

/// What keeping users out has done.
#[derive(Serialize, ToSchema)]
pub(super) struct LockedOut {
    /// What users are told.
    message: String,
    /// How many sessions of users are ending.
    sessions_ended: usize,
}

/// What everybody is shown after the login.
#[utoipa::path(
    get, path = "/api/v1/motd", tag = "notices", operation_id = "get_motd",
    responses((status = 200, description = "The message of the day", body = NoticeView), Refused),
)]
pub(super) async fn show_motd(caller: Caller) -> Result<Answer<NoticeView>, Problem> {
    show(&caller, Kind::Motd).await
}

/// Shows everybody a message after the login.
#[utoipa::path(
    put, path = "/api/v1/motd", tag = "notices", operation_id = "set_motd", request_body = NewNotice,
    responses((status = 200, description = "It is shown from now on", body = NoticeView), NotDone),
)]
pub(super) async fn set_motd(caller: Caller, Body(new): Body<NewNotice>) -> Result<Answer<NoticeView>, Problem> {
    caller.require_admin("set the message of the day")?;
    tell(&caller, Kind::Motd, Some(new.message)).await?;
    show(&caller, Kind::Motd).await
}

/// Takes the message of the day away.
#[utoipa::path(
    delete, path = "/api/v1/motd", tag = "notices", operation_id = "clear_motd",
    responses((status = 204, description = "There is none"), NotDone),
)]
pub(super) async fn clear_motd(caller: Caller) -> Result<StatusCode, Problem> {
    caller.require_admin("take the message of the day away")?;
    tell(&caller, Kind::Motd, None).await.map(|_| StatusCode::NO_CONTENT)
}

/// Why users are kept out.
#[utoipa::path(
    get, path = "/api/v1/lockout", tag = "notices", operation_id = "get_lockout",
    responses((status = 200, description = "What users are told; null if they are not kept out", body = NoticeView), Refused),
)]
pub(super) async fn show_lockout(caller: Caller) -> Result<Answer<NoticeView>, Problem> {
    caller.require_admin("see why users are kept out")?;
    show(&caller, Kind::Lockout).await
}

/// Keeps everybody out who is no administrator, over a restart too. Sessions of users end, each as soon as its command is
/// done.
#[utoipa::path(
    put, path = "/api/v1/lockout", tag = "notices", operation_id = "lock_out", request_body = NewNotice,
    responses((status = 200, description = "Users are kept out", body = LockedOut), NotDone),
)]
pub(super) async fn lock_out(caller: Caller, Body(new): Body<NewNotice>) -> Result<Answer<LockedOut>, Problem> {
    caller.require_admin("keep users out")?;
    let sessions_ended = tell(&caller, Kind::Lockout, Some(new.message)).await?;
    let told = show(&caller, Kind::Lockout).await?;
    // Somebody may have let them in since.
    Ok(told.map(|view| LockedOut { message: view.message.unwrap_or_default(), sessions_ended }))
}

/// Lets users in again.
#[utoipa::path(
    delete, path = "/api/v1/lockout", tag = "notices", operation_id = "end_lockout",
    responses((status = 204, description = "Users can log in"), NotDone),
)]
pub(super) async fn end_lockout(caller: Caller) -> Result<StatusCode, Problem> {
    caller.require_admin("let users in")?;
    tell(&caller, Kind::Lockout, None).await.map(|_| StatusCode::NO_CONTENT)
}

async fn show(caller: &Caller, kind: Kind) -> Result<Answer<NoticeView>, Problem> {
    let read = caller.run(move |shared, _| {
        let config_dir = shared.store.layout().config();
        kind.read(config_dir).map_err(|problem| unavailable(&Untold::File { file: kind.file(config_dir), problem }))
    });
    let notice = read.await?;
    Ok(Answer::ok(NoticeView { message: notice.as_ref().map(|notice| Notice::text(notice).to_owned()) }))
}

/// How many sessions that ended.
async fn tell(caller: &Caller, kind: Kind, text: Option<String>) -> Result<usize, Problem> {
    let told = caller.run(move |shared, service| {
        let running = Running { sessions: &shared.connections, service };
        let told = kind.tell(shared.store.layout().config(), Some(running), text.as_deref());
        told.map_err(|untold| match untold {
            Untold::Notice(rule) => {
                directory::Error::rule("message", text.unwrap_or_default(), format!("a message {rule}")).into()
            }
            untold @ Untold::File { .. } => unavailable(&untold),
        })
    });
    told.await
}

fn unavailable(error: &Untold) -> Problem {
    tracing::error!(event = "rest.request.failed", %error);
    let detail = "the message can't be read or written now: see the server's log";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail)
}
