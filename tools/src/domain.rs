//! Mail domains.

use directory::{Directory, DomainName};
use serde_json::json;

use crate::Console;
use crate::error::CommandError;

/// Makes a domain with its postmaster alias.
///
/// # Errors
/// [`CommandError::Directory`].
pub fn add_domain(directory: &dyn Directory, name: &str, description: &str) -> Result<(), CommandError> {
    Ok(directory.create_domain(&DomainName::parse(name)?, description)?)
}

/// Lists all domains, a line for each.
///
/// # Errors
/// [`CommandError`].
pub fn list_domains(directory: &dyn Directory, as_json: bool, console: &mut dyn Console) -> Result<(), CommandError> {
    for domain in directory.domains()? {
        let (name, primary) = (domain.name.as_str(), domain.primary);
        let line = if as_json {
            json!({"name": name, "primary": primary, "description": domain.description}).to_string()
        } else {
            let primary = if primary { "(primary)" } else { "" };
            format!("{name:30} {primary:9} {}", domain.description).trim_end().to_owned()
        };
        console.out(&line)?;
    }
    Ok(())
}
