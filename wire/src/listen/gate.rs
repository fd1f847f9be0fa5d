//! How many connections there may be: in all, from one address, of one user, and how soon one after the other.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::process::{Resource, getrlimit};
use thiserror::Error;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::Traffic;
use crate::attempts::Attempts;
use crate::connection::Peer;
use crate::limits::{self, Limits};
use crate::memory::{Held, Memory};

/// Addresses that may be known before those that have left are looked for: memory stays within twice those of a minute.
const TIDY_ABOVE: usize = 1_000;

/// Why a connection was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Refusal {
    /// Too many connections in all.
    #[error("too many connections")]
    Total,
    /// Too many connections from this address.
    #[error("too many connections from this address")]
    Address,
    /// Too many connections from this address within a minute.
    #[error("too many connections from this address in a short time")]
    Rate,
    /// Connections hold all the memory they may.
    #[error("out of memory for connections")]
    Memory,
}

/// Counts connections; one for all listeners of the process.
#[derive(Debug, Default)]
pub struct Gate {
    counts: Mutex<Counts>,
    freed: Notify,
    attempts: Attempts,
    memory: Arc<Memory>,
    traffic: Mutex<BTreeMap<&'static str, Arc<Traffic>>>,
}

#[derive(Debug, Default)]
struct Counts {
    total: u32,
    /// Addresses with a connection now, or a moment ago. Hashed with a random key: peers choose addresses.
    by_address: HashMap<IpAddr, Address>,
    /// When so many are known, those that have been quiet for long enough are forgotten.
    tidy_above: usize,
    /// Users with a session now.
    by_user: HashMap<Arc<str>, u32>,
}

/// What is known of an address.
#[derive(Debug)]
struct Address {
    open: u32,
    /// Connections lately: each counts one, and all of a minute's allowance fade within a minute.
    lately: f64,
    /// When they were that many.
    at: Instant,
}

impl Address {
    fn lately(&self, now: Instant, per_minute: u32) -> f64 {
        let faded = now.duration_since(self.at).as_secs_f64() * f64::from(per_minute) / 60.0;
        (self.lately - faded).max(0.0)
    }
}

impl Counts {
    fn add(&mut self, address: IpAddr, limits: &Limits) -> Result<(), Refusal> {
        let (now, per_minute) = (Instant::now(), limits.connections_per_minute);
        if self.by_address.len() >= self.tidy_above.max(TIDY_ABOVE) {
            // With no such limit there is nothing to remember of who has left.
            let forgotten =
                |known: &Address| known.open == 0 && (per_minute == 0 || known.lately(now, per_minute) < 1.0);
            self.by_address.retain(|_, known| !forgotten(known));
            self.tidy_above = self.by_address.len() * 2;
        }
        // Looked up first: an address that is refused leaves nothing behind.
        let (open, lately) = match self.by_address.get(&address) {
            Some(known) => (known.open, known.lately(now, per_minute)),
            None => (0, 0.0),
        };
        if open >= limits.connections_per_address {
            return Err(Refusal::Address);
        }
        if per_minute > 0 && lately + 1.0 > f64::from(per_minute) {
            return Err(Refusal::Rate);
        }
        self.by_address.insert(address, Address { open: open + 1, lately: lately + 1.0, at: now });
        Ok(())
    }

    fn remove(&mut self, address: IpAddr) {
        if let Some(known) = self.by_address.get_mut(&address) {
            known.open -= 1;
        }
    }

    fn remove_user(&mut self, user: &Arc<str>) {
        if let Entry::Occupied(mut entry) = self.by_user.entry(Arc::clone(user)) {
            *entry.get_mut() -= 1;
            if *entry.get() == 0 {
                entry.remove();
            }
        }
    }
}

impl Gate {
    /// Connections open now.
    pub fn connections(&self) -> u32 {
        self.counts().total
    }

    /// Failed logins by address.
    pub fn attempts(&self) -> &Attempts {
        &self.attempts
    }

