//! `/api/v1/apply`: the directory as a document says it should be (`angarium apply`).

use hyper::StatusCode;
use serde::{Deserialize, Serialize};
use tools::CommandError;
use tools::apply::{ApplyRequest, apply};
use utoipa::{IntoParams, ToSchema};

use super::console::Gathered;
use super::{Answer, NotDone};
use crate::caller::Caller;
use crate::extract::{Query, Text};
use crate::problem::Problem;

/// What the document is called where one of its lines is named.
const NAME: &str = "body";
/// Problems that are told; the first ones are enough to go on with.
const TOLD: usize = 20;

/// How it is applied.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct How {
    /// Say only what would be changed.
    dry_run: Option<bool>,
    /// Delete what the document does not name: aliases if it names any, users with their mail if it names any, domains if
    /// it names any.
    prune: Option<bool>,
}

/// Domains, users and aliases, as in a file of `angarium apply`.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it documents what tools::apply reads")]
pub(super) struct Wanted {
    domain: Option<Vec<serde_json::Map<String, serde_json::Value>>>,
    user: Option<Vec<serde_json::Map<String, serde_json::Value>>>,
    alias: Option<Vec<serde_json::Map<String, serde_json::Value>>>,
}

/// What was changed.
#[derive(Serialize, ToSchema)]
pub(super) struct Applied {
    /// A line for each change, in order: `+` made, `~` changed, `-` deleted.
    changes: Vec<String>,
    /// Whether they were made, or would be.
    applied: bool,
}

/// Makes domains, users and aliases what a document says. All of it is tried first: if anything in it is wrong, nothing is
/// changed.
#[utoipa::path(
    post, path = "/api/v1/apply", tag = "whole", operation_id = "apply", params(How), request_body = Wanted,
    responses((status = 200, description = "What was changed", body = Applied), NotDone),
)]
pub(super) async fn apply_document(
    caller: Caller,
    Query(how): Query<How>,
    Text(text): Text,
) -> Result<Answer<Applied>, Problem> {
    caller.require_admin("apply a document")?;
    let dry_run = how.dry_run.unwrap_or_default();
    let request =
        ApplyRequest { name: NAME.to_owned(), dry_run, prune: how.prune.unwrap_or_default(), actor: caller.actor() };
    let changes = caller.run(move |shared, _| {
        let mut gathered = Gathered::reading(text.into_bytes().into());
        match apply(&shared.store, &*shared.directory, &request, &mut gathered) {
            Ok((_, unwelcome)) => {
                unwelcome.iter().for_each(|user| shared.show_out(user));
                Ok(gathered.lines)
            }
            Err(CommandError::Usage(text)) => Err(wrong(&text, &gathered.problems)),
            Err(error) => Err(error.into()),
        }
    });
    Ok(Answer::ok(Applied { changes: changes.await?, applied: !dry_run }))
}

/// A document that breaks rules: the first problems, and what became of it.
pub(super) fn wrong(text: &str, problems: &[String]) -> Problem {
    let lines: Vec<&str> = problems.iter().take(TOLD).map(String::as_str).chain([text]).collect();
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "document", lines.join("\n"))
}
