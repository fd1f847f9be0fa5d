//! What an administrator can set, with the reason for each default.

use std::time::Duration;

use wire::{Network, Peer};

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
    /// User IDs of those who may deliver from anywhere else, once they have logged in. Default none: other hosts are
    /// turned away before they have said a word.
    pub deliverers: Vec<String>,
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
    /// What clients may log in by, to post as somebody (AUTH); `None`: AUTH is not offered. Default passwords and what the
    /// directory can check otherwise, over TLS, loopback and Unix sockets.
    pub login: Option<login::Policy>,
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
            deliverers: Vec::new(),
            over_quota: OverQuota::default(),
            strict_quota: false,
            bare_line_ends: BareLineEnds::default(),
            suppress_duplicates: true,
            fuzzy_folders: false,
            post_user: String::new(),
            login: Some(login::Policy::default()),
            timeout: limits::COMMAND_TIMEOUT,
        }
    }
}

impl Settings {
    /// Whether a host that is not trusted may log in and deliver then.
    pub(crate) fn hears_strangers(&self) -> bool {
        self.login.is_some() && !self.deliverers.is_empty()
    }

    /// Whether `peer` may deliver here without a word on who it is.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trust() {
        let settings = Settings::default();
        let tcp = |text: &str| Peer::Ip(text.parse().unwrap());
        assert!(settings.trusts(&tcp("127.0.0.1:1")));
        assert!(settings.trusts(&tcp("[::1]:1")));
        assert!(!settings.trusts(&tcp("192.0.2.1:1")));
        assert!(settings.trusts(&Peer::Unix { uid: 1, pid: None }));
        assert!(!settings.hears_strangers());
        let settings = Settings { deliverers: vec!["relay".to_owned()], ..settings };
        assert!(settings.hears_strangers());
        assert!(!Settings { login: None, ..settings }.hears_strangers());
    }
}
