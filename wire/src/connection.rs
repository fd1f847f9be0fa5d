//! One peer's connection: framed input, queued output, deadlines, STARTTLS. What a session is written against.
//!
//! Between commands it holds no buffer: input is read into a buffer on the stack of the poll and kept only when there is
//! some, output memory is given back by each flush. Every read can be dropped half-way (in a `select!` with a mailbox's
//! events) without losing an octet or extending its deadline.
//!
//! A read that has to wait first sends what waits to be sent, so pipelined commands are answered together and no peer
//! ever waits for an answer that waits for it. While a peer does not take its answers, nothing is read from it.
//!
//! # An IMAP session's loop
//! ```
//! # use wire::{Connection, ReadError};
//! # async fn session(mut conn: Connection) -> Result<(), Box<dyn std::error::Error>> {
//! loop {
//!     let fragment = match conn.read_fragment().await {
//!         Ok(fragment) => fragment,
//!         Err(ReadError::Command(bad)) => {
//!             write!(conn.output(), "* BAD {}\r\n", bad.error); // the tag is in bad.head
//!             if bad.fatal { break }
//!             continue; // what is left of the command is skipped by the next read
//!         }
//!         Err(_) => break, // closed, timed out, broken
//!     };
//!     if let Some(literal) = fragment.literal {
//!         if literal.len > 1000 { conn.refuse_literal()?; continue }
//!         let _small = conn.read_literal().await?; // asks for it, if it is synchronizing
//!     }
//!     conn.output().put("a OK done\r\n"); // sent by the next read that has to wait
//! }
//! # conn.close().await; Ok(())
//! # }
//! ```

mod account;
mod close;
mod info;
mod read;
mod write;

use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use rustls::sign::CertifiedKey;
use thiserror::Error;
use tokio::io::DuplexStream;
use tokio::time::Instant;
use tracing::warn;

use crate::Limits;
use crate::attempts::Consequence;
use crate::framing::{CommandFramer, CommandLimits, LineFramer};
use crate::listen::Refusal;
use crate::notices::Notice;
use crate::output::{Output, WriteError};
use crate::proxy::{self, ProxyError};
use crate::stream::{Plain, Stream};
use crate::tls::{ChannelBinding, ClientNames, HandshakeError, Tls};
use crate::trace::Heard;

pub use info::{ConnectionInfo, Peer, Proxy};
pub use read::ReadError;

/// Why STARTTLS failed. The connection must be closed: there is no going on in clear text.
#[derive(Debug, Error)]
pub enum StartTlsError {
    /// The peer sent more behind its STARTTLS without waiting for our answer. What came in clear text must not be
    /// executed as if it had come encrypted (CVE-2021-33515 and fourteen servers more).
    #[error("plain text behind STARTTLS")]
    PlainTextPipelined,
    /// The reply could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The handshake failed.
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
}

