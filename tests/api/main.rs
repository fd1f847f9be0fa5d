//! The directory over HTTP as the whole program serves it.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test reports trouble by panicking")]

mod audit;
mod client;
mod contract;
mod hostile;
mod limits;
mod page;
mod served;
