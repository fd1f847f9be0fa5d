//! The warning at SELECT that a mailbox's quota is used up, or nearly (`* NO [ALERT] Mailbox is at 93% of quota`).

use mailstore::MailboxName;

use crate::context::Context;
use crate::outcome::CommandError;
use crate::reply::{Code, Status};
use crate::session::Account;

/// Warns the user, not more often than every ten minutes. A root with a limit of 0 is closed on purpose.
pub(super) async fn tell(context: &mut Context, account: &Account, name: &MailboxName) -> Result<(), CommandError> {
    let Some(root) = context.server.store.quota_root_of(name) else { return Ok(()) };
    let usage = context.blocking(move |server| server.store.quota(&root)).await?;
    let Some(text) = warning(usage.percent(), context.server.options.quota_warn) else { return Ok(()) };
    if context.server.may_alert(usage.root.as_str(), account.reader()) {
        context.tell(Status::No, Some(&Code::Alert), &text);
    }
    Ok(())
}

/// `percent` is `None` without a limit, or with one of 0.
fn warning(percent: Option<u64>, above: u8) -> Option<String> {
    match percent? {
        percent if percent >= 100 => Some("Mailbox is over quota".into()),
        percent if percent > u64::from(above) => Some(format!("Mailbox is at {percent}% of quota")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// [QUO-4]
    #[test]
    fn warnings() {
        let check = |percent, expected: Option<&str>| assert_eq!(warning(percent, 90).as_deref(), expected);
        check(None, None);
        check(Some(90), None);
        check(Some(91), Some("Mailbox is at 91% of quota"));
        check(Some(99), Some("Mailbox is at 99% of quota"));
        check(Some(100), Some("Mailbox is over quota"));
        check(Some(250), Some("Mailbox is over quota"));
    }
}
