//! What every back end must do, on the embedded directory and on a real OpenLDAP server: the same cases, by the same calls.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test reports trouble by panicking, and says what it leaves out"
)]

mod slapd;
mod suite;

use std::path::Path;
use std::sync::Arc;

use directory::{Directory, DomainName, Embedded, HashCost, ScramCost, UserId};
use durable::disk::RealDisk;
use ldap::{Check, Ldap, Settings};
use slapd::Slapd;

/// Gives a new directory, and the place of its audit log, to a case.
fn embedded(case: fn(&dyn Directory, &Path)) {
    let home = tempfile::tempdir().unwrap();
    let settings = directory::Settings {
        primary_domain: DomainName::parse("example.com").unwrap(),
        admins: vec![UserId::parse("boss").unwrap()],
        hash_cost: HashCost { memory_kib: 64, passes: 1 },
        scram: ScramCost::default(),
    };
    let (directory, _) = Embedded::open(home.path(), Arc::new(RealDisk), true, &settings).unwrap();
    case(&directory, home.path());
    directory.close().unwrap();
}

fn slapd(check: Check, case: fn(&dyn Directory, &Path)) {
    if slapd::is_left_out() {
        return;
    }
    let (slapd, home) = (Slapd::start(""), tempfile::tempdir().unwrap());
    let settings = Settings { check, ..slapd.settings() };
    let directory = Ldap::open(home.path(), Arc::new(RealDisk), true, &settings).unwrap();
    case(&directory, home.path());
    directory.close().unwrap();
}

macro_rules! on_every_back_end {
    ($($subject:ident: $($case:ident)*;)*) => {
        mod on_embedded {
            $($(#[test] fn $case() { super::embedded(super::suite::$subject::$case); })*)*
        }
        mod on_slapd {
            $($(#[test] fn $case() { super::slapd(super::Check::Hash, super::suite::$subject::$case); })*)*
        }
    };
}

on_every_back_end! {
    aliases: aliases_name_everybody deletions_cascade aliases_are_listed;
    domains: a_new_directory domains_are_renamed domains_are_deleted;
    mail: mail_goes_where_it_should nothing_that_is_asked_for_is_a_pattern;
    passwords: passwords_change app_passwords;
    rights: groups_and_privileges changes_are_noted what_is_no_change_is_noted;
    users: users_live what_is_taken_is_refused every_field_comes_back edits_conflict users_are_listed
        addresses_change_hands;
}

mod by_bind {
    use super::{Check, slapd, suite};

    #[test]
    fn users_live() {
        slapd(Check::Bind, suite::users::users_live);
    }

    #[test]
    fn passwords_change() {
        slapd(Check::Bind, suite::passwords::passwords_change);
    }

    #[test]
    fn app_passwords() {
        slapd(Check::Bind, suite::passwords::app_passwords);
    }
}
