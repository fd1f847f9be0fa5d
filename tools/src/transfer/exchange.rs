//! Addresses that go from one row of a file to another. Who gives one up and who gets it are written in one change, so that
//! mail for it always finds somebody, and two users may change places.

use std::collections::{HashMap, HashSet};

use directory::{Address, Alias, Credentials, Row, User, UserId};

use super::plan::{Action, Plan, Replaced};

/// Who gives an address to whom.
#[derive(Debug, Default)]
pub(super) struct Exchange<'p> {
    /// Users who give each other addresses, or take them, in groups; each group is one change.
    pub(super) groups: Vec<Vec<Party<'p>>>,
    /// Who gives something to these new aliases, and nothing to anybody else.
    pub(super) to_aliases: HashMap<&'p Address, &'p Replaced>,
    /// Users whose addresses go several ways, which are not one change.
    pub(super) entangled: Vec<&'p UserId>,
}

/// Somebody in a group.
#[derive(Debug, Clone, Copy)]
pub(super) enum Party<'p> {
    New(&'p (User, Credentials)),
    There(&'p Replaced),
}

impl<'p> Party<'p> {
    fn uid(&self) -> &'p UserId {
        match self {
            Party::New((user, _)) => &user.uid,
            Party::There(user) => &user.now.uid,
        }
    }

    fn wanted(&self) -> &'p User {
        match self {
            Party::New((user, _)) => user,
            Party::There(user) => &user.wanted,
        }
    }

    /// What is written of it: all of somebody new, the addresses of somebody who is there.
    pub(super) fn row(&self) -> Row {
        match self {
            Party::New((user, credentials)) => Row::NewUser(user.clone(), credentials.clone()),
            Party::There(user) => Row::User(user.addresses_alone()),
        }
    }
}

impl Replaced {
    /// The user as he is now, but for the addresses. What else is changed may lead to others who are not there yet.
    pub(super) fn addresses_alone(&self) -> User {
        let mut user = self.now.clone();
        user.mail.clone_from(&self.wanted.mail);
        user.alternates.clone_from(&self.wanted.alternates);
        user
    }
}

impl<'p> Exchange<'p> {
    /// Finds out who is in it; mostly nobody is.
    pub(super) fn of(plan: &'p Plan) -> Exchange<'p> {
        let there = plan.changes.iter().filter_map(|change| match &change.action {
            Action::User(user) => Some(Party::There(user)),
            _ => None,
        });
        let parties: Vec<Party<'p>> = there.chain(plan.users.iter().map(Party::New)).collect();
        let given: HashMap<&Address, usize> = parties.iter().enumerate().flat_map(given_up).collect();
        if given.is_empty() {
            return Exchange::default();
        }
        let mut groups = Groups::new(parties.len());
        for (taker, party) in parties.iter().enumerate() {
            for giver in party.wanted().addresses().filter_map(|address| given.get(address)) {
                groups.join(*giver, taker);
            }
        }
        let mut to_aliases = HashMap::new();
        let mut levels: HashMap<usize, HashSet<usize>> = HashMap::new();
        for (level, alias) in
            plan.aliases.iter().enumerate().flat_map(|(level, some)| some.iter().map(move |one| (level, one)))
        {
            let Some(giver) = given.get(&alias.address) else { continue };
            levels.entry(*giver).or_default().insert(level);
            if let Party::There(user) = parties[*giver] {
                to_aliases.insert(&alias.address, user);
            }
        }
        let groups = groups.of_several();
        let grouped: HashSet<usize> = groups.iter().flatten().copied().collect();
        let is_entangled = |(giver, levels): &(&usize, &HashSet<usize>)| levels.len() > 1 || grouped.contains(*giver);
        let entangled = levels.iter().filter(is_entangled).map(|(giver, _)| parties[*giver].uid()).collect();
        let groups = groups.into_iter().map(|group| group.into_iter().map(|at| parties[at]).collect()).collect();
        Exchange { groups, to_aliases, entangled }
    }

    /// The users who are made in one of the groups.
    pub(super) fn made(&self) -> HashSet<&'p UserId> {
        let new = |party: &Party<'p>| match party {
            Party::New((user, _)) => Some(&user.uid),
            Party::There(_) => None,
        };
        self.groups.iter().flatten().filter_map(new).collect()
    }

    /// The rows of new aliases in sets, each with the user in it who gives them their addresses.
    pub(super) fn sets_of(&self, aliases: &[Alias]) -> Vec<Vec<Row>> {
        let mut sets: Vec<Vec<Row>> = Vec::new();
        let mut of_giver: HashMap<&UserId, usize> = HashMap::new();
        for alias in aliases {
            let row = Row::NewAlias(alias.clone());
            let Some(giver) = self.to_aliases.get(&alias.address) else {
                sets.push(vec![row]);
                continue;
            };
            let at = *of_giver.entry(&giver.now.uid).or_insert(sets.len());
            if at == sets.len() {
                sets.push(vec![Row::User(giver.addresses_alone())]);
            }
            sets[at].push(row);
        }
        sets
    }
}

fn given_up<'p>((at, party): (usize, &Party<'p>)) -> Vec<(&'p Address, usize)> {
    match party {
        Party::New(_) => Vec::new(),
        Party::There(user) => user.given_up().map(|address| (address, at)).collect(),
    }
}

/// Sets that are joined two by two.
struct Groups(Vec<usize>);

impl Groups {
    fn new(size: usize) -> Groups {
        Groups((0..size).collect())
    }

    fn find(&mut self, mut at: usize) -> usize {
        while self.0[at] != at {
            self.0[at] = self.0[self.0[at]];
            at = self.0[at];
        }
        at
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.find(a), self.find(b));
        self.0[a.max(b)] = a.min(b);
    }

    /// The sets with more than one in them, in the order of their first.
    fn of_several(mut self) -> Vec<Vec<usize>> {
        let mut sets: Vec<Vec<usize>> = vec![Vec::new(); self.0.len()];
        for at in 0..self.0.len() {
            let first = self.find(at);
            sets[first].push(at);
        }
        sets.retain(|set| set.len() > 1);
        sets
    }
}
