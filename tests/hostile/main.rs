//! Hostile clients and hostile mail against a running server. Whatever they send: the server lives, its memory stays
//! bounded, other sessions are answered meanwhile, and the answer is the right one.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test reports trouble by panicking")]

mod attack;
mod connections;
mod files;
mod lines;
mod lmtp;
mod mail;
mod names;
mod ranges;
