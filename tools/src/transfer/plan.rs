//! From rows to changes, all of them rehearsed.

mod users;

use std::collections::{HashMap, HashSet};

use directory::{
    Address, Alias, Credentials, Directory, DomainName, Error, POSTMASTER, Privileges, Revision, Row, Service, User,
    UserId,
};
use mailstore::Store;

use super::exchange::Exchange;
use super::import::{ImportRequest, Summary};
use super::problem::{Problem, is_of_a_row};
use super::rows::{AliasRow, DomainRow, PrivilegesRow, Rows, UserRow};
use crate::apply::differences::between;
use crate::apply::rehearsal::Rehearsal;
use crate::nesting::nesting;
use crate::{CommandError, Console, Progress};

/// What is to be done, in this order.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) privileges: Option<Privileges>,
    pub(super) domains: Vec<Domain>,
    /// New users.
    pub(super) users: Vec<(User, Credentials)>,
    /// Addresses that somebody will have when all is done.
    pub(super) coming: HashSet<Address>,
    /// New aliases; none names another one of its level.
    pub(super) aliases: Vec<Vec<Alias>>,
    pub(super) changes: Vec<Change>,
    /// Rows that are as they should be.
    pub(super) equal: usize,
}

/// A domain that is made, or described otherwise.
#[derive(Debug)]
pub(super) enum Domain {
    Create(DomainName, String),
    Describe(DomainName, String, Revision),
}

/// A change of a row that is there.
#[derive(Debug)]
pub(super) struct Change {
    line: usize,
    /// What it is, for people.
    text: String,
    pub(super) action: Action,
}

#[derive(Debug)]
pub(super) enum Action {
    User(Box<Replaced>),
    /// The row is as it should be, but the quota in the store is not: a crash came between.
    Quota(UserId),
    Credentials(UserId, Credentials),
    Alias(Box<Alias>),
    /// The one that has come with its domain, whatever revision it has by then.
    Postmaster(Box<Alias>),
}

/// A user who is there, before and after.
#[derive(Debug)]
pub(super) struct Replaced {
    pub(super) now: User,
    pub(super) wanted: User,
}

impl Replaced {
    /// The addresses that the user has no more.
    pub(super) fn given_up(&self) -> impl Iterator<Item = &Address> {
        self.now.addresses().filter(|address| self.wanted.addresses().all(|kept| kept != *address))
    }
}

impl Plan {
    pub(super) fn summary(&self) -> Summary {
        let domains = self.domains.iter().filter(|domain| matches!(domain, Domain::Create(..))).count();
        let described = self.domains.len() - domains;
        Summary {
            made: [domains, self.users.len(), self.aliases.iter().map(Vec::len).sum()],
            changed: described + self.changes.len() + usize::from(self.privileges.is_some()),
            equal: self.equal,
            wrong: 0,
        }
    }

    /// What is to be done, for people: `+` made, `~` changed.
    pub(super) fn lines(&self) -> impl Iterator<Item = String> {
        let privileges = self.privileges.iter().map(|_| "~ privileges".to_owned());
        let domains = self.domains.iter().map(|domain| match domain {
            Domain::Create(name, _) => format!("+ domain {name}"),
            Domain::Describe(name, text, _) => format!("~ domain {name}: description {text:?}"),
        });
        let users = self.users.iter().map(|(user, _)| format!("+ user {}: {}", user.uid, user.mail));
        let aliases = self.aliases.iter().flatten().map(|alias| format!("+ alias {}", alias.address));
        privileges
            .chain(domains)
            .chain(users)
            .chain(aliases)
            .chain(self.changes.iter().map(|change| change.text.clone()))
    }
}

impl Action {
    /// What is written for it; nothing for what is in the store alone.
    ///
    /// # Errors
    /// The directory's; [`Error::Conflict`] when somebody has touched a postmaster who came with its domain.
    pub(super) fn row<D: Directory + ?Sized>(&self, service: &Service<'_, D>) -> Result<Option<Row>, Error> {
        Ok(Some(match self {
            Action::User(user) => Row::User(user.wanted.clone()),
            Action::Quota(_) => return Ok(None),
            Action::Credentials(uid, credentials) => Row::Credentials(uid.clone(), credentials.clone()),
            Action::Alias(alias) => Row::Alias(Alias::clone(alias)),
            Action::Postmaster(wanted) => {
                let now = service.alias(&wanted.address)?.filter(|now| is_new_postmaster(now).unwrap_or_default());
                let somebody_was_first = || Error::Conflict { kind: "alias", name: wanted.address.to_string() };
                let mut wanted = Alias::clone(wanted);
                wanted.revision = now.ok_or_else(somebody_was_first)?.revision;
                Row::Alias(wanted)
            }
        }))
    }

    fn rehearse<D: Directory + ?Sized>(&self, service: &Service<'_, D>) -> Result<(), Error> {
        let row = self.row(service)?;
        service.write_together(row.as_slice(), &HashSet::new()).map(drop)
    }
}

