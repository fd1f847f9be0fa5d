//! Rules of passwords and app passwords.

use crate::actor::{Actor, Who};
use crate::app_password::{AppPassword, MAX_APP_PASSWORDS, StoredApp};
use crate::audit::Event;
use crate::change::{Change, Plan};
use crate::credentials::Credentials;
use crate::error::{Error, Result};
use crate::privileges::Privilege;
use crate::rules::{require_administrator, require_privilege};
use crate::user::UserId;
use crate::view::View;

/// Replaces a user's own password; app passwords stay.
pub(crate) fn replace(view: &dyn View, actor: &Actor, uid: &UserId, new: Credentials) -> Result<Plan> {
    check_may(view, actor, uid)?;
    let apps = kept(view, uid)?.map(|old| old.apps).unwrap_or_default();
    let change = Change::Credentials(uid.clone(), Credentials { apps, ..new });
    Ok(Plan::default().with(change, Event::new("user.password", uid)))
}

/// Replaces all that is kept of a user's passwords, app passwords too: they come from another server.
pub(crate) fn take_over(view: &dyn View, actor: &Actor, uid: &UserId, new: Credentials) -> Result<Plan> {
    require_administrator(actor, "replace what is kept of a password")?;
    crate::rules::user::require(view, uid)?;
    Ok(Plan::default().with(Change::Credentials(uid.clone(), new), Event::new("user.password", uid)))
}

/// Adds an app password that was made.
pub(crate) fn add_app(view: &dyn View, actor: &Actor, uid: &UserId, made: StoredApp) -> Result<Plan> {
    check_may(view, actor, uid)?;
    let mut row = kept(view, uid)?.ok_or_else(|| Error::NoUser(uid.to_string()))?;
    let AppPassword { name, .. } = &made.app;
    if row.apps.iter().any(|known| known.app.name == *name) {
        return Err(Error::exists("name", name, format!("an app password of {uid}")));
    }
    if row.apps.len() >= MAX_APP_PASSWORDS {
        return Err(Error::rule("name", name, format!("a user has at most {MAX_APP_PASSWORDS} app passwords")));
    }
    if row.apps.iter().any(|known| known.selector == made.selector) {
        return Err(Error::Unavailable("another app password was made at the same time, try again".into()));
    }
    let event = Event::new("user.app-password.add", uid).field("name", "", name.as_str());
    row.apps.push(made);
    Ok(Plan::default().with(Change::Credentials(uid.clone(), row), event))
}

/// Takes an app password back, or all of a user's. Nothing happens if there is none of that name.
pub(crate) fn remove_apps(view: &dyn View, actor: &Actor, uid: &UserId, name: Option<&str>) -> Result<(Plan, usize)> {
    check_may(view, actor, uid)?;
    let mut row = kept(view, uid)?.ok_or_else(|| Error::NoUser(uid.to_string()))?;
    let (gone, left): (Vec<_>, Vec<_>) =
        row.apps.into_iter().partition(|known| name.is_none_or(|name| known.app.name == name));
    row.apps = left;
    if gone.is_empty() {
        return Ok((Plan::default(), 0));
    }
    let mut plan = Plan::default();
    for app in &gone {
        plan.events.push(Event::new("user.app-password.remove", uid).field("name", app.app.name.as_str(), ""));
    }
    plan.push(Change::Credentials(uid.clone(), row));
    Ok((plan, gone.len()))
}

/// Administrators may, and users for themselves if they are let.
pub(crate) fn check_may(view: &dyn View, actor: &Actor, uid: &UserId) -> Result<()> {
    const ACTION: &str = "change a password";
    match &actor.who {
        Who::User(own) if own != uid => require_administrator(actor, ACTION)?,
        Who::User(_) => require_privilege(view, actor, Privilege::PasswordChange, ACTION)?,
        Who::Server | Who::Operator(_) | Who::Administrator(_) => {}
    }
    crate::rules::user::require(view, uid).map(drop)
}

fn kept(view: &dyn View, uid: &UserId) -> Result<Option<Credentials>> {
    crate::rules::user::require(view, uid)?;
    view.credentials(uid)
}
