//! The whole server from outside.
//!
//! Nothing here knows how the server works inside: it starts the program in a private directory ([`Home`], [`Server`]),
//! speaks to its sockets ([`Connection`], [`Imap`], [`Lmtp`]) and compares what comes back with what the RFCs say
//! ([`transcript`]). The same transcripts run against other people's servers, which is how the runner itself and the
//! transcripts are kept honest (`tests/README.md`).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this crate is linked into tests and measurements only; they report trouble by panicking"
)]

mod authority;
mod connection;
mod imap;
mod lmtp;
mod log;
mod pop3;
mod server;
mod tls;
mod wait;
mod web;

pub mod corpus;
pub mod load;
pub mod page;
pub mod transcript;
pub mod trial;

pub use authority::Authority;
pub use connection::{ChannelBindings, Connection, PATIENCE, Reply};
pub use imap::{Answer, Fetched, Imap};
pub use lmtp::Lmtp;
pub use log::unannounced;
pub use pop3::Pop3;
pub use server::{ADMIN, DOMAIN, Home, PASSWORD, Server};
pub use tls::{any_certificate, with_certificate};
pub use wait::await_until;
pub use web::{Asked, Web};
