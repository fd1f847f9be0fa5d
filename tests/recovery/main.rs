//! Recovery: a store that was damaged in every way a disk, an administrator or a crash can think of, the repair tool, and
//! what must be true afterwards - with the server stopped, and against a running one that delivers mail meanwhile.
//!
//! [`fixture`] is the store that all tests begin with, [`invariants`] what every repair must leave behind.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test reports trouble by panicking"
)]

mod crashes;
mod elsewhere;
mod fixture;
mod invariants;
mod list;
mod mailboxes;
mod oddities;
mod order;
mod reading;
mod restores;
