//! Rules of domains.

use crate::actor::Actor;
use crate::address::Address;
use crate::alias::{Alias, POSTMASTER};
use crate::audit::Event;
use crate::change::{Change, Plan};
use crate::domain::{Domain, DomainName};
use crate::error::{Error, Result};
use crate::query::{AliasQuery, MAX_PAGE, Page, UserQuery};
use crate::revision::Revision;
use crate::rules::cascade::Cascade;
use crate::rules::{require_administrator, require_domain};
use crate::text;
use crate::user::UserId;
use crate::view::View;

/// Makes a domain and its postmaster.
pub(crate) fn create(view: &dyn View, actor: &Actor, domain: &Domain) -> Result<Plan> {
    require_administrator(actor, "make a domain")?;
    domain.check_new()?;
    if view.domain(&domain.name)?.is_some() {
        return Err(Error::exists("domain", &domain.name, "a domain of this server"));
    }
    let event = Event::new("domain.create", &domain.name).field("description", "", domain.description.as_str());
    let plan = Plan::default().with(Change::Domain(domain.clone()), event);
    let postmaster = postmaster(&domain.name)?;
    let event = Event::new("alias.create", &postmaster.address);
    Ok(plan.with(Change::Alias(postmaster), event))
}

/// The alias that a domain must have (RFC 5321, 4.5.1), as it comes with the domain.
///
/// # Errors
/// None for a domain that can be there.
pub fn postmaster(domain: &DomainName) -> Result<Alias> {
    let admin = UserId::admin();
    let mut alias = Alias::new(Address::new(POSTMASTER, domain.clone())?);
    alias.description = "required of every mail domain".into();
    alias.owners = vec![admin.clone()];
    alias.users = vec![admin];
    alias.joinable = false;
    Ok(alias)
}

/// Changes what is said about a domain.
pub(crate) fn describe(
    view: &dyn View,
    actor: &Actor,
    name: &DomainName,
    description: &str,
    expected: Option<Revision>,
) -> Result<Plan> {
    require_administrator(actor, "change a domain")?;
    let old = require_domain(view, name)?;
    old.revision.require(expected, "domain", name)?;
    text::check("description", description)?;
    let event = Event::new("domain.update", name).field("description", old.description.as_str(), description);
    let domain = Domain { description: description.to_owned(), ..Domain::clone(&old) };
    Ok(Plan::default().with(Change::Domain(domain), event))
}

/// Gives a domain another name, and everything with it.
pub(crate) fn rename(
    view: &dyn View,
    actor: &Actor,
    from: &DomainName,
    to: &DomainName,
    expected: Option<Revision>,
) -> Result<Plan> {
    require_administrator(actor, "rename a domain")?;
    let old = require_domain(view, from)?;
    old.revision.require(expected, "domain", from)?;
    Domain { name: to.clone(), ..Domain::clone(&old) }.check_new()?;
    if view.domain(to)?.is_some() {
        return Err(Error::exists("domain", to, "a domain of this server"));
    }
    let counts = view.counts(Some(from))?;
    let event = Event::new("domain.rename", from)
        .field("domain", from.as_str(), to.as_str())
        .field("users", "", counts.users.to_string())
        .field("aliases", "", counts.aliases.to_string());
    Ok(Plan::default().with(Change::RenameDomain { from: from.clone(), to: to.clone() }, event))
}

/// Marks domains as going: all of them or none. Without `cascade` they must be empty but for `postmaster`; with it the caller
/// deletes their users, one by one with their mailboxes, before each is [removed](remove). The primary domain, and the one
/// with `admin` in it, can't go, nor one that is not at the revision given with it.
pub(crate) fn begin_deletion(
    view: &dyn View,
    actor: &Actor,
    domains: &[(DomainName, Option<Revision>)],
    cascade: bool,
) -> Result<Plan> {
    require_administrator(actor, "delete a domain")?;
    let admin = view.user(&UserId::admin())?;
    let mut plan = Plan::default();
    for (name, expected) in domains {
        let old = view.domain(name)?.ok_or_else(|| Error::NoDomain(name.to_string()))?;
        old.revision.require(*expected, "domain", name)?;
        if old.primary {
            return Err(Error::protected("domain", name, "it is the server's own domain"));
        }
        if admin.as_ref().is_some_and(|admin| admin.mail.domain() == name) {
            return Err(Error::protected("domain", name, "the user admin lives there"));
        }
        let counts = view.counts(Some(name))?;
        if !cascade && (counts.users > 0 || counts.aliases > 1) {
            let aliases = counts.aliases.saturating_sub(1);
            let rule = format!("it has {} users and {aliases} aliases: delete them first, or with it", counts.users);
            return Err(Error::protected("domain", name, rule));
        }
        if !old.deleting {
            let event = Event::new("domain.deletion.begin", name);
            plan = plan.with(Change::Domain(Domain { deleting: true, ..Domain::clone(&old) }), event);
        }
    }
    Ok(plan)
}

/// Takes away a domain that is going and has no users any more, with its aliases and whatever names them.
pub(crate) fn remove(view: &dyn View, actor: &Actor, name: &DomainName) -> Result<Plan> {
    require_administrator(actor, "delete a domain")?;
    let old = view.domain(name)?.ok_or_else(|| Error::NoDomain(name.to_string()))?;
    if !old.deleting || old.primary {
        return Err(Error::protected("domain", name, "it was not marked for deletion"));
    }
    if view.counts(Some(name))?.users > 0 {
        return Err(Error::protected("domain", name, "it still has users"));
    }
    let mut cascade = Cascade::new(view);
    let query = AliasQuery { domain: Some(name.clone()), ..AliasQuery::default() };
    let mut page = Page::first(MAX_PAGE);
    loop {
        let listing = view.aliases(&query, &page)?;
        listing.rows.iter().for_each(|alias| cascade.delete(&alias.address));
        let Some(next) = listing.next else { break };
        page = page.next(next);
    }
    let mut plan = Plan::default();
    cascade.finish(&mut plan)?;
    Ok(plan.with(Change::DeleteDomain(name.clone()), Event::new("domain.delete", name)))
}

/// The users of a domain, all of them.
pub(crate) fn users_of(view: &dyn View, name: &DomainName) -> Result<Vec<UserId>> {
    let query = UserQuery { domain: Some(name.clone()), ..UserQuery::default() };
    let (mut users, mut page) = (Vec::new(), Page::first(MAX_PAGE));
    loop {
        let listing = view.users(&query, &page)?;
        users.extend(listing.rows.iter().map(|user| user.uid.clone()));
        let Some(next) = listing.next else { return Ok(users) };
        page = page.next(next);
    }
}
