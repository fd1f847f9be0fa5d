//! What rules need to know of a directory: a reader's look at rows that do not change meanwhile. Every back end has one, and
//! every rule is written against it, once.

use std::sync::Arc;

use crate::address::Address;
use crate::alias::Alias;
use crate::credentials::Credentials;
use crate::domain::{Domain, DomainName};
use crate::error::Result;
use crate::privileges::Privileges;
use crate::query::{AliasQuery, Listing, Page, UserQuery};
use crate::user::{User, UserId};

/// Who owns an address: there is one namespace for all addresses of the server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Owner {
    /// It is the mail address or a further address of this user.
    User(UserId),
    /// It is an alias.
    Alias,
}

/// What aliases may name.
#[derive(Clone, Copy, Debug)]
pub enum Named<'a> {
    /// A user, as owner or as member.
    User(&'a UserId),
    /// Another alias, as member.
    Alias(&'a Address),
    /// A group, as member.
    Group(&'a str),
}

/// How much there is of a domain, or of the whole server.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// Users.
    pub users: usize,
    /// Aliases, the postmaster's among them.
    pub aliases: usize,
}

/// All rows at one moment. Errors are those of a directory that can't answer; what is not there is `None` or empty.
pub trait View {
    /// A domain.
    fn domain(&self, name: &DomainName) -> Result<Option<Arc<Domain>>>;

    /// All domains, sorted.
    fn domains(&self) -> Result<Vec<Arc<Domain>>>;

    /// How many users and aliases a domain has, or the server.
    fn counts(&self, domain: Option<&DomainName>) -> Result<Counts>;

    /// A user.
    fn user(&self, user: &UserId) -> Result<Option<Arc<User>>>;

    /// The users who are pending or being deleted: a crash came between, if nobody is at it.
    fn unfinished(&self) -> Result<Vec<Arc<User>>>;

    /// A page of users.
    fn users(&self, query: &UserQuery, page: &Page) -> Result<Listing<Arc<User>>>;

    /// What is kept of a user's passwords.
    fn credentials(&self, user: &UserId) -> Result<Option<Credentials>>;

    /// An alias.
    fn alias(&self, address: &Address) -> Result<Option<Arc<Alias>>>;

    /// A page of aliases.
    fn aliases(&self, query: &AliasQuery, page: &Page) -> Result<Listing<Arc<Alias>>>;

    /// The aliases that name somebody.
    fn aliases_naming(&self, who: Named<'_>) -> Result<Vec<Arc<Alias>>>;

    /// Who owns an address; `local` in lower case.
    fn owner(&self, local: &str, domain: &DomainName) -> Result<Option<Owner>>;

    /// The users of a group, sorted.
    fn group(&self, name: &str) -> Result<Vec<UserId>>;

    /// All groups that somebody is in, with how many are in them.
    fn groups(&self) -> Result<Vec<(String, usize)>>;

    /// What users may do, and what new ones get.
    fn privileges(&self) -> Result<Privileges>;
}

/// The primary domain.
///
/// # Errors
/// The directory's; [`NoDomain`](crate::Error::NoDomain) if it has none.
pub(crate) fn primary(view: &dyn View) -> Result<DomainName> {
    let primary = view.domains()?.into_iter().find(|domain| domain.primary);
    Ok(primary.ok_or_else(|| crate::Error::NoDomain("(the primary one)".into()))?.name.clone())
}
