//! Rules of users.

use std::collections::HashSet;
use std::sync::Arc;

use crate::actor::{Actor, Who};
use crate::address::{self, Address};
use crate::audit::Event;
use crate::change::{Change, Plan};
use crate::credentials::Credentials;
use crate::error::{Error, Result};
use crate::forwarding::MAX_FORWARDS;
use crate::privileges::Privilege;
use crate::revision::Revision;
use crate::rules::cascade::Cascade;
use crate::rules::describe::describe;
use crate::rules::{require_administrator, require_domain, require_free, require_privilege};
use crate::surroundings::Surroundings;
use crate::user::{ADMIN, User, UserId, UserState};
use crate::view::{Named, View};

/// Makes a user who is pending until the mailbox is there, and then active, or disabled if that is what is asked for. One who
/// is pending already is made again: a crash came between.
pub(crate) fn create(
    view: &dyn View,
    actor: &Actor,
    around: &Surroundings,
    new: &User,
    credentials: Credentials,
) -> Result<Plan> {
    create_among(view, actor, around, new, credentials, &HashSet::new())
}

/// The same for one of many: `coming` are addresses that somebody will have when all is done.
pub(crate) fn create_among(
    view: &dyn View,
    actor: &Actor,
    around: &Surroundings,
    new: &User,
    credentials: Credentials,
    coming: &HashSet<Address>,
) -> Result<Plan> {
    require_administrator(actor, "make a user")?;
    let then_disabled = match new.state {
        UserState::Disabled => true,
        UserState::Pending => new.then_disabled,
        UserState::Active | UserState::Deleting => false,
    };
    let row = User { state: UserState::Pending, then_disabled, ..new.clone() };
    row.check(None)?;
    let row = row.tidied();
    if let Some(old) = view.user(&row.uid)?.filter(|old| old.state != UserState::Pending) {
        return Err(Error::exists("uid", &row.uid, taken_by(&old)));
    }
    if row.uid.as_str() != ADMIN {
        around.check_user(&row.uid)?;
    }
    check_own_addresses(view, &row, None)?;
    check_forwarding(view, &row, None, coming)?;
    let event = describe(Event::new("user.create", &row.uid), None, &row);
    let mut plan = Plan::default().with(Change::User(row.clone()), event);
    plan.push(Change::Credentials(row.uid, credentials));
    Ok(plan)
}

/// Makes several, all of them or none: many users are as many syncs otherwise. Mail may be forwarded to addresses that are
/// `coming`.
pub(crate) fn create_all(
    view: &dyn View,
    actor: &Actor,
    around: &Surroundings,
    new: &[(User, Credentials)],
    coming: &HashSet<Address>,
) -> Result<Plan> {
    if new.len() > MOST_AT_ONCE {
        return Err(Error::rule("users", new.len().to_string(), "at most 10000 users are made at once"));
    }
    let (mut plan, mut ids, mut addresses) = (Plan::default(), HashSet::new(), HashSet::new());
    for (user, credentials) in new {
        // None of them is there yet for the others.
        if !ids.insert(&user.uid) {
            return Err(Error::exists("uid", &user.uid, "another user of the same list"));
        }
        if let Some(twice) = user.addresses().find(|address| !addresses.insert(*address)) {
            return Err(Error::exists("mail", twice, "another user of the same list"));
        }
        let one = create_among(view, actor, around, user, credentials.clone(), coming)?;
        plan.changes.extend(one.changes);
        plan.events.extend(one.events);
    }
    Ok(plan)
}

/// Most users that are made in one change: some megabytes of a journal's line.
pub(crate) const MOST_AT_ONCE: usize = 10_000;

fn taken_by(user: &User) -> String {
    match user.state {
        UserState::Deleting => format!("user {}, who is being deleted", user.uid),
        _ => format!("user {}", user.uid),
    }
}

/// The mailbox is there.
pub(crate) fn activate(view: &dyn View, actor: &Actor, uid: &UserId) -> Result<Plan> {
    require_administrator(actor, "make a user")?;
    let old = require(view, uid)?;
    if old.state != UserState::Pending {
        return Ok(Plan::default());
    }
    let state = if old.then_disabled { UserState::Disabled } else { UserState::Active };
    let row = User { state, then_disabled: false, ..User::clone(&old) };
    Ok(Plan::default().with(Change::User(row), Event::new("user.activate", uid)))
}

/// The mailboxes of several are there.
pub(crate) fn activate_all(view: &dyn View, actor: &Actor, ids: &[UserId]) -> Result<Plan> {
    let mut plan = Plan::default();
    for uid in ids {
        let one = activate(view, actor, uid)?;
        plan.changes.extend(one.changes);
        plan.events.extend(one.events);
    }
    Ok(plan)
}

