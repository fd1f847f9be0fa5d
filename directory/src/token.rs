//! Tokens that an authorization server has given out: who checks them, and whose they are.

use std::sync::Arc;

use crate::error::Result;
use crate::secret::Secret;
use crate::user::UserId;
use crate::{Account, Directory, Resolution};

/// Whoever knows whether a token is good.
pub trait TokenCheck: Send + Sync + std::fmt::Debug {
    /// Whose it is: a user ID, or an address if there is an `@` in it. May block.
    ///
    /// # Errors
    /// [`Error::Unavailable`](crate::Error::Unavailable) when that can't be found out now: nobody is let in, and nothing is
    /// said against the token.
    fn check(&self, token: &Secret) -> Result<std::result::Result<String, TokenProblem>>;

    /// Whether each check asks the authorization server, which may take its time.
    fn is_asked_about(&self, token: &Secret) -> bool;

    /// What a client is told that needs another token; nothing while none are taken.
    fn hint(&self) -> Option<TokenHint>;
}

/// What a client is told that needs another token (RFC 7628, 3.2.2).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TokenHint {
    /// The scope to ask for.
    pub scope: Option<Arc<str>>,
    /// Where the authorization server describes itself.
    pub openid_configuration: Option<Arc<str>>,
}

/// Why a token lets nobody in; the names of RFC 6750, 3.1.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TokenProblem {
    /// It is expired, revoked, forged, for somebody else, or of nobody here.
    Invalid,
    /// It is good, but not for this.
    InsufficientScope,
}

/// The account of somebody whom a token calls `name`. An address must be a user's own: what an alias says is no identity.
///
/// # Errors
/// The directory's.
pub(crate) fn account<D: Directory + ?Sized>(
    directory: &D,
    name: &str,
) -> Result<std::result::Result<Account, TokenProblem>> {
    let user = match name.rsplit_once('@') {
        Some((local, domain)) => match directory.resolve(local, Some(domain))? {
            Resolution::User(user) => Some(user),
            Resolution::Disabled(_) | Resolution::Alias(_) | Resolution::Unknown => None,
        },
        None => UserId::parse(name).ok(),
    };
    let account = user.map(|user| directory.account(&user)).transpose()?.flatten();
    Ok(account.ok_or(TokenProblem::Invalid))
}
