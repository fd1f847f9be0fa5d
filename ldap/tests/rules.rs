//! The rules of the directory, on a real OpenLDAP server: the cases of directory/tests/rules, all of them, as they are.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test reports trouble by panicking, and says what it leaves out"
)]

mod slapd;
#[path = "../../directory/tests/rules/suite.rs"]
mod suite;

use std::sync::Arc;

use durable::disk::RealDisk;
use ldap::{Ldap, Settings};
use slapd::Slapd;

/// Runs a check on a new directory with the primary domain `example.com` and the user `admin`.
fn on_every_back_end(check: impl Fn(&suite::Dir)) {
    if slapd::is_left_out() {
        return;
    }
    let (slapd, home) = (Slapd::start(""), tempfile::tempdir().unwrap());
    let settings = Settings { admins: vec![], ..slapd.settings() };
    let directory = Ldap::open(home.path(), Arc::new(RealDisk), true, &settings).unwrap();
    let directory = directory.with_surroundings(suite::around(home.path()));
    suite::make_admin(&directory);
    check(&directory);
}
