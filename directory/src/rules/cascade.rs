//! What follows when users and aliases go: they leave every alias, and an alias that is left without an owner or without a
//! member goes too, and leaves the aliases that it was in; until nothing changes any more (ALI-20, ALI-22).

use std::collections::{BTreeMap, BTreeSet};

use crate::address::Address;
use crate::alias::{Alias, Member};
use crate::audit::Event;
use crate::change::{Change, Plan};
use crate::error::Result;
use crate::user::{User, UserId};
use crate::view::{Named, View};

/// Aliases on their way to a fixed point.
pub(crate) struct Cascade<'a> {
    view: &'a dyn View,
    /// As they will be.
    touched: BTreeMap<Address, Alias>,
    gone: BTreeSet<Address>,
    /// Deleted, but those that name them do not know it yet.
    waiting: Vec<Address>,
    /// Deleted because somebody asked for it, or their domain goes: a postmaster among them goes too.
    asked: BTreeSet<Address>,
}

impl<'a> Cascade<'a> {
    pub(crate) fn new(view: &'a dyn View) -> Cascade<'a> {
        Cascade { view, touched: BTreeMap::new(), gone: BTreeSet::new(), waiting: Vec::new(), asked: BTreeSet::new() }
    }

    /// An alias goes.
    pub(crate) fn delete(&mut self, address: &Address) {
        self.asked.insert(address.clone());
        self.vanish(address.clone());
    }

    /// A user goes: as owner, as member, and as the last one of a group.
    pub(crate) fn without_user(&mut self, user: &User) -> Result<()> {
        for alias in self.view.aliases_naming(Named::User(&user.uid))? {
            self.edit(&alias, |alias| {
                alias.owners.retain(|owner| *owner != user.uid);
                alias.remove(&Member::User(user.uid.clone()));
            });
        }
        for group in &user.groups {
            if self.view.group(group)? == [user.uid.clone()] {
                for alias in self.view.aliases_naming(Named::Group(group))? {
                    self.edit(&alias, |alias| {
                        alias.remove(&Member::Group(group.clone()));
                    });
                }
            }
        }
        Ok(())
    }

    /// Follows what was deleted to the end, and returns the aliases that vanish without having been asked to.
    pub(crate) fn settle(&mut self) -> Result<Vec<Address>> {
        while let Some(address) = self.waiting.pop() {
            for parent in self.view.aliases_naming(Named::Alias(&address))? {
                self.edit(&parent, |parent| {
                    parent.remove(&Member::Alias(address.clone()));
                });
            }
        }
        Ok(self.gone.difference(&self.asked).cloned().collect())
    }

    /// The changes, with an entry for every alias that goes.
    pub(crate) fn finish(mut self, plan: &mut Plan) -> Result<()> {
        for address in self.settle()? {
            tracing::info!(event = "directory.alias.vanished", alias = %address,
                "the alias has no owner or no member left");
            plan.events.push(Event::new("alias.vanish", &address));
        }
        for (address, alias) in self.touched {
            if !self.gone.contains(&address) {
                plan.push(Change::Alias(alias));
            }
        }
        for address in self.gone {
            if self.asked.contains(&address) {
                plan.events.push(Event::new("alias.delete", &address));
            }
            plan.push(Change::DeleteAlias(address));
        }
        Ok(())
    }

    fn edit(&mut self, alias: &Alias, change: impl FnOnce(&mut Alias)) {
        if self.gone.contains(&alias.address) {
            return;
        }
        let row = self.touched.entry(alias.address.clone()).or_insert_with(|| alias.clone());
        change(row);
        if !row.is_orphaned() {
            return;
        }
        if row.is_postmaster() {
            // A domain can't be without one: it falls to the administrator.
            if row.owners.is_empty() {
                row.owners = vec![UserId::admin()];
            }
            if row.has_no_members() {
                row.users = vec![UserId::admin()];
            }
            return;
        }
        let address = row.address.clone();
        self.vanish(address);
    }

    fn vanish(&mut self, address: Address) {
        if self.gone.insert(address.clone()) {
            self.waiting.push(address);
        }
    }
}
