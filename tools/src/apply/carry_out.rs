//! One change, rehearsed or made.

use directory::{
    Address, Alias, Credentials, Directory, DomainName, Error, Forwarding, Revision, Secret, Service, User, UserId,
    generate_password,
};
use mailstore::Store;

use crate::{CommandError, accounts};

/// A change, and where in the file it comes from.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) at: usize,
    /// What it is, for people: `+`, `-` or `~`, and what changes.
    pub(super) line: String,
    pub(super) action: Action,
}

/// What is changed.
#[derive(Debug)]
pub(super) enum Action {
    CreateDomain(DomainName, String),
    DescribeDomain(DomainName, String, Revision),
    CreateUser(Box<User>, Option<Secret>),
    UpdateUser(Box<User>),
    /// Comes after the aliases: it may lead to one.
    Forward(UserId, Option<Box<Forwarding>>),
    Enable(UserId, bool),
    CreateAlias(Box<Alias>),
    UpdateAlias(Box<Alias>),
    DeleteAlias(Address),
    DeleteUser(UserId),
    DeleteDomain(DomainName),
}

impl Step {
    /// Makes the change in the rehearsal: by the rules, without a mailbox.
    pub(super) fn rehearse<D: Directory>(&self, service: &Service<'_, D>) -> Result<(), Error> {
        match &self.action {
            Action::CreateUser(user, hash) => {
                service.create_user(user, &Secret::new(b"rehearsed".to_vec()))?;
                hash.iter().try_for_each(|hash| service.set_password_hash(&user.uid, hash))?;
                service.activate_user(&user.uid)
            }
            Action::UpdateUser(user) => service.update_user(user).map(drop),
            Action::Forward(uid, forwarding) => service.update_user(&forwarded(service, uid, forwarding)?).map(drop),
            Action::DeleteUser(uid) => {
                service.begin_user_deletion(uid, None)?;
                service.finish_user_deletion(uid)
            }
            Action::DeleteDomain(name) => {
                service.begin_domain_deletion(std::slice::from_ref(name), false)?;
                service.finish_domain_deletion(name)
            }
            _ => self.in_directory(service),
        }
    }

    /// Makes the change.
    pub(super) fn carry_out<D: Directory + ?Sized>(
        &self,
        store: &Store,
        service: &Service<'_, D>,
    ) -> Result<(), CommandError> {
        match &self.action {
            // In one change with the user: after a crash in between, nobody would give the hash again.
            Action::CreateUser(user, Some(hash)) => {
                let made = (User::clone(user), Credentials::from_hash(hash)?);
                accounts::create_users(store, service, &[made])
            }
            // Nobody knows the password: it is set by hand.
            Action::CreateUser(user, None) => {
                accounts::create_user(store, service, user, &generate_password()?).map(drop)
            }
            Action::UpdateUser(user) => accounts::update_user(store, service, user).map(drop),
            Action::Forward(uid, forwarding) => {
                accounts::update_user(store, service, &forwarded(service, uid, forwarding)?).map(drop)
            }
            Action::DeleteUser(uid) => accounts::delete_user(store, service, uid, None),
            Action::DeleteDomain(name) => {
                accounts::delete_domains(store, service, std::slice::from_ref(name), false, &mut |_| {})
            }
            _ => Ok(self.in_directory(service)?),
        }
    }

    /// What is a matter of the directory alone.
    fn in_directory<D: Directory + ?Sized>(&self, service: &Service<'_, D>) -> Result<(), Error> {
        match &self.action {
            Action::CreateDomain(name, description) => service.create_domain(name, description).map(drop),
            Action::DescribeDomain(name, description, revision) => {
                service.describe_domain(name, description, Some(*revision)).map(drop)
            }
            Action::Enable(uid, enabled) => service.set_user_enabled(uid, *enabled, None),
            Action::CreateAlias(alias) => service.create_alias(alias).map(drop),
            Action::UpdateAlias(alias) => service.update_alias(alias).map(drop),
            Action::DeleteAlias(address) => match service.delete_alias(address, None) {
                // It went with one before it.
                Err(Error::NoAlias(_)) => Ok(()),
                done => done,
            },
            Action::CreateUser(..)
            | Action::UpdateUser(_)
            | Action::Forward(..)
            | Action::DeleteUser(_)
            | Action::DeleteDomain(_) => Ok(()),
        }
    }

    /// Whose sessions end with it.
    pub(super) fn unwelcome(&self) -> Option<UserId> {
        match &self.action {
            Action::DeleteUser(uid) | Action::Enable(uid, false) => Some(uid.clone()),
            _ => None,
        }
    }
}

/// A user as he is now, but for where his mail goes.
fn forwarded<D: Directory + ?Sized>(
    service: &Service<'_, D>,
    uid: &UserId,
    forwarding: &Option<Box<Forwarding>>,
) -> Result<User, Error> {
    let now = service.user(uid)?.ok_or_else(|| Error::NoUser(uid.to_string()))?;
    let mut user = User::clone(&now);
    user.forwarding.clone_from(forwarding);
    Ok(user)
}
