//! What administrators and users do to a directory: one method for each thing, whatever asks for it and whatever keeps the
//! rows. Every rule is below this, none above.

mod aliases;
mod domains;
mod passwords;
mod users;

use std::collections::HashSet;

use crate::actor::Actor;
use crate::address::Address;
use crate::audit::{Entry, Event};
use crate::domain::DomainName;
use crate::error::Result;
use crate::privileges::{Privilege, Privileges};
use crate::revision::Revision;
use crate::rules::{self, together::Row};
use crate::view::{self, View};
use crate::{Directory, Plan};

/// A directory in the hands of somebody. Cheap to make: one for each request.
#[derive(Debug)]
pub struct Service<'a, D: ?Sized = dyn Directory> {
    directory: &'a D,
    actor: Actor,
    domain: Option<DomainName>,
}

impl<'a, D: Directory + ?Sized> Service<'a, D> {
    /// `directory` for `actor`: all that follows is done in that name, as far as it may do it.
    #[must_use]
    pub fn new(directory: &'a D, actor: Actor) -> Service<'a, D> {
        Service { directory, actor, domain: None }
    }

    /// The same with a current domain: lists and searches without a domain are of it, names without a domain are in it
    /// (DOM-8).
    #[must_use]
    pub fn in_domain(mut self, domain: DomainName) -> Service<'a, D> {
        self.domain = Some(domain);
        self
    }

    /// The current domain: the one that was chosen, else the primary one.
    ///
    /// # Errors
    /// The directory's.
    pub fn current_domain(&self) -> Result<DomainName> {
        match &self.domain {
            Some(domain) => Ok(domain.clone()),
            None => self.look(view::primary),
        }
    }

    /// Who asks.
    #[must_use]
    pub fn actor(&self) -> &Actor {
        &self.actor
    }

    /// The directory itself, for logins and look-ups.
    #[must_use]
    pub fn directory(&self) -> &'a D {
        self.directory
    }

    /// What users may do, and what new ones get.
    ///
    /// # Errors
    /// The directory's.
    pub fn privileges(&self) -> Result<Privileges> {
        self.look(|view| view.privileges())
    }

    /// Replaces that record, if it is still the one that was read. Returns its new revision.
    ///
    /// # Errors
    /// [`Denied`](crate::Error::Denied), [`Conflict`](crate::Error::Conflict), [`Rule`](crate::Error::Rule), the directory's.
    pub fn set_privileges(&self, privileges: &Privileges) -> Result<Revision> {
        self.change(|view, actor| rules::privileges::set(view, actor, privileges))
    }

    /// Writes up to 10,000 rows in one change, all of them or none, each by the rules of its kind. Addresses that users among
    /// them give up others among them may take, in whatever order. New users may forward mail to addresses that are `coming`.
    /// Returns the revision that all of them have now.
    ///
    /// # Errors
    /// Those of the rows; the first that is refused.
    pub fn write_together(&self, rows: &[Row], coming: &HashSet<Address>) -> Result<Revision> {
        let around = self.directory.surroundings();
        self.change(|view, actor| rules::together::write(view, actor, around, rows, coming))
    }

    /// Refuses if the actor is a user who is not let.
    ///
    /// # Errors
    /// [`Denied`](crate::Error::Denied), or the directory's.
    pub fn require(&self, privilege: Privilege, action: &'static str) -> Result<()> {
        self.look(|view| rules::require_privilege(view, &self.actor, privilege, action))
    }

    /// All groups that somebody is in, with how many are in them.
    ///
    /// # Errors
    /// The directory's.
    pub fn groups(&self) -> Result<Vec<(String, usize)>> {
        self.look(|view| view.groups())
    }

    /// Writes into the audit log what was done to something that is not the directory's own. Whoever calls this has found
    /// out whether the actor may.
    ///
    /// # Errors
    /// The directory's.
    pub fn note(&self, event: Event) -> Result<()> {
        self.directory.note(&self.actor, &[event])
    }

    /// Entries of the audit log, the latest first ([`Directory::audited`]).
    ///
    /// # Errors
    /// [`Denied`](crate::Error::Denied), the directory's.
    pub fn audited(&self, before: Option<u64>, limit: usize) -> Result<Vec<Entry>> {
        rules::require_administrator(&self.actor, "read the audit log")?;
        self.directory.audited(before, limit)
    }

    /// A look at rows that do not change meanwhile.
    ///
    /// # Errors
    /// Those of `look`, or the directory's.
    pub fn look<T>(&self, look: impl FnOnce(&dyn View) -> Result<T>) -> Result<T> {
        crate::look(self.directory, look)
    }

    /// Plans and carries out.
    fn change(&self, plan: impl FnOnce(&dyn View, &Actor) -> Result<Plan>) -> Result<Revision> {
        let mut plan = Some(plan);
        self.directory.change(&self.actor, &mut |view| match plan.take() {
            Some(plan) => plan(view, &self.actor),
            None => Ok(Plan::default()),
        })
    }
}
