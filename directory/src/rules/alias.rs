//! Rules of aliases.

use std::collections::HashSet;
use std::sync::Arc;

use crate::actor::{Actor, Who};
use crate::address::{self, Address};
use crate::alias::{Alias, MAX_MEMBERS, Member};
use crate::audit::Event;
use crate::change::{Change, Plan};
use crate::error::{Error, Result};
use crate::privileges::Privilege;
use crate::revision::Revision;
use crate::rules::cascade::Cascade;
use crate::rules::user::MOST_AT_ONCE;
use crate::rules::{Field, member, require_domain, require_free, require_privilege};
use crate::surroundings::{Surroundings, check_program};
use crate::text;
use crate::user::{ADMIN, UserId, UserState};
use crate::view::View;

/// Makes an alias. A user who makes one is its owner and a member unless somebody else is named; an administrator is neither
/// (ALI-3).
pub(crate) fn create(view: &dyn View, actor: &Actor, around: &Surroundings, new: &Alias) -> Result<Plan> {
    require_privilege(view, actor, Privilege::AliasCreate, "make an alias")?;
    let mut row = new.clone();
    if let Who::User(uid) = &actor.who {
        if row.owners.is_empty() {
            row.owners.push(uid.clone());
        }
        if row.has_no_members() {
            row.users.push(uid.clone());
        }
        let domain = view.user(uid)?.map(|user| user.mail.domain().clone());
        if domain.as_ref() != Some(row.address.domain()) {
            let rule = "users make aliases in their own domain";
            return Err(Error::Denied { action: "make an alias", rule: rule.into() });
        }
    }
    require_domain(view, row.address.domain())?;
    address::check_new("alias", &row.address)?;
    require_free(view, "alias", &row.address, None)?;
    check(view, actor, around, &row, None)?;
    let event = describe(Event::new("alias.create", &row.address), None, &row);
    Ok(Plan::default().with(Change::Alias(row), event))
}

/// Makes several, all of them or none. None is a member of another one of them.
pub(crate) fn create_all(view: &dyn View, actor: &Actor, around: &Surroundings, new: &[Alias]) -> Result<Plan> {
    if new.len() > MOST_AT_ONCE {
        return Err(Error::rule("aliases", new.len().to_string(), "at most 10000 aliases are made at once"));
    }
    let (mut plan, mut addresses) = (Plan::default(), HashSet::new());
    for alias in new {
        if !addresses.insert(&alias.address) {
            return Err(Error::exists("alias", &alias.address, "another alias of the same list"));
        }
        let one = create(view, actor, around, alias)?;
        plan.changes.extend(one.changes);
        plan.events.extend(one.events);
    }
    Ok(plan)
}

/// Stores a changed alias. Owners may change everything but file and program, which are for administrators; on an open alias
/// users may add and remove themselves.
pub(crate) fn update(view: &dyn View, actor: &Actor, around: &Surroundings, new: &Alias) -> Result<Plan> {
    let old = require(view, &new.address)?;
    old.revision.require(Some(new.revision), "alias", &new.address)?;
    check_may_change(view, actor, &old, new)?;
    check(view, actor, around, new, Some(&old))?;
    let event = describe(Event::new("alias.update", &new.address), Some(&old), new);
    if *new == *old {
        return Ok(Plan::default());
    }
    Ok(Plan::default().with(Change::Alias(new.clone()), event))
}

/// Changes an alias from what it is now.
pub(crate) fn edit(
    view: &dyn View,
    actor: &Actor,
    around: &Surroundings,
    address: &Address,
    change: &dyn Fn(&mut Alias) -> Result<()>,
) -> Result<Plan> {
    let mut row = Alias::clone(&*require(view, address)?);
    change(&mut row)?;
    update(view, actor, around, &row)
}

