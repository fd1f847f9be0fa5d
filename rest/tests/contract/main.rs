//! The interface as a client sees it: every kind of request, and every kind of answer.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test reports trouble by panicking")]

mod access;
mod administration;
mod aliases;
mod document;
mod domains;
mod harness;
mod http;
mod notices;
mod together;
mod users;
mod whole;
