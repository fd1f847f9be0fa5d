//! The rules of the directory, as everybody meets them who uses a [`Service`](directory::Service), on the embedded directory.
//! The cases are in `suite.rs`; ldap/tests/rules.rs runs the same ones on a real LDAP server.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test reports trouble by panicking")]

#[path = "suite.rs"]
mod suite;

use std::sync::Arc;

use directory::{DomainName, Embedded, HashCost, ScramCost, Settings};
use durable::disk::RealDisk;

/// Runs a check on a new directory with the primary domain `example.com` and the user `admin`.
fn on_every_back_end(check: impl Fn(&suite::Dir)) {
    let home = tempfile::tempdir().unwrap();
    let settings = Settings {
        primary_domain: DomainName::parse("example.com").unwrap(),
        admins: vec![],
        hash_cost: HashCost { memory_kib: 64, passes: 1 },
        scram: ScramCost::default(),
    };
    let (directory, _) = Embedded::open(home.path(), Arc::new(RealDisk), true, &settings).unwrap();
    let directory = directory.with_surroundings(suite::around(home.path()));
    suite::make_admin(&directory);
    check(&directory);
}
