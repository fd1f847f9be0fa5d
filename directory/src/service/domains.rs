//! Domains: list, make, describe, rename, delete.

use std::sync::Arc;

use super::Service;
use crate::Directory;
use crate::domain::{Domain, DomainName};
use crate::error::Result;
use crate::revision::Revision;
use crate::rules;
use crate::user::UserId;
use crate::view::Counts;

impl<D: Directory + ?Sized> Service<'_, D> {
    /// All domains, sorted.
    ///
    /// # Errors
    /// The directory's.
    pub fn domains(&self) -> Result<Vec<Arc<Domain>>> {
        self.look(|view| view.domains())
    }

    /// A domain.
    ///
    /// # Errors
    /// The directory's.
    pub fn domain(&self, name: &DomainName) -> Result<Option<Arc<Domain>>> {
        self.look(|view| view.domain(name))
    }

    /// How many users and aliases a domain has, or the server.
    ///
    /// # Errors
    /// The directory's.
    pub fn counts(&self, name: Option<&DomainName>) -> Result<Counts> {
        self.look(|view| view.counts(name))
    }

    /// Makes a domain and its postmaster alias. Mail for it is accepted from now on; nothing else happens, in particular no
    /// MX record comes into being.
    ///
    /// # Errors
    /// [`Denied`](crate::Error::Denied), [`Rule`](crate::Error::Rule), [`Exists`](crate::Error::Exists), the directory's.
    pub fn create_domain(&self, name: &DomainName, description: &str) -> Result<Domain> {
        let mut domain = Domain::new(name.clone(), description);
        domain.revision = self.change(|view, actor| rules::domain::create(view, actor, &domain))?;
        Ok(domain)
    }

    /// Changes the description; refuses if the domain is not at `expected` any more, if that is given.
    ///
    /// # Errors
    /// [`Denied`](crate::Error::Denied), [`NoDomain`](crate::Error::NoDomain), [`Rule`](crate::Error::Rule),
    /// [`Conflict`](crate::Error::Conflict), the directory's.
    pub fn describe_domain(
        &self,
        name: &DomainName,
        description: &str,
        expected: Option<Revision>,
    ) -> Result<Revision> {
        self.change(|view, actor| rules::domain::describe(view, actor, name, description, expected))
    }

    /// Renames a domain, the primary one too: the addresses of its users and aliases, and all that refers to them, have the
    /// new name from one moment to the next; a crash leaves all of it or nothing. Mailboxes stay what they are: they are
    /// called by user IDs.
    ///
    /// # Errors
    /// [`Denied`](crate::Error::Denied), [`NoDomain`](crate::Error::NoDomain), [`Rule`](crate::Error::Rule),
    /// [`Exists`](crate::Error::Exists), [`Protected`](crate::Error::Protected), the directory's.
    pub fn rename_domain(&self, from: &DomainName, to: &DomainName) -> Result<()> {
        self.rename_domain_at(from, to, None)
    }

    /// The same; refuses if the domain is not at `expected` any more, if that is given.
    ///
    /// # Errors
    /// Those of [`rename_domain`](Service::rename_domain), and [`Conflict`](crate::Error::Conflict).
    pub fn rename_domain_at(&self, from: &DomainName, to: &DomainName, expected: Option<Revision>) -> Result<()> {
        self.change(|view, actor| rules::domain::rename(view, actor, from, to, expected)).map(drop)
    }

    /// Begins to delete domains, all of them or none: from now on nothing can be made in them. Without `cascade` they must be
    /// empty but for `postmaster`. Returns the users who are to be deleted first, each
    /// [as always](Service::begin_user_deletion); then [`finish_domain_deletion`](Service::finish_domain_deletion) ends it.
    /// Doing it again after a crash is allowed.
    ///
    /// # Errors
    /// [`Denied`](crate::Error::Denied), [`NoDomain`](crate::Error::NoDomain), [`Protected`](crate::Error::Protected), the
    /// directory's.
    pub fn begin_domain_deletion(&self, names: &[DomainName], cascade: bool) -> Result<Vec<UserId>> {
        let domains: Vec<_> = names.iter().map(|name| (name.clone(), None)).collect();
        self.begin_domain_deletion_at(&domains, cascade)
    }

    /// The same; refuses, and marks none, if one is not at the revision given with it any more.
    ///
    /// # Errors
    /// Those of [`begin_domain_deletion`](Service::begin_domain_deletion), and [`Conflict`](crate::Error::Conflict).
    pub fn begin_domain_deletion_at(
        &self,
        domains: &[(DomainName, Option<Revision>)],
        cascade: bool,
    ) -> Result<Vec<UserId>> {
        self.change(|view, actor| rules::domain::begin_deletion(view, actor, domains, cascade))?;
        let mut users = Vec::new();
        for (name, _) in domains {
            users.append(&mut self.look(|view| rules::domain::users_of(view, name))?);
        }
        Ok(users)
    }

    /// Removes a domain that [is being deleted](Service::begin_domain_deletion) and has no users any more, with its aliases,
    /// and aliases elsewhere that are left empty by it.
    ///
    /// # Errors
    /// [`Denied`](crate::Error::Denied), [`NoDomain`](crate::Error::NoDomain), [`Protected`](crate::Error::Protected), the
    /// directory's.
    pub fn finish_domain_deletion(&self, name: &DomainName) -> Result<()> {
        self.change(|view, actor| rules::domain::remove(view, actor, name)).map(drop)
    }
}
