//! What a directory begins with, whatever keeps it.

use crate::actor::Actor;
use crate::change::Plan;
use crate::domain::{Domain, DomainName};
use crate::error::Result;
use crate::view::View;
use crate::{Directory, rules};

/// Makes the server's own domain, with its `postmaster`, unless the directory has one.
///
/// # Errors
/// The directory's; [`Error::Rule`](crate::Error::Rule) for a name that can't be one.
pub fn ensure_primary_domain<D: Directory>(directory: &D, name: &DomainName) -> Result<()> {
    if directory.domains()?.iter().any(|domain| domain.primary) {
        return Ok(());
    }
    directory.change(&Actor::server(), &mut |view| plan_primary_domain(view, name)).map(drop)
}

/// What makes the server's own domain; nothing if there is one.
///
/// # Errors
/// As of [`ensure_primary_domain`].
pub fn plan_primary_domain(view: &dyn View, name: &DomainName) -> Result<Plan> {
    if view.domains()?.iter().any(|domain| domain.primary) {
        return Ok(Plan::default());
    }
    let mut domain = Domain::new(name.clone(), "");
    domain.primary = true;
    rules::domain::create(view, &Actor::server(), &domain)
}
