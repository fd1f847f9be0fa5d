//! Failed logins by address: who guesses passwords is turned away for a while, from whichever connection, whatever the
//! protocol.
//!
//! Each failed login counts for its address (an IPv4 address, an IPv6 /64) and for the wider network (an IPv4 /24, an IPv6
//! /48). Counts fade by half in [`Policy::half_life`]. From an address that has reached [`Policy::address`], or a network that
//! has [`NETWORK_FACTOR`] times as many, no password is looked at until half of them have faded. A mail client that was not told of a new password
//! tries the old one for ever: the same guess counts once.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use network::Network;
use tokio::time::Instant;

use crate::connection::Peer;

/// A whole network is turned away at so many times the points of an address: a university, or a mobile operator, is not
/// locked out by one of its users.
pub const NETWORK_FACTOR: f64 = 10.0;
/// Addresses and networks that are remembered, some 6 MiB of them; beyond it those with the fewest points are forgotten.
const MOST: usize = 65_536;
/// Guesses of an address that are remembered: a household's mail clients, not a dictionary.
const GUESSES: usize = 8;

/// When to turn somebody away.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// Failed logins of an address before it is turned away; 0: never.
    pub address: u32,
    /// The time in which half of them are forgotten.
    pub half_life: Duration,
    /// Networks that are never turned away, beside this machine.
    pub exempt: Vec<Network>,
}

impl Default for Policy {
    fn default() -> Self {
        // Twenty different wrong passwords within minutes is nobody's memory failing; a quarter of an hour is what a person
        // waits, and makes some two thousand guesses a day of an address, of the billions that a dictionary takes.
        Self { address: 20, half_life: Duration::from_secs(15 * 60), exempt: Vec::new() }
    }
}

/// Failed logins of the process.
#[derive(Debug, Default)]
pub struct Attempts {
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    policy: Policy,
    places: HashMap<IpAddr, Place>,
    networks: HashMap<IpAddr, Place>,
}

/// What is remembered of an address or a network.
#[derive(Debug)]
struct Place {
    points: f64,
    /// When they were that many.
    at: Instant,
    /// Turned away, until half of the points have faded.
    out: bool,
    guesses: [u64; GUESSES],
    next: usize,
}

/// A number that stands for what was tried, in this process. Nothing can be found out from it, and nobody can choose
/// guesses that look alike.
pub fn guess(what: &impl Hash) -> u64 {
    static KEY: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    KEY.hash_one(what)
}

/// What a failed login led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consequence {
    /// Nothing yet.
    None,
    /// The address is turned away from now on.
    Address,
    /// The network is turned away from now on.
    Network,
}

impl Attempts {
    /// Changes when somebody is turned away; what was counted stays.
    pub fn set_policy(&self, policy: Policy) {
        self.table().policy = policy;
    }

    /// Whether no password from there is to be looked at now.
    #[must_use]
    pub fn blocks(&self, peer: &Peer) -> bool {
        let mut table = self.table();
        let Some(ip) = table.counted(peer) else { return false };
        let (limit, half_life) = (f64::from(table.policy.address), table.policy.half_life);
        let now = Instant::now();
        let is_out = |place: Option<&mut Place>, limit: f64| {
            place.is_some_and(|place| {
                place.out &= place.points_at(now, half_life) >= limit / 2.0;
                place.out
            })
        };
        is_out(table.places.get_mut(&address(ip)), limit)
            || is_out(table.networks.get_mut(&network(ip)), limit * NETWORK_FACTOR)
    }

