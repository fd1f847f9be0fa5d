//! Where mail for an address goes in the end: aliases flattened, forwardings followed, loops cut. The one place that knows;
//! LMTP, the MTA's look-ups and Sieve ask here.

use std::collections::{BTreeSet, VecDeque};

use crate::Resolution;
use crate::address::Address;
use crate::domain::DomainName;
use crate::error::{Error, Result};
use crate::remote::RemoteAddress;
use crate::user::{User, UserId, UserState};
use crate::view::{self, Owner, View};

/// Where mail for an address goes. Everything once, in a fixed order.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Expansion {
    /// Users whose INBOX gets it.
    pub users: Vec<UserId>,
    /// Users who were named, but take no mail for now.
    pub disabled: Vec<UserId>,
    /// Addresses elsewhere.
    pub remote: Vec<RemoteAddress>,
    /// Files it is appended to.
    pub files: Vec<String>,
    /// Programs it is piped into.
    pub programs: Vec<String>,
    /// What stood behind a `+` (RFC 5233): the same for all users, nothing to those elsewhere.
    pub detail: Option<String>,
    /// The alias that it came to, if it was one: its owners are who to write to about it.
    pub alias: Option<Address>,
}

impl Expansion {
    /// Whether nobody and nothing would get it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.users.is_empty() && self.remote.is_empty() && self.files.is_empty() && self.programs.is_empty()
    }
}

/// Where mail for `local` at `domain` goes; `None`: the address is nobody's. Without a domain, `local` is a user ID or a local
/// part of the primary domain. An address with a `+` in it is looked for as it is first.
///
/// # Errors
/// [`Error::Unavailable`] when the directory can't say, and while a mailbox that it leads to is being made: the mail waits.
pub fn expand(view: &dyn View, local: &str, domain: Option<&str>) -> Result<Option<Expansion>> {
    let (start, detail) = match find(view, local, domain)? {
        Some(start) => (start, None),
        None => match local.split_once('+') {
            Some((base, detail)) => match find(view, base, domain)? {
                Some(start) => (start, Some(detail).filter(|detail| !detail.is_empty()).map(str::to_owned)),
                None => return Ok(None),
            },
            None => return Ok(None),
        },
    };
    let mut walk = Walk { view, found: Expansion { detail, ..Expansion::default() }, ..Walk::new(view) };
    if let Target::Alias(address) = &start {
        walk.found.alias = Some(address.clone());
    }
    walk.waiting.push_back(start);
    walk.run()
}

/// The users whose INBOXes get mail for an address, as LMTP wants it: what a user forwards is the MTA's business, which has
/// done it by then. Mail that would reach nobody here waits until somebody looks; it was promised a reader.
///
/// # Errors
/// As [`expand`].
pub fn resolve(view: &dyn View, local: &str, domain: Option<&str>) -> Result<Resolution> {
    let Some(start) = find(view, local, domain)? else { return Ok(Resolution::Unknown) };
    let alias = match start {
        Target::User(user) => return recipient(view, &user),
        Target::Alias(address) => address,
    };
    let mut walk = Walk { forwards: false, ..Walk::new(view) };
    walk.waiting.push_back(Target::Alias(alias.clone()));
    let found = walk.run()?.unwrap_or_default();
    match (found.users.is_empty(), found.disabled.into_iter().next()) {
        (false, _) => {
            let mut users = found.users;
            users.sort();
            Ok(Resolution::Alias(users))
        }
        (true, Some(user)) => Ok(Resolution::Disabled(user)),
        (true, None) => Err(Error::Unavailable(format!("the alias {alias} reaches no user here"))),
    }
}

/// What a user's own address resolves to. A pending user's mail waits for the mailbox: bounced, it would be lost.
fn recipient(view: &dyn View, user: &UserId) -> Result<Resolution> {
    match view.user(user)?.map(|row| row.state) {
        Some(UserState::Active) => Ok(Resolution::User(user.clone())),
        Some(UserState::Disabled) => Ok(Resolution::Disabled(user.clone())),
        Some(UserState::Pending) => Err(pending(user)),
        Some(UserState::Deleting) | None => Ok(Resolution::Unknown),
    }
}

fn pending(user: &UserId) -> Error {
    Error::Unavailable(format!("the mailbox of {user} is being made"))
}

enum Target {
    User(UserId),
    Alias(Address),
}

