//! Networks as an administrator writes them: what a listener trusts, what a password is bound to. A crate of its own because
//! sockets and the directory both need it, and neither may know the other.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use thiserror::Error;

/// A network by address and prefix length: `192.0.2.0/24`, `2001:db8::/32`, `127.0.0.1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

/// A text that is no [`Network`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0:?} is not a network: want an address, or address/prefix-length with no bits set behind the prefix")]
pub struct NetworkError(String);

impl Network {
    /// 127.0.0.0/8.
    pub const LOOPBACK_4: Self = Self { address: IpAddr::V4(Ipv4Addr::new(127, 0, 0, 0)), prefix: 8 };
    /// ::1.
    pub const LOOPBACK_6: Self = Self { address: IpAddr::V6(Ipv6Addr::LOCALHOST), prefix: 128 };

    /// Whether `ip` lies in the network. An IPv4 address mapped into IPv6 counts as the IPv4 address it is.
    #[must_use]
    pub fn contains(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        let (own, other) = (bits(self.address), bits(ip));
        self.address.is_ipv4() == ip.is_ipv4() && masked(other, self.prefix, width(ip)) == own
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let bad = || NetworkError(text.to_owned());
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| bad())?;
        let prefix = prefix.map_or(Ok(width(address)), |prefix| prefix.parse().map_err(|_| bad()))?;
        let whole = prefix <= width(address) && masked(bits(address), prefix, width(address)) == bits(address);
        if whole { Ok(Self { address, prefix }) } else { Err(bad()) }
    }
}

fn bits(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(ip) => u128::from(ip.to_bits()),
        IpAddr::V6(ip) => ip.to_bits(),
    }
}

fn width(ip: IpAddr) -> u8 {
    if ip.is_ipv4() { 32 } else { 128 }
}

fn masked(bits: u128, prefix: u8, width: u8) -> u128 {
    let host_bits = u32::from(width - prefix.min(width));
    bits.checked_shr(host_bits).and_then(|bits| bits.checked_shl(host_bits)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks() {
        let rows = [
            ("127.0.0.0/8", "127.1.2.3", true),
            ("127.0.0.0/8", "128.0.0.1", false),
            ("192.0.2.7", "192.0.2.7", true),
            ("192.0.2.7", "192.0.2.8", false),
            ("10.0.0.0/8", "::ffff:10.1.1.1", true),
            ("::/0", "10.1.1.1", false),
            ("0.0.0.0/0", "198.51.100.1", true),
            ("::/0", "2001:db8::1", true),
            ("2001:db8::/32", "2001:db8:ffff::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
        ];
        for (network, ip, expected) in rows {
            let network: Network = network.parse().unwrap();
            assert_eq!(network.to_string().parse(), Ok(network));
            assert_eq!(network.contains(ip.parse().unwrap()), expected, "{network:?} {ip}");
        }
        for bad in ["", "10.0.0.0/33", "10.0.0.1/8", "::1/129", "10.0.0.0/", "10.0.0.0/-1", "localhost"] {
            assert_eq!(bad.parse::<Network>(), Err(NetworkError(bad.to_owned())));
        }
    }
}