    /// What connections hold in buffers.
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// What the listeners of each service have seen, by its name.
    pub fn traffic(&self) -> Vec<(&'static str, Arc<Traffic>)> {
        let services = self.traffic.lock().unwrap_or_else(PoisonError::into_inner);
        services.iter().map(|(name, traffic)| (*name, Arc::clone(traffic))).collect()
    }

    /// The counts of a service.
    pub(super) fn traffic_of(&self, service: &'static str) -> Arc<Traffic> {
        let mut services = self.traffic.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(services.entry(service).or_default())
    }

    /// Completes when a connection closes.
    pub async fn freed(&self) {
        self.freed.notified().await;
    }

    pub(crate) fn admit(self: &Arc<Self>, peer: &Peer, limits: &Limits) -> Result<Slot, Refusal> {
        let mut counts = self.counts();
        // An administrator comes in however full it is, and so does the MTA on this machine: half of the descriptors are left.
        let needed = matches!(peer, Peer::Unix { .. });
        if !needed && counts.total >= limits.connections.unwrap_or_else(most_connections) {
            return Err(Refusal::Total);
        }
        if !needed && self.memory.is_full() {
            return Err(Refusal::Memory);
        }
        // A proxy or webmail on this machine carries many users; its own limits apply.
        let capped = !peer.is_local() && !limits.is_proxy(peer);
        let address = peer.ip().filter(|_| capped).map(network);
        if let Some(address) = address {
            counts.add(address, limits)?;
        }
        counts.total += 1;
        let (gate, held) = (Arc::clone(self), Held::new(Arc::clone(&self.memory)));
        Ok(Slot { gate, address, user: None, most_of_user: limits.connections_per_user, held })
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        // Nothing below can panic between two changes, so a poisoned lock still holds true counts.
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is counted as one address: an IPv4 address, or the /64 a single IPv6 customer is given.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
    }
}

/// As many connections as the descriptor limit allows when each session also has a few files open.
fn most_connections() -> u32 {
    let descriptors = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    u32::try_from(descriptors.saturating_sub(limits::RESERVED_DESCRIPTORS) / 2).unwrap_or(u32::MAX)
}

/// A place among the connections allowed; given back when dropped.
#[derive(Debug)]
pub(crate) struct Slot {
    gate: Arc<Gate>,
    address: Option<IpAddr>,
    /// Whose session it is, where those are counted.
    user: Option<Arc<str>>,
    most_of_user: u32,
    held: Held,
}

impl Slot {
    /// What the connection holds in buffers.
    pub(crate) fn held(&mut self) -> &mut Held {
        &mut self.held
    }

    /// Whether its buffers should be small.
    pub(crate) fn is_tight(&self) -> bool {
        self.held.is_tight()
    }

    pub(crate) fn attempts(&self) -> &Attempts {
        &self.gate.attempts
    }

    /// The connection becomes a session of `user`; not if he has as many as he may.
    pub(crate) fn becomes(&mut self, user: &str) -> bool {
        if self.most_of_user == 0 {
            return true;
        }
        let mut counts = self.gate.counts();
        // He may log in anew where a login was refused for another reason.
        if let Some(before) = self.user.take() {
            counts.remove_user(&before);
        }
        if counts.by_user.get(user).copied().unwrap_or(0) >= self.most_of_user {
            return false;
        }
        let user: Arc<str> = user.into();
        *counts.by_user.entry(Arc::clone(&user)).or_default() += 1;
        self.user = Some(user);
        true
    }

