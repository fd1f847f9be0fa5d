//! Every limit an LMTP client is held to, with its reason. An MTA is trusted, but not to be free of bugs.

use std::time::Duration;

/// Recipients of one transaction. RFC 5321, 4.5.3.1.8 asks for 100 at least; Postfix sends 50 unless told otherwise.
/// Above it each further RCPT gets 452 4.5.3, and the client sends the rest in another transaction.
pub(crate) const RECIPIENTS: usize = 1_000;

/// RCPT commands of one transaction, refused ones included, before the connection is closed: each costs look-ups, and
/// nobody honest goes on after hundreds of refusals.
pub(crate) const RECIPIENT_ATTEMPTS: u32 = 10_000;

/// Syntax and sequence errors before the connection is closed with 421; Postfix's `smtpd_hard_error_limit` is 20 too.
/// Refused recipients do not count: a full mailbox is nobody's error.
pub(crate) const ERRORS: u32 = 20;

/// Longest line where AUTH is a command: that, the longest name of a mechanism, and a response of the length that RFC 4954, 4
/// allows.
pub(crate) const AUTH_LINE: usize = wire::limits::SASL_LINE + 32;

/// Failed logins of one connection before it is closed with 421. An MTA has the right password or an old one; nobody types it.
pub(crate) const FAILED_LOGINS: u32 = 3;

/// Commands other than RCPT since the last message before the connection is closed with 421.
pub(crate) const COMMANDS_WITHOUT_MESSAGE: u32 = 1_000;

/// A reverse or forward path in octets. RFC 5321, 4.5.3.1.3 says 256; SRS and VERP senders are known to be longer.
/// What must hold is that `Return-Path: <path>` stays within the 998 octets of a line (RFC 5322, 2.1.1).
pub(crate) const PATH: usize = 900;

/// A domain name in octets (RFC 5321, 4.5.3.1.2).
pub(crate) const DOMAIN: usize = 255;

/// The header of a message in octets: 1 MiB, ten times what Postfix lets through by default. It is kept in memory until
/// its end is found, because fields in it are removed.
pub(crate) const HEADER: usize = 1024 * 1024;

/// Octets read and thrown away of one refused message before the connection is closed: its size was announced to be too
/// much, so that only a broken client gets here.
pub(crate) const DISCARD: u64 = 256 * 1024 * 1024;

/// Silence between commands (RFC 5321, 4.5.3.2.7: at least 5 minutes).
pub(crate) const COMMAND_TIMEOUT: Duration = Duration::from_secs(5 * 60);

/// From the first octet of one body to its last, however slowly they come.
pub(crate) const BODY_TIMEOUT: Duration = Duration::from_secs(60 * 60);
