//! Which mailbox an address means, and whether it takes mail: all that RCPT checks.
//!
//! | address                         | mailbox                                                                       |
//! |---------------------------------|-------------------------------------------------------------------------------|
//! | any address of joe's            | `user/joe`, whatever its ACL says                                             |
//! | `joe+Lists/rust@`, `joe+Lists.rust@` | `user/joe/Lists/rust` if it is there and the submitter has `p`, else `user/joe` |
//! | `+team/x@`, `postuser+team/x@`  | the shared mailbox `team/x`, with `p` only                                    |
//!
//! An address is first looked up whole: somebody may have one with a `+` in it. An alias means the mailboxes of all whom
//! it reaches here; an MTA usually has expanded it before it comes to us.

use mailstore::{Access, MailboxName};

use crate::deposit::{Deposit, Door, Resolution};
use crate::reply::Refusal;
use crate::settings::Settings;
use crate::syntax::Address;

/// Where a recipient's copy goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Route {
    /// The mailbox.
    pub(crate) mailbox: MailboxName,
    /// Where it goes instead if the mailbox vanishes before the message is there.
    pub(crate) fallback: Option<MailboxName>,
}

/// Finds the mailboxes of `recipient`: one, unless it is an alias. May block.
pub(crate) fn route(
    deposit: &impl Deposit,
    settings: &Settings,
    recipient: &Address,
    submitter: &Access,
) -> Vec<Result<Route, Refusal>> {
    let domain = recipient.domain.as_ref().map(ToString::to_string);
    let domain = domain.as_deref();
    let split = recipient.local.split_once('+');
    if let Some((user, shared)) = split
        && user.eq_ignore_ascii_case(&settings.post_user)
    {
        return vec![shared_mailbox(deposit, settings, shared, submitter)];
    }
    let (found, folder) = match (resolve(deposit, &recipient.local, domain), split) {
        (Err(Refusal::UnknownAddress), Some((user, folder))) => (resolve(deposit, user, domain), Some(folder)),
        (found, _) => (found, None),
    };
    let of_user = |user: &String| users_mailbox(deposit, settings, user, folder, submitter);
    found.map_or_else(|refusal| vec![Err(refusal)], |users| users.iter().map(of_user).collect())
}

/// The users whom this address reaches; at least one.
pub(crate) fn resolve(deposit: &impl Deposit, local: &str, domain: Option<&str>) -> Result<Vec<String>, Refusal> {
    if local.is_empty() {
        return Err(Refusal::UnknownAddress);
    }
    match deposit.resolve(local, domain) {
        Resolution::Users(users) if !users.is_empty() => Ok(users),
        Resolution::Users(_) | Resolution::Unknown => Err(Refusal::UnknownAddress),
        Resolution::Disabled => Err(Refusal::Disabled),
        Resolution::Unavailable => Err(Refusal::DirectoryDown),
    }
}

/// What one reply says of an alias's several mailboxes. A temporary failure counts most: the client comes again, and who
/// has the message already does not get it twice. Then success: a bounce would tell the sender that nobody got it.
pub(crate) fn one_of_many<T: Copy>(results: impl IntoIterator<Item = Result<T, Refusal>>) -> Result<T, Refusal> {
    let rank = |result: &Result<T, Refusal>| match result {
        Err(refusal) if refusal.is_temporary() => 0,
        Ok(_) => 1,
        Err(_) => 2,
    };
    results.into_iter().min_by_key(rank).unwrap_or(Err(Refusal::UnknownAddress))
}

fn users_mailbox(
    deposit: &impl Deposit,
    settings: &Settings,
    user: &str,
    folder: Option<&str>,
    submitter: &Access,
) -> Result<Route, Refusal> {
    let inbox = MailboxName::inbox(user).map_err(|_| Refusal::UnknownAddress)?;
    if deposit.door(&inbox, submitter).is_none() {
        return Err(Refusal::MailboxMissing);
    }
    let folder = folder.and_then(|folder| {
        let is_open = |name: &MailboxName| deposit.door(name, submitter).is_some_and(|door| door.open);
        candidates(deposit, settings, folder, |path| inbox.child(path).ok()).find(is_open)
    });
    Ok(match folder {
        Some(mailbox) => Route { mailbox, fallback: Some(inbox) },
        None => Route { mailbox: inbox, fallback: None },
    })
}

fn shared_mailbox(
    deposit: &impl Deposit,
    settings: &Settings,
    path: &str,
    submitter: &Access,
) -> Result<Route, Refusal> {
    // `+user/joe@` is no back door into joe's folders, and what was deleted keeps its ACL but takes no mail.
    let is_shared = |name: &MailboxName| name.owner().is_none() && !name.is_deleted();
    let shared = |path: &str| MailboxName::parse(path).ok().filter(is_shared);
    let found = candidates(deposit, settings, path, shared)
        .find_map(|mailbox| deposit.door(&mailbox, submitter).map(|door| (mailbox, door)));
    match found {
        Some((mailbox, Door { open: true, .. })) => Ok(Route { mailbox, fallback: None }),
        Some((_, Door { visible: true, .. })) => Err(Refusal::NotPermitted),
        _ => Err(Refusal::UnknownAddress),
    }
}

