//! What an administrator can set, with the reason for each default.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use wire::Peer;

use crate::limits;
use crate::reply::OverQuota;

/// The settings of the LMTP service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The name in the greeting and in `Received:`. Default `localhost`; the program sets the host's name.
    pub host_name: String,
    /// Largest message in octets, told to clients as `SIZE`. Default 50 MiB, above what most MTAs let through.
    pub message_size: u64,
    /// Networks whose hosts may deliver over TCP, without authentication. Default: loopback. A Unix socket is always
    /// trusted: its file's permissions say who may connect.
    pub trusted: Vec<Network>,
    /// What a full mailbox answers. Default [`OverQuota::Permanent`], so that the sender learns of it at once.
    pub over_quota: OverQuota,
    /// Count the message itself against the quota (`lmtp_strict_quota`). Default no: what arrives while usage is within
    /// the limit is taken whatever its size, so usage may exceed the limit by one message.
    pub strict_quota: bool,
    /// What to do with a CR or LF that is not part of a CRLF. Default [`BareLineEnds::Refuse`].
    pub bare_line_ends: BareLineEnds,
    /// Store a message once per mailbox, however often it comes within three days. Default yes: an MTA that lost our
    /// reply sends it again.
    pub suppress_duplicates: bool,
    /// Find folders of `user+folder@` without regard to case when there is none of that very name
    /// (`lmtp_fuzzy_mailbox_match`). Default no.
    pub fuzzy_folders: bool,
    /// The local part before `+shared/folder` that stands for no user (`postuser`). Default empty: `+shared/folder@`.
    pub post_user: String,
    /// Silence between commands, and inside a body, before the connection is closed. Default 5 minutes (RFC 5321,
    /// 4.5.3.2.7).
    pub timeout: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            host_name: "localhost".to_owned(),
            message_size: wire::limits::MESSAGE_SIZE,
            trusted: vec![Network::LOOPBACK_4, Network::LOOPBACK_6],
            over_quota: OverQuota::default(),
            strict_quota: false,
            bare_line_ends: BareLineEnds::default(),
            suppress_duplicates: true,
            fuzzy_folders: false,
            post_user: String::new(),
            timeout: limits::COMMAND_TIMEOUT,
        }
    }
}

impl Settings {
    /// Whether `peer` may deliver here at all.
    pub(crate) fn trusts(&self, peer: &Peer) -> bool {
        match peer.ip() {
            Some(ip) => self.trusted.iter().any(|network| network.contains(ip)),
            None => true,
        }
    }
}

/// What to do with a CR or LF that is not part of a CRLF.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BareLineEnds {
    /// `554 5.6.0`. An MTA never sends them (RFC 5321, 2.3.8), and servers that disagree on where a line ends disagree on
    /// where a message ends: that is SMTP smuggling (CVE-2023-51764).
    #[default]
    Refuse,
    /// LF becomes CRLF, CR becomes a space. For a local client that is known to be sloppy.
    Repair,
}

/// A network by address and prefix length: `192.0.2.0/24`, `2001:db8::/32`, `127.0.0.1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

/// A text that is no [`Network`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a network: want an address, or address/prefix-length with no bits set behind the prefix")]
pub struct NetworkError(String);

impl Network {
    const LOOPBACK_4: Self = Self { address: IpAddr::V4(std::net::Ipv4Addr::new(127, 0, 0, 0)), prefix: 8 };
    const LOOPBACK_6: Self = Self { address: IpAddr::V6(std::net::Ipv6Addr::LOCALHOST), prefix: 128 };

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

    #[test]
    fn trust() {
        let settings = Settings::default();
        let tcp = |text: &str| Peer::Ip(text.parse().unwrap());
        assert!(settings.trusts(&tcp("127.0.0.1:1")));
        assert!(settings.trusts(&tcp("[::1]:1")));
        assert!(!settings.trusts(&tcp("192.0.2.1:1")));
        assert!(settings.trusts(&Peer::Unix { uid: 1, pid: None }));
    }
}
