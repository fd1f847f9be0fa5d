//! From what a file says, and what there is, to the changes between them, in an order that works: domains, users, aliases (the
//! inner ones first), forwardings, which may lead to aliases, and deletions, aliases first.

use std::collections::{HashMap, HashSet};

use directory::{
    ADMIN, Address, Alias, AliasQuery, Directory, Error, Member, NewUser, Service, User, UserId, UserQuery, UserState,
    every,
};

use super::carry_out::{Action, Step};
use super::differences::{between, replace};
use super::document::{AliasEntry, Document, DomainEntry, UserEntry};
use super::rehearsal::Rehearsal;
use super::{ApplyRequest, Problem};
use crate::accounts::with_default_quota;
use crate::nesting::{Nesting, nesting};

/// The changes that make `directory` what `document` says, all of them rehearsed; or what is wrong.
///
/// # Errors
/// The directory's, when it can't be asked.
pub(super) fn plan(
    directory: &dyn Directory,
    document: &Document,
    request: &ApplyRequest,
) -> Result<Result<Vec<Step>, Vec<Problem>>, Error> {
    let rehearsal = Rehearsal::new(directory)?;
    let service = Service::new(&rehearsal, request.actor.clone());
    let mut planner = Planner { service, steps: Vec::new(), problems: Vec::new() };
    document.domains.iter().try_for_each(|entry| planner.domain(entry))?;
    let mut forwardings = Vec::new();
    for entry in &document.users {
        planner.user(entry, &mut forwardings)?;
    }
    planner.aliases(&document.aliases)?;
    for step in forwardings {
        planner.take(step)?;
    }
    if request.prune {
        planner.prune(document)?;
    }
    Ok(if planner.problems.is_empty() { Ok(planner.steps) } else { Err(planner.problems) })
}

struct Planner<'r, 'd> {
    /// The directory as it is after the steps so far.
    service: Service<'r, Rehearsal<'d>>,
    steps: Vec<Step>,
    problems: Vec<Problem>,
}

impl Planner<'_, '_> {
    /// Rehearses a change, and takes it up if the rules let it pass.
    fn take(&mut self, step: Step) -> Result<(), Error> {
        match step.rehearse(&self.service) {
            Ok(()) => self.steps.push(step),
            Err(error) => self.note(step.at, error)?,
        }
        Ok(())
    }

    /// Notes what a rule says; a directory that can't answer ends it all.
    fn note(&mut self, at: usize, error: Error) -> Result<(), Error> {
        if matches!(error, Error::Unavailable(_) | Error::Corrupt { .. }) {
            return Err(error);
        }
        self.problems.push(Problem::new(at, error));
        Ok(())
    }

    fn domain(&mut self, entry: &DomainEntry) -> Result<(), Error> {
        let (at, name) = (entry.at, entry.name.clone());
        let wanted = entry.description.clone();
        match (self.service.domain(&name)?, wanted) {
            (None, wanted) => {
                let line = format!("+ domain {name}");
                self.take(Step { at, line, action: Action::CreateDomain(name, wanted.unwrap_or_default()) })
            }
            (Some(now), Some(wanted)) if now.description != wanted => {
                let line = format!("~ domain {name}: description {:?} -> {wanted:?}", now.description);
                self.take(Step { at, line, action: Action::DescribeDomain(name, wanted, now.revision) })
            }
            _ => Ok(()),
        }
    }