/// Rehearses all rows but those of `left_out` lines; and what is wrong.
///
/// # Errors
/// The directory's, when it can't be asked; the console's.
pub(super) fn rehearse(
    store: &Store,
    directory: &dyn Directory,
    rows: &Rows,
    left_out: &HashSet<usize>,
    request: &ImportRequest,
    console: &mut dyn Console,
) -> Result<(Plan, Vec<Problem>), CommandError> {
    let rehearsal = Rehearsal::new(directory)?;
    if request.replace {
        release(directory, rows, left_out, &rehearsal)?;
    }
    let service = Service::new(&rehearsal, request.actor.clone());
    let plan = Plan { coming: coming(rows, left_out), ..Plan::default() };
    let mut planner = Planner { store, directory, service, request, plan, problems: Vec::new(), default_quota: None };
    let is_in = |line: usize| !left_out.contains(&line);
    if let Some(row) = rows.privileges.iter().find(|row| is_in(row.line)) {
        planner.privileges(row)?;
    }
    planner.default_quota = planner.service.privileges()?.default_quota_mib;
    rows.domains.iter().filter(|row| is_in(row.line)).try_for_each(|row| planner.domain(row))?;
    let total = (rows.users.len() + rows.aliases.len()) as u64;
    for (done, row) in (1..).zip(&rows.users) {
        if is_in(row.line) {
            planner.user(row)?;
        }
        console.progress(&Progress { what: format!("checked {}", row.uid), done, total: Some(total) })?;
    }
    planner.aliases(rows.aliases.iter().filter(|row| is_in(row.line)))?;
    planner.rehearse_changes()?;
    planner.exchanges();
    rows.users.iter().filter(|row| is_in(row.line)).try_for_each(|row| planner.forwarding(row))?;
    Ok((planner.plan, planner.problems))
}

/// Addresses that rows take away from users who are there are free for all other rows.
fn release(
    directory: &dyn Directory,
    rows: &Rows,
    left_out: &HashSet<usize>,
    rehearsal: &Rehearsal<'_>,
) -> Result<(), Error> {
    let says_addresses = |row: &&UserRow| row.said.mail.is_some() || row.said.alternates.is_some();
    for row in rows.users.iter().filter(says_addresses).filter(|row| !left_out.contains(&row.line)) {
        let Some(now) = directory.user(&row.uid)?.filter(users::is_there) else { continue };
        let wanted = row.over(now.clone());
        Replaced { now, wanted }.given_up().for_each(|address| rehearsal.release(address.clone()));
    }
    Ok(())
}

/// All addresses that rows name as their own.
fn coming(rows: &Rows, left_out: &HashSet<usize>) -> HashSet<Address> {
    let users = rows.users.iter().filter(|row| !left_out.contains(&row.line));
    let aliases = rows.aliases.iter().filter(|row| !left_out.contains(&row.line));
    users.flat_map(|row| row.addresses()).chain(aliases.map(|row| &row.address)).cloned().collect()
}

struct Planner<'r, 'd> {
    store: &'r Store,
    /// The directory as it is.
    directory: &'d dyn Directory,
    /// The directory as it is after the changes so far.
    service: Service<'r, Rehearsal<'d>>,
    request: &'r ImportRequest,
    plan: Plan,
    problems: Vec<Problem>,
    default_quota: Option<u64>,
}

