//! `/api/v1/directory`: everything of the directory as a text, and back (`angarium directory export`, `angarium directory
//! import`).

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body as HttpBody;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use hyper::StatusCode;
use hyper::body::{Bytes, Frame};
use hyper::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::{Receiver, channel};
use tools::CommandError;
use tools::transfer::{ExportRequest, Format, Import, ImportRequest, Problem as RowWrong, export};
use utoipa::{IntoParams, ToSchema};

use super::console::{Gathered, Sent};
use super::whole::wrong;
use super::{Answer, NotDone, Refused};
use crate::caller::Caller;
use crate::extract::{self, Query};
use crate::problem::Problem;

/// Rows as JSON, one a line (docs/formats/transfer.md).
const JSON_LINES: &str = "application/x-ndjson";
/// Rows as entries of an LDAP server (RFC 2849).
const LDIF: &str = "text/x-ldif";
/// What the body is called where one of its lines is named.
const NAME: &str = "body";
/// Largest text that is imported, in octets: some 30,000 users, who are made while a client waits. A larger one is for the
/// command.
const MAX_IMPORT: usize = 16 << 20;
/// Pieces of an export that wait for a client that reads slowly.
const AHEAD: usize = 4;

/// What is exported.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Wanted {
    /// What is kept of passwords, and app passwords, too: from it passwords can be guessed.
    passwords: Option<bool>,
    /// The entry above all others, of LDIF; by default made from the server's own domain.
    #[param(example = "dc=example,dc=org")]
    base: Option<String>,
}

/// How it is imported.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct How {
    /// Only try, and say what would be made.
    dry_run: Option<bool>,
    /// Make rows that are there what the text says. Without it a row that is there and other is an error.
    replace: Option<bool>,
    /// Leave out what is wrong, and take the rest.
    keep_going: Option<bool>,
    /// The server's own domain stays what it is; that of the text becomes one like others.
    keep_primary: Option<bool>,
}

/// What came of an import.
#[derive(Serialize, ToSchema)]
pub(super) struct Imported {
    made: Made,
    /// Rows that were there and are what the text says now.
    changed: usize,
    /// Rows that were as they should be.
    equal: usize,
    /// Rows that were left out.
    wrong: usize,
    /// Whether nothing was changed, and the numbers are what would be.
    dry_run: bool,
    /// What is wrong with those that were left out.
    problems: Vec<RowProblem>,
}

/// How many rows there are that were not there.
#[derive(Serialize, ToSchema)]
pub(super) struct Made {
    domains: usize,
    users: usize,
    aliases: usize,
}

/// What is wrong with a row.
#[derive(Serialize, ToSchema)]
pub(super) struct RowProblem {
    /// Its line in the text.
    line: usize,
    /// The field that is wrong; empty for the whole row.
    field: String,
    /// What was given for it; empty for whatever may be a secret.
    value: String,
    /// The rule that it breaks.
    rule: String,
}

impl From<&RowWrong> for RowProblem {
    fn from(problem: &RowWrong) -> RowProblem {
        let RowWrong { line, field, value, rule, .. } = problem.clone();
        RowProblem { line, field, value, rule }
    }
}

