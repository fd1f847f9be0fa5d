//! What people write when they mean an owner or a member of an alias (ALI-8, ALI-9).
//!
//! ```abnf
//! member = user-id          ; of a user in the current domain
//!        / alias            ; local part of an alias in the current domain
//!        / address          ; of a user or an alias of this server, or an address elsewhere
//!        / "group:" group
//! members = member *(("," / WSP) member)
//! ```

use crate::address::Address;
use crate::alias::{GROUP_PREFIX, Member};
use crate::domain::DomainName;
use crate::error::{Error, Result};
use crate::remote::RemoteAddress;
use crate::user::{UserId, UserState, is_group_name};
use crate::view::{Owner, View};

/// The member that is meant. An address of this server becomes a reference, so that it follows when the address changes; one
/// that nobody has is refused, not taken for one elsewhere.
pub(crate) fn parse(view: &dyn View, current: &DomainName, text: &str) -> Result<Member> {
    const FIELD: &str = "members";
    let text = text.trim();
    if let Some(group) = text.strip_prefix(GROUP_PREFIX) {
        return self::group(view, group).map(|()| Member::Group(group.to_owned()));
    }
    let Some((local, domain)) = text.rsplit_once('@') else {
        return bare(view, current, text, FIELD);
    };
    let domain = DomainName::parse(domain).map_err(|error| error.of_field(FIELD))?;
    if view.domain(&domain)?.is_none() {
        return RemoteAddress::parse(text).map(Member::Remote).map_err(|error| error.of_field(FIELD));
    }
    let address = Address::new(local, domain).map_err(|error| error.of_field(FIELD))?;
    match view.owner(address.local(), address.domain())? {
        Some(Owner::User(user)) => Ok(Member::User(user)),
        Some(Owner::Alias) => Ok(Member::Alias(address)),
        None => Err(Error::rule(FIELD, text, "nobody has that address on this server")),
    }
}

/// Several, with commas or blanks between them.
pub(crate) fn parse_list(view: &dyn View, current: &DomainName, text: &str) -> Result<Vec<Member>> {
    let words = text.split(|c: char| c == ',' || c.is_whitespace()).filter(|word| !word.is_empty());
    words.map(|word| parse(view, current, word)).collect()
}

/// The user who is to be an owner: owners are users, never aliases or somebody elsewhere.
pub(crate) fn parse_owner(view: &dyn View, current: &DomainName, text: &str) -> Result<UserId> {
    const FIELD: &str = "owners";
    let text = text.trim();
    let found = match text.contains('@') {
        true => parse(view, current, text),
        false => bare(view, current, text, FIELD),
    };
    match found.map_err(|error| error.of_field(FIELD))? {
        Member::User(user) => Ok(user),
        Member::Alias(_) | Member::Remote(_) | Member::Group(_) => {
            Err(Error::rule(FIELD, text, "an owner is a user of this server"))
        }
    }
}

/// A name alone: a user, else an alias, of the current domain.
fn bare(view: &dyn View, current: &DomainName, text: &str, field: &'static str) -> Result<Member> {
    if let Ok(uid) = UserId::parse(text)
        && let Some(user) = view.user(&uid)?.filter(|user| user.state != UserState::Deleting)
        && user.mail.domain() == current
    {
        return Ok(Member::User(uid));
    }
    let missing = || Error::rule(field, text, format!("there is no user and no alias of that name in {current}"));
    let address = Address::new(text, current.clone()).map_err(|error| error.of_field(field))?;
    match view.owner(address.local(), current)? {
        Some(Owner::Alias) => Ok(Member::Alias(address)),
        Some(Owner::User(_)) | None => Err(missing()),
    }
}

/// A group that somebody is in.
pub(crate) fn group(view: &dyn View, name: &str) -> Result<()> {
    if !is_group_name(name) || view.group(name)?.is_empty() {
        return Err(Error::rule("members", format!("{GROUP_PREFIX}{name}"), "nobody is in a group of that name"));
    }
    Ok(())
}