    /// The connection turns out to be one of `peer`, behind a load balancer.
    pub(crate) fn belongs_to(&mut self, peer: &Peer, limits: &Limits) -> Result<(), Refusal> {
        let address = peer.ip().filter(|_| !peer.is_local() && !limits.is_proxy(peer)).map(network);
        if let Some(address) = address.filter(|_| self.address.is_none()) {
            self.gate.counts().add(address, limits)?;
            self.address = Some(address);
        }
        Ok(())
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut counts = self.gate.counts();
        counts.total -= 1;
        if let Some(address) = self.address {
            counts.remove(address);
        }
        if let Some(user) = self.user.take() {
            counts.remove_user(&user);
        }
        drop(counts);
        self.gate.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn peer(address: &str) -> Peer {
        Peer::Ip((address.parse::<IpAddr>().unwrap(), 1).into())
    }

    #[test]
    fn caps_by_address_and_in_all() {
        let gate = Arc::new(Gate::default());
        let limits = Limits { connections_per_address: 2, connections: Some(5), ..Limits::default() };
        let admit = |address: &str| gate.admit(&peer(address), &limits);
        let first = admit("192.0.2.1").unwrap();
        let _second = admit("192.0.2.1").unwrap();
        assert_eq!(admit("192.0.2.1").unwrap_err(), Refusal::Address);
        drop(first);
        let _third = admit("192.0.2.1").unwrap();
        // One /64 is one customer.
        let v6 = [admit("2001:db8::1").unwrap(), admit("2001:db8::2").unwrap()];
        assert_eq!(admit("2001:db8::3").unwrap_err(), Refusal::Address);
        let _other = admit("2001:db8:0:1::3").unwrap();
        assert_eq!(admit("192.0.2.2").unwrap_err(), Refusal::Total);
        drop(v6);
        assert_eq!(gate.counts().by_address.values().filter(|known| known.open > 0).count(), 2);
        assert_eq!(gate.connections(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn caps_by_the_minute() {
        let gate = Arc::new(Gate::default());
        let limits = Limits { connections_per_minute: 6, ..Limits::default() };
        let admit = |address: &str| gate.admit(&peer(address), &limits).map(drop);
        for _ in 0..6 {
            admit("192.0.2.1").unwrap();
        }
        assert_eq!(admit("192.0.2.1"), Err(Refusal::Rate));
        assert_eq!(admit("192.0.2.2"), Ok(()));
        assert_eq!(admit("127.0.0.1"), Ok(()));
        tokio::time::advance(Duration::from_millis(10_100)).await;
        assert_eq!(admit("192.0.2.1"), Ok(()), "one in ten seconds");
        assert_eq!(admit("192.0.2.1"), Err(Refusal::Rate));
        tokio::time::advance(Duration::from_secs(60)).await;
        (0..6).for_each(|_| admit("192.0.2.1").unwrap());
        // Who has left is forgotten, sooner or later.
        for n in 0..=u16::MAX {
            let [a, b] = n.to_le_bytes();
            gate.admit(&Peer::Ip((IpAddr::from([10, 0, a, b]), 1).into()), &limits).map(drop).unwrap();
            tokio::time::advance(Duration::from_millis(50)).await;
        }
        let known = gate.counts().by_address.len();
        assert!(known <= 2_500, "{known} of {} a minute", 60_000 / 50);
    }

    #[test]
    fn caps_by_user() {
        let gate = Arc::new(Gate::default());
        let limits = Limits { connections_per_user: 2, ..Limits::default() };
        let slot = || gate.admit(&peer("127.0.0.1"), &limits).unwrap();
        let (mut one, mut two, mut three) = (slot(), slot(), slot());
        assert!(one.becomes("joe") && two.becomes("joe") && !three.becomes("joe"));
        assert!(three.becomes("sue"), "somebody else may");
        assert!(two.becomes("joe"), "a second login on a connection takes no second place");
        drop(one);
        assert!(three.becomes("joe"));
        drop((two, three));
        assert!(gate.counts().by_user.is_empty());
        let unlimited = Limits { connections_per_user: 0, ..Limits::default() };
        let mut many: Vec<_> = (0..200).map(|_| gate.admit(&peer("127.0.0.1"), &unlimited).unwrap()).collect();
        assert!(many.iter_mut().all(|slot| slot.becomes("joe")));
    }

    #[test]
    fn loopback_is_not_capped_by_address() {
        let gate = Arc::new(Gate::default());
        let limits = Limits { connections_per_address: 1, connections: Some(3), ..Limits::default() };
        let held: Vec<_> = (0..3).map(|_| gate.admit(&peer("127.0.0.1"), &limits).unwrap()).collect();
        assert_eq!(gate.admit(&peer("127.0.0.1"), &limits).unwrap_err(), Refusal::Total);
        drop(held);
        assert_eq!(gate.connections(), 0);
    }
}