/// The whole directory: domains, users, aliases and privileges, as they are at one moment. JSON Lines, or LDIF if `Accept` asks
/// for it.
#[utoipa::path(
    get, path = "/api/v1/directory", tag = "whole", operation_id = "export_directory", params(Wanted),
    responses(
        (status = 200, description = "All rows", content((String = "application/x-ndjson"), (String = "text/x-ldif"))),
        Refused,
    ),
)]
pub(super) async fn export_directory(
    caller: Caller,
    headers: HeaderMap,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Problem> {
    caller.require_admin("export the directory")?;
    let (format, kind) = accepted(&headers);
    let passwords = wanted.passwords.unwrap_or_default();
    let request = ExportRequest { passwords, format, base: wanted.base, actor: caller.actor() };
    let (sender, mut pieces) = channel(AHEAD);
    let shared = caller.shared.clone();
    let work = wire::work::blocking(move || {
        let done = export(&*shared.directory, &request, &mut Sent::new(sender.clone()));
        match done {
            // What is not whole must not look so.
            Err(error) if sender.blocking_send(Err(io::Error::other("broken off"))).is_ok() => Err(error),
            done => done.map(drop),
        }
    });
    let first = match pieces.recv().await {
        Some(Ok(first)) => first,
        // It has failed before there was anything.
        _ => {
            pieces.close();
            work.await?.map_err(refused)?;
            Bytes::new()
        }
    };
    let body = HttpBody::new(Pieces { first: Some(first), rest: pieces });
    Ok(([(CONTENT_TYPE, HeaderValue::from_static(kind))], body).into_response())
}

/// Which of both is wanted: JSON Lines, unless LDIF is named and they are not.
fn accepted(headers: &HeaderMap) -> (Format, &'static str) {
    let accept = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let mut kinds = accept.flat_map(|value| value.split(',')).map(kind_of);
    match kinds.find(|kind| kind.eq_ignore_ascii_case(LDIF) || kind.eq_ignore_ascii_case(JSON_LINES)) {
        Some(kind) if kind.eq_ignore_ascii_case(LDIF) => (Format::Ldif, LDIF),
        _ => (Format::Json, JSON_LINES),
    }
}

/// A media type without its parameters.
fn kind_of(text: &str) -> &str {
    text.split(';').next().unwrap_or_default().trim()
}

/// What goes out piece by piece.
struct Pieces {
    first: Option<Bytes>,
    rest: Receiver<io::Result<Bytes>>,
}

impl hyper::body::Body for Pieces {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        self.rest.poll_recv(cx).map(|piece| piece.map(|piece| piece.map(Frame::data)))
    }
}

/// Makes domains, users with their mailboxes, aliases and privileges from such a text. All of it is tried first; if anything in
/// it is wrong nothing is changed. Rows that are there and the same are passed over, so that the same text again goes on where
/// a stop has cut it short. Nothing is deleted.
#[utoipa::path(
    post, path = "/api/v1/directory", tag = "whole", operation_id = "import_directory", params(How),
    request_body(content((String = "application/x-ndjson"), (String = "text/x-ldif"))),
    responses((status = 200, description = "What was made", body = Imported), NotDone),
)]
pub(super) async fn import_directory(
    caller: Caller,
    Query(how): Query<How>,
    request: Request,
) -> Result<Answer<Imported>, Problem> {
    caller.require_admin("import a directory")?;
    let kind = request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).map(kind_of);
    let format = match kind {
        Some(kind) if kind.eq_ignore_ascii_case(JSON_LINES) => Format::Json,
        Some(kind) if kind.eq_ignore_ascii_case(LDIF) => Format::Ldif,
        _ => {
            let detail = "the body must be rows: Content-Type: application/x-ndjson, or text/x-ldif";
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "content-type", detail));
        }
    };
    let octets = extract::read_all(request.into_body(), MAX_IMPORT).await?;
    let request = ImportRequest {
        name: NAME.to_owned(),
        format: Some(format),
        dry_run: how.dry_run.unwrap_or_default(),
        replace: how.replace.unwrap_or_default(),
        keep_going: how.keep_going.unwrap_or_default(),
        keep_primary: how.keep_primary.unwrap_or_default(),
        json: false,
        actor: caller.actor(),
    };
    let imported = caller.run(move |shared, _| {
        let (store, directory) = (&shared.store, &*shared.directory);
        let mut console = Gathered::reading(octets);
        let import = Import::rehearsed(store, directory, &request, &mut console).map_err(refused)?;
        if import.is_refused(&request) {
            let told: Vec<String> = import.problems.iter().map(line_of).collect();
            return Err(wrong(&format!("{} problems; nothing was changed", told.len()), &told));
        }
        let summary = import.summary();
        let problems = import.problems.iter().map(RowProblem::from).collect();
        if !request.dry_run {
            let unwelcome = import.carry_out(store, directory, &request, &mut console).map_err(refused)?;
            unwelcome.iter().for_each(|user| shared.show_out(user));
        }
        let [domains, users, aliases] = summary.made;
        Ok(Imported {
            made: Made { domains, users, aliases },
            changed: summary.changed,
            equal: summary.equal,
            wrong: summary.wrong,
            dry_run: request.dry_run,
            problems,
        })
    });
    imported.await.map(Answer::ok)
}

/// A problem for people.
fn line_of(problem: &RowWrong) -> String {
    format!("{NAME}:{}: {}", problem.line, problem.text)
}

fn refused(error: CommandError) -> Problem {
    match error {
        CommandError::Usage(text) => wrong(&text, &[]),
        error => error.into(),
    }
}
