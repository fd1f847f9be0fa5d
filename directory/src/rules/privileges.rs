//! Rules of the global record.

use crate::actor::Actor;
use crate::audit::Event;
use crate::change::{Change, Plan};
use crate::error::Result;
use crate::privileges::{Privilege, Privileges};
use crate::rules::{list, require_administrator};
use crate::view::View;

/// Replaces the record.
pub(crate) fn set(view: &dyn View, actor: &Actor, new: &Privileges) -> Result<Plan> {
    require_administrator(actor, "change privileges")?;
    let old = view.privileges()?;
    old.revision.require(Some(new.revision), "privileges", &"of users")?;
    new.check()?;
    let mut new = new.clone();
    new.junk_exceptions.sort_unstable();
    let mut event = Event::new("privileges.update", "")
        .field("default_quota_mib", quota(old.default_quota_mib), quota(new.default_quota_mib))
        .field("default_folders", list(&old.default_folders), list(&new.default_folders))
        .list(Privileges::JUNK_EXCEPTIONS, &old.junk_exceptions, &new.junk_exceptions);
    for privilege in Privilege::ALL {
        let say = |privileges: &Privileges| privileges.allow(privilege).to_string();
        event = event.field(privilege.name(), say(&old), say(&new));
    }
    Ok(Plan::default().with(Change::Privileges(new), event))
}

/// A quota as people write it.
pub(crate) fn quota(mib: Option<u64>) -> String {
    mib.map_or_else(|| "NONE".to_owned(), |mib| mib.to_string())
}
