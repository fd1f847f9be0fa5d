//! Crowds, fights, damaged files, full disks and hostile mail, each against a server of its own. Whatever happens: the server
//! lives, its memory stays bounded, other sessions are answered meanwhile. What one connection may send is in
//! `tests/inputs/`.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test reports trouble by panicking"
)]

mod attack;
mod caps;
mod crowds;
mod files;
mod full_disk;
mod in_use;
mod mail;
mod names;
mod tools;