    /// Notes a failed login. `guess` stands for what was tried ([`guess`]), where that is known.
    pub fn failed(&self, peer: &Peer, guess: Option<u64>) -> Consequence {
        let mut table = self.table();
        let Some(ip) = table.counted(peer) else { return Consequence::None };
        let Table { policy, places, networks } = &mut *table;
        let (limit, half_life, now) = (f64::from(policy.address), policy.half_life, Instant::now());
        make_room(places, now, half_life);
        make_room(networks, now, half_life);
        let place = places.entry(address(ip)).or_insert_with(|| Place::new(now));
        if guess.is_some_and(|guess| place.knows(guess)) {
            return Consequence::None;
        }
        let crossed = |place: &mut Place, limit: f64| {
            (place.points, place.at) = (place.points_at(now, half_life) + 1.0, now);
            let was_out = place.out;
            // A little of the first has faded by the time the last comes.
            place.out |= place.points > limit - 0.5;
            place.out && !was_out
        };
        let of_address = crossed(place, limit);
        let wide = networks.entry(network(ip)).or_insert_with(|| Place::new(now));
        if crossed(wide, limit * NETWORK_FACTOR) {
            Consequence::Network
        } else if of_address {
            Consequence::Address
        } else {
            Consequence::None
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        // Counts are put in whole, whatever panics.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    /// The address whose failures count, if they do.
    fn counted(&self, peer: &Peer) -> Option<IpAddr> {
        let ip = peer.ip().filter(|_| self.policy.address > 0 && !peer.is_local())?;
        (!self.policy.exempt.iter().any(|network| network.contains(ip))).then_some(ip)
    }
}

impl Place {
    fn new(at: Instant) -> Self {
        Self { points: 0.0, at, out: false, guesses: [0; GUESSES], next: 0 }
    }

    fn points_at(&self, now: Instant, half_life: Duration) -> f64 {
        let halvings = now.duration_since(self.at).as_secs_f64() / half_life.as_secs_f64().max(1.0);
        self.points * (-halvings).exp2()
    }

    /// Whether the guess is one of the last; it is from now on.
    fn knows(&mut self, guess: u64) -> bool {
        // 0 is an empty place.
        let guess = guess.max(1);
        if self.guesses.contains(&guess) {
            return true;
        }
        self.guesses[self.next] = guess;
        self.next = (self.next + 1) % GUESSES;
        false
    }
}

/// Forgets those with the fewest points until half of the room is free.
fn make_room(places: &mut HashMap<IpAddr, Place>, now: Instant, half_life: Duration) {
    if places.len() < MOST {
        return;
    }
    let mut least = 0.5;
    while places.len() > MOST / 2 {
        places.retain(|_, place| place.points_at(now, half_life) > least);
        least *= 2.0;
    }
}

/// What counts as one address.
fn address(ip: IpAddr) -> IpAddr {
    masked(ip, 32, 64)
}

/// The wider network.
fn network(ip: IpAddr) -> IpAddr {
    masked(ip, 24, 48)
}

fn masked(ip: IpAddr, four: u32, six: u32) -> IpAddr {
    match ip {
        IpAddr::V4(ip) => Ipv4Addr::from_bits(ip.to_bits() & (u32::MAX << (32 - four))).into(),
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() & (u128::MAX << (128 - six))).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(ip: &str) -> Peer {
        Peer::Ip((ip.parse::<IpAddr>().unwrap(), 1).into())
    }

    fn attempts(address: u32) -> Attempts {
        let attempts = Attempts::default();
        attempts.set_policy(Policy { address, exempt: vec!["198.51.100.0/24".parse().unwrap()], ..Policy::default() });
        attempts
    }

    #[tokio::test(start_paused = true)]
    async fn who_guesses_is_turned_away_for_a_while() {
        let attempts = attempts(3);
        let joe = peer("192.0.2.1");
        assert_eq!(attempts.failed(&joe, Some(1)), Consequence::None);
        assert_eq!(attempts.failed(&joe, None), Consequence::None);
        assert!(!attempts.blocks(&joe));
        assert_eq!(attempts.failed(&joe, Some(2)), Consequence::Address);
        assert!(attempts.blocks(&joe) && attempts.blocks(&peer("::ffff:192.0.2.1")));
        assert!(!attempts.blocks(&peer("192.0.2.2")), "a neighbour");
        tokio::time::advance(Duration::from_secs(14 * 60)).await;
        assert!(attempts.blocks(&joe));
        tokio::time::advance(Duration::from_secs(2 * 60)).await;
        assert!(!attempts.blocks(&joe), "half of them have faded");
        assert_eq!(attempts.failed(&joe, Some(3)), Consequence::None);
        assert_eq!(attempts.failed(&joe, Some(4)), Consequence::Address);
        tokio::time::advance(Duration::from_secs(24 * 3600)).await;
        assert_eq!(attempts.failed(&joe, Some(5)), Consequence::None);
    }

    #[tokio::test(start_paused = true)]
    async fn the_same_guess_counts_once() {
        let attempts = attempts(3);
        let joe = peer("2001:db8::1");
        let tried = |what: &str| Some(guess(&("joe", what)));
        for _ in 0..1000 {
            assert_eq!(attempts.failed(&joe, tried("old")), Consequence::None);
            assert_eq!(attempts.failed(&peer("2001:db8::2"), tried("older")), Consequence::None);
        }
        assert_eq!(attempts.failed(&joe, tried("new")), Consequence::Address, "one /64 is one address");
        assert!(!attempts.blocks(&peer("2001:db8:0:1::1")));
    }

    #[tokio::test(start_paused = true)]
    async fn many_addresses_of_a_network_are_one_guesser() {
        let attempts = attempts(3);
        for host in 0..29 {
            assert_eq!(attempts.failed(&peer(&format!("192.0.2.{host}")), None), Consequence::None);
        }
        assert_eq!(attempts.failed(&peer("192.0.2.77"), None), Consequence::Network);
        assert!(attempts.blocks(&peer("192.0.2.99")) && !attempts.blocks(&peer("192.0.3.99")));
    }

    #[tokio::test(start_paused = true)]
    async fn some_are_never_turned_away() {
        let attempts = attempts(1);
        for peer in [peer("127.0.0.1"), peer("198.51.100.7"), Peer::Unix { uid: 0, pid: None }, Peer::Memory] {
            assert_eq!(attempts.failed(&peer, None), Consequence::None);
            assert!(!attempts.blocks(&peer), "{peer}");
        }
        attempts.set_policy(Policy { address: 0, ..Policy::default() });
        assert_eq!(attempts.failed(&peer("192.0.2.1"), None), Consequence::None);
        assert!(!attempts.blocks(&peer("192.0.2.1")));
    }

    #[tokio::test(start_paused = true)]
    async fn memory_is_bounded_and_the_worst_are_remembered() {
        let attempts = attempts(3);
        let worst = peer("192.0.2.1");
        for _ in 0..3 {
            attempts.failed(&worst, None);
        }
        for number in 0..3 * MOST as u32 {
            attempts.failed(&Peer::Ip((Ipv4Addr::from_bits(0x0a00_0000 + (number << 8)), 1).into()), None);
        }
        let table = attempts.table();
        assert!(table.places.len() <= MOST && table.networks.len() <= MOST);
        drop(table);
        assert!(attempts.blocks(&worst));
    }
}
