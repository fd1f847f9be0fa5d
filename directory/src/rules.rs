//! The rules: what may be changed, by whom, and what follows from it. Each is a function from what is there ([`View`]) to what
//! is to be done ([`Plan`]), or to an error that names field, value and rule. Commands, the REST interface and pages come
//! here through [`Service`](crate::Service), whatever keeps the rows.

pub(crate) mod alias;
pub(crate) mod cascade;
mod describe;
pub(crate) mod domain;
pub(crate) mod member;
pub(crate) mod password;
pub(crate) mod privileges;
pub(crate) mod rename;
pub(crate) mod together;
pub(crate) mod user;

use crate::actor::Actor;
use crate::address::Address;
use crate::domain::{Domain, DomainName};
use crate::error::{Error, Result};
use crate::privileges::Privilege;
use crate::user::UserId;
use crate::view::{Owner, View};

/// Refuses everybody who does not administer the server.
///
/// # Errors
/// [`Error::Denied`].
pub(crate) fn require_administrator(actor: &Actor, action: &'static str) -> Result<()> {
    if actor.is_administrator() {
        return Ok(());
    }
    Err(Error::Denied { action, rule: "only administrators may do that".into() })
}

/// Refuses a user while a switch is off.
///
/// # Errors
/// [`Error::Denied`], or the directory's.
pub(crate) fn require_privilege(
    view: &dyn View,
    actor: &Actor,
    privilege: Privilege,
    action: &'static str,
) -> Result<()> {
    if actor.is_administrator() || view.privileges()?.allow(privilege) {
        return Ok(());
    }
    Err(Error::Denied { action, rule: format!("administrators have switched {} off", privilege.name()).into() })
}

/// A domain in which something can be made.
///
/// # Errors
/// [`Error::NoDomain`]; [`Error::Protected`] while it is being deleted; the directory's.
pub(crate) fn require_domain(view: &dyn View, name: &DomainName) -> Result<std::sync::Arc<Domain>> {
    let domain = view.domain(name)?.ok_or_else(|| Error::NoDomain(name.to_string()))?;
    if domain.deleting {
        return Err(Error::protected("domain", name, "it is being deleted"));
    }
    Ok(domain)
}

/// One namespace for all addresses of the server, whoever owns them; `user` may have it already.
///
/// # Errors
/// [`Error::Exists`], or the directory's.
pub(crate) fn require_free(
    view: &dyn View,
    field: &'static str,
    address: &Address,
    user: Option<&UserId>,
) -> Result<()> {
    match view.owner(address.local(), address.domain())? {
        None => Ok(()),
        Some(Owner::User(owner)) if Some(&owner) == user => Ok(()),
        Some(Owner::User(owner)) => Err(Error::exists(field, address, format!("user {owner}"))),
        Some(Owner::Alias) => Err(Error::exists(field, address, format!("alias {address}"))),
    }
}

/// A field of a row as the audit log shows it: its name, and its text.
pub(crate) type Field<Row> = (&'static str, fn(&Row) -> String);

/// Texts of a list, for the audit log.
pub(crate) fn list<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    items.into_iter().map(|item| item.to_string()).collect::<Vec<_>>().join(" ")
}