    fn user(&mut self, entry: &UserEntry, forwardings: &mut Vec<Step>) -> Result<(), Error> {
        let (at, uid) = (entry.at, entry.uid.clone());
        // One whose mailbox is not there yet is made again.
        let now = self.service.user(&uid)?.filter(|user| user.state != UserState::Pending);
        let before = match &now {
            Some(now) => User::clone(now),
            None => self.new_user(entry)?,
        };
        let mut wanted = before.clone();
        entry.said.put_into(&mut wanted);
        // That comes when those are there whom mail goes to.
        wanted.forwarding.clone_from(&before.forwarding);
        let hash = entry.password_hash.clone().filter(|_| now.is_none());
        if now.is_none() {
            if entry.said.display_name.is_none() {
                let name = |name: &Option<String>| name.clone().unwrap_or_default();
                wanted.display_name = User::display_name_of(&name(&entry.said.given_name), &name(&entry.said.surname));
            }
            let line = format!("+ user {uid}: {}", wanted.mail);
            self.take(Step { at, line, action: Action::CreateUser(Box::new(wanted), hash) })?;
        } else {
            let changes = between(&before, &wanted);
            if !changes.is_empty() {
                let line = format!("~ user {uid}: {changes}");
                self.take(Step { at, line, action: Action::UpdateUser(Box::new(wanted)) })?;
            }
        }
        let is_enabled = now.as_ref().is_none_or(|now| now.state == UserState::Active);
        if let Some(enabled) = entry.enabled.filter(|enabled| *enabled != is_enabled) {
            let line = format!("~ user {uid}: {}", if enabled { "enabled" } else { "disabled" });
            self.take(Step { at, line, action: Action::Enable(uid.clone(), enabled) })?;
        }
        if let Some(forwarding) = &entry.said.forwarding {
            let wanted = forwarding.clone().map(Box::new);
            if wanted != before.forwarding {
                let to = wanted.iter().flat_map(|forwarding| &forwarding.to).map(ToString::to_string);
                let to: Vec<_> = to.collect();
                let copy =
                    if wanted.as_ref().is_some_and(|forwarding| forwarding.keep_copy) { " and here" } else { "" };
                let line = format!("~ user {uid}: mail is forwarded to {:?}{copy}", to.join(" "));
                forwardings.push(Step { at, line, action: Action::Forward(uid, wanted) });
            }
        }
        Ok(())
    }

    /// A user of whom nothing is said but the ID.
    fn new_user(&self, entry: &UserEntry) -> Result<User, Error> {
        let uid = entry.uid.clone();
        let mail = match &entry.said.mail {
            Some(mail) => mail.clone(),
            None => Address::new(uid.as_str(), self.service.current_domain()?)?,
        };
        let (given_name, surname) = (String::new(), String::new());
        let user = User::from(NewUser { admin: uid == UserId::admin(), uid, mail, given_name, surname });
        with_default_quota(&self.service, user).map_err(|error| match error {
            crate::CommandError::Directory(error) => error,
            other => Error::Unavailable(other.to_string()),
        })
    }

    /// Aliases: new ones so that those within others come first, then those that are there, shrinking ones first.
    fn aliases(&mut self, entries: &[AliasEntry]) -> Result<(), Error> {
        let (mut new, mut old) = (Vec::new(), Vec::new());
        for entry in entries {
            match self.service.alias(&entry.address)? {
                None => new.push(entry),
                Some(_) => old.push(entry),
            }
        }
        let mut named = Vec::new();
        for entry in &new {
            let members = entry.members.iter().flatten();
            named.push(members.map(|text| self.alias_named(text, entry)).collect::<Result<Vec<_>, _>>()?);
        }
        let (order, round) = inner_first(&new, &named);
        for entry in round {
            let rule = "it would be a member of itself, by way of others in this file";
            self.problems.push(Problem::new(entry.at, format!("members: {}: {rule}", entry.address)));
        }
        order.into_iter().try_for_each(|entry| self.new_alias(entry))?;
        let mut changed = Vec::new();
        for entry in old {
            changed.extend(self.changed_alias(entry)?);
        }
        changed.sort_by_key(|(grows, _)| *grows);
        changed.into_iter().try_for_each(|(_, step)| self.take(step))
    }

    /// The alias that a member may be: bare names are users first, as everywhere.
    fn alias_named(&self, text: &str, entry: &AliasEntry) -> Result<Option<Address>, Error> {
        let (text, domain) = (text.trim(), entry.address.domain());
        if text.contains('@') {
            return Ok(Address::parse(text).ok());
        }
        let user = UserId::parse(text).ok().map(|uid| self.service.user(&uid)).transpose()?.flatten();
        let is_user = user.is_some_and(|user| user.mail.domain() == domain);
        Ok(Address::new(text, domain.clone()).ok().filter(|_| !is_user))
    }

    fn new_alias(&mut self, entry: &AliasEntry) -> Result<(), Error> {
        let mut alias = Alias::new(entry.address.clone());
        if self.edit_alias(entry, &mut alias)? {
            let line = format!("+ alias {}", entry.address);
            self.take(Step { at: entry.at, line, action: Action::CreateAlias(Box::new(alias)) })?;
        }
        Ok(())
    }

    /// The change of an alias that is there, and whether there are more aliases in it then.
    fn changed_alias(&mut self, entry: &AliasEntry) -> Result<Option<(bool, Step)>, Error> {
        let Some(now) = self.service.alias(&entry.address)? else { return Ok(None) };
        let mut wanted = Alias::clone(&now);
        if !self.edit_alias(entry, &mut wanted)? || *now == wanted {
            return Ok(None);
        }
        let grows = wanted.aliases.iter().any(|alias| !now.aliases.contains(alias));
        let line = format!("~ alias {}: {}", entry.address, between(&*now, &wanted));
        Ok(Some((grows, Step { at: entry.at, line, action: Action::UpdateAlias(Box::new(wanted)) })))
    }

