//! Exceptions of junk filters in JSON: those of a user, and those of everybody.

use directory::{Decision, JunkException, SenderPattern};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A sender whose mail is never junk, or always.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = JunkException)]
pub(super) struct ExceptionView {
    /// An address, or a domain, which stands for everybody in it and below it.
    #[schema(min_length = 1, max_length = 318, example = "xyz.com")]
    pattern: String,
    decision: DecisionView,
}

/// What becomes of mail from a sender.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = JunkDecision)]
pub(super) enum DecisionView {
    /// It is delivered, even if it is addressed to nobody in particular.
    Allow,
    /// It never is.
    Deny,
}

/// Exceptions as they are shown.
pub(super) fn views(exceptions: &[JunkException]) -> Vec<ExceptionView> {
    let view = |exception: &JunkException| ExceptionView {
        pattern: exception.pattern.to_string(),
        decision: match exception.decision {
            Decision::Allow => DecisionView::Allow,
            Decision::Deny => DecisionView::Deny,
        },
    };
    exceptions.iter().map(view).collect()
}

/// The exceptions of the list `field`, of which an error names the place.
pub(super) fn parse(field: &'static str, views: &[ExceptionView]) -> directory::Result<Vec<JunkException>> {
    let parse = |(index, view): (usize, &ExceptionView)| {
        let pattern = SenderPattern::parse(&view.pattern);
        let pattern = pattern.map_err(|error| error.of_field(field).in_list(index, ".pattern"))?;
        let decision = match view.decision {
            DecisionView::Allow => Decision::Allow,
            DecisionView::Deny => Decision::Deny,
        };
        Ok(JunkException { pattern, decision })
    };
    views.iter().enumerate().map(parse).collect()
}