/// Deletes an alias, and those that are left empty by it. Owners may, and administrators (ALI-23).
pub(crate) fn delete(view: &dyn View, actor: &Actor, address: &Address, expected: Option<Revision>) -> Result<Plan> {
    let old = require(view, address)?;
    old.revision.require(expected, "alias", address)?;
    if old.is_postmaster() {
        return Err(Error::protected("alias", address, "a domain can't be without its postmaster"));
    }
    if !is_owner(actor, &old) {
        return Err(Error::Denied { action: "delete an alias", rule: "only its owners and administrators may".into() });
    }
    let mut plan = Plan::default();
    let mut cascade = Cascade::new(view);
    cascade.delete(address);
    cascade.finish(&mut plan)?;
    Ok(plan)
}

/// An alias that is there.
///
/// # Errors
/// [`Error::NoAlias`], or the directory's.
pub(crate) fn require(view: &dyn View, address: &Address) -> Result<Arc<Alias>> {
    view.alias(address)?.ok_or_else(|| Error::NoAlias(address.to_string()))
}

/// Whether somebody may change all of an alias.
fn is_owner(actor: &Actor, alias: &Alias) -> bool {
    match &actor.who {
        Who::User(uid) => alias.owners.contains(uid),
        Who::Server | Who::Operator(_) | Who::Administrator(_) => true,
    }
}

fn check_may_change(view: &dyn View, actor: &Actor, old: &Alias, new: &Alias) -> Result<()> {
    const ACTION: &str = "change an alias";
    if is_owner(actor, old) {
        return Ok(());
    }
    let Who::User(uid) = &actor.who else { return Ok(()) };
    // What it would be if nothing but the user's own membership changed.
    let mut joined = old.clone();
    match new.users.contains(uid) {
        true => joined.add(Member::User(uid.clone())),
        false => joined.remove(&Member::User(uid.clone())),
    };
    if joined != *new {
        return Err(Error::Denied { action: ACTION, rule: "only its owners and administrators may".into() });
    }
    if !old.joinable {
        let rule = "it is restricted: its owners say who is in it";
        return Err(Error::Denied { action: "join or leave an alias", rule: rule.into() });
    }
    require_privilege(view, actor, Privilege::AliasJoin, "join or leave an alias")
}

/// What must hold for an alias, of what is not as it was.
fn check(view: &dyn View, actor: &Actor, around: &Surroundings, row: &Alias, old: Option<&Alias>) -> Result<()> {
    if old.is_none_or(|old| old.description != row.description) {
        text::check("description", &row.description)?;
    }
    if row.owners.is_empty() {
        return Err(Error::rule("owners", "", "an alias has one owner at least"));
    }
    if row.has_no_members() {
        return Err(Error::rule("members", "", "an alias has one member at least"));
    }
    check_sizes(row)?;
    check_owners(view, row, old)?;
    check_members(view, row, old)?;
    check_targets(actor, around, row, old)?;
    check_cycle(view, row)
}

fn check_sizes(row: &Alias) -> Result<()> {
    let sizes = [row.users.len(), row.aliases.len(), row.remote.len(), row.groups.len()];
    for (field, size) in [("owners", row.owners.len()), ("members", sizes.iter().sum())] {
        if size > MAX_MEMBERS {
            return Err(Error::rule(field, size.to_string(), "an alias has at most 10000; aliases can be members"));
        }
    }
    Ok(())
}

fn check_owners(view: &dyn View, row: &Alias, old: Option<&Alias>) -> Result<()> {
    let mut seen = HashSet::new();
    let known: HashSet<&UserId> = old.into_iter().flat_map(|old| &old.owners).collect();
    for owner in &row.owners {
        if !seen.insert(owner) {
            return Err(Error::rule("owners", owner.as_str(), "it is given twice"));
        }
        if !known.contains(owner) && !is_there(view, owner)? {
            return Err(Error::rule("owners", owner.as_str(), "there is no user of that name"));
        }
    }
    Ok(())
}

