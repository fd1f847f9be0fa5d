//! A client's certificate, and whose it is (EXTERNAL: RFC 4422, appendix A).

use std::collections::BTreeSet;
use std::sync::Arc;

use directory::{Account, Directory, Resolution, UserId};
use wire::Connection;
use wire::tls::ClientNames;

use crate::attempt::Attempt;
use crate::name::LoginName;
use crate::password::{NO_RIGHT, act};
use crate::{Door, Failure, LoggedIn};

/// What in a certificate names a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NamedBy {
    /// A mail address (`rfc822Name`): whosever address it is.
    #[default]
    Address,
    /// The subject's `CN`: a user ID.
    CommonName,
    /// The subject's `UID`: a user ID.
    UserId,
}

impl NamedBy {
    /// Those of a certificate's names that count.
    pub(crate) fn names(self, names: &ClientNames) -> &[String] {
        match self {
            NamedBy::Address => &names.addresses,
            NamedBy::CommonName => &names.common_names,
            NamedBy::UserId => &names.user_ids,
        }
    }
}

/// In the history: a certificate that does not say who it is, or somebody else.
const BAD_CERTIFICATE: &str = "certificate";

/// Lets in whoever the certificate of the client names.
pub(crate) async fn enter(
    door: &Door,
    attempt: &Attempt,
    connection: &Connection,
    act_as: Option<&str>,
) -> Result<LoggedIn, Failure> {
    let named_by = door.policy.named_by;
    let names = connection.client_names().map(|names| named_by.names(names).to_vec()).unwrap_or_default();
    let claimed = names.first().cloned().unwrap_or_else(|| "-".to_owned());
    let directory = Arc::clone(&door.directory);
    let found = wire::work::blocking(move || account(&*directory, named_by, &names)).await??;
    let Some(account) = found else {
        attempt.failed_for(&*door.directory, &claimed, BAD_CERTIFICATE);
        return Err(attempt.failure(&claimed, None));
    };
    let own = account.user.to_string();
    let Some(entered) = act(door, account, LoginName::parse(&own, false), act_as).await? else {
        attempt.failed_for(&*door.directory, &own, NO_RIGHT);
        return Err(attempt.failure(&own, None));
    };
    attempt.entered(&*door.directory, &entered);
    Ok(entered)
}

/// The one user whom these names mean; nobody if they mean several. Names that mean nobody here are left out: a certificate
/// may tell addresses elsewhere too.
fn account(directory: &dyn Directory, named_by: NamedBy, names: &[String]) -> directory::Result<Option<Account>> {
    let mut users = BTreeSet::new();
    for name in names {
        match named_by {
            NamedBy::Address => {
                let Some((local, domain)) = name.rsplit_once('@') else { continue };
                // An alias stands for others, and nobody logs in as it.
                if let Resolution::User(user) = directory.resolve(local, Some(domain))? {
                    users.insert(user);
                }
            }
            NamedBy::CommonName | NamedBy::UserId => users.extend(UserId::parse(name).ok()),
        }
    }
    match (users.pop_first(), users.is_empty()) {
        (Some(user), true) => directory.account(&user),
        _ => Ok(None),
    }
}
