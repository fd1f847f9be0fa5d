//! `/api/v1/users/{uid}/usage`: why a quota is full (`angarium user usage`).

use mailstore::{ErrorKind, MailboxName};
use serde::{Deserialize, Serialize};
use tools::CommandError;
use tools::usage::{Amount, Folder, Large, Usage, usage};
use utoipa::{IntoParams, ToSchema};

use super::users::own_or_found;
use super::{Answer, Refused};
use crate::caller::Caller;
use crate::extract::{Name, Query};
use crate::problem::Problem;

/// Most of the largest messages that are named.
const MOST_MESSAGES: u64 = 1000;

/// What a user's folders use.
#[derive(Serialize, ToSchema)]
#[schema(as = Usage)]
pub(super) struct UsageView {
    /// The quota root, or the INBOX where there is none.
    #[schema(example = "user/joe")]
    root: String,
    /// In MiB, rounded up; null: no quota.
    #[schema(required = true)]
    limit_mib: Option<u64>,
    /// How many messages there may be; null: no limit.
    #[schema(required = true)]
    limit_messages: Option<u64>,
    /// What is used of the limit, rounded down; may be above 100.
    #[schema(required = true)]
    percent: Option<u64>,
    /// What the quota root counts; null without one.
    #[schema(required = true)]
    charged: Option<AmountView>,
    /// What the folders use together.
    used: AmountView,
    /// Whether these two are the same; where they are not, a recount puts the root right.
    right: bool,
    /// Expunged messages that are kept for a while; nobody is charged for them.
    expunged: AmountView,
    /// The largest first.
    folders: Vec<FolderView>,
    /// The largest messages, the largest first; as many as were asked for.
    largest: Vec<LargeView>,
}

/// How much.
#[derive(Serialize, ToSchema)]
#[schema(as = Amount)]
pub(super) struct AmountView {
    octets: u64,
    messages: u64,
}

/// What a folder uses.
#[derive(Serialize, ToSchema)]
#[schema(as = FolderUse)]
pub(super) struct FolderView {
    #[schema(example = "user/joe/Lists")]
    mailbox: String,
    used: AmountView,
    /// Expunged messages that are kept for a while.
    expunged: AmountView,
}

/// A large message.
#[derive(Serialize, ToSchema)]
#[schema(as = LargeMessage)]
pub(super) struct LargeView {
    octets: u32,
    #[schema(example = "user/joe/Lists")]
    mailbox: String,
    uid: u32,
    /// When it came (RFC 3339).
    date: String,
}

impl From<Amount> for AmountView {
    fn from(Amount { octets, messages }: Amount) -> AmountView {
        AmountView { octets, messages }
    }
}

impl From<Usage> for UsageView {
    fn from(usage: Usage) -> UsageView {
        let folder = |Folder { mailbox, used, expunged }| FolderView {
            mailbox,
            used: AmountView::from(used),
            expunged: AmountView::from(expunged),
        };
        let large = |Large { octets, mailbox, uid, date }| LargeView { octets, mailbox, uid, date };
        UsageView {
            root: usage.root,
            limit_mib: usage.limit_mib,
            limit_messages: usage.limit_messages,
            percent: usage.percent,
            charged: usage.charged.map(AmountView::from),
            used: usage.used.into(),
            right: usage.right,
            expunged: usage.expunged.into(),
            folders: usage.folders.into_iter().map(folder).collect(),
            largest: usage.largest.into_iter().map(large).collect(),
        }
    }
}

/// How closely to look.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Look {
    /// Name so many of the largest messages.
    #[param(minimum = 0, maximum = 1000, default = 0)]
    largest: Option<u64>,
}

/// What each folder of a user uses, and what is only kept for a while. Indexes are read, no messages.
#[utoipa::path(
    get, path = "/api/v1/users/{uid}/usage", tag = "quotas", operation_id = "get_usage",
    params(("uid" = String, Path, example = "joe", description = "User ID"), Look),
    responses((status = 200, description = "What is used", body = UsageView), Refused),
)]
pub(super) async fn show(
    caller: Caller,
    Name(uid): Name,
    Query(look): Query<Look>,
) -> Result<Answer<UsageView>, Problem> {
    caller.require_own(&uid, "look at what another user stores")?;
    let wanted = look.largest.unwrap_or_default();
    let largest = match usize::try_from(wanted) {
        Ok(largest) if wanted <= MOST_MESSAGES => largest,
        _ => return Err(Problem::rule("largest", &wanted.to_string(), "0 to 1000 messages are named")),
    };
    let found = caller.run(move |shared, service| {
        let uid = own_or_found(service, &uid)?;
        let inbox = MailboxName::inbox(uid.as_str()).map_err(mailstore::Error::from)?;
        match usage(&shared.store, &inbox, largest) {
            // Not made yet, or on the way out.
            Err(CommandError::Store(error)) if error.kind() == ErrorKind::NotFound => {
                Err(directory::Error::NoUser(uid.to_string()).into())
            }
            found => Ok(UsageView::from(found?)),
        }
    });
    found.await.map(Answer::ok)
}