fn find(view: &dyn View, local: &str, domain: Option<&str>) -> Result<Option<Target>> {
    let domain = match domain {
        Some(domain) => match DomainName::parse(domain) {
            Ok(domain) => domain,
            Err(_) => return Ok(None),
        },
        None => {
            if let Ok(uid) = UserId::parse(local)
                && view.user(&uid)?.is_some()
            {
                return Ok(Some(Target::User(uid)));
            }
            view::primary(view)?
        }
    };
    at(view, local, &domain)
}

fn at(view: &dyn View, local: &str, domain: &DomainName) -> Result<Option<Target>> {
    let folded = local.to_lowercase();
    Ok(match view.owner(&folded, domain)? {
        Some(Owner::User(user)) => Some(Target::User(user)),
        // An alias has the address that was asked for, so it is one.
        Some(Owner::Alias) => Address::new(&folded, domain.clone()).ok().map(Target::Alias),
        None => None,
    })
}

/// From one target to the next, each once: a queue and not a recursion, since nothing bounds how deep aliases lead.
struct Walk<'a> {
    view: &'a dyn View,
    /// Whether forwardings are followed.
    forwards: bool,
    waiting: VecDeque<Target>,
    users: BTreeSet<UserId>,
    aliases: BTreeSet<Address>,
    /// Users whose mail goes elsewhere only; where that leads nowhere they get it after all.
    sent_on: Vec<UserId>,
    found: Expansion,
}

impl<'a> Walk<'a> {
    fn new(view: &'a dyn View) -> Walk<'a> {
        Walk {
            view,
            forwards: true,
            waiting: VecDeque::new(),
            users: BTreeSet::new(),
            aliases: BTreeSet::new(),
            sent_on: Vec::new(),
            found: Expansion::default(),
        }
    }

    fn run(mut self) -> Result<Option<Expansion>> {
        while let Some(target) = self.waiting.pop_front() {
            match target {
                Target::User(user) => self.user(&user)?,
                Target::Alias(address) => self.alias(&address)?,
            }
        }
        // A circle of forwardings, or addresses that are gone: mail is never sent to nobody.
        if self.found.is_empty() {
            self.found.users.append(&mut self.sent_on);
        }
        let unknown = self.found.is_empty() && self.found.disabled.is_empty() && self.found.alias.is_none();
        Ok((!unknown).then_some(self.found))
    }

    fn user(&mut self, uid: &UserId) -> Result<()> {
        if !self.users.insert(uid.clone()) {
            return Ok(());
        }
        let Some(row) = self.view.user(uid)? else { return Ok(()) };
        match row.state {
            UserState::Active if self.forwards => self.forward(&row),
            UserState::Active => {
                self.found.users.push(uid.clone());
                Ok(())
            }
            UserState::Disabled => {
                self.found.disabled.push(uid.clone());
                Ok(())
            }
            UserState::Pending => Err(pending(uid)),
            UserState::Deleting => Ok(()),
        }
    }

    fn forward(&mut self, row: &User) -> Result<()> {
        let Some(forwarding) = &row.forwarding else {
            self.found.users.push(row.uid.clone());
            return Ok(());
        };
        match forwarding.keep_copy {
            true => self.found.users.push(row.uid.clone()),
            false => self.sent_on.push(row.uid.clone()),
        }
        forwarding.to.iter().try_for_each(|to| self.remote(to))
    }

    /// An address that may be one of this server's, by now or again.
    fn remote(&mut self, address: &RemoteAddress) -> Result<()> {
        if self.view.domain(address.domain())?.is_none() {
            if !self.found.remote.contains(address) {
                self.found.remote.push(address.clone());
            }
            return Ok(());
        }
        self.waiting.extend(at(self.view, address.local(), address.domain())?);
        Ok(())
    }

    fn alias(&mut self, address: &Address) -> Result<()> {
        if !self.aliases.insert(address.clone()) {
            return Ok(());
        }
        let Some(alias) = self.view.alias(address)? else { return Ok(()) };
        self.waiting.extend(alias.users.iter().cloned().map(Target::User));
        self.waiting.extend(alias.aliases.iter().cloned().map(Target::Alias));
        for group in &alias.groups {
            self.waiting.extend(self.view.group(group)?.into_iter().map(Target::User));
        }
        for address in &alias.remote {
            self.remote(address)?;
        }
        self.found.files.extend(alias.file.clone());
        self.found.programs.extend(alias.program.clone());
        Ok(())
    }
}
