//! Changing aliases, for the modern and the classic commands.

use directory::{Address, Alias, Error, Member, Revision, Service, UserId};
use tools::{CommandError, Console};

/// How often a change that depends on nothing is tried again when somebody else's came first.
const TRIES: usize = 20;

/// Changes an alias from what it is now, all of it or nothing. With `expected`, only if nobody has changed it since.
pub(in crate::commands) fn change(
    service: &Service<'_>,
    address: &Address,
    expected: Option<Revision>,
    edit: &dyn Fn(&mut Alias) -> Result<(), CommandError>,
) -> Result<(), CommandError> {
    let mut tries = TRIES;
    loop {
        let mut row = Alias::clone(&*require(service, address)?);
        row.revision = expected.unwrap_or(row.revision);
        edit(&mut row)?;
        match service.update_alias(&row) {
            Err(Error::Conflict { .. }) if expected.is_none() && tries > 0 => tries -= 1,
            done => return Ok(done.map(drop)?),
        }
    }
}

/// An alias that is there.
pub(in crate::commands) fn require(
    service: &Service<'_>,
    address: &Address,
) -> Result<std::sync::Arc<Alias>, CommandError> {
    Ok(service.alias(address)?.ok_or_else(|| Error::NoAlias(address.to_string()))?)
}

/// Adds owners and members; who is one already stays one.
pub(in crate::commands) fn add(alias: &mut Alias, owners: &[UserId], members: &[Member]) {
    for owner in owners {
        if !alias.owners.contains(owner) {
            alias.owners.push(owner.clone());
        }
    }
    for member in members {
        alias.add(member.clone());
    }
}

/// Removes owners and members, who must be that.
pub(in crate::commands) fn remove(
    alias: &mut Alias,
    owners: &[UserId],
    members: &[Member],
) -> Result<(), CommandError> {
    let none = |field: &'static str, who: &dyn std::fmt::Display| {
        let rule = format!("it is not there in {}", alias.address);
        CommandError::from(Error::rule(field, who.to_string(), rule))
    };
    let missing = owners.iter().find(|owner| !alias.owners.contains(owner));
    if let Some(owner) = missing {
        return Err(none("owners", owner));
    }
    let named: Vec<Member> = alias.members().collect();
    if let Some(member) = members.iter().find(|member| !named.contains(member)) {
        return Err(none("members", member));
    }
    alias.owners.retain(|owner| !owners.contains(owner));
    for member in members {
        alias.remove(member);
    }
    Ok(())
}

/// The members of an alias that are meant by texts: as the alias shows them, else as people write them.
pub(in crate::commands) fn named_members(
    service: &Service<'_>,
    address: &Address,
    texts: &[String],
) -> Result<Vec<Member>, CommandError> {
    let alias = require(service, address)?;
    let within = Service::new(service.directory(), service.actor().clone()).in_domain(address.domain().clone());
    let mut members = Vec::new();
    for text in texts.iter().flat_map(|text| text.split(',')).map(str::trim).filter(|text| !text.is_empty()) {
        match alias.members().find(|member| member.to_string().eq_ignore_ascii_case(text)) {
            Some(member) => members.push(member),
            None => members.extend(within.parse_members(text)?),
        }
    }
    Ok(members)
}

/// Deletes aliases, which must all be there, and says which went along.
pub(in crate::commands) fn delete(
    service: &Service<'_>,
    addresses: &[Address],
    expected: Option<Revision>,
    console: &mut dyn Console,
) -> Result<(), CommandError> {
    for address in addresses {
        let alias = require(service, address)?;
        if alias.is_postmaster() {
            return Err(Error::protected("alias", address, "a domain can't be without its postmaster").into());
        }
    }
    for address in addresses {
        match service.delete_alias(address, expected) {
            // It went with one before it.
            Err(Error::NoAlias(_)) if addresses.len() > 1 => {}
            done => done?,
        }
        console.out(&format!("{address} deleted"))?;
    }
    Ok(())
}
