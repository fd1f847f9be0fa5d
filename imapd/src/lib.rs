//! IMAP4rev1 and IMAP4rev2: wire in, wire out (RFC 3501, RFC 9051; docs/rfc.md lists the extensions).
//!
//! - [`serve`] runs one connection, [`Imap`] is what all of them share.
//! - [`types`] are what commands say, [`syntax`] turns bytes into them, [`reply`] prints what the server says.
//! - `connection` reads, checks and answers commands one after another; `commands` has the table of them and a file for each.
//! - `session` has the states, `view` what one client knows of its mailbox, `tell` tells it what is new.
//! - `namespace` translates mailbox names, `access` says which rights are needed, `outcome` turns errors into replies.
//!
//! Invariants:
//! - Only `view` knows sequence numbers; everything else speaks of UIDs.
//! - Nothing waits for a client, or for a sync, while it holds a lock of the store.
//! - What can block leaves the reactor through `Context::blocking`.
//! - A client learns nothing of a mailbox that it has no right to look up.

mod access;
mod asked;
mod commands;
mod connection;
mod context;
mod flags;
mod namespace;
mod outcome;
mod pieces;
pub mod reply;
#[cfg(test)]
mod samples;
mod session;
pub mod syntax;
mod tell;
pub mod types;
mod view;

pub use connection::serve;
pub use context::{Imap, Options};
pub use namespace::Prefixes;
