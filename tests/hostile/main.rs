//! Hostile clients and hostile mail against a running server. Whatever they send: the server lives, its memory stays
//! bounded, other sessions are answered meanwhile, and the answer is the right one.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test reports trouble by panicking"
)]

mod attack;
mod caps;
mod connections;
mod crowds;
mod files;
mod full_disk;
mod in_use;
mod lines;
mod lmtp;
mod mail;
mod names;
mod pop3;
mod ranges;
mod tools;
mod vanishing;
