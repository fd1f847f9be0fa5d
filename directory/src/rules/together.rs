//! Many rows in one change, all of them or none: as many syncs as one row, and addresses may go from one to another.

use std::collections::HashSet;

use crate::actor::Actor;
use crate::address::Address;
use crate::alias::Alias;
use crate::change::Plan;
use crate::credentials::Credentials;
use crate::error::{Error, Result};
use crate::overlay::Overlay;
use crate::revision::Revision;
use crate::rules::user::MOST_AT_ONCE;
use crate::rules::{alias, password, user};
use crate::surroundings::Surroundings;
use crate::user::{User, UserId};
use crate::view::View;

/// A row that is written together with others.
#[derive(Clone, Debug)]
pub enum Row {
    /// A user who is made, as [`create_users`](crate::Service::create_users) does it.
    NewUser(User, Credentials),
    /// A user who is there, if nobody else has changed him since the row was read.
    User(User),
    /// Replaces all that is kept of a user's passwords.
    Credentials(UserId, Credentials),
    /// An alias that is made.
    NewAlias(Alias),
    /// An alias that is there, if nobody else has changed it since the row was read.
    Alias(Alias),
}

/// Plans all of `rows`, each after those before it. What users among them give up is free for all of them, before it and
/// after it: two may change places. New users may forward mail to addresses that are `coming`.
pub(crate) fn write(
    view: &dyn View,
    actor: &Actor,
    around: &Surroundings,
    rows: &[Row],
    coming: &HashSet<Address>,
) -> Result<Plan> {
    if rows.len() > MOST_AT_ONCE {
        return Err(Error::rule("rows", rows.len().to_string(), "at most 10000 rows are changed at once"));
    }
    let mut overlay = Overlay::default();
    for row in rows {
        if let Row::User(new) = row
            && let Some(old) = view.user(&new.uid)?
        {
            let given_up = old.addresses().filter(|address| new.addresses().all(|kept| kept != *address));
            given_up.for_each(|address| overlay.release(address.clone()));
        }
    }
    let mut plan = Plan::default();
    let mut made = HashSet::new();
    for row in rows {
        let over = overlay.over(view);
        let one = match row {
            Row::NewUser(new, _) if !made.insert(&new.uid) => {
                return Err(Error::exists("uid", &new.uid, "another user of the same list"));
            }
            Row::NewUser(new, kept) => user::create_among(&over, actor, around, new, kept.clone(), coming)?,
            Row::User(new) => user::update(&over, actor, new)?,
            Row::Credentials(uid, kept) => password::take_over(&over, actor, uid, kept.clone())?,
            Row::NewAlias(new) => alias::create(&over, actor, around, new)?,
            Row::Alias(new) => alias::update(&over, actor, around, new)?,
        };
        // None of them has a revision yet; one that is there twice has changed meanwhile.
        overlay.take(view, one.changes.clone(), Revision(u64::MAX))?;
        plan.changes.extend(one.changes);
        plan.events.extend(one.events);
    }
    Ok(plan)
}