/// The names that a detail can stand for, most literal first: as it is, with dots for separators (how Cyrus writes
/// names), and if so set each of those in another case.
fn candidates(
    deposit: &impl Deposit,
    settings: &Settings,
    detail: &str,
    name: impl Fn(&str) -> Option<MailboxName>,
) -> impl Iterator<Item = MailboxName> {
    let dotted = detail.replace('.', "/");
    let literal: Vec<_> =
        [name(detail), (dotted != detail).then(|| name(&dotted)).flatten()].into_iter().flatten().collect();
    let fuzzy: Vec<_> = if settings.fuzzy_folders { literal.clone() } else { Vec::new() };
    literal.into_iter().chain(fuzzy.into_iter().filter_map(|name| deposit.find_ignoring_case(&name)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::fake::FakeDeposit;
    use crate::syntax::forward_path;

    fn check_with(settings: &Settings, submitter: &Access, address: &str, expected: Result<&str, Refusal>) {
        let deposit = FakeDeposit::example();
        let recipient = forward_path(&format!("TO:<{address}>")).unwrap().0;
        let got = route(&deposit, settings, &recipient, submitter).remove(0).map(|route| route.mailbox.to_string());
        assert_eq!(got, expected.map(str::to_owned), "{address} from {submitter:?}");
    }

    fn check(address: &str, expected: Result<&str, Refusal>) {
        check_with(&Settings::default(), &Access::anonymous(), address, expected);
    }

    #[test]
    fn users() {
        check("joe@example.com", Ok("user/joe"));
        check("JOE@EXAMPLE.COM", Ok("user/joe"));
        check("joe", Ok("user/joe"));
        check("joe@example.org", Err(Refusal::UnknownAddress));
        check("nobody@example.com", Err(Refusal::UnknownAddress));
        check("\"\"@example.com", Err(Refusal::UnknownAddress));
        check("\"../etc\"@example.com", Err(Refusal::UnknownAddress));
        check("off@example.com", Err(Refusal::Disabled));
        check("off+Lists@example.com", Err(Refusal::Disabled));
        check("later@example.com", Err(Refusal::DirectoryDown));
        check("new@example.com", Err(Refusal::MailboxMissing));
        check("a+b@example.com", Ok("user/plus"));
    }

    #[test]
    fn aliases() {
        let (deposit, settings) = (FakeDeposit::example(), Settings::default());
        for (address, expected) in [
            ("staff@example.com", &["user/joe", "user/sue"][..]),
            ("staff+Lists@example.com", &["user/joe/Lists", "user/sue"]),
        ] {
            let recipient = forward_path(&format!("TO:<{address}>")).unwrap().0;
            let routes = route(&deposit, &settings, &recipient, &Access::anonymous());
            let names: Vec<_> = routes.into_iter().map(|route| route.unwrap().mailbox.to_string()).collect();
            assert_eq!(names, expected);
        }
        check("empty@example.com", Err(Refusal::UnknownAddress));
        let (full, down) = (Refusal::OverQuota, Refusal::DirectoryDown);
        assert_eq!(one_of_many([Err(full), Ok(1)]), Ok(1));
        assert_eq!(one_of_many([Ok(1), Err(down), Err(full)]), Err(down));
        assert_eq!(one_of_many::<()>([Err(full), Err(Refusal::Disabled)]), Err(full));
    }

    #[test]
    fn folders() {
        check("joe+Lists@example.com", Ok("user/joe/Lists"));
        check("joe+Lists/rust@example.com", Ok("user/joe/Lists/rust"));
        check("joe+Lists.rust@example.com", Ok("user/joe/Lists/rust"));
        check("\"joe+Q3.2026\"@example.com", Ok("user/joe/Q3.2026"));
        check("joe+Private@example.com", Ok("user/joe"));
        check("joe+lists@example.com", Ok("user/joe"));
        check("joe+Nowhere@example.com", Ok("user/joe"));
        check("joe+INBOX@example.com", Ok("user/joe"));
        check("joe+@example.com", Ok("user/joe"));
        check("\"joe+../sue\"@example.com", Ok("user/joe"));
        check("\"joe+/etc\"@example.com", Ok("user/joe"));
        check("nobody+Lists@example.com", Err(Refusal::UnknownAddress));
        let joe = Access::user("joe");
        check_with(&Settings::default(), &joe, "joe+Private@example.com", Ok("user/joe/Private"));
        let fuzzy = Settings { fuzzy_folders: true, ..Settings::default() };
        check_with(&fuzzy, &Access::anonymous(), "joe+lists.RUST@example.com", Ok("user/joe/Lists/rust"));
        check_with(&fuzzy, &Access::anonymous(), "joe+private@example.com", Ok("user/joe"));
    }

    #[test]
    fn shared_mailboxes() {
        check("+team@example.com", Ok("team"));
        check("+team.open@example.com", Ok("team/open"));
        check("+readable@example.com", Err(Refusal::NotPermitted));
        check("+hidden@example.com", Err(Refusal::UnknownAddress));
        check("+nowhere@example.com", Err(Refusal::UnknownAddress));
        check("+user/joe@example.com", Err(Refusal::UnknownAddress));
        check("+user.joe.Lists@example.com", Err(Refusal::UnknownAddress));
        check("+DELETED/team/5f@example.com", Err(Refusal::UnknownAddress));
        check("+@example.com", Err(Refusal::UnknownAddress));
        let post_user = Settings { post_user: "bb".to_owned(), ..Settings::default() };
        check_with(&post_user, &Access::anonymous(), "bb+team@example.com", Ok("team"));
        check_with(&post_user, &Access::anonymous(), "+team@example.com", Err(Refusal::UnknownAddress));
    }
}