/// Stores a changed user. Users may change some of it of themselves.
pub(crate) fn update(view: &dyn View, actor: &Actor, new: &User) -> Result<Plan> {
    let old = require(view, &new.uid)?;
    old.revision.require(Some(new.revision), "user", &new.uid)?;
    if !actor.is_administrator() {
        check_own_edit(view, actor, &old, new)?;
    }
    let mut row = new.clone();
    row.state = match (old.state, new.state) {
        // Only the one who makes the mailbox, or removes it, can say that it is there or gone.
        (UserState::Pending, _) => UserState::Pending,
        (state, UserState::Pending | UserState::Deleting) | (_, state) => state,
    };
    // The display name goes with the names until somebody chooses one.
    let made = User::display_name_of(&old.given_name, &old.surname);
    if new.display_name == old.display_name && (old.display_name == made || old.display_name.is_empty()) {
        row.display_name = User::display_name_of(&new.given_name, &new.surname);
    }
    row.check(Some(&old))?;
    let row = row.tidied();
    check_own_addresses(view, &row, Some(&old))?;
    check_forwarding(view, &row, Some(&old), &HashSet::new())?;
    check_groups_left(view, &old, &row)?;
    let event = describe(Event::new("user.update", &row.uid), Some(&old), &row);
    if event.fields.is_empty() && row == *old {
        return Ok(Plan::default());
    }
    Ok(Plan::default().with(Change::User(row), event))
}

/// Lets a user log in and get mail, or not.
pub(crate) fn set_enabled(
    view: &dyn View,
    actor: &Actor,
    uid: &UserId,
    enabled: bool,
    expected: Option<Revision>,
) -> Result<Plan> {
    require_administrator(actor, "enable or disable a user")?;
    let old = require(view, uid)?;
    old.revision.require(expected, "user", uid)?;
    if old.state == UserState::Pending {
        return Err(Error::protected("state", uid, "the mailbox is not there yet: make the user again first"));
    }
    let state = if enabled { UserState::Active } else { UserState::Disabled };
    update(view, actor, &User { state, ..User::clone(&old) })
}

/// Sets what a user may store.
pub(crate) fn set_quota(view: &dyn View, actor: &Actor, uid: &UserId, mib: Option<u64>) -> Result<Plan> {
    require_administrator(actor, "set a quota")?;
    let old = require(view, uid)?;
    update(view, actor, &User { quota_limit_mib: mib, ..User::clone(&old) })
}

/// The user is on the way out: nobody can log in, mail is refused, no alias names him any more. What is left is the mailbox,
/// and a row that keeps user ID and addresses until it is gone.
pub(crate) fn begin_deletion(view: &dyn View, actor: &Actor, uid: &UserId, expected: Option<Revision>) -> Result<Plan> {
    require_administrator(actor, "delete a user")?;
    if uid.as_str() == ADMIN {
        return Err(Error::protected("uid", ADMIN, "the user admin can't be deleted"));
    }
    let old = view.user(uid)?.ok_or_else(|| Error::NoUser(uid.to_string()))?;
    if old.state == UserState::Deleting {
        return Ok(Plan::default());
    }
    old.revision.require(expected, "user", uid)?;
    let mut plan = Plan::default();
    let mut cascade = Cascade::new(view);
    cascade.without_user(&old)?;
    cascade.finish(&mut plan)?;
    let row = User {
        state: UserState::Deleting,
        groups: Vec::new(),
        forwarding: None,
        vacation: None,
        junk_filter: None,
        ..User::clone(&old)
    };
    Ok(plan.with(Change::User(row), Event::new("user.deletion.begin", uid)))
}

/// The mailbox is gone; so is the user now.
pub(crate) fn finish_deletion(view: &dyn View, actor: &Actor, uid: &UserId) -> Result<Plan> {
    require_administrator(actor, "delete a user")?;
    let old = view.user(uid)?.ok_or_else(|| Error::NoUser(uid.to_string()))?;
    if old.state != UserState::Deleting {
        return Err(Error::protected("uid", uid, "the user was not marked for deletion"));
    }
    Ok(Plan::default().with(Change::DeleteUser(uid.clone()), Event::new("user.delete", uid)))
}

/// A user who is there for those who change something; one on the way out is not.
///
/// # Errors
/// [`Error::NoUser`], or the directory's.
pub(crate) fn require(view: &dyn View, uid: &UserId) -> Result<Arc<User>> {
    let user = view.user(uid)?.filter(|user| user.state != UserState::Deleting);
    user.ok_or_else(|| Error::NoUser(uid.to_string()))
}

