//! The warning at SELECT that a mailbox's quota is used up, or nearly (`* NO [ALERT] Mailbox is at 93% of quota`).

use mailstore::{MailboxName, QuotaUsage, STORAGE_UNIT};

use crate::context::{Context, Options};
use crate::outcome::CommandError;
use crate::reply::{Code, Status};
use crate::session::Account;

/// KiB in a megabyte.
const KIB_IN_MIB: u64 = 1024;

/// Warns the user, not more often than every ten minutes. A root with a limit of 0 is closed on purpose.
pub(super) async fn tell(context: &mut Context, account: &Account, name: &MailboxName) -> Result<(), CommandError> {
    let Some(root) = context.server.store.quota_root_of(name) else { return Ok(()) };
    let usage = context.blocking(move |server| server.store.quota(&root)).await?;
    let options = &context.server.options;
    let warnings = [storage(&usage, options), messages(&usage, options)];
    if warnings.iter().any(Option::is_some) && context.server.may_alert(usage.root.as_str(), account.reader()) {
        for text in warnings.into_iter().flatten() {
            context.tell(Status::No, Some(&Code::Alert), &text);
        }
    }
    Ok(())
}

/// The warning of the STORAGE limit.
fn storage(usage: &QuotaUsage, options: &Options) -> Option<String> {
    let (percent, limit) = (usage.percent()?, usage.limits.storage_kib?);
    let (free, most) = (
        limit.saturating_sub(usage.used.bytes.div_ceil(STORAGE_UNIT)),
        u64::from(options.quota_warn_free_mib) * KIB_IN_MIB,
    );
    match percent {
        100.. => Some("Mailbox is over quota".to_owned()),
        _ if percent <= u64::from(options.quota_warn) || most > 0 && limit >= most && free > most => None,
        _ => Some(format!("Mailbox is at {percent}% of quota")),
    }
}

/// The warning of the MESSAGE limit.
fn messages(usage: &QuotaUsage, options: &Options) -> Option<String> {
    let limit = usage.limits.messages.filter(|limit| *limit > 0)?;
    match u128::from(usage.used.messages) * 100 / u128::from(limit) {
        100.. => Some("Mailbox is over its quota of messages".to_owned()),
        percent if percent > u128::from(options.quota_warn) => {
            Some(format!("Mailbox is at {percent}% of its quota of messages"))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use mailstore::{QuotaLimits, QuotaUsed};

    use super::*;

    fn usage(used: QuotaUsed, limits: QuotaLimits) -> QuotaUsage {
        QuotaUsage { root: MailboxName::parse("user/joe").unwrap(), used, limits }
    }

    /// [QUO-4]
    #[test]
    fn warnings() {
        let check = |limit: Option<u64>, kib: u64, expected: Option<&str>| {
            let used = QuotaUsed { bytes: kib * 1024, messages: 1 };
            let limits = QuotaLimits { storage_kib: limit, messages: None };
            assert_eq!(storage(&usage(used, limits), &Options::default()).as_deref(), expected, "{limit:?} {kib}");
        };
        check(None, 5, None);
        check(Some(0), 5, None);
        check(Some(1000), 900, None);
        check(Some(1000), 909, None);
        check(Some(1000), 910, Some("Mailbox is at 91% of quota"));
        check(Some(1000), 999, Some("Mailbox is at 99% of quota"));
        check(Some(1000), 1000, Some("Mailbox is over quota"));
        check(Some(1000), 2500, Some("Mailbox is over quota"));
    }

    #[test]
    fn warnings_while_little_is_free() {
        // Most free megabytes, limit and use in megabytes, whether there is a warning.
        for (most, limit, used, warns) in [
            (0, 1000, 910, true),
            (50, 1000, 910, false),
            (50, 1000, 950, true),
            (50, 1000, 949, false),
            (50, 1000, 1000, true),
            (50, 50, 46, true),
            (50, 49, 46, true),
            (50, 49, 44, false),
            (1_048_576, 1000, 910, true),
        ] {
            let options = Options { quota_warn_free_mib: most, ..Options::default() };
            let used = QuotaUsed { bytes: used << 20, messages: 1 };
            let limits = QuotaLimits { storage_kib: Some(limit << 10), messages: None };
            assert_eq!(storage(&usage(used, limits), &options).is_some(), warns, "{most} {limits:?} {used:?}");
        }
    }

    #[test]
    fn warnings_of_many_messages() {
        for (limit, used, expected) in [
            (None, 5, None),
            (Some(0), 5, None),
            (Some(10), 9, None),
            (Some(100), 91, Some("Mailbox is at 91% of its quota of messages")),
            (Some(100), 100, Some("Mailbox is over its quota of messages")),
            (Some(1), u64::MAX, Some("Mailbox is over its quota of messages")),
        ] {
            let limits = QuotaLimits { storage_kib: None, messages: limit };
            let usage = usage(QuotaUsed { bytes: 1, messages: used }, limits);
            assert_eq!(messages(&usage, &Options::default()).as_deref(), expected, "{limit:?} {used}");
        }
    }
}
