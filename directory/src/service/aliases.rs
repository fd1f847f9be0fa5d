//! Aliases: list, search, make, change, join, leave, delete.

use std::sync::Arc;

use super::Service;
use crate::address::Address;
use crate::alias::{Alias, Member};
use crate::error::{Error, Result};
use crate::query::{AliasQuery, Listing, Page};
use crate::revision::Revision;
use crate::rules::{self, member};
use crate::user::UserId;
use crate::{Directory, Domain};

impl<D: Directory + ?Sized> Service<'_, D> {
    /// An alias.
    ///
    /// # Errors
    /// The directory's.
    pub fn alias(&self, address: &Address) -> Result<Option<Arc<Alias>>> {
        self.look(|view| view.alias(address))
    }

    /// A page of aliases, of the current domain if one was chosen and the query names none.
    ///
    /// # Errors
    /// [`Rule`](Error::Rule) for a cursor that is none, or the directory's.
    pub fn aliases(&self, query: &AliasQuery, page: &Page) -> Result<Listing<Arc<Alias>>> {
        let domain = query.domain.clone().or_else(|| self.domain.clone());
        self.look(|view| view.aliases(&AliasQuery { domain, ..query.clone() }, page))
    }

    /// The address that a name means: itself, or a local part in the current domain.
    ///
    /// # Errors
    /// [`Rule`](Error::Rule), or the directory's.
    pub fn alias_address(&self, name: &str) -> Result<Address> {
        let found = if name.contains('@') { Address::parse(name) } else { Address::new(name, self.current_domain()?) };
        found.map_err(|error| error.of_field("alias"))
    }

    /// The members that are meant by a text: user IDs and aliases of the current domain, addresses, `group:NAME`, with commas
    /// or blanks between them.
    ///
    /// # Errors
    /// [`Rule`](Error::Rule) of the field `members`, or the directory's.
    pub fn parse_members(&self, text: &str) -> Result<Vec<Member>> {
        let current = self.current_domain()?;
        self.look(|view| member::parse_list(view, &current, text))
    }

    /// The user who is meant as an owner: a user ID of the current domain, or an address.
    ///
    /// # Errors
    /// [`Rule`](Error::Rule) of the field `owners`, or the directory's.
    pub fn parse_owner(&self, text: &str) -> Result<UserId> {
        let current = self.current_domain()?;
        self.look(|view| member::parse_owner(view, &current, text))
    }

    /// Makes an alias. A user who makes one owns it and is in it unless others are named. Returns it as it is now.
    ///
    /// # Errors
    /// [`Denied`](Error::Denied), [`Rule`](Error::Rule), [`Exists`](Error::Exists), [`NoDomain`](Error::NoDomain), the
    /// directory's.
    pub fn create_alias(&self, alias: &Alias) -> Result<Arc<Alias>> {
        let around = self.directory.surroundings();
        self.change(|view, actor| rules::alias::create(view, actor, around, alias))?;
        self.look(|view| rules::alias::require(view, &alias.address))
    }

    /// Makes up to 10,000 aliases at once, all of them or none, in one change. None is a member of another one of them: who has
    /// nested ones makes the inner ones first.
    ///
    /// # Errors
    /// As [`create_alias`](Service::create_alias); the first that is refused.
    pub fn create_aliases(&self, aliases: &[Alias]) -> Result<()> {
        let around = self.directory.surroundings();
        self.change(|view, actor| rules::alias::create_all(view, actor, around, aliases)).map(drop)
    }

    /// Stores a changed alias, if nobody else has changed it since the row was read. Returns it as it is now.
    ///
    /// # Errors
    /// [`Denied`](Error::Denied), [`NoAlias`](Error::NoAlias), [`Conflict`](Error::Conflict), [`Rule`](Error::Rule), the
    /// directory's.
    pub fn update_alias(&self, alias: &Alias) -> Result<Arc<Alias>> {
        let around = self.directory.surroundings();
        self.change(|view, actor| rules::alias::update(view, actor, around, alias))?;
        self.look(|view| rules::alias::require(view, &alias.address))
    }

    /// Adds and removes members, whatever they are by now; who is in it already, or not, does not matter. Users may do it to
    /// themselves on an open alias.
    ///
    /// # Errors
    /// As [`update_alias`](Service::update_alias), but for the conflict.
    pub fn change_members(&self, address: &Address, add: &[Member], remove: &[Member]) -> Result<()> {
        self.edit_alias(address, &|alias| {
            remove.iter().for_each(|member| {
                alias.remove(member);
            });
            add.iter().for_each(|member| {
                alias.add(member.clone());
            });
            Ok(())
        })
    }

    /// Adds and removes owners.
    ///
    /// # Errors
    /// As [`update_alias`](Service::update_alias), but for the conflict.
    pub fn change_owners(&self, address: &Address, add: &[UserId], remove: &[UserId]) -> Result<()> {
        self.edit_alias(address, &|alias| {
            alias.owners.retain(|owner| !remove.contains(owner));
            for owner in add {
                if !alias.owners.contains(owner) {
                    alias.owners.push(owner.clone());
                }
            }
            Ok(())
        })
    }

    /// The user who acts becomes a member.
    ///
    /// # Errors
    /// [`Denied`](Error::Denied), [`NoAlias`](Error::NoAlias), the directory's.
    pub fn join_alias(&self, address: &Address) -> Result<()> {
        self.change_members(address, &[self.own_membership()?], &[])
    }

    /// The user who acts is no member any more.
    ///
    /// # Errors
    /// [`Denied`](Error::Denied), [`NoAlias`](Error::NoAlias), [`Rule`](Error::Rule) for the last member, the directory's.
    pub fn leave_alias(&self, address: &Address) -> Result<()> {
        self.change_members(address, &[], &[self.own_membership()?])
    }

    /// Deletes an alias, and those that have no member left without it.
    ///
    /// # Errors
    /// [`Denied`](Error::Denied), [`NoAlias`](Error::NoAlias), [`Conflict`](Error::Conflict), [`Protected`](Error::Protected)
    /// for a postmaster, the directory's.
    pub fn delete_alias(&self, address: &Address, expected: Option<Revision>) -> Result<()> {
        self.change(|view, actor| rules::alias::delete(view, actor, address, expected)).map(drop)
    }

    /// The domain that an alias would be made in, if it is one of this server.
    ///
    /// # Errors
    /// [`NoDomain`](Error::NoDomain), [`Protected`](Error::Protected), the directory's.
    pub fn require_domain(&self, name: &crate::DomainName) -> Result<Arc<Domain>> {
        self.look(|view| rules::require_domain(view, name))
    }

    fn edit_alias(&self, address: &Address, edit: &dyn Fn(&mut Alias) -> Result<()>) -> Result<()> {
        let around = self.directory.surroundings();
        self.change(|view, actor| rules::alias::edit(view, actor, around, address, edit)).map(drop)
    }

    fn own_membership(&self) -> Result<Member> {
        let own = self.actor.uid().cloned().map(Member::User);
        own.ok_or_else(|| Error::Denied { action: "join or leave an alias", rule: "a user joins".into() })
    }
}
