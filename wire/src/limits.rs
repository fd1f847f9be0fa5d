//! Every limit a connection is held to, with the reason for its default.
//!
//! A peer decides what it sends; these decide what it costs us. Protocol crates add limits of their own grammar (nesting
//! depth, sequence set items), the ones here are about bytes, connections and time.

use std::time::Duration;

use network::Network;

use crate::connection::Peer;

/// Longest line before login, in bytes without its CRLF: 8 KiB. Enough for any LOGIN or AUTHENTICATE with an initial
/// response; a stranger gets no more memory than this (RFC 7162, 4 asks for at least 8,192 of any IMAP server).
pub const PRE_AUTH_LINE: usize = 8 * 1024;
/// Longest line after login: 64 KiB, what clients with long UID sets are known to send (RFC 2683, 3.2.1.5, speaks of
/// 8,000; Dovecot has shipped 64 KiB for years).
pub const POST_AUTH_LINE: usize = 64 * 1024;
/// Largest literal before login: 4 KiB, the most a user name or password can reasonably take.
pub const PRE_AUTH_LITERAL: u64 = 4 * 1024;
/// All arguments of one command together, lines and in-memory literals: 1 MiB. Many small literals in one command were
/// CVE-2024-34055 (Cyrus) and its like in other servers.
pub const COMMAND_ARGUMENTS: u64 = 1024 * 1024;
/// Literals in one command: 1,000. A bulk STATUS or METADATA sends dozens; each costs us bookkeeping, however small.
pub const COMMAND_LITERALS: u32 = 1_000;
/// Largest non-synchronizing literal where only LITERAL- is offered: 4,096 (RFC 7888, 5).
pub const LITERAL_MINUS: u64 = 4096;
/// What is read and thrown away of one refused command before login: 64 KiB, then the connection is closed.
pub const PRE_AUTH_DISCARD: u64 = 64 * 1024;
/// The same after login: 64 MiB, so a message a little above [`MESSAGE_SIZE`] is answered `[TOOBIG]` and the session
/// lives; beyond it reading on would only serve whoever wants to keep us busy.
pub const POST_AUTH_DISCARD: u64 = 64 * 1024 * 1024;
/// Longest line of a SASL exchange: 12,288 (RFC 4954, 4), which holds the tickets of every mechanism in use.
pub const SASL_LINE: usize = 12_288;
/// Longest LMTP command line: 4 KiB. RFC 5321 asks for 512 plus what each extension adds; long addresses with ORCPT and
/// SMTPUTF8 stay below 4 KiB.
pub const LMTP_LINE: usize = 4 * 1024;
/// Largest message: 50 MiB, above what most sites let through their MTA.
pub const MESSAGE_SIZE: u64 = 50 * 1024 * 1024;

/// Output waiting for a peer above which a session must wait before producing more: 64 KiB, about what the kernel takes
/// at once; more would only be memory standing still.
pub const OUTPUT_HIGH_WATER: usize = 64 * 1024;
/// The same, and what is read at a time of a message, when connections hold half of the memory they may: 8 KiB.
pub const OUTPUT_WHEN_TIGHT: usize = 8 * 1024;
/// Memory of one connection: 4 MiB, the largest arguments of a command twice ([`COMMAND_ARGUMENTS`]), a message's beginning
/// and a reply.
pub const CONNECTION_MEMORY: u64 = 4 * 1024 * 1024;
/// A peer that takes no byte of our output for this long is gone: 5 minutes.
pub const OUTPUT_STALLED: Duration = Duration::from_secs(5 * 60);
/// A TLS handshake has 30 seconds: slow phones need 5, half-open handshakes must not pile up.
pub const TLS_HANDSHAKE: Duration = Duration::from_secs(30);
/// From connecting to being logged in: 60 seconds for all of it, so one byte a minute does not hold a slot.
pub const PRE_AUTH: Duration = Duration::from_secs(60);
/// Silence after login: 30 minutes, the least RFC 9051, 5.4 allows.
pub const IDLE: Duration = Duration::from_secs(30 * 60);
/// Silence inside a literal or message body: 5 minutes.
pub const BODY_STALLED: Duration = Duration::from_secs(5 * 60);

/// How long a peer that is still sending is heard out when its connection is closed: 10 seconds, in which most have sent what
/// they were about to. It holds a place meanwhile, so not for as long as it likes.
pub const HEARD_OUT: Duration = Duration::from_secs(10);
/// The same for one that has become silent: 2 seconds, a slow line's round trip and some.
pub const HEARD_OUT_SILENCE: Duration = Duration::from_secs(2);

/// Connections from one address (one /64 for IPv6): 50, some ten mail clients behind one household's router. Loopback
/// and Unix sockets are exempt: there a proxy or webmail carries many users.
pub const CONNECTIONS_PER_ADDRESS: u32 = 50;
/// Connections of one user, over all services: 100, a dozen mail clients with a connection for each of their folders.
pub const CONNECTIONS_PER_USER: u32 = 100;
/// New connections from one address within a minute: 600. An office that starts its mail clients in the morning has fewer; a
/// client that begins anew at once when it is refused has more, and so has a scanner.
pub const CONNECTIONS_PER_MINUTE: u32 = 600;
/// File descriptors kept for the store when the connection limit is taken from `RLIMIT_NOFILE`: 64 would do for the
/// process itself, and every session may have a mailbox's files open besides.
pub const RESERVED_DESCRIPTORS: u64 = 64;

/// The limits an administrator can change, as one value handed to every listener. Those of commands are
/// [`CommandLimits`](crate::framing::CommandLimits), and a session's business.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Connections from one address. Default [`CONNECTIONS_PER_ADDRESS`].
    pub connections_per_address: u32,
    /// New connections from one address within a minute; 0: no such limit. Default [`CONNECTIONS_PER_MINUTE`].
    pub connections_per_minute: u32,
    /// Sessions of one user; 0: no such limit. Default [`CONNECTIONS_PER_USER`].
    pub connections_per_user: u32,
    /// Connections in all; `None` takes it from the descriptor limit less [`RESERVED_DESCRIPTORS`], halved because a
    /// session has files open too.
    pub connections: Option<u32>,
    /// Time until login. Default [`PRE_AUTH`].
    pub pre_auth: Duration,
    /// Silence after login. Default [`IDLE`].
    pub idle: Duration,
    /// Silence inside a body. Default [`BODY_STALLED`].
    pub body_stalled: Duration,
    /// Output not taken. Default [`OUTPUT_STALLED`].
    pub output_stalled: Duration,
    /// TLS handshake, and the PROXY header before it. Default [`TLS_HANDSHAKE`].
    pub tls_handshake: Duration,
    /// Load balancers: connections from these networks begin with a PROXY header ([`crate::proxy`]). Default none.
    pub proxies: Vec<Network>,
}

impl Limits {
    /// Whether a connection from `peer` begins with a PROXY header.
    pub(crate) fn is_proxy(&self, peer: &Peer) -> bool {
        peer.ip().is_some_and(|ip| self.proxies.iter().any(|network| network.contains(ip)))
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_per_address: CONNECTIONS_PER_ADDRESS,
            connections_per_minute: CONNECTIONS_PER_MINUTE,
            connections_per_user: CONNECTIONS_PER_USER,
            connections: None,
            pre_auth: PRE_AUTH,
            idle: IDLE,
            body_stalled: BODY_STALLED,
            output_stalled: OUTPUT_STALLED,
            tls_handshake: TLS_HANDSHAKE,
            proxies: Vec::new(),
        }
    }
}
