//! Which server is put under load, and how long and how much.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::{Failure, Secure, Tree};

/// A server: where it listens, whose mailboxes may be used, and its processes.
#[derive(Debug, Clone)]
pub struct Target {
    /// IMAP; with `tls`, the port on which TLS begins with the first byte.
    pub imap: SocketAddr,
    /// How TLS is spoken, if IMAP and POP3 are spoken over it.
    pub tls: Option<Secure>,
    /// POP3; with `tls`, the port on which TLS begins with the first byte.
    pub pop3: SocketAddr,
    /// LMTP.
    pub lmtp: SocketAddr,
    /// User IDs are this and a number of four digits, from 1 on: `u0001`.
    pub prefix: String,
    /// Everybody's password.
    pub password: String,
    /// The domain of addresses for LMTP.
    pub domain: String,
    /// Its processes, if CPU time and memory are to be read.
    pub processes: Option<Tree>,
}

/// When a timed run ends: at whichever comes first.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Time.
    pub time: Duration,
    /// Steps of all clients together.
    pub steps: u64,
}

impl Target {
    /// Refuses addresses that are not on this machine: whoever wants to put load on another one must say so.
    ///
    /// # Errors
    /// [`Failure::Refused`].
    pub fn check_is_here(&self) -> Result<(), Failure> {
        for address in [self.imap, self.pop3, self.lmtp] {
            if !is_loopback(address.ip()) {
                return Err(Failure::Refused(format!("{address} is not on this machine; see --anywhere")));
            }
        }
        Ok(())
    }

    /// User number `n`, from 1 on.
    pub(crate) fn user(&self, n: usize) -> String {
        format!("{}{n:04}", self.prefix)
    }

    /// Address of user number `n`.
    pub(crate) fn address(&self, n: usize) -> String {
        format!("{}@{}", self.user(n), self.domain)
    }
}

fn is_loopback(ip: IpAddr) -> bool {
    ip.to_canonical().is_loopback()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_loopback() {
        for (ip, here) in [
            ("127.0.0.1", true),
            ("127.9.9.9", true),
            ("::1", true),
            ("::ffff:127.0.0.1", true),
            ("192.0.2.1", false),
            ("0.0.0.0", false),
            ("::ffff:192.0.2.1", false),
        ] {
            assert_eq!(is_loopback(ip.parse().unwrap()), here, "{ip}");
        }
    }
}
