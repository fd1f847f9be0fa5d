//! How many connections there may be, in all and from one address.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::process::{Resource, getrlimit};
use thiserror::Error;
use tokio::sync::Notify;

use super::Traffic;
use crate::attempts::Attempts;
use crate::connection::Peer;
use crate::limits::{self, Limits};
use crate::memory::{Held, Memory};

/// Why a connection was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Refusal {
    /// Too many connections in all.
    #[error("too many connections")]
    Total,
    /// Too many connections from this address.
    #[error("too many connections from this address")]
    Address,
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
    /// Addresses with a connection now. Hashed with a random key: peers choose addresses.
    by_address: HashMap<IpAddr, u32>,
}

impl Counts {
    fn add(&mut self, address: IpAddr, limits: &Limits) -> Result<(), Refusal> {
        // Looked up first: an address that is refused leaves nothing behind.
        if self.by_address.get(&address).copied().unwrap_or(0) >= limits.connections_per_address {
            return Err(Refusal::Address);
        }
        *self.by_address.entry(address).or_default() += 1;
        Ok(())
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
        Ok(Slot { gate: Arc::clone(self), address, held: Held::new(Arc::clone(&self.memory)) })
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
        if let Some(address) = self.address
            && let Entry::Occupied(mut entry) = counts.by_address.entry(address)
        {
            *entry.get_mut() -= 1;
            // No entry outlives its last connection, or every address ever seen would stay in memory.
            if *entry.get() == 0 {
                entry.remove();
            }
        }
        drop(counts);
        self.gate.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
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
        assert_eq!(gate.counts().by_address.len(), 2);
        assert_eq!(gate.connections(), 3);
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
