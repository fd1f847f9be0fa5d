//! Whole sessions over memory pipes, against a real store in a directory of its own: what only shows when commands,
//! session, view and store work together. Wire-level examples for every command are in `tests/transcripts`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod harness;

mod hierarchy;
mod idle;
mod login;
mod messages;
mod pipelining;
mod resync;
mod rights;
mod two_sessions;