impl Planner<'_, '_> {
    /// Notes what a rule says; a directory that can't answer ends it all.
    fn note(&mut self, line: usize, done: Result<(), Error>) -> Result<bool, Error> {
        match done {
            Ok(()) => Ok(true),
            Err(error) if is_of_a_row(&error) => {
                self.problems.push(Problem::of(line, &error));
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// Notes that a row is there and another one, unless it is to be replaced.
    fn may_replace(&mut self, line: usize, what: &str, differs: &str) -> bool {
        if !self.request.replace {
            let rule = format!("{what} is there, and other: {differs}; --replace makes it what the file says");
            self.problems.push(Problem::new(line, "", rule));
        }
        self.request.replace
    }

    fn privileges(&mut self, row: &PrivilegesRow) -> Result<(), Error> {
        let now = self.service.privileges()?;
        let wanted = row.over(now.clone());
        if wanted == now {
            self.plan.equal += 1;
            return Ok(());
        }
        // Nobody has chosen what a server starts with.
        let mut first = Privileges::default();
        first.revision = now.revision;
        if now == first || self.may_replace(row.line, "the record of privileges", &between(&now, &wanted)) {
            let done = self.service.set_privileges(&wanted).map(drop);
            if self.note(row.line, done)? {
                self.plan.privileges = Some(wanted);
            }
        }
        Ok(())
    }

    fn domain(&mut self, row: &DomainRow) -> Result<(), Error> {
        let now = self.service.domain(&row.name)?;
        if row.primary && !self.request.keep_primary && !now.as_ref().is_some_and(|now| now.primary) {
            let own = self.service.domains()?.into_iter().find(|domain| domain.primary);
            let own = own.map(|domain| domain.name.to_string()).unwrap_or_default();
            let rule = format!(
                "the server's own domain is {own} here, and {name} in the file: `angarium domain rename {own} {name}` first, \
                 or --keep-primary",
                name = row.name
            );
            self.problems.push(Problem::new(row.line, "primary", rule));
            return Ok(());
        }
        let (name, wanted) = (row.name.clone(), row.description.clone());
        let domain = match (now, wanted) {
            (None, wanted) => Domain::Create(name, wanted.unwrap_or_default()),
            (Some(now), Some(wanted)) if now.description != wanted => {
                let differs = format!("description {:?} -> {wanted:?}", now.description);
                // Nobody has described what the first start made.
                let is_first = now.primary && now.description.is_empty();
                if !is_first && !self.may_replace(row.line, &format!("the domain {name}"), &differs) {
                    return Ok(());
                }
                Domain::Describe(name, wanted, now.revision)
            }
            _ => {
                self.plan.equal += 1;
                return Ok(());
            }
        };
        let done = match &domain {
            Domain::Create(name, text) => self.service.create_domain(name, text).map(drop),
            Domain::Describe(name, text, revision) => {
                self.service.describe_domain(name, text, Some(*revision)).map(drop)
            }
        };
        if self.note(row.line, done)? {
            self.plan.domains.push(domain);
        }
        Ok(())
    }

    fn aliases<'a>(&mut self, rows: impl Iterator<Item = &'a AliasRow>) -> Result<(), Error> {
        let mut new: Vec<&AliasRow> = Vec::new();
        for row in rows {
            match self.service.alias(&row.address)? {
                Some(now) => self.old_alias(row, &now)?,
                None => new.push(row),
            }
        }
        let positions: HashMap<&Address, usize> = new.iter().enumerate().map(|(at, row)| (&row.address, at)).collect();
        let named: Vec<Vec<usize>> = new
            .iter()
            .map(|row| row.aliases.iter().flatten().filter_map(|inner| positions.get(inner).copied()).collect())
            .collect();
        let order = nesting(&named);
        for at in order.round {
            let rule = "it would be a member of itself, by way of others in this file";
            self.problems.push(Problem::new(new[at].line, "aliases", format!("{}: {rule}", new[at].address)));
        }
        for level in order.levels {
            let mut made = Vec::with_capacity(level.len());
            for row in level.into_iter().map(|at| new[at]) {
                let alias = row.over(Alias::new(row.address.clone()));
                let done = self.service.create_alias(&alias).map(drop);
                if self.note(row.line, done)? {
                    made.push(alias);
                }
            }
            self.plan.aliases.push(made);
        }
        Ok(())
    }

    fn old_alias(&mut self, row: &AliasRow, now: &Alias) -> Result<(), Error> {
        let wanted = row.over(now.clone());
        if wanted == *now {
            self.plan.equal += 1;
            return Ok(());
        }
        let differs = between(now, &wanted);
        let is_new = is_new_postmaster(now)?;
        if is_new || self.may_replace(row.line, &format!("the alias {}", row.address), &differs) {
            let (text, wanted) = (format!("~ alias {}: {differs}", row.address), Box::new(wanted));
            let action = if is_new { Action::Postmaster(wanted) } else { Action::Alias(wanted) };
            self.plan.changes.push(Change { line: row.line, text, action });
        }
        Ok(())
    }

    /// Addresses whose way can't be gone in one change.
    fn exchanges(&mut self) {
        let lines: HashMap<&UserId, usize> = self
            .plan
            .changes
            .iter()
            .filter_map(|change| match &change.action {
                Action::User(user) => Some((&user.now.uid, change.line)),
                _ => None,
            })
            .collect();
        let exchange = Exchange::of(&self.plan);
        let rule =
            "some of the user's addresses go to an alias, and others come or go otherwise: import one, then the other";
        let entangled = exchange.entangled.iter().filter_map(|uid| lines.get(uid));
        self.problems.extend(entangled.map(|line| Problem::new(*line, "mail", rule)));
    }

    /// Rehearses changes of rows that are there. One may have to wait for another: what fails is tried again after the others,
    /// as long as any of them can be made.
    fn rehearse_changes(&mut self) -> Result<(), Error> {
        let (mut waiting, mut done) = (std::mem::take(&mut self.plan.changes), Vec::new());
        loop {
            let (before, mut failed) = (waiting.len(), Vec::new());
            for change in waiting {
                match change.action.rehearse(&self.service) {
                    Ok(()) => done.push(change),
                    Err(error) if is_of_a_row(&error) => failed.push((change, error)),
                    Err(error) => return Err(error),
                }
            }
            if failed.len() == before {
                self.problems.extend(failed.iter().map(|(change, error)| Problem::of(change.line, error)));
                self.plan.changes = done;
                return Ok(());
            }
            waiting = failed.into_iter().map(|(change, _)| change).collect();
        }
    }
}

/// Whether an alias is the postmaster that comes with its domain: nobody has touched it.
fn is_new_postmaster(alias: &Alias) -> Result<bool, Error> {
    if alias.address.local() != POSTMASTER {
        return Ok(false);
    }
    let mut first = directory::first_postmaster(alias.address.domain())?;
    first.revision = alias.revision;
    Ok(*alias == first)
}
