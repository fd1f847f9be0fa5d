//! `/api/v1/audit`: who changed what, when, and from where.

use directory::Entry;
use serde::Serialize;
use utoipa::ToSchema;

use super::{Answer, Paging, Part, Refused};
use crate::caller::Caller;
use crate::extract::Query;
use crate::problem::Problem;

/// Something that was done.
#[derive(Serialize, ToSchema)]
#[schema(as = AuditEntry)]
pub(super) struct EntryView {
    /// One more than that of the entry before.
    number: u64,
    /// When, in Unix seconds.
    time: u64,
    /// Who: a user ID, or something in parentheses that is none.
    #[schema(example = "admin")]
    who: String,
    /// As what: `server`, `operator`, `administrator`, `user`.
    #[serde(rename = "as")]
    #[schema(example = "administrator")]
    role: String,
    /// Through what: `command`, `rest`, `imap`, ...
    #[schema(example = "rest")]
    via: String,
    /// From which address; null: from this machine.
    #[schema(required = true, example = "192.0.2.7")]
    from: Option<String>,
    /// What was done.
    #[schema(example = "user.update")]
    action: String,
    /// To what: a user ID, an address, a domain; empty where there is but one.
    #[schema(example = "joe")]
    object: String,
    /// What changed.
    fields: Vec<FieldView>,
}

/// A field that changed.
#[derive(Serialize, ToSchema)]
#[schema(as = AuditField)]
pub(super) struct FieldView {
    #[schema(example = "title")]
    name: String,
    /// The value before; of a list what went.
    before: String,
    /// The value now; of a list what came.
    after: String,
}

impl From<Entry> for EntryView {
    fn from(entry: Entry) -> EntryView {
        let Entry { number, time, who, role, via, from, action, object, fields } = entry;
        let field = |(name, before, after)| FieldView { name, before, after };
        EntryView {
            number,
            time,
            who,
            role,
            via,
            from: from.map(|address| address.to_string()),
            action,
            object,
            fields: fields.into_iter().map(field).collect(),
        }
    }
}

/// The audit log, the latest entry first.
#[utoipa::path(
    get, path = "/api/v1/audit", tag = "audit", operation_id = "list_audit", params(Paging),
    responses((status = 200, description = "A page of entries", body = Part<EntryView>), Refused),
)]
pub(super) async fn list(caller: Caller, Query(paging): Query<Paging>) -> Result<Answer<Part<EntryView>>, Problem> {
    let page = paging.page()?;
    let number = |text: &str| {
        text.parse::<u64>().map_err(|_| Problem::rule("after", text, "after is `next` of the page before"))
    };
    let before = page.after.as_deref().map(number).transpose()?;
    let size = page.size();
    let entries = caller.run(move |_, service| Ok(service.audited(before, size + 1)?)).await?;
    let is_last = entries.len() <= size;
    let items: Vec<EntryView> = entries.into_iter().take(size).map(EntryView::from).collect();
    let next = items.last().filter(|_| !is_last).map(|entry| entry.number.to_string());
    Ok(Answer::ok(Part { items, next }))
}
