//! Lists of aliases, and one alias at length.

use clap::{Arg, ArgMatches};
use directory::{Address, Alias, AliasQuery, Error, Listing, Page, UserId, Words};
use tools::{CommandError, Console};

use super::edit::require;
use crate::commands::listing::{self, in_domain, object, print, print_fields};
use crate::services::Services;

/// The options of a list of aliases.
pub(in crate::commands) fn args() -> Vec<Arg> {
    let mut args = vec![listing::domain("Of this domain only")];
    args.extend(listing::args("ALIAS"));
    args
}

/// Lists the aliases that have `words` in their names or descriptions.
pub(in crate::commands) fn list(
    words: Words,
    matches: &ArgMatches,
    services: &Services,
    console: &mut dyn Console,
) -> Result<(), CommandError> {
    let service = in_domain(services.operator(), matches)?;
    let query = AliasQuery { words, ..AliasQuery::default() };
    print(matches, console, &mut |page| service.aliases(&query, page), &mut line)
}

/// Lists the aliases that name a user.
pub(in crate::commands) fn of_user(
    user: &str,
    matches: &ArgMatches,
    services: &Services,
    console: &mut dyn Console,
) -> Result<(), CommandError> {
    let service = in_domain(services.operator(), matches)?;
    let uid = UserId::parse(user)?;
    service.user(&uid)?.ok_or_else(|| Error::NoUser(uid.to_string()))?;
    let domain = matches.contains_id("domain").then(|| service.current_domain()).transpose()?;
    let mut found = service.aliases_of(&uid)?;
    found.retain(|alias| domain.as_ref().is_none_or(|domain| alias.address.domain() == domain));
    let mut pages = |page: &Page| page_of(&found, page);
    print(matches, console, &mut pages, &mut line)
}

/// A page of what is all there already.
fn page_of(found: &[std::sync::Arc<Alias>], page: &Page) -> directory::Result<Listing<std::sync::Arc<Alias>>> {
    let after = page.after.as_deref().map(Address::parse).transpose()?;
    let mut rows: Vec<_> = match after {
        Some(after) => {
            let begin = found.iter().position(|alias| alias.address == after).map_or(found.len(), |at| at + 1);
            found[begin..].to_vec()
        }
        None => found.to_vec(),
    };
    let more = rows.len() > page.size();
    rows.truncate(page.size());
    let next = rows.last().filter(|_| more).map(|alias| alias.address.to_string());
    Ok(Listing { rows, next })
}

fn line(alias: &Alias) -> String {
    let kind = if alias.joinable { "open" } else { "restricted" };
    let members = alias.members().count();
    format!("{:32} {kind:10} {members:>5} {}", alias.address.to_string(), alias.description)
}

/// Shows an alias at length.
pub(in crate::commands) fn show(
    address: &Address,
    as_json: bool,
    services: &Services,
    console: &mut dyn Console,
) -> Result<(), CommandError> {
    let alias = require(&services.operator(), address)?;
    if as_json {
        return Ok(console.out(&object(&*alias)?)?);
    }
    let owners: Vec<_> = alias.owners.iter().map(ToString::to_string).collect();
    let members: Vec<_> = alias.members().map(|member| member.to_string()).collect();
    let fields = [
        ("alias", alias.address.to_string()),
        ("description", alias.description.clone()),
        ("type", if alias.joinable { "open" } else { "restricted" }.to_owned()),
        ("owners", owners.join(" ")),
        ("members", members.join(" ")),
        ("file", alias.file.clone().unwrap_or_default()),
        ("program", alias.program.clone().unwrap_or_default()),
        ("revision", alias.revision.to_string()),
    ];
    print_fields(&fields, console)
}
