//! Who is connected to what, for policy and for the log.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::tls::TlsInfo;

/// The other end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// TCP, from this address.
    Ip(SocketAddr),
    /// A Unix socket, with the credentials the kernel vouches for.
    Unix {
        /// The peer's user.
        uid: u32,
        /// The peer's process, where the kernel tells.
        pid: Option<i32>,
    },
    /// Inside the process.
    Memory,
}

impl Peer {
    /// Whether nobody on a network can listen in: loopback, Unix socket, memory.
    pub fn is_local(&self) -> bool {
        match self {
            Self::Ip(address) => address.ip().to_canonical().is_loopback(),
            Self::Unix { .. } | Self::Memory => true,
        }
    }

    /// The peer's address, if it has one.
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Ip(address) => Some(address.ip().to_canonical()),
            Self::Unix { .. } | Self::Memory => None,
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(address) => write!(f, "{address}"),
            Self::Unix { uid, pid: Some(pid) } => write!(f, "unix:uid={uid},pid={pid}"),
            Self::Unix { uid, pid: None } => write!(f, "unix:uid={uid}"),
            Self::Memory => f.write_str("memory"),
        }
    }
}

/// Facts about a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionInfo {
    /// Unique in the life of the process; the log's `conn`.
    pub id: u64,
    /// The service's name, as in the configuration: `imap`, `imaps`, `lmtp`.
    pub service: &'static str,
    /// The other end.
    pub peer: Peer,
    /// Our end; `None` for a Unix socket.
    pub local: Option<SocketAddr>,
    /// What was negotiated, `None` without TLS.
    pub tls: Option<TlsInfo>,
    /// The load balancer that speaks for the peer.
    pub proxy: Option<Proxy>,
}

/// A load balancer between us and the peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proxy {
    /// Its own address.
    pub address: SocketAddr,
    /// The peer speaks TLS to it.
    pub encrypted: bool,
}

impl ConnectionInfo {
    /// Facts about a new connection, with an id of its own.
    pub fn new(service: &'static str, peer: Peer, local: Option<SocketAddr>) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self { id: NEXT.fetch_add(1, Ordering::Relaxed), service, peer, local, tls: None, proxy: None }
    }

    /// Facts about a connection inside the process.
    pub fn memory() -> Self {
        Self::new("memory", Peer::Memory, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_peers() {
        let rows = [
            ("127.0.0.1:1", true),
            ("[::1]:1", true),
            ("[::ffff:127.0.0.1]:1", true),
            ("192.0.2.1:1", false),
            ("[2001:db8::1]:1", false),
        ];
        for (address, expected) in rows {
            assert_eq!(Peer::Ip(address.parse().unwrap()).is_local(), expected, "{address}");
        }
        assert!(Peer::Unix { uid: 0, pid: None }.is_local());
    }

    #[test]
    fn ids_differ() {
        assert_ne!(ConnectionInfo::memory().id, ConnectionInfo::memory().id);
    }
}
