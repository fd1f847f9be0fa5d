//! A load generator for any IMAP and LMTP server.
//!
//! It knows the servers only by host and port (and, to read their CPU time and memory, by process id), so that the same
//! work is measured with all of them. [`workload`] has one module for each kind of work; each says what it does and what
//! it checks. Nothing wrong goes into a figure: an answer that is wrong, missing or doubled is a [`Failure`], and a run
//! that failed has no figures.
//!
//! The client must not be what is measured. It is one thread; in a timed run an answer is framed with `memchr` and compared
//! with the one that was parsed and checked before, and only an answer that differs is parsed again.

mod connection;
mod corpus;
mod failure;
mod fill;
mod imap;
mod lmtp;
mod measure;
mod parse;
mod pop3;
mod process;
mod secure;
mod target;

pub mod growth;
pub mod in_process;
pub mod scale;
pub mod table;
pub mod workload;

pub use corpus::{messages, sizes};
pub use failure::Failure;
pub use measure::{Report, percentile};
pub use process::Tree;
pub use secure::Secure;
pub use target::{Bounds, Target};