    /// Makes `alias` what the file says; `false` if somebody in it is not known, which is noted.
    fn edit_alias(&mut self, entry: &AliasEntry, alias: &mut Alias) -> Result<bool, Error> {
        let within = Service::new(self.service.directory(), self.service.actor().clone())
            .in_domain(entry.address.domain().clone());
        if let Some(text) = &entry.description {
            alias.description.clone_from(text);
        }
        alias.joinable = entry.joinable.unwrap_or(alias.joinable);
        for (field, wanted) in [(&mut alias.file, &entry.file), (&mut alias.program, &entry.program)] {
            if let Some(text) = wanted {
                *field = (!text.is_empty()).then(|| text.clone());
            }
        }
        let owners = entry.owners.iter().flatten().map(|text| within.parse_owner(text)).collect::<Result<Vec<_>, _>>();
        let members =
            entry.members.iter().flatten().map(|text| within.parse_members(text)).collect::<Result<Vec<_>, _>>();
        let (owners, members) = match (owners, members) {
            (Ok(owners), Ok(members)) => (owners, members.concat()),
            (Err(error), _) | (_, Err(error)) => {
                self.note(entry.at, error)?;
                return Ok(false);
            }
        };
        if entry.owners.is_some() {
            replace(&mut alias.owners, &owners);
        }
        if entry.members.is_some() {
            replace_members(alias, &members);
        }
        Ok(true)
    }

    /// What the file does not name goes, of the kinds that it names any of. What must stay stays.
    fn prune(&mut self, document: &Document) -> Result<(), Error> {
        // There is no place in the file for what is not in it.
        let at = 0;
        let mut gone = Vec::new();
        if !document.aliases.is_empty() {
            let named: HashSet<&Address> = document.aliases.iter().map(|entry| &entry.address).collect();
            for alias in every(|page| self.service.aliases(&AliasQuery::default(), page))? {
                if !alias.is_postmaster() && !named.contains(&alias.address) {
                    gone.push((format!("- alias {}", alias.address), Action::DeleteAlias(alias.address.clone())));
                }
            }
        }
        if !document.users.is_empty() {
            let named: HashSet<&UserId> = document.users.iter().map(|entry| &entry.uid).collect();
            for user in every(|page| self.service.users(&UserQuery::default(), page))? {
                if user.uid.as_str() != ADMIN && !named.contains(&user.uid) {
                    gone.push((format!("- user {}: {}", user.uid, user.mail), Action::DeleteUser(user.uid.clone())));
                }
            }
        }
        if !document.domains.is_empty() {
            let named: HashSet<_> = document.domains.iter().map(|entry| &entry.name).collect();
            for domain in self.service.domains()? {
                if !domain.primary && !named.contains(&domain.name) {
                    gone.push((format!("- domain {}", domain.name), Action::DeleteDomain(domain.name.clone())));
                }
            }
        }
        gone.into_iter().try_for_each(|(line, action)| self.take(Step { at, line, action }))
    }
}

fn replace_members(alias: &mut Alias, wanted: &[Member]) {
    let now: Vec<Member> = alias.members().collect();
    let (before, after): (HashSet<_>, HashSet<_>) = (now.iter().collect(), wanted.iter().collect());
    for member in before.difference(&after) {
        alias.remove(member);
    }
    // In the order of the file, each once.
    for member in wanted.iter().filter(|member| !before.contains(member)) {
        alias.add(member.clone());
    }
}

/// New aliases, those within others first; and those that are in a round of each other.
/// `named` has for each the addresses that its members may be aliases of.
fn inner_first<'e>(
    entries: &[&'e AliasEntry],
    named: &[Vec<Option<Address>>],
) -> (Vec<&'e AliasEntry>, Vec<&'e AliasEntry>) {
    let positions: HashMap<&Address, usize> =
        entries.iter().enumerate().map(|(at, entry)| (&entry.address, at)).collect();
    let positions_of =
        |named: &Vec<Option<Address>>| named.iter().flatten().filter_map(|name| positions.get(name).copied()).collect();
    let Nesting { levels, round } = nesting(&named.iter().map(positions_of).collect::<Vec<_>>());
    let entries_at = |positions: Vec<usize>| positions.into_iter().map(|at| entries[at]).collect();
    (entries_at(levels.concat()), entries_at(round))
}
