//! Mail domains.

use directory::{DomainName, Service};
use mailstore::Store;

use crate::error::CommandError;
use crate::{Console, accounts};

/// Makes a domain with its postmaster alias.
///
/// # Errors
/// [`CommandError::Directory`].
pub fn add_domain(service: &Service<'_>, name: &str, description: &str) -> Result<(), CommandError> {
    service.create_domain(&DomainName::parse(name)?, description)?;
    Ok(())
}

/// Gives a domain another name, and everything that has it in it.
///
/// # Errors
/// [`CommandError`].
pub fn rename_domain(
    service: &Service<'_>,
    from: &str,
    to: &str,
    console: &mut dyn Console,
) -> Result<(), CommandError> {
    let (from, to) = (DomainName::parse(from)?, DomainName::parse(to)?);
    service.rename_domain(&from, &to)?;
    let counts = service.counts(Some(&to))?;
    let (users, aliases) = (counts.users, counts.aliases);
    Ok(console.out(&format!("{from} is {to} now, with {users} users and {aliases} aliases"))?)
}

/// Deletes domains; with `cascade` with their users, the users' mail, and aliases.
///
/// # Errors
/// [`CommandError`].
pub fn delete_domains(
    store: &Store,
    service: &Service<'_>,
    names: &[String],
    cascade: bool,
    console: &mut dyn Console,
) -> Result<(), CommandError> {
    let names = names.iter().map(|name| DomainName::parse(name)).collect::<Result<Vec<_>, _>>()?;
    let mut users = 0;
    accounts::delete_domains(store, service, &names, cascade, &mut |_| users += 1)?;
    for name in &names {
        console.out(&format!("{name} deleted"))?;
    }
    if users > 0 {
        console.out(&format!("{users} users deleted"))?;
    }
    Ok(())
}