/// What users may change of themselves: what is not starred in the list of fields, as far as the switches say.
fn check_own_edit(view: &dyn View, actor: &Actor, old: &User, new: &User) -> Result<()> {
    const ACTION: &str = "change a user";
    if !matches!(&actor.who, Who::User(uid) if *uid == new.uid) {
        return require_administrator(actor, ACTION);
    }
    let starred = [
        ("mail", old.mail != new.mail),
        ("alternates", old.alternates != new.alternates),
        ("admin", old.admin != new.admin),
        ("groups", old.groups != new.groups),
        ("state", old.state != new.state),
        ("quota_limit_mib", old.quota_limit_mib != new.quota_limit_mib),
        ("other fields", old.unknown != new.unknown),
    ];
    if let Some((field, _)) = starred.iter().find(|(_, changed)| *changed) {
        let rule = format!("only administrators may change {field}");
        return Err(Error::Denied { action: ACTION, rule: rule.into() });
    }
    if old.forwarding != new.forwarding {
        require_privilege(view, actor, Privilege::Forwarding, "forward mail")?;
    }
    if old.vacation != new.vacation {
        require_privilege(view, actor, Privilege::Vacation, "set what is replied")?;
    }
    if old.junk_filter != new.junk_filter {
        require_privilege(view, actor, Privilege::JunkFilter, "set the junk filter")?;
    }
    let profile =
        |user: &User| (user.given_name.clone(), user.surname.clone(), user.display_name.clone(), user.contact.clone());
    if profile(old) != profile(new) {
        require_privilege(view, actor, Privilege::ProfileEdit, "change the own profile")?;
    }
    Ok(())
}

/// The domain is one of the server's, and the addresses are nobody else's.
fn check_own_addresses(view: &dyn View, row: &User, old: Option<&User>) -> Result<()> {
    let is_new = |address: &Address| old.is_none_or(|old| old.addresses().all(|known| known != address));
    if old.is_none_or(|old| old.mail.domain() != row.mail.domain()) {
        let domain = require_domain(view, row.mail.domain())?;
        if row.uid.as_str() == ADMIN && !domain.primary {
            return Err(Error::protected("mail", &row.mail, "the user admin lives in the server's own domain"));
        }
    }
    for (field, address) in row.addresses().enumerate().map(|(at, address)| (FIELDS[at.min(1)], address)) {
        require_free(view, field, address, Some(&row.uid))?;
        if is_new(address) {
            address::check_new(field, address)?;
        }
    }
    Ok(())
}

/// The field of the first address, and that of all others.
const FIELDS: [&str; 2] = ["mail", "alternates"];

/// Forwarding leads somewhere, and not to where it comes from.
fn check_forwarding(view: &dyn View, row: &User, old: Option<&User>, coming: &HashSet<Address>) -> Result<()> {
    let Some(forwarding) = row.forwarding.as_ref().filter(|now| old.is_none_or(|o| o.forwarding.as_ref() != Some(now)))
    else {
        return Ok(());
    };
    const FIELD: &str = "forwarding";
    if forwarding.to.is_empty() || forwarding.to.len() > MAX_FORWARDS {
        return Err(Error::rule(FIELD, "", "mail is forwarded to 1 to 10 addresses"));
    }
    for (position, to) in forwarding.to.iter().enumerate() {
        let wrong = |rule: &'static str| Err(Error::rule(FIELD, to.to_string(), rule));
        if forwarding.to[..position].contains(to) {
            return wrong("it is given twice");
        }
        if view.domain(to.domain())?.is_none() {
            continue;
        }
        let here = Address::new(to.local(), to.domain().clone()).map_err(|error| error.of_field(FIELD))?;
        if row.addresses().any(|own| *own == here) {
            return wrong("it is the user's own address: to keep a copy there is a switch");
        }
        if !coming.contains(&here) && view.owner(here.local(), here.domain())?.is_none() {
            return wrong("nobody has that address on this server");
        }
    }
    Ok(())
}

/// A group is there as long as somebody is in it; an alias that names it must not be left with nobody.
fn check_groups_left(view: &dyn View, old: &User, row: &User) -> Result<()> {
    for group in old.groups.iter().filter(|group| !row.groups.contains(group)) {
        if view.group(group)? != [row.uid.clone()] {
            continue;
        }
        if let Some(alias) = view.aliases_naming(Named::Group(group))?.first() {
            let rule = format!("{} is the last one in it, and the alias {} names it", row.uid, alias.address);
            return Err(Error::rule("groups", group, rule));
        }
    }
    Ok(())
}
