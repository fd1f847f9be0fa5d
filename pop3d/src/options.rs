//! What an administrator can set.

use std::time::Duration;

use crate::uidl::UidlFormat;

/// The least that RFC 1939, 3 allows an autologout timer to be.
pub(crate) const IDLE: Duration = Duration::from_secs(10 * 60);

/// What QUIT does with messages that DELE has marked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deletion {
    /// They are expunged.
    Expunge,
    /// They get \Deleted and stay; messages with that flag are not shown.
    Flag,
}

/// What an administrator can set.
#[derive(Debug, Clone)]
pub struct Options {
    /// The host's name, for the greeting.
    pub host_name: String,
    /// The program's version, for IMPLEMENTATION; empty to keep it to ourselves.
    pub version: String,
    /// Passwords may be sent in clear text from anywhere. Default off: only over TLS, loopback and Unix sockets.
    pub allow_plain_text: bool,
    /// How UIDL names messages.
    pub uidl: UidlFormat,
    /// One session at a time for each mailbox (RFC 1939, 4). Default on.
    pub exclusive: bool,
    /// Rights count for the owner of a mailbox, too: `r` to log in, `t` and `e` to delete, `s` for \Seen.
    pub use_acl: bool,
    /// RETR sets \Seen, when the session ends.
    pub mark_seen: bool,
    /// What QUIT does.
    pub deletion: Deletion,
    /// Least time between two logins of a user (RFC 2449, 6.5). Zero: none.
    pub login_delay: Duration,
    /// After how many days the site removes mail, for CAPA (RFC 2449, 6.7); `None`: never.
    pub expire_days: Option<u32>,
    /// A message with UTF-8 in its header is refused in a session without UTF8 (RFC 6856, 5). Default off: it is sent as it
    /// is, which is what clients from before that RFC have always been sent.
    pub refuse_utf8: bool,
    /// Silence until the client is disconnected; never less than ten minutes.
    pub idle: Duration,
    /// What people are let in by, beside passwords.
    pub login: login::Policy,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            host_name: "localhost".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            allow_plain_text: false,
            uidl: UidlFormat::default(),
            exclusive: true,
            use_acl: false,
            mark_seen: false,
            deletion: Deletion::Expunge,
            login_delay: Duration::ZERO,
            expire_days: None,
            refuse_utf8: false,
            idle: IDLE,
            login: login::Policy::default(),
        }
    }
}
