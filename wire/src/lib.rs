//! What any mail daemon needs of a socket: listeners, TLS, SASL, framing, limits.
//!
//! - [`Connection`] is what a session is written against: framed input, queued output, STARTTLS.
//! - [`framing`] cuts the input into lines and literals within limits, before any grammar sees it.
//! - [`listen`] accepts connections, caps them per address and in all, and drains them at the end.
//! - [`sasl`] is the server's side of AUTHENTICATE; who a password belongs to is the caller's business.
//! - [`limits`] holds every number a peer is held to, with its reason.
//! - [`attempts`] turns away who guesses passwords.
//! - [`sessions`] is who is connected now, for administrators to see and to end.
//! - [`trace`] is what a client says and is told, for an administrator who looks for its trouble.
//! - [`memory`] is what all connections hold in buffers, and what is done about it.
//! - [`work`] tells whose work a thread does, and hands what may block to other threads.
//! - [`meter`] counts commands and their times.
//! - [`notices`] is what administrators tell everybody.
//!
//! Nothing here knows a mailbox, a user or a protocol's replies, but for what a trace must leave out.

pub mod attempts;
pub mod connection;
pub mod framing;
pub mod limits;
pub mod listen;
pub mod memory;
pub mod meter;
pub mod notices;
pub mod output;
pub mod proxy;
pub mod sasl;
pub mod secret;
pub mod sessions;
pub mod stream;
pub mod tls;
pub mod trace;
pub mod work;

pub use connection::{Connection, ConnectionInfo, Peer, Place, ReadError, StartTlsError};
pub use limits::Limits;
pub use network::{Network, NetworkError};
pub use output::{Output, WriteError};
pub use secret::Secret;
pub use sessions::Sessions;
pub use tls::{Tls, TlsError};