fn check_members(view: &dyn View, row: &Alias, old: Option<&Alias>) -> Result<()> {
    let mut seen = HashSet::new();
    let known: HashSet<Member> = old.into_iter().flat_map(Alias::members).collect();
    for new in row.members() {
        let wrong = |rule: &'static str| Err(Error::rule("members", new.to_string(), rule));
        if !seen.insert(new.clone()) {
            return wrong("it is given twice");
        }
        if known.contains(&new) {
            continue;
        }
        match &new {
            Member::User(user) if !is_there(view, user)? => return wrong("there is no user of that name"),
            Member::Alias(alias) if view.alias(alias)?.is_none() && *alias != row.address => {
                return wrong("there is no alias of that address");
            }
            Member::Remote(address) if view.domain(address.domain())?.is_some() => {
                return wrong("its domain is one of this server: name the user or the alias");
            }
            Member::Group(group) => member::group(view, group)?,
            Member::User(_) | Member::Alias(_) | Member::Remote(_) => {}
        }
    }
    Ok(())
}

/// Whether a user can be named; `admin` can before the first start has made him.
fn is_there(view: &dyn View, user: &UserId) -> Result<bool> {
    Ok(user.as_str() == ADMIN || view.user(user)?.is_some_and(|user| user.state != UserState::Deleting))
}

/// File and program: what the MTA does with its own rights, so only administrators may ask for it.
fn check_targets(actor: &Actor, around: &Surroundings, row: &Alias, old: Option<&Alias>) -> Result<()> {
    let changed = |part: fn(&Alias) -> &Option<String>| old.map_or(&None, part) != part(row);
    let (file, program) = (changed(|alias| &alias.file), changed(|alias| &alias.program));
    if !actor.is_administrator() && (file || program) {
        let rule = "only administrators may have mail appended to a file or piped into a program";
        return Err(Error::Denied { action: "change an alias", rule: rule.into() });
    }
    if let Some(path) = row.file.as_ref().filter(|_| file) {
        around.check_file(path)?;
    }
    if let Some(command) = row.program.as_ref().filter(|_| program) {
        check_program(command)?;
    }
    Ok(())
}

/// No alias may lead back to itself (ALI-7). The error names the way. No recursion: the way may be long.
fn check_cycle(view: &dyn View, row: &Alias) -> Result<()> {
    let mut visited = HashSet::new();
    // The aliases still to look at, each with how deep it is; `way` is the path to the one looked at.
    let mut waiting: Vec<(usize, Address)> = row.aliases.iter().map(|alias| (1, alias.clone())).collect();
    let mut way = vec![row.address.clone()];
    while let Some((depth, address)) = waiting.pop() {
        way.truncate(depth);
        way.push(address.clone());
        if address == row.address {
            let text: Vec<_> = way.iter().map(ToString::to_string).collect();
            let rule = format!("it would be a member of itself: {}", text.join(" -> "));
            return Err(Error::rule("members", way.get(1).unwrap_or(&address).to_string(), rule));
        }
        if visited.insert(address.clone())
            && let Some(alias) = view.alias(&address)?
        {
            waiting.extend(alias.aliases.iter().map(|inner| (depth + 1, inner.clone())));
        }
    }
    Ok(())
}

/// What changes, for the audit log.
fn describe(event: Event, old: Option<&Alias>, new: &Alias) -> Event {
    let event = event.list("owners", old.map_or(&[][..], |old| &old.owners), &new.owners).list(
        "members",
        old.into_iter().flat_map(Alias::members),
        new.members(),
    );
    let fields: [Field<Alias>; 4] = [
        ("description", |alias| alias.description.clone()),
        ("file", |alias| alias.file.clone().unwrap_or_default()),
        ("program", |alias| alias.program.clone().unwrap_or_default()),
        ("joinable", |alias| alias.joinable.to_string()),
    ];
    fields
        .into_iter()
        .fold(event, |event, (name, text)| event.field(name, old.map(text).unwrap_or_default(), text(new)))
}
