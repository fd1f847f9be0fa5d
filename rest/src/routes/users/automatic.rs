//! What is to be done with a user's mail as it comes, in JSON: replies while the user is away, and the junk filter.

use directory::{JunkAction, JunkFilter, User, Vacation};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::super::fields::{Letter, Line, some_at_most, text};
use super::super::junk::{self, ExceptionView};

/// What is replied while the user is away. It is kept and checked; replies are sent by a version that runs Sieve scripts, which
/// this one does not yet.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Vacation)]
pub(super) struct VacationView {
    /// Whether the user is away; the rest stays as it is while that is off.
    on: bool,
    /// Empty: `Absence notification`.
    subject: String,
    /// Empty: `This is an automated reply: This person is temporarily out of the office`.
    text: String,
    /// Days until the same sender gets another reply.
    #[schema(minimum = 1, maximum = 90)]
    days: u32,
}

/// The same to be changed: what is given; null empties a text.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct VacationChange {
    on: Option<bool>,
    #[serde(deserialize_with = "text")]
    #[schema(value_type = Option<Line>)]
    subject: Option<String>,
    #[serde(deserialize_with = "text")]
    #[schema(value_type = Option<Letter>)]
    text: Option<String>,
    #[schema(minimum = 1, maximum = 90)]
    days: Option<u32>,
}

/// What is done with mail that is addressed to none of the user's addresses and aliases. It is kept and checked; mail is
/// filtered by a version that runs Sieve scripts, which this one does not yet.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = JunkFilter)]
pub(super) struct JunkFilterView {
    /// Whether it is on; the rest stays as it is while that is off.
    on: bool,
    action: ActionView,
    /// Of several that cover a sender an address counts, then the longest domain.
    exceptions: Vec<ExceptionView>,
}

/// What becomes of junk.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = JunkAction)]
pub(super) enum ActionView {
    /// It is in a folder of its own.
    Save,
    /// Nobody sees it.
    Destroy,
}

/// The same to be changed: what is given; a list of exceptions replaces the one before.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct JunkFilterChange {
    on: Option<bool>,
    action: Option<ActionView>,
    #[serde(deserialize_with = "some_at_most::<100, _, _>")]
    #[schema(max_items = 100)]
    exceptions: Option<Vec<ExceptionView>>,
}

impl VacationView {
    pub(super) fn of(user: &User) -> VacationView {
        let Vacation { on, subject, text, days } = user.vacation.as_deref().cloned().unwrap_or_default();
        VacationView { on, subject, text, days }
    }
}

impl VacationChange {
    /// Puts into a row what is given; nothing at all takes away what was there.
    pub(super) fn apply(change: Option<&VacationChange>, user: &mut User) {
        let before = user.vacation.take().map(|vacation| *vacation).unwrap_or_default();
        user.vacation = change.and_then(|change| {
            let after = Vacation {
                on: change.on.unwrap_or(before.on),
                subject: change.subject.clone().unwrap_or(before.subject),
                text: change.text.clone().unwrap_or(before.text),
                days: change.days.unwrap_or(before.days),
            };
            after.kept()
        });
    }
}

impl JunkFilterView {
    pub(super) fn of(user: &User) -> JunkFilterView {
        let JunkFilter { on, action, exceptions } = user.junk_filter.as_deref().cloned().unwrap_or_default();
        let action = match action {
            JunkAction::Save => ActionView::Save,
            JunkAction::Destroy => ActionView::Destroy,
        };
        JunkFilterView { on, action, exceptions: junk::views(&exceptions) }
    }
}

impl JunkFilterChange {
    /// Puts into a row what is given; nothing at all takes away what was there.
    pub(super) fn apply(change: Option<&JunkFilterChange>, user: &mut User) -> directory::Result<()> {
        let mut filter = user.junk_filter.take().map(|filter| *filter).unwrap_or_default();
        let Some(change) = change else { return Ok(()) };
        filter.on = change.on.unwrap_or(filter.on);
        match change.action {
            Some(ActionView::Save) => filter.action = JunkAction::Save,
            Some(ActionView::Destroy) => filter.action = JunkAction::Destroy,
            None => {}
        }
        if let Some(exceptions) = &change.exceptions {
            filter.exceptions = junk::parse(JunkFilter::EXCEPTIONS, exceptions)?;
        }
        user.junk_filter = filter.kept();
        Ok(())
    }
}