/// Why a connection from a load balancer is closed at once.
#[derive(Debug, Error)]
pub(crate) enum NoProxyHeader {
    #[error("no PROXY header in time")]
    Timeout,
    #[error(transparent)]
    Wrong(#[from] ProxyError),
    #[error(transparent)]
    Refused(#[from] Refusal),
}

/// How long a connection waits for what.
#[derive(Debug, Clone, Copy)]
struct Times {
    /// For a whole line.
    idle: Duration,
    /// For the next octets of a literal or body.
    body: Duration,
    /// For the peer to take some output.
    output: Duration,
    handshake: Duration,
}

/// A connection. See the [module](self) for how a session uses it.
#[derive(Debug)]
pub struct Connection {
    stream: Stream,
    info: ConnectionInfo,
    /// The certificate that the client was shown.
    certificate: Option<Arc<CertifiedKey>>,
    /// Whom the client's own is made out to, until it has logged in.
    client_names: Option<Box<ClientNames>>,
    input: BytesMut,
    output: Output,
    commands: CommandFramer,
    lines: LineFramer,
    times: Times,
    /// When everything must be over, before login.
    login_by: Option<Instant>,
    /// When the line being waited for must have come; kept over dropped reads.
    line_by: Option<Instant>,
    /// The continuation request for the announced literal was sent.
    continued: bool,
    /// The peer is sending what will not be read.
    unread: bool,
    octets_in: u64,
    octets_out: u64,
    /// What [`octets_since`](Self::octets_since) counts from.
    octets_told: (u64, u64),
    /// Octets of the arguments of the command under way that were or are being read as literals.
    arguments: u64,
    /// What the session has set aside.
    aside: u64,
    /// Gives the slot back to the listener when the connection is dropped.
    slot: Option<crate::listen::Slot>,
    /// The row that administrators see; a connection inside the process has none.
    entry: Option<crate::sessions::Entry>,
}

/// A connection's place among those that are allowed, until it is dropped.
#[derive(Debug)]
pub struct Place {
    _slot: Option<crate::listen::Slot>,
    _entry: Option<crate::sessions::Entry>,
}

impl Connection {
    /// A connection over `stream`, with the limits and deadlines of one that is not logged in.
    pub fn new(stream: Stream, info: ConnectionInfo, limits: &Limits) -> Self {
        Self {
            stream,
            info,
            certificate: None,
            client_names: None,
            input: BytesMut::new(),
            output: Output::default(),
            commands: CommandFramer::new(CommandLimits::PRE_AUTH),
            lines: LineFramer::default(),
            times: Times {
                idle: limits.idle,
                body: limits.body_stalled,
                output: limits.output_stalled,
                handshake: limits.tls_handshake,
            },
            login_by: Some(Instant::now() + limits.pre_auth),
            line_by: None,
            continued: false,
            unread: false,
            octets_in: 0,
            octets_out: 0,
            octets_told: (0, 0),
            arguments: 0,
            aside: 0,
            slot: None,
            entry: None,
        }
    }

    /// A connection inside the process and its far end, for the tests of protocol crates. The pipe holds `capacity`
    /// octets each way.
    pub fn memory(capacity: usize) -> (Self, DuplexStream) {
        let (ours, theirs) = tokio::io::duplex(capacity);
        let stream = Stream::Plain(Plain::Memory(ours));
        (Self::new(stream, ConnectionInfo::memory(), &Limits::default()), theirs)
    }

    pub(crate) fn admitted(mut self, slot: crate::listen::Slot, entry: crate::sessions::Entry) -> Self {
        self.output.tapped_by(entry.row());
        (self.slot, self.entry) = (Some(slot), Some(entry));
        self
    }

    /// Tells administrators who has logged in.
    pub fn show_user(&self, user: &str) {
        self.entry.iter().for_each(|entry| entry.set_user(user));
    }

    /// Tells administrators which mailbox is selected.
    pub fn show_mailbox(&self, mailbox: Option<&str>) {
        self.entry.iter().for_each(|entry| entry.set_mailbox(mailbox));
    }

    /// Tells administrators what the client calls itself.
    pub fn show_client(&self, client: &str) {
        self.entry.iter().for_each(|entry| entry.set_client(client));
    }

    /// What the client calls itself, if it has said so.
    pub fn client(&self) -> Option<Arc<str>> {
        self.entry.as_ref().and_then(|entry| entry.client())
    }

    /// What everybody is told who logs in, if there is something to tell.
    #[must_use]
    pub fn motd(&self) -> Option<Notice> {
        self.entry.as_ref().and_then(crate::sessions::Entry::motd)
    }

    /// To be asked when somebody has proved who he is, before he is let in.
    ///
    /// # Errors
    /// Users are kept out now, for the reason returned; administrators are not.
    pub fn admit(&self, admin: bool) -> Result<(), Notice> {
        self.entry.as_ref().map_or(Ok(()), |entry| entry.admit(admin))
    }

    /// Takes a place among the sessions of `user`; whether there was one ([`crate::Limits::connections_per_user`]).
    #[must_use]
    pub fn becomes_session_of(&mut self, user: &str) -> bool {
        self.slot.as_mut().is_none_or(|slot| slot.becomes(user))
    }

    /// Who is connected to what.
    pub fn info(&self) -> &ConnectionInfo {
        &self.info
    }

    /// Whether a password may be sent here: TLS, loopback, or a Unix socket.
    pub fn is_secure(&self) -> bool {
        let to_proxy = self.info.proxy.is_some_and(|proxy| proxy.encrypted);
        self.info.tls.is_some() || to_proxy || self.info.peer.is_local()
    }

    /// Whether no password is to be looked at, because too many from there were wrong ([`crate::attempts`]).
    pub fn is_blocked(&self) -> bool {
        self.slot.as_ref().is_some_and(|slot| slot.attempts().blocks(&self.info.peer))
    }

    /// Notes a failed login; [`guess`](crate::attempts::guess) stands for what was tried, where that is known.
    pub fn login_failed(&self, guess: Option<u64>) {
        let Some(slot) = &self.slot else { return };
        let consequence = slot.attempts().failed(&self.info.peer, guess);
        if consequence != Consequence::None {
            let network = consequence == Consequence::Network;
            warn!(event = "login.blocked", conn = self.info.id, service = self.info.service, peer = %self.info.peer, network);
        }
    }

    /// Octets read from and written to the peer so far, inside TLS.
    pub fn octets(&self) -> (u64, u64) {
        (self.octets_in, self.octets_out)
    }

    /// Octets that were taken from the peer, and that were given to it or wait to be sent, since this was asked last: those
    /// of a command and of its replies, if it is asked behind each. What has come of the next command is not among them.
    pub fn octets_since(&mut self) -> (u64, u64) {
        let now = (self.octets_in - self.input.len() as u64, self.octets_out + self.output.len() as u64);
        let before = std::mem::replace(&mut self.octets_told, now);
        (now.0.saturating_sub(before.0), now.1.saturating_sub(before.1))
    }

    /// The peer has logged in: the deadline for that is off, and these limits hold from now on.
    pub fn logged_in(&mut self, limits: CommandLimits) {
        self.login_by = None;
        self.client_names = None;
        self.commands.set_limits(limits);
    }

    /// Takes the deadline for logging in away where nobody logs in (LMTP from loopback or a Unix socket).
    pub fn no_login_needed(&mut self) {
        self.login_by = None;
    }

    /// How long to wait for a whole line from now on.
    pub fn set_idle(&mut self, idle: Duration) {
        self.times.idle = idle;
        self.line_by = None;
    }

    /// The queue of octets to send. Filling it never waits.
    pub fn output(&mut self) -> &mut Output {
        &mut self.output
    }

    /// Tells whoever traces the session what the client has said.
    fn heard(&self, what: Heard<'_>) {
        if let Some(tap) = self.entry.as_ref().and_then(crate::sessions::Entry::tap) {
            tap.heard(what, self.output.len());
        }
    }

    fn show_octets(&self) {
        self.entry.iter().for_each(|entry| entry.set_octets(self.octets_in, self.octets_out));
    }

    /// Whether octets of the peer are here that no read has returned: pipelined commands, or part of one.
    pub fn has_input(&self) -> bool {
        !self.input.is_empty()
    }

    /// Sends what waits (the `OK Begin TLS`) and starts TLS.
    ///
    /// Ask [`Connection::has_input`] before answering OK; this refuses too, before anything is sent.
    ///
    /// # Errors
    /// [`StartTlsError`]; close the connection.
    pub async fn start_tls(&mut self, tls: &Tls) -> Result<(), StartTlsError> {
        if self.has_input() {
            self.stream = Stream::Closed;
            return Err(StartTlsError::PlainTextPipelined);
        }
        self.flush().await?;
        self.upgrade(tls).await?;
        Ok(())
    }

    /// Reads the PROXY header that the connection begins with: from here on its peer is the client.
    pub(crate) async fn meet_proxy(&mut self, limits: &Limits) -> Result<(), NoProxyHeader> {
        let read = proxy::read(&mut self.stream);
        let found = tokio::time::timeout(limits.tls_handshake, read).await.map_err(|_| NoProxyHeader::Timeout)??;
        let Peer::Ip(address) = self.info.peer else { return Ok(()) };
        self.info.proxy = Some(Proxy { address, encrypted: found.encrypted });
        // Being on this machine gives rights that no header gives.
        if let Some(client) = found.client.filter(|client| !Peer::Ip(*client).is_local()) {
            self.info.peer = Peer::Ip(client);
            self.info.local = found.server.or(self.info.local);
            self.entry.iter().for_each(|entry| entry.set_peer(self.info.peer));
        }
        match &mut self.slot {
            Some(slot) => Ok(slot.belongs_to(&self.info.peer, limits)?),
            None => Ok(()),
        }
    }

    /// The handshake of a port that begins with TLS.
    pub(crate) async fn upgrade(&mut self, tls: &Tls) -> Result<(), HandshakeError> {
        let certificates = tls.certificates.all();
        self.stream.upgrade(tls, self.times.handshake).await?;
        self.info.tls = self.stream.tls();
        self.client_names = self.stream.client_names().map(Box::new);
        self.entry.iter().for_each(|entry| entry.set_tls(self.info.tls.map(|tls| tls.version)));
        // Replaced meanwhile, or since a session began that is resumed, the client may have been shown the one before.
        let known = Arc::ptr_eq(&certificates, &tls.certificates.all())
            && !(self.stream.is_resumed() && tls.certificates.were_replaced());
        self.certificate = if known { tls.certificates.for_name(self.stream.server_name()) } else { None };
        Ok(())
    }

    /// What a SASL exchange can be bound to; nothing without TLS.
    #[must_use]
    pub fn channel_binding(&self) -> ChannelBinding {
        match &self.stream {
            Stream::Tls(stream) => ChannelBinding::of(stream.get_ref().1, self.certificate.as_deref()),
            Stream::Plain(_) | Stream::Closed => ChannelBinding::default(),
        }
    }

    /// Whom the client's certificate is made out to, if it has shown one and has not logged in yet.
    #[must_use]
    pub fn client_names(&self) -> Option<&ClientNames> {
        self.client_names.as_deref()
    }

    /// The bare stream, for what is not a line protocol. Its place among the allowed connections is given back.
    pub fn into_stream(self) -> Stream {
        self.stream
    }

    /// The bare stream, for a protocol that is spoken by others. What stays behind knows who is connected, and counts failed
    /// logins; it can neither read nor write.
    pub fn take_stream(&mut self) -> Stream {
        std::mem::replace(&mut self.stream, Stream::Closed)
    }

    /// Completes when an administrator ends the session, with what he says: for a protocol that is spoken by others. Only one
    /// may wait for it. Reads of ours notice it themselves.
    pub async fn ended(&self) -> Arc<str> {
        ended(self.entry.as_ref()).await
    }

    /// Tells administrators how many octets came and went, where others read and write.
    pub fn show_octets_of(&self, octets_in: u64, octets_out: u64) {
        self.entry.iter().for_each(|entry| entry.set_octets(octets_in, octets_out));
    }

    /// The bare stream, for a protocol that is spoken by others, and the connection's place among those that are allowed.
    pub fn into_parts(self) -> (Stream, Place) {
        (self.stream, Place { _slot: self.slot, _entry: self.entry })
    }
}

/// Completes when an administrator ends the session, with what he says; never where there is no row.
async fn ended(entry: Option<&crate::sessions::Entry>) -> Arc<str> {
    match entry {
        Some(entry) => entry.ended().await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
