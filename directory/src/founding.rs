//! What a directory begins with, whatever keeps it.

use crate::actor::Actor;
use crate::domain::{Domain, DomainName};
use crate::error::Result;
use crate::{Directory, rules};

/// Makes the server's own domain, with its `postmaster`, unless the directory has one.
///
/// # Errors
/// The directory's; [`Error::Rule`](crate::Error::Rule) for a name that can't be one.
pub fn ensure_primary_domain<D: Directory>(directory: &D, name: &DomainName) -> Result<()> {
    if directory.domains()?.iter().any(|domain| domain.primary) {
        return Ok(());
    }
    let mut domain = Domain::new(name.clone(), "");
    domain.primary = true;
    let server = Actor::server();
    directory.change(&server, &mut |view| rules::domain::create(view, &server, &domain)).map(drop)
}
